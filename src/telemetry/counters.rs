//! Counters of the query path.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::busiest::BusyZones;
use super::counting::count;
use super::daily_statistics::DailyStatistics;
use super::latency::{LatencyHistogram, LatencyTotals};
use super::query_types::{QUERY_TYPES, slot_of_type};
use super::slots::Slots;
use super::taps::Tap;

/// The counters of one worker, alone on their cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerCounters {
    /// Queries taken from a UDP socket.
    pub udp_queries: AtomicU64,
    /// Queries taken from a TCP connection.
    pub tcp_queries: AtomicU64,
    /// Queries taken from a TLS connection (DoT).
    pub dot_queries: AtomicU64,
    /// Queries taken from an HTTP/2 or HTTP/3 connection (DoH).
    pub doh_queries: AtomicU64,
    /// Queries taken from a QUIC connection (DoQ).
    pub doq_queries: AtomicU64,
    /// Responses sent, whole or truncated.
    pub responses: AtomicU64,
    /// Responses sent without encryption: UDP over IPv4, UDP over IPv6, TCP over IPv4, TCP over IPv6.
    pub plain_responses: Slots<4>,
    /// Responses sent with TC set.
    pub truncated: AtomicU64,
    /// Datagrams that get no response: too short, or responses themselves.
    pub ignored: AtomicU64,
    /// Queries that the rate limiter refused and that got no response.
    pub limited: AtomicU64,
    /// Queries that the rate limiter refused and that got a truncated response (slip).
    pub slipped: AtomicU64,
    /// Queries that the rate limiter would have refused, in dry-run mode.
    pub would_limit: AtomicU64,
    /// Responses that could not be sent.
    pub send_errors: AtomicU64,
    /// Receive and accept calls that failed for a reason that passes.
    pub receive_errors: AtomicU64,
    /// Connections accepted: TCP, or those of the encrypted transports.
    pub tcp_connections: AtomicU64,
    /// Connections reset or refused at once because a cap was reached.
    pub tcp_refused: AtomicU64,
    /// Connections closed because the client was silent, slow to send or slow to read.
    pub tcp_timeouts: AtomicU64,
    /// Connections that ended before TLS, QUIC, HTTP or a PROXY protocol header was agreed on.
    pub handshake_failures: AtomicU64,
    /// Connections or streams ended because the client broke the rules of HTTP or DoQ.
    pub protocol_errors: AtomicU64,
    /// Responses by RCODE; the last slot counts 16 and above.
    pub rcodes: [AtomicU64; 17],
    /// Responses with BADCOOKIE (RFC 7873 section 8); they are among those of 16 and above, too.
    pub bad_cookies: AtomicU64,
    /// Queries with a COOKIE option.
    pub cookies: AtomicU64,
    /// Queries over IPv6: UDP, TCP, DoT, DoH, DoQ. Those over IPv4 are the others.
    pub ipv6_queries: Slots<5>,
    /// Queries by QTYPE, of those with a question.
    pub types: Slots<QUERY_TYPES>,
    /// TLS sessions that were agreed on (DoT, DoH over HTTP/2).
    pub tls_sessions: AtomicU64,
    /// QUIC sessions that were agreed on (DoQ, DoH over HTTP/3).
    pub quic_sessions: AtomicU64,
    /// The zones that are asked most, of one query in some.
    pub zones: BusyZones,
    /// How long datagrams are in the worker, of one batch in some.
    pub latency: LatencyHistogram,
}

impl WorkerCounters {
    /// Queries taken over every transport.
    pub fn queries(&self) -> u64 {
        let transports =
            [&self.udp_queries, &self.tcp_queries, &self.dot_queries, &self.doh_queries, &self.doq_queries];
        transports.iter().map(|counter| counter.load(Relaxed)).sum()
    }

