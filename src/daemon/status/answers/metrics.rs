//! Metrics: the document, the counters, and what only metrics tell, gathered for a scrape.
//!
//! The ages of facts are measured as every other age here: how long the count of checks has stood, in the status task's own run time.
//! Zones have facts of their own up to a bound; of more only those that the configuration requires. Nothing here walks all zones, but
//! for the names of zones that have just become busy.

use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;

use crate::clock::unix_seconds;
use crate::config::ShownCertificate;
use crate::control::{CONTENT_OCTETS, Selection, ZoneFilter};
use crate::metrics::{
    self, CertificateFacts, Facts, Format, MOST_NAMES, MOST_ZONES, PrefixFacts, SampleFacts, SessionFacts,
    ZoneFacts,
};
use crate::policy::Reason;
use crate::publish::{Report, ZoneReport};
use crate::route::{LeaseStatus, NeighborKey, RouteStatus, SessionState};
use crate::telemetry::{CertificateValidity, Tap};
use crate::wire::{Name, Serial};

use crate::daemon::status::answers::document::content_of;
use crate::daemon::status::clock::Clock;
use crate::daemon::status::{State, zones};

impl State {
    /// The answer to a scrape.
    pub(in crate::daemon::status) fn metrics_text(&mut self, openmetrics: bool) -> String {
        let status = self.document(&Selection { zones: ZoneFilter::All, most: Some(0) });
        let facts = self.facts();
        let format = if openmetrics { Format::OpenMetrics } else { Format::Text };
        metrics::render(&status, &self.sources.counters, &facts, format)
    }

    fn facts(&mut self) -> Facts {
        let clock = self.anchor.clock();
        let (report, routes) = ((self.sources.report)(), (self.sources.routes)());
        let (busy_zones, other_queries) = self.metrics.busy.totals(&self.sources.counters, &report);
        let config_digest = (self.sources.ordered)().config_digest.clone();
        let fact_ages = self.fact_ages().map(|(name, age)| (name, age.as_secs_f64())).collect();
        let tasks = self.tasks.ages().into_iter();
        Facts {
            config_digest,
            zones: self.zone_facts(&report, clock),
            signatures_expire: self.zones.earliest_expiry(),
            transfers: self.transfers.totals(clock.instant()),
            outward: self.targets.facts(&self.sources.transfers.outward, clock.instant()),
            busy_zones,
            other_queries,
            prefixes: prefix_facts(&routes, clock.instant()),
            sessions: session_facts(&routes, clock),
            lease_held: matches!(routes.lease, LeaseStatus::Held),
            fact_ages,
            task_ages: tasks.map(|(name, age)| (name, age.as_secs_f64())).collect(),
            log_dropped: self.sources.metrics.log_dropped.as_mut().map_or(0, |dropped| dropped()),
            samples: self.sample_facts(),
            certificates: self.certificates(),
            web_refused: self.sources.metrics.web_refused.as_mut().map_or(0, |refused| refused()),
            exported: self.sources.metrics.exported.as_mut().map(|told| told()).unwrap_or_default(),
        }
    }

    /// When each certificate in use is valid; of several of one purpose the one whose renewal is urgent first.
    fn certificates(&mut self) -> Vec<CertificateFacts> {
        let serving = self.sources.tls_files.as_ref().and_then(|files| files.certificates.validity());
        let web = self.sources.metrics.web_certificate.as_mut().and_then(|validity| validity());
        let fleet = self.sources.metrics.fleet_certificate.as_mut().and_then(|validity| validity());
        let ordered = (self.sources.ordered)();
        let shown = ShownCertificate::PURPOSES.map(|purpose| {
            let shown = ordered.certificates.iter().filter(|shown| shown.purpose == purpose);
            (purpose, CertificateValidity::most_urgent(shown.map(|shown| shown.validity)))
        });
        let facts = |(purpose, validity): (_, Option<CertificateValidity>)| {
            let validity = validity?;
            let (not_before, expires) = (unix_seconds(validity.from()), unix_seconds(validity.until()));
            Some(CertificateFacts { purpose, not_before, expires })
        };
        [("tls", serving), ("web", web), ("fleet", fleet)]
            .into_iter()
            .chain(shown)
            .filter_map(facts)
            .collect()
    }

