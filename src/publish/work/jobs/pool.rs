//! The threads that read, compile and judge zones, and find them.
//!
//! Jobs flow in, each for a lane; what became of each zone flows out as soon as it is known. A thread that does not come back,
//! because its source does not answer, is given up: another one is started in its place, and it ends when it comes back.
//! Threads: `zones-1` and so on (general, one for each core, at a low priority once the first load is over), `small-1`
//! and `small-2` (small zones), `survey-1` (looks at sources; from then on after those for small zones, and before the general ones), `changes-1` to `changes-4` (differences, and small versions of primaries). Never decides what is done next, and never waits for a source itself.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::publish::source::SourceKey;
use crate::publish::work::jobs::job::{Job, JobResult, JobStep};
use crate::publish::work::queue::Lane;
use crate::sys::priority::{yield_a_little, yield_to_others};
use crate::telemetry::pulse::{Observed, Place, Pulse, Work};
use crate::telemetry::{locked, panic_message};

/// Threads for small zones: one may be at a source that does not answer.
const SMALL_THREADS: usize = 2;
/// Threads for looks at sources: one more takes the place of one that does not come back.
const SURVEY_THREADS: usize = 1;
/// Threads for differences and small versions of primaries: each waits for the state directory, and those that wait at one time
/// share a sync of the disk.
const CHANGE_THREADS: usize = 4;
/// The most threads, those that do not come back included.
pub(in crate::publish) const MOST_THREADS: usize = 256;
/// The most general threads.
const MOST_GENERAL: usize = MOST_THREADS / 4;
/// With more threads than this no source that does not answer is looked at again: the others are for the sources that do.
const MOST_FOR_PROBES: usize = MOST_THREADS / 2;
/// The most threads that wait for one source that does not answer: one may hang by itself.
const MOST_OF_SOURCE: usize = 2;
/// How often an idle thread says that it is there.
const IDLE: Duration = Duration::from_millis(500);
/// How often it is looked whether threads go on: several times within the shortest patience, and not with each result, because that takes
/// system calls for each thread.
const OBSERVE: Duration = Duration::from_millis(100);
/// How long results wait for others before somebody is woken for them.
const WAKE: Duration = Duration::from_millis(20);

/// The threads.
#[derive(Debug)]
pub(in crate::publish) struct Pool {
    shared: Arc<PoolShared>,
    /// Threads of each lane that are not given up.
    threads: BTreeMap<Lane, usize>,
    /// Threads that could not be started, by lane and number in it.
    missing: Vec<(Lane, usize)>,
    started: usize,
    observed: BTreeMap<usize, Observed>,
    start: Instant,
    /// When they are observed again, counted from the start.
    observe_at: Duration,
}

#[derive(Debug)]
struct PoolShared {
    state: Mutex<PoolState>,
    given: LaneSignals,
    wake: Arc<Notify>,
    pulse: Arc<Pulse>,
}

/// Where the threads of each lane wait for a job: a job wakes one thread of its lane, and no thread that would hold the lock for nothing.
#[derive(Debug, Default)]
struct LaneSignals {
    general: Condvar,
    small: Condvar,
    survey: Condvar,
    change: Condvar,
}

impl LaneSignals {
    fn of(&self, lane: Lane) -> &Condvar {
        match lane {
            Lane::General => &self.general,
            Lane::Small => &self.small,
            Lane::Survey => &self.survey,
            Lane::Change => &self.change,
        }
    }
}

#[derive(Debug, Default)]
struct PoolState {
    jobs: BTreeMap<Lane, VecDeque<Job>>,
    results: Vec<JobResult>,
    /// The jobs that threads are at, by the thread's number.
    running: BTreeMap<usize, Running>,
    /// Threads that end when they come back.
    given_up: Vec<usize>,
    /// How many threads there are.
    alive: usize,
    /// Whether general threads let every other thread of the machine go first, and those that look at sources most of them.
    is_low_priority: bool,
    is_closed: bool,
}

/// A job that a thread is at.
#[derive(Clone, Debug)]
pub(in crate::publish) struct Running {
    /// The job.
    pub(in crate::publish) ticket: u64,
    /// Its source.
    pub(in crate::publish) key: SourceKey,
    /// The lane that lends the thread.
    pub(in crate::publish) lane: Lane,
    /// The thread's number in its lane: one that takes its place has the same.
    seat: usize,
    /// The thread's place in the pulse.
    slot: Option<usize>,
}

