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
