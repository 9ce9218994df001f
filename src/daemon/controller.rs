//! The task that decides (1x, on the thread "decide"): facts in, policy asked, the decision out; orders in between.
//!
//! It owns everything that an order may change, so there is no lock. It never blocks and never writes: what takes time (a reload)
//! runs as a task of its own, logs leave through a queue. Each turn ends with a beat, which renews the lease of what is announced;
//! a turn comes at every change of a fact and at least every [`Beat::PERIOD`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use crate::admission::Limits;
use crate::config::Config;
use crate::control::Call;
use crate::handoff::{Latest, Reader, Receiver};
use crate::policy::{Decision, Intent, Policy, PrefixDecision};
use crate::publish::PublisherHandle;
use crate::route::{BgpControl, GateControl, RouteStatus};
use crate::serve;
use crate::telemetry::{Beat, List, LogLevel};
use crate::wire::Name;

use super::drain::Drain;
use super::drain_file::DrainFile;
use super::sources::Sources;
use super::status::{Ordered, Reload};
use super::{orders, reload};

/// What the main thread tells the deciding task to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Read the configuration and the zones again (SIGHUP).
    Reload,
    /// Drain, because the process is about to stop.
    Stop,
}

/// What the controller holds.
pub(super) struct Controller {
    pub(super) config: Config,
    /// The configuration file, if there is one.
    pub(super) file: Option<PathBuf>,
    pub(super) orders: Receiver<Order>,
    /// What operators ask for.
    pub(super) calls: Receiver<Call>,
    /// Whether anyns stops in order.
    pub(super) stopping: bool,
    pub(super) drain: Drain,
    pub(super) drain_file: DrainFile,
    /// What was ordered, for the status and the planned stop.
    pub(super) ordered: Latest<Ordered>,
    /// How the last reload went, for the status.
    pub(super) reload: Arc<Latest<Reload>>,
    /// The reloads that are on their way.
    pub(super) reloads: reload::Reloads,
    /// The zones that the config requires.
    pub(super) required: Arc<[Name]>,
    pub(super) policy: Policy,
    pub(super) sources: Sources,
    pub(super) publisher: Arc<PublisherHandle>,
    /// The certificate of the encrypted transports, if there are any.
    pub(super) certificates: Option<Arc<serve::Certificates>>,
    /// The rate limits in force.
    pub(super) limits: Arc<Limits>,
    pub(super) log_level: LogLevel,
    /// The sections that have changed where only a restart takes them over.
    pub(super) restart: Vec<&'static str>,
    pub(super) routes: Reader<RouteStatus>,
    /// Changes what the gate and the watchdog go by.
    pub(super) gate: Arc<GateControl>,
    /// Changes the BGP speaker, if there is one.
    pub(super) bgp: Option<BgpControl>,
    /// The latest decision, for the gate.
    pub(super) decisions: Latest<Decision>,
    /// Renews the lease.
    pub(super) beat: Beat,
}

impl Controller {
    /// Decides and obeys until dropped. Can be run again after a panic: policy and drain are as they were.
    pub(super) async fn run(&mut self) {
        loop {
            let wakeup = self.turn(Instant::now());
            tokio::select! {
                () = sleep_until(wakeup.into()) => {}
                order = self.orders.next() => self.obey(order),
                call = self.calls.next() => self.answer(call),
                read = self.reloads.read() => reload::take_over(self, read),
                ended = self.drain_file.ended() => orders::end_drain(self, ended),
                () = self.sources.changed() => {}
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Reload => reload::ask(self, None),
            Order::Stop => {
                self.stopping = true;
                self.drain.begin("stopping", self.drain_time(), Instant::now());
            }
        }
    }

    /// A stop takes no orders.
    fn answer(&mut self, call: Call) {
        match self.stopping {
            true => call.reply.send(orders::failed("anyns is stopping in order".to_owned())),
            false => orders::obey(self, call),
        }
    }

    /// How long a drain prefers less before it withdraws: not at all while no neighbour holds a route.
    fn drain_time(&self) -> Duration {
        match self.routes.load().all_withdrawn() {
            true => Duration::ZERO,
            false => self.config.drain.deprefer,
        }
    }

    /// One turn: gathers facts, asks policy, hands the decision on; says when to look again at the latest.
    fn turn(&mut self, now: Instant) -> Instant {
        let operator = self.drain.operator(now);
        let facts = self.sources.gather(&self.required, operator, now);
        let decision = self.policy.decide(&facts, now);
        log_changes(&self.decisions.current(), &decision);
        self.decisions.publish_if_new(decision);
        let (drain, required) = (self.drain.clone(), self.required.clone());
        let (times, restart) = (self.config.drain, self.restart.clone());
        self.ordered.publish_if_new(Ordered { drain, stopping: self.stopping, required, times, restart });
        // Only now: a beat renews the lease of this decision.
        self.beat.beat();
        let wakeups = [self.policy.next_wakeup(), self.drain.next_wakeup()];
        wakeups.into_iter().flatten().fold(now + Beat::PERIOD, Instant::min)
    }
}

/// One record for each prefix whose intent or reasons changed; a withdrawal is a warning.
fn log_changes(before: &Decision, after: &Decision) {
    for prefix in &after.prefixes {
        let old = before.prefixes.iter().find(|old| old.prefix == prefix.prefix);
        if old.is_some_and(|old| old.intent == prefix.intent && old.reasons == prefix.reasons) {
            continue;
        }
        let withdrawn =
            prefix.intent == Intent::Withdraw && old.is_some_and(|old| old.intent != prefix.intent);
        log_change(prefix, withdrawn);
    }
}

fn log_change(decided: &PrefixDecision, withdrawn: bool) {
    let now = Instant::now();
    let reasons: Vec<String> = decided.reasons.iter().map(|reason| reason.text(now)).collect();
    let (prefix, intent, reasons) = (decided.prefix, decided.intent.word(), List(&reasons));
    match withdrawn {
        true => tracing::warn!(%prefix, intent, ?reasons, "decision"),
        false => tracing::info!(%prefix, intent, ?reasons, "decision"),
    }
}
