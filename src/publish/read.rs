//! Reads one zone file whole and unchanging.
//!
//! A path flows in, a compiled zone or a named fault flows out, with the fingerprints by which a later change is
//! told. Never reads a file that somebody has open for writing, and never trusts a reading during which a file
//! changed.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::sys::lease::{Writers, writers};
use crate::wire::Name;

use super::fault::Fault;
use super::text::{Limits, ReadZone, read_zone};

/// How often a file that changes under the reader is read again before it has to wait for the next pass.
const ATTEMPTS: u32 = 4;
/// A file's times come from a clock that ticks at least every 10 ms (CONFIG_HZ = 100): a change that late may
/// carry an earlier time.
const TICK: Duration = Duration::from_millis(20);

/// What tells one state of a file from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprint {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The files of one reading, the zone file first, each as it was; `None` for one that could not be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files(Vec<(PathBuf, Option<Fingerprint>)>);

/// One reading.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) result: Result<ReadZone, Fault>,
    pub(super) files: Files,
}

/// Who is thought to be writing where the kernel does not tell: the watcher, which heard of a change without an end.
pub(super) type StillWritten<'a> = &'a dyn Fn(&Path) -> bool;

/// Reads the zone at `path`; `before` are the files of its last reading.
pub(super) fn read(
    path: &Path,
    origin: &Name,
    limits: &Limits,
    before: &Files,
    still_written: StillWritten<'_>,
) -> Reading {
    let mut files = before.again(path);
    for _ in 0..ATTEMPTS {
        let busy = files.paths().find(|file| has_writer(file, still_written)).map(Path::to_path_buf);
        if let Some(path) = busy {
            return Reading { result: Err(Fault::BeingWritten { path }), files };
        }
        let start = SystemTime::now().checked_sub(TICK).unwrap_or(UNIX_EPOCH);
        let result = read_zone(path, origin, limits);
        let after = match &result {
            Ok(zone) => Files::look(path, zone.files.get(1..).unwrap_or_default()),
            Err(error) => Files::look(path, error.files.get(1..).unwrap_or_default()),
        };
        if files.held_until(&after, start) {
            return Reading { result: result.map_err(|error| Fault::Bad(Arc::new(error))), files: after };
        }
        files = after;
    }
    let fault = Fault::Unstable { path: path.to_path_buf(), attempts: ATTEMPTS };
    Reading { result: Err(fault), files }
}

fn has_writer(path: &Path, still_written: StillWritten<'_>) -> bool {
    // Not blocking: a FIFO may have come in its place.
    let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    match opened.as_ref().map(writers) {
        Ok(Writers::None) => false,
        Ok(Writers::Some) => true,
        Ok(Writers::Unknown) | Err(_) => still_written(path),
    }
}

impl Files {
    /// The files as they are now: `path` first, then the included ones.
    fn look(path: &Path, included: &[PathBuf]) -> Self {
        let others = included.iter().map(PathBuf::as_path);
        Self(
            std::iter::once(path).chain(others).map(|file| (file.to_path_buf(), fingerprint(file))).collect(),
        )
    }

    /// The same files as they are now, with `path` as the zone file.
    pub(super) fn again(&self, path: &Path) -> Self {
        let others: Vec<PathBuf> = self.0.iter().skip(1).map(|(file, _)| file.clone()).collect();
        Self::look(path, &others)
    }

    /// The paths, the zone file first.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|(path, _)| path.as_path())
    }

    /// The files that the zone file included.
    pub(super) fn included(&self) -> impl Iterator<Item = &Path> {
        self.paths().skip(1)
    }

    /// Whether every file of `after` is as it was in `self`, or, if it is not in `self`, was last changed before
    /// `start`.
    fn held_until(&self, after: &Files, start: SystemTime) -> bool {
        after.0.iter().all(|(path, now)| match self.0.iter().find(|(other, _)| other == path) {
            Some((_, then)) => then == now,
            None => now.is_some_and(|now| now.changed_at() < start),
        })
    }
}

fn fingerprint(path: &Path) -> Option<Fingerprint> {
    fs::metadata(path).ok().map(|status| Fingerprint::of(&status))
}

impl Fingerprint {
    fn of(status: &Metadata) -> Self {
        Self {
            device: status.dev(),
            inode: status.ino(),
            size: status.size(),
            modified: (status.mtime(), status.mtime_nsec()),
            changed: (status.ctime(), status.ctime_nsec()),
        }
    }

    fn changed_at(&self) -> SystemTime {
        let (seconds, nanoseconds) = self.changed;
        let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        UNIX_EPOCH + seconds + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_holds_only_if_no_file_changed_meanwhile() {
        let directory = tempfile::tempdir().unwrap();
        let (zone, part) = (directory.path().join("zone"), directory.path().join("part"));
        fs::write(&zone, "1").unwrap();
        fs::write(&part, "1").unwrap();
        let written = SystemTime::now();
        let (early, late) = (written - Duration::from_secs(5), written + Duration::from_secs(5));
        let alone = Files::look(&zone, &[]);
        let both = Files::look(&zone, std::slice::from_ref(&part));
        let missing = Files::look(&zone, &[directory.path().join("missing")]);
        assert!(alone.held_until(&alone.again(&zone), early));
        // A file that was not known before must be older than the reading.
        assert!(alone.held_until(&both, late));
        assert!(!alone.held_until(&both, early));
        assert!(!alone.held_until(&missing, late));
        assert!(missing.held_until(&missing.again(&zone), early));
        // The same octets in another file are a change: another inode, another time.
        fs::write(directory.path().join("new"), "1").unwrap();
        fs::rename(directory.path().join("new"), &part).unwrap();
        assert!(!both.held_until(&both.again(&zone), late));
        assert!(alone.held_until(&alone.again(&zone), early));
    }
}
