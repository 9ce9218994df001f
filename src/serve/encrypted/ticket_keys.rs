//! The keys of session tickets: files in, tickets out. The first key issues, all of them open, so that servers which share the files
//! resume each other's sessions, and a key can be replaced while tickets of the old one are still about.
//!
//! Read at the start and when told to, never in between: a rotation renames several files, and a look in its middle would see half of
//! it. Files that cannot be used change nothing: the old keys stay, and the fault is reported until it is corrected. Without files, random
//! keys of this process alone, which it replaces by itself (rustls). Connections that exist keep what they have.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use data_encoding::HEXLOWER;
use rustls::crypto::ring;
use rustls::server::ProducesTickets;

use crate::clock::unix_now;
use crate::sys::files::{FileError, read};
use crate::telemetry::with_causes;

use super::ticket_key::{KeyOctetsFault, LENGTHS, LIFETIME, TicketKey};

/// Octets of the longest file read; one that is longer than a key is told with its length.
const MOST_OCTETS: u64 = 4096;

/// Why the keys of session tickets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TicketKeyError {
    /// A file cannot be read, or others can use it.
    #[error("the ticket key {}", with_causes(.0))]
    File(FileError),
    /// The file has not the length of a key.
    #[error(
        "the ticket key {} has {octets} octets; it must have {} or {} random ones: openssl rand {}",
        path.display(), LENGTHS[0], LENGTHS[1], LENGTHS[0]
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// How many octets it has.
        octets: usize,
    },
    /// Every octet of the file is the same.
    #[error(
        "the ticket key {} is {} times the same octet; it must be random: openssl rand {}",
        path.display(), LENGTHS[0], LENGTHS[0]
    )]
    NotRandom {
        /// The file.
        path: PathBuf,
    },
    /// The system has no random octets for keys of this process.
    #[error("no random keys for session tickets: {0}")]
    Random(#[source] rustls::Error),
    /// Two files hold one key, or keys of one name.
    #[error(
        "the ticket keys {} and {} begin with the same 16 octets, the name of the key; make one of them anew, or leave it out",
        first.display(), second.display()
    )]
    Twice {
        /// The file that stands first.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
}

/// One key of those in use, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketKeyFact {
    /// Its file.
    pub file: PathBuf,
    /// The 16 octets of its name in base 16: two servers show the same one for the same key. Every ticket has it in clear.
    pub name: String,
}

/// The keys of session tickets in use.
pub struct TicketKeys {
    /// `None` without files.
    shared: ArcSwapOption<Vec<FileKey>>,
    own: Arc<dyn ProducesTickets>,
    fault: ArcSwapOption<String>,
}

#[derive(Debug)]
struct FileKey {
    file: PathBuf,
    key: TicketKey,
}

impl TicketKeys {
    /// Reads the keys; the first one issues. Without files, random keys of this process. Blocks for as long as files do.
    ///
    /// # Errors
    /// The first file that cannot be used, or two of the same key.
    pub fn load(files: &[PathBuf]) -> Result<Arc<Self>, TicketKeyError> {
        let own = ring::Ticketer::new().map_err(TicketKeyError::Random)?;
        let shared = ArcSwapOption::from(read_all(files)?.map(Arc::new));
        Ok(Arc::new(Self { shared, own, fault: ArcSwapOption::empty() }))
    }

    /// Reads the keys again, perhaps from other files; if they cannot be used the old ones stay. Blocks for as long as files do.
    ///
    /// # Errors
    /// As of [`TicketKeys::load`].
    pub fn reload(&self, files: &[PathBuf]) -> Result<(), TicketKeyError> {
        match read_all(files) {
            Ok(keys) => {
                let names: Vec<String> = keys.iter().flatten().map(FileKey::name).collect();
                self.fault.store(None);
                if self.shared.swap(keys.map(Arc::new)).is_some() || !names.is_empty() {
                    tracing::info!(?names, "the ticket keys are read; the first one issues");
                }
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the new ticket keys cannot be used; the old ones stay");
                self.fault.store(Some(Arc::new(error.to_string())));
                Err(error)
            }
        }
    }

    /// Why the keys in the files are not those in use; `None` when they are. Never blocks.
    pub fn fault(&self) -> Option<String> {
        self.fault.load().as_deref().cloned()
    }

    /// The keys in use, in their order: the first one issues. Empty without files.
    pub fn facts(&self) -> Vec<TicketKeyFact> {
        let fact = |one: &FileKey| TicketKeyFact { file: one.file.clone(), name: one.name() };
        self.shared.load().iter().flat_map(|keys| keys.iter().map(fact)).collect()
    }
}

impl ProducesTickets for TicketKeys {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME
    }

    fn encrypt(&self, state: &[u8]) -> Option<Vec<u8>> {
        match self.shared.load().as_deref() {
            Some(keys) => keys.first()?.key.seal(unix_now(), state),
            None => self.own.encrypt(state),
        }
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        match self.shared.load().as_deref() {
            Some(keys) => keys.iter().find(|one| one.key.made(ticket))?.key.open(unix_now(), ticket),
            None => self.own.decrypt(ticket),
        }
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.facts()).finish()
    }
}

impl FileKey {
    /// The name in base 16.
    fn name(&self) -> String {
        HEXLOWER.encode(&self.key.name())
    }
}

/// `None` without files.
fn read_all(files: &[PathBuf]) -> Result<Option<Vec<FileKey>>, TicketKeyError> {
    let mut keys: Vec<FileKey> = Vec::new();
    for file in files {
        let key = read_one(file)?;
        if let Some(same) = keys.iter().find(|other| other.key.name() == key.name()) {
            return Err(TicketKeyError::Twice { first: same.file.clone(), second: file.clone() });
        }
        keys.push(FileKey { file: file.clone(), key });
    }
    Ok((!keys.is_empty()).then_some(keys))
}

fn read_one(path: &Path) -> Result<TicketKey, TicketKeyError> {
    let octets = read(path, MOST_OCTETS, true).map_err(TicketKeyError::File)?;
    TicketKey::new(&octets).map_err(|fault| match fault {
        KeyOctetsFault::Length(octets) => TicketKeyError::Length { path: path.to_owned(), octets },
        KeyOctetsFault::NotRandom => TicketKeyError::NotRandom { path: path.to_owned() },
    })
}

#[cfg(test)]
#[path = "../../../tests/unit/serve/ticket_keys.rs"]
mod tests;
