//! Queries and what became of them: the sums of the workers' counters.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::control::Status;
use crate::telemetry::{Counters, QUERY_TYPES, Slots, WorkerCounters, type_of_slot};
use crate::wire::RecordType;

use super::exposition::Exposition;
use super::facts::Facts;
use super::metric::Metric;
use super::table;

/// RCODEs below 16 (IANA "DNS RCODEs") by their numbers; those without a name are not made here.
pub const RCODES: [&str; 16] = [
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET",
    "NOTAUTH", "NOTZONE", "11", "12", "13", "14", "15",
];

/// Which counter of a worker.
type Counter = fn(&WorkerCounters) -> &AtomicU64;

/// Counters that are told as they are.
type Plain = (Metric, Counter);

const PLAIN: [Plain; 11] = [
    (table::SENT, |counters| &counters.responses),
    (table::TRUNCATED, |counters| &counters.truncated),
    (table::IGNORED, |counters| &counters.ignored),
    (table::COOKIES, |counters| &counters.cookies),
    (table::SEND_ERRORS, |counters| &counters.send_errors),
    (table::RECEIVE_ERRORS, |counters| &counters.receive_errors),
    (table::CONNECTIONS, |counters| &counters.tcp_connections),
    (table::CONNECTIONS_REFUSED, |counters| &counters.tcp_refused),
    (table::CONNECTIONS_TIMED_OUT, |counters| &counters.tcp_timeouts),
    (table::HANDSHAKE_FAILURES, |counters| &counters.handshake_failures),
    (table::PROTOCOL_ERRORS, |counters| &counters.protocol_errors),
];

pub(super) fn write(text: &mut Exposition, status: &Status, counters: &Counters, facts: &Facts) {
    write_transports(text, counters);
    write_types(text, counters);
    let mut family = text.family(&table::ZONE_QUERIES);
    for (zone, queries) in &facts.busy_zones {
        family.row(&[zone], queries);
    }
    // No zone has this name: that of a zone ends in a dot.
    family.row(&["other"], facts.other_queries);
    write_rcodes(text, counters);
    let mut family = text.family(&table::LIMITED);
    family.row(&["drop"], counters.sum(|worker| &worker.limited));
    family.row(&["slip"], counters.sum(|worker| &worker.slipped));
    family.row(&["dry-run"], counters.sum(|worker| &worker.would_limit));
    for (metric, counter) in &PLAIN {
        text.single(metric, counters.sum(counter));
    }
    let mut family = text.family(&table::SESSIONS);
    family.row(&["tls"], counters.sum(|worker| &worker.tls_sessions));
    family.row(&["quic"], counters.sum(|worker| &worker.quic_sessions));
    let latency = counters.latency();
    text.family(&table::LATENCY).histogram(latency.cumulative(), (latency.count(), latency.seconds()));
    write_sockets(text, status);
}

fn write_transports(text: &mut Exposition, counters: &Counters) {
    let transports: [(&str, Counter); 5] = [
        ("udp", |worker| &worker.udp_queries),
        ("tcp", |worker| &worker.tcp_queries),
        ("dot", |worker| &worker.dot_queries),
        ("doh", |worker| &worker.doh_queries),
        ("doq", |worker| &worker.doq_queries),
    ];
    let ipv6 = sum(counters, |worker| &worker.ipv6_queries);
    let mut family = text.family(&table::QUERIES);
    for ((transport, counter), ipv6) in transports.into_iter().zip(ipv6) {
        // Each is read by itself; a query may be in one and not yet in the other.
        let all = counters.sum(counter).max(ipv6);
        family.row(&[transport, "ipv4"], all - ipv6);
        family.row(&[transport, "ipv6"], ipv6);
    }
}

fn write_types(text: &mut Exposition, counters: &Counters) {
    let types: [u64; QUERY_TYPES] = sum(counters, |worker| &worker.types);
    let mut other = 0;
    let mut family = text.family(&table::TYPES);
    for (slot, count) in types.into_iter().enumerate().filter(|(_, count)| *count > 0) {
        match type_of_slot(slot).and_then(|number| RecordType(number).mnemonic()) {
            Some(mnemonic) => family.row(&[mnemonic], count),
            None => other += count,
        }
    }
    family.row(&["other"], other);
}

fn write_rcodes(text: &mut Exposition, counters: &Counters) {
    let mut family = text.family(&table::RESPONSES);
    let count = |slot: usize| {
        let of = |worker: &WorkerCounters| worker.rcodes.get(slot).map_or(0, |counter| counter.load(Relaxed));
        counters.workers().iter().map(of).sum::<u64>()
    };
    for (rcode, name) in RCODES.into_iter().enumerate() {
        let count = count(rcode);
        if count > 0 || rcode <= 5 {
            family.row(&[name], count);
        }
    }
    // BADVERS is the only other one that is made here.
    let bad_cookies = counters.sum(|worker| &worker.bad_cookies);
    family.row(&["BADVERS"], count(RCODES.len()).saturating_sub(bad_cookies));
    family.row(&["BADCOOKIE"], bad_cookies);
}

fn write_sockets(text: &mut Exposition, status: &Status) {
    let workers = &status.serve.workers;
    text.single(&table::WORKERS, workers.len());
    text.single(&table::WORKERS_STALE, workers.iter().filter(|worker| worker.stale).count());
    let mut family = text.family(&table::LISTENER);
    for listener in &status.serve.listeners {
        let is_up = u8::from(listener.fault.is_none());
        family.row(&[&listener.address, &listener.transport.to_lowercase()], is_up);
    }
    text.single(&table::RATE_LIMIT, u8::from(status.rate_limit.mode == "enforce"));
    text.single(&table::TABLE_SLOTS, status.rate_limit.table_slots);
}

/// The sums of counters in a row over all workers.
fn sum<const N: usize>(counters: &Counters, of: impl Fn(&WorkerCounters) -> &Slots<N>) -> [u64; N] {
    let mut sums = [0_u64; N];
    for worker in counters.workers() {
        for (sum, count) in sums.iter_mut().zip(of(worker).read()) {
            *sum = sum.wrapping_add(count);
        }
    }
    sums
}
