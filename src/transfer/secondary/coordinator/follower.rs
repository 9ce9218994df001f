//! What the publisher serves of the zones that come from primaries: followed from change to change.

use std::sync::Arc;

use crate::handoff::Reader;
use crate::publish::{Report, ZoneState};
use crate::wire::Name;

/// Follows the report of the publisher.
#[derive(Debug)]
pub(in crate::transfer::secondary) struct Follower {
    report: Reader<Report>,
    seen: Option<u64>,
}

/// A report, and which zones of it are new; `None`: it is not known which, so all of them may be.
pub(in crate::transfer::secondary) type News = (Arc<Report>, Option<Vec<Name>>);

impl Follower {
    pub(in crate::transfer::secondary) fn new(report: Reader<Report>) -> Self {
        Self { report, seen: None }
    }

    /// What is new since the last call.
    pub(in crate::transfer::secondary) fn news(&mut self) -> News {
        let report = self.report.load();
        let changed = self.seen.and_then(|seen| report.changed_since(seen));
        let changed = changed.map(|names| names.cloned().collect());
        self.seen = Some(report.changes());
        (report, changed)
    }

    /// The report as it is.
    pub(in crate::transfer::secondary) fn report(&self) -> Arc<Report> {
        self.report.load()
    }

    /// Returns when there is another report. Cancel-safe.
    pub(in crate::transfer::secondary) async fn changed(&mut self) {
        self.report.changed().await;
    }
}

/// Whether it is decided what is served of a zone: its state directory was looked into.
pub(in crate::transfer::secondary) fn is_decided(report: &Report, zone: &Name) -> bool {
    report.zones.get(zone).is_some_and(|zone| zone.state != ZoneState::Waiting)
}
