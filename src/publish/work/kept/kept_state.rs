//! What the last process kept for the parts of this one beside the publisher.

use std::collections::{BTreeMap, HashMap};

use crate::handoff::Latest;
use crate::publish::state::tables::members::KeptMember;
use crate::publish::state::tables::releases::KeptReleases;
use crate::publish::state::tables::timers::ZoneTimers;
use crate::wire::Name;

/// What the last process kept, as far as it can be read.
#[derive(Clone, Debug)]
pub struct KeptState {
    /// The timers of secondary zones.
    pub timers: HashMap<Name, ZoneTimers>,
    /// Who is a member of which catalog, and whose data waits for its end.
    pub members: BTreeMap<Name, KeptMember>,
    /// Which versions all secondaries may have where a group of them has each version first.
    pub releases: KeptReleases,
}

/// Tells others what was kept; `None` while the state directory has not answered.
pub(in crate::publish) type ToldState = Latest<Option<KeptState>>;
