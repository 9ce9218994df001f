//! The serials that zones had before, in memory: what is served counts at once, whatever becomes of it on the disk.
//!
//! The publisher and the state writer say what they know, the history asks. Of a zone of which something is kept everything is here that the
//! database has of it; most zones have nothing. More here than in the database costs a whole transfer, less would cost a secondary a
//! mixture of two versions.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use crate::publish::state::tables::serial_runs::SerialRuns;
use crate::telemetry::locked;
use crate::wire::{Name, Serial};

/// Of all zones. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(in crate::publish) struct ZoneSerials(Arc<Mutex<KnownSerials>>);

#[derive(Debug, Default)]
struct KnownSerials {
    /// Of the zones of which a run of serials has ended.
    zones: HashMap<Name, Arc<SerialRuns>>,
    /// Zones that are to be forgotten: the history may still be that of the former one.
    forgetting: HashSet<Name>,
    /// Whether what the database has could not be read.
    is_unread: bool,
}

impl ZoneSerials {
    /// Whether another version of a zone may have had this serial.
    pub(in crate::publish) fn may_have_another(&self, zone: &Name, serial: Serial) -> bool {
        let known = locked(&self.0);
        known.is_unread
            || known.forgetting.contains(zone)
            || known.zones.get(zone).is_some_and(|runs| runs.has(serial))
    }

    /// What is known of a zone; `None`: no run has ended.
    pub(in crate::publish) fn of(&self, zone: &Name) -> Option<Arc<SerialRuns>> {
        locked(&self.0).zones.get(zone).cloned()
    }

    /// A version is to replace one with other content that has the serial `before` and was accepted so many seconds ago, or is the
    /// first one; whether a run of serials ends with that.
    pub(in crate::publish) fn publish(
        &self,
        zone: &Name,
        before: Option<(Serial, u64)>,
        next: Serial,
    ) -> bool {
        let mut known = locked(&self.0);
        let mut runs = known.zones.get(zone).map(|runs| SerialRuns::clone(runs)).unwrap_or_default();
        let has_ended = match before {
            Some((before, seconds)) => runs.publish(before, next, seconds),
            None => {
                runs.begin(next);
                false
            }
        };
        if has_ended || (before.is_none() && !runs.is_empty()) {
            known.zones.insert(zone.clone(), Arc::new(runs));
        }
        has_ended
    }

    /// Learns what the database has of a zone; what is known already is newer.
    pub(in crate::publish) fn learn(&self, zone: &Name, kept: SerialRuns) {
        let mut known = locked(&self.0);
        let mut all = kept;
        if let Some(runs) = known.zones.get(zone) {
            all.merge(runs);
        }
        known.zones.insert(zone.clone(), Arc::new(all));
    }

    /// What the database has is known, or cannot be: then each serial may have another version.
    pub(in crate::publish) fn set_read(&self, is_read: bool) {
        locked(&self.0).is_unread = !is_read;
    }

    /// What is kept of a zone is to be forgotten: until it is, no differences that are kept lead to a version of the next zone of its name.
    pub(in crate::publish) fn begin_to_forget(&self, zone: &Name) {
        locked(&self.0).forgetting.insert(zone.clone());
    }

    /// It is forgotten. The database has what the next zone of the name has to know, and tells it with its first version.
    pub(in crate::publish) fn forgot<'z>(&self, zones: impl IntoIterator<Item = &'z Name>) {
        let mut known = locked(&self.0);
        for zone in zones {
            known.forgetting.remove(zone);
            known.zones.remove(zone);
        }
    }
}
