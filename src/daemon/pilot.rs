//! The one task that decides: facts in, policy asked, the decision out; orders and status in between.
//!
//! It owns everything that an order may change, so there is no lock. It never blocks: what takes time (a reload) runs
//! as a task of its own and is waited for by whoever asked.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep_until;

use crate::config::Config;
use crate::control::Call;
use crate::handoff::{Latest, Receiver};
use crate::health::Health;
use crate::policy::{Decision, Policy};
use crate::publish::{PublisherHandle, Report};
use crate::route::RouteStatus;
use crate::serve;
use crate::telemetry::Counters;
use crate::wire::Name;

use super::drain::Drain;
use super::signals::{Ask, Signals};
use super::status::{Ordered, Reload};
use super::{facts, orders, reload};

/// With nothing to wait for, the facts are looked at this often all the same.
const IDLE: Duration = Duration::from_secs(1);

/// What the pilot holds.
pub(super) struct Pilot {
    pub(super) config: Config,
    /// The configuration file, if there is one.
    pub(super) file: Option<PathBuf>,
    pub(super) started: Instant,
    pub(super) drain: Drain,
    pub(super) policy: Policy,
    pub(super) counters: Counters,
    pub(super) health: Health,
    pub(super) publisher: Arc<PublisherHandle>,
    pub(super) report: watch::Receiver<Arc<Report>>,
    pub(super) serve_facts: watch::Receiver<serve::Facts>,
    /// The certificate of the encrypted transports, if there are any.
    pub(super) certificates: Option<Arc<serve::Certificates>>,
    pub(super) lost_addresses: watch::Receiver<Vec<IpAddr>>,
    pub(super) gate_status: watch::Receiver<RouteStatus>,
    /// The zones to probe, for health.
    pub(super) zones: watch::Sender<Arc<[Name]>>,
    /// The report that health was told of.
    pub(super) told: Arc<Report>,
    /// The latest decision, for the gate.
    pub(super) decisions: watch::Sender<Decision>,
    /// The zones that the config requires.
    pub(super) required: Arc<[Name]>,
    /// Whether anyns stops in order.
    pub(super) stopping: bool,
    /// What was ordered, for the status.
    pub(super) ordered: Latest<Ordered>,
    /// How the last reload went, for the status.
    pub(super) reload: Arc<Latest<Reload>>,
}

impl Pilot {
    /// Decides and obeys until a signal asks to stop.
    pub(super) async fn fly(&mut self, calls: &mut Receiver<Call>, signals: &mut Signals) {
        loop {
            let wakeup = self.decide(Instant::now());
            tokio::select! {
                () = sleep_until(wakeup.into()) => {}
                ask = signals.next() => match ask {
                    Ask::Stop => return,
                    Ask::Reload => reload::by_signal(self),
                },
                call = calls.next() => orders::obey(self, call),
                () = self.fact_changes() => {}
            }
        }
    }

    /// One turn: gathers facts, asks policy, hands the decision on; says when to look again at the latest.
    pub(super) fn decide(&mut self, now: Instant) -> Instant {
        let report = self.report.borrow_and_update().clone();
        self.tell_health(&report);
        let operator = self.drain.operator(now);
        let (drain, required) = (self.drain.clone(), self.required.clone());
        self.ordered.publish_if_new(Ordered { drain, stopping: self.stopping, required });
        let serving = self.serve_facts.borrow_and_update().clone();
        let lost_addresses = self.lost_addresses.borrow_and_update().clone();
        let probes = self.health.probes.borrow_and_update().clone();
        let facts = facts::gather(&report, &self.required, &serving, &lost_addresses, &probes, operator);
        let decision = self.policy.decide(&facts, now);
        self.decisions.send_if_modified(|current| {
            let differs = *current != decision;
            if differs {
                log_changes(current, &decision);
                *current = decision;
            }
            differs
        });
        let wakeups = [self.policy.next_wakeup(), self.drain.next_wakeup()];
        wakeups.into_iter().flatten().fold(now + IDLE, Instant::min)
    }

    /// Returns when any fact has changed. A fact whose source is gone changes no more.
    async fn fact_changes(&mut self) {
        tokio::select! {
            Ok(()) = self.report.changed() => {}
            Ok(()) = self.serve_facts.changed() => self.health.kick(),
            Ok(()) = self.lost_addresses.changed() => self.health.kick(),
            Ok(()) = self.health.probes.changed() => {}
            else => std::future::pending().await,
        }
    }

    fn tell_health(&mut self, report: &Arc<Report>) {
        // There may be hundreds of thousands of zones, and a decision comes often.
        if Arc::ptr_eq(&self.told, report) {
            return;
        }
        self.told = report.clone();
        self.zones.send_if_modified(|zones| {
            let served = facts::probed_zones(report);
            let differs = **zones != *served;
            if differs {
                *zones = served.into();
            }
            differs
        });
    }
}

/// One line for each prefix whose intent or reasons changed.
fn log_changes(before: &Decision, after: &Decision) {
    for (index, prefix) in after.prefixes.iter().enumerate() {
        let same = before
            .prefixes
            .get(index)
            .is_some_and(|old| old.intent == prefix.intent && old.reasons == prefix.reasons);
        if !same {
            let reasons: Vec<String> = prefix.reasons.iter().map(ToString::to_string).collect();
            tracing::info!(prefix = %prefix.prefix, intent = ?prefix.intent, why = reasons.join("; "), "decision");
        }
    }
}
