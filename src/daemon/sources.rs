//! Where the deciding task's facts come from, and how old they are.
//!
//! Each source publishes a value and a count of its checks. The age of a fact is the time for which its count stood, in this
//! task's own run time; a fact that says whether this POP answers and is too old is a fact of its own.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::handoff::{Latest, Reader};
use crate::health::{Health, ServedZones};
use crate::host::{HostFacts, LostAddresses};
use crate::policy::{Facts, Operator, StaleFact};
use crate::publish::Report;
use crate::serve::{self, ServeWatch};
use crate::telemetry::{Freshness, RunTime};
use crate::wire::Name;

use crate::daemon::catalogs::CatalogFacts;
use crate::daemon::facts::{self, Gathered};
use crate::daemon::required::{MissingZones, RequiredZones};

/// A check may be late by this much more on a busy machine.
const SLACK: Duration = Duration::from_secs(1);

/// The sources, and what health is told in return.
pub(super) struct Sources {
    pub(super) report: Reader<Report>,
    pub(super) serve: ServeWatch,
    /// What the last look at serving found, for the status.
    pub(super) serve_facts: Latest<serve::Facts>,
    /// `None` where no address is watched.
    pub(super) addresses: Option<LostAddresses>,
    pub(super) host: HostFacts,
    pub(super) health: Health,
    /// The zones to probe, for health.
    pub(super) zones: Latest<Arc<dyn ServedZones>>,
    /// How often the zones in service had changed when health was told of them.
    pub(super) told: u64,
    /// Whether the zones of catalogs have come.
    pub(super) catalogs: Reader<CatalogFacts>,
    /// The required zones that are not in service.
    pub(super) missing: MissingZones,
    pub(super) ages: Ages,
}

/// How old the facts are.
pub(super) struct Ages {
    time: RunTime,
    /// The longest time between two ended rounds of probes.
    probes_limit: Duration,
    probes: Freshness,
    addresses: Freshness,
}

impl Ages {
    /// With probes at this interval, each taking so long at most.
    pub(super) fn new(interval: Duration, timeout: Duration, now: Instant) -> Self {
        let probes_limit = interval + timeout + SLACK;
        Self {
            time: RunTime::new(now),
            probes_limit,
            probes: Freshness::default(),
            addresses: Freshness::default(),
        }
    }

    /// Goes on with probes at another interval: the age that a longer one has led to is none of the shorter one.
    pub(super) fn change(&mut self, interval: Duration, timeout: Duration) {
        (self.probes_limit, self.probes) = (interval + timeout + SLACK, Freshness::default());
    }

    /// The facts that are too old, given how often each was checked.
    fn stale(&mut self, at: Duration, rounds: u64, address_checks: Option<u64>) -> Vec<StaleFact> {
        let probes = (self.probes.observe(rounds, at), self.probes_limit, "the probes");
        let addresses = address_checks.map(|checks| {
            (self.addresses.observe(checks, at), LostAddresses::LIMIT + SLACK, "the service addresses")
        });
        let all = [Some(probes), addresses].into_iter().flatten();
        let stale = all.filter(|(age, limit, _)| age >= limit);
        stale.map(|(age, _, name)| StaleFact { name: name.to_owned(), age }).collect()
    }
}

/// The zones in service, as a report has them.
#[derive(Debug)]
struct Served(Arc<Report>);

impl ServedZones for Served {
    fn serves(&self, zone: &Name) -> bool {
        self.0.answers(zone)
    }

    fn after(&self, zone: Option<&Name>) -> Option<Name> {
        self.0.served_after(zone).cloned()
    }

    fn all_expired(&self) -> bool {
        self.0.served() > 0 && self.0.served_after(None).is_none()
    }
}

impl Sources {
    /// This moment's facts.
    pub(super) fn gather(&mut self, required: &RequiredZones, operator: Operator, now: Instant) -> Facts {
        let at = self.ages.time.advance(now);
        let report = self.report.load();
        self.tell_health(&report);
        let serving = self.serve.observe(at);
        let known = self.serve_facts.current();
        if serving.lost_listeners != known.lost_listeners || serving.stale_workers != known.stale_workers {
            self.health.start_round_now();
        }
        self.serve_facts.publish_if_new(serving.clone());
        let lost_addresses: Vec<IpAddr> =
            self.addresses.as_ref().map(|told| (*told.lost.load()).clone()).unwrap_or_default();
        let host = self.host.facts.load();
        let probes = self.health.probes.load();
        let checks = self.addresses.as_ref().map(LostAddresses::checks);
        let stale = self.ages.stale(at, self.health.rounds(), checks);
        let missing = self.missing.follow(&report, required);
        let catalogs_settled = self.catalogs.load().is_settled;
        let (serving, host) = (&serving, &*host);
        let gathered =
            Gathered { report: &report, catalogs_settled, missing, serving, lost_addresses, host, stale };
        facts::gather(gathered, &probes, operator)
    }

    /// Returns when any fact has changed.
    pub(super) async fn changed(&mut self) {
        let addresses = async {
            match &mut self.addresses {
                Some(told) => told.lost.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.report.changed() => {}
            () = self.catalogs.changed() => {}
            () = self.serve.loss() => {}
            () = addresses => self.health.start_round_now(),
            () = self.host.facts.changed() => {}
            () = self.health.probes.changed() => {}
        }
    }

    fn tell_health(&mut self, report: &Arc<Report>) {
        // There may be hundreds of thousands of zones, and a decision comes often.
        if self.told == report.served_changes() {
            return;
        }
        self.told = report.served_changes();
        self.zones.publish(Arc::new(Served(report.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_that_is_not_checked_is_stale_and_a_pause_of_this_task_does_not_count() {
        let start = Instant::now();
        let (interval, timeout) = (Duration::from_millis(200), Duration::from_millis(500));
        let mut ages = Ages::new(interval, timeout, start);
        let mut now = start;
        let mut stale = |steps: u32, step: u64, rounds: u64, checks: u64| {
            let mut names = Vec::new();
            for _ in 0..steps {
                now += Duration::from_millis(step);
                let at = ages.time.advance(now);
                names = ages.stale(at, rounds, Some(checks)).into_iter().map(|fact| fact.name).collect();
            }
            names.join(", ")
        };
        assert_eq!(stale(1, 100, 1, 1), "");
        assert_eq!(stale(16, 100, 1, 2), "");
        assert_eq!(stale(2, 100, 1, 2), "the probes");
        assert_eq!(stale(14, 100, 1, 2), "the probes, the service addresses");
        assert_eq!(stale(1, 100, 2, 3), "");
        assert_eq!(stale(1, 60_000, 2, 3), "");
    }

    #[test]
    fn probes_that_were_rare_are_not_stale_when_they_become_frequent() {
        let start = Instant::now();
        let (rare, often, timeout) =
            (Duration::from_secs(3600), Duration::from_millis(200), Duration::from_millis(500));
        let mut ages = Ages::new(rare, timeout, start);
        let mut at = Duration::ZERO;
        let mut stale = |ages: &mut Ages, seconds, rounds| {
            at += Duration::from_secs(seconds);
            ages.stale(at, rounds, None).len()
        };
        assert_eq!([stale(&mut ages, 0, 1), stale(&mut ages, 1000, 1)], [0, 0]);
        ages.change(often, timeout);
        assert_eq!([stale(&mut ages, 0, 1), stale(&mut ages, 1, 1), stale(&mut ages, 1, 1)], [0, 0, 1]);
        assert_eq!(stale(&mut ages, 0, 2), 0);
    }
}