    /// Counts a response by its RCODE, extended bits included (RFC 6891 section 6.1.3).
    pub fn count_rcode(&self, rcode: u16) {
        let last = self.rcodes.len() - 1;
        if let Some(counter) = self.rcodes.get(usize::from(rcode).min(last)) {
            count(counter);
        }
        if rcode == BADCOOKIE {
            count(&self.bad_cookies);
        }
    }

    /// Counts responses that were sent without encryption, over TCP or UDP, to IPv6 or IPv4.
    pub fn count_sent(&self, is_tcp: bool, is_ipv6: bool, many: u64) {
        self.plain_responses.add(usize::from(is_tcp) * 2 + usize::from(is_ipv6), many);
    }

    /// Counts a query by its QTYPE.
    pub fn count_type(&self, qtype: u16) {
        self.types.add(slot_of_type(qtype), 1);
    }
}

/// RFC 7873 section 8. This module names no other one.
const BADCOOKIE: u16 = 23;

/// The counters of all workers of one process.
#[derive(Clone, Debug)]
pub struct Counters {
    workers: Arc<[WorkerCounters]>,
    /// One for each worker, or none.
    taps: Arc<[Tap]>,
    /// One for each worker, or none.
    daily: Arc<[DailyStatistics]>,
}

impl Counters {
    /// Counters for this many workers.
    pub fn new(workers: usize) -> Self {
        let workers = (0..workers).map(|_| WorkerCounters::default()).collect();
        Self { workers, taps: Arc::default(), daily: Arc::default() }
    }

    /// The same, and each worker gives one message in `one_in` to its tap.
    #[must_use]
    pub fn with_taps(self, one_in: u32) -> Self {
        let taps = self.workers.iter().map(|_| Tap::new(one_in)).collect();
        Self { taps, ..self }
    }

    /// The same, and each worker counts what daily statistics need.
    #[must_use]
    pub fn with_daily_statistics(self) -> Self {
        let daily = self.workers.iter().map(|_| DailyStatistics::default()).collect();
        Self { daily, ..self }
    }

    /// What one worker counts for daily statistics, if they are asked for.
    pub fn daily(&self, index: usize) -> Option<&DailyStatistics> {
        self.daily.get(index)
    }

    /// What every worker counts for daily statistics.
    pub fn all_daily(&self) -> &[DailyStatistics] {
        &self.daily
    }

    /// One worker's tap, if messages are sampled.
    pub fn tap(&self, index: usize) -> Option<&Tap> {
        self.taps.get(index)
    }

    /// How long queries were in the workers, those of all together.
    pub fn latency(&self) -> LatencyTotals {
        self.workers
            .iter()
            .map(|worker| worker.latency.read())
            .fold(LatencyTotals::default(), LatencyTotals::plus)
    }

    /// Every worker's tap.
    pub fn taps(&self) -> &[Tap] {
        &self.taps
    }

    /// One worker's counters.
    pub fn worker(&self, index: usize) -> Option<&WorkerCounters> {
        self.workers.get(index)
    }

    /// Counts in one worker's counters, of which only the calling thread is a writer.
    pub fn add(&self, index: usize, add: impl FnOnce(&WorkerCounters)) {
        if let Some(counters) = self.worker(index) {
            add(counters);
        }
    }

    /// Every worker's counters.
    pub fn workers(&self) -> &[WorkerCounters] {
        &self.workers
    }

    /// The sum of one counter over all workers.
    pub fn sum(&self, counter: impl Fn(&WorkerCounters) -> &AtomicU64) -> u64 {
        self.workers.iter().map(|worker| counter(worker).load(Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rcodes_above_fifteen_share_the_last_slot() {
        let counters = Counters::new(2);
        for rcode in [0, 3, 16, 23, u16::MAX] {
            counters.workers()[1].count_rcode(rcode);
        }
        assert_eq!([0, 3, 16].map(|slot| counters.sum(|worker| &worker.rcodes[slot])), [1, 1, 3]);
    }
}
