//! The set of zones that is served, and the one place where it is replaced.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::wire::Name;

use super::Zone;

/// All zones served at one moment; immutable.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    zones: Vec<Arc<Zone>>,
    complete: bool,
}

impl Snapshot {
    /// This snapshot with `added` put in (replacing zones of the same origin) and `removed` left out; the zones that
    /// do not change are shared.
    pub fn with_changes(&self, added: impl IntoIterator<Item = Arc<Zone>>, removed: &[Name]) -> Self {
        let added: Vec<Arc<Zone>> = added.into_iter().collect();
        let kept = self.zones.iter().filter(|zone| {
            !removed.contains(zone.origin()) && !added.iter().any(|other| other.origin() == zone.origin())
        });
        let zones = kept.cloned().chain(added.iter().cloned()).collect();
        Self { zones, complete: self.complete }
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
        self.zones.iter().find(|zone| zone.origin() == origin)
    }

    /// Every zone, in no particular order.
    pub fn zones(&self) -> impl ExactSizeIterator<Item = &Arc<Zone>> {
        self.zones.iter()
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
