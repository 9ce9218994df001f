//! Which zones a group covers: what becomes of one that a group begins to cover, or that none covers any more.
//!
//! A zone that no group covers goes to all secondaries. Where it was halted, nobody has ordered that: the log names it, and an alarm until a
//! group covers it again, it goes, or an operator releases it, also over restarts. Never releases a version itself.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::control::ZoneFilter;
use crate::publish::KeptRelease;
use crate::wire::Name;

use super::known::KnownRelease;
use super::task::CanaryTask;

impl CanaryTask {
    /// What is served when a group begins to cover a zone is what all have, whatever is kept of an earlier time. Not so `unknown` ones.
    pub(super) fn begin_to_cover(&mut self, unknown: &BTreeSet<Name>) {
        let report = self.report.load();
        for (name, zone) in &report.zones {
            let is_covered = self.kept.contains_key(name) || unknown.contains(name);
            let Some(serial) = zone.serial.filter(|_| !is_covered && self.covers(name)) else { continue };
            let kept = KeptRelease { accepted_at: zone.accepted_at, ..KeptRelease::running(serial) };
            self.away.take(name, Instant::now());
            self.kept.insert(name.clone(), KnownRelease { kept, number: zone.number });
            self.unkept.insert(name.clone(), Some(kept));
        }
    }

    pub(super) fn covers(&self, name: &Name) -> bool {
        let text = name.to_string();
        self.groups.iter().any(|group| group.covers(&text))
    }

    /// A zone that no group covers.
    pub(super) fn forget(&mut self, name: &Name) {
        let away = self.away.take(name, Instant::now());
        if let Some(known) = self.take_out(name).or(away) {
            self.no_group_covers(name.clone(), known.kept);
            self.tell_secondaries(name);
        }
    }

    /// What was kept of a zone that no group covers any more is of no use, but for that it was halted: a restart tells it again.
    pub(super) fn no_group_covers(&mut self, name: Name, kept: KeptRelease) {
        if !kept.is_halted && !kept.is_uncovered() {
            self.unkept.insert(name, None);
            return;
        }
        if self.uncovered.insert(name.clone()) {
            tracing::error!(zone = %name, released = %kept.serial, "the zone was halted, and no [[canary]] covers it any more: all secondaries get its newest version");
        }
        if kept.is_halted {
            self.unkept.insert(name, Some(kept.uncovered()));
        }
    }

    /// A zone that is there no more: another one of its name was never halted.
    pub(super) fn forget_uncovered(&mut self, name: &Name) {
        if self.uncovered.remove(name) {
            self.unkept.insert(name.clone(), None);
        }
    }

    /// An operator knows of those of the zones that are uncovered that these names and patterns take; which they are.
    pub(super) fn acknowledge(&mut self, zones: &[String]) -> BTreeSet<Name> {
        let filters: Vec<ZoneFilter> = zones.iter().map(|text| ZoneFilter::parse(text)).collect();
        let is_taken = |name: &Name| filters.iter().any(|filter| filter.takes(&name.to_string(), false));
        let taken: BTreeSet<Name> = self.uncovered.iter().filter(|name| is_taken(name)).cloned().collect();
        taken.iter().for_each(|name| self.forget_uncovered(name));
        taken
    }
}
