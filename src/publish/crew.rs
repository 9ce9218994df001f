//! One look at every zone, on all cores.
//!
//! Zones flow in, one at a time to whichever thread is free; what their visits ask for flows out to the caller, who
//! publishes it while the others go on. Threads: one for each core, for the time of a look.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{available_parallelism, scope};
use std::time::Duration;

use crate::sys::priority::yield_to_others;
use crate::wire::Name;

use super::entry::Entry;
use super::settings::Rules;
use super::visit::{Effects, Visitor};

/// How often the caller gets what the visits asked for: a zone that is ready is not kept waiting by a large one.
const TICK: Duration = Duration::from_millis(20);

/// How many threads a look has.
pub(super) fn threads() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// Visits every zone. `take` gets what the visits ask for, every [`TICK`] and once at the end. `gently` lets every
/// other thread of the machine go first.
pub(super) fn visit_all(
    visitor: &Visitor<'_>,
    rules: &Rules<'_>,
    zones: &mut BTreeMap<Name, Entry>,
    gently: bool,
    mut take: impl FnMut(Effects),
) {
    let threads = threads().min(zones.len());
    let crew = Crew { queue: Mutex::new(zones.iter_mut()), effects: Mutex::default(), done: Condvar::new() };
    let ended = Mutex::new(0);
    scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                // Also if the visit panics, or the caller would wait for ever.
                let _end = End { ended: &ended, done: &crew.done };
                if gently {
                    yield_to_others();
                }
                crew.work(visitor, rules);
            });
        }
        let mut working = lock(&ended);
        while *working < threads {
            working = crew.done.wait_timeout(working, TICK).unwrap_or_else(PoisonError::into_inner).0;
            drop(working);
            take(crew.effects());
            working = lock(&ended);
        }
    });
    take(crew.effects());
}

struct Crew<Q> {
    queue: Mutex<Q>,
    /// What was asked for since the caller last took it.
    effects: Mutex<Effects>,
    done: Condvar,
}

impl<'z, Q: Iterator<Item = (&'z Name, &'z mut Entry)>> Crew<Q> {
    fn work(&self, visitor: &Visitor<'_>, rules: &Rules<'_>) {
        loop {
            let Some((name, entry)) = lock(&self.queue).next() else { return };
            let asked = visitor.visit(name, rules.of(name), entry);
            lock(&self.effects).add(asked);
        }
    }

    fn effects(&self) -> Effects {
        std::mem::take(&mut *lock(&self.effects))
    }
}

/// Says at its end that a thread has ended.
struct End<'a> {
    ended: &'a Mutex<usize>,
    done: &'a Condvar,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        *lock(self.ended) += 1;
        self.done.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
