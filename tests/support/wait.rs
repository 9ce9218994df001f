//! Waiting for an event that can only be seen by looking again: a file, a route, a status.
//!
//! The only place in the tests that pauses (tests/tidy.rs holds it so). A test never waits for a time to pass; it waits here for a thing to be
//! true, and fails when it is not true within a bound.

use std::time::{Duration, Instant};

/// The pause between two looks: short beside every time that is measured, long beside the cost of a look.
const LOOK: Duration = Duration::from_millis(2);

/// Looks until `look` gives a value, which it returns, or until `bound` has passed.
pub fn looked_for<T>(bound: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let found = look();
        if found.is_some() || start.elapsed() >= bound {
            return found;
        }
        pause();
    }
}

/// Looks until `look` gives a value and returns it with the time it took; panics with `what` after `bound`.
pub fn wait_for<T>(what: &str, bound: Duration, mut look: impl FnMut() -> Option<T>) -> (T, Duration) {
    let start = Instant::now();
    loop {
        if let Some(value) = look() {
            return (value, start.elapsed());
        }
        assert!(start.elapsed() < bound, "waited {bound:?} in vain: {what}");
        pause();
    }
}

/// Waits until `look` is true and returns the time it took; panics with `what` after `bound`.
pub fn wait_until(what: &str, bound: Duration, mut look: impl FnMut() -> bool) -> Duration {
    wait_for(what, bound, || look().then_some(())).1
}

/// Watches that `holds` stays true for `span`: for things that must *not* happen. Panics with `what` when it fails.
pub fn holds_for(what: &str, span: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while start.elapsed() < span {
        assert!(holds(), "after {:?}: {what}", start.elapsed());
        pause();
    }
}

/// [`wait_until`] for a test that runs on tokio, whose other tasks go on meanwhile.
pub async fn eventually(what: &str, bound: Duration, mut look: impl FnMut() -> bool) {
    let start = Instant::now();
    while !look() {
        assert!(start.elapsed() < bound, "waited {bound:?} in vain: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// [`holds_for`] for a test that runs on tokio, whose other tasks go on meanwhile.
pub async fn holds_meanwhile(what: &str, span: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while start.elapsed() < span {
        assert!(holds(), "after {:?}: {what}", start.elapsed());
        tokio::time::sleep(LOOK).await;
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the one pause of the tests, between two looks at an observable"
)]
fn pause() {
    std::thread::sleep(LOOK);
}
