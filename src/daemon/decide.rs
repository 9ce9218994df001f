//! The loop of the deciding task: facts in, policy asked, the decision out; orders in between.

use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use crate::control::Call;
use crate::telemetry::Beat;

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
                order = self.orders.signals.next() => self.obey(order),
                call = self.orders.calls.next() => self.answer(call),
                read = self.configured.reloads.read() => reloading::take_over(self, read),
                ended = self.orders.drain_file.ended() => self.orders.end_drain(ended),
                () = self.deciding.sources.changed() => {}
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Reload => reloading::ask(self, None),
            Order::Stop => {
                self.orders.stopping = true;
                self.orders.drain.begin("stopping", self.drain_time(), Instant::now());
            }
        }
    }

    /// A stop takes no orders.
    fn answer(&mut self, call: Call) {
        match self.orders.stopping {
            true => call.reply.send(failed("anyns is stopping in order".to_owned())),
            false => obey::obey(self, call),
        }
    }

    /// How long a drain prefers less before it withdraws: not at all while no neighbor holds a route.
    fn drain_time(&self) -> Duration {
        match self.deciding.routes.load().all_withdrawn() {
            true => Duration::ZERO,
            false => self.configured.config.drain.deprefer,
        }
    }

    /// One turn: gathers facts, asks policy, hands the decision on; says when to look again at the latest.
    fn turn(&mut self, now: Instant) -> Instant {
        if !self.orders.stopping
            && let Some(drain) = self.orders.drain_file.restore_late(now)
        {
            self.orders.drain = drain;
        }
        let operator = self.orders.drain.operator(now);
        self.deciding.decide(operator, now);
        let (drain, required) = (self.orders.drain.clone(), self.deciding.required.clone());
        let (times, restart) = (self.configured.config.drain, self.configured.restart.clone());
        self.deciding.ordered.publish_if_new(Ordered {
            drain,
            stopping: self.orders.stopping,
            required,
            times,
            restart,
            config_digest: self.configured.config.digest.clone(),
            certificates: self.configured.config.transfers.certificates.clone(),
            fleet: self.configured.fleet.clone(),
        });
        // Only now: a beat renews the lease of this decision.
        self.deciding.beat.beat();
        let wakeups = [self.deciding.policy.next_wakeup(), self.orders.drain.next_wakeup()];
        wakeups.into_iter().flatten().fold(now + Beat::PERIOD, Instant::min)
    }
}
