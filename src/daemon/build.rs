//! Opens everything that can be refused, in an order in which a refusal leaves nothing behind.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::admission::Limiter;
use crate::config::{Config, RouteDriver};
use crate::control::{self, Server};
use crate::health;
use crate::host::{self, AddressWatcher, LostAddresses, ServiceAddresses};
use crate::policy::{Decision, Policy};
use crate::publish::{Publisher, PublisherHandle};
use crate::route::{self, BgpDriver, DryRun, Gate};
use crate::serve::{self, Serving};
use crate::telemetry::{Counters, RunTime, keep_running};
use crate::wire::Name;
use crate::zone::Published;

use super::DaemonError;
use super::orders;
use super::pilot::Pilot;
use super::signals::Signals;
use super::stop;

/// Everything that runs.
pub(super) struct Parts {
    pub(super) pilot: Pilot,
    pub(super) server: Server,
    pub(super) control_stop: CancellationToken,
    pub(super) serving: Arc<Serving>,
    pub(super) publisher: Arc<PublisherHandle>,
    pub(super) health_stop: CancellationToken,
    pub(super) gate: Gate,
    pub(super) gate_stop: CancellationToken,
    pub(super) addresses: Option<ServiceAddresses>,
}

pub(super) async fn build(config: Config, file: Option<PathBuf>) -> Result<Parts, DaemonError> {
    let started = Instant::now();
    let control_stop = CancellationToken::new();
    let control_settings =
        control::Settings { path: config.control_socket.clone(), mode: control::Settings::DEFAULT_MODE };
    let server = control::serve(&control_settings, control_stop.clone())?;
    let addresses = ensure_addresses(&config).await?;
    let lost_addresses = addresses.as_ref().map(ServiceAddresses::watcher).map(spawn_watcher);
    let lost_addresses = lost_addresses.map_or_else(|| watch::channel(Vec::new()).1, |told| told.lost);

    let published = Arc::new(Published::default());
    let counters = Counters::new(config.serve.counter_sets());
    let limiter = Limiter::new(&config.rate_limit, started)?.map(Arc::new);
    let answers = Arc::new(config.answer.clone());
    let serving = serve::start(&config.serve, &published, &answers, limiter, &counters)?;
    let serving = Arc::new(serving);
    let publisher = Arc::new(Publisher::start(config.publish.clone(), published)?);

    let health_stop = CancellationToken::new();
    let (zones, zones_seen) = watch::channel(Arc::<[Name]>::from([]));
    let mut load = serving.load();
    let look = move |handshakes| load.look(handshakes);
    let (monitor, health) = health::prepare(config.health.clone(), zones_seen, Box::new(look))?;
    spawn_monitor(monitor, health_stop.clone());

    let host_facts = spawn_observer(&config, &serving);

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
        host_facts: host_facts.facts,
        report: publisher.report(),
        serve_watch: serving.watch(),
        serve_facts: serve::Facts::default(),
        run_time: RunTime::new(started),
        certificates: serving.certificates(),
        gate_status: gate.status.clone(),
        publisher: publisher.clone(),
        overall_since: None,
        config,
    };
    Ok(Parts { pilot, server, control_stop, serving, publisher, health_stop, gate, gate_stop, addresses })
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

/// Watches the service addresses for the life of the runtime.
fn spawn_watcher((mut watcher, told): (AddressWatcher, LostAddresses)) -> LostAddresses {
    tokio::spawn(async move {
        let beat = watcher.beat();
        keep_running(&beat, &mut watcher, async |watcher| watcher.run().await).await;
    });
    told
}

/// Observes the host for the life of the runtime.
fn spawn_observer(config: &Config, serving: &Serving) -> host::HostFacts {
    let own = |socket: serve::OwnSocket| host::OwnSocket {
        address: socket.address,
        is_tcp: socket.transport == serve::Transport::Tcp,
        inode: socket.inode,
    };
    let (mut observer, told) = host::Observer::new(host::Observed {
        sockets: serving.own_sockets().into_iter().map(own).collect(),
        service_addresses: config.health.addresses.clone(),
        references: config.health.reference_addresses.clone(),
        sends: Box::new(serving.sends()),
        clients: Box::new(serving.recent_clients()),
    });
    tokio::spawn(async move {
        let beat = observer.beat();
        keep_running(&beat, &mut observer, async |observer| observer.run().await).await;
    });
    told
}

fn spawn_monitor(mut monitor: health::Monitor, stop: CancellationToken) {
    tokio::spawn(async move {
        let beat = monitor.beat();
        tokio::select! {
            () = stop.cancelled() => {}
            () = keep_running(&beat, &mut monitor, async |monitor| monitor.run().await) => {}
        }
    });
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
        self.pilot.fly(&mut self.server.calls, &mut signals).await;
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
