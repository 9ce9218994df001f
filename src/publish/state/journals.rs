//! Where the journals end, and what is wrong with one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::wire::Name;

use crate::publish::accept::Digest;
use crate::publish::state::journal;
use crate::publish::state::state_file::Header;

/// A larger journal was not written here: it would need a state file of twice that, and zone files have 2 GiB at most.
const MOST: u64 = 2 << 30;

/// Where the journals end that can be continued.
#[derive(Debug, Default)]
pub(in crate::publish) struct Journals(pub(in crate::publish) Mutex<BTreeMap<Name, Tail>>);

#[derive(Debug)]
pub(in crate::publish) struct Tail {
    /// Octets that are sound.
    pub(in crate::publish) length: u64,
    /// The last link.
    pub(in crate::publish) chain: Digest,
    /// Which file it is, of those that the zone had.
    pub(in crate::publish) file: u64,
    /// Whether a new state file is being written, so that it can be cut.
    pub(in crate::publish) rewriting: bool,
}

/// How large a journal is against its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::publish) enum Fill {
    /// It may grow.
    Low,
    /// The zone is to be written whole behind the serving; said once until that has come to an end.
    High,
    /// What comes next must be written whole.
    Full,
}

/// What is wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub(in crate::publish) enum JournalError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("octet {at} and what follows do not match their hash, and more was durable behind it")]
    Damaged { at: usize },
    #[error("{0}")]
    Replay(#[from] crate::publish::state::journal_replay::ReplayError),
}

impl Journals {
    pub(in crate::publish) fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Tail>> {
        // Nothing panics while it holds the lock, and every state of the map is a good one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the journal beside a state file leads to, if it is sound; changes nothing.
pub(in crate::publish) fn peek(path: &Path, zone: &Name, header: Header) -> Header {
    let Ok(octets) = read_bounded(path) else { return header };
    let read = journal::read(&octets, zone);
    let last = read.after(&header.chain).and_then(<[_]>::last);
    last.map(|entry| header.led_on(&entry.step, entry.chain)).unwrap_or(header)
}

/// The octets of a journal, if it can be one.
pub(in crate::publish) fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let (mut file, mut octets) = (File::open(path)?, Vec::new());
    if file.metadata()?.len() > MOST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {MOST} octets")));
    }
    Read::by_ref(&mut file).take(MOST).read_to_end(&mut octets)?;
    Ok(octets)
}
