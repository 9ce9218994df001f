//! What was asked in the last minutes, a sample each second. Pure: documents and their times in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::control::Status;
use crate::telemetry::LatencyTotals;

/// How many samples are kept: five minutes.
const MAX_SAMPLES: usize = 300;

/// At least so long between two samples.
const PERIOD: Duration = Duration::from_millis(950);

/// Rates per second at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct RateSample {
    /// Unix seconds.
    pub(super) at: u64,
    pub(super) queries: f64,
    pub(super) noerror: f64,
    pub(super) nxdomain: f64,
    pub(super) servfail: f64,
    pub(super) refused: f64,
    pub(super) other: f64,
    pub(super) limited: f64,
    /// The slowest of the POP's own probes, in milliseconds; `None` while no probe was answered.
    pub(super) probe_ms: Option<f64>,
    /// How long a query was in a worker on the average, in microseconds; `None` where none was measured.
    pub(super) worker_us: Option<f64>,
    /// What 99 of 100 queries did not exceed.
    pub(super) worker_p99_us: Option<f64>,
}

/// Totals at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    latency: LatencyTotals,
    queries: u64,
    /// NOERROR, SERVFAIL, NXDOMAIN, REFUSED, all others.
    rcodes: [u64; 5],
    limited: u64,
}

/// The samples of the last minutes.
#[derive(Debug, Default)]
pub(super) struct Samples {
    last: Option<(Instant, Totals)>,
    kept: VecDeque<RateSample>,
}

impl Samples {
    /// Takes a document of this moment; whether it made a sample.
    pub(super) fn observe(&mut self, status: &Status, latency: LatencyTotals, now: Instant) -> bool {
        let totals = Totals { latency, ..totals(status) };
        let Some((at, before)) = self.last else {
            self.last = Some((now, totals));
            return false;
        };
        let passed = now.saturating_duration_since(at);
        if passed < PERIOD {
            return false;
        }
        self.last = Some((now, totals));
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / passed.as_secs_f64();
        let [noerror, servfail, nxdomain, refused, other] =
            std::array::from_fn(|index| match (totals.rcodes.get(index), before.rcodes.get(index)) {
                (Some(now), Some(before)) => rate(*now, *before),
                _ => 0.0,
            });
        let latency = totals.latency.since(before.latency);
        let measured = Some(latency.count()).filter(|count| *count > 0);
        let slowest = status.probes.iter().filter_map(|probe| probe.round_trip_us).max();
        self.kept.push_back(RateSample {
            at: status.now,
            queries: rate(totals.queries, before.queries),
            noerror,
            nxdomain,
            servfail,
            refused,
            other,
            limited: rate(totals.limited, before.limited),
            probe_ms: slowest.map(|microseconds| microseconds as f64 / 1000.0),
            worker_us: measured.map(|count| latency.seconds() * 1e6 / count as f64),
            worker_p99_us: latency.quantile(0.99).map(|seconds| seconds * 1e6),
        });
        if self.kept.len() > MAX_SAMPLES {
            self.kept.pop_front();
        }
        true
    }

    /// The newest.
    pub(super) fn newest(&self) -> RateSample {
        self.kept.back().copied().unwrap_or_default()
    }

    /// All, oldest first.
    pub(super) fn all(&self) -> Vec<RateSample> {
        self.kept.iter().copied().collect()
    }
}

fn totals(status: &Status) -> Totals {
    let counters = &status.serve.counters;
    let total = |name: &str| counters.get(name).copied().unwrap_or_default();
    let queries = ["udp", "tcp", "dot", "doh", "doq"].map(|transport| total(&format!("{transport}_queries")));
    let [noerror, servfail, nxdomain, refused] = ["rcode_0", "rcode_2", "rcode_3", "rcode_5"].map(total);
    let all: u64 =
        counters.iter().filter(|(name, _)| name.starts_with("rcode_")).map(|(_, count)| *count).sum();
    let other = all.saturating_sub(noerror + servfail + nxdomain + refused);
    let limit = &status.rate_limit;
    Totals {
        queries: queries.iter().sum(),
        rcodes: [noerror, servfail, nxdomain, refused, other],
        limited: limit.limited + limit.slipped + limit.would_limit,
        latency: LatencyTotals::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::LatencyHistogram;

    #[test]
    fn rates_are_per_second_and_the_oldest_sample_goes() {
        let mut samples = Samples::default();
        let start = Instant::now();
        let mut status = Status::default();
        let histogram = LatencyHistogram::default();
        let mut at = |seconds: f64, queries: u64, nxdomain: u64, limited: u64| {
            status.serve.counters =
                [("udp_queries".to_owned(), queries), ("tcp_queries".to_owned(), 1)].into();
            status.serve.counters.insert("rcode_3".to_owned(), nxdomain);
            status.serve.counters.insert("rcode_1".to_owned(), nxdomain * 2);
            status.rate_limit.limited = limited;
            samples.observe(&status, histogram.read(), start + Duration::from_secs_f64(seconds));
            samples.newest()
        };
        assert_eq!(at(0.0, 100, 0, 0), RateSample::default());
        assert_eq!(at(0.5, 150, 1, 0), RateSample::default(), "too early");
        (0..99).for_each(|_| histogram.note(Duration::from_micros(3), 1));
        histogram.note(Duration::from_micros(103), 1);
        let sample = at(2.0, 300, 10, 4);
        assert_eq!((sample.worker_us, sample.worker_p99_us), (Some(4.0), Some(4.0)));
        assert_eq!((sample.queries, sample.nxdomain, sample.other, sample.limited), (100.0, 5.0, 10.0, 2.0));
        // Counters that went back: another process; no rate is negative.
        let sample = at(3.0, 0, 0, 0);
        assert_eq!((sample.queries, sample.worker_us, sample.worker_p99_us), (0.0, None, None));
        for second in 4..1000 {
            at(f64::from(second), 0, 0, 0);
        }
        assert_eq!(samples.all().len(), MAX_SAMPLES);
    }
}
