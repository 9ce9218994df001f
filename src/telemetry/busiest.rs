//! The zones that are asked most, in fixed memory however many zones there are: one worker's sketch.
//!
//! One query in [`BusyZones::SAMPLE`] is looked at. Each slot holds a zone's key; a zone without a slot takes that of the zone with the
//! lowest rank and inherits the rank (the Space-Saving algorithm of Metwally, Agrawal and El Abbadi, 2005), so every zone with more than
//! one in [`SLOTS`] of the queries has a slot soon. What is told is not the rank but how many samples were counted for the zone
//! since it has its slot; those of zones that lost theirs are in the rest. So all of them together are the samples, and a zone's own
//! number is never too high. Never allocates.

use std::sync::atomic::{AtomicU64, Ordering};

use super::counting::{count, count_many};

/// Zones that a worker tells apart at one time.
const SLOTS: usize = 32;

/// The sketch of one worker.
#[derive(Debug, Default)]
pub struct BusyZones {
    queries: AtomicU64,
    slots: [ZoneSlot; SLOTS],
    rest: AtomicU64,
}

#[derive(Debug, Default)]
struct ZoneSlot {
    /// The zone's key; 0: none.
    key: AtomicU64,
    /// By which it is compared with others.
    rank: AtomicU64,
    /// Samples since it has this slot.
    seen: AtomicU64,
}

impl BusyZones {
    /// One query in so many is looked at.
    pub const SAMPLE: u64 = 16;

    /// Notes a query for a zone; `key` is asked only for a query that is looked at. Only the worker calls it.
    pub fn note(&self, key: impl FnOnce() -> Option<u64>) {
        let query = self.queries.load(Ordering::Relaxed).wrapping_add(1);
        self.queries.store(query, Ordering::Relaxed);
        if query.is_multiple_of(Self::SAMPLE) {
            self.sample(key().map_or(0, |key| key.max(1)));
        }
    }

    /// Counts a sample for this key; 0 is a query for no zone.
    fn sample(&self, key: u64) {
        if key == 0 {
            return count(&self.rest);
        }
        let mut lowest: Option<(&ZoneSlot, u64)> = None;
        for slot in &self.slots {
            if slot.key.load(Ordering::Relaxed) == key {
                count(&slot.rank);
                return count(&slot.seen);
            }
            let rank = slot.rank.load(Ordering::Relaxed);
            if lowest.is_none_or(|(_, least)| rank < least) {
                lowest = Some((slot, rank));
            }
        }
        let Some((slot, rank)) = lowest else { return };
        count_many(&self.rest, slot.seen.load(Ordering::Relaxed));
        // A reader that sees the new key sees its count; one that sees the old count sees no key.
        slot.key.store(0, Ordering::Release);
        slot.seen.store(1, Ordering::Release);
        slot.rank.store(rank.wrapping_add(1), Ordering::Relaxed);
        slot.key.store(key, Ordering::Release);
    }

    /// The zones and how many samples were counted for each, and the samples of all others.
    pub fn read(&self) -> (Vec<(u64, u64)>, u64) {
        let read = |slot: &ZoneSlot| {
            let key = slot.key.load(Ordering::Acquire);
            let seen = slot.seen.load(Ordering::Acquire);
            (key != 0 && slot.key.load(Ordering::Acquire) == key).then_some((key, seen))
        };
        (self.slots.iter().filter_map(read).collect(), self.rest.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_zone_is_found_among_many_and_no_sample_is_lost() {
        let zones = BusyZones::default();
        // Two queries in three are for zones that are asked once each.
        for query in 0..60_000_u64 {
            zones.sample(if query % 3 == 0 { 7 } else { 1000 + query });
        }
        zones.sample(0);
        let (found, rest) = zones.read();
        let busy = found.iter().find(|(key, _)| *key == 7).expect("the busy zone has a slot").1;
        assert!((19_900..=20_000).contains(&busy), "{busy}");
        assert_eq!(found.iter().map(|(_, seen)| seen).sum::<u64>() + rest, 60_001);
        assert!(found.len() <= SLOTS);
    }

    #[test]
    fn one_query_in_some_is_looked_at() {
        let zones = BusyZones::default();
        for _ in 0..BusyZones::SAMPLE * 10 {
            zones.note(|| Some(5));
        }
        assert_eq!(zones.read(), (vec![(5, 10)], 0));
    }
}
