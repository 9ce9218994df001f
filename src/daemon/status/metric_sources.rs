//! What only metrics tell, and what is observed of it between scrapes: the ages of facts, the names of busy zones.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::metrics::{ExportFacts, MOST_BUSY, SampleFacts};
use crate::publish::Report;
use crate::telemetry::{BusyZones, Counters, Freshness};
use crate::wire::Name;
use crate::zone::apex_key;

/// What a part tells at this moment; never blocks.
type MetricSource<T> = Box<dyn FnMut() -> T + Send>;

/// What only metrics tell.
#[derive(Default)]
pub(in crate::daemon) struct MetricSources {
    /// How often each source of facts was checked, by its name.
    pub(in crate::daemon) checks: Vec<(&'static str, MetricSource<u64>)>,
    /// Log records that were dropped.
    pub(in crate::daemon) log_dropped: Option<MetricSource<u64>>,
    /// dnstap messages that were written, and those that nobody took.
    pub(in crate::daemon) samples: Option<MetricSource<SampleFacts>>,
    /// Log records and spans that an OpenTelemetry receiver got, and those that nobody got.
    pub(in crate::daemon) exported: Option<MetricSource<ExportFacts>>,
}

/// What is observed between scrapes.
#[derive(Debug, Default)]
pub(super) struct MetricWatch {
    /// In the order of the sources.
    pub(super) facts: Vec<(Freshness, Duration)>,
    pub(super) names: BusyNames,
}

/// The names of busy zones by their keys.
#[derive(Debug, Default)]
pub(super) struct BusyNames {
    known: BTreeMap<u64, Name>,
    /// The keys that no zone of the report has, and how many changes that report had.
    unknown: (BTreeSet<u64>, u64),
}

impl MetricWatch {
    /// Takes the counts of checks as they are at this run time.
    pub(super) fn observe(&mut self, sources: &mut MetricSources, at: Duration) {
        self.facts.resize(sources.checks.len(), Default::default());
        for ((_, count), (freshness, age)) in sources.checks.iter_mut().zip(&mut self.facts) {
            *age = freshness.observe(count(), at);
        }
    }
}

impl BusyNames {
    /// The busiest zones with estimated counts of queries, and an estimate of all other queries.
    pub(super) fn busy(&mut self, counters: &Counters, report: &Report) -> (Vec<(String, u64)>, u64) {
        let (mut samples, mut rest) = (BTreeMap::<u64, u64>::new(), 0);
        for worker in counters.workers() {
            let (zones, others) = worker.zones.read();
            rest += others;
            zones.into_iter().for_each(|(key, seen)| *samples.entry(key).or_default() += seen);
        }
        self.look_up(&samples, report);
        let mut busiest: Vec<(u64, u64)> = samples.into_iter().collect();
        busiest.sort_by_key(|(key, seen)| (Reverse(*seen), *key));
        let mut named = Vec::new();
        for (key, seen) in busiest {
            match self.known.get(&key).filter(|_| named.len() < MOST_BUSY) {
                Some(name) => named.push((name.to_string(), seen * BusyZones::SAMPLE)),
                None => rest += seen,
            }
        }
        (named, rest * BusyZones::SAMPLE)
    }

    /// Finds the names of keys that are new: walks all zones, if there are such keys and the zones were not walked yet.
    fn look_up(&mut self, samples: &BTreeMap<u64, u64>, report: &Report) {
        self.known.retain(|key, _| samples.contains_key(key));
        let missing: BTreeSet<u64> =
            samples.keys().filter(|key| !self.known.contains_key(key)).copied().collect();
        let (unknown, changes) = &self.unknown;
        if missing.is_empty() || (*changes == report.changes() && missing.is_subset(unknown)) {
            return;
        }
        for name in report.zones.keys() {
            let key = apex_key(name).max(1);
            if missing.contains(&key) {
                self.known.insert(key, name.clone());
            }
        }
        let unknown = missing.into_iter().filter(|key| !self.known.contains_key(key)).collect();
        self.unknown = (unknown, report.changes());
    }
}
