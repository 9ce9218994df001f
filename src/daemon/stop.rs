//! A planned stop, in order (design rule 8): prefer less, wait, withdraw, wait until the queries stop, close.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep_until, timeout};

use crate::control::Call;
use crate::handoff::Receiver;
use crate::telemetry::WorkerCounters;

use super::build::Parts;
use super::orders::failed;
use super::pilot::Pilot;
use super::signals::{Ask, Signals};

/// How long the sockets may take to answer what waits, once traffic has moved.
const SERVE_GRACE: Duration = Duration::from_secs(2);

/// How long the sessions may take to say goodbye.
const GATE_GRACE: Duration = Duration::from_secs(3);

/// How often the counters are looked at while waiting for the queries to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Drains, then closes everything in the order opposite to its opening. A second signal skips the waiting.
pub(super) async fn in_order(mut parts: Parts, mut signals: Signals) {
    tracing::info!("stopping in order");
    let calm = async {
        withdraw(&mut parts.pilot).await;
        // Probes would count as queries, and no longer matter.
        parts.health_stop.cancel();
        quiet(&parts.pilot).await;
    };
    tokio::select! {
        () = calm => {}
        () = second(&mut signals) => tracing::warn!("asked again: stopping at once"),
        () = refuse(&mut parts.calls) => {}
    }
    parts.gate_stop.cancel();
    if timeout(GATE_GRACE, parts.gate.task).await.is_err() {
        tracing::warn!("the sessions did not end in time");
    }
    parts.health_stop.cancel();
    close(parts.serving, "sockets", |serving| serving.shutdown(SERVE_GRACE)).await;
    drop(parts.pilot);
    close(parts.publisher, "publisher", |publisher| publisher.shutdown()).await;
    if let Some(addresses) = parts.addresses
        && let Err(error) = addresses.remove().await
    {
        tracing::warn!(%error, "a service address stays on loopback");
    }
    // The last: the status answers until here.
    parts.control.stop().await;
    tracing::info!("stopped");
}

/// Prefers less, waits, withdraws, and returns when no neighbour holds a route.
async fn withdraw(pilot: &mut Pilot) {
    pilot.stopping = true;
    let nothing_announced = pilot.gate_status.borrow().all_withdrawn();
    let deprefer = if nothing_announced { Duration::ZERO } else { pilot.config.drain.deprefer };
    pilot.drain.begin("stopping", deprefer, Instant::now());
    let limit = Instant::now() + deprefer + pilot.config.drain.limit;
    loop {
        let wakeup = pilot.decide(Instant::now());
        let ordered = pilot.drain.next_wakeup().is_none();
        if ordered && pilot.gate_status.borrow_and_update().all_withdrawn() || Instant::now() >= limit {
            return;
        }
        tokio::select! {
            () = sleep_until(wakeup.min(limit).into()) => {}
            _ = pilot.gate_status.changed() => {}
        }
    }
}

/// Returns when no query came for `drain.quiet`, or after `drain.limit`.
async fn quiet(pilot: &Pilot) {
    let queries = || pilot.counters.workers().iter().map(WorkerCounters::queries).sum::<u64>();
    let limit = Instant::now() + pilot.config.drain.limit;
    let mut last = (queries(), Instant::now());
    loop {
        let now = Instant::now();
        let seen = queries();
        if seen != last.0 {
            last = (seen, now);
        }
        if now >= last.1 + pilot.config.drain.quiet {
            return;
        }
        if now >= limit {
            tracing::warn!("queries still come after drain.limit; closing");
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A stop takes no orders.
async fn refuse(calls: &mut Receiver<Call>) {
    loop {
        calls.next().await.reply.send(failed("anyns is stopping in order".to_owned()));
    }
}

async fn second(signals: &mut Signals) {
    while signals.next().await != Ask::Stop {}
}

/// Closes what others may still hold for a moment: a probe, an order.
async fn close<T, F: Future<Output = ()>>(mut shared: Arc<T>, what: &str, shutdown: impl FnOnce(T) -> F) {
    for _ in 0..20 {
        match Arc::try_unwrap(shared) {
            Ok(owned) => return shutdown(owned).await,
            Err(still) => shared = still,
        }
        tokio::time::sleep(LOOK).await;
    }
    tracing::warn!(what, "still in use; closed without waiting");
}
