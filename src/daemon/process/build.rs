//! Opens everything that can be refused, in an order in which a refusal leaves nothing behind.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::admission::Limits;
use crate::config::{Config, RouteDriver};
use crate::control;
use crate::dnstap::DnstapWriter;
use crate::handoff::{self, Latest, Reader};
use crate::health::{self, LoadSource, ServedZones};
use crate::host::{self, AddressWatcher, HostFacts, LostAddresses, ServiceAddresses};
use crate::otlp::Export;
use crate::policy::{Decision, Policy};
use crate::publish::{self, Publisher};
use crate::route::{self, BgpControl, BgpDriver, DryRun, Speaker};
use crate::serve::{self, Serving};
use crate::telemetry::{Beat, Counters, keep_running};
use crate::zone::Published;

use crate::daemon::canaries::{self, CanaryContext, ReleasedVersions};
use crate::daemon::catalogs::{self, CatalogContext};
use crate::daemon::controller::Controller;
use crate::daemon::deciding::Deciding;
use crate::daemon::drain_file::DrainFile;
use crate::daemon::error::DaemonError;
use crate::daemon::order::Order;
use crate::daemon::orders::order_state::OrderState;
use crate::daemon::process::logged::Logged;
use crate::daemon::process::parts::Parts;
use crate::daemon::process::reporting::DecisionReaders;
use crate::daemon::process::reporting::{Reported, SampleReports, fact_checks, start_control};
use crate::daemon::process::statistics::start_statistics;
use crate::daemon::process::supervisor::Supervisor;
use crate::daemon::reload::configured::Configured;
use crate::daemon::reload::live::gate_settings;
use crate::daemon::reload::reloads::Reloads;
use crate::daemon::required::MissingZones;
use crate::daemon::sources::{Ages, Sources};
use crate::daemon::status::{Ordered, Reload, TransferSources, ZoneLoads};
use crate::daemon::thread::Thread;
use crate::daemon::transfers::transferring::Transferring;
use crate::daemon::zone_control::ZoneControl;

/// Orders that wait for the deciding task: those of all connections of the admin socket, and a signal's.
const ORDERS: usize = 32;

/// Opens and starts everything. What a refusal leaves behind is taken away: the admin socket, and the addresses that were put on
/// loopback.
pub(in crate::daemon) async fn build(
    config: Config,
    file: Option<PathBuf>,
    logged: &Logged,
) -> Result<Parts, DaemonError> {
    let admin = control::open(&config.control)?;
    let missing = host::missing_addresses(&config.pop.management_addresses).await?;
    if !missing.is_empty() {
        return Err(host::AddressError::NoSource(missing).into());
    }
    let addresses = ensure_addresses(&config).await?;
    let built = start(config, file, logged, admin, addresses.as_ref());
    match built {
        Ok(parts) => Ok(Parts { addresses, ..parts }),
        Err(error) => {
            if let Some(addresses) = addresses
                && let Err(error) = addresses.remove().await
            {
                tracing::warn!(%error, "a service address stays on loopback");
            }
            Err(error)
        }
    }
}

