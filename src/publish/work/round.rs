//! A look at all zones, as far as it is.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::publish::source::SourceKey;
use crate::publish::work::order::Then;
use crate::wire::Name;

/// A look at all zones.
#[derive(Debug)]
pub(in crate::publish) struct Round {
    pub(in crate::publish) start: Instant,
    pub(in crate::publish) said: Instant,
    /// The sources that are still to be looked at.
    pub(in crate::publish) sources: BTreeSet<SourceKey>,
    /// How many zones are still to be checked, and how many there are.
    pub(in crate::publish) left: usize,
    pub(in crate::publish) of: usize,
    /// Whether the zones without a file are on their way.
    pub(in crate::publish) has_checked_missing: bool,
    /// The zones that may be read, where only an order deploys; `None` for all.
    pub(in crate::publish) only: Option<BTreeSet<Name>>,
    pub(in crate::publish) then: Vec<Then>,
}

/// A look that was asked for.
#[derive(Debug, Default)]
pub(in crate::publish) struct Asked {
    pub(in crate::publish) only: Option<BTreeSet<Name>>,
    pub(in crate::publish) then: Vec<Then>,
}