    /// How long ago each source of facts was last checked.
    pub(in crate::daemon::status) fn fact_ages(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        let names = self.sources.metrics.checks.iter().map(|(name, _)| *name);
        names.zip(self.metrics.facts.iter().map(|(_, age)| *age))
    }

    fn sample_facts(&mut self) -> SampleFacts {
        let written = self.sources.metrics.samples.as_mut().map_or_else(SampleFacts::default, |told| told());
        let not_taken = self.sources.counters.taps().iter().map(Tap::dropped).sum::<u64>();
        SampleFacts { not_taken, ..written }
    }

    /// The zones that have samples of their own.
    fn zone_facts(&mut self, report: &Report, clock: Clock) -> Vec<ZoneFacts> {
        let required = (self.sources.ordered)().required.clone();
        let served = self.sources.published.load();
        let digest = |name: &Name, serial: Serial| {
            let digest = content_of(&served, name, serial.0)?;
            Some(HEXLOWER.encode(digest.get(..CONTENT_OCTETS).unwrap_or_default()))
        };
        let facts = |(name, zone): (&Name, &ZoneReport)| {
            let transfer = self.transfers.facts(name, clock);
            ZoneFacts {
                name: name.to_string(),
                is_well: zones::is_well(zone),
                serial: zone.serial.map(|serial| serial.0),
                digest: zone.serial.and_then(|serial| digest(name, serial)),
                records: zone.records as u64,
                accepted: zone.accepted_at.map(unix_seconds),
                signatures_expire: zone
                    .signatures
                    .as_ref()
                    .and_then(|signatures| signatures.verdict.validity)
                    .map(|validity| validity.expires),
                transfer,
            }
        };
        let mut octets = 0;
        let has_room = |zone: &ZoneFacts| {
            octets += zone.name.len();
            octets <= MOST_NAMES
        };
        if report.zones.size() <= MOST_ZONES {
            let all = report.zones.iter().map(|(name, zone)| (name, zone.as_ref()));
            return all.map(facts).take_while(has_room).collect();
        }
        let required = required.iter().filter_map(|name| Some((name, report.zones.get(name)?.as_ref())));
        required.take(MOST_ZONES).map(facts).take_while(has_room).collect()
    }
}

fn prefix_facts(routes: &RouteStatus, now: Instant) -> Vec<PrefixFacts> {
    let hold = |reason: &Reason| match reason {
        Reason::Hold(until) => Some(until.saturating_duration_since(now)),
        _ => None,
    };
    let prefix = |one: &crate::route::PrefixStatus| PrefixFacts {
        prefix: one.prefix.to_string(),
        hold: one.reasons.iter().find_map(hold).unwrap_or_default().as_secs_f64(),
        withdrawals: one.withdrawals,
        withdrawn_in: one.withdrawn_in.map(|took| took.as_secs_f64()),
    };
    routes.prefixes.iter().map(prefix).collect()
}

fn session_facts(routes: &RouteStatus, clock: Clock) -> Vec<SessionFacts> {
    let sessions = routes.neighbors.iter().filter_map(|one| match one.neighbor {
        NeighborKey::Bgp(address) => Some((address, one)),
        NeighborKey::DryRun => None,
    });
    let session = |(address, one): (std::net::SocketAddr, &crate::route::NeighborStatus)| SessionFacts {
        neighbor: address.to_string(),
        is_established: one.session == SessionState::Established,
        established: one.established,
        since: clock.of(one.since),
    };
    sessions.map(session).collect()
}
