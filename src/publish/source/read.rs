//! Reads one zone file whole and unchanging.
//!
//! A path flows in, a compiled zone or a named fault flows out, with the fingerprints by which a later change is
//! told. Never reads a file that somebody has open for writing, and never trusts a reading during which a file
//! changed.
//!
//! # What tells after a restart that a file is what it was
//!
//! Device, inode, birth, size, modification and change time, if the file had rested when it was read ([`Files::settled`]): any later
//! change sets the change time from a clock that has moved on since. `utimes` cannot set that time back. A clock that was set
//! back can repeat a time; so nothing is trusted while the clock shows an earlier time than at the reading
//! ([`Files::still_hold`]). What remains: the clock was set back, the file was written in place in the very tick of its old change
//! time and with its old size, and the clock is right again. Who can do that on purpose can also write the state directory.
//! Files that had not rested are read again, and known by their octets ([`holds`]).

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use crate::sys::lease::{Writers, writers};
use crate::wire::Name;

use crate::publish::accept::Digest;
use crate::publish::fault::Fault;
use crate::publish::source::watch::Writer;
use crate::zonefile::{Beside, Limits, ReadError, ReadZone, open_regular, read_open_zone};

/// How often a file that changes under the reader is read again before it has to wait for the next pass.
const ATTEMPTS: u32 = 4;
/// A file's times come from a clock that ticks at least every 10 ms (CONFIG_HZ = 100): a change that late may
/// carry an earlier time.
const TICK: Duration = Duration::from_millis(20);
/// The same where a file system keeps whole seconds (ext3), or even ones (FAT).
const COARSE_TICK: Duration = Duration::from_secs(3);
/// The same where another host may set the times, from its clock: on a network file system. Clocks that are a minute apart are
/// a fault that other services show first.
const OTHER_CLOCK: Duration = Duration::from_secs(60);

/// What tells one state of a file from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::publish) struct Fingerprint {
    pub(in crate::publish) device: u64,
    pub(in crate::publish) inode: u64,
    /// When the file was made, where the file system says: the number of an inode is used again.
    pub(in crate::publish) born: Option<SystemTime>,
    pub(in crate::publish) size: u64,
    pub(in crate::publish) modified: (i64, i64),
    pub(in crate::publish) changed: (i64, i64),
}

/// The files of one reading, each as it was; `None` for one that could not be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::publish) struct Files {
    pub(in crate::publish) path: Option<Arc<Path>>,
    pub(in crate::publish) zone: Option<Fingerprint>,
    /// The files that the zone file included.
    pub(in crate::publish) included: Included,
    /// When they were read, if each of them had rested by then: a later change shows in its fingerprint, also after a restart.
    pub(in crate::publish) settled: Option<SystemTime>,
}

pub(in crate::publish) type Included = Box<[(PathBuf, Option<Fingerprint>)]>;

/// One reading.
#[derive(Debug)]
pub(in crate::publish) struct Reading {
    pub(in crate::publish) result: Result<ReadZone, Fault>,
    pub(in crate::publish) files: Files,
}

/// What the watcher knows of a file's writer: whether there is one, where the kernel does not tell, and whether it may go on.
pub(in crate::publish) type WriterOf<'a> = &'a (dyn Fn(&Path) -> Writer + Sync);

/// Reads the zone at `path`; `before` are the files of its last reading. One of them that grew or shrank in place less than `settle`
/// ago is being written, also where no notification tells of it (another host of a network file system, another hard link).
/// `None`: the file has more than `most` octets, so it was not read.
pub(in crate::publish) fn read(
    path: &Arc<Path>,
    origin: &Name,
    (limits, most): (&Limits, u64),
    (before, settle): (&Files, Duration),
    writer_of: WriterOf<'_>,
    beside: Beside<'_>,
) -> Option<Reading> {
    if let Some(path) = before.growing(path, settle) {
        return Some(Reading { result: Err(Fault::BeingWritten { path }), files: before.clone() });
    }
    let mut included = before.included_again();
    for _ in 0..ATTEMPTS {
        match attempt(path, origin, (limits, most), included, (writer_of, beside)) {
            Attempt::Read(reading) => return Some(*reading),
            Attempt::TooLarge => return None,
            Attempt::Changed(now) => included = now,
        }
    }
    let fault = Fault::Unstable { path: path.to_path_buf(), attempts: ATTEMPTS };
    Some(Reading { result: Err(fault), files: Files::new(path, fingerprint(path), included) })
}

