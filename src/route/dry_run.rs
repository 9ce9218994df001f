//! The driver that announces nothing: it logs and reports what would be announced.

use std::collections::BTreeMap;
use std::time::Instant;

use ipnet::IpNet;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::bgp::Sessions;
use super::driver::{
    Driver, NeighborKey, NeighborObserved, Observed, RouteObserved, SessionState, Started, Wanted,
};
use crate::handoff::Latest;

/// Says what it would announce. Opens no socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DryRun;

impl Driver for DryRun {
    fn start(self, wanted: watch::Receiver<Wanted>, stop: CancellationToken) -> Started {
        let now = Instant::now();
        let mut dry = NeighborObserved::new(NeighborKey::DryRun, now);
        dry.session = SessionState::Established;
        let (observed, receiver) = watch::channel(Observed { neighbors: vec![dry] });
        let task = tokio::spawn(follow(wanted, observed, stop));
        let neighbor_beats = Latest::new(Vec::new()).reader();
        Started { observed: receiver, task, sessions: Sessions::new(0), beats: Vec::new(), neighbor_beats }
    }
}

async fn follow(
    mut wanted: watch::Receiver<Wanted>,
    observed: watch::Sender<Observed>,
    stop: CancellationToken,
) {
    loop {
        let latest = wanted.borrow_and_update().clone();
        observed.send_modify(|observed| report(observed, &latest, Instant::now()));
        tokio::select! {
            () = stop.cancelled() => break,
            changed = wanted.changed() => if changed.is_err() { break },
        }
    }
    observed.send_modify(|observed| report(observed, &Wanted::default(), Instant::now()));
}

/// Brings what is reported in line with what is wanted, and logs each difference.
fn report(observed: &mut Observed, wanted: &Wanted, now: Instant) {
    let Some(dry) = observed.neighbors.first_mut() else { return };
    let gone: Vec<IpNet> =
        dry.routes.keys().filter(|prefix| !wanted.routes.contains_key(prefix)).copied().collect();
    for prefix in gone {
        tracing::info!(%prefix, "dry run: would withdraw");
        dry.routes.remove(&prefix);
    }
    let before: BTreeMap<IpNet, RouteObserved> = std::mem::take(&mut dry.routes);
    for (&prefix, &preference) in &wanted.routes {
        let route = match before.get(&prefix) {
            Some(route) if route.preference == preference => *route,
            _ => {
                tracing::info!(%prefix, ?preference, "dry run: would announce");
                RouteObserved { preference, since: now }
            }
        };
        dry.routes.insert(prefix, route);
    }
}
