//! Journals on the disk: appended to before a version is served, read at start, cut when the zone was written whole.
//!
//! Differences flow in, durable when the call returns; what they led to flows out at the next start. A journal never says
//! more than its state file and its own hashes vouch for. [`crate::publish::state::journal`] says the format.
//!
//! Two threads come here: the publisher's, which appends, and the keeper's, which cuts. One lock, held while octets go to
//! the disk, but not while a journal is read: that takes as long as the journal is large.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::wire::Name;

use crate::publish::accept::Digest;
use crate::publish::state::journal::{self, End};
use crate::publish::state::journals::{Fill, JournalError, Tail, read_bounded};
use crate::publish::state::state_file::Header;
use crate::publish::state::store::Store;

/// A journal that is larger than this part of the state file is given up for a new state file: then a start reads half
/// as much again at most, and of what is written to the disk two thirds are differences.
const SHARE: u64 = 2;
/// A journal up to this size stays in any case: small zones are not rewritten for every few differences, and a
/// megabyte is applied in some milliseconds.
const LEAST: u64 = 1 << 20;
/// Beyond so many times that, which takes a disk that is full or far too slow, a difference waits for the new state file.
const PATIENCE: u64 = 2;
impl Store {
    /// How large a zone's journal would be with so many octets more, against its bound.
    pub(in crate::publish) fn journal_fill(&self, zone: &Name, more: usize) -> Fill {
        let state = fs::metadata(self.path_of(zone)).map_or(0, |status| status.len());
        let bound = LEAST.max(state / SHARE);
        let mut tails = self.journals.lock();
        let Some(tail) = tails.get_mut(zone) else {
            return if more as u64 > bound { Fill::Full } else { Fill::Low };
        };
        match tail.length + more as u64 {
            length if length > bound * PATIENCE => Fill::Full,
            length if length > bound && !tail.rewriting => {
                tail.rewriting = true;
                Fill::High
            }
            _ => Fill::Low,
        }
    }

    /// Appends an entry that leads from the link `before` to the link `after`; durable when it returns. The version of
    /// `before` must be durable: in the state file, or as the journal's last entry. On an error the journal stays what it was.
    pub(in crate::publish) fn append(
        &self,
        zone: &Name,
        before: &Digest,
        (octets, after): (&[u8], Digest),
    ) -> io::Result<()> {
        let mut tails = self.journals.lock();
        if let Some(tail) = tails.get_mut(zone).filter(|tail| tail.chain == *before) {
            extend(&self.journal_of(zone), tail.length, octets)?;
            tail.length += octets.len() as u64;
            tail.chain = after;
            return Ok(());
        }
        // The state file has the version itself: what the journal led to is no more.
        let file = tails.remove(zone).map_or(0, |tail| tail.file) + 1;
        let written = self.replace_journal(zone, &[&journal::head(zone, before), octets]);
        if written.is_err() {
            // It may be in place and only not known to be on the disk.
            let _ = remove(&self.journal_of(zone));
        }
        tails.insert(zone.clone(), Tail { length: written?, chain: after, file, rewriting: false });
        Ok(())
    }

    /// Leads a header on from the version in the state file to the last one that the journal has. What a crash cut short is
    /// cut off; a damaged journal is copied aside, and what stands before the damage counts. Once for each zone, before
    /// anything is appended.
    pub(in crate::publish) fn advance(
        &self,
        zone: &Name,
        header: Header,
    ) -> (Header, Option<(PathBuf, JournalError)>) {
        let path = self.journal_of(zone);
        match self.try_advance(zone, &path, &header) {
            Ok((advanced, None)) => (advanced.unwrap_or(header), None),
            Ok((advanced, Some(error))) => (advanced.unwrap_or(header), Some((path, error))),
            Err(error) => {
                self.set_journal_aside(zone);
                (header, Some((path, error)))
            }
        }
    }

