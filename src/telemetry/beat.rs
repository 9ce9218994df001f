//! The heartbeat of a task or a thread: that it runs, how often it panicked, that it ended.
//!
//! The task counts up ([`Beat::beat`]) at least every [`Beat::PERIOD`]; supervisors compare counts ([`Freshness`]) and never
//! wait for the task. Every part is an atomic: a task that is frozen at any instruction blocks no observer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// One task or thread that is supervised. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Beat {
    state: Arc<BeatState>,
}

#[derive(Debug)]
struct BeatState {
    name: String,
    beats: AtomicU64,
    panics: AtomicU64,
    ended: AtomicBool,
    panic_asked: AtomicBool,
}

/// Whether both are handles to the same task.
impl PartialEq for Beat {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }
}

impl Eq for Beat {}

impl Beat {
    /// How often a task beats at least, in the time in which it runs.
    pub const PERIOD: Duration = Duration::from_millis(100);

    /// A task with this name: that of its thread, or a name of its own where several tasks share a thread.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let state = BeatState {
            name: name.into(),
            beats: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            panic_asked: AtomicBool::new(false),
        };
        Self { state: Arc::new(state) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// Counts one heartbeat: the task runs. Panics if a test asked for it ([`Beat::ask_panic`]).
    #[allow(clippy::panic, reason = "the test hook: it shows what a panic of this task leads to")]
    pub fn beat(&self) {
        self.state.beats.fetch_add(1, Relaxed);
        if self.state.panic_asked.load(Relaxed) && self.state.panic_asked.swap(false, Relaxed) {
            panic!("a test asked the task {} to panic", self.name());
        }
    }

    /// Beats until the future that holds it is dropped. For tasks that otherwise wait for events: a branch of their `select!`.
    pub async fn keep_beating(&self) {
        let mut ticks = tokio::time::interval(Self::PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.beat();
        }
    }

    /// How often it has beaten.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.state.beats.load(Relaxed)
    }

    /// Notes a panic of the task.
    pub fn panicked(&self) {
        self.state.panics.fetch_add(1, Relaxed);
    }

    /// How often it panicked.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.state.panics.load(Relaxed)
    }

    /// Notes that the task has ended and will not run again.
    pub fn end(&self) {
        self.state.ended.store(true, Relaxed);
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state.ended.load(Relaxed)
    }

    /// Makes the task panic at its next beat. A hook for tests; the daemon refuses it unless `ANYNS_TEST_HOOKS` is set.
    pub fn ask_panic(&self) {
        self.state.panic_asked.store(true, Relaxed);
    }
}

/// The time in which an observer itself ran.
///
/// An observer that looks every [`Beat::PERIOD`] and sees much more time pass did not run meanwhile: the whole process, or its
/// own thread, was paused. That time is not counted, so that a pause of the whole process (a snapshot of the virtual machine,
/// CPU time taken by the hypervisor) makes nothing that it observes look old.
#[derive(Clone, Copy, Debug)]
pub struct RunTime {
    last: Instant,
    total: Duration,
}

impl RunTime {
    /// What one step counts at most: two and a half periods, because timers are late on a busy machine.
    const MOST_STEP: Duration = Duration::from_millis(250);

    /// Begins at zero.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { last: now, total: Duration::ZERO }
    }

    /// The run time as of `now`; to be called at least every [`Beat::PERIOD`].
    pub fn advance(&mut self, now: Instant) -> Duration {
        self.total += now.saturating_duration_since(self.last).min(Self::MOST_STEP);
        self.last = self.last.max(now);
        self.total
    }
}

/// How long ago a count moved, in the observer's [`RunTime`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Freshness {
    seen: Option<u64>,
    moved: Duration,
}

impl Freshness {
    /// Takes the count as it is at this run time; the age of its last move. The first look counts as a move.
    pub fn observe(&mut self, count: u64, at: Duration) -> Duration {
        if self.seen != Some(count) {
            (self.seen, self.moved) = (Some(count), at);
        }
        at.saturating_sub(self.moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_stands_ages_and_one_that_moves_is_fresh() {
        let start = Instant::now();
        let (mut time, mut freshness) = (RunTime::new(start), Freshness::default());
        let mut age = |milliseconds: u64, count: u64| {
            let at = time.advance(start + Duration::from_millis(milliseconds));
            freshness.observe(count, at).as_millis()
        };
        assert_eq!([age(0, 7), age(100, 7), age(200, 7), age(300, 8), age(400, 8)], [0, 100, 200, 0, 100]);
    }

    #[test]
    fn time_in_which_the_observer_did_not_run_is_not_counted() {
        let start = Instant::now();
        let (mut time, mut freshness) = (RunTime::new(start), Freshness::default());
        freshness.observe(1, time.advance(start));
        let resumed = time.advance(start + Duration::from_secs(60));
        assert_eq!(freshness.observe(1, resumed), RunTime::MOST_STEP);
    }

    #[test]
    fn a_panic_that_was_asked_for_comes_once() {
        let beat = Beat::new("task");
        beat.beat();
        beat.ask_panic();
        assert!(std::panic::catch_unwind(|| beat.beat()).is_err());
        beat.beat();
        assert_eq!(beat.beats(), 3);
    }
}
