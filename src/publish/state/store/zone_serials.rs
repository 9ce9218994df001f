//! The serials that zones had before, in memory: what is served counts at once, whatever becomes of it on the disk.
//!
//! The publisher and the state writer say what they know, the history asks. Of a zone of which something is kept everything is here that the
//! database has of it; most zones have nothing. More here than in the database costs a whole transfer, less would cost a secondary a
//! mixture of two versions.
//!
//! One rule: what is kept of a zone ends with a serial. Whatever takes its place without leading on from it by its link ends a run
//! with that serial. So where a process begins to serve a zone with a version that it did not find in the database, no differences are given until
//! that, or one after it, is kept: the transaction finds what was there before, and ends the run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::publish::state::tables::serial_runs::SerialRuns;
use crate::publish::state::version::tail::Tail;
use crate::telemetry::locked;
use crate::wire::{Name, Serial};

/// Of all zones. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(in crate::publish) struct ZoneSerials(Arc<Mutex<KnownSerials>>);

#[derive(Debug, Default)]
struct KnownSerials {
    /// Of the zones of which a run of serials has ended.
    zones: HashMap<Name, Arc<SerialRuns>>,
    /// Zones of which this process has not kept a version since it began to serve them with this serial, which it had not from the
    /// database: the history may be that of others.
    begun: HashMap<Name, Serial>,
    /// Zones that are to be forgotten: the history may still be that of the former one. With the last serial that was served of it.
    forgetting: HashMap<Name, Option<Serial>>,
    /// Whether what the database has could not be read.
    is_unread: bool,
}

impl KnownSerials {
    fn runs(&self, zone: &Name) -> SerialRuns {
        self.zones.get(zone).map(|runs| SerialRuns::clone(runs)).unwrap_or_default()
    }

    fn learn(&mut self, zone: &Name, runs: SerialRuns) {
        self.zones.insert(zone.clone(), Arc::new(runs));
    }
}

impl ZoneSerials {
    /// Whether another version of a zone may have had this serial.
    pub(in crate::publish) fn may_have_another(&self, zone: &Name, serial: Serial) -> bool {
        let known = locked(&self.0);
        known.is_unread
            || known.begun.contains_key(zone)
            || known.forgetting.contains_key(zone)
            || known.zones.get(zone).is_some_and(|runs| runs.has(serial))
    }

    /// What is known of a zone; `None`: no run has ended.
    pub(in crate::publish) fn of(&self, zone: &Name) -> Option<Arc<SerialRuns>> {
        locked(&self.0).zones.get(zone).cloned()
    }

    /// The zones of which something is known.
    pub(in crate::publish) fn known(&self) -> Vec<(Name, Arc<SerialRuns>)> {
        locked(&self.0).zones.iter().map(|(zone, runs)| (zone.clone(), runs.clone())).collect()
    }

    /// Whether a run that began before this serial is known to have, or to begin with, it.
    pub(in crate::publish) fn knows(&self, zone: &Name, serial: Serial) -> bool {
        locked(&self.0).zones.get(zone).is_some_and(|runs| runs.knows(serial))
    }

    /// A process begins to serve a zone with a version that it has not from the database.
    pub(in crate::publish) fn begin(&self, zone: &Name, serial: Serial) {
        let mut known = locked(&self.0);
        known.begun.insert(zone.clone(), serial);
        if let Some(runs) = known.zones.get_mut(zone) {
            Arc::make_mut(runs).go_on_or_begin(serial);
        }
    }

    /// With which serial that was, if no version has been kept since.
    pub(in crate::publish) fn begun(&self, zone: &Name) -> Option<Serial> {
        locked(&self.0).begun.get(zone).copied()
    }

