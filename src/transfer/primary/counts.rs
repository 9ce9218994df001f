//! What was sent to secondaries, counted.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::request::RequestFault;
use super::seen::Sent;

/// Counts since the start; clones are the same counts.
#[derive(Clone, Debug, Default)]
pub struct SendCounts {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    whole: AtomicU64,
    whole_broken: AtomicU64,
    differences: AtomicU64,
    differences_broken: AtomicU64,
    octets: AtomicU64,
    not_allowed: AtomicU64,
    no_zone: AtomicU64,
    withheld: AtomicU64,
    bad_signature: AtomicU64,
}

impl SendCounts {
    /// Whole zones or differences were sent to the end, or broke off.
    pub(super) fn sent(&self, what: Sent, is_whole: bool, octets: usize) {
        let counts = &self.counts;
        let count = match (what, is_whole) {
            // There is nothing new, or nothing else was asked for.
            (Sent::Soa, _) => return,
            (Sent::Whole, true) => &counts.whole,
            (Sent::Whole, false) => &counts.whole_broken,
            (Sent::Differences, true) => &counts.differences,
            (Sent::Differences, false) => &counts.differences_broken,
        };
        count.fetch_add(1, Relaxed);
        counts.octets.fetch_add(octets as u64, Relaxed);
    }

    /// A request was refused.
    pub(super) fn refused(&self, fault: &RequestFault) {
        let count = match fault {
            RequestFault::NotAllowed { .. } => &self.counts.not_allowed,
            RequestFault::NoZone { .. } | RequestFault::Absent { .. } => &self.counts.no_zone,
            RequestFault::Withheld { .. } => &self.counts.withheld,
            RequestFault::Tsig(_) => &self.counts.bad_signature,
        };
        count.fetch_add(1, Relaxed);
    }

    /// Transfers by kind and result.
    pub fn transfers(&self) -> [(&'static str, &'static str, u64); 4] {
        let counts = &self.counts;
        [
            ("axfr", "sent", counts.whole.load(Relaxed)),
            ("axfr", "broken", counts.whole_broken.load(Relaxed)),
            ("ixfr", "sent", counts.differences.load(Relaxed)),
            ("ixfr", "broken", counts.differences_broken.load(Relaxed)),
        ]
    }

    /// Octets of them.
    pub fn octets(&self) -> u64 {
        self.counts.octets.load(Relaxed)
    }

    /// Requests that were refused, by reason.
    pub fn refusals(&self) -> [(&'static str, u64); 4] {
        let counts = &self.counts;
        [
            ("not-allowed", counts.not_allowed.load(Relaxed)),
            ("no-zone", counts.no_zone.load(Relaxed)),
            ("withheld", counts.withheld.load(Relaxed)),
            ("tsig", counts.bad_signature.load(Relaxed)),
        ]
    }
}
