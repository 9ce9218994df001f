//! The lab from network namespaces: a node is a network, mount, UTS, IPC and process namespace; links are veth pairs.
//!
//! A node's first process is the entrypoint of the topology file, as in a container, over the host's own programs: private
//! `/run`, `/etc/frr`, `/var/lib` and `/var/tmp`, the topology's folder read-only at `/run/lab`. When that process ends, the kernel
//! ends all others of the node and takes the mounts away; so `down` kills one process for each node, by its ID.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::error::{LabError, file};
use super::interrupt;
use super::nodes::run;
use super::topology::{Node, Topology};
use crate::support::wait::looked_for;

/// Where labs keep what they must know after the tool has ended: node processes and logs.
const STATE: &str = "/run/anyns-lab";
/// There, in the folder of a lab: the nodes with their first processes.
const NODES: &str = "nodes";
/// There: the path of the topology file.
const TOPOLOGY: &str = "topology";

/// Stands between the names of lab and node in the name of a namespace.
const MARK: &str = "-lab";

/// The start of the names of labs that tests build; the process ID of the test follows.
pub const OF_TESTS: &str = "test-";

/// How much of a node's log a fault tells.
const SHOWN_LINES: usize = 15;

/// How long a node may take to start its first process.
const MOMENT: Duration = Duration::from_secs(10);

/// How long all nodes together may take to end: some 20, which the kernel takes apart one after the other.
const MOST_TO_END: Duration = Duration::from_secs(60);

/// What a node's mounts need before its first process; `$1` the folder, `$2` the program, the rest the entrypoint.
const SETUP: &str = r#"
set -e
folder=$1 program=$2
shift 2
hostname "$NODE"
mount -t tmpfs -o mode=0755 lab /run
mkdir -p /run/lab /run/lab-bin /run/lock
mount --bind "$folder" /run/lab
mount -o remount,bind,ro /run/lab
touch /run/lab-bin/anyns
mount --bind "$program" /run/lab-bin/anyns
for directory in /etc/frr /var/lib /var/tmp; do
    [ ! -d "$directory" ] || mount -t tmpfs -o mode=1777 lab "$directory"
done
exec "$@"
"#;

/// A lab of namespaces that runs.
pub struct Namespaces {
    name: String,
    /// The first process of each node, as this host sees it.
    nodes: BTreeMap<String, i32>,
}

impl Namespaces {
    /// Builds all of it, under the topology's name. Nothing is taken away: a lab of that name must be removed first.
    pub fn up(topology: &Topology, anyns: &Path) -> Result<Self, LabError> {
        let name = checked_name(&topology.name)?;
        let anyns = anyns.canonicalize().map_err(file(anyns))?;
        let _turn = take_turn(name)?;
        let state = state(name);
        if state.exists() || !spaces(name)?.is_empty() {
            let from = std::fs::read_to_string(state.join(TOPOLOGY));
            let topology = from.unwrap_or_else(|_| "a file that is not known any more".into());
            return Err(LabError::Running { name: name.to_owned(), topology });
        }
        std::fs::create_dir_all(&state).map_err(file(&state))?;
        let mut lab = Self { name: name.to_owned(), nodes: BTreeMap::new() };
        let built = lab.build(topology, &anyns);
        if let Err(error) = built {
            // The first fault is the one to tell.
            let _ = remove(name);
            // A signal reaches the programs that build, too: their failure says nothing.
            interrupt::check()?;
            return Err(error);
        }
        Ok(lab)
    }

    /// What runs under the topology's name.
    pub fn attach(topology: &Topology) -> Result<Self, LabError> {
        let name = &topology.name;
        if !state(name).exists() {
            return Err(LabError::Down);
        }
        let listed = std::fs::read_to_string(state(name).join(NODES)).unwrap_or_default();
        let nodes = listed.lines().filter_map(|line| {
            let (node, process) = line.split_once(' ')?;
            Some((node.to_owned(), process.parse().ok()?))
        });
        let lab = Self { name: name.clone(), nodes: nodes.collect() };
        match topology.nodes.keys().find(|node| !lab.nodes.contains_key(*node)) {
            Some(node) => Err(LabError::Incomplete { name: name.clone(), node: node.clone() }),
            None => Ok(lab),
        }
    }

    /// Whether every node is there.
    pub fn check(&self) -> Result<(), LabError> {
        self.nodes.iter().try_for_each(|(node, process)| self.check_node(node, *process))
    }

    /// The name of a node's network namespace.
    pub fn space(&self, node: &str) -> String {
        space(&self.name, node)
    }

