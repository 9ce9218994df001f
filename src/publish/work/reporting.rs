//! What was reported last, and what is to be reported.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::handoff::Latest;
use crate::publish::fault::{SourceFault, SourceWarning};
use crate::publish::report::Report;
use crate::wire::Name;

/// Making reports takes at most one part in so many of the time.
const REPORT_SHARE: u32 = 20;

/// What is reported, and what is to be.
#[derive(Debug)]
pub(in crate::publish) struct Reporting {
    pub(in crate::publish) latest: Arc<Latest<Report>>,
    /// Zones of which something new is to be said.
    pub(in crate::publish) news: BTreeSet<Name>,
    /// Whether that is so of all zones: the first load is over.
    pub(in crate::publish) all_are_news: bool,
    /// Zones that were kept since it was last said.
    pub(in crate::publish) kept: BTreeSet<Name>,
    /// Faults that stay until the process ends.
    pub(in crate::publish) alarms: Vec<SourceFault>,
    pub(in crate::publish) settled: bool,
    pub(in crate::publish) reloads: u64,
    pub(in crate::publish) rescans: u64,
    /// When a report was last made, and how long that took.
    pub(in crate::publish) reported: Instant,
    pub(in crate::publish) took: Duration,
    /// The faults and warnings of sources that were logged.
    pub(in crate::publish) logged: (BTreeSet<String>, BTreeSet<SourceWarning>),
}

impl Reporting {
    /// Nothing is known yet.
    pub(in crate::publish) fn new(now: Instant) -> Self {
        Self {
            latest: Arc::new(Latest::new(Report::default())),
            news: BTreeSet::new(),
            all_are_news: false,
            kept: BTreeSet::new(),
            alarms: Vec::new(),
            settled: false,
            reloads: 0,
            rescans: 0,
            reported: now,
            took: Duration::ZERO,
            logged: Default::default(),
        }
    }

    /// Something new is to be said of a zone; during the first load that is so of all.
    pub(in crate::publish) fn note(&mut self, zone: &Name) {
        if self.settled {
            self.news.insert(zone.clone());
        }
    }

    /// When the news of single zones is due. During the first load only its progress is told.
    pub(in crate::publish) fn due(&self) -> Option<Instant> {
        (self.settled && !self.news.is_empty()).then(|| self.reported + self.took * REPORT_SHARE)
    }
}
