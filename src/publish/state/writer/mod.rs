//! Writes the state directory, behind the serving.
//!
//! Versions that are served flow in, at once and without waiting; [`KeptOutcome`]s flow out. One thread (1x), at a low
//! priority, writes them in groups, each with one sync; so neither a start nor a reload waits for a disk. A version of a zone file
//! is on disk already, in that file, when it is served. One that is in no file is kept first: [`StateWriter::keep_first`] and
//! [`StateWriter::append`] wait for it, but not without end: a disk that hangs holds up nothing that needs no disk.
//!
//! What waits is bounded by the number of zones: of each a few versions, so that each step gets into its history.
//! At the end of the process what waits is still kept, within a bound of time; what is not kept then costs nothing but the older
//! state.

pub(in crate::publish) mod ready;
pub(in crate::publish) mod rows;
pub(in crate::publish) mod urgent;
pub(in crate::publish) mod waiting;

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::publish::state::database::DatabaseError;
use crate::publish::state::database::fields::key_of;
use crate::publish::state::files::holds::{self, Holds};
use crate::publish::state::store::Store;
use crate::publish::state::store::writing::Ready;
use crate::publish::state::tables::anew::Successor;
use crate::publish::state::tables::timers::ZoneTimers;
use crate::publish::state::version::step::Written;
use crate::publish::state::writer::ready::{Version, ready};
use crate::publish::state::writer::rows::ZoneRows;
use crate::publish::state::writer::urgent::{HoldsChange, Sorted, Urgent, WriterReply, hangs, writer_reply};
use crate::publish::state::writer::waiting::{KeptOutcome, Waiting};
use crate::sys::priority::yield_to_others;
use crate::telemetry::pulse::{Place, Pulse, Work};
use crate::telemetry::{locked, panic_message};
use crate::wire::{Name, Serial};

/// The longest that somebody waits for a whole version. One of 150 MB takes seconds on a slow disk.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that somebody waits for some kilobytes: a thread for changes does, for a difference.
const SHORT_PATIENCE: Duration = Duration::from_secs(5);
/// The longest that the end of the process waits for one write.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// How often the thread says that it is there while it has nothing to do.
const IDLE: Duration = Duration::from_millis(500);

/// Steps that are larger than this part of the record are given up for a new record: then a start reads half as much again at
/// most, and of what is written to the disk two thirds are differences.
const SHARE: u64 = 2;
/// Steps up to this size stay outside of the record in any case: small zones are not rewritten for every few differences, and
/// a megabyte is applied in some milliseconds.
const LEAST: u64 = 1 << 20;
/// Beyond so many times that, which takes a disk that is full or far too slow, a difference waits for the new record.
const MOST_BEYOND: u64 = 2;

/// The state directory and the thread that writes it.
#[derive(Debug)]
pub(in crate::publish) struct StateWriter {
    shared: Arc<WriterShared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Closed when the thread ends.
    ended: Mutex<Receiver<()>>,
}

#[derive(Debug)]
struct WriterShared {
    store: Arc<Store>,
    work: Mutex<Waiting>,
    changed: Condvar,
    /// Called when there are outcomes.
    wake: Arc<Notify>,
    /// Where the thread has its place.
    pulse: Arc<Pulse>,
}

/// How much is in the steps of a zone that are not in its record, against the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::publish) enum Fill {
    /// There may be more.
    Low,
    /// The zone is to be written whole behind the serving; said once until that has come to an end.
    High,
    /// What comes next must be written whole.
    Full,
}