/// What came of one try.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, for a moment")]
enum Attempt {
    Read(Box<Reading>),
    /// The file has more octets than are to be read.
    TooLarge,
    /// A file changed meanwhile; the included ones as they are now.
    Changed(Included),
}

impl Attempt {
    fn read(reading: Reading) -> Self {
        Self::Read(Box::new(reading))
    }
}

/// The files of a reading that would give what the zone file with these octets gave, if that is what is at `path`: no
/// file's time or size is trusted, only what it holds. `None` also if somebody writes to it, or it cannot be read; a
/// reading will tell. Nor is a file of more than `most` octets read.
pub(in crate::publish) fn holds(
    path: &Arc<Path>,
    octets: &Digest,
    (limits, most): (&Limits, u64),
    writer_of: WriterOf<'_>,
) -> Option<Files> {
    let (file, status) = open_regular(path).ok()?;
    let (zone, begun) = (Fingerprint::of(&status), SystemTime::now());
    let told = writers(&file, status.dev());
    if status.len() > limits.octets.min(most) || is_written(told, path, writer_of) {
        return None;
    }
    let is_local = told != Writers::Unknown;
    let mut hash = Sha256::new();
    io::copy(&mut (&file).take(status.len().saturating_add(1)), &mut hash).ok()?;
    let same = Digest::from(hash.finalize()) == *octets;
    let unchanging = Fingerprint::of(&file.metadata().ok()?) == zone;
    (same && unchanging).then(|| Files::new(path, Some(zone), Included::default()).read_at(begun, is_local))
}

/// One try. The zone file is opened once, so that what is asked of it is asked of what is read: should another take
/// its place meanwhile, then this one is read whole, and the next look finds the other.
fn attempt(
    path: &Arc<Path>,
    origin: &Name,
    (limits, most): (&Limits, u64),
    included: Included,
    (writer_of, beside): (WriterOf<'_>, Beside<'_>),
) -> Attempt {
    let (mut file, status) = match open_regular(path) {
        Ok(opened) => opened,
        Err(fault) => {
            let error = ReadError::of_file(path, fault);
            let files = Files::new(path, fingerprint(path), included);
            return Attempt::read(Reading { result: Err(Fault::Bad(Arc::new(error))), files });
        }
    };
    if status.len() > most {
        return Attempt::TooLarge;
    }
    let zone = Some(Fingerprint::of(&status));
    let told = writers(&file, status.dev());
    let busy_include = included.iter().map(|(file, _)| file).find(|file| has_writer(file, writer_of));
    let busy =
        if is_written(told, path, writer_of) { Some(&**path) } else { busy_include.map(PathBuf::as_path) };
    if let Some(busy) = busy {
        let fault = Fault::BeingWritten { path: busy.to_path_buf() };
        return Attempt::read(Reading { result: Err(fault), files: Files::new(path, zone, included) });
    }
    let begun = SystemTime::now();
    let start = begun.checked_sub(TICK).unwrap_or(UNIX_EPOCH);
    let is_local = told != Writers::Unknown;
    let result = read_open_zone(&mut file, &status, path, origin, limits, beside);
    let result = match result {
        Err(error) if error.is_of_gate() => {
            // Nothing may be asked of the files that it includes.
            let files = Files::new(path, zone, Included::default());
            return Attempt::read(Reading { result: Err(Fault::Bad(Arc::new(error.first()))), files });
        }
        result => result,
    };
    let files = match &result {
        Ok(zone) => &zone.files,
        Err(error) => &error.files,
    };
    let after = look(files.get(1..).unwrap_or_default());
    // A writer of a file that was included for the first time was not known before.
    let is_new = |file: &&PathBuf| !included.iter().any(|(known, _)| known == *file);
    if let Some(busy) =
        after.iter().map(|(file, _)| file).filter(is_new).find(|file| has_writer(file, writer_of))
    {
        let fault = Fault::BeingWritten { path: busy.clone() };
        return Attempt::read(Reading { result: Err(fault), files: Files::new(path, zone, after) });
    }
    let same = file.metadata().is_ok_and(|status| Some(Fingerprint::of(&status)) == zone);
    if same && held_until(&included, &after, start) {
        let result = result.map_err(|error| Fault::Bad(Arc::new(error.first())));
        let files = Files::new(path, zone, after).read_at(begun, is_local);
        return Attempt::read(Reading { result, files });
    }
    Attempt::Changed(after)
}

fn has_writer(path: &Path, writer_of: WriterOf<'_>) -> bool {
    // Not blocking: a FIFO may have come in its place.
    let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let told = opened.and_then(|file| Ok(writers(&file, file.metadata()?.dev())));
    told.map_or_else(|_| writer_of(path) != Writer::None, |told| is_written(told, path, writer_of))
}

