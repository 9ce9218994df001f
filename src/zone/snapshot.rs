//! The set of zones that is served, and the one place where it is replaced.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::wire::{LookupName, Name};

use super::Zone;

/// Why a configured zone is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// It is being loaded, or its file is being written.
    Loading,
    /// There is no version of it that could be accepted.
    NoData,
}

/// All zones served at one moment; immutable.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// By the apex's wire form in lower case.
    zones: HashMap<Box<[u8]>, Arc<Zone>>,
    /// Bit n: some apex has n labels. A name is hashed only at depths where a zone can be.
    depths: u128,
    /// Configured zones that are not served, by apex as above. A zone in `zones` counts as served all the same.
    absent: Arc<HashMap<Box<[u8]>, Absence>>,
    /// As `depths`, of the absent zones.
    absent_depths: u128,
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
        Self { zones, depths, absent: self.absent.clone(), ..*self }
    }

    /// This snapshot with `absent` as the configured zones that are not served: names in them are answered SERVFAIL
    /// with the reason, not by the zone above. `None` if that is how it is already.
    pub fn with_absent<'n>(&self, absent: impl IntoIterator<Item = (&'n Name, Absence)>) -> Option<Self> {
        let mut depths = 0;
        let absent: HashMap<_, _> = absent
            .into_iter()
            .inspect(|(origin, _)| depths |= depth(origin.label_count()))
            .map(|(origin, absence)| (key(origin), absence))
            .collect();
        (absent != *self.absent).then(|| Self {
            absent: Arc::new(absent),
            absent_depths: depths,
            ..self.clone()
        })
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
    /// 0 for the zone that holds a name, 1 for the parent's side of a cut. `None` too if the zone with the longest apex is configured
    /// but not served: the one above it cannot speak for it.
    pub fn closest_zone(&self, name: &LookupName, removed: usize) -> Option<&Zone> {
        self.closest(name, removed)?.ok()
    }

    /// Why a name is in no zone that is served, though in one that is configured.
    pub fn absence(&self, name: &LookupName) -> Option<Absence> {
        self.closest(name, 0)?.err()
    }

    /// What is known of the longest apex, served or not.
    fn closest(&self, name: &LookupName, removed: usize) -> Option<Result<&Zone, Absence>> {
        let (labels, depths) = (name.label_count(), self.depths | self.absent_depths);
        (removed..=labels).filter(|removed| depths & depth(labels - removed) != 0).find_map(|removed| {
            let apex = name.ancestor(removed);
            let served = self.zones.get(apex).map(|zone| Ok(zone.as_ref()));
            served.or_else(|| self.absent.get(apex).map(|absence| Err(*absence)))
        })
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
    fn an_absent_zone_hides_the_one_above_until_it_is_served() {
        let name = |text: &str| LookupName::from(&text.parse::<Name>().unwrap());
        let (sub, gone): (Name, Name) = ("Sub.example.".parse().unwrap(), "gone.".parse().unwrap());
        let first = Snapshot::default().with_changes([zone("example.", 1)], &[]).completed();
        let absent = [(&sub, Absence::Loading), (&gone, Absence::NoData)];
        let snapshot = first.with_absent(absent).unwrap();
        assert!(snapshot.with_absent(absent).is_none(), "no change");
        assert_eq!(closest(&snapshot, "a.sub.example.", 0), None);
        assert_eq!(snapshot.absence(&name("a.sub.example.")), Some(Absence::Loading));
        assert_eq!(snapshot.absence(&name("gone.")), Some(Absence::NoData));
        assert_eq!(snapshot.absence(&name("other.")), None);
        assert_eq!(closest(&snapshot, "sub.example.", 1).as_deref(), Some("example."), "DS is the parent's");
        assert_eq!(closest(&snapshot, "b.example.", 0).as_deref(), Some("example."));
        let served = snapshot.with_changes([zone("sub.example.", 1)], &[]);
        assert_eq!(closest(&served, "a.sub.example.", 0).as_deref(), Some("sub.example."));
        assert_eq!(served.absence(&name("a.sub.example.")), None);
        assert!(served.is_complete());
        let nothing: [(&Name, Absence); 0] = [];
        assert_eq!(
            closest(&snapshot.with_absent(nothing).unwrap(), "a.sub.example.", 0).as_deref(),
            Some("example.")
        );
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