    /// Versions of these zones are kept: the history leads to them.
    pub(in crate::publish) fn kept<'z>(&self, zones: impl IntoIterator<Item = &'z Name>) {
        let mut known = locked(&self.0);
        for zone in zones {
            known.begun.remove(zone);
        }
    }

    /// A zone was served with one version, and the same is kept with this serial.
    pub(in crate::publish) fn is_kept_as(&self, zone: &Name, serial: Serial) {
        let mut known = locked(&self.0);
        if known.begun.get(zone) == Some(&serial) {
            known.begun.remove(zone);
        }
    }

    /// A zone was served up to this serial, and what is kept of it takes the place of that: its run goes on.
    pub(in crate::publish) fn return_to_kept(&self, zone: &Name, served: Serial, tail: Option<&Tail>) {
        let mut known = locked(&self.0);
        let Some(began) = known.begun.remove(zone) else { return };
        let mut runs = known.runs(zone);
        if let Some(first) = tail.and_then(Tail::first_serial) {
            runs.begin_first(first);
        }
        runs.add_beside(began, served);
        known.learn(zone, runs);
    }

    /// A version is to replace one with other content that has the serial `before` and was accepted so many seconds ago; whether a run of
    /// serials ends with that. `first` reads the serial of the first version that is kept, if it is.
    pub(in crate::publish) fn publish(
        &self,
        zone: &Name,
        (before, seconds): (Serial, u64),
        next: Serial,
        first: impl FnOnce() -> Option<Serial>,
    ) -> bool {
        let known = locked(&self.0);
        let mut runs = known.runs(zone);
        let begun = known.begun.get(zone).copied();
        drop(known);
        if runs.clone().publish(before, next, seconds)
            && runs.is_empty()
            && let Some(first) = begun.or_else(first)
        {
            runs.begin_first(first);
        }
        let has_ended = runs.publish(before, next, seconds);
        if has_ended {
            self.learn_newer(zone, &runs);
        }
        has_ended
    }

    /// What is kept of a zone and ends with this tail is taken out, as far as the version with the serial `left` or altogether: it is damaged.
    pub(in crate::publish) fn leave(&self, zone: &Name, tail: &Tail, left: Option<Serial>) {
        let mut runs = locked(&self.0).runs(zone);
        if let Some(first) = tail.first_serial() {
            runs.begin_first(first);
        }
        runs.end_all([tail.serial]);
        if let Some(left) = left {
            runs.begin(left);
        }
        self.learn_newer(zone, &runs);
    }

    fn learn_newer(&self, zone: &Name, newer: &SerialRuns) {
        let mut known = locked(&self.0);
        let mut all = known.runs(zone);
        all.merge(newer);
        known.learn(zone, all);
    }

    /// Learns what the database has of a zone; what is known already is newer.
    pub(in crate::publish) fn learn(&self, zone: &Name, kept: SerialRuns) {
        let mut known = locked(&self.0);
        let mut all = kept;
        all.merge(&known.runs(zone));
        known.learn(zone, all);
    }

    /// What the database has is known, or cannot be: then each serial may have another version.
    pub(in crate::publish) fn set_read(&self, is_read: bool) {
        locked(&self.0).is_unread = !is_read;
    }

    /// Whether what the database has could not be read.
    pub(in crate::publish) fn is_unread(&self) -> bool {
        locked(&self.0).is_unread
    }

    /// What is kept of a zone is to be forgotten, and what was served of it last had this serial: until it is, no differences that are kept lead to a
    /// version of the next zone of its name.
    pub(in crate::publish) fn begin_to_forget(&self, zone: &Name, served: Option<Serial>) {
        let mut known = locked(&self.0);
        if let Some(first) = known.begun.remove(zone) {
            // Nothing is kept of what was served.
            let mut runs = known.runs(zone);
            runs.add_beside(first, served.unwrap_or(first));
            known.learn(zone, runs);
            known.forgetting.entry(zone.clone()).or_default();
        } else {
            let last = known.forgetting.entry(zone.clone()).or_default();
            *last = served.or(*last);
        }
    }

    /// The last serial that was served of a zone that is to be forgotten.
    pub(in crate::publish) fn last_served(&self, zone: &Name) -> Option<Serial> {
        locked(&self.0).forgetting.get(zone).copied().flatten()
    }

    /// It is forgotten. The database has what the next zone of the name has to know, and tells it with its first version.
    pub(in crate::publish) fn forgot<'z>(&self, zones: impl IntoIterator<Item = &'z Name>) {
        let mut known = locked(&self.0);
        for zone in zones {
            known.forgetting.remove(zone);
            known.zones.remove(zone);
        }
    }

    /// It cannot be forgotten: what is kept of it ends with this tail, and its run of serials with that.
    pub(in crate::publish) fn not_forgotten(&self, zone: &Name, tail: Option<&Tail>) {
        let mut known = locked(&self.0);
        let served = known.forgetting.remove(zone).flatten();
        let mut runs = known.runs(zone);
        if let Some(first) = tail.and_then(Tail::first_serial) {
            runs.begin_first(first);
        }
        runs.end_all(tail.map(|tail| tail.serial).into_iter().chain(served));
        if let Some(begun) = known.begun.get(zone) {
            runs.begin(*begun);
        }
        known.learn(zone, runs);
    }
}

#[cfg(test)]
#[path = "../../../../tests/unit/publish/state/zone_serials.rs"]
mod tests;
