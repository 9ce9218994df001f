//! The state directory: what was accepted survives a restart, whatever became of its source.
//!
//! Accepted versions flow in through [`crate::publish::state::keeper`], restored ones flow out; differences go through
//! [`crate::publish::state::journal_file`]. One process at a time (flock). A damaged file is set aside, never trusted and never a crash; a
//! version replaces an older one whole or not at all.
//!
//! | file | is |
//! | --- | --- |
//! | `NAME.state` | a whole version |
//! | `NAME.journal` | the differences that led on from it ([`crate::publish::state::journal`]) |
//! | `NAME.new`, `NAME.journal-new` | one of them while it is written; left by a crash, deleted at start |
//! | `NAME.damaged`, `NAME.journal-damaged` | one of them that did not match its hashes |
//!
//! What is served is the state file with its journal applied. A crash may leave a state file and an older journal: the
//! chain of links, of which the state file has one, says which entries still count.
//!
//! # Format of a state file, version 4
//!
//! One file `NAME.state` per zone, NAME being the apex in lower case without its last dot, octets other than
//! `a-z 0-9 - _ .` as `%XX`; `@` is the root, and a name of more than 200 characters is `%` and its SHA-256.
//! Text, lines ended by LF, in this order:
//!
//! ```text
//! ;anyns-state 4
//! ;zone example.org.
//! ;digest 64 hexadecimal digits         content without the SOA serial, or "unknown"
//! ;serial 2024010102                    the serial that is served
//! ;source-digest 64 hexadecimal digits  content of the whole version that the source gave last
//! ;source-serial 2024010101             its serial
//! ;records 12
//! ;signed true
//! ;accepted 1732147200                  seconds since 1970-01-01 UTC
//! ;chain 64 hexadecimal digits          the link of this version
//! ;root "/var/lib/zones"                the configured source, a JSON string
//! ;path "/var/lib/zones/example.org.zone"
//! ;octets 64 hexadecimal digits         SHA-256 of that file, or "unknown" if it includes others
//! ;header 64 hexadecimal digits         SHA-256 of all lines above
//! ... the zone as a master file ...
//! ;body 64 hexadecimal digits           SHA-256 of the master file; the last line
//! ```
//!
//! Version 3, which has no `octets`, is read. So is version 2, which knew no differences: its digest is that of the source,
//! and the hash of its header is its link.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};

use crate::sys::disk::sync_filesystem;
use crate::wire::Name;
use crate::zone::Zone;

use crate::publish::accept::{Digest, Standing};
use crate::publish::error::StoreError;
use crate::publish::state::journal;
use crate::publish::state::journal_replay::replay;
use crate::publish::state::journals::{self, JournalError, Journals};
use crate::publish::state::state_file::{Header, Kept, StateError, hash_line};
use crate::zonefile::{KeptZone, Limits, digest, read_kept_zone, write_zone};

/// The longest part of a file name made from a zone's name; NAME_MAX is 255 and suffixes must fit.
const MAX_FILE_NAME: usize = 200;

/// Up to this many files are synced one by one; beyond it one sync of the whole filesystem is cheaper, although others
/// write to it, too.
const FEW: usize = 4;

/// The state directory, locked.
#[derive(Debug)]
pub(in crate::publish) struct Store {
    directory: PathBuf,
    /// Empty where there is no lock file and none can be made.
    lock: OnceLock<File>,
    pub(in crate::publish) journals: Journals,
}

/// A version from the state directory.
#[derive(Debug)]
pub(in crate::publish) struct Loaded {
    /// What a version like it would be refused for today.
    pub(in crate::publish) tolerated: Option<String>,
    pub(in crate::publish) zone: Zone,
    pub(in crate::publish) header: Header,
    /// What is wrong with the journal that was to lead on from it.
    pub(in crate::publish) damage: Option<DamagedJournal>,
}

/// A journal that was copied or set aside, and why.
pub(in crate::publish) type DamagedJournal = (PathBuf, JournalError);

/// A file that was set aside, and why.
pub(in crate::publish) type Damaged = (PathBuf, StateError);

impl Store {
    /// Makes the directory if need be, and locks it.
    pub(in crate::publish) fn open(directory: &Path) -> Result<Self, StoreError> {
        let unusable = |source| StoreError::Unusable { path: directory.to_path_buf(), source };
        fs::create_dir_all(directory).map_err(unusable)?;
        let store = Self::locked(directory, None);
        store.take_lock()?;
        Ok(store)
    }

