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