impl StateWriter {
    /// Starts the thread; what is handed over waits until [`begin`](Self::begin). `wake` is called whenever there
    /// are outcomes.
    pub(in crate::publish) fn start(
        store: Arc<Store>,
        wake: Arc<Notify>,
        pulse: Arc<Pulse>,
    ) -> io::Result<Self> {
        let shared =
            Arc::new(WriterShared { store, work: Mutex::default(), changed: Condvar::new(), wake, pulse });
        let (running, ended) = sync_channel(0);
        let thread = std::thread::Builder::new().name("state-writer".to_owned()).spawn({
            let shared = shared.clone();
            move || {
                let _running = running;
                shared.run();
            }
        })?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)), ended: Mutex::new(ended) })
    }

    /// The directory, to read from.
    pub(in crate::publish) fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Keeps a version soon, behind those of the same zone that wait.
    pub(in crate::publish) fn keep(&self, version: Version) {
        let mut work = self.shared.lock();
        work.add(version);
        if work.begun {
            self.shared.changed.notify_one();
        }
    }

    /// Keeps a version, and those of the zone that wait before it, and waits for it.
    pub(in crate::publish) fn keep_first(&self, version: Version) -> io::Result<()> {
        self.ask(PATIENCE, |work| {
            let mut versions = work.waiting.remove(version.zone.origin()).unwrap_or_default();
            versions.push(version);
            Urgent::Keep(versions)
        })
    }

    /// Appends a step and waits for it. The version that it continues must be durable; if it is not the last one that is kept, the
    /// error is `InvalidData`.
    pub(in crate::publish) fn append(&self, zone: &Name, step: Written) -> io::Result<()> {
        self.ask(SHORT_PATIENCE, |_| Urgent::Append(zone.clone(), step))
    }

    /// Forgets a zone soon: what is kept of it, and what waits; with the last serial that was served of it. Many may go at once.
    pub(in crate::publish) fn forget_soon(&self, zone: &Name, served: Option<Serial>, next: Successor) {
        let mut work = self.shared.lock();
        self.store().serials().begin_to_forget(zone, served);
        work.waiting.remove(zone);
        work.urgent.retain(|(urgent, reply)| urgent.zone() != Some(zone) || !reply.is_given_up());
        let known = work.forgotten.entry(zone.clone()).or_insert(next);
        *known = next.max(*known);
        self.shared.changed.notify_one();
    }

    /// Keeps timers of secondary zones soon; none: forgets those of a zone.
    pub(in crate::publish) fn keep_timers(&self, timers: Vec<(Name, Option<ZoneTimers>)>) {
        self.shared.lock().timers.extend(timers);
        self.shared.changed.notify_one();
    }

    /// Keeps short values of zones, and waits for it.
    pub(in crate::publish) fn keep_rows(&self, rows: ZoneRows) -> io::Result<()> {
        self.ask(SHORT_PATIENCE, |_| Urgent::Rows(rows))
    }

    /// Finds out soon whether the directory is still in its place ([`Store::look_at_place`]): its disk may not answer.
    pub(in crate::publish) fn look_soon(&self) {
        self.shared.lock().looks = true;
        self.shared.changed.notify_one();
    }

    /// Keeps short values of zones soon.
    pub(in crate::publish) fn keep_rows_soon(&self, rows: ZoneRows) {
        let (reply, _) = writer_reply();
        self.shared.lock().urgent.push((Urgent::Rows(rows), reply));
        self.shared.changed.notify_one();
    }

    /// Keeps which zones are held, and waits for it.
    pub(in crate::publish) fn keep_holds(&self, before: Arc<Holds>, after: Arc<Holds>) -> io::Result<()> {
        self.ask(SHORT_PATIENCE, |_| Urgent::Holds(HoldsChange { before, after }))
    }

    /// Zones that could not be forgotten since this was last asked, and why.
    pub(in crate::publish) fn remaining(&self) -> Vec<(Name, String)> {
        std::mem::take(&mut self.shared.lock().remaining)
    }

    /// Forgets a zone, with the last serial that was served of it, and waits for it.
    pub(in crate::publish) fn forget(&self, zone: &Name, served: Option<Serial>) -> io::Result<()> {
        self.ask(SHORT_PATIENCE, |work| {
            self.store().serials().begin_to_forget(zone, served);
            work.waiting.remove(zone);
            Urgent::Forget(zone.clone())
        })
        .inspect_err(|_| self.store().not_forgotten(zone))
    }

    fn ask(&self, patience: Duration, make: impl FnOnce(&mut Waiting) -> Urgent) -> io::Result<()> {
        let (reply, answer) = writer_reply();
        let mut work = self.shared.lock();
        if let Some(since) = work.since.filter(|since| since.elapsed() >= PATIENCE) {
            return Err(hangs(since.elapsed()));
        }
        let urgent = make(&mut work);
        work.urgent.push((urgent, reply));
        drop(work);
        self.shared.changed.notify_one();
        answer.wait(patience)
    }

    /// How much a zone would have outside of its record with so many octets more, against the bound.
    pub(in crate::publish) fn fill(&self, zone: &Name, more: usize) -> Fill {
        let tail = self.store().tail(zone).ok().flatten();
        let (record, pending) = tail.map_or((0, 0), |tail| (tail.record, tail.pending));
        let bound = LEAST.max(record / SHARE);
        match pending + more as u64 {
            length if length > bound * MOST_BEYOND => Fill::Full,
            length if length > bound && self.shared.lock().rewriting.insert(zone.clone()) => Fill::High,
            _ => Fill::Low,
        }
    }

    /// What was to be put behind the record was not: it may be tried again.
    pub(in crate::publish) fn not_rewritten(&self, zone: &Name) {
        self.shared.lock().rewriting.remove(zone);
    }

    /// Lets what waits be written.
    pub(in crate::publish) fn begin(&self) {
        self.shared.lock().begun = true;
        self.shared.changed.notify_one();
    }

    /// Whether something became of versions since it was last asked.
    pub(in crate::publish) fn has_outcomes(&self) -> bool {
        let work = self.shared.lock();
        !work.outcomes.is_empty() || !work.remaining.is_empty()
    }

    /// What became of versions since it was last asked.
    pub(in crate::publish) fn outcomes(&self) -> Vec<KeptOutcome> {
        std::mem::take(&mut self.shared.lock().outcomes)
    }

    /// Whether nothing waits and nothing is being written.
    pub(in crate::publish) fn is_idle(&self) -> bool {
        let work = self.shared.lock();
        work.waiting.is_empty() && work.writing.is_empty() && work.forgotten.is_empty()
    }

    /// Keeps what waits, but takes up to the end of `patience` no new group, and gives the directory back.
    pub(in crate::publish) fn finish(&self, patience: Duration) {
        self.shared.lock().begun = true;
        self.end(patience);
    }

    fn end(&self, patience: Duration) {
        self.shared.lock().end = Some(Instant::now() + patience);
        self.shared.changed.notify_one();
        let Some(thread) = locked(&self.thread).take() else { return };
        if !self.waits_for_end(patience + PATIENCE) {
            tracing::error!("the state directory does not answer: what is not kept yet is given up");
            return;
        }
        if thread.join().is_err() {
            tracing::error!("the thread that keeps zones failed");
        }
        // Others may still hold the value for a moment: a check that comes to its end.
        self.shared.store.close();
    }
}

