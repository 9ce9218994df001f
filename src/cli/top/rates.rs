//! Rates from the totals of two looks. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use serde::Serialize;

use crate::control::{Status, Verdict};

/// How many seconds the curve shows: as wide as a large terminal.
const CURVE: usize = 300;

/// The totals that count queries, one for each transport.
const QUERIES: &str = "_queries";

/// The totals that count queries for a zone.
pub(super) const ZONES: &str = "zone_";

/// What changes each second.
#[derive(Debug, Default)]
pub(super) struct Rates {
    last: Option<(Instant, BTreeMap<String, u64>)>,
    /// By total, in events per second.
    per_second: BTreeMap<String, f64>,
    /// Queries per second, the latest last.
    curve: VecDeque<u64>,
}

/// One look as a document.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    pop: &'a str,
    instance: &'a str,
    now: u64,
    verdict: Verdict,
    queries_per_second: f64,
    per_second: &'a BTreeMap<String, f64>,
}

impl Rates {
    /// Takes a look that was had at this time; `zones` has the queries for the busiest zones.
    pub(super) fn take(&mut self, status: &Status, zones: &BTreeMap<String, u64>, now: Instant) {
        let mut totals = totals(status);
        totals.extend(zones.iter().map(|(zone, queries)| (format!("{ZONES}{zone}"), *queries)));
        if let Some((then, before)) = &self.last {
            let elapsed = now.saturating_duration_since(*then).as_secs_f64();
            if elapsed > 0.0 {
                // A total that went back is one of a process that was restarted.
                let rate = |name: &String, total: u64| {
                    // A zone that was not among the busiest before has a total all the same.
                    let unknown = if name.starts_with(ZONES) { total } else { 0 };
                    total.saturating_sub(before.get(name).copied().unwrap_or(unknown)) as f64 / elapsed
                };
                self.per_second =
                    totals.iter().map(|(name, total)| (name.clone(), rate(name, *total))).collect();
                self.curve.push_back(self.queries() as u64);
                if self.curve.len() > CURVE {
                    self.curve.pop_front();
                }
            }
        }
        self.last = Some((now, totals));
    }

    /// Queries per second over all transports.
    pub(super) fn queries(&self) -> f64 {
        let queries = self.per_second.iter().filter(|(name, _)| name.ends_with(QUERIES));
        queries.map(|(_, rate)| rate).sum()
    }

    /// The rates whose names begin with this, without it, the highest first.
    pub(super) fn group(&self, begin: &str) -> Vec<(&str, f64)> {
        let named =
            self.per_second.iter().filter_map(|(name, rate)| Some((name.strip_prefix(begin)?, *rate)));
        let mut group: Vec<_> = named.collect();
        group.sort_by(|one, other| other.1.total_cmp(&one.1));
        group
    }

    /// The rates that belong to none of these groups, the highest first.
    pub(super) fn others(&self, groups: &[&str]) -> Vec<(&str, f64)> {
        let is_other = |name: &&String| !groups.iter().any(|group| name.starts_with(group));
        let others = self.per_second.iter().filter(|(name, _)| is_other(name));
        let mut others: Vec<_> = others.map(|(name, rate)| (name.as_str(), *rate)).collect();
        others.sort_by(|one, other| other.1.total_cmp(&one.1));
        others
    }

    /// The last queries per second, at most this many, the latest last.
    pub(super) fn curve(&self, most: usize) -> Vec<u64> {
        self.curve.iter().skip(self.curve.len().saturating_sub(most)).copied().collect()
    }

    pub(super) fn document<'a>(&'a self, status: &'a Status) -> Document<'a> {
        Document {
            pop: &status.pop,
            instance: &status.instance,
            now: status.now,
            verdict: status.overall.verdict,
            queries_per_second: self.queries(),
            per_second: &self.per_second,
        }
    }
}

/// The counters, the limiter's, and each worker's.
fn totals(status: &Status) -> BTreeMap<String, u64> {
    let mut totals = status.serve.counters.clone();
    totals.insert("limited".to_owned(), status.rate_limit.limited);
    totals.insert("slipped".to_owned(), status.rate_limit.slipped);
    totals.insert("would_limit".to_owned(), status.rate_limit.would_limit);
    for worker in &status.serve.workers {
        totals.insert(format!("worker_{}", worker.index), worker.queries);
    }
    totals
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn status(udp: u64, limited: u64) -> Status {
        let mut status = Status::default();
        status.serve.counters = [("udp_queries".to_owned(), udp), ("rcode_3".to_owned(), udp / 2)].into();
        status.rate_limit.limited = limited;
        status
    }

    #[test]
    fn rates_are_differences_over_the_time_between_them() {
        let (start, mut rates) = (Instant::now(), Rates::default());
        let none = BTreeMap::new();
        let zones =
            |of: &[(&str, u64)]| of.iter().map(|(zone, queries)| ((*zone).to_owned(), *queries)).collect();
        rates.take(&status(1000, 0), &zones(&[("a.", 100)]), start);
        assert_eq!((rates.queries(), rates.curve(10)), (0.0, vec![]));
        rates.take(&status(3000, 10), &zones(&[("a.", 300), ("b.", 5000)]), start + Duration::from_secs(2));
        assert_eq!(rates.group(ZONES), [("a.", 100.0), ("b.", 0.0)]);
        assert_eq!((rates.queries(), rates.curve(10)), (1000.0, vec![1000]));
        assert_eq!(rates.group("rcode_"), [("3", 500.0)]);
        let others = rates.others(&["rcode_"]);
        assert!(
            others.contains(&("limited", 5.0)) && !others.iter().any(|(name, _)| name.starts_with("rcode"))
        );
        // A restart.
        rates.take(&status(10, 0), &none, start + Duration::from_secs(3));
        assert_eq!(rates.queries(), 0.0);
        for second in 4..1000 {
            rates.take(&status(second, 0), &none, start + Duration::from_secs(second));
        }
        assert_eq!((rates.curve(usize::MAX).len(), rates.curve(5).len()), (CURVE, 5));
    }
}
