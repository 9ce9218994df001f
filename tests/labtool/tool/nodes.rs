//! A running lab: commands in its nodes, whatever they are made of.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::LabError;
use super::namespaces::Namespaces;
use super::topology::Topology;
use crate::support::lab::Space;

/// A running lab.
pub struct RunningLab {
    /// What it is made from.
    pub topology: Topology,
    runtime: Runtime,
}

enum Runtime {
    /// Network namespaces of ours.
    Namespaces(Namespaces),
    /// Containers that `containerlab deploy` has made.
    Containers,
}

impl RunningLab {
    /// Builds the lab from network namespaces; `anyns` is the program under test.
    pub fn up(topology: Topology, anyns: &Path) -> Result<Self, LabError> {
        let namespaces = Namespaces::up(&topology, anyns)?;
        Ok(Self { topology, runtime: Runtime::Namespaces(namespaces) })
    }

    /// The lab of namespaces that runs under the topology's name.
    pub fn attach(topology: Topology) -> Result<Self, LabError> {
        let namespaces = Namespaces::attach(&topology)?;
        Ok(Self { topology, runtime: Runtime::Namespaces(namespaces) })
    }

    /// The lab that containerlab has deployed from the same file.
    pub fn containers(topology: Topology) -> Result<Self, LabError> {
        let lab = Self { topology, runtime: Runtime::Containers };
        lab.check()?;
        Ok(lab)
    }

    /// Whether every node is there.
    pub fn check(&self) -> Result<(), LabError> {
        match &self.runtime {
            Runtime::Namespaces(namespaces) => namespaces.check(),
            Runtime::Containers => {
                let is_missing =
                    |node: &&String| !Path::new("/run/netns").join(self.container(node)).exists();
                match self.topology.nodes.keys().find(is_missing) {
                    None => Ok(()),
                    Some(node) => Err(LabError::NotDeployed {
                        name: self.topology.name.clone(),
                        node: self.container(node),
                    }),
                }
            }
        }
    }

    /// What it is made of, for results.
    pub fn runtime(&self) -> &'static str {
        match self.runtime {
            Runtime::Namespaces(_) => "namespaces",
            Runtime::Containers => "containerlab",
        }
    }

    /// The network namespace of a node.
    pub fn space(&self, node: &str) -> Space {
        match &self.runtime {
            Runtime::Namespaces(namespaces) => Space::existing(namespaces.space(node)),
            Runtime::Containers => Space::existing(self.container(node)),
        }
    }

    /// Runs a command in a node and returns what it printed.
    pub fn run(&self, node: &str, arguments: &[&str]) -> Result<String, LabError> {
        run(&mut self.command(node, arguments)?, "")
    }

    /// The same with text for its standard input.
    pub fn run_with_input(&self, node: &str, arguments: &[&str], input: &str) -> Result<String, LabError> {
        run(&mut self.command(node, arguments)?, input)
    }

    /// A command in a node, whose exit status may say something.
    pub fn command(&self, node: &str, arguments: &[&str]) -> Result<Command, LabError> {
        match &self.runtime {
            Runtime::Namespaces(namespaces) => namespaces.command(self.topology.node(node)?, node, arguments),
            Runtime::Containers => {
                self.topology.node(node)?;
                let mut command = Command::new("docker");
                command.args(["exec", "-i", &self.container(node)]).args(arguments);
                Ok(command)
            }
        }
    }

    fn container(&self, node: &str) -> String {
        format!("clab-{}-{node}", self.topology.name)
    }
}

/// Runs a command to its end; its standard output, or a fault with all that it printed.
pub fn run(command: &mut Command, input: &str) -> Result<String, LabError> {
    let line = || {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    };
    let line = line();
    let start = |source| LabError::Start { program: line.clone(), source };
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().map_err(start)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that reads nothing closes its end.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(start)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let output = format!("{}: {} {}", output.status, text.trim(), errors.trim());
    Err(LabError::Failed { command: line, output })
}
