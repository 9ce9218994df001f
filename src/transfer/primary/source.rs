//! Where the zones come from that are sent.

use std::sync::Arc;

use crate::publish::Difference;
use crate::wire::{Name, Serial};
use crate::zone::Zone;

/// Gives what is served and how it came to be. Called for each request, so it must not block.
pub trait Source: Send + Sync + 'static {
    /// The version of a zone that is served.
    fn zone(&self, name: &Name) -> Option<Arc<Zone>>;

    /// The differences that lead from one version to another, in their order; `None` if the history does not reach back to it, or
    /// does not lead there.
    fn differences(&self, name: &Name, from: Serial, to: Serial) -> Option<Vec<Arc<Difference>>>;
}
