//! The lab tool as a process: what it refuses, what it says, what it leaves.
//!
//! The labs here are two nodes that sleep and never become whole: enough for what the tool does before and after.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use clap::Parser as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Removed;
use crate::support::anyns::PROGRAM;
use crate::support::process::must;
use crate::support::skip::{has_programs, skip};
use crate::support::wait::wait_for;
use crate::tool::error::LabError;
use crate::tool::nodes::RunningLab;
use crate::tool::orders::{Arguments, run};
use crate::tool::topology::Topology;
use crate::tool::{latency, namespaces};

/// The command line of the tool for [`the_tool_itself`], a word in each line.
const WORDS: &str = "ANYNS_LAB_WORDS";

/// How long the tool may take for anything here; less than a lab may take to become whole.
const BOUND: Duration = Duration::from_secs(30);

/// The tool, if a test has started this program as the tool: examples are not built for tests.
#[test]
fn the_tool_itself() {
    if let Ok(words) = std::env::var(WORDS) {
        let arguments = Arguments::parse_from(std::iter::once("lab").chain(words.lines()));
        std::process::exit(run(&arguments).into());
    }
}

/// The command that runs the tool with these arguments.
pub(crate) fn lab(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "orders::the_tool_itself", "--nocapture"]).env(WORDS, arguments.join("\n"));
    command
}

/// A topology file of a small lab; the lab and the file go when it is dropped.
struct Small {
    topology: String,
    name: String,
    _removed: Removed,
    directory: tempfile::TempDir,
}

