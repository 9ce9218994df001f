//! What the routes are: wanted against observed. Pure.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::driver::{NeighborKey, NeighborObserved, Observed, Preference, SessionState};
use crate::policy::{Decision, Intent, PrefixDecision, Reason};

/// What the routes are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteStatus {
    /// One per prefix, in the order of the config.
    pub prefixes: Vec<PrefixStatus>,
    /// One per neighbor, in the order of the config.
    pub neighbors: Vec<NeighborStatus>,
    /// Whether the deciding task renews the announcement.
    pub lease: LeaseStatus,
}

/// Whether the deciding task renews the announcement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LeaseStatus {
    /// It does.
    #[default]
    Held,
    /// It does not: the speaker asks the service addresses itself, and what they answer decides.
    Expired {
        /// Since when.
        since: Instant,
        /// What each service address answered, or why not.
        answers: Vec<(IpAddr, Result<(), String>)>,
    },
}

/// One prefix: what policy wants and where it is announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixStatus {
    /// The prefix.
    pub prefix: IpNet,
    /// What policy wants.
    pub intent: Intent,
    /// Since when.
    pub since: Instant,
    /// Why.
    pub reasons: Vec<Reason>,
    /// What was advertised to each neighbor.
    pub neighbors: Vec<(NeighborKey, RouteState)>,
    /// How often it was withdrawn after it had been announced.
    pub withdrawals: u64,
    /// How long the last withdrawal took: from the decision until no neighbor held the route.
    pub withdrawn_in: Option<Duration>,
}

/// One neighbor's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighborStatus {
    /// Which neighbor.
    pub neighbor: NeighborKey,
    /// The session's state.
    pub session: SessionState,
    /// Since when.
    pub since: Instant,
    /// How many times the session came up.
    pub established: u64,
    /// UPDATE messages received and not looked at.
    pub updates_received: u64,
    /// When something last came from it in the established session, to about a second.
    pub heard: Option<Instant>,
    /// The hold time that both sides agreed on in the established session; zero: none.
    pub hold_time: Option<Duration>,
    /// The last fault and when it was.
    pub last_error: Option<(Instant, Arc<str>)>,
}

/// One prefix at one neighbor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteState {
    /// Announced as wanted.
    Announced {
        /// How.
        preference: Preference,
        /// Since when.
        since: Instant,
    },
    /// Not yet as wanted: the session is down, or an UPDATE is on its way.
    Pending {
        /// What the neighbor believes now; `None`: that there is no route.
        told: Option<Preference>,
    },
    /// Can never become as wanted in this session.
    Refused {
        /// Why.
        reason: Arc<str>,
    },
    /// Not announced, as wanted.
    Withdrawn,
}

impl RouteStatus {
    /// Compares what policy wants with what the driver observes.
    #[must_use]
    pub fn compare(decision: &Decision, observed: &Observed) -> Self {
        Self {
            prefixes: decision
                .prefixes
                .iter()
                .map(|prefix| PrefixStatus::compare(prefix, observed))
                .collect(),
            neighbors: observed.neighbors.iter().map(NeighborStatus::from).collect(),
            lease: LeaseStatus::Held,
        }
    }

    /// Whether no neighbor holds a route any more.
    #[must_use]
    pub fn all_withdrawn(&self) -> bool {
        self.prefixes.iter().all(PrefixStatus::is_withdrawn)
    }

    /// Goes on from the status before: a prefix that a neighbor held then and none holds now was withdrawn at `now`.
    #[must_use]
    pub fn after(mut self, before: &Self, now: Instant) -> Self {
        for prefix in &mut self.prefixes {
            let Some(old) = before.prefixes.iter().find(|old| old.prefix == prefix.prefix) else { continue };
            let is_over = prefix.intent == Intent::Withdraw && prefix.is_withdrawn() && !old.is_withdrawn();
            let took = is_over.then(|| now.saturating_duration_since(prefix.since));
            prefix.withdrawn_in = took.or(old.withdrawn_in);
        }
        self
    }
}

impl PrefixStatus {
    fn compare(wanted: &PrefixDecision, observed: &Observed) -> Self {
        let state = |neighbor: &NeighborObserved| (neighbor.neighbor, route_state(wanted, neighbor));
        Self {
            prefix: wanted.prefix,
            intent: wanted.intent,
            since: wanted.since,
            reasons: wanted.reasons.clone(),
            neighbors: observed.neighbors.iter().map(state).collect(),
            withdrawals: wanted.withdrawals,
            withdrawn_in: None,
        }
    }

    /// Whether no neighbor holds the route any more.
    fn is_withdrawn(&self) -> bool {
        self.neighbors.iter().all(|(_, state)| {
            matches!(
                state,
                RouteState::Withdrawn | RouteState::Refused { .. } | RouteState::Pending { told: None }
            )
        })
    }
}

fn route_state(wanted: &PrefixDecision, neighbor: &NeighborObserved) -> RouteState {
    let told = neighbor.routes.get(&wanted.prefix);
    match (preference(wanted.intent), told) {
        (None, None) => RouteState::Withdrawn,
        (Some(preference), Some(route)) if route.preference == preference => {
            RouteState::Announced { preference, since: route.since }
        }
        (_, told) => match neighbor.refused.get(&wanted.prefix) {
            Some(reason) => RouteState::Refused { reason: Arc::clone(reason) },
            None => RouteState::Pending { told: told.map(|route| route.preference) },
        },
    }
}

/// The preference that an intent asks for; `None`: no route.
pub(super) fn preference(intent: Intent) -> Option<Preference> {
    match intent {
        Intent::Withdraw => None,
        Intent::Deprefer => Some(Preference::Depreferred),
        Intent::Announce => Some(Preference::Normal),
    }
}

impl From<&NeighborObserved> for NeighborStatus {
    fn from(observed: &NeighborObserved) -> Self {
        Self {
            neighbor: observed.neighbor,
            session: observed.session,
            since: observed.since,
            established: observed.established,
            updates_received: observed.updates_received,
            heard: observed.heard,
            hold_time: observed.hold_time,
            last_error: observed.last_error.clone(),
        }
    }
}
