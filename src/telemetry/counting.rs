//! How a counter with one writer is counted up.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Adds one, seen by the scrape some time later. Only the thread that owns the counter may call it.
pub fn count(counter: &AtomicU64) {
    count_many(counter, 1);
}

/// Adds this many; otherwise as [`count`].
pub fn count_many(counter: &AtomicU64, many: u64) {
    // One writer: a load and a store cost less than a locked add.
    counter.store(counter.load(Relaxed).wrapping_add(many), Relaxed);
}
