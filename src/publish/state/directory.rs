//! What the publisher does with the state directory: opens it, also later, keeps versions in it, and serves without it.
//!
//! A state directory that cannot be written is a fault, not an error: the zone files are served, what the directory holds
//! is read if it can be, and everything that must be durable before it is served is refused. Each look tries again.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::publish::error::{PublishError, StoreError};
use crate::publish::state::database::Database;
use crate::publish::state::store::Store;
use crate::publish::state::store::shared::StoreShared;
use crate::publish::state::writer::StateWriter;
use crate::publish::state::writer::ready::Version;
use crate::telemetry::pulse::Pulse;

/// The state directory.
#[derive(Debug, Default)]
pub(in crate::publish) enum StateDirectory {
    /// None is configured.
    #[default]
    None,
    /// It is locked and can be written.
    Kept(StateWriter),
    /// It cannot be written.
    Unwritable {
        /// To read from, if it can be read.
        store: Option<Arc<Store>>,
        /// Why.
        error: StateError,
    },
}

/// Why the state directory cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::publish) struct StateError {
    text: Arc<str>,
    /// Whether there is no such directory, so that nothing is in it.
    is_absent: bool,
}

impl fmt::Display for StateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl StateError {
    pub(in crate::publish) fn new(error: impl fmt::Display) -> Self {
        Self { text: error.to_string().into(), is_absent: false }
    }

    /// The same as what a system call says.
    pub(in crate::publish) fn to_io(&self) -> io::Error {
        io::Error::other(self.to_string())
    }
}

impl StateDirectory {
    /// Opens a directory. The error: another process uses it, or a thread does not start.
    pub(in crate::publish) fn open(
        directory: Option<&Path>,
        wake: &Arc<Notify>,
        pulse: &Arc<Pulse>,
        shared: &StoreShared,
    ) -> Result<Self, PublishError> {
        let Some(directory) = directory else { return Ok(Self::None) };
        match Store::open(directory, shared.clone()) {
            Ok(store) => match store.probe() {
                Ok(()) => StateWriter::start(Arc::new(store), wake.clone(), pulse.clone())
                    .map(Self::Kept)
                    .map_err(|source| PublishError::Thread { source }),
                Err(error) => {
                    Ok(Self::Unwritable { store: Some(Arc::new(store)), error: StateError::new(error) })
                }
            },
            Err(error @ StoreError::InUse { .. }) => Err(error.into()),
            Err(StoreError::Unusable { source, .. }) => {
                let listed = fs::read_dir(directory);
                let none = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
                let is_absent = listed.as_ref().is_err_and(|error| none.contains(&error.kind()));
                let store =
                    listed.is_ok().then(|| Store::read_only(directory, shared.clone())).transpose()?;
                let error = StateError { is_absent, ..StateError::new(source) };
                Ok(Self::Unwritable { store: store.map(Arc::new), error })
            }
        }
    }

    /// Where versions are kept.
    pub(in crate::publish) fn writer(&self) -> Option<&StateWriter> {
        match self {
            Self::Kept(writer) => Some(writer),
            Self::None | Self::Unwritable { .. } => None,
        }
    }

    /// Where kept versions are read.
    pub(in crate::publish) fn store(&self) -> Option<&Store> {
        match self {
            Self::Kept(writer) => Some(writer.store()),
            Self::Unwritable { store, .. } => store.as_deref(),
            Self::None => None,
        }
    }

    /// The database, for the history.
    pub(in crate::publish) fn database(&self) -> Option<Database> {
        self.store().and_then(Store::database)
    }

    /// Why there is no state writer, although there should be one.
    pub(in crate::publish) fn unwritable(&self) -> Option<&StateError> {
        match self {
            Self::Unwritable { error, .. } => Some(error),
            Self::None | Self::Kept(_) => None,
        }
    }

    /// Why what it holds cannot be read; `None` if it can be, or holds nothing.
    pub(in crate::publish) fn unread(&self) -> Option<String> {
        match self {
            Self::Unwritable { store: None, error } if !error.is_absent => Some(error.to_string()),
            Self::Unwritable { store: Some(store), .. } => store.unread(),
            Self::None | Self::Kept(_) | Self::Unwritable { store: None, .. } => None,
        }
    }

    /// Keeps a version and waits for it.
    pub(in crate::publish) fn keep_first(&self, version: Version) -> io::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Kept(writer) => writer.keep_first(version),
            Self::Unwritable { error, .. } => Err(error.to_io()),
        }
    }
}
