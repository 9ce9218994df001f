//! A container that systemd boots, in a network namespace of a lab.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use crate::support::lab::Space;
use crate::support::process::{Process, must, read};
use crate::support::wait::{wait_for, wait_until};

/// How long a boot may take on a machine that runs other tests.
const BOOT: Duration = Duration::from_secs(120);

/// The command that boots the root of this directory in this namespace; the container ends with the thread that starts it. The first
/// process of a container outlives a killed `systemd-nspawn`, but no process outlives the first one of a PID namespace: `systemd-nspawn`
/// is that.
pub(crate) fn nspawn(space: &Space, root: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare", "--pid", "--mount-proc", "--fork", "--kill-child=KILL"]);
    command.args(["systemd-nspawn", "--quiet", "--boot"]);
    command.args(["--register=no", "--keep-unit", "--console=pipe", "--machine", space.name()]);
    command.arg(format!("--directory={}", root.display()));
    command.arg(format!("--network-namespace-path=/run/netns/{}", space.name()));
    command
}

/// A booted root of a directory of its own.
pub(crate) struct Container {
    /// Its files.
    pub(crate) root: PathBuf,
    process: Process,
}

impl Container {
    /// Boots it, and waits until its services run.
    pub(crate) fn boot(space: &Space, root: &Path, log: PathBuf) -> Self {
        let process = Process::start("container", nspawn(space, root), log);
        let container = Self { root: root.to_owned(), process };
        wait_until("the container is booted", BOOT, || {
            let Some(mut asked) = container.command(&["systemctl", "is-system-running"]) else {
                return false;
            };
            let said = asked.output().map(|output| output.stdout).unwrap_or_default();
            [&b"running\n"[..], b"degraded\n"].contains(&said.as_slice())
        });
        container
    }

    /// The first process in it, as this machine numbers it.
    fn leader(&self) -> Option<u32> {
        leader(&self.process)
    }

    fn command(&self, words: &[&str]) -> Option<Command> {
        inside(&self.process, words)
    }

    /// Runs a command in it.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        let mut command = self.command(words).expect("the container runs");
        command.output().expect("nsenter runs")
    }

    /// Runs a command in it that must succeed; what it printed to standard output.
    pub(crate) fn must(&self, words: &[&str]) -> String {
        must(&mut self.command(words).expect("the container runs"))
    }

    /// A file of it as text.
    pub(crate) fn file(&self, path: &str) -> String {
        read(&self.root.join(path.trim_start_matches('/')))
    }

    /// Replaces a file of it.
    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::write(self.root.join(path.trim_start_matches('/')), text).expect("written");
    }

    /// Whether a path is in it.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.root.join(path.trim_start_matches('/')).exists()
    }

    /// Ends it, and waits until its first process is gone.
    pub(crate) fn kill(&mut self) {
        let leader = self.leader();
        self.process.kill();
        let is_gone = || leader.is_none_or(has_ended);
        wait_for("the container is gone", BOOT, || is_gone().then_some(()));
    }
}

/// The first process of the container that [`nspawn`] booted, as this machine numbers it.
fn leader(process: &Process) -> Option<u32> {
    // The process that was started is `unshare`, its child is `systemd-nspawn`.
    first_child(first_child(process.pid())?)
}

/// A command in the container that [`nspawn`] booted.
pub(crate) fn inside(process: &Process, words: &[&str]) -> Option<Command> {
    let mut command = Command::new("nsenter");
    command.args(["--target", &leader(process)?.to_string(), "--all", "--"]).args(words);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/root");
    command.env("DEBIAN_FRONTEND", "noninteractive").env("LANG", "C.UTF-8").env("TERM", "dumb");
    Some(command)
}

/// The child that a process started first, if it runs.
fn first_child(process: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Whether a process has ended; one that nobody has waited for yet has, too.
pub(crate) fn has_ended(process: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/stat")) else { return true };
    // The state follows the name, which stands in parentheses and may have some.
    status.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X']))
}
