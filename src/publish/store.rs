//! The state directory: what was accepted survives a restart, whatever became of its source.
//!
//! Accepted versions flow in, restored ones flow out. A version is in the directory, synced, before it is served.
//! One process at a time (flock). A damaged file is set aside, never trusted and never a crash.
//!
//! # File format, version 1
//!
//! One file `NAME.state` per zone, NAME being the apex in lower case without its last dot, octets other than
//! `a-z 0-9 - _ .` as `%XX`; `@` is the root, and a name of more than 200 characters is `%` and its SHA-256.
//! Text, lines ended by LF, in this order:
//!
//! ```text
//! ;anyns-state 1
//! ;zone example.org.
//! ;digest 64 hexadecimal digits         content without the SOA serial
//! ;serial 2024010102                    the serial that is served
//! ;source-serial 2024010101             the serial that the source gave
//! ;records 12
//! ;signed true
//! ;accepted 1732147200                  seconds since 1970-01-01 UTC
//! ;root "/var/lib/zones"                the configured source, a JSON string
//! ;path "/var/lib/zones/example.org.zone"
//! ;header 64 hexadecimal digits         SHA-256 of all lines above
//! ... the zone as a master file ...
//! ;body 64 hexadecimal digits           SHA-256 of the master file; the last line
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::wire::Name;
use crate::zone::Zone;

use super::accept::Standing;
use super::state_file::{Header, Kept, StateError, hash_line};
use super::text::{Limits, read_zone, write_zone};

/// The longest part of a file name made from a zone's name; NAME_MAX is 255 and suffixes must fit.
const MAX_FILE_NAME: usize = 200;

/// The state directory, locked.
#[derive(Debug)]
pub(super) struct Store {
    directory: PathBuf,
    lock: File,
}

/// A file that was set aside, and why.
pub(super) type Damaged = (PathBuf, StateError);

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds it.
    #[error("another process uses the state directory {path}")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// It cannot be made, opened or locked.
    #[error("cannot use the state directory {path}: {source}")]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Store {
    /// Makes the directory if need be, and locks it.
    pub(super) fn open(directory: &Path) -> Result<Self, StoreError> {
        let unusable = |source| StoreError::Unusable { path: directory.to_path_buf(), source };
        fs::create_dir_all(directory).map_err(unusable)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join("lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { directory: directory.to_path_buf(), lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: directory.to_path_buf() }),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// Where it is.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Every zone that is kept, without its records; damaged files are set aside and returned with the reason.
    pub(super) fn list(&self) -> io::Result<(Vec<Kept>, Vec<Damaged>)> {
        let (mut kept, mut damaged) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("state") => {}
                // What a crash left while it was written.
                Some("new") => {
                    let _ = fs::remove_file(&path);
                    continue;
                }
                _ => continue,
            }
            match Kept::look(&path) {
                Ok(found) if self.path_of(&found.zone) == path => kept.push(found),
                Ok(_) => damaged.push((path, StateError::OtherZone)),
                Err(error) => damaged.push((path, error)),
            }
        }
        for (path, _) in &damaged {
            self.set_aside(path);
        }
        Ok((kept, damaged))
    }

    /// One kept zone with its records; a damaged file is set aside.
    pub(super) fn load(&self, zone: &Name, limits: &Limits) -> Result<Zone, Damaged> {
        let path = self.path_of(zone);
        self.try_load(&path, zone, limits).map_err(|error| {
            self.set_aside(&path);
            (path, error)
        })
    }

    fn try_load(&self, path: &Path, zone: &Name, limits: &Limits) -> Result<Zone, StateError> {
        let kept = Kept::look(path)?;
        kept.verify(path)?;
        let read = read_zone(path, zone, limits).map_err(|error| StateError::Zone(error.to_string()))?;
        if read.zone.serial() != kept.header.standing.serial {
            return Err(StateError::OtherSerial);
        }
        Ok(read.zone)
    }

    /// Keeps one version: whole and synced when it returns, or the older one is still there.
    pub(super) fn save(&self, header: &Header, zone: &Zone) -> io::Result<()> {
        let path = self.path_of(zone.origin());
        let fresh = path.with_extension("new");
        let written = self.write(&fresh, header, zone).and_then(|()| fs::rename(&fresh, &path));
        if let Err(error) = written {
            let _ = fs::remove_file(&fresh);
            return Err(error);
        }
        self.sync()
    }

    fn write(&self, path: &Path, header: &Header, zone: &Zone) -> io::Result<()> {
        let file = File::create(path)?;
        let mut out = Hashed { out: BufWriter::new(file), hash: Sha256::new() };
        out.out.write_all(header.to_text(zone.origin()).as_bytes())?;
        write_zone(zone, &mut out)?;
        let last = hash_line("body", &out.hash.finalize().into());
        out.out.write_all(last.as_bytes())?;
        out.out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }

    /// Forgets one zone.
    pub(super) fn remove(&self, zone: &Name) -> io::Result<()> {
        match fs::remove_file(self.path_of(zone)) {
            Ok(()) => self.sync(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    /// Renames a damaged file, so that somebody can look at it and nothing trips over it again.
    fn set_aside(&self, path: &Path) {
        let _ = fs::rename(path, path.with_extension("damaged"));
    }

    fn path_of(&self, zone: &Name) -> PathBuf {
        self.directory.join(format!("{}.state", file_name(zone)))
    }
}

impl Drop for Store {
    /// Gives the lock back explicitly: closing alone would leave it with a child process that was forked meanwhile.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
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

/// What is kept of a zone in a state directory that is not locked, if it is sound.
pub(super) fn peek(directory: &Path, zone: &Name) -> Option<Standing> {
    let path = directory.join(format!("{}.state", file_name(zone)));
    Kept::look(&path).ok().filter(|kept| kept.zone == *zone).map(|kept| kept.header.standing)
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
        let long = format!("{0}.{0}.{0}.{1}.", "\\000".repeat(62), "\\000".repeat(60));
        assert_eq!(name(&long).len(), 65);
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
