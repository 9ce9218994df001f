//! The main thread while anyns runs: signals, and the service manager's watchdog.

use std::time::{Duration, Instant};

use crate::handoff::Queue;
use crate::route::LeaseTime;
use crate::telemetry::{Beat, Freshness, RunTime};

use crate::daemon::order::Order;
use crate::daemon::process::service_manager::{self, ServiceState};
use crate::daemon::process::signals::{Ask, Signals};

/// How often the service manager is told: it waits for some seconds at least.
const TELL: Duration = Duration::from_secs(1);

/// The tasks without which nothing decides or announces: the service manager is told that all is well only while they run.
pub(in crate::daemon) struct Supervisor {
    orders: Queue<Order>,
    watched: Vec<(Beat, Freshness)>,
    lease: LeaseTime,
    time: RunTime,
    told: Option<Instant>,
}

impl Supervisor {
    /// Supervises these tasks; one that has not beaten for twice the lease does not run.
    pub(in crate::daemon) fn new(orders: Queue<Order>, watched: Vec<Beat>, lease: LeaseTime) -> Self {
        let watched = watched.into_iter().map(|beat| (beat, Freshness::default())).collect();
        Self { orders, watched, lease, time: RunTime::new(Instant::now()), told: None }
    }

    /// Returns when a signal asks to stop.
    pub(in crate::daemon) async fn until_stop(&mut self, signals: &mut Signals) {
        let mut ticks = tokio::time::interval(Beat::PERIOD);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.tick(Instant::now()),
                ask = signals.next() => match ask {
                    Ask::Stop => return,
                    Ask::Reload => {
                        if self.orders.push(Order::Reload).is_err() {
                            tracing::error!("SIGHUP is lost: the deciding task has not taken the orders before it");
                        }
                    }
                },
            }
        }
    }

    /// Tells the service manager that anyns runs, if it does.
    fn tick(&mut self, now: Instant) {
        let due = self.told.is_none_or(|told| now.saturating_duration_since(told) >= TELL);
        if self.are_fresh(now) && due {
            self.told = Some(now);
            service_manager::notify(ServiceState::Watchdog);
        }
    }

    fn are_fresh(&mut self, now: Instant) -> bool {
        let at = self.time.advance(now);
        let limit = self.lease.get() * 2;
        let mut stale = 0;
        for (beat, freshness) in &mut self.watched {
            stale += usize::from(freshness.observe(beat.beats(), at) >= limit);
        }
        stale == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::queue;

    #[test]
    fn it_is_well_only_while_every_task_beats_and_a_pause_of_its_own_is_no_fault() {
        let beats = [Beat::new("decide"), Beat::new("gate")];
        let (orders, _receiver) = queue(1).unwrap();
        let mut supervisor =
            Supervisor::new(orders, beats.to_vec(), LeaseTime::new(Duration::from_millis(500)));
        let mut now = Instant::now();
        let mut fresh = |beating: usize, steps: u64, step: u64| {
            let mut last = true;
            for _ in 0..steps {
                now += Duration::from_millis(step);
                beats.iter().take(beating).for_each(Beat::beat);
                last = supervisor.are_fresh(now);
            }
            last
        };
        assert!(fresh(2, 20, 100));
        assert!(fresh(1, 9, 100), "not yet");
        assert!(!fresh(1, 2, 100), "the gate has stood for more than a second");
        assert!(fresh(2, 1, 100), "it beats again");
        assert!(fresh(0, 1, 60_000), "the supervisor itself did not run");
    }
}
