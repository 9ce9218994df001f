//! The task between policy and the driver: passes on what the lease allows, reports the observed routes.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::driver::{Observed, Wanted};
use super::lease::Lease;
use super::self_test::{Questions, SelfTest};
use super::status::{LeaseStatus, RouteStatus};
use crate::handoff::{Latest, Reader};
use crate::policy::Decision;
use crate::telemetry::Beat;

/// What the gate follows and whom it asks.
#[derive(Clone)]
pub struct GateSettings {
    /// The lease: after this long without a renewal the speaker asks the service addresses itself; 500 ms to 60 s.
    pub lease: Duration,
    /// The prefixes and the service addresses in each.
    pub services: Vec<(IpNet, Vec<IpAddr>)>,
    /// The speaker's own questions.
    pub self_test: Arc<dyn SelfTest>,
}

impl GateSettings {
    /// Default of `lease`: twenty turns of the deciding task.
    pub const DEFAULT_LEASE: Duration = Duration::from_secs(2);
    /// The shortest lease: some turns of the deciding task on a busy machine.
    pub const SHORTEST_LEASE: Duration = Duration::from_millis(500);
    /// The longest lease: a dead POP may stay announced for this time.
    pub const LONGEST_LEASE: Duration = Duration::from_secs(60);
}

/// The length of the lease now, for those who supervise the speaker: one atomic, so no thread waits for another.
#[derive(Clone, Debug)]
pub struct LeaseTime(Arc<AtomicU64>);

/// Changes the settings of the gate and the watchdog while they run. Never waits for them.
pub struct GateControl {
    settings: Latest<GateSettings>,
    lease: LeaseTime,
}

impl LeaseTime {
    /// A lease of this length, in whole milliseconds.
    #[must_use]
    pub fn new(lease: Duration) -> Self {
        let time = Self(Arc::default());
        time.set(lease);
        time
    }

    /// The length now.
    #[must_use]
    pub fn get(&self) -> Duration {
        Duration::from_millis(self.0.load(Relaxed))
    }

    fn set(&self, lease: Duration) {
        self.0.store(lease.as_millis() as u64, Relaxed);
    }
}

impl std::fmt::Debug for GateControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GateControl").field("lease", &self.lease).finish_non_exhaustive()
    }
}

impl GateControl {
    pub(super) fn new(settings: GateSettings) -> Self {
        let lease = LeaseTime::new(settings.lease);
        Self { settings: Latest::new(settings), lease }
    }

    /// Gives the gate and the watchdog these settings, which they take within [`Beat::PERIOD`].
    pub fn change(&self, settings: GateSettings) {
        self.lease.set(settings.lease);
        self.settings.publish(settings);
    }

    /// The length of the lease, as it will be changed.
    #[must_use]
    pub fn lease(&self) -> LeaseTime {
        self.lease.clone()
    }

    pub(super) fn settings(&self) -> Reader<GateSettings> {
        self.settings.reader()
    }
}

/// The gate. Until the first decision nothing is wanted.
pub(super) struct Gate {
    /// Looked at in each turn.
    pub(super) settings: Reader<GateSettings>,
    pub(super) decisions: Reader<Decision>,
    /// The beat of the deciding task: each one renews the lease.
    pub(super) decider: Beat,
    pub(super) lease: Lease,
    pub(super) questions: Questions,
    pub(super) wanted: watch::Sender<Wanted>,
    pub(super) observed: watch::Receiver<Observed>,
    pub(super) status: Latest<RouteStatus>,
    pub(super) beat: Beat,
    pub(super) stop: CancellationToken,
}

impl Gate {
    /// Runs until `stop` is cancelled.
    pub(super) async fn run(&mut self) {
        loop {
            self.turn(Instant::now());
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.decisions.changed() => {}
                changed = self.observed.changed() => if changed.is_err() { return },
                (address, answer) = self.questions.next() => self.take_answer(address, answer),
                () = tokio::time::sleep(Beat::PERIOD) => {}
            }
        }
    }

    /// Compares what is decided and leased with what is observed, and hands on what differs.
    pub(super) fn turn(&mut self, now: Instant) {
        self.beat.beat();
        let (decision, settings) = (self.decisions.load(), self.settings.load());
        let was_held = self.lease.expired().is_none();
        self.lease.change(settings.lease);
        self.lease.observe(self.decider.beats(), now);
        match self.lease.expired() {
            Some(_) => {
                if was_held {
                    let lease_ms = settings.lease.as_millis() as u64;
                    tracing::error!(
                        lease_ms,
                        "the deciding task has not renewed the lease; the speaker asks by itself"
                    );
                }
                let addresses = settings.services.iter().flat_map(|(_, addresses)| addresses).copied();
                self.questions.ask(&*settings.self_test, addresses, now);
            }
            None if !was_held => {
                self.questions.cancel();
                tracing::warn!("the deciding task renews the lease again");
            }
            None => {}
        }
        let wanted = self.lease.wanted(&decision, &settings.services);
        self.wanted.send_if_modified(|current| replace(current, wanted));
        self.report(&decision);
    }

    /// After the driver has ended: tells what is left.
    pub(super) async fn finish(mut self, driver: JoinHandle<()>) {
        if let Err(error) = driver.await {
            tracing::error!(%error, "the route driver's task failed");
        }
        let decision = self.decisions.load();
        self.report(&decision);
    }

    fn take_answer(&mut self, address: IpAddr, answer: Result<(), String>) {
        if let Err(reason) = &answer {
            tracing::error!(%address, reason, "the service address does not answer the speaker; its prefix is withdrawn");
        }
        self.lease.answered(address, answer);
    }

    /// Tells what the routes are, if that changed.
    pub(super) fn report(&mut self, decision: &Decision) {
        let latest = self.observed.borrow_and_update().clone();
        let before = self.status.current();
        let mut status = RouteStatus::compare(decision, &latest).after(&before, Instant::now());
        status.lease = self.lease.expired().map_or(LeaseStatus::Held, |expired| LeaseStatus::Expired {
            since: expired.since,
            answers: expired.answers.clone().into_iter().collect(),
        });
        self.status.publish_if_new(status);
    }
}

/// Puts `new` in place; whether it differed.
fn replace<T: PartialEq>(old: &mut T, new: T) -> bool {
    let differs = *old != new;
    *old = new;
    differs
}
