//! The whole state as a document.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::HEXLOWER;

use crate::admission::Mode;
use crate::control::{
    Alarm, CONTENT_OCTETS, Cause, FactStatus, ListenerStatus, OperatorStatus, ProbeStatus, RateLimitStatus,
    ReloadStatus, Selection, ServeStatus, ServedZone, Status, WorkerStatus, ZoneStatus, without_numbers,
};
use crate::health;
use crate::publish::{Report, WatchState};
use crate::serve::{LostListener, TlsFiles};
use crate::telemetry::{Counters, QUERY_TYPES, type_of_slot};
use crate::wire::{Name, RecordType};
use crate::zone::{ContentDigest, Published, Snapshot};

use crate::daemon::drain::Drain;
use crate::daemon::status::answers::routes;
use crate::daemon::status::clock::Clock;
use crate::daemon::status::transfers::{canaries, catalogs};
use crate::daemon::status::{Ordered, OtherAlarm, Reload, State};

impl State {
    /// Everything there is to tell at this moment.
    pub(in crate::daemon::status) fn document(&mut self, selection: &Selection) -> Status {
        let clock = self.anchor.clock();
        let report = (self.sources.report)();
        let ordered = (self.sources.ordered)();
        let route_status = (self.sources.routes)();
        let started = clock.of(self.sources.started);
        self.zones.refresh(&report, &ordered.required, started);
        let (mut zones, zone_counts) = self.zones.select(selection);
        self.transfers.follow(&mut self.sources.transfers, clock.instant());
        self.transfers.fill(&mut zones, &self.sources.transfers, clock);
        fill_digests(&mut zones, &self.sources.published);
        let settings = self.sources.settings.clone();
        let catalogs = self.sources.transfers.catalogs.as_ref();
        let catalogs = catalogs.map_or_else(Vec::new, |facts| catalogs::statuses(&facts.load()));
        let canaries = self.sources.transfers.canaries.as_ref();
        let canaries = canaries.map_or_else(Vec::new, |facts| canaries::statuses(&facts.load()));
        let mut status = Status {
            pop: settings.pop,
            instance: settings.instance,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now: clock.unix(),
            started,
            dry_run: settings.dry_run,
            stopping: ordered.stopping,
            updates_alive: self.updates_alive,
            // A planned stop ends the publisher before it ends the status.
            updates_fault: self.updates_fault.clone().filter(|_| !ordered.stopping),
            operator: operator(&ordered, started, clock),
            reload: reload(&(self.sources.reload)(), clock),
            progress: report.progress.map(|progress| progress.to_string()),
            zones_not_kept: report.unkept as u64,
            zone_counts,
            zone_groups: self.zones.groups(),
            catalogs,
            canaries,
            delay: self.sources.transfers.delayed.as_ref().map(|it| it.delay().as_secs()),
            zones_waiting: self.sources.transfers.delayed.as_ref().map_or(0, |it| it.count()) as u64,
            zones,
            prefixes: routes::prefixes(&route_status, clock),
            probes: (self.sources.statistics)().iter().map(|one| probe(one, clock)).collect(),
            serve: self.serve_status(),
            rate_limit: self.rate_limit_status(),
            tasks: self.tasks.statuses(),
            facts: self
                .fact_ages()
                .map(|(name, age)| FactStatus { name: name.to_owned(), age_ms: age.as_millis() as u64 })
                .collect(),
            ..Status::default()
        };
        let mut alarms = self.tasks.alarms(ordered.stopping);
        alarms.extend(routes::host_alarms(&route_status));
        for source in &mut self.sources.other_alarms {
            alarms.extend(source());
        }
        alarms.extend(self.zones.signature_alarms(clock.unix()));
        alarms.extend(self.transfers.alarms());
        alarms.extend(self.targets.alarms(clock));
        alarms.extend(source_alarms(&report, self.sources.tls_files.as_ref()));
        status.alarms = alarms.into_iter().map(|alarm| dated(alarm, clock)).collect();
        self.memory.settle(&mut status);
        status
    }

    /// The zones in these buckets that are served.
    pub(in crate::daemon::status) fn served_zones(&self, buckets: &[u8]) -> Vec<ServedZone> {
        let served = self.sources.published.load();
        let with_content = |(name, zone): (&Name, ServedZone)| {
            let digest =
                content_of(&served, name, zone.serial).and_then(|digest| digest.get(..CONTENT_OCTETS));
            ServedZone { content: digest.map(|digest| HEXLOWER.encode(digest)), ..zone }
        };
        self.zones.serials(buckets).into_iter().map(with_content).collect()
    }

    fn serve_status(&mut self) -> ServeStatus {
        let facts = (self.sources.serve_facts)();
        let settings = &self.sources.settings;
        let listeners = settings.listen.iter().map(|(transport, address)| {
            let lost = |lost: &&LostListener| (lost.transport, lost.address) == (*transport, *address);
            ListenerStatus {
                address: address.to_string(),
                transport: transport.to_string().to_uppercase(),
                fault: facts.lost_listeners.iter().find(lost).map(|lost| lost.reason.clone()),
            }
        });
        let workers = self.sources.counters.workers().iter().enumerate();
        let workers = workers.map(|(index, worker)| WorkerStatus {
            index: index as u64,
            stale: facts.stale_workers.contains(&index),
            queries: worker.queries(),
        });
        ServeStatus {
            engine: if settings.native { "native" } else { "hickory" }.to_owned(),
            listeners: listeners.collect(),
            workers: workers.collect(),
            counters: self.totals(),
        }
    }

