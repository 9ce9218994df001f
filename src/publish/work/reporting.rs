//! What was reported last, and what is to be reported.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::handoff::Latest;
use crate::publish::fault::{SourceFault, SourceWarning};
use crate::publish::report::{Progress, Report};
use crate::wire::Name;

/// Making reports takes at most one part in so many of the time.
const REPORT_SHARE: u32 = 20;
/// While versions are being kept, how often a report says how many are not yet.
const KEPT_SOON: Duration = Duration::from_secs(1);

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
    logged: (BTreeSet<String>, BTreeSet<SourceWarning>),
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

    /// Notes a fault that stays until the process ends, and tells it at once.
    pub(in crate::publish) fn alarm(&mut self, fault: SourceFault) {
        if self.alarms.len() < SourceFault::MAX_REPORTED {
            self.alarms.push(fault.clone());
            self.latest.update(|report| report.faults.push(fault.clone()));
        }
    }

    /// Tells how far a rescan is.
    pub(in crate::publish) fn tell_progress(&self, progress: Progress) {
        self.latest.update(|report| {
            (report.progress, report.reloads, report.rescans) = (Some(progress), self.reloads, self.rescans);
        });
    }

    /// Tells that a job panicked.
    pub(in crate::publish) fn tell_panic(&self, fault: &SourceFault) {
        self.latest.update(|report| {
            report.faults.retain(|fault| !matches!(fault, SourceFault::Panicked { .. }));
            report.faults.insert(0, fault.clone());
        });
    }

    /// Logs what is new of the faults and warnings of sources.
    pub(in crate::publish) fn log_new(&mut self, faults: &[SourceFault], warnings: Vec<SourceWarning>) {
        for fault in faults.iter().filter(|fault| !self.logged.0.contains(&fault.to_string())) {
            tracing::warn!("{fault}");
        }
        for warning in warnings.iter().filter(|warning| !self.logged.1.contains(*warning)) {
            tracing::warn!("{warning}");
        }
        self.logged = (faults.iter().map(ToString::to_string).collect(), warnings.into_iter().collect());
    }

    /// When it is said at the latest which zones were kept, if some were.
    pub(in crate::publish) fn kept_due(&self) -> Option<Instant> {
        (!self.kept.is_empty()).then(|| self.reported + KEPT_SOON)
    }

    /// When the news of single zones is due. During the first load only its progress is told.
    pub(in crate::publish) fn due(&self) -> Option<Instant> {
        (self.settled && !self.news.is_empty()).then(|| self.reported + self.took * REPORT_SHARE)
    }
}
