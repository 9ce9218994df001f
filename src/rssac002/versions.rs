//! The versions of the zone of the service on a day: how long each took to be served, and its size.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::handoff::Receiver;

/// The most versions of a day that are told: one for each look of ten seconds.
const MAX_VERSIONS: usize = 8640;

/// A version that came from a primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadedVersion {
    /// Its serial.
    pub serial: u32,
    /// From when the primary's NOTIFY, or its response with this serial, was there, until the version was served.
    pub took: Duration,
}

/// Who tells of the zone of the service.
pub struct ZoneFacts {
    /// The serial that is served and the octets of all its records; `None` while the zone is not served. May walk over the zone.
    pub served: Box<dyn FnMut() -> Option<(u32, u64)> + Send>,
    /// Versions that came from a primary.
    pub loaded: Receiver<LoadedVersion>,
}

/// The versions of a day, by serial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Versions {
    /// Seconds from the news of a version until it was served.
    pub(super) load_times: BTreeMap<u32, u64>,
    /// Octets of all records, uncompressed.
    pub(super) sizes: BTreeMap<u32, u64>,
}

impl Versions {
    /// Notes a version that came from a primary; the first time counts.
    pub(super) fn note_load(&mut self, version: LoadedVersion) {
        let is_known = self.load_times.contains_key(&version.serial);
        if !is_known && self.load_times.len() < MAX_VERSIONS {
            self.load_times.insert(version.serial, rounded(version.took));
        }
    }

    /// Notes a version that is served.
    pub(super) fn note_size(&mut self, serial: u32, octets: u64) {
        if self.sizes.contains_key(&serial) || self.sizes.len() < MAX_VERSIONS {
            self.sizes.insert(serial, octets);
        }
    }

    /// Adds what was noted before, by another process; of a version that both have, the other's time counts.
    pub(super) fn merge(&mut self, before: Self) {
        self.load_times.extend(before.load_times);
        for (serial, octets) in before.sizes {
            self.sizes.entry(serial).or_insert(octets);
        }
    }
}

/// In whole seconds, which is what RSSAC002 has.
fn rounded(time: Duration) -> u64 {
    time.saturating_add(Duration::from_millis(500)).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_load_of_a_version_counts_and_a_day_has_so_many_versions_at_most() {
        let mut versions = Versions::default();
        for (serial, milliseconds) in [(7, 1499), (8, 1500), (7, 9000)] {
            versions.note_load(LoadedVersion { serial, took: Duration::from_millis(milliseconds) });
        }
        assert_eq!(versions.load_times, BTreeMap::from([(7, 1), (8, 2)]));
        let before = Versions { load_times: [(8, 5)].into(), sizes: [(6, 60), (7, 70)].into() };
        versions.note_size(7, 71);
        versions.merge(before);
        assert_eq!(versions.load_times, BTreeMap::from([(7, 1), (8, 5)]));
        assert_eq!(versions.sizes, BTreeMap::from([(6, 60), (7, 71)]));
        for serial in 0..20_000 {
            versions.note_size(serial, 1);
            versions.note_load(LoadedVersion { serial, took: Duration::ZERO });
        }
        assert_eq!((versions.sizes.len(), versions.load_times.len()), (MAX_VERSIONS, MAX_VERSIONS));
    }
}
