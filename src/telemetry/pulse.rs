//! What the threads that look for, read and keep zones say of themselves while they work: who they are, and at what.
//!
//! A thread that has a [`Place`] in it is observed (`publish::work::liveness`): it counts steps, and where it waits for another
//! thread it waits with a timeout, so that it uses a little CPU time every [`WAIT`]. One that does neither is frozen, or
//! hangs in a system call. Neither the thread nor the observer waits for a lock here, even if the other is frozen.

use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

/// The longest that a thread which has a place waits without a sign of life: many signs within the observer's patience.
pub const WAIT: Duration = Duration::from_millis(100);

/// Threads that have no number: there is no /proc. Only their steps are seen then.
const UNKNOWN: u32 = u32::MAX;

/// A thread that was started and has not run yet.
const STARTING: u32 = u32::MAX - 1;

/// What a thread is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Looks for zone files and obeys commands.
    Look,
    /// Reads zone files.
    Read,
    /// Writes the state directory.
    Keep,
    /// Verifies signatures.
    Verify,
}

/// The threads at work.
#[derive(Debug)]
pub struct Pulse {
    slots: Box<[Slot]>,
    /// How often the canary was written.
    pub canary_written: AtomicU64,
    /// Up to which writing the canary was heard.
    pub canary_heard: AtomicU64,
}

#[derive(Debug, Default)]
struct Slot {
    /// Its number in /proc/self/task, [`UNKNOWN`] or [`STARTING`]; 0 while no thread has the slot.
    thread: AtomicU32,
    /// Counted up with every zone, directory and wait.
    steps: AtomicU64,
    work: AtomicU8,
    path: Mutex<Option<Arc<Path>>>,
}

/// One thread as it is at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its number in /proc/self/task, if that is known.
    pub thread: Option<u32>,
    /// Whether it has not run yet.
    pub is_starting: bool,
    /// Counted up with every zone, directory and wait.
    pub steps: u64,
    /// What it is for.
    pub work: Work,
}

impl Pulse {
    /// With so many places for threads that read zones, and one each for the one that decides what is read, the one that keeps
    /// and the one that verifies.
    pub fn new(readers: usize) -> Self {
        let slots = (0..readers + 3).map(|_| Slot::default()).collect();
        Self { slots, canary_written: AtomicU64::new(0), canary_heard: AtomicU64::new(0) }
    }

    /// A place for the calling thread, for as long as the value lives.
    pub fn place(self: &Arc<Self>, work: Work) -> Place {
        let place = self.reserve(work);
        place.begin();
        place
    }

    /// A place for a thread that is about to be started, so that one which never runs is seen, too.
    pub fn reserve(self: &Arc<Self>, work: Work) -> Place {
        let free = |slot: &Slot| slot.thread.compare_exchange(0, STARTING, Relaxed, Relaxed).is_ok();
        let place = Place { pulse: self.clone(), index: self.slots.iter().position(free) };
        if let Some(slot) = place.slot() {
            slot.work.store(work as u8, Relaxed);
            slot.step();
        }
        place
    }

    /// Every slot; `None` for a free one.
    pub fn shown(&self) -> impl ExactSizeIterator<Item = Option<Shown>> {
        self.slots.iter().map(|slot| {
            let thread = slot.thread.load(Relaxed);
            let work = match slot.work.load(Relaxed) {
                work if work == Work::Look as u8 => Work::Look,
                work if work == Work::Keep as u8 => Work::Keep,
                work if work == Work::Verify as u8 => Work::Verify,
                _ => Work::Read,
            };
            let steps = slot.steps.load(Relaxed);
            let is_starting = thread == STARTING;
            let known = Some(thread).filter(|it| ![UNKNOWN, STARTING].contains(it));
            (thread != 0).then_some(Shown { thread: known, is_starting, steps, work })
        })
    }

