//! Keeps accepted versions in the state directory, behind the serving.
//!
//! Versions that are served flow in, at once and without waiting; [`Outcome`]s flow out. One thread (1x), at a low
//! priority, writes them in groups: all files, one sync, all renames, one sync of the directory; so neither a start
//! nor a reload waits for a disk. A version of a zone file is on disk already, in that file, when it is served. One
//! that is in no file (a bumped serial) is kept first: [`Keeper::keep_first`].
//!
//! What waits is bounded by the number of zones: a newer version takes the older one's place. At the end of the
//! process what waits is still kept, within a bound of time; what is not kept then costs nothing but the older state.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::sys::priority::yield_to_others;
use crate::telemetry::{locked, panic_message};
use crate::wire::Name;
use crate::zone::Zone;

use crate::publish::state::state_file::Header;
use crate::publish::state::store::Store;
use crate::telemetry::pulse::{Place, Pulse, WAIT, Work};

/// The most versions of one group: each has an open file until the group is synced, and 1024 descriptors is what a
/// process may have by default.
const GROUP: usize = 256;
/// A group is closed once it has this many records (some 10 MB of text), so that a stop does not wait long for it.
const GROUP_RECORDS: usize = 200_000;

/// How often the thread says that it is there while it has nothing to do.
const IDLE: Duration = Duration::from_millis(500);

/// A version and what is known about it.
#[derive(Clone, Debug)]
pub(in crate::publish) struct Version {
    pub(in crate::publish) header: Arc<Header>,
    pub(in crate::publish) zone: Arc<Zone>,
}

/// Where somebody waits for the end of it.
type Reply = SyncSender<io::Result<()>>;

/// What became of a version.
#[derive(Debug)]
pub(in crate::publish) struct Outcome {
    pub(in crate::publish) version: Version,
    /// Whether it is in the state directory, or what the system said.
    pub(in crate::publish) result: Result<(), String>,
}

/// The state directory and the thread that writes it.
#[derive(Debug)]
pub(in crate::publish) struct Keeper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<Store>,
    work: Mutex<Waiting>,
    changed: Condvar,
    /// Called when there are outcomes.
    wake: Arc<Notify>,
    /// Where the thread has its place.
    pulse: Arc<Pulse>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By zone, the newest version alone.
    waiting: BTreeMap<Name, Version>,
    /// Somebody waits for these.
    urgent: Vec<(Version, Reply)>,
    /// The zones of the group that is being written; one that is taken out is not put in place.
    writing: BTreeSet<Name>,
    outcomes: Vec<Outcome>,
    /// Whether what waits may be written: not during the first load, which has the machine to itself.
    begun: bool,
    /// Ends the thread when nothing waits, or at this moment.
    end: Option<Instant>,
}

impl Keeper {
    /// Starts the thread; what is handed over waits until [`begin`](Self::begin). `wake` is called whenever there
    /// are outcomes.
    pub(in crate::publish) fn start(
        store: Arc<Store>,
        wake: Arc<Notify>,
        pulse: Arc<Pulse>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared { store, work: Mutex::default(), changed: Condvar::new(), wake, pulse });
        let thread = std::thread::Builder::new().name("keeper".to_owned()).spawn({
            let shared = shared.clone();
            move || shared.run()
        })?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// The directory, to read from.
    pub(in crate::publish) fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Keeps a version soon; it replaces one of the same zone that waits.
    pub(in crate::publish) fn keep(&self, version: Version) {
        let mut work = self.shared.lock();
        work.waiting.insert(version.zone.origin().clone(), version);
        if work.begun {
            self.shared.changed.notify_one();
        }
    }

