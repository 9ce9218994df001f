//! The task between policy and the driver: hands on what is wanted, reports what is.

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::driver::{Driver, Started, Wanted};
use super::status::{RouteStatus, preference};
use crate::policy::Decision;

/// A gate at work.
#[derive(Debug)]
pub struct Gate {
    /// What the routes are, the latest.
    pub status: watch::Receiver<RouteStatus>,
    /// Ends after the driver has withdrawn everything and closed its sessions.
    pub task: JoinHandle<()>,
}

/// Starts `driver` and one task that follows `decisions`. Until the first decision nothing is wanted. When `stop` is
/// cancelled, or the decisions' sender is dropped, everything is withdrawn and the task ends.
///
/// Must be called inside a tokio runtime.
#[must_use]
pub fn spawn(driver: impl Driver, decisions: watch::Receiver<Decision>, stop: CancellationToken) -> Gate {
    let (wanted, wanted_receiver) = watch::channel(Wanted::default());
    let started = driver.start(wanted_receiver, stop.clone());
    let (status, status_receiver) = watch::channel(RouteStatus::default());
    let task = tokio::spawn(follow(decisions, wanted, started, status, stop));
    Gate { status: status_receiver, task }
}

async fn follow(
    mut decisions: watch::Receiver<Decision>,
    wanted: watch::Sender<Wanted>,
    started: Started,
    status: watch::Sender<RouteStatus>,
    stop: CancellationToken,
) {
    let Started { mut observed, task } = started;
    loop {
        let decision = decisions.borrow_and_update().clone();
        wanted.send_if_modified(|wanted| replace(wanted, routes(&decision)));
        let latest = observed.borrow_and_update().clone();
        status.send_if_modified(|status| replace(status, RouteStatus::compare(&decision, &latest)));
        tokio::select! {
            () = stop.cancelled() => break,
            changed = decisions.changed() => if changed.is_err() { break },
            changed = observed.changed() => if changed.is_err() { break },
        }
    }
    drop(wanted);
    if let Err(error) = task.await {
        tracing::error!(%error, "the route driver's task failed");
    }
    let latest = observed.borrow().clone();
    status.send_replace(RouteStatus::compare(&decisions.borrow().clone(), &latest));
}

fn routes(decision: &Decision) -> Wanted {
    let announced = |prefix: &crate::policy::PrefixDecision| {
        preference(prefix.intent).map(|preference| (prefix.prefix, preference))
    };
    Wanted { routes: decision.prefixes.iter().filter_map(announced).collect() }
}

/// Puts `new` in place; whether it differed.
fn replace<T: PartialEq>(old: &mut T, new: T) -> bool {
    let differs = *old != new;
    *old = new;
    differs
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::policy::{Intent, PrefixDecision};
    use crate::route::driver::Preference;
    use crate::route::dry_run::DryRun;
    use crate::route::status::RouteState;

    /// Far more than any step takes.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn decision(intent: Intent) -> Decision {
        let prefix = "192.0.2.0/24".parse().unwrap();
        Decision {
            prefixes: vec![PrefixDecision { prefix, intent, since: Instant::now(), reasons: Vec::new() }],
        }
    }

    async fn wait(gate: &mut Gate, good: impl Fn(&RouteState) -> bool) {
        let there = |status: &RouteStatus| {
            status.prefixes.iter().any(|prefix| prefix.neighbors.iter().any(|(_, state)| good(state)))
        };
        tokio::time::timeout(PATIENCE, gate.status.wait_for(there)).await.expect("in time").unwrap();
    }

    fn announced(wanted: Preference) -> impl Fn(&RouteState) -> bool {
        move |state| matches!(state, RouteState::Announced { preference, .. } if *preference == wanted)
    }

    #[tokio::test]
    async fn the_driver_follows_the_latest_decision_and_stops_withdrawn() {
        let (decisions, receiver) = watch::channel(Decision::default());
        let stop = CancellationToken::new();
        let mut gate = spawn(DryRun, receiver, stop.clone());
        decisions.send_replace(decision(Intent::Announce));
        wait(&mut gate, announced(Preference::Normal)).await;
        decisions.send_replace(decision(Intent::Deprefer));
        wait(&mut gate, announced(Preference::Depreferred)).await;
        decisions.send_replace(decision(Intent::Withdraw));
        wait(&mut gate, |state| *state == RouteState::Withdrawn).await;
        decisions.send_replace(decision(Intent::Announce));
        wait(&mut gate, announced(Preference::Normal)).await;
        stop.cancel();
        tokio::time::timeout(PATIENCE, &mut gate.task).await.expect("in time").unwrap();
        assert!(gate.status.borrow().all_withdrawn());
    }

    #[tokio::test]
    async fn it_stops_withdrawn_when_nobody_decides_any_more() {
        let (decisions, receiver) = watch::channel(decision(Intent::Announce));
        let mut gate = spawn(DryRun, receiver, CancellationToken::new());
        wait(&mut gate, announced(Preference::Normal)).await;
        drop(decisions);
        tokio::time::timeout(PATIENCE, &mut gate.task).await.expect("in time").unwrap();
        assert!(gate.status.borrow().all_withdrawn());
    }
}
