//! The zones that left the configuration, as the publisher keeps them. Pure.

use std::collections::BTreeMap;

use crate::clock::{Due, Moment, Retention};
use crate::wire::Name;

/// For how many seconds the data of each is kept: a month, in which somebody misses the zone.
pub const KEPT: u64 = 30 * 86_400;

/// The zones, as the publisher knows them.
#[derive(Debug, Default)]
pub(in crate::publish) struct RemovedZones {
    /// Until when the data of each is kept, in seconds since 1970.
    pub(in crate::publish) until: BTreeMap<Name, u64>,
    /// What the state directory has not been told.
    pub(in crate::publish) changed: BTreeMap<Name, Option<u64>>,
    retention: Retention<Name>,
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

    /// A zone is gone; its data is kept from now on.
    pub(in crate::publish) fn add(&mut self, zone: Name, now: Moment) {
        let until = now.unix + KEPT;
        self.retention.begin(&zone, until, now);
        self.changed.insert(zone.clone(), Some(until));
        self.until.insert(zone, until);
    }

    /// Takes out those whose time is over.
    pub(in crate::publish) fn take_old(&mut self, now: Moment) -> Vec<Name> {
        let Self { until, changed, retention } = self;
        let mut old = Vec::new();
        for (zone, until) in until.iter_mut() {
            match retention.due(zone, *until, KEPT, now) {
                Due::No => {}
                Due::Yes => old.push(zone.clone()),
                Due::Until(later) => {
                    *until = later;
                    changed.insert(zone.clone(), Some(later));
                }
            }
        }
        for zone in &old {
            self.take(zone);
        }
        let until = &self.until;
        self.retention.retain(|zone| until.contains_key(zone));
        old
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_clock_that_jumps_deletes_nothing_and_is_kept_anew() {
        let (mut removed, at) = (RemovedZones::default(), Instant::now());
        let zone: Name = "a.example.".parse().unwrap();
        let moment = |unix, seconds| Moment { unix, at: at + Duration::from_secs(seconds) };
        // The clock is that of the build of the system; it is set a minute later.
        let (boot, real) = (1_700_000_000, 1_790_000_000);
        removed.add(zone.clone(), moment(boot, 0));
        assert_eq!(removed.take_old(moment(real, 60)), []);
        let until = real + KEPT - 60;
        assert_eq!(removed.changed.get(&zone), Some(&Some(until)));
        assert_eq!(removed.take_old(moment(until - 1, KEPT - 1)), []);
        assert_eq!(removed.take_old(moment(until, KEPT)), std::slice::from_ref(&zone));
        assert_eq!((removed.has(&zone), removed.changed.get(&zone)), (false, Some(&None)));
    }
}
