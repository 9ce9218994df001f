//! What is counted, as sums over the workers. Pure.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::telemetry::{Counters, DailyStatistics, SizeHistogram, Slots, WorkerCounters};
use crate::wire::rcode::{BADCOOKIE, BADVERS};

/// The fields of `traffic-volume`, in the order of the counts.
pub(super) const TRAFFIC: [&str; 8] = [
    "dns-udp-queries-received-ipv4",
    "dns-udp-queries-received-ipv6",
    "dns-tcp-queries-received-ipv4",
    "dns-tcp-queries-received-ipv6",
    "dns-udp-responses-sent-ipv4",
    "dns-udp-responses-sent-ipv6",
    "dns-tcp-responses-sent-ipv4",
    "dns-tcp-responses-sent-ipv6",
];

/// The fields of `traffic-sizes`, in the order of the counts.
pub(super) const SIZES: [&str; 4] =
    ["udp-request-sizes", "udp-response-sizes", "tcp-request-sizes", "tcp-response-sizes"];

/// The histograms of a worker in the order of [`SIZES`].
const HISTOGRAMS: [fn(&DailyStatistics) -> &SizeHistogram; SIZES.len()] = [
    |sizes| &sizes.udp_queries,
    |sizes| &sizes.udp_responses,
    |sizes| &sizes.tcp_queries,
    |sizes| &sizes.tcp_responses,
];

/// Sums of a day, or since the start of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// In the order of [`TRAFFIC`].
    pub(super) traffic: [u64; TRAFFIC.len()],
    /// Responses by RCODE, extended bits included; those that never occurred may be missing.
    pub(super) rcodes: BTreeMap<u16, u64>,
    /// In the order of [`SIZES`]: messages by the first size of their range. Ranges without messages may be missing.
    pub(super) sizes: [BTreeMap<u16, u64>; SIZES.len()],
}

impl Counts {
    /// What the workers have counted since the process began.
    pub(super) fn of(counters: &Counters) -> Self {
        let [udp_ipv6, tcp_ipv6, ..] = sum(counters, |worker| &worker.ipv6_queries);
        let [udp, tcp]: [fn(&WorkerCounters) -> &AtomicU64; 2] =
            [|worker| &worker.udp_queries, |worker| &worker.tcp_queries];
        // Each is read by itself; a query may be in one and not yet in the other.
        let ipv4 = |all, ipv6| counters.sum(all).saturating_sub(ipv6);
        let [udp_sent, udp_sent_ipv6, tcp_sent, tcp_sent_ipv6] =
            sum(counters, |worker| &worker.plain_responses);
        let traffic = [
            ipv4(udp, udp_ipv6),
            udp_ipv6,
            ipv4(tcp, tcp_ipv6),
            tcp_ipv6,
            udp_sent,
            udp_sent_ipv6,
            tcp_sent,
            tcp_sent_ipv6,
        ];
        Self { traffic, rcodes: rcodes(counters), sizes: HISTOGRAMS.map(|of| sizes(counters, of)) }
    }

    /// What was counted after `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        self.with(earlier, u64::saturating_sub)
    }

    /// Both together.
    pub(super) fn plus(&self, other: &Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    fn with(&self, other: &Self, of: fn(u64, u64) -> u64) -> Self {
        let mut traffic = self.traffic;
        traffic.iter_mut().zip(other.traffic).for_each(|(count, other)| *count = of(*count, other));
        let mut sizes = self.sizes.clone();
        sizes.iter_mut().zip(&other.sizes).for_each(|(own, other)| *own = merged(own, other, of));
        Self { traffic, rcodes: merged(&self.rcodes, &other.rcodes, of), sizes }
    }
}

/// Counts by number, each with the other's.
fn merged(
    own: &BTreeMap<u16, u64>,
    other: &BTreeMap<u16, u64>,
    of: fn(u64, u64) -> u64,
) -> BTreeMap<u16, u64> {
    let count = |counts: &BTreeMap<u16, u64>, number| counts.get(number).copied().unwrap_or(0);
    let numbers = own.keys().chain(other.keys());
    numbers.map(|number| (*number, of(count(own, number), count(other, number)))).collect()
}

/// Messages by the first size of their range.
fn sizes(counters: &Counters, of: fn(&DailyStatistics) -> &SizeHistogram) -> BTreeMap<u16, u64> {
    let mut sizes = BTreeMap::<u16, u64>::new();
    for (first, count) in counters.all_daily().iter().flat_map(|worker| of(worker).read()) {
        *sizes.entry(u16::try_from(first).unwrap_or(u16::MAX)).or_default() += count;
    }
    sizes
}

/// Responses by RCODE.
fn rcodes(counters: &Counters) -> BTreeMap<u16, u64> {
    let mut rcodes = BTreeMap::<u16, u64>::new();
    for worker in counters.workers() {
        for (rcode, count) in (0..).zip(&worker.rcodes) {
            *rcodes.entry(rcode).or_default() += count.load(Relaxed);
        }
    }
    // The last slot has those of 16 and above: BADVERS and BADCOOKIE are the only ones that are made here.
    let bad_cookies = counters.sum(|worker| &worker.bad_cookies);
    rcodes.entry(BADVERS).and_modify(|above| *above = above.saturating_sub(bad_cookies));
    rcodes.insert(BADCOOKIE, bad_cookies);
    rcodes.retain(|_, count| *count > 0);
    rcodes
}

/// The sums of counters in a row over all workers.
fn sum<const N: usize>(counters: &Counters, of: impl Fn(&WorkerCounters) -> &Slots<N>) -> [u64; N] {
    let mut sums = [0_u64; N];
    for worker in counters.workers() {
        sums.iter_mut().zip(of(worker).read()).for_each(|(sum, count)| *sum += count);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::count_many;

    #[test]
    fn the_counters_of_all_workers_become_the_fields() {
        let counters = Counters::new(2).with_daily_statistics();
        let [one, other] = counters.workers() else { panic!("two workers") };
        count_many(&one.udp_queries, 10);
        one.ipv6_queries.add(0, 3);
        count_many(&other.tcp_queries, 5);
        other.ipv6_queries.add(1, 1);
        one.count_sent(false, false, 6);
        one.count_sent(false, true, 2);
        other.count_sent(true, false, 4);
        other.count_sent(true, true, 1);
        for rcode in [0, 0, 3, 16, 23, 23] {
            other.count_rcode(rcode);
        }
        let counts = Counts::of(&counters);
        assert_eq!(counts.traffic, [7, 3, 4, 1, 6, 2, 4, 1]);
        assert_eq!(counts.rcodes, BTreeMap::from([(0, 2), (3, 1), (16, 1), (23, 2)]));
        let source = "192.0.2.1".parse().unwrap();
        counters.all_daily()[0].note_udp(source, 40, 100);
        counters.all_daily()[1].note_udp(source, 47, 0);
        counters.all_daily()[1].note_tcp(source, 20, 65_535);
        let [requests, responses, tcp_requests, tcp_responses] = Counts::of(&counters).sizes;
        assert_eq!((requests, responses), ([(32, 2)].into(), [(96, 1)].into()));
        assert_eq!((tcp_requests, tcp_responses), ([(16, 1)].into(), [(65_520, 1)].into()));
        let counts = Counts::of(&counters);
        one.count_rcode(5);
        let later = Counts::of(&counters);
        let since = later.since(&counts);
        assert_eq!((since.traffic, since.rcodes.get(&5), since.rcodes.get(&0)), ([0; 8], Some(&1), Some(&0)));
        assert_eq!(counts.plus(&since), later);
    }
}
