//! Which of the zones that the config requires are not in service, followed as zones change. Pure.
//!
//! Reports flow in, the missing zones flow out. A change of one zone costs one lookup. Never walks the zones of a report.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::publish::Report;
use crate::wire::Name;

/// The zones that the config requires, in canonical order.
pub(super) type RequiredZones = Arc<BTreeSet<Name>>;

/// The required zones that are not in service.
#[derive(Debug, Default)]
pub(super) struct MissingZones {
    required: RequiredZones,
    /// How many changes of zones there were in the report that was taken last; `None` before the first.
    seen: Option<u64>,
    missing: BTreeSet<Name>,
    /// Names that were looked up so far.
    #[cfg(test)]
    lookups: u64,
}

impl MissingZones {
    /// Takes a report: looks up the required zones that changed, or all of them if others are required or those that changed are not
    /// known.
    pub(super) fn follow(&mut self, report: &Report, required: &RequiredZones) -> &BTreeSet<Name> {
        let is_same = Arc::ptr_eq(&self.required, required);
        let seen = self.seen.filter(|_| is_same);
        match seen.and_then(|seen| report.changed_since(seen)) {
            Some(changed) => changed.for_each(|name| self.look_up(report, name)),
            None => {
                self.required = required.clone();
                self.missing.clear();
                required.iter().for_each(|name| self.look_up(report, name));
            }
        }
        self.seen = Some(report.changes());
        &self.missing
    }

    fn look_up(&mut self, report: &Report, name: &Name) {
        #[cfg(test)]
        {
            self.lookups += 1;
        }
        if !self.required.contains(name) {
            return;
        }
        match report.serves(name) {
            true => drop(self.missing.remove(name)),
            false => drop(self.missing.insert(name.clone())),
        }
    }
}

#[cfg(test)]
#[path = "../../tests/unit/daemon/required.rs"]
mod tests;
