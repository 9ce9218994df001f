//! Rescans of all zones: the one that goes on, and what was asked for.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::publish::fault::SourceFault;
use crate::publish::source::SourceKey;
use crate::publish::work::orders::order::Then;
use crate::wire::Name;

/// A rescan of all zones.
#[derive(Debug)]
pub(in crate::publish) struct Round {
    pub(in crate::publish) start: Instant,
    pub(in crate::publish) said: Instant,
    /// The sources that are still to be looked at.
    pub(in crate::publish) sources: BTreeSet<SourceKey>,
    /// The number of the last job before it: what that or an earlier one found is not of this rescan.
    pub(in crate::publish) begun_after: u64,
    /// How many zones are still to be checked, and how many there are.
    pub(in crate::publish) left: usize,
    pub(in crate::publish) of: usize,
    /// Whether the zones without a file are on their way.
    pub(in crate::publish) has_checked_missing: bool,
    /// The zones that may be read, where only an order deploys; `None` for all.
    pub(in crate::publish) only: Option<BTreeSet<Name>>,
    pub(in crate::publish) then: Vec<Then>,
}

/// A rescan that was asked for.
#[derive(Debug, Default)]
pub(in crate::publish) struct Asked {
    pub(in crate::publish) only: Option<BTreeSet<Name>>,
    pub(in crate::publish) then: Vec<Then>,
}

/// The rescans of all zones.
#[derive(Debug)]
pub(in crate::publish) struct Looks {
    /// The one that goes on.
    pub(in crate::publish) round: Option<Round>,
    /// What was asked for meanwhile.
    pub(in crate::publish) asked: Option<Asked>,
    /// The end of the last one.
    pub(in crate::publish) ended_at: Instant,
    /// The panic since the last one that came to its end, and when the next one begins because of it.
    pub(in crate::publish) panicked: Option<SourceFault>,
    pub(in crate::publish) retry_at: Option<Instant>,
}

impl Looks {
    /// There was none yet.
    pub(in crate::publish) fn new(now: Instant) -> Self {
        Self { round: None, asked: None, ended_at: now, panicked: None, retry_at: None }
    }
}
