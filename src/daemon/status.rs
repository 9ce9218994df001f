//! The whole state as a document, put together from what every part reports.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::admission::Mode;
use crate::control::{
    self, Alarm, ListenerStatus, NeighbourStatus, OperatorStatus, PrefixStatus, ProbeStatus, RateLimitStatus,
    ServeStatus, Status, WorkerStatus, ZoneStatus,
};
use crate::health;
use crate::policy::Intent;
use crate::publish::{Report, WatchState, ZoneReport, ZoneState};
use crate::route::{self, NeighborKey, Preference, RouteState};
use crate::serve::{Certificates, Engine, LostListener, TlsSettings, Transport};

use super::drain::Drain;
use super::pilot::Pilot;

impl Pilot {
    /// Everything there is to tell at this moment.
    pub(super) fn status(&mut self) -> Status {
        let clock = Clock::now();
        let report = self.report.borrow().clone();
        let mut status = Status {
            pop: self.config.pop.name.clone(),
            instance: self.config.pop.instance.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now: clock.unix,
            started: clock.of(self.started),
            updates_alive: (!report.stopped).then_some(clock.unix),
            operator: operator(&self.drain, self.started, &clock),
            progress: report.progress.map(|progress| progress.to_string()),
            zones_not_kept: report.unkept as u64,
            zones: self.zone_statuses(&report, &clock),
            prefixes: prefixes(&self.gate_status.borrow(), &clock),
            probes: self.health.statistics.borrow().iter().map(|one| probe(one, &clock)).collect(),
            serve: self.serve_status(),
            rate_limit: self.rate_limit_status(),
            alarms: alarms(&report, self.certificates.as_deref(), &clock),
            ..Status::default()
        };
        status.overall = control::overall(&status);
        self.keep_since(&mut status);
        status
    }

    /// The verdict's `since` is when it became this one, whichever reasons came and went since.
    fn keep_since(&mut self, status: &mut Status) {
        match self.overall_since {
            Some((verdict, since)) if verdict == status.overall.verdict => status.overall.since = since,
            _ => self.overall_since = Some((status.overall.verdict, status.overall.since)),
        }
    }

    fn zone_statuses(&self, report: &Report, clock: &Clock) -> Vec<ZoneStatus> {
        let required = &self.config.required;
        let known = report.zones.iter().map(|(name, zone)| ZoneStatus {
            required: required.contains(name),
            ..zone_status(name.to_string(), zone)
        });
        let absent = required.iter().filter(|name| !report.zones.contains_key(*name));
        let absent = absent.map(|name| ZoneStatus {
            name: name.to_string(),
            state: if report.settled { control::ZoneState::Refused } else { control::ZoneState::Loading },
            required: true,
            since: clock.of(self.started),
            faults: vec!["required, but no source holds it".into()],
            ..ZoneStatus::default()
        });
        known.chain(absent).collect()
    }

    fn serve_status(&self) -> ServeStatus {
        let facts = self.serve_facts.borrow();
        let native = match self.config.serve.engine {
            Engine::Auto => cfg!(target_os = "linux"),
            Engine::Native => true,
            Engine::Hickory => false,
        };
        let plain = self.config.serve.listen.iter();
        let plain = plain.flat_map(|at| [Transport::Udp, Transport::Tcp].map(|transport| (transport, *at)));
        let encrypted = self.config.serve.tls.iter().flat_map(TlsSettings::listen);
        let listeners = plain.chain(encrypted).map(|(transport, address)| {
            let lost = |lost: &&LostListener| (lost.transport, lost.address) == (transport, address);
            ListenerStatus {
                address: address.to_string(),
                transport: transport.to_string().to_uppercase(),
                fault: facts.lost_listeners.iter().find(lost).map(|lost| lost.reason.clone()),
            }
        });
        let workers = self.counters.workers().iter().enumerate().map(|(index, worker)| WorkerStatus {
            index: index as u64,
            stale: facts.stale_workers.contains(&index),
            queries: worker.queries(),
        });
        ServeStatus {
            engine: if native { "native" } else { "hickory" }.to_owned(),
            listeners: listeners.collect(),
            workers: workers.collect(),
            counters: self.totals(),
        }
    }

    fn totals(&self) -> BTreeMap<String, u64> {
        let counters = &self.counters;
        let mut totals = BTreeMap::from([
            ("udp_queries".to_owned(), counters.sum(|worker| &worker.udp_queries)),
            ("tcp_queries".to_owned(), counters.sum(|worker| &worker.tcp_queries)),
            ("dot_queries".to_owned(), counters.sum(|worker| &worker.dot_queries)),
            ("doh_queries".to_owned(), counters.sum(|worker| &worker.doh_queries)),
            ("doq_queries".to_owned(), counters.sum(|worker| &worker.doq_queries)),
            ("connections".to_owned(), counters.sum(|worker| &worker.tcp_connections)),
            ("connections_refused".to_owned(), counters.sum(|worker| &worker.tcp_refused)),
            ("connections_timed_out".to_owned(), counters.sum(|worker| &worker.tcp_timeouts)),
            ("handshake_failures".to_owned(), counters.sum(|worker| &worker.handshake_failures)),
            ("protocol_errors".to_owned(), counters.sum(|worker| &worker.protocol_errors)),
            ("responses".to_owned(), counters.sum(|worker| &worker.responses)),
            ("truncated".to_owned(), counters.sum(|worker| &worker.truncated)),
            ("ignored".to_owned(), counters.sum(|worker| &worker.ignored)),
            ("send_errors".to_owned(), counters.sum(|worker| &worker.send_errors)),
        ]);
        for rcode in 0..17 {
            let sum = counters.sum(|worker| worker.rcodes.get(rcode).unwrap_or(&worker.ignored));
            if sum > 0 {
                let name =
                    if rcode < 16 { format!("rcode_{rcode}") } else { "rcode_16_and_above".to_owned() };
                totals.insert(name, sum);
            }
        }
        totals
    }