/// Starts all parts but the service addresses.
fn start(
    config: Config,
    file: Option<PathBuf>,
    logged: &Logged,
    (server, calls): (control::Server, handoff::Receiver<control::Call>),
    addresses: Option<&ServiceAddresses>,
) -> Result<Parts, DaemonError> {
    let Logged { logging, export } = logged;
    let started = Instant::now();
    let answering = start_answering(&config, started)?;
    let feeding = start_feeding(&config, answering.published.clone(), &answering.serving)?;
    let observing = start_observing(&config, addresses, &answering.serving)?;
    let recording = start_recording(&config, &answering)?;
    let Announcing { speaker, bgp, decisions, decider } = start_announcing(&config)?;
    let Answering { serving, published, counters, limits } = answering;
    tracing::info!(addresses = ?serving.local_addresses(), encrypted = ?serving.encrypted_addresses(), "listening");

    let (orders, received) = handoff::queue(ORDERS).map_err(DaemonError::Runtime)?;
    let supervisor = supervise(&orders, &speaker, &decider);
    let sources = fact_sources((&config, started), &serving, &feeding.zones, observing.facts);
    let fleet = Arc::new(config.fleet.clone());
    let ordered = Latest::new(Ordered { times: config.drain, fleet: fleet.clone(), ..Ordered::default() });
    let reader = ordered.reader();
    let reload = Arc::new(Latest::new(Reload::default()));
    let own = vec![decider.clone(), logging.logs.beat()];
    let exporting = export.iter().map(Export::beat).collect();
    let (speaking, workers) = (speaker.beats.clone(), serving.beats());
    let reported = Reported {
        started,
        config: &config,
        publisher: &feeding.zones.publisher,
        serving: &serving,
        counters: &counters,
        speaker: &speaker,
        host: &sources.host,
        logs: &logging.logs,
        limits: limits.clone(),
        told: DecisionReaders {
            serve_facts: sources.serve_facts.reader(),
            ordered: ordered.reader(),
            reload: reload.reader(),
            statistics: sources.health.statistics.clone(),
            checks: fact_checks(&sources),
        },
        transfers: TransferSources { loads: recording.loads, ..feeding.facts },
        published,
        samples: recording.samples,
        rssac002: recording.trouble,
        exported: export.as_ref().map(Export::counts),
        beats: [own, feeding.beats, observing.beats, speaking, workers, recording.beats, exporting].concat(),
    };
    let (control, web) = start_control(server, reported)?;
    let publisher = feeding.zones.publisher.clone();
    let deciding = Deciding {
        required: Arc::new(config.required.iter().cloned().collect()),
        policy: Policy::new(config.policy, config.service_addresses.clone()),
        sources,
        routes: speaker.status.clone(),
        gate: speaker.control.clone(),
        bgp,
        decisions,
        ordered,
        beat: decider,
    };
    let drain_file = DrainFile::new(&config.publish);
    let configured = Configured {
        file,
        reload,
        reloads: Reloads::default(),
        restart: Vec::new(),
        tls_files: serving.tls_files(),
        limits,
        log_level: logging.level.clone(),
        fleet,
        config,
    };
    let order_state = OrderState::new(received, calls, drain_file, Instant::now());
    let controller = Controller { configured, orders: order_state, zones: feeding.zones, deciding };
    Ok(Parts {
        decide: start_deciding(controller)?,
        orders,
        speaker,
        health: observing.health,
        host: observing.host,
        control,
        web,
        dnstap: recording.dnstap,
        rssac002: recording.rssac002,
        serving,
        publisher,
        transferring: feeding.transferring,
        catalogs: feeding.catalogs,
        canaries: feeding.canaries,
        addresses: None,
        counters,
        ordered: reader,
        supervisor,
    })
}

/// What answers queries, and what it shares with other parts.
struct Answering {
    serving: Serving,
    published: Arc<Published>,
    counters: Counters,
    limits: Arc<Limits>,
}

/// Opens the sockets and starts the workers.
fn start_answering(config: &Config, started: Instant) -> Result<Answering, DaemonError> {
    let (published, counters) = (Arc::new(Published::default()), new_counters(config));
    let limits = Arc::new(Limits::new(&config.rate_limit, started)?);
    let answers = Arc::new(config.answer.clone());
    let serving = serve::start(&config.serve, &published, &answers, Some(&limits), &counters)?;
    Ok(Answering { serving, published, counters, limits })
}

/// What counts queries: with samples and daily statistics where these are asked for.
fn new_counters(config: &Config) -> Counters {
    let counters = Counters::new(config.serve.counter_sets());
    let counters = match &config.samples {
        Some(samples) => counters.with_taps(samples.one_in),
        None => counters,
    };
    if config.rssac002.is_some() { counters.with_daily_statistics() } else { counters }
}

/// The parts that zones come by.
struct Feeding {
    zones: ZoneControl,
    transferring: Transferring,
    catalogs: Thread,
    canaries: Thread,
    /// What the status tells of them.
    facts: TransferSources,
    beats: Vec<Beat>,
}

/// Starts the publisher, and what gives it zones and hands them on.
fn start_feeding(
    config: &Config,
    published: Arc<Published>,
    serving: &Serving,
) -> Result<Feeding, DaemonError> {
    let publisher = Arc::new(Publisher::start(publish::Settings::clone(&config.publish), published.clone())?);
    let versions = Arc::new(ReleasedVersions::new(&config.transfers.canaries));
    let (transferring, facts) =
        Transferring::start(&config.transfers, &publisher, &published, (serving, &versions))?;
    let context = CatalogContext {
        publisher: publisher.clone(),
        published: published.clone(),
        secondary: transferring.secondary(),
    };
    let (catalogs_thread, catalogs, catalogs_beat) =
        catalogs::start(config.transfers.catalogs.clone(), context)?;
    let context = CanaryContext {
        publisher: publisher.clone(),
        published: published.clone(),
        versions,
        primary: transferring.primary(),
    };
    let (canaries_thread, canaries, canaries_beat) = canaries::start(&config.transfers, context)?;
    let facts =
        TransferSources { catalogs: Some(catalogs.facts()), canaries: Some(canaries.facts()), ..facts };
    let mut beats = vec![publisher.beat(), catalogs_beat, canaries_beat];
    beats.extend(transferring.beats());
    let (transfers, updates) = (transferring.control(), transferring.updates());
    let zones = ZoneControl { publisher, published, transfers, catalogs, canaries, updates };
    Ok(Feeding { zones, transferring, catalogs: catalogs_thread, canaries: canaries_thread, facts, beats })
}

