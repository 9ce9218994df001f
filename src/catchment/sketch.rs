//! The most frequent items of a stream in fixed memory: the Space-Saving algorithm of Metwally, Agrawal and El Abbadi (2005).
//!
//! Each counter holds an item. An item without a counter takes that of the item with the lowest count and inherits the count. So
//! with `k` counters and `n` items noted, every item that was noted more than `n / k` times has a counter, and no count is too high by more
//! than `n / k`. What is told of an item is not the count but how often the item was noted since it has its counter, and how often it may
//! have been noted before at most: together with the rest these numbers make `n`.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// A bounded count of items. Takes logarithmic time for each item; allocates until it is full.
#[derive(Clone, Debug)]
pub struct Sketch<K> {
    capacity: usize,
    noted: u64,
    counters: HashMap<K, Counter>,
    /// The items by their counts, the lowest first.
    order: BTreeSet<(u64, K)>,
}

#[derive(Clone, Copy, Debug)]
struct Counter {
    /// How often the item was noted at most.
    count: u64,
    /// The part of the count that was inherited.
    inherited: u64,
}

/// How often an item was noted: at least `seen`, at most `seen + missed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// How often it was noted since it has its counter.
    pub seen: u64,
    /// How often it was noted before that, at most.
    pub missed: u64,
}

impl<K: Copy + Eq + Hash + Ord> Sketch<K> {
    /// A sketch of this many counters; 0 counts as 1.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), noted: 0, counters: HashMap::new(), order: BTreeSet::new() }
    }

    /// Notes an item once.
    pub fn note(&mut self, item: K) {
        self.noted += 1;
        let counter = match self.counters.get(&item) {
            Some(known) => {
                self.order.remove(&(known.count, item));
                Counter { count: known.count + 1, ..*known }
            }
            None => {
                let inherited = self.make_room();
                Counter { count: inherited + 1, inherited }
            }
        };
        self.order.insert((counter.count, item));
        self.counters.insert(item, counter);
    }

    /// Takes the counter of the item with the lowest count, if there is no free one; the count that is inherited.
    fn make_room(&mut self) -> u64 {
        if self.counters.len() < self.capacity {
            return 0;
        }
        let Some((count, item)) = self.order.pop_first() else { return 0 };
        self.counters.remove(&item);
        count
    }

    /// How many items were noted.
    #[must_use]
    pub fn noted(&self) -> u64 {
        self.noted
    }

    /// What is known of an item, whether or not it has a counter.
    #[must_use]
    pub fn estimate(&self, item: &K) -> Estimate {
        let without = || Estimate { seen: 0, missed: self.most_missed() };
        self.counters.get(item).map_or_else(without, Counter::estimate)
    }

    /// The items that have counters, in no order.
    pub fn items(&self) -> impl Iterator<Item = &K> {
        self.counters.keys()
    }

    /// How often an item without a counter was noted at most.
    fn most_missed(&self) -> u64 {
        if self.counters.len() < self.capacity {
            return 0;
        }
        self.order.first().map_or(0, |(count, _)| *count)
    }
}

impl Counter {
    fn estimate(&self) -> Estimate {
        Estimate { seen: self.count - self.inherited, missed: self.inherited }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Few busy items and many that come rarely, as clients are.
    fn stream() -> impl Strategy<Value = Vec<u16>> {
        vec(prop_oneof![3 => 0..4_u16, 2 => 4..20_u16, 2 => 20..2000_u16], 0..800)
    }

    proptest! {
        #[test]
        fn every_estimate_holds_the_exact_count_and_is_off_by_the_bound_at_most(
            capacity in 1..24_usize,
            items in stream(),
        ) {
            let mut sketch = Sketch::new(capacity);
            let mut exact = BTreeMap::<u16, u64>::new();
            for item in &items {
                sketch.note(*item);
                *exact.entry(*item).or_default() += 1;
            }
            let bound = items.len() as u64 / capacity as u64;
            prop_assert_eq!(sketch.noted(), items.len() as u64);
            prop_assert!(sketch.items().count() <= capacity);
            for (item, count) in &exact {
                let Estimate { seen, missed } = sketch.estimate(item);
                prop_assert!(seen <= *count && *count <= seen + missed, "{item}: {count}, {seen} + {missed}");
                prop_assert!(missed <= bound, "{item}: {missed} missed, {bound} allowed");
                prop_assert!(*count <= bound || seen > 0, "{item} came {count} times and has no counter");
            }
            let seen: u64 = sketch.items().map(|item| sketch.estimate(item).seen).sum();
            prop_assert!(seen <= items.len() as u64);
            prop_assert!(sketch.items().all(|item| exact.contains_key(item)));
            if exact.len() <= capacity {
                let is_exact = |(item, seen): (&u16, &u64)| sketch.estimate(item) == Estimate { seen: *seen, missed: 0 };
                prop_assert!(exact.iter().all(is_exact), "nothing had to leave");
            }
        }
    }

    #[test]
    fn the_item_with_the_lowest_count_leaves() {
        let mut sketch = Sketch::new(2);
        for item in ["a", "a", "b", "c"] {
            sketch.note(item);
        }
        assert_eq!(sketch.estimate(&"a"), Estimate { seen: 2, missed: 0 });
        assert_eq!(sketch.estimate(&"c"), Estimate { seen: 1, missed: 1 });
        assert_eq!(sketch.estimate(&"b"), Estimate { seen: 0, missed: 2 });
        assert_eq!(sketch.noted(), 4);
    }
}
