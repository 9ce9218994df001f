//! How long datagrams are in a worker: from the end of the call that received their batch to the end of the one that sent the answers.
//!
//! One batch in [`LatencyHistogram::SAMPLE`] is measured, because it costs a look at the clock; each of its datagrams counts with the time
//! of the batch. The time that a datagram waited in the socket before is not in it: that shows in the probes' round trip and in what
//! the sockets drop.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::counting::count_many;
use super::slots::Slots;

/// Buckets: up to 1 µs, 2 µs, 4 µs and so on to 131 ms, and one for what took longer.
const BUCKETS: usize = 19;

/// The histogram of one worker.
#[derive(Debug, Default)]
pub struct LatencyHistogram {
    buckets: Slots<BUCKETS>,
    nanoseconds: AtomicU64,
    turns: AtomicU64,
}

/// What histograms hold together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatencyTotals {
    buckets: [u64; BUCKETS],
    nanoseconds: u64,
}

impl LatencyHistogram {
    /// One batch in so many is measured.
    pub const SAMPLE: u64 = 16;

    /// Whether the batch at hand is measured. Only the worker calls it, once a batch.
    pub fn is_due(&self) -> bool {
        let turn = self.turns.load(Relaxed).wrapping_add(1);
        self.turns.store(turn, Relaxed);
        turn.is_multiple_of(Self::SAMPLE)
    }

    /// Notes that so many datagrams took so long. Only the worker calls it.
    pub fn note(&self, took: Duration, datagrams: u64) {
        let microseconds = u64::try_from(took.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX).max(1);
        let bucket = (u64::BITS - (microseconds - 1).leading_zeros()) as usize;
        self.buckets.add(bucket.min(BUCKETS - 1), datagrams);
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).saturating_mul(datagrams);
        count_many(&self.nanoseconds, nanoseconds);
    }

    /// What it holds now.
    pub fn read(&self) -> LatencyTotals {
        LatencyTotals { buckets: self.buckets.read(), nanoseconds: self.nanoseconds.load(Relaxed) }
    }
}

impl LatencyTotals {
    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        for (mine, its) in self.buckets.iter_mut().zip(other.buckets) {
            *mine = mine.wrapping_add(its);
        }
        Self { nanoseconds: self.nanoseconds.wrapping_add(other.nanoseconds), ..self }
    }

    /// The buckets: the longest time in seconds (`None`: no limit), and how many took at most so long.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<f64>, u64)> {
        let mut sum = 0_u64;
        self.buckets.iter().enumerate().map(move |(bucket, count)| {
            sum = sum.wrapping_add(*count);
            let limit = (bucket + 1 < BUCKETS).then(|| (1_u64 << bucket) as f64 / 1e6);
            (limit, sum)
        })
    }

    /// What was noted since then.
    #[must_use]
    pub fn since(mut self, before: Self) -> Self {
        for (mine, its) in self.buckets.iter_mut().zip(before.buckets) {
            *mine = mine.wrapping_sub(its);
        }
        Self { nanoseconds: self.nanoseconds.wrapping_sub(before.nanoseconds), ..self }
    }

    /// The time in seconds that this share of the datagrams did not exceed, by the bucket that it is in; `None` without any. What took
    /// longer than the last bucket but one counts as its double.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = (self.count() as f64 * share).ceil().max(1.0);
        let longest = (1_u64 << (BUCKETS - 1)) as f64 / 1e6;
        let found = self.cumulative().find(|(_, count)| *count as f64 >= wanted)?;
        Some(found.0.unwrap_or(longest))
    }

    /// How many datagrams were measured.
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// How long they took together, in seconds.
    pub fn seconds(&self) -> f64 {
        self.nanoseconds as f64 / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_first_bucket_that_holds_it() {
        let histogram = LatencyHistogram::default();
        for (nanoseconds, datagrams) in
            [(0, 1), (1000, 2), (1001, 4), (2000, 8), (131_072_000, 16), (u64::MAX, 32)]
        {
            histogram.note(Duration::from_nanos(nanoseconds), datagrams);
        }
        let totals = histogram.read().plus(LatencyHistogram::default().read());
        let buckets: Vec<_> = totals.cumulative().collect();
        assert_eq!(buckets[0], (Some(1e-6), 3));
        assert_eq!(buckets[1], (Some(2e-6), 15));
        assert_eq!(buckets[16], (Some(0.065_536), 15));
        assert_eq!(buckets[17], (Some(0.131_072), 31));
        assert_eq!(buckets[18], (None, 63));
        assert_eq!(totals.count(), 63);
        assert_eq!((totals.quantile(0.04), totals.quantile(0.2)), (Some(1e-6), Some(2e-6)));
        assert_eq!((totals.quantile(0.99), LatencyTotals::default().quantile(0.5)), (Some(0.262_144), None));
        histogram.note(Duration::from_nanos(3000), 5);
        let since = histogram.read().since(totals);
        assert_eq!((since.count(), since.quantile(0.99)), (5, Some(4e-6)));
    }

    #[test]
    fn one_batch_in_some_is_measured() {
        let histogram = LatencyHistogram::default();
        let due = (0..160).filter(|_| histogram.is_due()).count() as u64;
        assert_eq!(due, 160 / LatencyHistogram::SAMPLE);
    }
}