fn is_written(told: Writers, path: &Path, writer_of: WriterOf<'_>) -> bool {
    match told {
        Writers::None => writer_of(path) == Writer::Settles,
        Writers::Some => true,
        Writers::Unknown => writer_of(path) != Writer::None,
    }
}

impl Files {
    fn new(path: &Arc<Path>, zone: Option<Fingerprint>, included: Included) -> Self {
        Self { path: Some(path.clone()), zone, included, settled: None }
    }

    /// Notes that these files were read from this moment on, if each of them had rested for a while by then. `is_local`: the
    /// kernel of this host knows who writes, so its clock set their times.
    fn read_at(mut self, start: SystemTime, is_local: bool) -> Self {
        let device = self.zone.map(|zone| zone.device);
        let rested = |file: &Option<Fingerprint>| {
            file.is_some_and(|file| file.had_rested(start, is_local && Some(file.device) == device))
        };
        let all = std::iter::once(&self.zone).chain(self.included.iter().map(|(_, file)| file));
        self.settled = all.into_iter().all(rested).then_some(start);
        self
    }

    /// Whether the zone file, now at `path`, and what it included are as they were.
    pub(in crate::publish) fn are_as_before(&self, path: &Path) -> bool {
        self.path.as_deref() == Some(path)
            && fingerprint(path) == self.zone
            && self.included_again() == self.included
    }

    /// Whether the zone file, now at `path`, is as it was. Asks nothing of what it included.
    pub(in crate::publish) fn has_zone_file(&self, path: &Path) -> bool {
        self.path.as_deref() == Some(path) && self.zone.is_some() && fingerprint(path) == self.zone
    }

    /// Whether files of an earlier process are as they were when it read them, the zone file now at `path`: nothing that it
    /// included, and nothing of its own, has changed since.
    pub(in crate::publish) fn still_hold(&self, path: &Path) -> bool {
        self.settled.is_some_and(|read| read <= SystemTime::now()) && self.are_as_before(path)
    }

    /// A file that grew or shrank in place lately; `path` is where the zone file is now.
    fn growing(&self, path: &Path, settle: Duration) -> Option<PathBuf> {
        let zone = self.path.as_deref().filter(|known| *known == path).map(|path| (path, self.zone));
        let included = self.included.iter().map(|(path, before)| (path.as_path(), *before));
        let grows = |before: Option<Fingerprint>, now: Option<Fingerprint>| {
            before.zip(now).is_some_and(|(before, now)| now.grew_in_place(&before, settle))
        };
        let mut files = zone.into_iter().chain(included);
        files.find(|(path, before)| grows(*before, fingerprint(path))).map(|(path, _)| path.to_path_buf())
    }

    fn included_again(&self) -> Included {
        self.included.iter().map(|(file, _)| (file.clone(), fingerprint(file))).collect()
    }

    /// The same files as they are at this moment, for a reading of which nothing else is known.
    pub(in crate::publish) fn now(&self, path: &Arc<Path>) -> Self {
        Self::new(path, fingerprint(path), self.included_again())
    }

    /// Whether both are the same files in the same state.
    pub(in crate::publish) fn is_same(&self, other: &Self) -> bool {
        (&self.path, &self.zone, &self.included) == (&other.path, &other.zone, &other.included)
    }

    /// Whether the same other files are included, whatever became of them.
    pub(in crate::publish) fn includes_the_same(&self, other: &Self) -> bool {
        self.included().eq(other.included())
    }

    /// Octets of the zone file; 0 if it was not read.
    pub(in crate::publish) fn octets(&self) -> u64 {
        self.zone.map_or(0, |zone| zone.size)
    }

    /// The files that the zone file included.
    pub(in crate::publish) fn included(&self) -> impl Iterator<Item = &Path> {
        self.included.iter().map(|(path, _)| path.as_path())
    }
}

fn look(files: &[PathBuf]) -> Included {
    files.iter().map(|file| (file.clone(), fingerprint(file))).collect()
}

/// Whether every file of `after` is as it was in `before`, or, if it is not there, was last changed before `start`.
fn held_until(
    before: &[(PathBuf, Option<Fingerprint>)],
    after: &[(PathBuf, Option<Fingerprint>)],
    start: SystemTime,
) -> bool {
    after.iter().all(|(path, now)| match before.iter().find(|(other, _)| other == path) {
        Some((_, then)) => then == now,
        None => now.is_some_and(|now| now.changed_at() < start),
    })
}

