//! What the publisher tells of its zones and sources.
//!
//! Names of changed zones and faults flow in, [`Report`]s flow out: of one changed zone at the cost of one zone, in groups while
//! many change. Never waits for a reader.

use std::sync::Arc;
use std::time::Instant;

use crate::handoff::Latest;
use crate::publish::fault::{SourceFault, one_line};
use crate::publish::report::{Report, WatchState};
use crate::publish::source::scan::zones_without_file;
use crate::publish::state::directory::StateDirectory;
use crate::publish::work::core::Core;
use crate::publish::work::zone::entry::Entry;
use crate::wire::Name;

impl Core {
    /// Where the reports go.
    pub(in crate::publish) fn reporter(&self) -> Arc<Latest<Report>> {
        self.reporting.latest.clone()
    }

    /// Says what is new of single zones. During the first load only how far it is.
    pub(in crate::publish) fn report_changed_if_due(&mut self) {
        if self.reporting.due().is_some_and(|due| due <= Instant::now()) {
            self.report_changed();
        }
    }

    /// Says what is new of single zones, at once.
    pub(in crate::publish) fn report_changed(&mut self) {
        let start = Instant::now();
        let mut news = Vec::new();
        let configured = &self.configured;
        if std::mem::take(&mut self.reporting.all_are_news) {
            let is_checked = self.zones.iter_mut().filter(|(_, entry)| entry.is_checked);
            let report = |(name, entry): (&Name, &mut Entry)| {
                (name.clone(), Some(Arc::new(entry.report(configured.origin_of(name, entry)))))
            };
            news.extend(is_checked.map(report));
            // Of a zone that is held there is more to say.
            match self.keeping.holds.all() {
                None => self.reporting.news.extend(self.keeping.holds.named().cloned()),
                Some(_) => self.reporting.news.extend(self.zones.keys().cloned()),
            }
        }
        for name in std::mem::take(&mut self.reporting.news) {
            let held = self.keeping.held(&name);
            let report = self.zones.get_mut(&name).map(|entry| {
                let mut report = entry.report(configured.origin_of(&name, entry));
                report.faults.extend(held);
                Arc::new(report)
            });
            news.push((name, report));
        }
        let keeps = !matches!(*self.keeping.state, StateDirectory::None);
        self.reporting.latest.update(|report| {
            report.keeps = keeps;
            for (name, zone) in &news {
                match zone {
                    Some(zone) => report.put(name.clone(), zone.clone()),
                    None => report.take_out(name),
                }
            }
        });
        self.reporting.reported = Instant::now();
        self.reporting.took = self.reporting.reported - start;
    }

    /// Says what is new, and what is wrong beside any one zone.
    pub(in crate::publish) fn report_all(&mut self) {
        let faults = self.source_faults();
        let watch = self.watching.watch.degraded().map(|reason| WatchState::Degraded { reason });
        let watch = watch.unwrap_or_default();
        let other = [self.looks.panicked.clone(), self.keeping.fault(), self.keeping.hold_fault()];
        let faults: Vec<SourceFault> =
            other.into_iter().flatten().chain(self.reporting.alarms.iter().cloned()).chain(faults).collect();
        self.report_changed();
        let is_state_unread = self.keeping.is_unread();
        let (settled, reloads, rescans) =
            (self.reporting.settled, self.reporting.reloads, self.reporting.rescans);
        self.reporting.latest.update(|report| {
            (report.settled, report.reloads, report.rescans) = (settled, reloads, rescans);
            (report.progress, report.faults, report.watch) = (None, faults.clone(), watch.clone());
            report.is_state_unread = is_state_unread;
        });
    }

    /// What is wrong with the sources; what is new of it is logged.
    fn source_faults(&mut self) -> Vec<SourceFault> {
        let (mut faults, warnings) = self.sources.faults(|path| self.has_zone_in(path));
        // Of a member only the rules are in the configuration.
        let is_found = |zone: &Name| {
            let has_file = self.zones.get(zone).is_some_and(|entry| entry.found.is_some());
            has_file || self.keeping.members.lists(zone)
        };
        faults.extend(zones_without_file(&self.configured.settings, is_found));
        faults.truncate(SourceFault::MAX_REPORTED);
        self.reporting.log_new(&faults, warnings);
        faults
    }

    /// Says that a job panicked; a look at this moment finds out whether all is well again.
    pub(in crate::publish) fn panicked(&mut self, reason: &str, retry_at: Instant) {
        self.looks.retry_at = Some(retry_at);
        let fault = SourceFault::Panicked { reason: one_line(reason) };
        self.reporting.tell_panic(&fault);
        self.looks.panicked = Some(fault);
    }
}
