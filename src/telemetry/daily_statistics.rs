//! What daily statistics (RSSAC002) need of one worker beside its counters: sizes and sources of messages.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::counting::count;
use super::source_registers::SourceRegisters;

/// Octets of one range of sizes.
pub const SIZE_RANGE: usize = 16;

/// Ranges: a message has at most 65,535 octets (RFC 1035 section 4.2.2).
const RANGES: usize = 65_536 / SIZE_RANGE;

/// How often messages had sizes in each range of [`SIZE_RANGE`] octets: 32 KiB.
#[derive(Debug)]
pub struct SizeHistogram(Box<[AtomicU64]>);

impl Default for SizeHistogram {
    fn default() -> Self {
        Self((0..RANGES).map(|_| AtomicU64::new(0)).collect())
    }
}

impl SizeHistogram {
    /// Counts a message of so many octets; larger ones than there can be count nothing.
    fn note(&self, octets: usize) {
        if let Some(counter) = self.0.get(octets / SIZE_RANGE) {
            count(counter);
        }
    }

    /// The ranges that have messages, by their first size, and how many they have.
    pub fn read(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.0.iter().map(|counter| counter.load(Relaxed)).enumerate();
        counts.filter(|(_, count)| *count > 0).map(|(range, count)| (range * SIZE_RANGE, count))
    }
}

/// The sizes and sources of the messages of one worker, of those without encryption.
#[derive(Debug, Default)]
pub struct DailyStatistics {
    /// Queries over UDP.
    pub udp_queries: SizeHistogram,
    /// Responses over UDP.
    pub udp_responses: SizeHistogram,
    /// Queries over TCP, without their length of two octets.
    pub tcp_queries: SizeHistogram,
    /// Responses over TCP, without their length of two octets.
    pub tcp_responses: SizeHistogram,
    /// The sources of queries.
    pub sources: SourceRegisters,
}

impl DailyStatistics {
    /// Counts a query of this source and its response over UDP, by their octets; 0: no response. Only the worker calls it.
    pub fn note_udp(&self, source: IpAddr, query: usize, response: usize) {
        self.sources.note(source);
        self.udp_queries.note(query);
        if response > 0 {
            self.udp_responses.note(response);
        }
    }

    /// The same over TCP.
    pub fn note_tcp(&self, source: IpAddr, query: usize, response: usize) {
        self.sources.note(source);
        self.tcp_queries.note(query);
        if response > 0 {
            self.tcp_responses.note(response);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_counts_in_its_range() {
        let (sizes, source) = (DailyStatistics::default(), "192.0.2.1".parse().unwrap());
        for octets in [1, 15, 16, 65_535, 65_536] {
            sizes.note_udp(source, octets, 0);
        }
        sizes.note_tcp(source, 40, 31);
        assert_eq!(sizes.udp_queries.read().collect::<Vec<_>>(), [(0, 2), (16, 1), (65_520, 1)]);
        assert_eq!(sizes.udp_responses.read().count(), 0);
        assert_eq!(sizes.tcp_queries.read().collect::<Vec<_>>(), [(32, 1)]);
        assert_eq!(sizes.tcp_responses.read().collect::<Vec<_>>(), [(16, 1)]);
    }
}
