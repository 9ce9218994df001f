//! What one thread did at one listening address over one transport: counted once for a batch, a write or a connection, never for
//! a query. One writer, any number of readers.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::telemetry::{count, count_many};

/// The counts of one thread at one listening address, alone on their cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Traffic {
    /// Answers that left: IPv4, IPv6.
    left: [AtomicU64; 2],
    /// Answers that the kernel had no route for: IPv4, IPv6.
    without_route: [AtomicU64; 2],
    /// Queries that the limiter dropped.
    limited: [AtomicU64; 2],
    accepted: AtomicU64,
    refused: AtomicU64,
}

/// The place of an address's family in pairs of counts.
pub(super) fn family(address: IpAddr) -> usize {
    usize::from(address.to_canonical().is_ipv6())
}

impl Traffic {
    /// Counts the answers of a batch.
    #[cfg(any(native, test))]
    pub(super) fn sent(&self, left: [usize; 2], without_route: [usize; 2]) {
        for (family, many) in left.into_iter().enumerate().filter(|(_, many)| *many > 0) {
            self.add(&self.left, family, many as u64);
        }
        for (family, many) in without_route.into_iter().enumerate().filter(|(_, many)| *many > 0) {
            self.add(&self.without_route, family, many as u64);
        }
    }

    /// Counts one answer, or a write of several.
    pub(super) fn left(&self, family: usize) {
        self.add(&self.left, family, 1);
    }

    /// Counts a write that failed for want of a route.
    #[cfg(any(native, test))]
    pub(super) fn without_route(&self, family: usize) {
        self.add(&self.without_route, family, 1);
    }

    /// Counts queries of a batch that the limiter dropped.
    #[cfg(any(native, test))]
    pub(super) fn limited(&self, family: usize, many: u64) {
        self.add(&self.limited, family, many);
    }

    /// Counts a connection that was accepted.
    pub(super) fn accepted(&self) {
        count(&self.accepted);
    }

    /// Counts a connection that was accepted and reset, because a cap was reached.
    pub(super) fn refused(&self) {
        count(&self.refused);
    }

    fn add(&self, counts: &[AtomicU64; 2], family: usize, many: u64) {
        if let Some(counter) = counts.get(family) {
            count_many(counter, many);
        }
    }

    /// The counts now.
    pub(super) fn totals(&self) -> Totals {
        let read = |counts: &[AtomicU64; 2]| counts.each_ref().map(|counter| counter.load(Relaxed));
        Totals {
            left: read(&self.left),
            without_route: read(&self.without_route),
            limited: read(&self.limited),
            accepted: self.accepted.load(Relaxed),
            refused: self.refused.load(Relaxed),
        }
    }
}

/// The counts of all threads at one listening address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) left: [u64; 2],
    pub(super) without_route: [u64; 2],
    pub(super) limited: [u64; 2],
    pub(super) accepted: u64,
    pub(super) refused: u64,
}

impl Totals {
    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        let add = |a: [u64; 2], b: [u64; 2]| [a[0] + b[0], a[1] + b[1]];
        Self {
            left: add(self.left, other.left),
            without_route: add(self.without_route, other.without_route),
            limited: add(self.limited, other.limited),
            accepted: self.accepted + other.accepted,
            refused: self.refused + other.refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_threads_add_up_family_by_family() {
        let (first, second) = (Traffic::default(), Traffic::default());
        first.sent([3, 0], [0, 2]);
        first.left(family("::ffff:192.0.2.1".parse().unwrap()));
        first.accepted();
        second.sent([1, 5], [0, 0]);
        second.without_route(family("2001:db8::1".parse().unwrap()));
        second.limited(0, 7);
        second.refused();
        let expected =
            Totals { left: [5, 5], without_route: [0, 3], limited: [7, 0], accepted: 1, refused: 1 };
        assert_eq!(first.totals().plus(second.totals()), expected);
    }
}