impl Small {
    /// Two nodes that run `entrypoint`, and links with these latencies; `None` where no namespaces can be made.
    fn new(entrypoint: &str, latencies: &[&str]) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !has_programs("the lab tool", &["ip", "nsenter", "unshare", "sysctl"]) {
            return None;
        }
        namespaces::clear_dead().unwrap_or_else(|error| panic!("{error}"));
        let number = NEXT.fetch_add(1, Relaxed);
        let name = format!("{}{}-{number}", namespaces::OF_TESTS, std::process::id());
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("small.yml");
        let links: String = latencies
            .iter()
            .enumerate()
            .map(|(link, latency)| {
                let eth = format!("eth{}", link + 1);
                format!("    - endpoints: [\"a:{eth}\", \"b:{eth}\"]\n      vars: {{ latency: {latency} }}\n")
            })
            .collect();
        let text = format!(
            "name: {name}\ntopology:\n  defaults:\n    entrypoint: {entrypoint}\n    sysctls: {{ net.ipv4.ip_forward: 0 }}\n\
             \x20 nodes:\n    a: {{ labels: {{ role: client, pop: x }} }}\n    b: {{ labels: {{ role: hub }} }}\n  links:\n\
             \x20   - endpoints: [\"a:eth0\", \"b:eth0\"]\n{links}"
        );
        std::fs::write(&path, text).expect("written");
        let topology = path.to_string_lossy().into_owned();
        Some(Self { topology, _removed: Removed(name.clone()), name, directory })
    }

    /// The command of the tool with this topology and the server under test.
    fn lab(&self, arguments: &[&str]) -> Command {
        self.lab_with(PROGRAM, arguments)
    }

    fn lab_with(&self, anyns: &str, arguments: &[&str]) -> Command {
        lab(&[&["--topology", &self.topology, "--anyns", anyns], arguments].concat())
    }

    /// Runs it to its end.
    fn said(&self, arguments: &[&str]) -> Output {
        self.lab(arguments).output().expect("the tool runs")
    }

    fn read(&self) -> Topology {
        Topology::read(Path::new(&self.topology)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Builds it, in this process.
    fn up(&self) -> RunningLab {
        RunningLab::up(self.read(), Path::new(PROGRAM)).unwrap_or_else(|error| panic!("{error}"))
    }

    fn nodes(&self) -> PathBuf {
        namespaces::logs(&self.name).join("nodes")
    }

    fn assert_nothing_stays(&self) {
        let listed = must(Command::new("ip").args(["netns", "list"]));
        assert!(!listed.contains(&self.name), "namespaces stay: {listed}");
        let state = namespaces::logs(&self.name);
        assert!(!state.exists(), "{} stays", state.display());
    }
}

/// The tool fails with status 1 and says all of these words.
fn assert_fails(output: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(words.iter().all(|word| text.contains(word)), "{words:?} in {text}");
}

#[test]
fn up_leaves_a_running_lab_alone() {
    let Some(small) = Small::new("sleep 3600", &[]) else { return };
    // The arguments are looked at first.
    let wrong = small.lab_with("/nowhere/anyns", &["up"]).output().expect("the tool runs");
    assert_fails(&wrong, &["/nowhere/anyns"]);
    small.assert_nothing_stays();
    let running = small.up();
    let before = std::fs::read_to_string(small.nodes()).expect("the nodes");
    assert_fails(&small.said(&["up"]), &["is there already", &small.topology, "`down`"]);
    assert_eq!(std::fs::read_to_string(small.nodes()).expect("the nodes"), before);
    running.check().unwrap_or_else(|error| panic!("{error}"));
    must(&mut small.lab(&["down"]));
    small.assert_nothing_stays();
}

/// Of two orders to build the same lab one is refused; the other one stops at a signal and takes away what it has built.
#[test]
fn one_up_at_a_time_and_a_signal_ends_it() {
    let Some(small) = Small::new("sleep 3600", &[]) else { return };
    let start = || {
        let mut up = small.lab(&["up"]);
        up.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the tool starts")
    };
    let mut both = vec![start(), start()];
    let (refused, _) = wait_for("one is refused", BOUND, || {
        both.iter_mut().position(|up| up.try_wait().expect("a child can be waited for").is_some())
    });
    let refused = both.remove(refused).wait_with_output().expect("it has ended");
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("is there already") || text.contains("is under way"), "{text}");
    let is_built = || std::fs::read_to_string(small.nodes()).is_ok_and(|nodes| nodes.lines().count() == 2);
    wait_for("the other one builds", BOUND, || is_built().then_some(()));
    let other = both.remove(0);
    // As a Ctrl-C at the terminal: to all of its group.
    kill(Pid::from_raw(-i32::try_from(other.id()).expect("an ID")), Signal::SIGINT).expect("signalled");
    let other = other.wait_with_output().expect("it ends");
    assert_fails(&other, &["interrupted; what was built is removed"]);
    small.assert_nothing_stays();
}

#[test]
fn an_order_for_a_node_that_is_not_there_says_so() {
    let Some(small) = Small::new("sleep 3600", &[]) else { return };
    assert_fails(&small.said(&["exec", "a", "true"]), &["the lab does not run", "`up`"]);
    let _running = small.up();
    assert!(small.said(&["exec", "a", "true"]).status.success());
    assert_eq!(small.said(&["exec", "b", "sh", "-c", "exit 7"]).status.code(), Some(7));
    assert_fails(&small.said(&["exec", "c", "true"]), &["no node is called c", "there are: a b"]);
    // As an `up` leaves it that was killed.
    let nodes = std::fs::read_to_string(small.nodes()).expect("the nodes");
    std::fs::write(small.nodes(), nodes.lines().next().expect("a node").to_owned() + "\n").expect("written");
    assert_fails(&small.said(&["exec", "a", "true"]), &["has no node b", "`down`"]);
    std::fs::remove_file(small.nodes()).expect("removed");
    assert_fails(&small.said(&["exec", "a", "true"]), &["has no node a", "`down`"]);
    must(&mut small.lab(&["down"]));
    small.assert_nothing_stays();
}

/// The first process of a node may be gone, and its ID that of another process: no command goes there.
#[test]
fn a_command_reaches_no_other_process_than_the_node() {
    let Some(small) = Small::new("sleep 3600", &[]) else { return };
    let _running = small.up();
    let own = format!("a {0}\nb {0}\n", std::process::id());
    std::fs::write(small.nodes(), own).expect("written");
    assert_fails(&small.said(&["exec", "a", "true"]), &["the node a has ended"]);
}

