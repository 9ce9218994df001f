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
    pub(in crate::daemon) secondaries: Vec<CanarySecondary>,
}

/// One secondary of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) struct CanarySecondary {
    pub(in crate::daemon) address: SocketAddr,
    /// Since when it gives no answer that counts, and why.
    pub(in crate::daemon) failing: Option<(SystemTime, String)>,
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