impl StateWriter {
    /// Waits until the thread ends; false if it does not, or if its disk does not answer.
    fn waits_for_end(&self, patience: Duration) -> bool {
        let (ended, start) = (locked(&self.ended), Instant::now());
        while ended.recv_timeout(IDLE) == Err(RecvTimeoutError::Timeout) {
            let since = self.shared.lock().since;
            if start.elapsed() >= patience || since.is_some_and(|since| since.elapsed() >= END_PATIENCE) {
                return false;
            }
        }
        true
    }
}

impl Drop for StateWriter {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

impl WriterShared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        locked(&self.work)
    }

    fn run(&self) {
        yield_to_others();
        let place = self.pulse.place(Work::Keep);
        while let Some(group) = self.next_group(&place) {
            match group {
                WriteGroup::Forget(zones) => self.forget_all(&zones),
                WriteGroup::Look => self.store.look_again(),
                WriteGroup::Timers(timers) => self.write_timers(&timers),
                WriteGroup::Urgent(urgent) => self.write_urgent(urgent),
                WriteGroup::Soon(group) => {
                    let results = self.write(&group);
                    let mut work = self.lock();
                    for (versions, result) in group.into_iter().zip(results) {
                        let result = result.map_err(|error| error.to_string());
                        let newest = versions.into_iter().next_back();
                        work.outcomes.extend(newest.map(|version| KeptOutcome { version, result }));
                    }
                }
            }
            let mut work = self.lock();
            let written = std::mem::take(&mut work.writing);
            work.rewriting.retain(|zone| !written.contains(zone));
            work.since = None;
            drop(work);
            self.wake.notify_one();
        }
    }

    fn forget_all(&self, zones: &BTreeMap<Name, Successor>) {
        let remove = || {
            let removed = self.store.write(|it| zones.iter().try_for_each(|zone| it.forget_for(zone)));
            removed.map_err(DatabaseError::into_io)
        };
        let Err(error) = self.guarded(remove) else { return self.store.serials().forgot(zones.keys()) };
        zones.keys().for_each(|zone| self.store.not_forgotten(zone));
        let error = error.to_string();
        self.lock().remaining.extend(zones.keys().map(|zone| (zone.clone(), error.clone())));
    }

    /// What cannot be kept is out of date soon: it comes again with the next look of the zone.
    fn write_timers(&self, timers: &BTreeMap<Name, Option<ZoneTimers>>) {
        if let Err(error) = self.guarded(|| self.store.write_timers(timers)) {
            tracing::warn!(zones = timers.len(), %error, "the timers of secondary zones cannot be kept");
        }
    }

    fn write_urgent(&self, urgent: Vec<(Urgent, WriterReply)>) {
        let Sorted { versions, version_replies, steps, step_replies, earlier, others } = Sorted::of(urgent);
        let mut work = self.lock();
        earlier.into_iter().rev().for_each(|version| work.add_before(version));
        drop(work);
        let written = if versions.is_empty() { Vec::new() } else { self.write(&versions) };
        let appended = if steps.is_empty() { Vec::new() } else { self.append(&steps) };
        // The one who waited for a version may be gone, and has what is served kept anew.
        for (result, reply) in written.into_iter().zip(version_replies) {
            reply.tell(result);
        }
        for ((result, reply), step) in appended.into_iter().zip(step_replies).zip(&steps) {
            self.tell_of_step(result, reply, step);
        }
        for (urgent, reply) in others {
            let result = match urgent {
                Urgent::Keep(versions) => self.write(&[versions]).pop().unwrap_or(Ok(())),
                Urgent::Rows(rows) => self.guarded(|| self.store.write_rows(&rows)),
                Urgent::Append(zone, step) => {
                    let step = (zone, step);
                    let result = self.append(std::slice::from_ref(&step)).pop().unwrap_or(Ok(()));
                    self.tell_of_step(result, reply, &step);
                    continue;
                }
                Urgent::Holds(change) => {
                    self.write_holds(&change, reply);
                    continue;
                }
                Urgent::Forget(zone) => self.guarded(|| self.store.forget(&zone)),
            };
            reply.tell(result);
        }
    }

    /// Keeps which zones are held, or if nobody waits for that any more, which were.
    fn write_holds(&self, HoldsChange { before, after }: &HoldsChange, reply: WriterReply) {
        let directory = self.store.directory();
        let result = self.guarded(|| holds::write(directory, after));
        if !reply.tell(result)
            && let Err(error) = self.guarded(|| holds::write(directory, before))
        {
            tracing::error!(%error, "which zones are held is not kept as it was told");
        }
    }

    /// Tells that a step is durable, or not. A step that nobody waits for any more was called one that is not kept, and so it is taken
    /// out again.
    fn tell_of_step(&self, result: io::Result<()>, reply: WriterReply, (zone, step): &(Name, Written)) {
        let is_kept = result.is_ok();
        if reply.tell(result) || !is_kept {
            return;
        }
        let undo = || self.store.write(|writing| writing.undo(&key_of(zone), step));
        if let Err(error) = self.guarded(|| undo().map_err(DatabaseError::into_io)) {
            let (from, to) = (step.step.from, step.step.to);
            tracing::error!(%zone, %from, %to, %error, "a difference that was kept too late cannot be taken out of the state directory");
        }
    }

    /// Appends a step to each of some zones; a result for each. If they cannot be written together, one by one.
    fn append(&self, steps: &[(Name, Written)]) -> Vec<io::Result<()>> {
        match self.guarded(|| self.append_together(steps)) {
            Ok(fit) => fit.into_iter().map(continues).collect(),
            Err(error) if steps.len() <= 1 => vec![Err(error)],
            Err(_) => steps.iter().flat_map(|step| self.append(std::slice::from_ref(step))).collect(),
        }
    }

    /// Whether each step continues what is kept; one that does not changes nothing.
    fn append_together(&self, steps: &[(Name, Written)]) -> io::Result<Vec<bool>> {
        let write = self
            .store
            .write(|writing| steps.iter().map(|(zone, step)| writing.append(&key_of(zone), step)).collect());
        write.map_err(DatabaseError::into_io)
    }

    /// Waits for work. `None` ends the thread.
    fn next_group(&self, place: &Place) -> Option<WriteGroup> {
        let mut work = self.lock();
        loop {
            let late = work.end.is_some_and(|end| end <= Instant::now());
            if std::mem::take(&mut work.looks) {
                work.since = Some(Instant::now());
                return Some(WriteGroup::Look);
            }
            if !work.forgotten.is_empty() {
                work.since = Some(Instant::now());
                return Some(WriteGroup::Forget(std::mem::take(&mut work.forgotten)));
            }
            if !work.urgent.is_empty() {
                work.since = Some(Instant::now());
                let urgent = std::mem::take(&mut work.urgent);
                work.writing = urgent.iter().filter_map(|(urgent, _)| urgent.zone().cloned()).collect();
                return Some(WriteGroup::Urgent(urgent));
            }
            if work.begun && !late && !work.waiting.is_empty() {
                work.since = Some(Instant::now());
                return Some(WriteGroup::Soon(work.take_group()));
            }
            if !work.timers.is_empty() && !late {
                work.since = Some(Instant::now());
                return Some(WriteGroup::Timers(std::mem::take(&mut work.timers)));
            }
            if work.end.is_some() {
                return None;
            }
            place.step(None);
            work = self.changed.wait_timeout(work, IDLE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes the versions of some zones; a result for each zone. If they cannot be written together, one by one: a large zone may
    /// not fit where small ones do.
    fn write(&self, group: &[Vec<Version>]) -> Vec<io::Result<()>> {
        match self.guarded(|| self.write_together(group)) {
            Ok(()) => group.iter().map(|_| Ok(())).collect(),
            Err(error) if group.len() <= 1 => vec![Err(error)],
            Err(_) => {
                let one = |versions| self.guarded(|| self.write_together(std::slice::from_ref(versions)));
                group.iter().map(one).collect()
            }
        }
    }

    fn write_together(&self, group: &[Vec<Version>]) -> io::Result<()> {
        let all = group.iter().map(|versions| ready(&self.store, versions)).collect::<Result<Vec<_>, _>>();
        let all: Vec<Ready> = all.map_err(DatabaseError::into_io)?.into_iter().flatten().collect();
        let write = self.store.write(|writing| all.iter().try_for_each(|ready| writing.keep(ready)));
        let kept = |()| self.store.serials().kept(all.iter().map(|ready| ready.record.zone.origin()));
        write.map(kept).map_err(DatabaseError::into_io)
    }

    /// A panic is an error: it is tried again.
    fn guarded<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let reason = panic_message(panic.as_ref());
            tracing::error!(reason, "keeping zones panicked; it is tried again");
            Err(io::Error::other(format!("it panicked: {reason}")))
        })
    }
}

/// The outcome of a step that was written, or did not continue what is kept.
fn continues(fits: bool) -> io::Result<()> {
    let text = "what is kept is not the version that the difference continues";
    if fits { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidData, text)) }
}

/// What is written next.
enum WriteGroup {
    Look,
    Forget(BTreeMap<Name, Successor>),
    Timers(BTreeMap<Name, Option<ZoneTimers>>),
    Urgent(Vec<(Urgent, WriterReply)>),
    Soon(Vec<Vec<Version>>),
}