    /// What the thread of a slot is at, if that can be seen now.
    pub fn path(&self, slot: usize) -> Option<Arc<Path>> {
        match self.slots.get(slot)?.path.try_lock() {
            Ok(path) => path.clone(),
            Err(TryLockError::Poisoned(path)) => path.get_ref().as_deref().map(Arc::from),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl Slot {
    fn step(&self) {
        self.steps.fetch_add(1, Relaxed);
    }

    fn at(&self, path: Option<&Arc<Path>>) {
        // The observer may hold the lock at this moment: then the next step stores the path.
        if let Ok(mut shown) = self.path.try_lock() {
            *shown = path.cloned();
        }
    }
}

/// A thread's place in the pulse; without effect if there was none left.
#[derive(Debug)]
pub struct Place {
    pulse: Arc<Pulse>,
    index: Option<usize>,
}

impl Place {
    /// The calling thread is the one that the place was reserved for: to be called first of all.
    pub fn begin(&self) {
        if let Some(slot) = self.slot() {
            slot.thread.store(own_number(), Relaxed);
            slot.step();
        }
    }

    /// The thread goes on, with the file or directory at this path.
    pub fn step(&self, path: Option<&Arc<Path>>) {
        if let Some(slot) = self.slot() {
            slot.step();
            slot.at(path);
        }
    }

    /// Its number among [`Pulse::shown`]; `None` if no place was left.
    pub fn slot_number(&self) -> Option<usize> {
        self.index
    }

    fn slot(&self) -> Option<&Slot> {
        self.pulse.slots.get(self.index?)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(slot) = self.slot() {
            slot.at(None);
            slot.thread.store(0, Relaxed);
        }
    }
}

/// A thread as an observer saw it last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observed {
    seen: Option<(Shown, Option<u64>)>,
    /// When it did something last.
    moved: Duration,
}

impl Observed {
    /// For how long the thread has done nothing; `at` is the observer's own clock.
    pub fn observe(&mut self, shown: Shown, at: Duration) -> Duration {
        let now = (shown, shown.thread.and_then(cpu_time));
        // Without its CPU time, nothing can be said of a thread that runs: a large zone is one step.
        let is_known = now.1.is_some() || shown.is_starting;
        let still = self.seen == Some(now) && is_known && !shown.thread.is_some_and(is_runnable);
        if !still {
            self.moved = at;
        }
        self.seen = Some(now);
        at.saturating_sub(self.moved)
    }

    /// Nobody has the slot.
    pub fn forget(&mut self) {
        self.seen = None;
    }
}

/// The CPU time of a thread of this process, in nanoseconds.
fn cpu_time(thread: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    text.split(' ').next()?.parse().ok()
}

/// Whether a thread of this process waits for nothing but a core.
fn is_runnable(thread: u32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
    // After the name in parentheses, which may hold anything.
    text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('R'))
}

/// The calling thread's number, as /proc has it: in the process's own PID namespace or another one.
fn own_number() -> u32 {
    let link = std::fs::read_link("/proc/thread-self").ok();
    let number = link.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()?.parse().ok());
    number.unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_a_place_for_as_long_as_it_works() {
        let pulse = Arc::new(Pulse::new(0));
        let shown = |pulse: &Pulse| pulse.shown().flatten().map(|one| one.work).collect::<Vec<_>>();
        let state_writer = pulse.place(Work::Keep);
        let look = pulse.place(Work::Look);
        let verify = pulse.place(Work::Verify);
        assert_eq!(shown(&pulse), [Work::Keep, Work::Look, Work::Verify]);
        drop(verify);
        let verify = pulse.place(Work::Verify);
        let path: Arc<Path> = Path::new("/zones").into();
        look.step(Some(&path));
        assert_eq!(pulse.path(1), Some(path));
        let steps = || pulse.shown().nth(1).flatten().unwrap().steps;
        let before = steps();
        look.step(None);
        assert_eq!(steps(), before + 1);
        assert_eq!(pulse.path(1), None);
        // One too many is not seen, and does no harm.
        pulse.place(Work::Read).step(None);
        drop((state_writer, verify));
        assert_eq!(shown(&pulse), [Work::Look]);
    }
}
