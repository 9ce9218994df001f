//! The memory that all workers share: two tables of cells of a fixed size, which governor's limiters count in.
//!
//! A prefix owns one cell in each table, at places that its seeded hash says. What it takes is counted in both, and is
//! refused only if both refuse. So a prefix that shares a cell with a flood in one table is still answered by the
//! other; to hurt it, a flood must hit both, and the seed is secret.
//!
//! A cell is the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371 annex A) in nanoseconds since the start
//! of the tables: the time until which what was taken so far is paid for. 0 is a cell that was never used. governor does the
//! arithmetic; the cells, which spoofed sources cannot make grow, and the clock, which is read once for a batch, are ours.

use std::cell::Cell;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use governor::clock::Clock;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};

/// Far beyond any uptime, and so far below the end of the numbers that a cell, which is at most a burst ahead, never reaches it.
const LATEST: u64 = u64::MAX / 4;

/// Where a prefix has its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    first: usize,
    second: usize,
}

impl Place {
    /// The place of a prefix with this hash, in tables of `slots` (a power of two): each half of the hash says one.
    pub(super) fn new(hash: u64, slots: usize) -> Self {
        let mask = slots.saturating_sub(1);
        Self { first: hash as usize & mask, second: (hash >> 32) as usize & mask }
    }

    /// Whether the two share a cell.
    #[cfg(test)]
    pub(super) fn collides(&self, other: &Self) -> bool {
        self.first == other.first || self.second == other.second
    }
}

/// The two tables.
#[derive(Debug)]
pub(super) struct Table {
    first: Cells,
    second: Cells,
}

impl Table {
    /// Tables of this many cells each.
    pub(super) fn new(slots: usize) -> Self {
        let cells = || Cells((0..slots).map(|_| AtomicU64::new(0)).collect());
        Self { first: cells(), second: cells() }
    }

    /// How many cells there are in each.
    pub(super) fn slots(&self) -> usize {
        self.first.0.len()
    }

    /// One worker's way to take from the cells. All begin at the same time: the start of the tables.
    pub(super) fn taker(&self, quota: Quota) -> Taker {
        let limiter = |cells: &Cells| RateLimiter::new(quota, cells.clone(), BatchClock::default());
        Taker { first: limiter(&self.first), second: limiter(&self.second) }
    }
}

/// Takes from both tables.
#[derive(Debug)]
pub(super) struct Taker {
    first: RateLimiter<usize, Cells, BatchClock>,
    second: RateLimiter<usize, Cells, BatchClock>,
}

impl Taker {
    /// Says the time of what is taken next, in nanoseconds since the start of the tables.
    pub(super) fn set_time(&mut self, now: u64) {
        let now = now.min(LATEST);
        self.first.clock().0.set(now);
        self.second.clock().0.set(now);
    }

    /// Takes this many queries, or none and says when it is worth trying again.
    pub(super) fn take(&self, place: Place, queries: NonZeroU32) -> Result<(), u64> {
        let take = |limiter: &RateLimiter<usize, Cells, BatchClock>, slot: usize| match limiter
            .check_key_n(&slot, queries)
        {
            Ok(taken) => taken.map_err(|refused| refused.earliest_possible().as_u64()),
            // More than the burst at once: one of them may be let in now.
            Err(_) => Err(limiter.clock().0.get()),
        };
        match (take(&self.first, place.first), take(&self.second, place.second)) {
            (Err(first), Err(second)) => Err(first.min(second)),
            _ => Ok(()),
        }
    }
}

/// The time of a batch, which its worker sets.
#[derive(Debug, Default)]
struct BatchClock(Cell<u64>);

impl Clock for BatchClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.get().into()
    }
}

/// One table.
#[derive(Clone, Debug)]
struct Cells(Arc<[AtomicU64]>);

impl StateStore for Cells {
    /// The place in the table.
    type Key = usize;

    /// A refusal writes nothing, so the cell's line stays shared between the cores.
    fn measure_and_replace<T, F, E>(&self, slot: &usize, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let Some(cell) = self.0.get(*slot) else {
            // Not reached: a place is made for tables of this size.
            return measure(None).map(|(taken, _)| taken);
        };
        let mut before = cell.load(Relaxed);
        loop {
            let (taken, after) = measure(NonZeroU64::new(before).map(|arrival| arrival.get().into()))?;
            // It fails only when another worker was there in between.
            match cell.compare_exchange_weak(before, after.as_u64(), Relaxed, Relaxed) {
                Ok(_) => return Ok(taken),
                Err(current) => before = current,
            }
        }
    }
}
