//! One look at every zone, on all cores.
//!
//! Zones flow in, one at a time to whichever thread is free; what their visits ask for flows out to the caller, who
//! publishes it while the others go on. Threads: `zones-1` and so on, one for each core, for the time of a look. A panic is
//! a fault of the zone that was visited; the others go on.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, available_parallelism, scope};
use std::time::Duration;

use crate::sys::priority::yield_to_others;
use crate::telemetry::panic_message;
use crate::wire::Name;

use crate::publish::settings::Rules;
use crate::publish::work::entry::Entry;
use crate::publish::work::visit::{Effects, Visitor};
use crate::telemetry::pulse::{Place, Pulse, Work};

/// How often the caller gets what the visits asked for: a zone that is ready is not kept waiting by a large one.
const TICK: Duration = Duration::from_millis(20);

/// How many threads a look has.
pub(in crate::publish) fn threads() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// Visits every zone. `take` gets what the visits ask for, every [`TICK`] and once at the end. `gently` lets every
/// other thread of the machine go first.
pub(in crate::publish) fn visit_all(
    visitor: &Visitor<'_>,
    rules: &Rules<'_>,
    zones: &mut BTreeMap<Name, Entry>,
    (pulse, gently): (&Arc<Pulse>, bool),
    mut take: impl FnMut(Effects),
) {
    let threads = threads().min(zones.len());
    let crew = Crew { queue: Mutex::new(zones.iter_mut()), effects: Mutex::default(), done: Condvar::new() };
    let ended = Mutex::new(0);
    let work = |place: Place| {
        place.begin();
        // Also if the visit panics, or the caller would wait for ever; before the place is given up, or nobody would see a
        // thread that is frozen between the two.
        let _end = End { ended: &ended, done: &crew.done };
        if gently {
            yield_to_others();
        }
        crew.work(visitor, rules, &place);
    };
    scope(|scope| {
        let start = |number: &usize| {
            let place = pulse.reserve(Work::Read);
            Builder::new().name(format!("zones-{number}")).spawn_scoped(scope, move || work(place))
        };
        // Fewer where the system has no thread left.
        let started = (1..=threads).map_while(|number| start(&number).ok()).count();
        let mut working = lock(&ended);
        while *working < started {
            working = crew.done.wait_timeout(working, TICK).unwrap_or_else(PoisonError::into_inner).0;
            drop(working);
            take(crew.effects());
            working = lock(&ended);
        }
        drop(working);
        // Nothing is left to do unless no thread was started.
        crew.work(visitor, rules, &pulse.place(Work::Read));
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
    fn work(&self, visitor: &Visitor<'_>, rules: &Rules<'_>, place: &Place) {
        loop {
            let Some((name, entry)) = lock(&self.queue).next() else { return };
            place.step(entry.found.as_ref().map(|found| &found.path));
            let mut asked = Effects { visited: 1, ..Effects::default() };
            let visit = || visitor.visit(name, rules.of(name), entry, &mut asked);
            if let Err(panic) = catch_unwind(AssertUnwindSafe(visit)) {
                // What was asked for before is as the entry has it.
                entry.panicked(name, panic_message(panic.as_ref()));
            }
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