/// The threads that write down what is answered, where that is asked for.
struct Recording {
    dnstap: Option<Thread>,
    rssac002: Option<Thread>,
    /// What becomes of samples.
    samples: Option<SampleReports>,
    /// Why daily statistics are not written.
    trouble: Option<Reader<Option<String>>>,
    /// Where versions of the zone of the service are told.
    loads: Option<ZoneLoads>,
    beats: Vec<Beat>,
}

/// Starts the threads that write samples and daily statistics.
fn start_recording(config: &Config, answering: &Answering) -> Result<Recording, DaemonError> {
    let Answering { counters, published, .. } = answering;
    let (sampling, dnstap) = start_samples(config, counters)?;
    let (counting, rssac002, loads) = start_statistics(config, counters, published)?;
    let (sampling, samples) = sampling.unzip();
    let (counting, trouble) = counting.unzip();
    let beats = sampling.into_iter().chain(counting).collect();
    Ok(Recording { dnstap, rssac002, samples, trouble, loads, beats })
}

/// A heartbeat and what becomes of samples, and the thread; nothing where none are taken.
type Samples = (Option<(Beat, SampleReports)>, Option<Thread>);

/// Starts the thread that writes dnstap and the query log, and counts client prefixes.
fn start_samples(config: &Config, counters: &Counters) -> Result<Samples, DaemonError> {
    let Some(settings) = config.samples.clone() else { return Ok((None, None)) };
    let mut writer = DnstapWriter::new(settings, counters.clone());
    let reports = SampleReports { counts: writer.counts(), catchment: writer.catchment() };
    let beat = writer.beat();
    let running = beat.clone();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let thread = Thread::start_ending("dnstap", stop, move || async move {
        stopped
            .run_until_cancelled(keep_running(&running, &mut writer, async |writer| writer.run().await))
            .await;
        writer.finish().await;
    })?;
    Ok((Some((beat, reports)), Some(thread)))
}

/// Service addresses are on the host, or are put there. Addresses of a wildcard bind are not looked at one by one.
async fn ensure_addresses(config: &Config) -> Result<Option<ServiceAddresses>, DaemonError> {
    let addresses: Vec<_> =
        config.service_addresses.iter().flat_map(|(_, addresses)| addresses.clone()).collect();
    if addresses.is_empty() {
        return Ok(None);
    }
    Ok(Some(ServiceAddresses::ensure(&addresses, config.install_addresses).await?))
}

/// The threads that find out how this POP is, and what they find out.
struct Observing {
    health: Thread,
    host: Thread,
    facts: ObservedFacts,
    beats: Vec<Beat>,
}

/// What is observed of this POP.
struct ObservedFacts {
    health: health::Health,
    host: HostFacts,
    lost_addresses: Option<LostAddresses>,
    /// The zones to probe.
    zones: Latest<Arc<dyn ServedZones>>,
}

/// Starts the threads that probe this POP and look at its host.
fn start_observing(
    config: &Config,
    addresses: Option<&ServiceAddresses>,
    serving: &Serving,
) -> Result<Observing, DaemonError> {
    let zones = Latest::<Arc<dyn ServedZones>>::new(Arc::new(BTreeSet::new()));
    let mut load = serving.load();
    let look: LoadSource = Box::new(move |handshakes| load.observe(handshakes));
    let (health_thread, health, health_beats) = start_health(config, zones.reader(), look)?;
    let (host_thread, lost_addresses, host, host_beats) = start_host(config, addresses, serving, &health)?;
    let facts = ObservedFacts { health, host, lost_addresses, zones };
    let beats = [health_beats, host_beats].concat();
    Ok(Observing { health: health_thread, host: host_thread, facts, beats })
}

/// The facts that the deciding task goes by.
fn fact_sources(
    (config, started): (&Config, Instant),
    serving: &Serving,
    zone_control: &ZoneControl,
    observed: ObservedFacts,
) -> Sources {
    let ObservedFacts { health, host, lost_addresses, zones } = observed;
    Sources {
        report: zone_control.publisher.report(),
        serve: serving.watch(),
        serve_facts: Latest::new(serve::Facts::default()),
        addresses: lost_addresses,
        host,
        zones,
        told: 0,
        catalogs: zone_control.catalogs.facts(),
        missing: MissingZones::default(),
        ages: Ages::new(config.health.interval, config.health.timeout, started),
        health,
    }
}

