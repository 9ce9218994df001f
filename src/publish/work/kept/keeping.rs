//! What is kept of the zones, and what could not be.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::publish::settings::HistoryBounds;
use crate::publish::state::directory::StateDirectory;
use crate::publish::state::files::holds::Holds;
use crate::publish::state::opener::StateOpener;
use crate::publish::state::store::history::History;
use crate::publish::work::kept::kept_state::ToldState;
use crate::publish::work::kept::member_list::Members;
use crate::publish::work::kept::removed_list::RemovedZones;
use crate::wire::Name;

/// What is kept of the zones.
#[derive(Debug)]
pub(in crate::publish) struct Keeping {
    pub(in crate::publish) state: Arc<StateDirectory>,
    pub(in crate::publish) opener: StateOpener,
    pub(in crate::publish) told: ToldState,
    /// What was kept of the steps of zones, and how much that may be of each.
    pub(in crate::publish) history: History,
    pub(in crate::publish) history_bounds: Arc<Mutex<HistoryBounds>>,
    /// Zones whose version could not be kept; it is tried again at the next look.
    pub(in crate::publish) unkept: BTreeSet<Name>,
    /// Zones that were being checked when the database was lost; they are kept anew after that.
    pub(in crate::publish) after_check: BTreeSet<Name>,
    /// Zones that an operator holds at the version that is served.
    pub(in crate::publish) holds: Arc<Holds>,
    /// The zones that catalogs list.
    pub(in crate::publish) members: Members,
    /// The zones that left the configuration and whose data waits.
    pub(in crate::publish) removed: RemovedZones,
}

impl Keeping {
    /// In this directory.
    pub(in crate::publish) fn new(
        (state, opener): (StateDirectory, StateOpener),
        history_bounds: Arc<Mutex<HistoryBounds>>,
    ) -> Self {
        Self {
            state: Arc::new(state),
            opener,
            told: ToldState::new(None),
            history: History::default(),
            history_bounds,
            unkept: BTreeSet::new(),
            after_check: BTreeSet::new(),
            holds: Arc::default(),
            members: Members::default(),
            removed: RemovedZones::default(),
        }
    }
}
