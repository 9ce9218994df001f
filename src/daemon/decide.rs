//! The loop of the deciding task: facts in, policy asked, the decision out; orders in between.

use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use crate::control::Call;
use crate::policy::{Decision, Intent, PrefixDecision};
use crate::telemetry::{Beat, List};

use crate::daemon::controller::Controller;
use crate::daemon::order::Order;
use crate::daemon::orders::obey;
use crate::daemon::reload::reloading;
use crate::daemon::response::failed;
use crate::daemon::status::Ordered;

impl Controller {
    /// Decides and obeys until dropped. Can be run again after a panic: policy and drain are as they were.
    pub(super) async fn run(&mut self) {
        loop {
            let wakeup = self.turn(Instant::now());
            tokio::select! {
                () = sleep_until(wakeup.into()) => {}
                order = self.orders.next() => self.obey(order),
                call = self.calls.next() => self.answer(call),
                read = self.reloads.read() => reloading::take_over(self, read),
                ended = self.drain_file.ended() => obey::end_drain(self, ended),
                () = self.sources.changed() => {}
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Reload => reloading::ask(self, None),
            Order::Stop => {
                self.stopping = true;
                self.drain.begin("stopping", self.drain_time(), Instant::now());
            }
        }
    }

    /// A stop takes no orders.
    fn answer(&mut self, call: Call) {
        match self.stopping {
            true => call.reply.send(failed("anyns is stopping in order".to_owned())),
            false => obey::obey(self, call),
        }
    }

    /// How long a drain prefers less before it withdraws: not at all while no neighbor holds a route.
    fn drain_time(&self) -> Duration {
        match self.routes.load().all_withdrawn() {
            true => Duration::ZERO,
            false => self.config.drain.deprefer,
        }
    }

    /// One turn: gathers facts, asks policy, hands the decision on; says when to look again at the latest.
    fn turn(&mut self, now: Instant) -> Instant {
        if !self.stopping
            && let Some(drain) = self.drain_file.restore_late(now)
        {
            self.drain = drain;
        }
        let operator = self.drain.operator(now);
        let facts = self.sources.gather(&self.required, operator, now);
        let decision = self.policy.decide(&facts, now);
        log_changes(&self.decisions.current(), &decision);
        self.decisions.publish_if_new(decision);
        let (drain, required) = (self.drain.clone(), self.required.clone());
        let (times, restart) = (self.config.drain, self.restart.clone());
        self.ordered.publish_if_new(Ordered {
            drain,
            stopping: self.stopping,
            required,
            times,
            restart,
            config_digest: self.config.digest.clone(),
            certificates: self.config.transfers.certificates.clone(),
            fleet: self.fleet.clone(),
        });
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
