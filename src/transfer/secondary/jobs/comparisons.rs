//! Of which zones a primary is to be compared with what is served, and when.

use std::collections::BTreeSet;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::wire::Name;

/// The zones of which a primary is to be compared.
#[derive(Debug)]
pub(in crate::transfer::secondary) struct Comparisons {
    pub(in crate::transfer::secondary) wanted: BTreeSet<(Instant, Name)>,
    pub(in crate::transfer::secondary) under_way: Option<RunningComparison>,
    /// When the next may begin.
    pub(in crate::transfer::secondary) next: Instant,
}

/// The one that goes on.
#[derive(Debug)]
pub(in crate::transfer::secondary) struct RunningComparison {
    pub(in crate::transfer::secondary) zone: Name,
    pub(in crate::transfer::secondary) stop: CancellationToken,
}

impl Comparisons {
    pub(in crate::transfer::secondary) fn new(now: Instant) -> Self {
        Self { wanted: BTreeSet::new(), under_way: None, next: now }
    }

    /// The zone is transferred now: what is compared with will be served no more.
    pub(in crate::transfer::secondary) fn stop(&self, zone: &Name) {
        if let Some(under_way) = self.under_way.as_ref().filter(|it| it.zone == *zone) {
            under_way.stop.cancel();
        }
    }
}
