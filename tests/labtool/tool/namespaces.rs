//! The lab from network namespaces: a node is a network, mount, UTS, IPC and process namespace; links are veth pairs.
//!
//! A node's first process is the entrypoint of the topology file, as in a container, over the host's own programs: private
//! `/run`, `/etc/frr`, `/var/lib` and `/var/tmp`, the topology's folder read-only at `/run/lab`. When that process ends, the kernel
//! ends all others of the node and takes the mounts away; so `down` kills one process for each node, by its ID.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::error::{LabError, file};
use super::nodes::run;
use super::topology::{Node, Topology};
use crate::support::wait::looked_for;

/// Where labs keep what they must know after the tool has ended: node processes and logs.
const STATE: &str = "/run/anyns-lab";

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
    /// Builds all of it; what an earlier lab of this name left is removed first.
    pub fn up(topology: &Topology, name: &str, anyns: &Path) -> Result<Self, LabError> {
        down(name)?;
        let anyns = anyns.canonicalize().map_err(file(anyns))?;
        let state = state(name);
        std::fs::create_dir_all(&state).map_err(file(&state))?;
        let mut lab = Self { name: name.to_owned(), nodes: BTreeMap::new() };
        let built = lab.build(topology, &anyns);
        if let Err(error) = built {
            // The first fault is the one to tell.
            let _ = down(name);
            return Err(error);
        }
        Ok(lab)
    }

    /// What runs under this name.
    pub fn attach(name: &str) -> Result<Self, LabError> {
        let listed = std::fs::read_to_string(state(name).join("nodes")).map_err(|_| LabError::Down)?;
        let nodes = listed.lines().filter_map(|line| {
            let (node, process) = line.split_once(' ')?;
            Some((node.to_owned(), process.parse().ok()?))
        });
        Ok(Self { name: name.to_owned(), nodes: nodes.collect() })
    }

    /// The name of a node's network namespace.
    pub fn space(&self, node: &str) -> String {
        space(&self.name, node)
    }

    /// A command in all namespaces of a node, with its environment.
    pub fn command(&self, topology: &Topology, node: &str, arguments: &[&str]) -> Result<Command, LabError> {
        let process = self.nodes.get(node).ok_or(LabError::Down)?;
        let mut command = Command::new("nsenter");
        command.args(["--target", &process.to_string(), "--all"]).args(arguments);
        if let Some(node) = topology.nodes.get(node) {
            environment(&mut command, node);
        }
        Ok(command)
    }

    fn build(&mut self, topology: &Topology, anyns: &Path) -> Result<(), LabError> {
        for (name, node) in &topology.nodes {
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
            let process = self.start(topology, name, node, anyns)?;
            listed.push_str(&format!("{name} {process}\n"));
            self.nodes.insert(name.clone(), process);
            // After each, so that `down` finds them whatever comes next.
            let path = state(&self.name).join("nodes");
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
        let child = command.spawn().map_err(|source| LabError::Start { program: "ip".into(), source })?;
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let first = || std::fs::read_to_string(&children).ok()?.split_whitespace().next()?.parse().ok();
        let late = || LabError::Late {
            what: format!("{name} starts; see {}", path.display()),
            seconds: MOMENT.as_secs(),
        };
        looked_for(MOMENT, first).ok_or_else(late)
    }
}

/// Removes a lab: its processes, namespaces, and what was kept of it. A lab that is not there is no fault.
pub fn down(name: &str) -> Result<(), LabError> {
    let prefix = space(name, "");
    let spaces = ip(&["netns", "list"])?;
    let ours: Vec<&str> = spaces
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|space| space.starts_with(&prefix))
        .collect();
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

/// Removes the labs of this prefix whose owner, the process with the ID that follows, is dead.
pub fn clear_dead(prefix: &str) -> Result<(), LabError> {
    let entries = std::fs::read_dir(STATE).into_iter().flatten().flatten();
    let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    for name in names {
        let owner = name.strip_prefix(prefix).and_then(|rest| rest.parse::<u32>().ok());
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
    format!("{lab}-lab-{node}")
}

fn state(name: &str) -> PathBuf {
    Path::new(STATE).join(name)
}

fn ip(arguments: &[&str]) -> Result<String, LabError> {
    run(Command::new("ip").args(arguments), "")
}
