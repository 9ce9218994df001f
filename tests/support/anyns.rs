//! The server under test: its config file, its process in a namespace, its status, its commands.

use std::io::{BufRead as _, BufReader, PipeWriter, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::lab::{Lab, Space};
use super::process::Process;
use super::wait::wait_for;

/// The program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_anyns");

/// How long a start or a change may take until the status says so; generous, for a machine that runs other tests.
pub const BOUND: Duration = Duration::from_secs(20);

/// One installation of anyns in a namespace: a config, and the process while it runs.
pub struct Anyns {
    /// The instance's name.
    pub name: String,
    space: Space,
    config: PathBuf,
    socket: PathBuf,
    process: Option<Process>,
}

/// The outcome of a command.
#[derive(Clone, Debug)]
pub struct Said {
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output and standard error.
    pub text: String,
}

impl Anyns {
    /// Writes the config, with a control socket added, and starts nothing yet. The config is TOML without `[control]`.
    pub fn new(lab: &Lab, space: &Space, name: &str, config: &str) -> Self {
        let (file, socket) =
            (lab.directory().join(format!("{name}.toml")), lab.directory().join(format!("{name}.sock")));
        let anyns = Self { name: name.into(), space: space.clone(), config: file, socket, process: None };
        anyns.write_config(config);
        anyns
    }

    /// Replaces the config file.
    pub fn write_config(&self, config: &str) {
        let text = format!("{config}\n[control]\nsocket = \"{}\"\n", self.socket.display());
        std::fs::write(&self.config, text).expect("the config can be written");
    }

    /// The config file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// `anyns run` with the config.
    pub fn start(&mut self, lab: &Lab) {
        let config = self.config.display().to_string();
        self.process = Some(lab.start(&self.space, &self.name, PROGRAM, &["run", "--config", &config]));
    }

    /// The same with the test hooks ([`Anyns::panic_task`]), and with an own standard error where one is given.
    pub fn start_with_hooks(&mut self, lab: &Lab, stderr: Option<PipeWriter>) {
        let config = self.config.display().to_string();
        let mut command = lab.program(&self.space, PROGRAM, &["run", "--config", &config]);
        command.env("ANYNS_TEST_HOOKS", "1");
        let process = Process::start_with_stderr(&self.name, command, lab.log_file(&self.name), stderr);
        self.process = Some(process);
    }

    /// Makes the supervised task of this name panic at its next beat; what the server says when it refuses.
    pub fn panic_task(&self, task: &str) -> Result<(), String> {
        let response = self.ask(&json!({"request": "test-panic", "task": task}))?;
        if response["response"] == "done" { Ok(()) } else { Err(response.to_string()) }
    }

    /// One request over the control socket, and the response.
    fn ask(&self, request: &Value) -> Result<Value, String> {
        let exchange = || {
            let mut stream = UnixStream::connect(&self.socket)?;
            stream.set_read_timeout(Some(BOUND))?;
            stream.write_all(format!("{request}\n").as_bytes())?;
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line)?;
            Ok(serde_json::from_str(&line)?)
        };
        exchange().map_err(|error: std::io::Error| error.to_string())
    }

    /// The running process.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it was started")
    }

    /// The process ID of the running process.
    pub fn process_id(&self) -> nix::unistd::Pid {
        self.process.as_ref().expect("it was started").nix_pid()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process().kill();
    }

    /// Sends a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.process().signal(signal);
    }

    /// Runs `anyns ARGUMENTS` in the namespace, with the config and the control socket of this installation.
    pub fn command(&self, arguments: &[&str]) -> Said {
        let mut command = self.space.command(PROGRAM);
        command.args(arguments).arg("--config").arg(&self.config).arg("--socket").arg(&self.socket);
        said(&command.output().expect("the program runs"))
    }

    /// The same, and it must succeed.
    pub fn must(&self, arguments: &[&str]) -> String {
        let said = self.command(arguments);
        assert_eq!(said.code, 0, "anyns {arguments:?}: {}", said.text);
        said.text
    }

    /// The status document; `None` while it cannot be had.
    pub fn status(&self) -> Option<Value> {
        let mut command = self.space.command(PROGRAM);
        command.args(["status", "--json", "--config"]).arg(&self.config).arg("--socket").arg(&self.socket);
        of_a_running_one(&command.output().ok()?)
    }

    /// The status document, if it comes within a second: for a server of which a thread is frozen.
    pub fn status_soon(&self) -> Option<Value> {
        let mut command = self.space.command("timeout");
        command.args(["1", PROGRAM, "status", "--json", "--config"]);
        command.arg(&self.config).arg("--socket").arg(&self.socket);
        of_a_running_one(&command.output().ok()?)
    }

    /// Waits until the status document is as `wanted` says and returns it.
    pub fn wait_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let look = || {
                last = self.status()?;
                wanted(&last).then(|| last.clone())
            };
            wait_for(&format!("{}: {what}", self.name), BOUND, look).0
        }));
        outcome.unwrap_or_else(|panic| {
            eprintln!("---- the last status of {}: {last:#}", self.name);
            std::panic::resume_unwind(panic)
        })
    }

    /// Waits until every prefix is meant to be announced.
    pub fn wait_announces(&self) {
        self.wait_status("announces", |status| every_intent(status, "announce"));
    }

    /// Waits until the zone is in this state, at this serial where one is given.
    pub fn wait_zone(&self, zone: &str, state: &str, serial: Option<u64>) -> Value {
        self.wait_status(&format!("{zone} is {state} {serial:?}"), |status| {
            zone_status(status, zone).is_some_and(|found| {
                found["state"] == state && serial.is_none_or(|serial| found["serial"] == serial)
            })
        })
    }
}

/// Runs `anyns ARGUMENTS` where the test runs, in `directory`.
pub fn run_here(directory: &Path, arguments: &[&str]) -> Said {
    let mut command = std::process::Command::new(PROGRAM);
    said(&command.args(arguments).current_dir(directory).output().expect("the program runs"))
}

/// Whether there are prefixes and each is meant to be announced this way: `announce`, `deprefer` or `withdraw`.
pub fn every_intent(status: &Value, intent: &str) -> bool {
    let prefixes = status["prefixes"].as_array().map(Vec::as_slice).unwrap_or_default();
    !prefixes.is_empty() && prefixes.iter().all(|prefix| prefix["intent"] == intent)
}

/// The status of one zone, with or without the root's dot.
pub fn zone_status<'a>(status: &'a Value, zone: &str) -> Option<&'a Value> {
    let bare = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let zones = status["zones"].as_array()?;
    zones.iter().find(|found| found["name"].as_str().is_some_and(|name| bare(name) == bare(zone)))
}

/// The document of a server that answers; where none does, the document tells the errors.
fn of_a_running_one(output: &Output) -> Option<Value> {
    let document: Value = serde_json::from_slice(&output.stdout).ok()?;
    document.get("errors").is_none().then_some(document)
}

fn said(output: &Output) -> Said {
    let text =
        [&output.stdout, &output.stderr].map(|octets| String::from_utf8_lossy(octets).into_owned()).concat();
    Said { code: output.status.code().unwrap_or(-1), text }
}
