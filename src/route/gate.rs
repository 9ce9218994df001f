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