    fn try_advance(
        &self,
        zone: &Name,
        path: &Path,
        header: &Header,
    ) -> Result<(Option<Header>, Option<JournalError>), JournalError> {
        let octets = match read_bounded(path) {
            Ok(octets) => octets,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, None)),
            Err(error) => return Err(error.into()),
        };
        let read = journal::read(&octets, zone);
        let damage = (read.end == End::Damaged).then_some(JournalError::Damaged { at: read.sound });
        let (Some(after), Some(chain)) = (read.after(&header.chain), read.last()) else {
            if let Some(damage) = damage {
                return Err(damage);
            }
            // A crash came between the state file of another version and the end of its journal; or the first entry was
            // not written whole.
            tracing::warn!(%zone, "the journal leads to no version that was served last; it is dropped");
            let _ = fs::remove_file(path);
            return Ok((None, None));
        };
        if damage.is_some()
            && let Err(error) = fs::copy(path, self.journal_aside_of(zone))
        {
            tracing::warn!(%zone, %error, "the damaged journal cannot be copied aside");
        }
        if read.end != End::Whole {
            let (kept, of) = (read.sound, octets.len());
            tracing::warn!(%zone, kept, of, "the journal ends with an entry that is not whole; it is cut off");
            // On a disk that cannot be written it stays: what is appended later is written over it.
            if let Err(error) = cut(path, read.sound as u64) {
                tracing::warn!(%zone, %error, "the journal cannot be cut");
            }
        }
        let advanced = after.last().map(|entry| header.led_on(&entry.step, entry.chain));
        let tail = Tail { length: read.sound as u64, chain, file: 0, rewriting: false };
        self.journals.lock().insert(zone.clone(), tail);
        Ok((advanced, damage))
    }

    /// The octets of a journal that [`advance`](Self::advance) found something in.
    pub(in crate::publish) fn read_journal(&self, zone: &Name) -> io::Result<Option<Vec<u8>>> {
        if !self.journals.lock().contains_key(zone) {
            return Ok(None);
        }
        read_bounded(&self.journal_of(zone)).map(Some)
    }

    /// The version with this link is in the state file: takes the entries that led to it out of the journal.
    pub(in crate::publish) fn trim(&self, zone: &Name, chain: &Digest) -> io::Result<()> {
        let Some(file) = self.journals.lock().get(zone).map(|tail| tail.file) else { return Ok(()) };
        let found = self.position(zone, chain)?;
        let mut tails = self.journals.lock();
        let Some(tail) = tails.get_mut(zone) else { return Ok(()) };
        let position = if tail.file == file { found } else { self.position(zone, chain)? };
        let rest = match position {
            Some(position) if position < tail.length => self.read_from(zone, position, tail.length)?,
            // All of it led to the version that was written, or to one of another history.
            _ => {
                tails.remove(zone);
                return remove(&self.journal_of(zone));
            }
        };
        tail.length = self.replace_journal(zone, &[&journal::head(zone, chain), &rest])?;
        tail.file += 1;
        tail.rewriting = false;
        Ok(())
    }

    /// The version could not be written whole, or the journal not be cut: it may be tried again. Says whether the
    /// journal waits for it.
    pub(in crate::publish) fn not_trimmed(&self, zone: &Name) -> bool {
        let mut tails = self.journals.lock();
        tails.get_mut(zone).is_some_and(|tail| std::mem::take(&mut tail.rewriting))
    }

    /// Forgets a zone's journal.
    pub(in crate::publish) fn remove_journal(&self, zone: &Name) -> io::Result<()> {
        let mut tails = self.journals.lock();
        tails.remove(zone);
        remove(&self.journal_of(zone))
    }

    /// Renames a journal that cannot be used, so that somebody can look at it.
    pub(in crate::publish) fn set_journal_aside(&self, zone: &Name) {
        let mut tails = self.journals.lock();
        tails.remove(zone);
        let _ = fs::rename(self.journal_of(zone), self.journal_aside_of(zone));
    }

    /// Where in the journal the entries after a link begin; `None` if it does not have the link.
    fn position(&self, zone: &Name, chain: &Digest) -> io::Result<Option<u64>> {
        let octets = read_bounded(&self.journal_of(zone))?;
        Ok(journal::read(&octets, zone).position(chain).map(|position| position as u64))
    }

    fn read_from(&self, zone: &Name, start: u64, end: u64) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.journal_of(zone))?;
        file.seek(SeekFrom::Start(start))?;
        let mut octets = Vec::new();
        file.take(end - start).read_to_end(&mut octets)?;
        Ok(octets)
    }

    /// Puts another journal in the place of the one there is, whole or not at all; returns its length.
    fn replace_journal(&self, zone: &Name, parts: &[&[u8]]) -> io::Result<u64> {
        let fresh = self.fresh_journal_of(zone);
        let written = File::create(&fresh).and_then(|mut file| {
            parts.iter().try_for_each(|part| file.write_all(part))?;
            file.sync_all()
        });
        let replaced = written.and_then(|()| fs::rename(&fresh, self.journal_of(zone)));
        if replaced.is_err() {
            let _ = fs::remove_file(&fresh);
        }
        replaced.and_then(|()| self.sync_directory())?;
        Ok(parts.iter().map(|part| part.len() as u64).sum())
    }
}

/// Writes behind the first `length` octets, which are sound, and syncs. On an error the file is cut again; where even that
/// fails, the next call does it, or a start finds an entry that nobody was told of.
fn extend(path: &Path, length: u64, octets: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    let found = file.metadata()?.len();
    if found < length {
        let text = format!("{} has {found} octets, not the {length} written", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    if found > length {
        file.set_len(length)?;
    }
    file.seek(SeekFrom::Start(length))?;
    let written = file.write_all(octets).and_then(|()| file.sync_data());
    if written.is_err() {
        let _ = file.set_len(length).and_then(|()| file.sync_data());
    }
    written
}

fn cut(path: &Path, length: u64) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    file.set_len(length)?;
    file.sync_data()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "../../../tests/unit/publish/state/journal_file.rs"]
mod tests;