    fn rate_limit_status(&self) -> RateLimitStatus {
        let mode = match self.config.rate_limit.mode {
            Mode::Enforce => "enforce",
            Mode::DryRun => "dry-run",
            Mode::Off => "off",
        };
        RateLimitStatus {
            mode: mode.to_owned(),
            limited: self.counters.sum(|worker| &worker.limited),
            slipped: self.counters.sum(|worker| &worker.slipped),
            would_limit: self.counters.sum(|worker| &worker.would_limit),
            table_slots: self.config.rate_limit.table_slots.next_power_of_two() as u64,
        }
    }
}

/// Turns the monotonic clock's moments into Unix seconds, as of one moment.
struct Clock {
    unix: u64,
    instant: Instant,
}

impl Clock {
    fn now() -> Self {
        Self { unix: unix(SystemTime::now()), instant: Instant::now() }
    }

    fn of(&self, moment: Instant) -> u64 {
        self.unix.saturating_sub(self.instant.saturating_duration_since(moment).as_secs())
    }
}

fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

fn operator(drain: &Drain, started: Instant, clock: &Clock) -> OperatorStatus {
    let (order, reason, since) = match drain {
        Drain::None => ("automatic", "", started),
        Drain::Depreferred { reason, since, .. } => ("deprefer", reason.as_str(), *since),
        Drain::Withdrawn { reason, since } => ("withdraw", reason.as_str(), *since),
    };
    OperatorStatus { order: order.to_owned(), reason: reason.to_owned(), since: clock.of(since) }
}

fn zone_status(name: String, zone: &ZoneReport) -> ZoneStatus {
    let state = match zone.state {
        ZoneState::Waiting => control::ZoneState::Loading,
        ZoneState::Serving => control::ZoneState::Served,
        ZoneState::Kept => control::ZoneState::Kept,
        ZoneState::Refused => control::ZoneState::Refused,
    };
    ZoneStatus {
        name,
        state,
        required: false,
        serial: zone.serial.map(|serial| serial.0),
        records: zone.records as u64,
        source: zone.source.display().to_string(),
        since: unix(zone.since),
        faults: zone.faults.iter().map(ToString::to_string).collect(),
    }
}

fn prefixes(routes: &route::RouteStatus, clock: &Clock) -> Vec<PrefixStatus> {
    let prefix = |one: &route::PrefixStatus| PrefixStatus {
        prefix: one.prefix.to_string(),
        intent: match one.intent {
            Intent::Announce => "announce",
            Intent::Deprefer => "deprefer",
            Intent::Withdraw => "withdraw",
        }
        .to_owned(),
        since: clock.of(one.since),
        reasons: one.reasons.iter().map(ToString::to_string).collect(),
        neighbours: one.neighbors.iter().map(|(key, state)| neighbour(routes, key, state, clock)).collect(),
    };
    routes.prefixes.iter().map(prefix).collect()
}

fn neighbour(
    routes: &route::RouteStatus,
    key: &NeighborKey,
    state: &RouteState,
    clock: &Clock,
) -> NeighbourStatus {
    let session = routes.neighbors.iter().find(|one| one.neighbor == *key);
    let (told, since) = match state {
        RouteState::Announced { preference, since } => (Some(*preference), Some(*since)),
        RouteState::Pending { told } => (*told, None),
        RouteState::Refused { .. } | RouteState::Withdrawn => (None, None),
    };
    let session_text = session.map_or_else(String::new, |one| match (&one.last_error, state) {
        (_, RouteState::Refused { reason }) => format!("{} ({reason})", one.session),
        (Some((_, error)), RouteState::Pending { .. }) => format!("{} ({error})", one.session),
        _ => one.session.to_string(),
    });
    NeighbourStatus {
        neighbour: key.to_string(),
        session: session_text,
        route: match told {
            Some(Preference::Normal) => control::RouteState::Announced,
            Some(Preference::Depreferred) => control::RouteState::Depreferred,
            None => control::RouteState::Absent,
        },
        since: since.or(session.map(|one| one.since)).map_or(clock.unix, |since| clock.of(since)),
    }
}

fn probe(one: &health::Statistics, clock: &Clock) -> ProbeStatus {
    ProbeStatus {
        address: one.address.to_string(),
        transport: one.transport.to_string(),
        standing: one.standing.to_owned(),
        since: clock.of(one.since),
        round_trip_us: one.round_trip.map(|time| time.as_micros() as u64),
        reason: one.reason.clone(),
        reason_at: one.reason_at.map(|at| clock.of(at)),
        zone_fault: one.zone_fault.as_ref().map(|fault| format!("{}: {}", fault.zone, fault.reason)),
    }
}

fn alarms(report: &Report, certificates: Option<&Certificates>, clock: &Clock) -> Vec<Alarm> {
    let mut messages: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    if let Some(fault) = certificates.and_then(Certificates::fault) {
        messages.push(format!("the old certificate stays: {fault}"));
    }
    messages.extend(certificates.and_then(Certificates::expiry));
    if let WatchState::Degraded { reason } = &report.watch {
        messages.push(format!("changes of zone files may be seen late: {reason}"));
    }
    messages.into_iter().map(|message| Alarm { message, since: clock.unix }).collect()
}