    fn totals(&self) -> BTreeMap<String, u64> {
        let counters = &self.sources.counters;
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
        totals.extend(query_types(counters));
        totals
    }

    fn rate_limit_status(&self) -> RateLimitStatus {
        let (settings, counters) = (self.sources.settings.limits.settings(), &self.sources.counters);
        let mode = match settings.mode {
            Mode::Enforce => "enforce",
            Mode::DryRun => "dry-run",
            Mode::Off => "off",
        };
        RateLimitStatus {
            mode: mode.to_owned(),
            limited: counters.sum(|worker| &worker.limited),
            slipped: counters.sum(|worker| &worker.slipped),
            would_limit: counters.sum(|worker| &worker.would_limit),
            table_slots: settings.table_slots.next_power_of_two() as u64,
        }
    }
}

/// Queries by type, as far as any came.
fn query_types(counters: &Counters) -> impl Iterator<Item = (String, u64)> {
    let mut sums = [0_u64; QUERY_TYPES];
    for worker in counters.workers() {
        sums.iter_mut().zip(worker.types.read()).for_each(|(sum, count)| *sum = sum.wrapping_add(count));
    }
    sums.into_iter().enumerate().filter(|(_, count)| *count > 0).map(|(slot, count)| {
        let name = type_of_slot(slot).map_or("other".to_owned(), |number| RecordType(number).to_string());
        (format!("qtype_{name}"), count)
    })
}

/// An alarm that begins now, unless the memory knows it.
fn dated(alarm: OtherAlarm, clock: Clock) -> Alarm {
    Alarm { kind: alarm.kind, cause: alarm.cause, message: alarm.message, since: clock.unix() }
}

fn operator(ordered: &Ordered, started: u64, clock: Clock) -> OperatorStatus {
    let (order, reason, since) = match &ordered.drain {
        Drain::None => ("automatic", "", started),
        Drain::Depreferred { reason, since, .. } => ("deprefer", reason.as_str(), clock.of(*since)),
        Drain::Withdrawn { reason, since } => ("withdraw", reason.as_str(), clock.of(*since)),
    };
    OperatorStatus { order: order.to_owned(), reason: reason.to_owned(), since }
}

fn reload(reload: &Arc<Reload>, clock: Clock) -> Option<ReloadStatus> {
    let (failed, since, reason) = match &**reload {
        Reload::None | Reload::Done => return None,
        Reload::Running { since } => (false, since, String::new()),
        Reload::Failed { since, reason } => (true, since, reason.clone()),
    };
    Some(ReloadStatus { failed, since: clock.of(*since), reason })
}

fn probe(one: &health::Statistics, clock: Clock) -> ProbeStatus {
    ProbeStatus {
        address: one.address.to_string(),
        transport: one.transport.to_string(),
        standing: one.standing.to_owned(),
        since: clock.of(one.since),
        questions: one.questions,
        questions_lost: one.questions_lost,
        recent_questions: one.recent.asked(),
        recent_lost: one.recent.lost(),
        round_trip_us: one.round_trip.map(|time| time.as_micros() as u64),
        reason: one.reason.clone(),
        reason_at: one.reason_at.map(|at| clock.of(at)),
        zone_fault: one.zone_fault.as_ref().map(|fault| format!("{}: {}", fault.zone, fault.reason)),
    }
}

/// What is wrong with the sources of zones, with the certificate and with the ticket keys.
fn source_alarms(report: &Report, files: Option<&TlsFiles>) -> Vec<OtherAlarm> {
    let alarm = |kind: String, message: String| OtherAlarm { kind, cause: Cause::Rest, message };
    let of_source = |message: String| alarm(without_numbers(&message), message);
    let mut alarms: Vec<OtherAlarm> =
        report.faults.iter().map(|fault| of_source(fault.to_string())).collect();
    if let Some(fault) = files.and_then(|files| files.certificates.fault()) {
        alarms.push(alarm("certificate".to_owned(), format!("the old certificate stays: {fault}")));
    }
    if let Some(fault) = files.and_then(|files| files.ticket_keys.fault()) {
        alarms.push(alarm("ticket keys".to_owned(), format!("the old ticket keys stay: {fault}")));
    }
    let expiry = files.and_then(|files| files.certificates.expiry());
    alarms.extend(expiry.map(|message| alarm("certificate expiry".to_owned(), message)));
    if let WatchState::Degraded { reason } = &report.watch {
        let message = format!("changes of zone files may be seen late: {reason}");
        alarms.push(alarm("watch".to_owned(), message));
    }
    alarms
}

/// The digest of the content that is served under this serial, once it is made.
pub(in crate::daemon::status) fn content_of<'s>(
    served: &'s Snapshot,
    zone: &Name,
    serial: u32,
) -> Option<&'s ContentDigest> {
    served.zone(zone).filter(|zone| zone.serial().0 == serial)?.content_digest()
}

/// Puts the digest of what is served into the zones of a document, where one is made and the serial is the same.
fn fill_digests(zones: &mut [ZoneStatus], published: &Published) {
    let served = published.load();
    for status in zones {
        let name = status.name.parse::<Name>().ok();
        let digest = name.zip(status.serial).and_then(|(name, serial)| content_of(&served, &name, serial));
        status.digest = digest.map(|digest| HEXLOWER.encode(digest));
    }
}
