//! The set of zones that is served, and the one place where it is replaced.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::wire::{LookupName, Name};

use crate::zone::Zone;
use crate::zone::snapshot::absent::{Absence, Absences};
use crate::zone::snapshot::expiry::Expiry;
use crate::zone::store::blocks::NodeId;
use crate::zone::store::hash::NameHash;
use crate::zone::store::index::Index;

/// Zones in a leaf of the list: a change copies a leaf for each zone, and the list of leaves.
const LEAF: usize = 256;

/// All zones served at one moment; immutable. Snapshots share what does not change between them: with 100,000 zones a
/// change of one copies some 50 KiB.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// From the hash of an apex to the number of its zone in the list.
    index: Index,
    leaves: Vec<Arc<[Slot]>>,
    /// Numbers in the list that no zone has.
    free: Vec<u32>,
    count: usize,
    /// How many apexes have n labels. A name is looked for only at depths where a zone can be.
    at_depth: Box<[u32]>,
    /// The most labels of an apex.
    deepest: usize,
    /// Configured zones that are not served.
    absent: Arc<Absences>,
    /// Zones that are served to secondaries alone.
    unanswered: Arc<BTreeSet<Name>>,
    /// How many zones are not fresh.
    aged: usize,
    complete: bool,
}

/// A place in the list: a zone, if it is taken, and whether that may still be believed.
#[derive(Clone, Debug, Default)]
struct Slot {
    zone: Option<Arc<Zone>>,
    expiry: Expiry,
    /// Whether queries find it.
    is_unanswered: bool,
}

/// Labels of a name, the root counted as one more.
const DEPTHS: usize = 128;

impl Default for Snapshot {
    fn default() -> Self {
        Self {
            index: Index::with_room(0),
            leaves: Vec::new(),
            free: Vec::new(),
            count: 0,
            at_depth: vec![0; DEPTHS].into(),
            deepest: 0,
            absent: Arc::default(),
            unanswered: Arc::default(),
            aged: 0,
            complete: false,
        }
    }
}

impl Snapshot {
    /// This snapshot with `added` put in (replacing zones of the same origin) and `removed` left out; the zones that
    /// do not change are shared.
    pub fn with_changes(&self, added: impl IntoIterator<Item = Arc<Zone>>, removed: &[Name]) -> Self {
        let mut next = self.clone();
        removed.iter().for_each(|origin| next.remove(origin));
        added.into_iter().for_each(|zone| next.put(zone));
        next
    }

