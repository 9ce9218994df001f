//! What is known of catalogs, for policy and for the status.

use rpds::RedBlackTreeMapSync;

use crate::wire::{Name, Serial};

/// Everything.
#[derive(Clone, Debug, Default)]
pub(in crate::daemon) struct CatalogFacts {
    /// Whether every followed catalog and every member has come or failed since the start, or as many as the operator asks for. Once
    /// every catalog has come it stays true.
    pub(in crate::daemon) is_settled: bool,
    /// Each catalog.
    pub(in crate::daemon) catalogs: Vec<CatalogFact>,
    /// Followed catalogs that no reload takes out of the configuration, and how many zones they have: more than may go at once.
    pub(in crate::daemon) too_large_to_leave: Vec<(Name, usize)>,
    /// How often the members may have changed.
    pub(in crate::daemon) changes: u64,
    /// Which catalog each member belongs to.
    pub(in crate::daemon) owners: RedBlackTreeMapSync<Name, Name>,
}

/// One catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) struct CatalogFact {
    pub(in crate::daemon) name: Name,
    /// Whether it is made here.
    pub(in crate::daemon) is_produced: bool,
    /// Whether it is in the configuration no more, as one that is followed, and has members of before a restart; all of them wait then.
    pub(in crate::daemon) has_left: bool,
    /// The serial of the version that is in force.
    pub(in crate::daemon) serial: Option<Serial>,
    pub(in crate::daemon) members: usize,
    /// Members that neither came nor failed yet.
    pub(in crate::daemon) awaited: usize,
    pub(in crate::daemon) held: Option<HeldRemovals>,
    /// Zones that are members no more and whose data is kept.
    pub(in crate::daemon) removed: usize,
    /// Members that are not taken, because another catalog or the configuration has them; and the first of them in words.
    pub(in crate::daemon) clashes: usize,
    pub(in crate::daemon) first_clash: Option<String>,
    /// Why the newest version is not in force.
    pub(in crate::daemon) fault: Option<String>,
}

/// Removals that wait for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) struct HeldRemovals {
    /// The serial that the order names.
    pub(in crate::daemon) serial: Serial,
    pub(in crate::daemon) count: usize,
    pub(in crate::daemon) first: Name,
}
