//! What one neighbor's task tells the world.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::error::SessionError;
use super::rib_out::RibOut;
use crate::route::driver::{NeighborKey, NeighborObserved, Observed, RouteObserved, SessionState};

/// One neighbor's place in the shared observation.
#[derive(Clone, Debug)]
pub(super) struct Observer {
    pub(super) sender: Arc<watch::Sender<Observed>>,
    /// Which neighbor; one that is not observed any more is left out.
    pub(super) neighbor: NeighborKey,
}

impl Observer {
    /// The session's state changed, or not.
    pub(super) fn session(&self, state: SessionState, now: Instant) {
        self.change(|neighbor| {
            if neighbor.session == state {
                return false;
            }
            let was = std::mem::replace(&mut neighbor.session, state);
            neighbor.since = now;
            match state {
                SessionState::Established => {
                    neighbor.established += 1;
                    tracing::info!(neighbor = %neighbor.neighbor, "bgp session established");
                }
                _ if was == SessionState::Established => {
                    (neighbor.heard, neighbor.hold_time) = (None, None);
                    tracing::warn!(neighbor = %neighbor.neighbor, session = %state, "bgp session ended");
                }
                _ => {}
            }
            true
        });
    }

    /// The connection has taken everything that was to be sent.
    pub(super) fn advertised(&self, rib: &RibOut, now: Instant) {
        self.change(|neighbor| {
            let mut routes = BTreeMap::new();
            for (prefix, preference) in rib.advertised() {
                let known = neighbor.routes.get(&prefix).filter(|route| route.preference == preference);
                if known.is_none() {
                    let preference = preference.word();
                    tracing::info!(neighbor = %neighbor.neighbor, %prefix, preference, "route sent");
                }
                routes.insert(prefix, known.copied().unwrap_or(RouteObserved { preference, since: now }));
            }
            for prefix in neighbor.routes.keys().filter(|prefix| !routes.contains_key(prefix)) {
                tracing::warn!(neighbor = %neighbor.neighbor, %prefix, "route withdrawn");
            }
            let refused = rib.refused().map(|(prefix, why)| (prefix, Arc::from(why.to_string()))).collect();
            let differs = neighbor.routes != routes || neighbor.refused != refused;
            neighbor.routes = routes;
            neighbor.refused = refused;
            differs
        });
    }

    /// The session is over: the neighbor drops every route (RFC 4271 section 8.2.2).
    pub(super) fn lost(&self) {
        self.change(|neighbor| {
            let differs = !neighbor.routes.is_empty() || !neighbor.refused.is_empty();
            neighbor.routes.clear();
            neighbor.refused.clear();
            differs
        });
    }

    /// Something went wrong.
    pub(super) fn failed(&self, error: &SessionError, now: Instant) {
        let text: Arc<str> = Arc::from(error.to_string());
        self.change(|neighbor| {
            neighbor.last_error = Some((now, text));
            true
        });
    }

    /// Something came in at this time. Noted to the second; wakes no observer.
    pub(super) fn heard(&self, at: Instant) {
        self.change(|neighbor| {
            neighbor.heard = Some(at);
            false
        });
    }

    /// The hold time of the established session.
    pub(super) fn agreed(&self, hold_time: Duration) {
        self.change(|neighbor| neighbor.hold_time.replace(hold_time) != Some(hold_time));
    }

    /// UPDATEs came in. Wakes no observer: a full table would do so a million times.
    pub(super) fn updates(&self, count: u64) {
        self.change(|neighbor| {
            neighbor.updates_received += count;
            false
        });
    }

    fn change(&self, change: impl FnOnce(&mut NeighborObserved) -> bool) {
        self.sender.send_if_modified(|observed| {
            let own = observed.neighbors.iter_mut().find(|one| one.neighbor == self.neighbor);
            own.is_some_and(change)
        });
    }
}
