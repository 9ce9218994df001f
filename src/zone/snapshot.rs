//! The set of zones that is served, and the one place where it is replaced.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::wire::{LookupName, Name};

use super::Zone;

/// All zones served at one moment; immutable.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// By the apex's wire form in lower case.
    zones: HashMap<Box<[u8]>, Arc<Zone>>,
    /// Bit n: some apex has n labels. A name is hashed only at depths where a zone can be.
    depths: u128,
    complete: bool,
}

impl Snapshot {
    /// This snapshot with `added` put in (replacing zones of the same origin) and `removed` left out; the zones that
    /// do not change are shared.
    pub fn with_changes(&self, added: impl IntoIterator<Item = Arc<Zone>>, removed: &[Name]) -> Self {
        let mut zones = self.zones.clone();
        for origin in removed {
            zones.remove(&key(origin));
        }
        zones.extend(added.into_iter().map(|zone| (key(zone.origin()), zone)));
        let depths = zones.values().fold(0, |depths, zone| depths | depth(zone.origin().label_count()));
        Self { zones, depths, complete: self.complete }
    }

    /// This snapshot, said to hold every zone of the first load. Until then a name outside the loaded zones is
    /// answered SERVFAIL (RFC 8914 "Not Ready"), not REFUSED, for its zone may be on its way.
    pub fn completed(mut self) -> Self {
        self.complete = true;
        self
    }

    /// Whether the first load is over.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The zone with this apex.
    pub fn zone(&self, origin: &Name) -> Option<&Arc<Zone>> {
        self.zones.get(&key(origin))
    }

    /// The zone with the longest apex that is at or above `name` once its leftmost `removed` labels are taken:
    /// 0 for the zone that holds a name, 1 for the parent's side of a cut.
    pub fn closest_zone(&self, name: &LookupName, removed: usize) -> Option<&Zone> {
        let labels = name.label_count();
        (removed..=labels)
            .filter(|removed| self.depths & depth(labels - removed) != 0)
            .find_map(|removed| self.zones.get(name.ancestor(removed)))
            .map(Arc::as_ref)
    }

    /// Every zone, in no particular order.
    pub fn zones(&self) -> impl ExactSizeIterator<Item = &Arc<Zone>> {
        self.zones.values()
    }
}

fn key(origin: &Name) -> Box<[u8]> {
    origin.as_wire().to_ascii_lowercase().into()
}

/// The bit of this many labels; a name has at most 127.
fn depth(labels: usize) -> u128 {
    1_u128.checked_shl(labels as u32).unwrap_or(0)
}

/// The snapshot that is served now: the control plane stores, the workers load.
#[derive(Debug, Default)]
pub struct Published {
    current: ArcSwap<Snapshot>,
}

impl Published {
    /// Replaces the served snapshot; a query that is being answered ends on the old one.
    pub fn store(&self, snapshot: Snapshot) {
        self.current.store(Arc::new(snapshot));
    }

    /// The served snapshot, for the control plane.
    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// What a worker keeps beside it: checks for a new snapshot with one load of an atomic.
    pub fn reader(self: &Arc<Self>) -> arc_swap::Cache<PublishedRef, Arc<Snapshot>> {
        arc_swap::Cache::new(PublishedRef(self.clone()))
    }
}

/// Lets a reader's cache keep [`Published`] alive.
#[derive(Clone, Debug)]
pub struct PublishedRef(Arc<Published>);

impl std::ops::Deref for PublishedRef {
    type Target = ArcSwap<Snapshot>;

    fn deref(&self) -> &ArcSwap<Snapshot> {
        &self.0.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{RecordType, Serial};
    use crate::zone::{Place, Record, ZoneBuilder};

    fn zone(origin: &str, serial: u8) -> Arc<Zone> {
        let origin: Name = origin.parse().unwrap();
        let mut builder = ZoneBuilder::new(origin.clone());
        let mut soa = [0; 22];
        soa[5] = serial;
        for (record_type, rdata) in [(RecordType::SOA, &soa[..]), (RecordType::NS, b"\0")] {
            let record = Record { owner: origin.clone(), record_type, ttl: 60, rdata: rdata.into() };
            builder.push(record, Place::default());
        }
        Arc::new(builder.finish().unwrap())
    }

    fn closest(snapshot: &Snapshot, name: &str, removed: usize) -> Option<String> {
        let name = LookupName::from(&name.parse::<Name>().unwrap());
        snapshot.closest_zone(&name, removed).map(|zone| zone.origin().to_string())
    }

    #[test]
    fn the_longest_apex_wins() {
        let zones = [zone("example.", 1), zone("A.b.example.", 1), zone("test.", 1)];
        let snapshot = Snapshot::default().with_changes(zones, &[]);
        assert_eq!(closest(&snapshot, "x.a.B.example.", 0).as_deref(), Some("A.b.example."));
        assert_eq!(closest(&snapshot, "a.b.example.", 0).as_deref(), Some("A.b.example."));
        assert_eq!(closest(&snapshot, "a.b.example.", 1).as_deref(), Some("example."));
        assert_eq!(closest(&snapshot, "b.example.", 0).as_deref(), Some("example."));
        assert_eq!(closest(&snapshot, "example.", 1), None);
        assert_eq!(closest(&snapshot, ".", 0), None);
        let deepest = format!("{}example.", "a.".repeat(123));
        assert_eq!(closest(&snapshot, &deepest, 0).as_deref(), Some("example."));
        let with_root = snapshot.with_changes([zone(".", 1)], &[]);
        assert_eq!(closest(&with_root, "org.", 0).as_deref(), Some("."));
    }

    #[test]
    fn changes_replace_add_and_remove_and_share_the_rest() {
        let first =
            Snapshot::default().with_changes([zone("a.", 1), zone("b.", 1), zone("c.", 1)], &[]).completed();
        let second = first.with_changes([zone("B.", 2), zone("d.", 1)], &["C.".parse().unwrap()]);
        let serial =
            |snapshot: &Snapshot, name: &str| snapshot.zone(&name.parse().unwrap()).map(|zone| zone.serial());
        assert_eq!(serial(&first, "b."), Some(Serial(1)));
        assert_eq!(serial(&second, "b."), Some(Serial(2)));
        assert_eq!(serial(&second, "c."), None);
        assert_eq!(closest(&second, "x.c.", 0), None);
        assert_eq!(second.zones().len(), 3);
        let origin = "a.".parse().unwrap();
        assert!(Arc::ptr_eq(first.zone(&origin).unwrap(), second.zone(&origin).unwrap()));
        assert!(second.is_complete());
    }

    #[test]
    fn a_reader_sees_what_was_stored() {
        let published = Arc::new(Published::default());
        let mut reader = published.reader();
        assert_eq!(reader.load().zones().len(), 0);
        published.store(Snapshot::default().with_changes([zone("a.", 1)], &[]));
        assert_eq!(reader.load().zones().len(), 1);
        assert_eq!(published.load().zones().len(), 1);
    }
}
