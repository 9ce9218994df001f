//! A program started by a test: its output kept, shown when the test fails, ended by its process ID.

use std::fs::File;
use std::io::PipeWriter;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::wait::wait_for;

/// How much of a log is shown when a test fails: the last lines say why, the rest would bury them.
const SHOWN_LINES: usize = 60;

/// A running program; killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both outputs going to `log`.
    pub fn start(name: &str, command: Command, log: PathBuf) -> Self {
        Self::start_with_stderr(name, command, log, None)
    }

    /// The same with an own standard error, where one is given.
    pub fn start_with_stderr(
        name: &str,
        mut command: Command,
        log: PathBuf,
        stderr: Option<PipeWriter>,
    ) -> Self {
        let file = File::options().create(true).append(true).open(&log).expect("the log file opens");
        let other = || file.try_clone().expect("a file can be cloned");
        let stderr = stderr.map_or_else(|| Stdio::from(other()), Stdio::from);
        let child = command.stdin(Stdio::null()).stdout(other()).stderr(stderr).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name: name.into(), child, log }
    }

    /// The process ID.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    pub fn output(&self) -> String {
        read(&self.log)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        signal::kill(self.nix_pid(), signal).expect("the process can be signalled");
    }

    /// Its exit status, if it ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Waits until it ends by itself.
    pub fn wait_end(&mut self, bound: Duration) -> ExitStatus {
        wait_for(&format!("{} ends", self.name.clone()), bound, || self.ended()).0
    }

    /// SIGKILL, and waits until the kernel has taken the process away.
    pub fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The same for system calls.
    pub fn nix_pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process ID fits"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- {} printed (last {SHOWN_LINES} lines):\n{}", self.name, tail(&self.output()));
        }
    }
}

/// Runs a command to its end; panics with its output when it fails.
pub fn must(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}{errors}", output.status);
    text
}

/// A file as text; empty when it is not there.
pub fn read(path: &Path) -> String {
    std::fs::read(path).map(|octets| String::from_utf8_lossy(&octets).into_owned()).unwrap_or_default()
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(SHOWN_LINES);
    lines.get(first..).unwrap_or_default().join("\n")
}
