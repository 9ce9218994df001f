//! A lab: network namespaces joined by veth pairs, programs in them, everything gone when it is dropped.
//!
//! A namespace is named `anyns-PID-N-NAME` (PID of the test process, N from a counter), so labs of one or of several
//! checkouts run side by side. Interfaces are made inside the namespaces and never stand in the host's own. A
//! program in a namespace dies with the thread that started it, even when that is killed (PR_SET_PDEATHSIG); the
//! namespaces that a killed run left behind are cleared by the next run.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};

use super::process::{Process, must};

const PREFIX: &str = "anyns-";

static COUNTER: AtomicU32 = AtomicU32::new(0);
static CLEARED: Once = Once::new();

/// Some namespaces and a directory; removed when dropped. Start processes after it, so that they are dropped before.
pub struct Lab {
    number: u32,
    spaces: Vec<Space>,
    directory: tempfile::TempDir,
}

/// One network namespace; a handle, the [`Lab`] removes it.
#[derive(Clone, Debug)]
pub struct Space {
    name: String,
}

/// One end of a link: the interface's name and its addresses with prefix lengths.
pub type End<'a> = (&'a Space, &'a str, &'a [&'a str]);

impl Lab {
    /// An empty lab; clears what dead runs left behind first.
    pub fn new() -> Self {
        CLEARED.call_once(clear_dead);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let directory = tempfile::tempdir().expect("a directory for the lab");
        Self { number, spaces: Vec::new(), directory }
    }

    /// A new namespace with loopback up and forwarding off.
    pub fn space(&mut self, name: &str) -> Space {
        let space = Space { name: format!("{PREFIX}{}-{}-{name}", std::process::id(), self.number) };
        must(Command::new("ip").args(["netns", "add", &space.name]));
        self.spaces.push(space.clone());
        space.ip(&["link", "set", "dev", "lo", "up"]);
        // A lab's addresses are usable at once: duplicate address detection would delay IPv6 by a second.
        space.sysctl("net.ipv6.conf.all.accept_dad=0");
        space.sysctl("net.ipv6.conf.default.accept_dad=0");
        space
    }

    /// Joins two namespaces with a veth pair.
    pub fn link(&self, one: End<'_>, other: End<'_>) {
        let (first, second) = (one.0.name.as_str(), other.0.name.as_str());
        must(
            Command::new("ip")
                .args(["link", "add", one.1, "netns", first, "type", "veth"])
                .args(["peer", "name", other.1, "netns", second]),
        );
        for (space, interface, addresses) in [one, other] {
            for address in addresses {
                space.ip(&["address", "add", address, "dev", interface]);
            }
            space.ip(&["link", "set", "dev", interface, "up"]);
        }
    }

    /// The lab's own directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A new directory of this name in the lab's directory.
    pub fn subdirectory(&self, name: &str) -> PathBuf {
        let path = self.directory().join(name);
        std::fs::create_dir_all(&path).expect("a directory in the lab");
        path
    }

    /// Starts a program in a namespace; its log is `NAME.log` in the lab's directory.
    pub fn start(&self, space: &Space, name: &str, program: &str, arguments: &[&str]) -> Process {
        Process::start(name, self.program(space, program, arguments), self.log_file(name))
    }

    /// The command that [`Lab::start`] runs: in the namespace, in the lab's directory, gone with the thread that starts it.
    pub fn program(&self, space: &Space, program: &str, arguments: &[&str]) -> Command {
        let mut command = space.command("setpriv");
        command.args(["--pdeathsig", "KILL", program]).args(arguments).current_dir(self.directory());
        command
    }

    /// Where the outputs of the program of this name go.
    pub fn log_file(&self, name: &str) -> PathBuf {
        self.directory().join(format!("{name}.log"))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for space in &self.spaces {
            remove(&space.name);
        }
    }
}

impl Space {
    /// A namespace that somebody else has made and will remove.
    pub fn existing(name: String) -> Self {
        Self { name }
    }

    /// The namespace's name for `ip netns`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run in this namespace; the process ID stays the program's own, because `ip` executes it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs `ip` on this namespace and returns what it printed; panics when it fails.
    pub fn ip(&self, arguments: &[&str]) -> String {
        must(Command::new("ip").args(["-n", &self.name]).args(arguments))
    }

    /// Sets a kernel parameter of this namespace, as `name=value`.
    pub fn sysctl(&self, setting: &str) {
        must(self.command("sysctl").args(["-q", "-w", setting]));
    }

    /// Moves the calling thread, and only it, into this namespace.
    pub fn enter(&self) {
        let file = File::open(Path::new("/run/netns").join(&self.name)).expect("the namespace is there");
        setns(file, CloneFlags::CLONE_NEWNET).expect("the thread may enter the namespace");
    }

    /// Runs `work` on a thread inside this namespace and returns what it gives.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.enter();
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// The kernel's route to exactly this prefix, as `ip` prints it; `None` when there is none.
    pub fn route(&self, prefix: &str) -> Option<String> {
        let family = if prefix.contains(':') { "-6" } else { "-4" };
        let routes =
            must(Command::new("ip").args([family, "-n", &self.name, "route", "show", "exact", prefix]));
        let first = routes.lines().next().map(str::trim);
        first.filter(|line| !line.is_empty()).map(str::to_owned)
    }
}

/// Removes the namespaces of test processes that are dead, and what still runs in them.
fn clear_dead() {
    let listed = must(Command::new("ip").args(["netns", "list"]));
    for name in listed.lines().filter_map(|line| line.split_whitespace().next()) {
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let Some(pid) = owner.and_then(|pid| pid.parse::<u32>().ok()) else { continue };
        if !Path::new("/proc").join(pid.to_string()).exists() {
            remove(name);
        }
    }
}

/// Ends the processes of one of our namespaces, each by its process ID, and removes it. Another run may be doing the
/// same: a failure is no fault.
fn remove(name: &str) {
    let listed = Command::new("ip").args(["netns", "pids", name]).output();
    let pids = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    for pid in pids.split_whitespace() {
        let _ = Command::new("kill").args(["-KILL", pid]).output();
    }
    let _ = Command::new("ip").args(["netns", "del", name]).output();
}
