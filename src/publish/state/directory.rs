//! What the publisher does with the state directory: opens it, also later, keeps versions in it, and serves without it.
//!
//! A state directory that cannot be written is a fault, not an error: the zone files are served, what the directory holds
//! is read if it can be, and everything that must be durable before it is served is refused. Each look tries again.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::publish::error::{PublishError, StoreError};
use crate::publish::settings::HistoryBounds;
use crate::publish::state::database::Database;
use crate::publish::state::ready::Version;
use crate::publish::state::state_writer::StateWriter;
use crate::publish::state::store::Store;
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
pub(in crate::publish) struct StateError(Arc<str>);

impl fmt::Display for StateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl StateError {
    pub(in crate::publish) fn new(error: impl fmt::Display) -> Self {
        Self(error.to_string().into())
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
        bounds: &Arc<Mutex<HistoryBounds>>,
    ) -> Result<Self, PublishError> {
        let Some(directory) = directory else { return Ok(Self::None) };
        match Store::open(directory, bounds.clone()) {
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
                let store = fs::read_dir(directory)
                    .is_ok()
                    .then(|| Store::read_only(directory, bounds.clone()))
                    .transpose()?;
                Ok(Self::Unwritable { store: store.map(Arc::new), error: StateError::new(source) })
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

    /// Keeps a version and waits for it.
    pub(in crate::publish) fn keep_first(&self, version: Version) -> io::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Kept(writer) => writer.keep_first(version),
            Self::Unwritable { error, .. } => Err(error.to_io()),
        }
    }
}
