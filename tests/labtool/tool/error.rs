//! What can go wrong in the lab.

use std::path::PathBuf;

/// A fault of the lab itself, or of its use.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A file or a directory.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The topology file is no YAML, or not what the tool reads.
    #[error("{path}: {message}")]
    Topology {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// A zone file that cannot be deployed.
    #[error("{path}: {message}")]
    Zone {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// A program that cannot be started.
    #[error("{program} cannot be run: {source}; `tests/run` installs what the lab needs")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A command that failed.
    #[error("{command}: {output}")]
    Failed {
        /// The command line.
        command: String,
        /// What it printed.
        output: String,
    },
    /// A name that the topology does not have.
    #[error("no {kind} is called {name}; there are: {known}")]
    Unknown {
        /// POP, node, scenario.
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The lab does not run.
    #[error("the lab does not run: start it with `up`")]
    Down,
    /// The lab runs already, and `up` takes nothing away.
    #[error("the lab {name} is there already, made from {topology}: take it away with `down` first")]
    Running {
        /// Its name.
        name: String,
        /// The topology file.
        topology: String,
    },
    /// Another process builds or removes it.
    #[error("another `up` or `down` of the lab {name} is under way")]
    Busy {
        /// Its name.
        name: String,
    },
    /// It is not the lab that the topology file describes.
    #[error(
        "the lab {name} has no node {node}: an `up` did not come to its end, or the topology file is another one; `down` takes it away"
    )]
    Incomplete {
        /// The lab.
        name: String,
        /// A node that is missing.
        node: String,
    },
    /// The first process of a node has ended, and with it the node.
    #[error("the node {node} has ended; the end of its log:\n{log}")]
    Ended {
        /// The node.
        node: String,
        /// What it said last.
        log: String,
    },
    /// Containerlab has not deployed it.
    #[error(
        "containerlab has not deployed {name}, for {node} is missing: `clab deploy` does that (beside the topology file)"
    )]
    NotDeployed {
        /// The lab.
        name: String,
        /// A node that is missing.
        node: String,
    },
    /// A name that no lab can have.
    #[error("{name:?} cannot be the name of a lab of namespaces: letters, digits, - and _, without -lab")]
    Name {
        /// The name.
        name: String,
    },
    /// Which lab is meant, no topology file says.
    #[error("several labs run: {names}; say which one, `down NAME`")]
    Several {
        /// All of them.
        names: String,
    },
    /// A signal came while the lab was built.
    #[error("interrupted; what was built is removed")]
    Interrupted,
    /// The lab is built but not whole, and stays.
    #[error("{cause}\nThe lab stays, so that you can look: the logs are in {logs}; `down` takes it away")]
    NotWhole {
        /// What is missing.
        cause: Box<LabError>,
        /// The logs of its nodes.
        logs: PathBuf,
    },
    /// Something did not happen in time.
    #[error("waited {seconds} s in vain: {what}")]
    Late {
        /// For what.
        what: String,
        /// How long.
        seconds: u64,
    },
}

/// A fault of a file.
pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> LabError {
    let path = path.into();
    move |source| LabError::File { path, source }
}

/// A name that is not known, with what is.
pub fn unknown<'a>(kind: &'static str, name: &str, known: impl Iterator<Item = &'a str>) -> LabError {
    LabError::Unknown { kind, name: name.to_owned(), known: known.collect::<Vec<_>>().join(" ") }
}