/// How many general threads there are: one for each core, as far as that leaves others for sources that do not answer.
pub(in crate::publish) fn general_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST_GENERAL)
}

/// How many places in the pulse the pool needs: each general thread may read a file in pieces with as many threads more.
pub(in crate::publish) fn places() -> usize {
    MOST_THREADS + general_threads()
}

impl Pool {
    /// Starts the threads. `wake` is called when there are results.
    pub(in crate::publish) fn start(wake: Arc<Notify>, pulse: Arc<Pulse>) -> io::Result<Self> {
        let shared = PoolShared { state: Mutex::default(), given: LaneSignals::default(), wake, pulse };
        let mut pool = Self {
            shared: Arc::new(shared),
            threads: BTreeMap::new(),
            missing: Vec::new(),
            started: 0,
            observed: BTreeMap::new(),
            start: Instant::now(),
            observe_at: Duration::ZERO,
        };
        let lanes = [
            (Lane::General, general_threads()),
            (Lane::Small, SMALL_THREADS),
            (Lane::Survey, SURVEY_THREADS),
            (Lane::Change, CHANGE_THREADS),
        ];
        for (lane, count) in lanes {
            for seat in 1..=count {
                pool.start_thread(lane, seat)?;
            }
        }
        Ok(pool)
    }

    /// Whether a job of this lane would be begun at once, or right after one of those that are being done.
    pub(in crate::publish) fn has_room(&self, lane: Lane) -> bool {
        let state = self.shared.lock();
        let is_of_it = |(thread, running): &(&usize, &Running)| {
            running.lane == lane && !state.given_up.contains(*thread)
        };
        let running = state.running.iter().filter(is_of_it).count();
        let busy = running + state.jobs.get(&lane).map_or(0, VecDeque::len);
        let most = match lane {
            Lane::General => self.count(lane) * 2,
            Lane::Small | Lane::Survey | Lane::Change => self.count(lane),
        };
        busy < most
    }

    /// Gives a job to the threads of a lane.
    pub(in crate::publish) fn give(&self, lane: Lane, job: Job) {
        self.shared.lock().jobs.entry(lane).or_default().push_back(job);
        self.shared.given.of(lane).notify_one();
    }

    /// What has come of jobs since it was last asked.
    pub(in crate::publish) fn results(&self) -> Vec<JobResult> {
        std::mem::take(&mut self.shared.lock().results)
    }

    /// Lets other threads of the machine go first from now on: the first load is over.
    pub(in crate::publish) fn lower_priority(&self) {
        self.shared.lock().is_low_priority = true;
    }

    /// The jobs whose threads have done nothing for so long; to be called several times in that time.
    pub(in crate::publish) fn stalled(&mut self, patience: Duration) -> Vec<(usize, Running)> {
        let at = self.start.elapsed();
        if at < self.observe_at {
            return Vec::new();
        }
        self.observe_at = at + OBSERVE;
        let state = self.shared.lock();
        self.observed.retain(|number, _| state.running.contains_key(number));
        let shown: Vec<_> = self.shared.pulse.shown().collect();
        let mut stalled = Vec::new();
        for (number, running) in &state.running {
            let Some(shown) = running.slot.and_then(|slot| shown.get(slot).copied().flatten()) else {
                continue;
            };
            let age = self.observed.entry(*number).or_default().observe(shown, at);
            if age >= patience && !state.given_up.contains(number) {
                stalled.push((*number, running.clone()));
            }
        }
        stalled
    }

    /// Gives a thread up: another one takes its place, it ends when it comes back.
    pub(in crate::publish) fn give_up(&mut self, thread: usize, Running { lane, seat, .. }: Running) {
        self.shared.lock().given_up.push(thread);
        *self.threads.entry(lane).or_default() -= 1;
        if let Err(error) = self.start_thread(lane, seat) {
            tracing::warn!(
                "cannot start a thread for zones in the place of one that does not come back: {error}"
            );
            self.missing.push((lane, seat));
        }
    }

    /// Starts the threads that could not be started before: others may have come back.
    pub(in crate::publish) fn refill(&mut self) {
        while let Some((lane, seat)) = self.missing.last().copied() {
            if self.shared.lock().alive >= MOST_THREADS || self.start_thread(lane, seat).is_err() {
                return;
            }
            self.missing.pop();
        }
    }

