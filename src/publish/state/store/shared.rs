//! What is the same for each store that is opened in turn.

use std::sync::{Arc, Mutex};

use crate::publish::settings::HistoryBounds;
use crate::publish::state::store::zone_serials::ZoneSerials;

/// What the publisher and its stores have in common. Clones are the same.
#[derive(Clone, Debug)]
pub(in crate::publish) struct StoreShared {
    /// How much may be kept of the steps of a zone.
    pub(in crate::publish) bounds: Arc<Mutex<HistoryBounds>>,
    /// Which serials zones had before.
    pub(in crate::publish) serials: ZoneSerials,
}
