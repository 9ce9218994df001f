//! The zones that left the configuration, as the publisher keeps them. Pure.

use std::collections::BTreeMap;

use crate::wire::Name;

/// The zones, as the publisher knows them.
#[derive(Debug, Default)]
pub(in crate::publish) struct RemovedZones {
    /// Until when the data of each is kept, in seconds since 1970.
    pub(in crate::publish) until: BTreeMap<Name, u64>,
    /// What the state directory has not been told.
    pub(in crate::publish) changed: BTreeMap<Name, Option<u64>>,
}

impl RemovedZones {
    /// Whether data of this zone waits.
    pub(in crate::publish) fn has(&self, zone: &Name) -> bool {
        self.until.contains_key(zone)
    }

    /// The zone is there again; whether its data waited.
    pub(in crate::publish) fn take(&mut self, zone: &Name) -> bool {
        let waited = self.until.remove(zone).is_some();
        if waited {
            self.changed.insert(zone.clone(), None);
        }
        waited
    }

    /// A zone is gone; its data is kept until then.
    pub(in crate::publish) fn add(&mut self, zone: Name, until: u64) {
        self.changed.insert(zone.clone(), Some(until));
        self.until.insert(zone, until);
    }
}
