//! Why a command to the publisher fails.

use std::io;
use std::path::PathBuf;

use crate::wire::{Name, Serial};

use super::fault::Fault;
pub use super::store::StoreError;

/// Why the publisher does not start.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A relative path, and no current directory.
    #[error("cannot make the configured paths absolute: {source}")]
    CurrentDirectory {
        /// What the system said.
        source: io::Error,
    },
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StoreError),
    /// The thread that keeps zones does not start.
    #[error("cannot start the thread that keeps zones: {source}")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
    /// The state directory cannot be listed.
    #[error("cannot list the state directory {path}: {source}")]
    StateList {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why new settings are not taken; the old ones stay.
#[derive(Debug, thiserror::Error)]
pub enum ReconfigureError {
    /// A relative path, and no current directory.
    #[error("cannot make the configured paths absolute: {source}")]
    CurrentDirectory {
        /// What the system said.
        source: io::Error,
    },
    /// The state directory is another one.
    #[error("the state directory cannot change while the server runs: restart it")]
    StateDirectory,
    /// The publisher has ended.
    #[error("the publisher has stopped")]
    Stopped,
}

/// Why a zone is not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// No such zone.
    #[error("{zone} is not served here")]
    NoSuchZone {
        /// The zone.
        zone: Name,
    },
    /// Its file is there: it would come back at once.
    #[error("the file of {zone} is still there: delete {path} first")]
    FilePresent {
        /// The zone.
        zone: Name,
        /// The file.
        path: PathBuf,
    },
    /// Its state cannot be deleted, so a restart would bring it back.
    #[error("cannot delete the state of {zone}, so a restart would bring it back: {source}")]
    State {
        /// The zone.
        zone: Name,
        /// What the system said.
        source: io::Error,
    },
    /// The publisher has ended.
    #[error("the publisher has stopped")]
    Stopped,
}

/// Why a refused version does not pass after all.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// No such zone.
    #[error("{zone} is not known here")]
    NoSuchZone {
        /// The zone.
        zone: Name,
    },
    /// Nothing was refused that could be accepted.
    #[error("no version of {zone} waits to be accepted")]
    NothingRefused {
        /// The zone.
        zone: Name,
    },
    /// The version that was refused has another serial.
    #[error("the refused version has serial {refused}, not {asked}")]
    OtherSerial {
        /// Its serial.
        refused: Serial,
        /// The serial in the command.
        asked: Serial,
    },
    /// The file changed since the version was refused.
    #[error("the file of {zone} changed since that version was refused: look again")]
    Changed {
        /// The zone.
        zone: Name,
    },
    /// Something that no force helps against.
    #[error("{fault}")]
    StillRefused {
        /// What.
        fault: Box<Fault>,
    },
    /// The publisher has ended.
    #[error("the publisher has stopped")]
    Stopped,
}
