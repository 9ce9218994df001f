//! The real BIRD in a namespace: its configs for the labs, its control socket, what it sees.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::lab::{Lab, Space};
use super::process::Process;
use super::wait::wait_until;

/// How long BIRD may take to answer on its control socket after its start.
const START: Duration = Duration::from_secs(10);

/// A running BIRD.
pub struct Bird {
    process: Process,
    socket: PathBuf,
}

impl Bird {
    /// Starts BIRD with this config in `space` and waits until it answers `birdc`.
    pub fn start(lab: &Lab, space: &Space, name: &str, config: &str) -> Self {
        let (file, socket) =
            (lab.directory().join(format!("{name}.conf")), lab.directory().join(format!("{name}.ctl")));
        std::fs::write(&file, config).expect("the config can be written");
        let (file, control) = (file.display().to_string(), socket.display().to_string());
        let pid_file = lab.directory().join(format!("{name}.pid")).display().to_string();
        let process = lab.start(space, name, "bird", &["-f", "-c", &file, "-s", &control, "-P", &pid_file]);
        let bird = Self { process, socket };
        wait_until(&format!("{name} answers birdc"), START, || {
            bird.ask("show status").contains("Daemon is up")
        });
        bird
    }

    /// What BIRD answers to a command of `birdc`.
    pub fn ask(&self, command: &str) -> String {
        let output =
            Command::new("birdc").args(["-r", "-s"]).arg(&self.socket).args(command.split(' ')).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    }

    /// Waits until the BGP session `protocol` is established.
    pub fn wait_established(&self, protocol: &str, bound: Duration) {
        wait_until(&format!("session {protocol} is established"), bound, || {
            self.ask(&format!("show protocols {protocol}")).contains("Established")
        });
    }

    /// Whether BIRD has a route to this prefix from `protocol`, best or not.
    pub fn has_route(&self, prefix: &str, protocol: &str) -> bool {
        self.ask(&format!("show route {prefix} protocol {protocol}")).contains(prefix)
    }

    /// Withdrawals that `protocol` has received so far, both families.
    pub fn withdrawals(&self, protocol: &str) -> u64 {
        let text = self.ask(&format!("show protocols all {protocol}"));
        let counts = text.lines().filter_map(|line| line.trim().strip_prefix("Import withdraws:"));
        counts.filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok()).sum()
    }

    /// The process, to signal it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}
