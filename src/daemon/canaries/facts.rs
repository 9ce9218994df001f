//! What is known of canaries, for the status.

use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

use rpds::RedBlackTreeMapSync;

use crate::transfer::canary::CanaryState;
use crate::wire::{Name, Serial};

/// Everything.
#[derive(Clone, Debug, Default)]
pub(in crate::daemon) struct CanaryFacts {
    /// Each group.
    pub(in crate::daemon) groups: Vec<CanaryFact>,
    /// How often `waiting` has changed.
    pub(in crate::daemon) changes: u64,
    /// The zones of which not all secondaries have the newest version, or the next.
    pub(in crate::daemon) waiting: RedBlackTreeMapSync<Name, WaitingZone>,
    /// How many zones were halted and are covered by no group any more, and the first of them.
    pub(in crate::daemon) uncovered: Option<(usize, Name)>,
}

impl CanaryFacts {
    /// Whether these are the same facts.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.changes, &self.uncovered) == (other.changes, &other.uncovered) && self.groups == other.groups
    }
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) struct CanaryFact {
    pub(in crate::daemon) name: String,
    /// How many zones stand so, in the order of [`CanaryFact::STATES`].
    pub(in crate::daemon) counts: [usize; 4],
    /// The first zone of those that are overdue.
    pub(in crate::daemon) first_overdue: Option<Name>,
    /// How many zones have no version for the others, and the first of them.
    pub(in crate::daemon) withheld: usize,
    pub(in crate::daemon) first_withheld: Option<Name>,
    /// How many zones are halted since a secondary became unhealthy, the first of them, and why.
    pub(in crate::daemon) stopped: usize,
    pub(in crate::daemon) first_stopped: Option<(Name, String)>,
    /// The first zone that is halted by order.
    pub(in crate::daemon) first_halted: Option<Name>,
    pub(in crate::daemon) secondaries: Vec<CanarySecondary>,
}

/// One secondary of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) struct CanarySecondary {
    pub(in crate::daemon) address: SocketAddr,
    /// Since when it gives no answer that counts, and why.
    pub(in crate::daemon) failing: Option<(SystemTime, String)>,
    /// How well it is; `None` where nobody tells that, so that its serial alone is checked.
    pub(in crate::daemon) health: Option<CanaryHealth>,
}

/// How well a secondary is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) struct CanaryHealth {
    /// The `[[fleet.pop]]` that tells it.
    pub(in crate::daemon) pop: String,
    pub(in crate::daemon) fact: HealthFact,
}

/// What it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum HealthFact {
    /// Nothing yet: the first answer is awaited.
    NotAsked,
    Good,
    /// It does not tell, or takes no queries by order; since when, and why.
    Unknown(SystemTime, String),
    /// Its probes fail, a route is withdrawn, or it answers SERVFAIL too often; since when, and which of it.
    Bad(SystemTime, String),
}

/// A zone of which not all secondaries have the newest version, or the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) struct WaitingZone {
    /// The group that has it.
    pub(in crate::daemon) group: usize,
    pub(in crate::daemon) state: CanaryState,
    /// The serial that all may have.
    pub(in crate::daemon) released: Serial,
    /// Whether that version is not there, so that the others get no answer.
    pub(in crate::daemon) is_withheld: bool,
    /// Why it was halted without an order.
    pub(in crate::daemon) stopped: Option<String>,
    /// Since when a version waits.
    pub(in crate::daemon) since: Option<Instant>,
    /// Those of the group that do not serve the newest version.
    pub(in crate::daemon) lacking: Vec<SocketAddr>,
}

impl CanaryFact {
    /// The order of the counts.
    pub(in crate::daemon) const STATES: [CanaryState; 4] =
        [CanaryState::Released, CanaryState::Trial, CanaryState::Overdue, CanaryState::Halted];
}