fn fingerprint(path: &Path) -> Option<Fingerprint> {
    fs::metadata(path).ok().map(|status| Fingerprint::of(&status))
}

impl Fingerprint {
    fn of(status: &Metadata) -> Self {
        Self {
            device: status.dev(),
            inode: status.ino(),
            born: status.created().ok(),
            size: status.size(),
            modified: (status.mtime(), status.mtime_nsec()),
            changed: (status.ctime(), status.ctime_nsec()),
        }
    }

    /// Whether it is the same file with another length, and was written to less than `settle` ago.
    fn grew_in_place(&self, before: &Self, settle: Duration) -> bool {
        let is_same = |file: &Self| (file.device, file.inode, file.born);
        let written = time(self.modified);
        is_same(self) == is_same(before)
            && self.size != before.size
            && SystemTime::now().duration_since(written).is_ok_and(|age| age < settle)
    }

    /// Whether nothing that changed it after `start` can have left it with these times: its clock had moved on by then.
    fn had_rested(&self, start: SystemTime, is_local: bool) -> bool {
        let rest = match (is_local, self.changed.1) {
            (false, _) => OTHER_CLOCK,
            (true, 0) => COARSE_TICK,
            (true, _) => TICK,
        };
        start.duration_since(self.changed_at()).is_ok_and(|rested| rested > rest)
    }

    fn changed_at(&self) -> SystemTime {
        time(self.changed)
    }
}

/// Seconds and nanoseconds since 1970.
fn time((seconds, nanoseconds): (i64, i64)) -> SystemTime {
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    UNIX_EPOCH + seconds + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As where no notification comes: through another hard link, or on another host.
    #[test]
    fn a_file_that_grew_in_place_lately_is_being_written() {
        let directory = tempfile::tempdir().unwrap();
        let (zone, link) = (directory.path().join("zone"), directory.path().join("link"));
        let age = |path: &Path, seconds| {
            let modified = SystemTime::now() - Duration::from_secs(seconds);
            File::options().append(true).open(path).unwrap().set_modified(modified).unwrap();
        };
        let path: Arc<Path> = zone.as_path().into();
        fs::write(&zone, "1").unwrap();
        fs::hard_link(&zone, &link).unwrap();
        let before = Files::new(&path, fingerprint(&zone), Included::default());
        let growing = |before: &Files| before.growing(&path, Duration::from_secs(30)).is_some();
        assert!(!growing(&before));
        // Touched: as long as before, so nothing is missing.
        age(&link, 0);
        assert!(!growing(&before));
        fs::write(&link, "12").unwrap();
        assert!(growing(&before));
        age(&link, 31);
        assert!(!growing(&before), "it rested");
        age(&link, 0);
        assert!(growing(&before));
        // Another file in its place is whole.
        fs::write(directory.path().join("new"), "123").unwrap();
        fs::rename(directory.path().join("new"), &zone).unwrap();
        assert!(!growing(&before));
        // The same of a file that is included.
        let including = Files::new(&path, fingerprint(&zone), look(std::slice::from_ref(&link)));
        fs::write(&link, "1234").unwrap();
        assert_eq!(including.growing(&path, Duration::from_secs(30)), Some(link));
    }

    #[test]
    fn a_reading_holds_only_if_no_file_changed_meanwhile() {
        let directory = tempfile::tempdir().unwrap();
        let (zone, part) = (directory.path().join("zone"), directory.path().join("part"));
        fs::write(&zone, "1").unwrap();
        fs::write(&part, "1").unwrap();
        let written = SystemTime::now();
        let (early, late) = (written - Duration::from_secs(5), written + Duration::from_secs(5));
        let (none, known) = (look(&[]), look(std::slice::from_ref(&part)));
        let missing = look(&[directory.path().join("missing")]);
        assert!(held_until(&none, &look(&[]), early));
        // A file that was not known before must be older than the reading.
        assert!(held_until(&none, &known, late));
        assert!(!held_until(&none, &known, early));
        assert!(!held_until(&none, &missing, late));
        assert!(held_until(&missing, &look(&[directory.path().join("missing")]), early));
        let files = Files::new(&zone.as_path().into(), fingerprint(&zone), known.clone());
        assert!(files.are_as_before(&zone));
        // The same octets in another file are a change: another inode, another time.
        fs::write(directory.path().join("new"), "1").unwrap();
        fs::rename(directory.path().join("new"), &part).unwrap();
        assert!(!held_until(&known, &look(std::slice::from_ref(&part)), late));
        assert!(!files.are_as_before(&zone));
    }
}
