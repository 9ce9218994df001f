//! What can be wrong with a zone or with a source, named; the text is for the operator.

use std::path::PathBuf;
use std::sync::Arc;

use crate::wire::{Name, NameError, Serial};

use super::accept::Refused;
use super::text::ReadError;

/// What is wrong with one zone. Whatever it is, a version that is served goes on being served.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// The file is gone; the zone stays in service until `remove`.
    #[error("{path} is gone; the zone stays in service until it is removed by command")]
    Vanished {
        /// Where it was.
        path: PathBuf,
    },
    /// There is no file where the config says.
    #[error("there is no file {path}")]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file cannot be looked at.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
    /// Something else than a regular file has the name of a zone file.
    #[error("{path} is {kind}; a zone file must be a regular file")]
    NotRegular {
        /// The path.
        path: PathBuf,
        /// What it is, as in "a FIFO".
        kind: &'static str,
    },
    /// Two files for one zone: neither is taken.
    #[error("two files for one zone: {} and {}; leave one", paths[0].display(), paths[1].display())]
    TwoFiles {
        /// The first two.
        paths: [PathBuf; 2],
    },
    /// Somebody has the file open for writing; it will be read when it is closed.
    #[error("{path} is being written; it will be read once its writer has closed it")]
    BeingWritten {
        /// The file.
        path: PathBuf,
    },
    /// The file changed whenever it was read.
    #[error("{path} changed while it was read, {attempts} times; it will be read again")]
    Unstable {
        /// The file.
        path: PathBuf,
        /// How often it was tried.
        attempts: u32,
    },
    /// The file is no zone; says file, line and column.
    #[error("{0}")]
    Bad(Arc<ReadError>),
    /// The version may not replace the one in service.
    #[error("{path}: {refused}")]
    Refused {
        /// The version's file.
        path: PathBuf,
        /// Why.
        #[source]
        refused: Refused,
    },
    /// The version was not put in service, for it cannot be kept across a restart.
    #[error("cannot be made durable: {error}; the served version stays")]
    NotDurable {
        /// What the system said.
        error: String,
    },
    /// The version is served, for there was nothing older, but a restart may lose it.
    #[error("is served but not durable: {error}; it will be tried again")]
    ServedNotDurable {
        /// What the system said.
        error: String,
    },
    /// A difference without a state directory.
    #[error(
        "came by a difference and there is no state directory: a restart serves the source's last whole version"
    )]
    DifferenceWithoutState,
    /// The rule `bump` without a state directory.
    #[error("serial = \"bump\" without a state directory: after a restart the serial may go back")]
    BumpWithoutState,
}

/// What is wrong beside any one zone.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SourceFault {
    /// A directory that cannot be read; the zones in it stay.
    #[error("cannot read the directory {path}: {error}; its zones stay as they are")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
    /// A `*.zone` file whose name is no domain name.
    #[error("{path}: {error}; the file name without .zone must be the zone's name")]
    FileName {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: NameError,
    },
    /// A zone that the config names without a file, and no directory holds it either.
    #[error("no configured directory holds a file for {zone}")]
    NoFile {
        /// The zone.
        zone: Name,
    },
    /// A file in the state directory that cannot be used; it was set aside.
    #[error("the state file {path} is damaged ({error}); it was set aside")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// A journal in the state directory that cannot be used, or not all of it; what was wrong is aside, and what comes
    /// before it is served.
    #[error(
        "the journal {path} is damaged ({error}); a copy is aside, and {zone} is served as of serial {serial}: what came \
         after it must come again"
    )]
    Journal {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
        /// The zone.
        zone: Name,
        /// The last serial that could be restored.
        serial: Serial,
    },
    /// The state of a zone cannot be deleted.
    #[error("cannot delete the state of {zone}: {error}")]
    StateRemains {
        /// The zone.
        zone: Name,
        /// What the system said.
        error: String,
    },
}

impl SourceFault {
    /// Faults kept in a report: more than a person reads, few enough to be nothing.
    pub(super) const MOST: usize = 100;
}
