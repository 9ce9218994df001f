//! What the status is made of: a source for each part, and the alarms that no part of the document shows by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use crate::admission::Limits;
use crate::catchment::Catchment;
use crate::config::{Config, ShownCertificate};
use crate::control::{Cause, Feed, Server};
use crate::dnstap::DnstapCounts;
use crate::handoff::{Latest, Reader, queue};
use crate::health;
use crate::host::HostFacts;
use crate::metrics::{ExportFacts, SampleFacts};
use crate::otlp::ExportCounts;
use crate::publish::PublisherHandle;
use crate::route::{LeaseStatus, NeighborKey, NeighborStatus, RouteStatus, SessionState, Speaker};
use crate::serve::{self, Serving};
use crate::telemetry::{Beat, Counters, Logs};
use crate::zone::Published;

use crate::daemon::DaemonError;
use crate::daemon::canaries::CanaryFacts;
use crate::daemon::catalogs::CatalogFacts;
use crate::daemon::orders::history;
use crate::daemon::sources::Sources;
use crate::daemon::status::{
    ControlThread, MetricSources, Ordered, OtherAlarm, Reload, Settings, Source, StatusSources, StatusTask,
    TransferSources, canary_alarms, catalog_alarms,
};
use crate::daemon::thread::Thread;
use crate::daemon::web::Web;

/// Questions that wait for the thread `control`: those of the connections that are answered at one moment.
const MOST_INQUIRIES: usize = 16;

/// Dropped log records are an alarm for so long after the last of them.
const DROPS_ALARM: Duration = Duration::from_secs(60);

