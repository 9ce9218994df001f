//! Counters in a row, of which one thread is the writer.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::counting::count_many;

/// This many counters.
#[derive(Debug)]
pub struct Slots<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Slots<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Slots<N> {
    /// Adds to one of them; only the thread that owns them may. A place that is not there counts nothing.
    pub fn add(&self, slot: usize, many: u64) {
        if let Some(counter) = self.0.get(slot) {
            count_many(counter, many);
        }
    }

    /// What they count now.
    pub fn read(&self) -> [u64; N] {
        self.0.each_ref().map(|counter| counter.load(Relaxed))
    }
}
