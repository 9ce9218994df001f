//! The limiter's memory: two tables of GCRA cells of a fixed size.
//!
//! A prefix owns one slot in each table, at places that its seeded hash says. Every query is counted in both, and is
//! refused only if both refuse. So a prefix that shares a slot with a flood in one table is still answered by the
//! other; to hurt it, a flood must hit both, and the seed is secret.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};

/// Where a prefix has its slots.
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

    /// Whether the two share a slot.
    #[cfg(test)]
    pub(super) fn collides(&self, other: &Self) -> bool {
        self.first == other.first || self.second == other.second
    }
}

/// The two tables.
#[derive(Debug)]
pub(super) struct Table {
    first: Box<[InMemoryState]>,
    second: Box<[InMemoryState]>,
}

impl Table {
    /// Tables of this many slots each.
    pub(super) fn new(slots: usize) -> Self {
        let cells = || (0..slots).map(|_| InMemoryState::default()).collect();
        Self { first: cells(), second: cells() }
    }
}

/// The refusals of each slot of the first table.
#[derive(Debug)]
pub(super) struct Refusals(Box<[AtomicU32]>);

impl Refusals {
    /// Counters for this many slots.
    pub(super) fn new(slots: usize) -> Self {
        Self((0..slots).map(|_| AtomicU32::new(0)).collect())
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.0.len()
    }

    /// Counts a refusal; returns how many there were at this place, this one included, modulo 2³².
    pub(super) fn count(&self, place: Place) -> u32 {
        self.0.get(place.first).map_or(0, |refusals| refusals.fetch_add(1, Relaxed).wrapping_add(1))
    }
}

impl StateStore for Table {
    type Key = Place;

    fn measure_and_replace<T, F, E>(&self, place: &Place, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (Some(first), Some(second)) = (self.first.get(place.first), self.second.get(place.second)) else {
            // Not reached: a place is made for tables of this size.
            return measure(None).map(|(outcome, _)| outcome);
        };
        let by_first = first.measure_and_replace(&NotKeyed::NonKey, &measure);
        let by_second = second.measure_and_replace(&NotKeyed::NonKey, &measure);
        by_first.or(by_second)
    }
}