/// What the deciding task and health tell the status.
pub(in crate::daemon) struct DecisionReaders {
    pub(in crate::daemon) serve_facts: Reader<serve::Facts>,
    pub(in crate::daemon) ordered: Reader<Ordered>,
    pub(in crate::daemon) reload: Reader<Reload>,
    pub(in crate::daemon) statistics: Reader<Vec<health::Statistics>>,
    /// How often each source of facts was checked ([`fact_checks`]).
    pub(in crate::daemon) checks: Vec<(&'static str, Source<u64>)>,
}

/// How often each source of facts that the deciding task looks at was checked.
pub(in crate::daemon) fn fact_checks(sources: &Sources) -> Vec<(&'static str, Source<u64>)> {
    let (host, rounds) = (sources.host.clone(), sources.health.rounds_source());
    let mut checks: Vec<(&'static str, Source<u64>)> =
        vec![("probes", Box::new(rounds)), ("host", Box::new(move || host.checks()))];
    if let Some(addresses) = sources.addresses.clone() {
        checks.push(("service-addresses", Box::new(move || addresses.checks())));
    }
    checks
}

/// What becomes of samples.
pub(in crate::daemon) struct SampleReports {
    pub(in crate::daemon) counts: DnstapCounts,
    pub(in crate::daemon) catchment: Option<Reader<Catchment>>,
}

/// The parts that the status reports.
pub(in crate::daemon) struct Reported<'a> {
    pub(in crate::daemon) started: Instant,
    pub(in crate::daemon) config: &'a Config,
    pub(in crate::daemon) publisher: &'a PublisherHandle,
    pub(in crate::daemon) serving: &'a Serving,
    pub(in crate::daemon) counters: &'a Counters,
    pub(in crate::daemon) speaker: &'a Speaker,
    pub(in crate::daemon) host: &'a HostFacts,
    pub(in crate::daemon) logs: &'a Logs,
    pub(in crate::daemon) limits: Arc<Limits>,
    pub(in crate::daemon) told: DecisionReaders,
    pub(in crate::daemon) transfers: TransferSources,
    pub(in crate::daemon) published: Arc<Published>,
    /// What becomes of samples, if some are taken.
    pub(in crate::daemon) samples: Option<SampleReports>,
    /// Why daily statistics are not written, if they are asked for.
    pub(in crate::daemon) rssac002: Option<Reader<Option<String>>>,
    /// How many records an OpenTelemetry receiver got, if there is one.
    pub(in crate::daemon) exported: Option<ExportCounts>,
    /// The beats of all tasks but those of the status itself.
    pub(in crate::daemon) beats: Vec<Beat>,
}

/// Starts the thread `control`, and the thread `web` where that is configured.
pub(in crate::daemon) fn start_control(
    server: Server,
    reported: Reported<'_>,
) -> Result<(ControlThread, Option<Thread>), DaemonError> {
    let Reported { started, config, publisher, serving, counters, speaker, host, logs, limits, .. } =
        reported;
    let Reported { told, transfers, published, samples, rssac002, exported, beats, .. } = reported;
    let [control, status] = [Beat::new("control"), Beat::new("status")];
    let (report, mut liveness) = (publisher.report(), publisher.liveness());
    let (inquiries, asked) = queue(MOST_INQUIRIES).map_err(DaemonError::Runtime)?;
    let feed = Latest::new(Feed::default());
    let kept = publisher.history();
    let lookup = Arc::new(move |zone: &str| history::look_up(&kept, zone));
    let routes = speaker.status.clone();
    let DecisionReaders { serve_facts, ordered, reload, statistics, checks } = told;
    let log_dropped = logs.dropped();
    let (pending, listed) = (ordered.clone(), ordered.clone());
    let list = Arc::new(move || listed.load().fleet.clone());
    let web = Web::prepare(config, feed.reader(), inquiries, list, lookup)?;
    let (catalogs, canaries) = (transfers.catalogs.clone(), transfers.canaries.clone());
    // For how many seconds the thread that verifies signatures has done nothing; 0 while it works.
    let idle = Arc::new(AtomicU64::new(0));
    let verifier = verifier_alarm(idle.clone());
    let sources = StatusSources {
        started,
        settings: Settings::new(config, limits),
        report: Box::new(move || report.load()),
        updates: Box::new(move |at| {
            let stall = liveness.observe(at);
            idle.store(liveness.verifier().map_or(0, |age| age.as_secs()), Relaxed);
            stall.map(|stall| stall.to_string())
        }),
        serve_facts: Box::new(move || (*serve_facts.load()).clone()),
        counters: counters.clone(),
        statistics: Box::new(move || statistics.load()),
        routes: Box::new(move || (*routes.load()).clone()),
        ordered: Box::new(move || ordered.load()),
        reload: Box::new(move || reload.load()),
        published,
        contents: publisher.contents(),
        transfers,
        tls_files: serving.tls_files(),
        beats: [beats, vec![control.clone(), status.clone()], web.iter().map(Web::beat).collect()].concat(),
        neighbor_beats: Box::new({
            let beats = speaker.neighbor_beats.clone();
            move || beats.load()
        }),
        other_alarms: vec![
            lease_alarms(speaker.status.clone()),
            session_alarms(speaker.status.clone()),
            restart_alarms(pending.clone()),
            certificate_alarms(pending),
            alarms_of_catalogs(catalogs),
            alarms_of_canaries(canaries),
            host_alarms(host),
            log_alarms(logs.dropped(), logs.failure()),
            verifier,
            statistics_alarms(rssac002),
        ]
        .into_iter()
        .chain(web.as_ref().map(Web::alarms))
        .collect(),
        catchment: samples.as_ref().and_then(|samples| samples.catchment.clone()),
        metrics: MetricSources {
            checks,
            log_dropped: Some(Box::new(log_dropped)),
            web_refused: web.as_ref().map(Web::refused),
            web_certificate: web.as_ref().map(Web::certificate_validity),
            fleet_certificate: web.as_ref().map(Web::fleet_certificate_validity),
            samples: samples.map(|samples| sample_facts(samples.counts)),
            exported: exported.map(export_facts),
        },
    };
    let test_hooks = std::env::var_os("ANYNS_TEST_HOOKS").is_some_and(|value| value == "1");
    let status_task = StatusTask::new(sources, status, test_hooks).publishing(feed);
    let control = ControlThread::start(server, status_task, asked, control).map_err(DaemonError::Runtime)?;
    Ok((control, web.map(Web::start).transpose()?))
}

fn sample_facts(counts: DnstapCounts) -> Source<SampleFacts> {
    Box::new(move || SampleFacts {
        written: counts.written(),
        dropped: counts.dropped(),
        log_dropped: counts.log_dropped(),
        not_taken: 0,
    })
}

fn export_facts(counts: ExportCounts) -> Source<ExportFacts> {
    Box::new(move || ExportFacts { exported: counts.exported(), dropped: counts.dropped() })
}

fn alarm(kind: String, cause: Cause, message: String) -> OtherAlarm {
    OtherAlarm { kind, cause, message }
}

/// The thread that verifies signatures does nothing.
fn verifier_alarm(idle: Arc<AtomicU64>) -> Source<Vec<OtherAlarm>> {
    Box::new(move || {
        let seconds = idle.load(Relaxed);
        let message = format!(
            "signatures are not verified: the thread verify has made no progress for {seconds} s; zones are served and deployed"
        );
        let silent = (seconds > 0).then(|| alarm("verifier".to_owned(), Cause::Rest, message));
        silent.into_iter().collect()
    })
}

/// The deciding task does not renew what is announced.
fn lease_alarms(routes: Reader<RouteStatus>) -> Source<Vec<OtherAlarm>> {
    Box::new(move || {
        let LeaseStatus::Expired { answers, .. } = &routes.load().lease else { return Vec::new() };
        let message = "the deciding task does not renew the announcement: the speaker asks the service addresses itself, and \
                       announces less preferably what answers";
        let expired = alarm("lease".to_owned(), Cause::Host, message.to_owned());
        let silent = answers.iter().filter_map(|(address, answer)| {
            let reason = answer.as_ref().err()?;
            let message = format!("{address} does not answer the speaker's own question: {reason}");
            Some(alarm(format!("lease {address}"), Cause::Host, message))
        });
        [expired].into_iter().chain(silent).collect()
    })
}

/// A session that cannot end by itself, and a neighbor with an established session that sends nothing: it, or the way to it, is
/// about to be lost.
fn session_alarms(routes: Reader<RouteStatus>) -> Source<Vec<OtherAlarm>> {
    Box::new(move || {
        let now = Instant::now();
        routes.load().neighbors.iter().filter_map(|neighbor| session_alarm(neighbor, now)).collect()
    })
}

fn session_alarm(neighbor: &NeighborStatus, now: Instant) -> Option<OtherAlarm> {
    let NeighborKey::Bgp(address) = neighbor.neighbor else { return None };
    let hold_time = neighbor.hold_time.filter(|_| neighbor.session == SessionState::Established)?;
    if hold_time.is_zero() {
        let message = format!(
            "the session with {address} has no hold time (RFC 4271 section 4.2: one side offers 0): a route to a POP that is dead \
             or cut off stays; set bgp.hold-time and the neighbor's hold time to 3 s or more"
        );
        return Some(alarm(format!("no hold time {address}"), Cause::Routes, message));
    }
    // Keepalives come at a third of the hold time; two that are missing are no jitter.
    let age = now.saturating_duration_since(neighbor.heard?);
    (age > hold_time * 2 / 3).then(|| {
        let message = format!(
            "nothing came from the neighbor {address} for {} s; after {} s the session ends",
            age.as_secs(),
            hold_time.as_secs()
        );
        alarm(format!("silent neighbor {address}"), Cause::Routes, message)
    })
}

/// What the host's observer says beyond the reasons of policy.
fn host_alarms(host: &HostFacts) -> Source<Vec<OtherAlarm>> {
    let facts = host.facts.clone();
    Box::new(move || {
        let facts = facts.load();
        let one =
            |message: &String| alarm(crate::control::without_numbers(message), Cause::Host, message.clone());
        facts.alarms.iter().map(one).collect()
    })
}

/// The configuration says something that only a restart takes over.
fn restart_alarms(ordered: Reader<Ordered>) -> Source<Vec<OtherAlarm>> {
    Box::new(move || {
        let sections = &ordered.load().restart;
        let message = || {
            let sections = sections.join(", ");
            format!("the configuration has changed where only a restart takes it over: {sections}")
        };
        let pending = !sections.is_empty();
        pending.then(|| alarm("restart".to_owned(), Cause::Rest, message())).into_iter().collect()
    })
}

/// A certificate that transfers show has expired or soon will.
fn certificate_alarms(ordered: Reader<Ordered>) -> Source<Vec<OtherAlarm>> {
    Box::new(move || {
        let ordered = ordered.load();
        // One alarm for a purpose, however many certificates it has.
        let warning = |purpose: &str| {
            let mut shown = ordered.certificates.iter().filter(|shown| shown.purpose == purpose);
            let message = shown.find_map(|shown| shown.warning(SystemTime::now()))?;
            Some(alarm(format!("certificate {purpose}"), Cause::Rest, message))
        };
        ShownCertificate::PURPOSES.into_iter().filter_map(warning).collect()
    })
}

/// Removals that wait, clashes and broken versions of catalogs.
fn alarms_of_catalogs(facts: Option<Reader<CatalogFacts>>) -> Source<Vec<OtherAlarm>> {
    Box::new(move || facts.as_ref().map_or_else(Vec::new, |facts| catalog_alarms(&facts.load())))
}

/// Daily statistics are not written.
fn statistics_alarms(trouble: Option<Reader<Option<String>>>) -> Source<Vec<OtherAlarm>> {
    Box::new(move || {
        let trouble = trouble.as_ref().and_then(|trouble| (*trouble.load()).clone());
        let message = trouble.map(|error| format!("the statistics of this day are not written: {error}"));
        message.map(|message| alarm("rssac002".to_owned(), Cause::Rest, message)).into_iter().collect()
    })
}

/// Canaries that do not answer, and versions that wait for too long.
fn alarms_of_canaries(facts: Option<Reader<CanaryFacts>>) -> Source<Vec<OtherAlarm>> {
    Box::new(move || facts.as_ref().map_or_else(Vec::new, |facts| canary_alarms(&facts.load())))
}

/// Log records were dropped a moment ago, or the last one could not be written.
fn log_alarms(
    dropped: impl Fn() -> u64 + Send + Sync + 'static,
    failure: impl Fn() -> Option<std::io::Error> + Send + Sync + 'static,
) -> Source<Vec<OtherAlarm>> {
    let (mut known, mut at) = (0, None);
    Box::new(move || {
        let now = Instant::now();
        let count = dropped();
        if count > known {
            (known, at) = (count, Some(now));
        }
        let lately = at.is_some_and(|at: Instant| now.saturating_duration_since(at) < DROPS_ALARM);
        let (lately, why) = match failure() {
            Some(error) => (true, format!("standard error cannot be written: {error}")),
            None => {
                (lately, "the reader of standard error does not keep up, or did not take them".to_owned())
            }
        };
        let message = format!("{count} log records were dropped: {why}");
        lately.then(|| alarm("dropped log records".to_owned(), Cause::Rest, message)).into_iter().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_without_a_hold_time_and_a_silent_neighbor_are_alarms() {
        let now = Instant::now();
        let told = |session, hold_time: Option<u64>, silent_for| {
            let neighbor = NeighborStatus {
                neighbor: NeighborKey::Bgp("192.0.2.1:179".parse().unwrap()),
                session,
                since: now,
                established: 1,
                updates_received: 0,
                heard: now.checked_sub(Duration::from_secs(silent_for)),
                hold_time: hold_time.map(Duration::from_secs),
                last_error: None,
            };
            session_alarm(&neighbor, now).map(|alarm| alarm.message)
        };
        use SessionState::{Established, OpenConfirm};
        assert_eq!(told(OpenConfirm, None, 0), None);
        assert_eq!(told(Established, None, 50), None, "nothing was agreed on yet");
        assert!(told(Established, Some(0), 0).unwrap().contains("192.0.2.1:179 has no hold time"));
        assert_eq!(told(Established, Some(90), 59), None);
        assert!(told(Established, Some(9), 7).unwrap().contains("for 7 s; after 9 s the session ends"));
    }
}