    fn take_lock(&self) -> Result<(), StoreError> {
        let path = self.directory.clone();
        let opened = File::options().create(true).truncate(false).write(true).open(path.join("lock"));
        let lock = match opened {
            Ok(lock) => lock,
            Err(source) => return Err(StoreError::Unusable { path, source }),
        };
        match lock.try_lock() {
            Ok(()) => drop(self.lock.set(lock)),
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path }),
            Err(TryLockError::Error(source)) => return Err(StoreError::Unusable { path, source }),
        }
        Ok(())
    }

    /// Locks it, if that could not be before, and finds out whether it can be written.
    pub(in crate::publish) fn lock_and_probe(&self) -> io::Result<()> {
        if self.lock.get().is_none() {
            self.take_lock().map_err(io::Error::other)?;
        }
        self.probe()
    }

    /// A directory that cannot be written, to read what is there. Fails only if another process uses it.
    pub(in crate::publish) fn read_only(directory: &Path) -> Result<Self, StoreError> {
        let lock = File::open(directory.join("lock")).ok();
        match lock.as_ref().map(File::try_lock) {
            Some(Err(TryLockError::WouldBlock)) => Err(StoreError::InUse { path: directory.to_path_buf() }),
            _ => Ok(Self::locked(directory, lock)),
        }
    }

    fn locked(directory: &Path, lock: Option<File>) -> Self {
        let lock = lock.map_or_else(OnceLock::new, OnceLock::from);
        Self { directory: directory.to_path_buf(), lock, journals: Journals::default() }
    }

    /// Whether something can be written here: as much as the least of filesystems gives a file.
    pub(in crate::publish) fn probe(&self) -> io::Result<()> {
        // A name that `list` cleans up, and that no zone has.
        let path = self.directory.join("%probe.new");
        let written = File::create(&path).and_then(|mut file| file.write_all(&[0; 4096]));
        let removed = fs::remove_file(&path);
        written.and(removed)
    }

    /// Where it is.
    pub(in crate::publish) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Every zone that is kept, not looked into; files that can be none are set aside and returned with the reason.
    pub(in crate::publish) fn list(&self) -> io::Result<(BTreeSet<Name>, Vec<Damaged>)> {
        let (mut kept, mut damaged) = (BTreeSet::new(), Vec::new());
        let mut journals = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("state") => {}
                // What a crash left while it was written.
                Some("journal") => {
                    journals.push(path);
                    continue;
                }
                Some("new" | "journal-new") => {
                    let _ = fs::remove_file(&path);
                    continue;
                }
                _ => continue,
            }
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let zone = match stem.and_then(zone_of) {
                Some(zone) => Ok(zone),
                // A name too long for a file name: only the header has it.
                None => Kept::look(&path).map(|found| found.zone),
            };
            match zone {
                Ok(zone) if self.path_of(&zone) == path => drop(kept.insert(zone)),
                Ok(_) => damaged.push((path, StateError::OtherZone)),
                Err(error) => damaged.push((path, error)),
            }
        }
        for (path, _) in &damaged {
            self.set_aside(path);
        }
        // A crash came in the middle of forgetting the zone.
        for path in journals.iter().filter(|path| !path.with_extension("state").exists()) {
            let _ = fs::remove_file(path);
        }
        Ok((kept, damaged))
    }

    /// What is known of the last version that is kept of one zone, without its records; a damaged file is set aside.
    pub(in crate::publish) fn look(&self, zone: &Name) -> Result<(Header, Option<DamagedJournal>), Damaged> {
        let path = self.path_of(zone);
        let found = match Kept::look(&path) {
            Ok(kept) if kept.zone == *zone => return Ok(self.advance(zone, kept.header)),
            Ok(_) => StateError::OtherZone,
            Err(error) => error,
        };
        self.set_aside(&path);
        self.set_journal_aside(zone);
        Err((path, found))
    }

    /// One kept zone with its records, after [`look`](Self::look); a damaged file is set aside. What the journal says but
    /// cannot be applied counts as damage.
    pub(in crate::publish) fn load(&self, zone: &Name, limits: &Limits) -> Result<Loaded, Damaged> {
        let path = self.path_of(zone);
        let (KeptZone { zone: base, tolerated }, header) =
            try_load(&path, zone, limits).map_err(|error| {
                self.set_aside(&path);
                self.set_journal_aside(zone);
                (path, error)
            })?;
        let tolerated = tolerated.map(|located| located.fault.to_string());
        let journal = self.read_journal(zone).map_err(JournalError::from);
        match journal.and_then(|octets| lead_on(&octets.unwrap_or_default(), zone, &base, &header)) {
            Ok(Some((zone, header))) => Ok(Loaded { zone, header, tolerated, damage: None }),
            Ok(None) => Ok(Loaded { zone: base, header, tolerated, damage: None }),
            Err(error) => {
                self.set_journal_aside(zone);
                let damage = Some((self.journal_of(zone), error));
                Ok(Loaded { zone: base, header, tolerated, damage })
            }
        }
    }

    /// Writes one version beside the older one; [`sync`](Self::sync) and then [`replace`](Self::replace) make it the
    /// kept one.
    pub(in crate::publish) fn write(&self, header: &Header, zone: &Zone) -> io::Result<File> {
        let fresh = self.fresh_path_of(zone.origin());
        let written = File::create(&fresh).and_then(|file| write(file, header, zone));
        if written.is_err() {
            let _ = fs::remove_file(&fresh);
        }
        written
    }

    /// Gets versions that were written onto the disk.
    pub(in crate::publish) fn sync(&self, written: &[File]) -> io::Result<()> {
        if written.len() > FEW && self.open_directory().and_then(|it| sync_filesystem(&it)).is_ok() {
            return Ok(());
        }
        written.iter().try_for_each(File::sync_all)
    }

    /// Puts what was written and synced in the place of the older version; on the disk after
    /// [`sync_directory`](Self::sync_directory).
    pub(in crate::publish) fn replace(&self, zone: &Name) -> io::Result<()> {
        fs::rename(self.fresh_path_of(zone), self.path_of(zone))
    }

    /// Gives up what was written.
    pub(in crate::publish) fn discard(&self, zone: &Name) {
        let _ = fs::remove_file(self.fresh_path_of(zone));
    }

    /// Gets renames and removals onto the disk.
    pub(in crate::publish) fn sync_directory(&self) -> io::Result<()> {
        self.open_directory()?.sync_all()
    }

    /// Forgets one zone.
    pub(in crate::publish) fn remove(&self, zone: &Name) -> io::Result<()> {
        match fs::remove_file(self.path_of(zone)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            found => {
                // Last: a journal without a state file says nothing.
                self.remove_journal(zone)?;
                found.map_or(Ok(()), |()| self.sync_directory())
            }
        }
    }

    fn open_directory(&self) -> io::Result<File> {
        File::open(&self.directory)
    }

    /// Renames a damaged file, so that somebody can look at it and nothing trips over it again.
    fn set_aside(&self, path: &Path) {
        let _ = fs::rename(path, path.with_extension("damaged"));
    }

    pub(in crate::publish) fn path_of(&self, zone: &Name) -> PathBuf {
        path_in(&self.directory, zone, "state")
    }

    fn fresh_path_of(&self, zone: &Name) -> PathBuf {
        path_in(&self.directory, zone, "new")
    }

    pub(in crate::publish) fn journal_of(&self, zone: &Name) -> PathBuf {
        path_in(&self.directory, zone, "journal")
    }

    pub(in crate::publish) fn fresh_journal_of(&self, zone: &Name) -> PathBuf {
        path_in(&self.directory, zone, "journal-new")
    }

    pub(in crate::publish) fn journal_aside_of(&self, zone: &Name) -> PathBuf {
        path_in(&self.directory, zone, "journal-damaged")
    }
}