#[test]
fn down_needs_no_topology_file() {
    let Some(small) = Small::new("sleep 3600", &[]) else { return };
    let _running = small.up();
    std::fs::write(&small.topology, "topology: [").expect("written");
    must(&mut small.lab(&["down", &small.name]));
    small.assert_nothing_stays();
    // Without a name: the only one that people have built.
    assert!(!namespaces::names().contains(&small.name));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    assert_eq!(namespaces::the_only(&names(&[])).expect("none"), None);
    assert_eq!(namespaces::the_only(&names(&["one"])).expect("one"), Some("one"));
    let two = names(&["one", "two"]);
    assert!(matches!(namespaces::the_only(&two), Err(LabError::Several { names }) if names == "one two"));
    assert_fails(&small.said(&["down", "../etc"]), &["cannot be the name of a lab"]);
}

#[test]
fn up_tells_what_a_node_said_last() {
    let Some(small) = Small::new("/nowhere/program", &[]) else { return };
    assert_fails(&small.said(&["up"]), &["the node ", " has ended", "/nowhere/program: not found"]);
    must(&mut small.lab(&["down"]));
    small.assert_nothing_stays();
}

#[test]
fn a_lab_that_does_not_become_whole_stays_and_up_says_so() {
    let Some(small) = Small::new("sleep 3600", &[]) else { return };
    let up =
        small.lab(&["up"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the tool starts");
    let node = || {
        let nodes = std::fs::read_to_string(small.nodes()).ok()?;
        nodes.lines().find_map(|line| line.strip_prefix("b ")?.parse::<i32>().ok())
    };
    let (process, _) = wait_for("both nodes run", BOUND, node);
    kill(Pid::from_raw(process), Signal::SIGKILL).expect("killed");
    let said = up.wait_with_output().expect("it ends");
    let logs = namespaces::logs(&small.name).display().to_string();
    assert_fails(&said, &["the node b has ended", "The lab stays", &logs, "`down` takes it away"]);
    assert!(small.nodes().exists(), "it stays");
    assert!(small.said(&["exec", "a", "true"]).status.success());
    must(&mut small.lab(&["down"]));
    small.assert_nothing_stays();
}

#[test]
fn containers_that_are_not_deployed_are_a_fault() {
    let Some(small) = Small::new("sleep 3600", &[]) else { return };
    for order in ["up", "map", "status", "mend"] {
        let said = small.said(&["--containers", order]);
        assert_fails(&said, &["containerlab has not deployed", "`clab deploy`"]);
        assert!(!String::from_utf8_lossy(&said.stdout).contains("(no answer)"), "{order} prints a table");
    }
    // It runs the script beside the topology file, and there is none.
    let script = small.directory.path().join("clab").display().to_string();
    assert_fails(&small.said(&["--containers", "down"]), &[&script]);
}

#[test]
fn a_latency_that_cannot_be_is_told_and_undone() {
    let Some(wrong) = Small::new("sleep 3600", &["40xs"]) else { return };
    let message = latency::set(&wrong.up()).expect("a message");
    assert!(message.contains("no latency") && message.contains("Illegal \"latency\""), "{message}");
    let Some(partly) = Small::new("sleep 3600", &["1ms", "40xs"]) else { return };
    let lab = partly.up();
    let message = latency::set(&lab).expect("a message");
    if message.contains("no netem") {
        return skip("undoing latencies", "this kernel has no netem");
    }
    assert!(message.contains("Illegal \"latency\""), "{message}");
    for node in ["a", "b"] {
        let queues = lab.run(node, &["tc", "qdisc", "show"]).unwrap_or_else(|error| panic!("{error}"));
        assert!(!queues.contains("netem"), "{node}: {queues}");
    }
}