    /// A command in all namespaces of a node, with its environment.
    pub fn command(&self, node: &Node, name: &str, arguments: &[&str]) -> Result<Command, LabError> {
        let missing = || LabError::Incomplete { name: self.name.clone(), node: name.to_owned() };
        let process = *self.nodes.get(name).ok_or_else(missing)?;
        self.check_node(name, process)?;
        let mut command = Command::new("nsenter");
        command.args(["--target", &process.to_string(), "--all"]).args(arguments);
        environment(&mut command, node);
        Ok(command)
    }

    /// Whether the process with this ID is still the first one of the node. Another process of the host may have the ID by now, and a
    /// command must not reach that one's namespaces: a node that dies kills all that it sees.
    fn check_node(&self, node: &str, process: i32) -> Result<(), LabError> {
        let identity = |path: &Path| std::fs::metadata(path).ok().map(|space| (space.dev(), space.ino()));
        let own = identity(&Path::new("/run/netns").join(self.space(node)));
        let its = identity(&Path::new("/proc").join(process.to_string()).join("ns/net"));
        match own.is_some() && own == its {
            true => Ok(()),
            false => Err(LabError::Ended { node: node.to_owned(), log: end_of_log(&self.name, node) }),
        }
    }

    fn build(&mut self, topology: &Topology, anyns: &Path) -> Result<(), LabError> {
        let path = state(&self.name).join(TOPOLOGY);
        std::fs::write(&path, topology.file.to_string_lossy().as_bytes()).map_err(file(path))?;
        for (name, node) in &topology.nodes {
            interrupt::check()?;
            let space = self.space(name);
            ip(&["netns", "add", &space])?;
            let settings = node.sysctls.iter().map(|(key, value)| format!("{key}={value}"));
            run(Command::new("ip").args(["netns", "exec", &space, "sysctl", "-q", "-w"]).args(settings), "")?;
        }
        for link in &topology.links {
            let [one, other] = &link.ends;
            let (first, second) = (self.space(&one.0), self.space(&other.0));
            let pair = ["link", "add", &one.1, "netns", &first, "type", "veth"];
            ip(&[&pair[..], &["peer", "name", &other.1, "netns", &second]].concat())?;
        }
        let mut listed = String::new();
        for (name, node) in &topology.nodes {
            interrupt::check()?;
            let process = self.start(topology, name, node, anyns)?;
            listed.push_str(&format!("{name} {process}\n"));
            self.nodes.insert(name.clone(), process);
            let path = state(&self.name).join(NODES);
            std::fs::write(&path, &listed).map_err(file(path))?;
        }
        Ok(())
    }

    /// Starts a node's first process and returns its ID.
    fn start(&self, topology: &Topology, name: &str, node: &Node, anyns: &Path) -> Result<i32, LabError> {
        let path = state(&self.name).join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(&path).map_err(file(&path))?;
        let errors = log.try_clone().map_err(file(&path))?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.space(name), "unshare"]);
        command.args(["--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]);
        command.args(["sh", "-c", SETUP, "lab"]).arg(&topology.folder).arg(anyns);
        command.args(node.entrypoint.split_whitespace()).env("NODE", name).current_dir("/");
        environment(&mut command, node);
        // A group of its own: a Ctrl-C at the tool's terminal is not for the nodes.
        command.process_group(0).stdin(Stdio::null()).stdout(log).stderr(errors);
        let start = |source| LabError::Start { program: "ip".into(), source };
        let mut child = command.spawn().map_err(start)?;
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let first = || {
            let has_ended = child.try_wait().is_ok_and(|status| status.is_some());
            let first =
                || std::fs::read_to_string(&children).ok()?.split_whitespace().next()?.parse::<i32>().ok();
            if has_ended { Some(None) } else { first().map(Some) }
        };
        // The logs go with the lab, so the fault has what they say.
        let ended = || LabError::Ended { node: name.to_owned(), log: end_of_log(&self.name, name) };
        looked_for(MOMENT, first).flatten().ok_or_else(ended)
    }
}

/// The last lines of a node's log.
pub fn end_of_log(lab: &str, node: &str) -> String {
    let text = std::fs::read(state(lab).join(format!("{node}.log"))).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let end: Vec<String> =
        lines[lines.len().saturating_sub(SHOWN_LINES)..].iter().map(|line| format!("  {line}")).collect();
    if end.is_empty() { "  (it is empty)".to_owned() } else { end.join("\n") }
}

