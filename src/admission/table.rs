//! The memory that all workers share: two tables of GCRA cells of a fixed size.
//!
//! A prefix owns one cell in each table, at places that its seeded hash says. What it takes is counted in both, and is
//! refused only if both refuse. So a prefix that shares a cell with a flood in one table is still answered by the
//! other; to hurt it, a flood must hit both, and the seed is secret.
//!
//! A cell is the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371 annex A) in nanoseconds: the
//! time until which what was taken so far is paid for. 0 is a cell that nobody has used.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

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

/// How much a prefix may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quota {
    /// Nanoseconds that one query costs.
    interval: u64,
    /// Nanoseconds that may be owed when the next query is let in.
    tolerance: u64,
}

impl Quota {
    pub(super) fn new(queries_per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let interval = (SECOND / u64::from(queries_per_second.get())).max(1);
        Self { interval, tolerance: interval.saturating_mul(u64::from(burst.get()) - 1) }
    }

    /// The cell after so many queries at this time, or the earliest time at which it lets them in.
    fn take(self, cell: u64, now: u64, queries: u32) -> Result<u64, u64> {
        let base = cell.max(now);
        let last = self.interval.saturating_mul(u64::from(queries).saturating_sub(1));
        let earliest = base.saturating_add(last).saturating_sub(self.tolerance);
        if now < earliest {
            return Err(earliest);
        }
        Ok(base.saturating_add(last).saturating_add(self.interval))
    }
}

/// The two tables.
#[derive(Debug)]
pub(super) struct Table {
    first: Box<[AtomicU64]>,
    second: Box<[AtomicU64]>,
}

impl Table {
    /// Tables of this many cells each.
    pub(super) fn new(slots: usize) -> Self {
        let cells = || (0..slots).map(|_| AtomicU64::new(0)).collect();
        Self { first: cells(), second: cells() }
    }

    /// How many cells there are in each.
    pub(super) fn slots(&self) -> usize {
        self.first.len()
    }

    /// Takes this many queries at this time (nanoseconds), or none and says when it is worth trying again.
    pub(super) fn take(&self, place: Place, quota: Quota, now: u64, queries: u32) -> Result<(), u64> {
        let (Some(first), Some(second)) = (self.first.get(place.first), self.second.get(place.second)) else {
            // Not reached: a place is made for tables of this size.
            return Ok(());
        };
        match (take(first, quota, now, queries), take(second, quota, now, queries)) {
            (Err(first), Err(second)) => Err(first.min(second)),
            _ => Ok(()),
        }
    }
}

/// A refusal writes nothing, so the cell's line stays shared between the cores.
fn take(cell: &AtomicU64, quota: Quota, now: u64, queries: u32) -> Result<(), u64> {
    let mut before = cell.load(Relaxed);
    loop {
        let after = quota.take(before, now, queries)?;
        // It fails only when another worker was there in between.
        match cell.compare_exchange_weak(before, after, Relaxed, Relaxed) {
            Ok(_) => return Ok(()),
            Err(current) => before = current,
        }
    }
}