    /// Keeps a version and waits for it.
    pub(in crate::publish) fn keep_first(&self, version: Version) -> io::Result<()> {
        let (reply, done) = sync_channel(1);
        let mut work = self.shared.lock();
        work.waiting.remove(version.zone.origin());
        work.urgent.push((version, reply));
        drop(work);
        self.shared.changed.notify_one();
        loop {
            match done.recv_timeout(WAIT) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("the thread that keeps zones has ended"));
                }
            }
        }
    }

    /// Lets what waits be written.
    pub(in crate::publish) fn begin(&self) {
        self.shared.lock().begun = true;
        self.shared.changed.notify_one();
    }

    /// Forgets a zone: what is kept of it, and what waits or is being written.
    pub(in crate::publish) fn forget(&self, zone: &Name) -> io::Result<()> {
        let mut work = self.shared.lock();
        work.waiting.remove(zone);
        work.writing.remove(zone);
        // Locked, so that no rename comes in between.
        self.shared.store.remove(zone)
    }

    /// Whether something became of versions since it was last asked.
    pub(in crate::publish) fn has_outcomes(&self) -> bool {
        !self.shared.lock().outcomes.is_empty()
    }

    /// What became of versions since it was last asked.
    pub(in crate::publish) fn outcomes(&self) -> Vec<Outcome> {
        std::mem::take(&mut self.shared.lock().outcomes)
    }

    /// Whether nothing waits and nothing is being written.
    pub(in crate::publish) fn is_idle(&self) -> bool {
        let work = self.shared.lock();
        work.waiting.is_empty() && work.writing.is_empty()
    }

    /// Keeps what waits, but takes up to the end of `patience` no new group, and gives the directory back.
    pub(in crate::publish) fn finish(&self, patience: Duration) {
        self.shared.lock().begun = true;
        self.end(patience);
    }

    fn end(&self, patience: Duration) {
        self.shared.lock().end = Some(Instant::now() + patience);
        self.shared.changed.notify_one();
        let thread = locked(&self.thread).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that keeps zones failed");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        locked(&self.work)
    }

    fn run(&self) {
        yield_to_others();
        let place = self.pulse.place(Work::Keep);
        while let Some((group, replies)) = self.next_group(&place) {
            let write = AssertUnwindSafe(|| self.write(&group));
            let results = catch_unwind(write).unwrap_or_else(|panic| {
                let reason = panic_message(panic.as_ref());
                tracing::error!(reason, zones = group.len(), "keeping zones panicked; it is tried again");
                group.iter().map(|_| Err(io::Error::other(format!("it panicked: {reason}")))).collect()
            });
            let mut work = self.lock();
            work.writing.clear();
            let mut replies = replies.into_iter();
            for (version, result) in group.into_iter().zip(results) {
                match replies.next() {
                    // Whoever waited for it may be gone.
                    Some(reply) => drop(reply.send(result)),
                    None => {
                        let result = result.map_err(|error| error.to_string());
                        work.outcomes.push(Outcome { version, result });
                    }
                }
            }
            drop(work);
            self.wake.notify_one();
        }
    }

    /// Waits for work: versions, and who waits for the first of them. `None` ends the thread.
    fn next_group(&self, place: &Place) -> Option<(Vec<Version>, Vec<Reply>)> {
        let mut work = self.lock();
        loop {
            let late = work.end.is_some_and(|end| end <= Instant::now());
            if !work.urgent.is_empty() {
                let (group, replies): (Vec<_>, Vec<_>) = std::mem::take(&mut work.urgent).into_iter().unzip();
                work.writing = group.iter().map(|version| version.zone.origin().clone()).collect();
                return Some((group, replies));
            }
            if work.begun && !late && !work.waiting.is_empty() {
                let group = work.take_group();
                return Some((group, Vec::new()));
            }
            if work.end.is_some() {
                return None;
            }
            place.step(None);
            work = self.changed.wait_timeout(work, IDLE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes, syncs, renames, syncs again; a result for each version.
    fn write(&self, group: &[Version]) -> Vec<io::Result<()>> {
        let written: Vec<io::Result<File>> =
            group.iter().map(|version| self.store.write(&version.header, &version.zone)).collect();
        let (files, mut results): (Vec<Option<File>>, Vec<io::Result<()>>) = written
            .into_iter()
            .map(|file| file.map_or_else(|error| (None, Err(error)), |file| (Some(file), Ok(()))))
            .unzip();
        let files: Vec<File> = files.into_iter().flatten().collect();
        let synced = self.store.sync(&files);
        drop(files);
        for (version, result) in group.iter().zip(&mut results).filter(|(_, result)| result.is_ok()) {
            *result = again(&synced).and_then(|()| self.put_in_place(version.zone.origin()));
            if result.is_err() {
                self.store.discard(version.zone.origin());
            }
        }
        let synced = self.store.sync_directory();
        for (version, result) in group.iter().zip(&mut results) {
            if result.is_ok() {
                *result = again(&synced);
            }
            self.cut_journal(version, result.as_ref().err());
        }
        results
    }

    /// A version that is in its state file, durably, needs no journal up to it.
    fn cut_journal(&self, version: &Version, failed: Option<&io::Error>) {
        let zone = version.zone.origin();
        let cut = match failed {
            None => self.store.trim(zone, &version.header.chain),
            Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        if let Err(error) = cut
            && self.store.not_trimmed(zone)
        {
            tracing::warn!(%zone, "the journal grows beyond its bound: the zone cannot be written whole: {error}");
        }
    }

    /// Unless the zone was forgotten meanwhile.
    fn put_in_place(&self, zone: &Name) -> io::Result<()> {
        let work = self.lock();
        if !work.writing.contains(zone) {
            self.store.discard(zone);
            return Ok(());
        }
        self.store.replace(zone)
    }
}

impl Waiting {
    fn take_group(&mut self) -> Vec<Version> {
        let (mut group, mut records) = (Vec::new(), 0);
        while group.len() < GROUP && records < GROUP_RECORDS {
            let Some((zone, version)) = self.waiting.pop_first() else { break };
            records += version.zone.record_count();
            self.writing.insert(zone);
            group.push(version);
        }
        group
    }
}

/// The same result once more: an [`io::Error`] cannot be cloned.
fn again(result: &io::Result<()>) -> io::Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    }
}