/// The logs of a lab's nodes.
pub fn logs(name: &str) -> PathBuf {
    state(name)
}

/// The labs that are there; those of tests are not among them, the tests remove theirs.
pub fn names() -> Vec<String> {
    let mut names = all_names();
    names.retain(|name| !name.starts_with(OF_TESTS));
    names.sort();
    names
}

/// The lab that is meant where nobody says which.
pub fn the_only(names: &[String]) -> Result<Option<&str>, LabError> {
    match names {
        [] => Ok(None),
        [name] => Ok(Some(name)),
        several => Err(LabError::Several { names: several.join(" ") }),
    }
}

fn all_names() -> Vec<String> {
    let entries = std::fs::read_dir(STATE).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Removes a lab: its processes, namespaces, and what was kept of it. A lab that is not there is no fault.
pub fn down(name: &str) -> Result<(), LabError> {
    let name = checked_name(name)?;
    let _turn = take_turn(name)?;
    remove(name)
}

/// The name of a lab, if it can be one: a file's, and such that no namespace of another lab starts as this one's do.
fn checked_name(name: &str) -> Result<&str, LabError> {
    let is_good = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    match !name.is_empty() && name.chars().all(is_good) && !name.contains(MARK) {
        true => Ok(name),
        false => Err(LabError::Name { name: name.to_owned() }),
    }
}

/// One process at a time builds or removes a lab. An abstract socket: the kernel frees its name with the process, and no file stays.
fn take_turn(name: &str) -> Result<UnixListener, LabError> {
    let address = SocketAddr::from_abstract_name(format!("anyns-lab/{name}"));
    let listener = address.and_then(|address| UnixListener::bind_addr(&address));
    listener.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => LabError::Busy { name: name.to_owned() },
        _ => file(format!("the abstract socket anyns-lab/{name}"))(error),
    })
}

/// The namespaces of a lab.
fn spaces(name: &str) -> Result<Vec<String>, LabError> {
    let prefix = space(name, "");
    let listed = ip(&["netns", "list"])?;
    let names = listed.lines().filter_map(|line| line.split_whitespace().next());
    Ok(names.filter(|space| space.starts_with(&prefix)).map(str::to_owned).collect())
}

fn remove(name: &str) -> Result<(), LabError> {
    let ours = spaces(name)?;
    let gone = looked_for(MOST_TO_END, || {
        // All of them each time: a node whose processes take long to end leaves none of the others behind.
        let busy = ours.iter().filter(|space| end_processes(space) > 0).count();
        (busy == 0).then_some(())
    });
    let mut removed = Ok(());
    for space in &ours {
        removed = removed.and(ip(&["netns", "delete", space]).map(drop));
    }
    removed?;
    gone.ok_or_else(|| LabError::Late {
        what: format!("the processes of the lab {name} end"),
        seconds: MOST_TO_END.as_secs(),
    })?;
    let state = state(name);
    if state.exists() {
        std::fs::remove_dir_all(&state).map_err(file(&state))?;
    }
    // The folder of all labs goes with the last one.
    let _ = std::fs::remove_dir(STATE);
    Ok(())
}

/// Ends the processes of a namespace, each by its ID, and says how many there were. The first process of a node takes the others with it;
/// those that were started in the node from outside are ended here, too.
fn end_processes(space: &str) -> usize {
    let found = ip(&["netns", "pids", space]).unwrap_or_default();
    let processes: Vec<i32> = found.split_whitespace().filter_map(|id| id.parse().ok()).collect();
    for process in &processes {
        // It may have ended meanwhile.
        let _ = kill(Pid::from_raw(*process), Signal::SIGKILL);
    }
    processes.len()
}

/// Removes the labs of tests whose process, the ID of which is in the name, is dead.
pub fn clear_dead() -> Result<(), LabError> {
    for name in all_names() {
        let mut parts = name.strip_prefix(OF_TESTS).into_iter().flat_map(|rest| rest.split('-'));
        let owner = parts.next().and_then(|owner| owner.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner.to_string()).exists()) {
            down(&name)?;
        }
    }
    Ok(())
}

fn environment(command: &mut Command, node: &Node) {
    command.envs(&node.env);
    command.env("PATH", "/run/lab-bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}

fn space(lab: &str, node: &str) -> String {
    format!("{lab}{MARK}-{node}")
}

fn state(name: &str) -> PathBuf {
    Path::new(STATE).join(name)
}

fn ip(arguments: &[&str]) -> Result<String, LabError> {
    run(Command::new("ip").args(arguments), "")
}
