//! Opens everything that can be refused, in an order in which a refusal leaves nothing behind.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::admission::Limiter;
use crate::config::{Config, RouteDriver};
use crate::control::{self, Call, Server};
use crate::handoff::{Latest, Receiver};
use crate::health::{self, Activity};
use crate::host::ServiceAddresses;
use crate::policy::{Decision, Policy};
use crate::publish::{Publisher, PublisherHandle};
use crate::route::{self, BgpDriver, DryRun, Gate};
use crate::serve::{self, Serving};
use crate::telemetry::{Beat, Counters};
use crate::wire::Name;
use crate::zone::Published;

use super::DaemonError;
use super::orders;
use super::pilot::Pilot;
use super::signals::Signals;
use super::status::{ControlThread, Ordered, Reload, Settings, Sources, StatusKeeper};
use super::stop;

/// Everything that runs.
pub(super) struct Parts {
    pub(super) pilot: Pilot,
    pub(super) calls: Receiver<Call>,
    pub(super) control: ControlThread,
    pub(super) serving: Arc<Serving>,
    pub(super) publisher: Arc<PublisherHandle>,
    pub(super) health_stop: CancellationToken,
    pub(super) gate: Gate,
    pub(super) gate_stop: CancellationToken,
    pub(super) addresses: Option<ServiceAddresses>,
}

pub(super) async fn build(config: Config, file: Option<PathBuf>) -> Result<Parts, DaemonError> {
    let started = Instant::now();
    let (server, calls) = control::open(&config.control)?;
    let addresses = ensure_addresses(&config).await?;
    let lost_addresses =
        addresses.as_ref().map_or_else(|| watch::channel(Vec::new()).1, ServiceAddresses::lost);

    let published = Arc::new(Published::default());
    let counters = Counters::new(config.serve.counter_sets());
    let limiter = Limiter::new(&config.rate_limit, started)?.map(Arc::new);
    let answers = Arc::new(config.answer.clone());
    let serving = serve::start(&config.serve, &published, &answers, limiter, &counters)?;
    let serving = Arc::new(serving);
    let publisher = Arc::new(Publisher::start(config.publish.clone(), published)?);

    let health_stop = CancellationToken::new();
    let (zones, zones_seen) = watch::channel(Arc::<[Name]>::from([]));
    let activity = activity_of(&serving, &counters);
    let health = health::start(config.health.clone(), zones_seen, activity, health_stop.clone())?;

    let policy = Policy::new(config.policy, config.service_addresses.clone());
    let (decisions, decided) = watch::channel(Decision::default());
    let gate_stop = CancellationToken::new();
    let gate = start_gate(&config, decided, gate_stop.clone())?;
    tracing::info!(addresses = ?serving.local_addresses(), encrypted = ?serving.encrypted_addresses(), "listening");
    let drain = orders::restore(&config.publish, Instant::now());
    let pilot = Pilot {
        started,
        drain,
        policy,
        file,
        counters,
        health,
        zones,
        told: Arc::default(),
        decisions,
        lost_addresses,
        report: publisher.report(),
        serve_facts: serving.facts(),
        certificates: serving.certificates(),
        gate_status: gate.status.clone(),
        publisher: publisher.clone(),
        required: config.required.clone().into(),
        stopping: false,
        ordered: Latest::new(Ordered::default()),
        reload: Arc::new(Latest::new(Reload::default())),
        config,
    };
    let control = start_control(&pilot, server)?;
    Ok(Parts { pilot, calls, control, serving, publisher, health_stop, gate, gate_stop, addresses })
}

/// The thread `control`, which reads what the others publish.
fn start_control(pilot: &Pilot, server: Server) -> Result<ControlThread, DaemonError> {
    let beats = [Beat::new("control"), Beat::new("status")];
    let (report, stopped) = (pilot.report.clone(), pilot.report.clone());
    let (serve_facts, routes) = (pilot.serve_facts.clone(), pilot.gate_status.clone());
    let (statistics, ordered) = (pilot.health.statistics.clone(), pilot.ordered.look());
    let reload = pilot.reload.look();
    let sources = Sources {
        started: pilot.started,
        settings: Settings::new(&pilot.config),
        report: Box::new(move || report.borrow().clone()),
        updates: Box::new(move |_| stopped.borrow().stopped.then(|| "the publisher has ended".to_owned())),
        serve_facts: Box::new(move || serve_facts.borrow().clone()),
        counters: pilot.counters.clone(),
        statistics: Box::new(move || statistics.borrow().clone()),
        routes: Box::new(move || routes.borrow().clone()),
        ordered: Box::new(move || ordered.load()),
        reload: Box::new(move || reload.load()),
        certificates: pilot.certificates.clone(),
        beats: beats.to_vec(),
        other_alarms: Vec::new(),
    };
    let test_hooks = std::env::var_os("ANYNS_TEST_HOOKS").is_some_and(|value| value == "1");
    let [control, status] = beats;
    let keeper = StatusKeeper::new(sources, status, test_hooks);
    ControlThread::start(server, keeper, control).map_err(DaemonError::Runtime)
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

/// What health asks once in a round: what the workers have answered, and what waits for them.
fn activity_of(serving: &Arc<Serving>, counters: &Counters) -> Arc<dyn Fn() -> Activity + Send + Sync> {
    let serving = Arc::downgrade(serving);
    let counters = counters.clone();
    Arc::new(move || Activity {
        responses: counters.sum(|worker| &worker.responses),
        receive_queue: serving.upgrade().map_or(0, |serving| serving.receive_queue()),
    })
}

fn start_gate(
    config: &Config,
    decisions: watch::Receiver<Decision>,
    stop: CancellationToken,
) -> Result<Gate, DaemonError> {
    match &config.route {
        RouteDriver::DryRun(_) => Ok(route::spawn(DryRun, decisions, stop)),
        RouteDriver::Bgp(settings) => {
            let driver =
                BgpDriver::new((**settings).clone(), config.services.clone()).map_err(DaemonError::Route)?;
            Ok(route::spawn(driver, decisions, stop))
        }
    }
}

impl Parts {
    /// Runs until a signal, then stops in order.
    pub(super) async fn run(mut self, mut signals: Signals) {
        tell_systemd(&[sd_notify::NotifyState::Ready]);
        self.pilot.fly(&mut self.calls, &mut signals).await;
        tell_systemd(&[sd_notify::NotifyState::Stopping]);
        stop::in_order(self, signals).await;
    }
}

/// Tells the service manager, if there is one (sd_notify(3)); without one this does nothing.
fn tell_systemd(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