fn write(file: File, header: &Header, zone: &Zone) -> io::Result<File> {
    let mut out = Hashed { out: BufWriter::new(file), hash: Sha256::new() };
    out.out.write_all(header.to_text(zone.origin()).as_bytes())?;
    write_zone(zone, &mut out)?;
    let last = hash_line("body", &out.hash.finalize().into());
    out.out.write_all(last.as_bytes())?;
    out.out.into_inner().map_err(io::IntoInnerError::into_error)
}

impl Store {
    /// Gives the lock back: another process may use the directory.
    pub(in crate::publish) fn unlock(&self) {
        if let Some(lock) = self.lock.get() {
            let _ = lock.unlock();
        }
    }
}

impl Drop for Store {
    /// Gives the lock back explicitly: closing alone would leave it with a child process that was forked meanwhile.
    fn drop(&mut self) {
        self.unlock();
    }
}

/// Hashes what passes through.
struct Hashed<W> {
    out: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.out.write(octets)?;
        self.hash.update(octets.get(..written).unwrap_or(octets));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The zone in a state file, without its journal.
fn try_load(path: &Path, zone: &Name, limits: &Limits) -> Result<(KeptZone, Header), StateError> {
    let kept = Kept::look(path)?;
    kept.verify(path)?;
    let read = read_kept_zone(path, zone, limits).map_err(|error| StateError::Zone(error.to_string()))?;
    if read.zone.serial() != kept.header.standing.serial {
        return Err(StateError::OtherSerial);
    }
    Ok((read, kept.header))
}

/// The version that a journal leads to, if it leads on.
fn lead_on(
    octets: &[u8],
    zone: &Name,
    base: &Zone,
    header: &Header,
) -> Result<Option<(Zone, Header)>, JournalError> {
    let read = journal::read(octets, zone);
    let entries = read.after(&header.chain).unwrap_or_default();
    let Some(last) = entries.last() else { return Ok(None) };
    let led = replay(base, entries)?;
    Ok(Some((led, header.led_on(&last.step, last.chain))))
}

/// What is kept of a zone in a state directory that is not locked, if it is sound; changes nothing.
pub(in crate::publish) fn peek(directory: &Path, zone: &Name) -> Option<Standing> {
    let kept = Kept::look(&path_in(directory, zone, "state")).ok().filter(|kept| kept.zone == *zone)?;
    let journal = path_in(directory, zone, "journal");
    Some(journals::peek(&journal, zone, kept.header).standing)
}

/// The digest of what is kept of a zone in such a directory; changes nothing.
pub(in crate::publish) fn peek_digest(directory: &Path, zone: &Name, limits: &Limits) -> Option<Digest> {
    let (KeptZone { zone: base, .. }, header) =
        try_load(&path_in(directory, zone, "state"), zone, limits).ok()?;
    let octets = journals::read_bounded(&path_in(directory, zone, "journal")).unwrap_or_default();
    let led = lead_on(&octets, zone, &base, &header).ok()?;
    Some(digest(&led.map_or(base, |(zone, _)| zone)))
}

fn path_in(directory: &Path, zone: &Name, suffix: &str) -> PathBuf {
    directory.join(format!("{}.{suffix}", file_name(zone)))
}

fn file_name(zone: &Name) -> String {
    if zone.is_root() {
        return "@".to_owned();
    }
    let labels: Vec<String> = zone.to_lowercase().labels().map(label_text).collect();
    let name = labels.join(".");
    if name.len() <= MAX_FILE_NAME {
        return name;
    }
    format!("%{}", data_encoding::HEXLOWER.encode(&Sha256::digest(zone.to_lowercase().as_wire())))
}

/// The zone of a file name without its suffix; `None` for one that does not say it.
fn zone_of(file_name: &str) -> Option<Name> {
    if file_name == "@" {
        return Some(Name::root());
    }
    // The hash of a name has no second escape; a label of that length that begins with one has.
    if file_name.strip_prefix('%').is_some_and(|hash| hash.len() == 64 && !hash.contains('%')) {
        return None;
    }
    let mut wire = Vec::with_capacity(file_name.len() + 2);
    for label in file_name.split('.') {
        let start = wire.len();
        wire.push(0);
        let mut rest = label.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            let (octet, after) = match (first, after) {
                (b'%', [high, low, after @ ..]) => {
                    (*data_encoding::HEXLOWER.decode(&[*high, *low]).ok()?.first()?, after)
                }
                _ => (first, after),
            };
            wire.push(octet);
            rest = after;
        }
        *wire.get_mut(start)? = u8::try_from(wire.len() - start - 1).ok()?;
    }
    wire.push(0);
    Name::from_wire(&wire).ok()
}

