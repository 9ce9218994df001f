//! From checks to the snapshot: zones go into service while others are still being read.
//!
//! Zones to serve and to serve no longer flow in, snapshots flow out. A change of the snapshot costs time (it copies what the
//! changed zones share a leaf with), so that changes which come close together become one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::publish::verify::Verify;
use crate::wire::Name;
use crate::zone::{Published, Zone};

/// Publishing takes at most one part in so many of the time.
const SHARE: u32 = 20;

/// The changes on their way into the snapshot.
#[derive(Debug)]
pub(in crate::publish) struct Publication {
    added: Vec<Arc<Zone>>,
    removed: Vec<Name>,
    /// When the snapshot was last replaced, and how long that took.
    last: Instant,
    took: Duration,
}

impl Publication {
    /// Nothing is to be published yet.
    pub(in crate::publish) fn new() -> Self {
        Self { added: Vec::new(), removed: Vec::new(), last: Instant::now(), took: Duration::ZERO }
    }

    /// A version is to be served.
    pub(in crate::publish) fn add(&mut self, zone: Arc<Zone>) {
        self.added.push(zone);
    }

    /// A zone is to be served no longer.
    pub(in crate::publish) fn remove(&mut self, zone: Name) {
        self.removed.push(zone);
    }

    /// When to call [`flush`](Self::flush), if something waits.
    pub(in crate::publish) fn due(&self) -> Option<Instant> {
        (!self.added.is_empty() || !self.removed.is_empty()).then(|| self.last + self.took * SHARE)
    }

    /// Publishes what waits; what comes right after another change waits a little for more.
    pub(in crate::publish) fn flush_if_due(&mut self, published: &Published, verify: &Verify) {
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.flush(published, verify);
        }
    }

    /// Publishes what waits.
    pub(in crate::publish) fn flush(&mut self, published: &Published, verify: &Verify) {
        let (added, removed) = (std::mem::take(&mut self.added), std::mem::take(&mut self.removed));
        if added.is_empty() && removed.is_empty() {
            return;
        }
        let start = Instant::now();
        published.store(published.load().with_changes(added.iter().cloned(), &removed));
        verify.changed(added.iter().map(|zone| zone.origin()).chain(&removed));
        (self.last, self.took) = (Instant::now(), start.elapsed());
    }
}
