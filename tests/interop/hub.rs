//! A stand-in for the publisher: zones and their history in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyns::publish::Difference;
use anyns::transfer::primary::Source;
use anyns::transfer::secondary::{Origin, Sink, SinkError};
use anyns::wire::{Name, Serial};
use anyns::zone::{Owners, RecordBatch, Zone};

use super::expire::TOLD;

/// How a version came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Whole,
    Differences,
}

/// See the module.
#[derive(Default)]
pub struct Hub {
    zones: Mutex<HashMap<Name, Arc<Zone>>>,
    history: Mutex<HashMap<Name, Arc<Difference>>>,
    came: Mutex<HashMap<(Name, Serial), By>>,
}

impl Hub {
    /// Serves a version; the difference to the one before becomes the history.
    pub fn put(&self, zone: Zone) {
        let name = zone.origin().clone();
        if let Some(before) = self.zone(&name) {
            let mut owners = Owners::default();
            let all = |zone: &Zone| {
                let mut batch = RecordBatch::new(zone.origin());
                zone.for_each_record(|owner, kind, ttl, rdata| {
                    batch.push(owner, kind, ttl, rdata, Default::default());
                });
                batch
            };
            [all(&before), all(&zone)].iter().for_each(|batch| owners.add(batch));
            let (deleted, added) = zone.difference_from(&before, &owners);
            let difference = Difference { from: before.serial(), to: zone.serial(), deleted, added };
            self.history.lock().unwrap().insert(name.clone(), Arc::new(difference));
        }
        self.zones.lock().unwrap().insert(name, Arc::new(zone));
    }

    /// How a version came, if it has.
    pub fn came(&self, zone: &Name, serial: Serial) -> Option<By> {
        self.came.lock().unwrap().get(&(zone.clone(), serial)).copied()
    }

    fn take(&self, zone: Zone, by: By) {
        let version = (zone.origin().clone(), zone.serial());
        self.zones.lock().unwrap().insert(zone.origin().clone(), Arc::new(zone));
        // Who sees that it came finds it.
        self.came.lock().unwrap().insert(version, by);
    }
}

impl Source for Hub {
    fn zone(&self, name: &Name) -> Option<Arc<Zone>> {
        self.zones.lock().unwrap().get(name).cloned()
    }

    fn time_left(&self, _: &Zone) -> Option<Duration> {
        Some(TOLD)
    }

    fn differences(&self, name: &Name, from: Serial, to: Serial) -> Option<Vec<Arc<Difference>>> {
        let history = self.history.lock().unwrap();
        let difference = history.get(name).filter(|it| it.from == from && it.to == to)?;
        Some(vec![difference.clone()])
    }
}

impl Sink for Hub {
    fn expiry(&self, _: Vec<(Name, anyns::zone::Expiry)>) -> Result<(), SinkError> {
        Ok(())
    }

    fn keep(&self, _: Vec<(Name, Option<anyns::publish::ZoneTimers>)>) -> Result<(), SinkError> {
        Ok(())
    }

    fn served(&self, zone: &Name) -> Option<Arc<Zone>> {
        self.zone(zone)
    }

    fn whole(&self, zone: Zone, _: Origin) -> Result<(), SinkError> {
        self.take(zone, By::Whole);
        Ok(())
    }

    fn differences(&self, name: &Name, differences: Vec<Difference>, _: Origin) -> Result<(), SinkError> {
        let not_fitting = |text: String| SinkError::NotFitting(text.into());
        let mut zone = self.zone(name).ok_or_else(|| not_fitting("nothing is served".into()))?;
        for difference in differences {
            let next = zone.with_changes(difference.deleted, difference.added);
            zone = Arc::new(next.map_err(|faults| not_fitting(faults[0].to_string()))?);
        }
        self.take(Arc::unwrap_or_clone(zone), By::Differences);
        Ok(())
    }
}