fn label_text(label: &[u8]) -> String {
    let text = |octet: &u8| match octet {
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => char::from(*octet).to_string(),
        other => format!("%{other:02x}"),
    };
    label.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_safe_and_one_to_one() {
        let name = |text: &str| file_name(&text.parse().unwrap());
        assert_eq!(name("."), "@");
        assert_eq!(name("Example.ORG."), "example.org");
        assert_eq!(name("0/25.2.0.192.in-addr.arpa."), "0%2f25.2.0.192.in-addr.arpa");
        assert_eq!(name("a\\.b.example."), "a%2eb.example");
        for text in [".", "example.org.", "0/25.2.0.192.in-addr.arpa.", "a\\.b.example.", "%41.\\000."] {
            assert_eq!(zone_of(&name(text)), Some(text.parse().unwrap()), "{text}");
        }
        assert_eq!(zone_of(""), None);
        let long = format!("{0}.{0}.{0}.{1}.", "\\000".repeat(62), "\\000".repeat(60));
        assert_eq!(name(&long).len(), 65);
        assert_eq!(zone_of(&name(&long)), None);
    }

    #[test]
    fn a_second_process_is_kept_out() {
        let directory = tempfile::tempdir().unwrap();
        let first = Store::open(directory.path()).unwrap();
        assert!(matches!(Store::open(directory.path()), Err(StoreError::InUse { .. })));
        drop(first);
        Store::open(directory.path()).unwrap();
    }
}