    /// Whether one more thread may be given to a source that does not answer.
    pub(in crate::publish) fn may_probe(&self, key: &SourceKey) -> bool {
        let state = self.shared.lock();
        let of_it = state.running.values().filter(|running| running.key == *key).count();
        state.alive < MOST_FOR_PROBES && of_it < MOST_OF_SOURCE
    }

    /// Threads of a lane that are not given up.
    pub(in crate::publish) fn count(&self, lane: Lane) -> usize {
        self.threads.get(&lane).copied().unwrap_or(0)
    }

    fn start_thread(&mut self, lane: Lane, seat: usize) -> io::Result<()> {
        let mut state = self.shared.lock();
        if state.alive >= MOST_THREADS {
            return Err(io::Error::other(format!("{MOST_THREADS} threads wait for sources already")));
        }
        state.alive += 1;
        drop(state);
        let (shared, place) = (self.shared.clone(), self.shared.pulse.reserve(Work::Read));
        let number = self.started;
        let name = match lane {
            Lane::General => format!("zones-{seat}"),
            Lane::Small => format!("small-{seat}"),
            Lane::Survey => format!("survey-{seat}"),
            Lane::Change => format!("changes-{seat}"),
        };
        let run = move || {
            shared.run((number, seat), lane, &place);
            shared.lock().alive -= 1;
            // What lacks a thread may start one now.
            shared.wake.notify_one();
        };
        if let Err(error) = std::thread::Builder::new().name(name).spawn(run) {
            self.shared.lock().alive -= 1;
            return Err(error);
        }
        self.started += 1;
        *self.threads.entry(lane).or_default() += 1;
        Ok(())
    }
}

impl Drop for Pool {
    /// Ends the threads, without waiting for them: one may be at a source that does not answer.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        state.jobs.clear();
        drop(state);
        for lane in [Lane::General, Lane::Small, Lane::Survey, Lane::Change] {
            self.shared.given.of(lane).notify_all();
        }
    }
}

impl PoolShared {
    fn lock(&self) -> MutexGuard<'_, PoolState> {
        locked(&self.state)
    }

    fn run(&self, (thread, seat): (usize, usize), lane: Lane, place: &Place) {
        place.begin();
        let mut is_low_priority = false;
        while let Some((job, is_low)) = self.next((thread, seat), lane, place) {
            if is_low && !std::mem::replace(&mut is_low_priority, true) {
                match lane {
                    Lane::General => yield_to_others(),
                    // What was heard of waits for it, and not for the large zones.
                    Lane::Survey => yield_a_little(),
                    Lane::Small | Lane::Change => {}
                }
            }
            let (ticket, key) = (job.ticket, job.key.clone());
            self.work(job, place);
            place.step(None);
            let mut state = self.lock();
            state.running.remove(&thread);
            state.results.push(JobResult { ticket, key, lane, step: JobStep::End });
            let ends = state.given_up.contains(&thread);
            state.given_up.retain(|it| *it != thread);
            drop(state);
            self.wake.notify_one();
            if ends {
                return;
            }
        }
    }

    fn next(&self, (thread, seat): (usize, usize), lane: Lane, place: &Place) -> Option<(Job, bool)> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            let job = state.jobs.get_mut(&lane).and_then(VecDeque::pop_front);
            if let Some(job) = job {
                let (ticket, key) = (job.ticket, job.key.clone());
                state.running.insert(thread, Running { ticket, key, lane, seat, slot: place.slot_number() });
                return Some((job, state.is_low_priority));
            }
            place.step(None);
            let given = self.given.of(lane);
            state = given.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Does a job step by step, so that what is ready waits for nothing. A panic is a fault of the zone that was checked.
    fn work(&self, mut job: Job, place: &Place) {
        let mut told = Instant::now();
        let (ticket, key, lane) = (job.ticket, job.key.clone(), job.lane);
        loop {
            let step = match catch_unwind(AssertUnwindSafe(|| job.step(place))) {
                Ok(None) => return,
                Ok(Some(step)) => step,
                Err(panic) => match job.panicked(panic_message(panic.as_ref())) {
                    Some(step) => step,
                    None => return,
                },
            };
            self.lock().results.push(JobResult { ticket, key: key.clone(), lane, step });
            if told.elapsed() >= WAKE {
                self.wake.notify_one();
                told = Instant::now();
            }
        }
    }
}

#[cfg(test)]
#[path = "../../../../tests/unit/publish/pool.rs"]
mod tests;
