//! A planned stop, in order (rule 6 of the crate): prefer less, wait, withdraw, wait until the queries stop, close.
//!
//! Every part runs on until it is its turn: the deciding task drains, the status tells of it.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::config;
use crate::telemetry::{Counters, WorkerCounters};

use crate::daemon::order::Order;
use crate::daemon::process::parts::Parts;
use crate::daemon::process::service_manager::{self, ServiceState};
use crate::daemon::process::signals::{Ask, Signals};

/// How long the sockets may take to answer what waits, once traffic has moved.
const SERVE_GRACE: Duration = Duration::from_secs(2);

/// How long the sessions may take to end.
const SPEAKER_GRACE: Duration = Duration::from_secs(3);

/// How long a thread of the control plane may take to end.
const THREAD_GRACE: Duration = Duration::from_secs(1);

/// How often the counters and the routes are looked at while waiting.
const LOOK: Duration = Duration::from_millis(50);

/// Runs until a signal, then stops in order.
pub(in crate::daemon) async fn after_a_signal(mut parts: Parts, mut signals: Signals) {
    service_manager::notify(ServiceState::Ready);
    parts.supervisor.until_stop(&mut signals).await;
    service_manager::notify(ServiceState::Stopping);
    in_order(parts, signals).await;
}

/// Drains, then closes everything: the speaker, the probes, the deciding task, the sockets, what feeds zones, the publisher, and the
/// admin socket last. A second signal skips the waiting.
async fn in_order(mut parts: Parts, mut signals: Signals) {
    tracing::info!("stopping in order");
    let calm = async {
        withdraw(&mut parts).await;
        // Probes would count as queries.
        parts.health.cancel();
        quiet(&parts.counters, parts.times()).await;
    };
    tokio::select! {
        () = calm => {}
        () = second(&mut signals) => tracing::warn!("a second signal: stopping at once"),
    }
    if !parts.speaker.shut_down(SPEAKER_GRACE).await {
        tracing::warn!("the sessions did not end in time");
    }
    parts.health.stop(THREAD_GRACE).await;
    parts.decide.stop(THREAD_GRACE).await;
    parts.host.stop(THREAD_GRACE).await;
    parts.serving.shutdown(SERVE_GRACE).await;
    parts.catalogs.stop(THREAD_GRACE).await;
    parts.canaries.stop(THREAD_GRACE).await;
    if let Some(dnstap) = parts.dnstap {
        dnstap.stop(THREAD_GRACE).await;
    }
    // Nothing is counted any more: it writes what it has not written yet.
    if let Some(rssac002) = parts.rssac002 {
        rssac002.stop(THREAD_GRACE).await;
    }
    parts.transferring.stop(THREAD_GRACE).await;
    parts.publisher.shutdown().await;
    if let Some(addresses) = parts.addresses
        && let Err(error) = addresses.remove().await
    {
        tracing::warn!(%error, "a service address stays on loopback");
    }
    if let Some(web) = parts.web {
        web.stop(THREAD_GRACE).await;
    }
    // The last: the status answers until here.
    parts.control.stop().await;
    tracing::info!("stopped");
}

/// Has the deciding task drain, and returns when no neighbor holds a route, or when that takes too long.
async fn withdraw(parts: &mut Parts) {
    if parts.orders.push(Order::Stop).is_err() {
        tracing::error!("the deciding task takes no orders: stopping without a drain");
        return;
    }
    // The deciding task needs a turn also where there is nothing to wait for.
    let limit = Instant::now() + parts.times().deprefer + parts.times().limit.max(SPEAKER_GRACE);
    while Instant::now() < limit {
        // The decision to withdraw was published before the drain that says so.
        if parts.ordered.load().drain.is_withdrawn() && parts.speaker.status.load().all_withdrawn() {
            return;
        }
        let _ = timeout(LOOK, parts.speaker.changes.changed()).await;
    }
    tracing::warn!("the routes were not withdrawn in time; the sessions are closed");
}

/// Returns when no query came for `drain.quiet`, or after `drain.limit`.
async fn quiet(counters: &Counters, drain: config::Drain) {
    let queries = || counters.workers().iter().map(WorkerCounters::queries).sum::<u64>();
    let limit = Instant::now() + drain.limit;
    let mut last = (queries(), Instant::now());
    loop {
        let now = Instant::now();
        let seen = queries();
        if seen != last.0 {
            last = (seen, now);
        }
        if now >= last.1 + drain.quiet {
            return;
        }
        if now >= limit {
            tracing::warn!("queries still come after drain.limit; closing");
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn second(signals: &mut Signals) {
    while signals.next().await != Ask::Stop {}
}
