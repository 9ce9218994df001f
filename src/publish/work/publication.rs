//! From checks to the snapshot: zones go into service while others are still being read.
//!
//! Zones to serve and to serve no longer flow in, snapshots flow out. A change of the snapshot costs time (it copies what the
//! changed zones share a leaf with), so that changes which come close together become one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use crate::publish::verify::Verify;
use crate::publish::work::time_share::TimeShare;
use crate::publish::work::zone::zones_below::{Delegations, ZonesBelow};
use crate::sys::priority::CpuSpan;
use crate::wire::Name;
use crate::zone::{Absence, Expiry, Published, Zone};

/// Publishing takes CPU time for at most one part in so many of the time.
const SHARE: u32 = 20;

/// The snapshot that is served, and the changes on their way into it. Nobody else stores one.
#[derive(Debug)]
pub(in crate::publish) struct Publication {
    pub(in crate::publish) published: Arc<Published>,
    /// Is told of what is published.
    pub(in crate::publish) verify: Verify,
    /// Whether a zone is not served that was, or for another reason than before.
    pub(in crate::publish) has_new_absences: bool,
    /// What waits, by zone: a version that is to be served, or `None` where it is to be served no longer.
    changes: BTreeMap<Name, Option<Arc<Zone>>>,
    /// The zones below them that are to be looked at when they are published.
    below: Vec<ZonesBelow>,
    /// The zones that are to be looked at, because the ones above them are published.
    pub(in crate::publish) delegations: Delegations,
    /// The time for publishing.
    share: TimeShare,
}

impl Publication {
    /// Nothing is to be published yet.
    pub(in crate::publish) fn new(published: Arc<Published>, verify: Verify) -> Self {
        Self {
            published,
            verify,
            has_new_absences: false,
            changes: BTreeMap::new(),
            below: Vec::new(),
            delegations: Delegations::default(),
            share: TimeShare::new(SHARE, Instant::now()),
        }
    }

    /// A version is to be served, which may change the delegations to these zones.
    pub(in crate::publish) fn add(&mut self, zone: Arc<Zone>, below: ZonesBelow) {
        self.changes.insert(zone.origin().clone(), Some(zone));
        self.below.push(below);
    }

    /// A zone is to be served no longer, nor a version of it that waits.
    pub(in crate::publish) fn remove(&mut self, zone: Name) {
        self.below.push(ZonesBelow::all(zone.clone()));
        self.changes.insert(zone, None);
    }

    /// When to call [`flush`](Self::flush), if something waits.
    pub(in crate::publish) fn due(&self) -> Option<Instant> {
        (!self.changes.is_empty()).then(|| self.share.due())
    }

    /// Publishes what waits; where many changes come in a row, it waits a little for more.
    pub(in crate::publish) fn flush_if_due(&mut self) {
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.flush();
        }
    }

    /// Publishes what waits.
    pub(in crate::publish) fn flush(&mut self) {
        let changes = std::mem::take(&mut self.changes);
        if changes.is_empty() {
            return;
        }
        let removed: Vec<Name> =
            changes.iter().filter(|(_, zone)| zone.is_none()).map(|(name, _)| name.clone()).collect();
        let added = changes.values().flatten().cloned();
        let (start, span) = (Instant::now(), CpuSpan::begin());
        self.published.store(self.published.load().with_changes(added, &removed));
        self.delegations.add(std::mem::take(&mut self.below));
        self.verify.changed(changes.keys());
        self.share.pay(start, span.elapsed());
    }

    /// Tells the query path which zones are configured and not served: no other zone answers for names in them.
    pub(in crate::publish) fn set_absent<'n>(
        &mut self,
        absent: impl IntoIterator<Item = (&'n Name, Absence)>,
    ) {
        self.has_new_absences = false;
        if let Some(snapshot) = self.published.load().with_absent(absent) {
            self.published.store(snapshot);
        }
    }

    /// Tells the query path of zones whether they may still be believed.
    pub(in crate::publish) fn set_expiry<'n>(&self, changes: impl IntoIterator<Item = (&'n Name, Expiry)>) {
        if let Some(snapshot) = self.published.load().with_expiry(changes) {
            self.published.store(snapshot);
        }
    }

    /// Tells the query path which zones it does not answer from: catalogs.
    pub(in crate::publish) fn set_unanswered(&self, zones: &BTreeSet<Name>) {
        if let Some(snapshot) = self.published.load().with_unanswered(zones) {
            self.published.store(snapshot);
        }
    }

    /// A name that is in no zone is in none of ours.
    pub(in crate::publish) fn complete(&self) {
        let served = self.published.load();
        if !served.is_complete() {
            self.published.store((*served).clone().completed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Settings;
    use crate::telemetry::pulse::Pulse;
    use crate::wire::RecordType;
    use crate::zone::{Place, Record, ZoneBuilder};

    fn zone(origin: &Name) -> Arc<Zone> {
        let mut builder = ZoneBuilder::new(origin.clone());
        let mut push = |record_type, rdata: &[u8]| {
            let record = Record { owner: origin.clone(), record_type, ttl: 60, rdata: rdata.into() };
            builder.push(record, Place::default());
        };
        push(RecordType::SOA, &[&[0, 0, 0, 0, 0, 1][..], &[0; 16]].concat());
        push(RecordType::NS, b"\x02ns\0");
        Arc::new(builder.finish().unwrap())
    }

    #[test]
    fn of_changes_of_one_zone_that_wait_the_last_counts() {
        let (published, pulse) = (Arc::<Published>::default(), Arc::new(Pulse::new(1)));
        let verify = Verify::new(&Settings::default(), published.clone(), Arc::default(), pulse);
        let mut publication = Publication::new(published.clone(), verify);
        let [gone, back] = ["gone.example.", "back.example."].map(|name| name.parse::<Name>().unwrap());
        publication.add(zone(&gone), ZonesBelow::default());
        publication.remove(gone.clone());
        publication.remove(back.clone());
        publication.add(zone(&back), ZonesBelow::default());
        publication.flush();
        let served = published.load();
        assert_eq!([served.zone(&gone).is_some(), served.zone(&back).is_some()], [false, true]);
        publication.remove(back.clone());
        publication.flush();
        assert!(published.load().zone(&back).is_none());
        assert_eq!(publication.due(), None);
    }
}