    /// This snapshot with `absent` as the configured zones that are not served: names in them are answered SERVFAIL
    /// with the reason, not by the zone above. One that is served counts as served all the same. `None` if that is how
    /// it is already.
    pub fn with_absent<'n>(&self, absent: impl IntoIterator<Item = (&'n Name, Absence)>) -> Option<Self> {
        let absent = Absences::of(absent);
        (absent != *self.absent).then(|| Self { absent: Arc::new(absent), ..self.clone() })
    }

    /// This snapshot with these zones, served or not yet, as those that no query finds: only [`Snapshot::zone`] has them. `None` if
    /// that is how it is already.
    pub fn with_unanswered(&self, zones: &BTreeSet<Name>) -> Option<Self> {
        if *self.unanswered == *zones {
            return None;
        }
        let mut next = Self { unanswered: Arc::new(zones.clone()), ..self.clone() };
        for origin in self.unanswered.symmetric_difference(zones) {
            let Some(number) = next.number(origin) else { continue };
            let Some(before) = next.slot(number).cloned() else { continue };
            next.set(number, Slot { is_unanswered: zones.contains(origin), ..before });
        }
        Some(next)
    }

    /// This snapshot with another expiry of zones that are served; another version of such a zone keeps it. `None` if
    /// that is how it is already. Costs what there are changes.
    pub fn with_expiry<'n>(&self, changes: impl IntoIterator<Item = (&'n Name, Expiry)>) -> Option<Self> {
        let mut next = self.clone();
        let mut differs = false;
        for (origin, expiry) in changes {
            let Some(number) = next.number(origin) else { continue };
            let Some(before) = next.slot(number).filter(|slot| slot.expiry != expiry).cloned() else {
                continue;
            };
            differs = true;
            next.set(number, Slot { expiry, ..before });
        }
        differs.then_some(next)
    }

    /// Whether an answer from this zone is to be called stale.
    pub fn is_stale(&self, zone: &Zone) -> bool {
        self.aged > 0 && self.expiry(zone.origin()) == Expiry::Stale
    }

    /// The expiry of the zone with this apex.
    pub fn expiry(&self, origin: &Name) -> Expiry {
        let slot = self.number(origin).and_then(|number| self.slot(number));
        slot.map_or(Expiry::Current, |slot| slot.expiry)
    }

    /// This snapshot, said to hold every zone of the first load. Until then a name outside the loaded zones is
    /// answered SERVFAIL (RFC 8914 "Not Ready"), not REFUSED, because its zone may be on its way.
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
        self.number(origin).and_then(|number| self.get(number))
    }

    /// The zone with the longest apex that is at or above `name` once its leftmost `removed` labels are taken:
    /// 0 for the zone that holds a name, 1 for the parent's side of a cut. `None` too if the zone with the
    /// longest apex is configured but not served, or has expired: the one above it cannot speak for it.
    pub fn closest_zone(&self, name: &LookupName, removed: usize) -> Option<&Zone> {
        let slot = self.closest_slot(name, removed)?;
        let served = slot.zone.as_deref().filter(|_| slot.expiry != Expiry::Expired);
        let held = slot.zone.as_deref();
        if self.absent.is_empty() || self.hiding(name, removed, held).is_none() { served } else { None }
    }

    /// Why a name, once its leftmost `removed` labels are taken, is in no zone that is served, though in one that is configured.
    pub fn absence(&self, name: &LookupName, removed: usize) -> Option<Absence> {
        let slot = self.closest_slot(name, removed);
        let expired = slot.filter(|slot| slot.expiry == Expiry::Expired).map(|_| Absence::Expired);
        self.hiding(name, removed, slot.and_then(|slot| slot.zone.as_deref())).or(expired)
    }

    /// The reason of an absent zone that holds the name, if its apex is longer than that of the zone served.
    fn hiding(&self, name: &LookupName, removed: usize, served: Option<&Zone>) -> Option<Absence> {
        let (labels, absence) = self.absent.closest(name, removed)?;
        served.is_none_or(|zone| zone.origin().label_count() < labels).then_some(absence)
    }

    fn closest_slot(&self, name: &LookupName, removed: usize) -> Option<&Slot> {
        let labels = name.label_count();
        let deepest = labels.saturating_sub(removed).min(self.deepest);
        let mut found = if self.has_apex_at(0) { self.at(NameHash::root(), &[0]) } else { None };
        let mut hash = NameHash::root();
        for (above, (label, _)) in name.labels_upwards(0).take(deepest).enumerate() {
            hash = hash.below_lower(label);
            if self.has_apex_at(above + 1) {
                found = self.at(hash, name.ancestor(labels - above - 1)).or(found);
            }
        }
        found
    }

    /// Whether some apex has this many labels.
    fn has_apex_at(&self, depth: usize) -> bool {
        self.at_depth.get(depth).is_some_and(|count| *count > 0)
    }

    /// Every zone, in no particular order.
    pub fn zones(&self) -> impl Iterator<Item = &Arc<Zone>> {
        self.leaves.iter().flat_map(|leaf| leaf.iter()).filter_map(|slot| slot.zone.as_ref())
    }

    /// How many zones.
    pub fn zone_count(&self) -> usize {
        self.count
    }

    /// The zone that has this apex, given its hash and its wire form in lower case, unless no query finds it.
    fn at(&self, hash: NameHash, lower: &[u8]) -> Option<&Slot> {
        let is_it = |slot: &&Slot| {
            let Some(zone) = &slot.zone else { return false };
            let origin = zone.origin().as_wire();
            // Nearly all are written in lower case.
            (origin == lower || origin.eq_ignore_ascii_case(lower)) && !slot.is_unanswered
        };
        self.index.find(hash.tag(), |number| self.slot(number).filter(is_it))
    }

    fn get(&self, number: NodeId) -> Option<&Arc<Zone>> {
        self.slot(number)?.zone.as_ref()
    }

    fn slot(&self, number: NodeId) -> Option<&Slot> {
        let number = number.0 as usize;
        self.leaves.get(number / LEAF)?.get(number % LEAF)
    }

    fn number(&self, origin: &Name) -> Option<NodeId> {
        let is_it = |zone: &Arc<Zone>| zone.origin() == origin;
        self.index
            .find(NameHash::of(origin).tag(), |number| self.get(number).is_some_and(is_it).then_some(number))
    }

    fn put(&mut self, zone: Arc<Zone>) {
        if let Some(number) = self.number(zone.origin()) {
            let before = self.slot(number).cloned().unwrap_or_default();
            return self.set(number, Slot { zone: Some(zone), ..before });
        }
        let number = self.free.pop().unwrap_or((self.leaves.len() * LEAF) as u32);
        if number as usize / LEAF == self.leaves.len() {
            self.leaves.push(vec![Slot::default(); LEAF].into());
            self.free.extend((number + 1..number + LEAF as u32).rev());
        }
        self.index.insert(NameHash::of(zone.origin()).tag(), NodeId(number));
        self.count_depth(zone.origin(), 1);
        let is_unanswered = self.unanswered.contains(zone.origin());
        self.set(NodeId(number), Slot { zone: Some(zone), expiry: Expiry::Current, is_unanswered });
    }

    fn remove(&mut self, origin: &Name) {
        let Some(number) = self.number(origin) else { return };
        self.index.remove(NameHash::of(origin).tag(), number);
        self.count_depth(origin, -1);
        self.set(number, Slot::default());
        self.free.push(number.0);
    }

    fn set(&mut self, number: NodeId, slot: Slot) {
        let is_aged = |slot: &Slot| usize::from(slot.expiry != Expiry::Current);
        let (before, after) = (self.slot(number).map_or(0, is_aged), is_aged(&slot));
        self.aged = self.aged + after - before;
        let number = number.0 as usize;
        let Some(leaf) = self.leaves.get_mut(number / LEAF) else { return };
        if Arc::get_mut(leaf).is_none() {
            *leaf = leaf.to_vec().into();
        }
        if let Some(place) = Arc::get_mut(leaf).and_then(|leaf| leaf.get_mut(number % LEAF)) {
            *place = slot;
        }
    }

    fn count_depth(&mut self, origin: &Name, change: i32) {
        let depth = origin.label_count();
        let Some(count) = self.at_depth.get_mut(depth) else { return };
        *count = count.saturating_add_signed(change);
        self.count = self.count.saturating_add_signed(change as isize);
        self.deepest = self.at_depth.iter().rposition(|count| *count > 0).unwrap_or(0);
    }
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
        assert_eq!(second.zone_count(), 3);
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
        assert_eq!(snapshot.absence(&name("a.sub.example."), 0), Some(Absence::Loading));
        assert_eq!(snapshot.absence(&name("gone."), 0), Some(Absence::NoData));
        assert_eq!(snapshot.absence(&name("other."), 0), None);
        assert_eq!(closest(&snapshot, "sub.example.", 1).as_deref(), Some("example."), "DS is the parent's");
        assert_eq!(closest(&snapshot, "b.example.", 0).as_deref(), Some("example."));
        let served = snapshot.with_changes([zone("sub.example.", 1)], &[]);
        assert_eq!(closest(&served, "a.sub.example.", 0).as_deref(), Some("sub.example."));
        assert_eq!(served.absence(&name("a.sub.example."), 0), None);
        assert!(served.is_complete());
        let nothing: [(&Name, Absence); 0] = [];
        assert_eq!(
            closest(&snapshot.with_absent(nothing).unwrap(), "a.sub.example.", 0).as_deref(),
            Some("example.")
        );
    }

    #[test]
    fn an_expired_zone_is_hidden_and_a_stale_one_is_not() {
        let name = |text: &str| LookupName::from(&text.parse::<Name>().unwrap());
        let sub: Name = "Sub.example.".parse().unwrap();
        let first =
            Snapshot::default().with_changes([zone("example.", 1), zone("sub.example.", 1)], &[]).completed();
        assert!(first.with_expiry([(&sub, Expiry::Current)]).is_none(), "no change");
        assert!(first.with_expiry([(&"none.".parse().unwrap(), Expiry::Stale)]).is_none());
        let expired = first.with_expiry([(&sub, Expiry::Expired)]).unwrap();
        assert_eq!(closest(&expired, "a.sub.example.", 0), None, "the zone above does not speak for it");
        assert_eq!(expired.absence(&name("a.sub.example."), 0), Some(Absence::Expired));
        assert_eq!(expired.absence(&name("b.example."), 0), None);
        assert_eq!(expired.absence(&name("a.sub.example."), 1), Some(Absence::Expired));
        assert_eq!(expired.absence(&name("sub.example."), 1), None);
        assert_eq!(closest(&expired, "b.example.", 0).as_deref(), Some("example."));
        assert_eq!(closest(&expired, "sub.example.", 1).as_deref(), Some("example."), "DS is the parent's");
        assert!(expired.zone(&sub).is_some(), "a transfer goes on from it");
        let newer = expired.with_changes([zone("sub.example.", 2)], &[]);
        assert_eq!(closest(&newer, "sub.example.", 0), None, "only a primary's word ends it");
        let stale = newer.with_expiry([(&sub, Expiry::Stale)]).unwrap();
        assert_eq!(closest(&stale, "sub.example.", 0).as_deref(), Some("sub.example."));
        let is_stale = |snapshot: &Snapshot, name: &str| {
            snapshot.is_stale(snapshot.zone(&name.parse().unwrap()).unwrap())
        };
        assert_eq!([is_stale(&stale, "sub.example."), is_stale(&stale, "example.")], [true, false]);
        let fresh = stale.with_expiry([(&sub, Expiry::Current)]).unwrap();
        assert!(!is_stale(&fresh, "sub.example."));
        let back =
            stale.with_changes([], std::slice::from_ref(&sub)).with_changes([zone("sub.example.", 3)], &[]);
        assert!(!is_stale(&back, "sub.example."), "one that was removed comes back fresh");
    }

    #[test]
    fn a_zone_that_is_not_answered_from_is_there_for_transfers_alone() {
        let catalog: Name = "cat.example.".parse().unwrap();
        let first = Snapshot::default().with_changes([zone("example.", 1), zone("b.example.", 1)], &[]);
        let catalogs = BTreeSet::from([catalog.clone()]);
        let next = first.with_unanswered(&catalogs).unwrap();
        assert!(next.with_unanswered(&catalogs).is_none(), "no change");
        for (serial, next) in [(1, next.clone()), (2, next.with_changes([zone("cat.example.", 2)], &[]))] {
            let next = next.with_changes([zone("Cat.example.", serial)], &[]);
            assert_eq!(next.zone(&catalog).map(|zone| zone.serial()), Some(Serial(serial.into())));
            assert_eq!(closest(&next, "version.cat.example.", 0).as_deref(), Some("example."));
            assert_eq!(closest(&next, "x.b.example.", 0).as_deref(), Some("b.example."));
            let shown = next.with_unanswered(&BTreeSet::new()).unwrap();
            assert_eq!(closest(&shown, "version.cat.example.", 0).as_deref(), Some("Cat.example."));
        }
    }

    #[test]
    fn a_reader_sees_what_was_stored() {
        let published = Arc::new(Published::default());
        let mut reader = published.reader();
        assert_eq!(reader.load().zone_count(), 0);
        published.store(Snapshot::default().with_changes([zone("a.", 1)], &[]));
        assert_eq!(reader.load().zone_count(), 1);
        assert_eq!(published.load().zone_count(), 1);
    }
}