/// Starts the thread that probes.
fn start_health(
    config: &Config,
    zones: Reader<Arc<dyn ServedZones>>,
    load: LoadSource,
) -> Result<(Thread, health::Health, Vec<Beat>), DaemonError> {
    let (mut monitor, health) = health::prepare(config.health.clone(), zones, load)?;
    let beat = monitor.beat();
    let beats = vec![beat.clone()];
    let thread = Thread::start("health", CancellationToken::new(), move || async move {
        keep_running(&beat, &mut monitor, async |monitor| monitor.run().await).await;
    })?;
    Ok((thread, health, beats))
}

/// Starts the thread that looks at this host: the service addresses, if they are watched, and the rest.
fn start_host(
    config: &Config,
    addresses: Option<&ServiceAddresses>,
    serving: &Serving,
    health: &health::Health,
) -> Result<(Thread, Option<LostAddresses>, HostFacts, Vec<Beat>), DaemonError> {
    let own = |socket: serve::OwnSocket| host::OwnSocket {
        address: socket.address,
        is_tcp: socket.transport == serve::Transport::Tcp,
        inode: socket.inode,
    };
    let (mut observer, facts) = host::Observer::new(host::Observed {
        sockets: serving.own_sockets().into_iter().map(own).collect(),
        service_addresses: config.health.addresses.clone(),
        references: Box::new(health.references()),
        sends: Box::new(serving.sends()),
        asked: Box::new(health.asked()),
        clients: Box::new(serving.recent_clients()),
    });
    let (watcher, lost): (Option<AddressWatcher>, _) = addresses.map(ServiceAddresses::watcher).unzip();
    let beats =
        [Some(observer.beat()), watcher.as_ref().map(AddressWatcher::beat)].into_iter().flatten().collect();
    let thread = Thread::start("host", CancellationToken::new(), move || async move {
        let watch = async {
            if let Some(mut watcher) = watcher {
                let beat = watcher.beat();
                keep_running(&beat, &mut watcher, async |watcher| watcher.run().await).await;
            }
        };
        let observe = async {
            let beat = observer.beat();
            keep_running(&beat, &mut observer, async |observer| observer.run().await).await;
        };
        tokio::join!(watch, observe);
    })?;
    Ok((thread, lost, facts, beats))
}

/// The speaker, and what the deciding task tells it.
struct Announcing {
    speaker: Speaker,
    /// Changes the BGP speaker, if there is one.
    bgp: Option<BgpControl>,
    decisions: Latest<Decision>,
    /// The beat of the deciding task, which renews the lease.
    decider: Beat,
}

/// Starts the speaker, which announces nothing before the first decision.
fn start_announcing(config: &Config) -> Result<Announcing, DaemonError> {
    let (decider, decisions) = (Beat::new("decide"), Latest::new(Decision::default()));
    let (speaker, bgp) = start_speaker(config, decisions.reader(), decider.clone())?;
    Ok(Announcing { speaker, bgp, decisions, decider })
}

fn start_speaker(
    config: &Config,
    decided: Reader<Decision>,
    decider: Beat,
) -> Result<(Speaker, Option<BgpControl>), DaemonError> {
    let settings = gate_settings(config.lease, &config.service_addresses, &config.health)?;
    Ok(match &config.route {
        RouteDriver::DryRun(_) => (route::start(DryRun, settings, decided, decider)?, None),
        RouteDriver::Bgp(bgp) => {
            let driver =
                BgpDriver::new((**bgp).clone(), config.services.clone()).map_err(DaemonError::Route)?;
            let control = driver.control();
            (route::start(driver, settings, decided, decider)?, Some(control))
        }
    })
}

/// Supervises the tasks without which nothing decides or announces.
fn supervise(orders: &handoff::Queue<Order>, speaker: &Speaker, decider: &Beat) -> Supervisor {
    let gate = speaker.beats.iter().filter(|beat| beat.name() == "gate").cloned();
    let watched = gate.chain([decider.clone()]).collect();
    Supervisor::new(orders.clone(), watched, speaker.control.lease())
}

/// Starts the deciding task.
fn start_deciding(mut controller: Controller) -> Result<Thread, DaemonError> {
    let beat = controller.deciding.beat.clone();
    Thread::start("decide", CancellationToken::new(), move || async move {
        keep_running(&beat, &mut controller, async |controller| controller.run().await).await;
    })
}
