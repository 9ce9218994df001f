//! What to do with signatures, by zone.

use std::collections::BTreeMap;

use crate::wire::Name;

use crate::publish::settings::{Dnssec, Settings};

/// What to do with signatures, by zone.
#[derive(Debug, Default)]
pub(in crate::publish) struct Modes {
    by_zone: BTreeMap<Name, Dnssec>,
    other: Dnssec,
}

impl Modes {
    pub(in crate::publish) fn new(settings: &Settings) -> Self {
        let own =
            settings.zones.iter().filter_map(|zone| zone.dnssec.map(|dnssec| (zone.name.clone(), dnssec)));
        Self { by_zone: own.collect(), other: settings.dnssec }
    }

    pub(in crate::publish) fn of(&self, zone: &Name) -> Dnssec {
        self.by_zone.get(zone).copied().unwrap_or(self.other)
    }
}
