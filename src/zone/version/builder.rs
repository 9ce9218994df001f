//! Records in, a checked and compiled zone out.

use std::sync::Arc;

use crate::wire::Name;

use crate::zone::compile::batch::RecordBatch;
use crate::zone::compile::check::Checks;
use crate::zone::record::fault::ZoneFault;
use crate::zone::record::raw::{Place, Record};
use crate::zone::store::compiled::Zone;
use crate::zone::version::ordered::OrderedZone;
use crate::zone::version::redeploy::ServedVersion;
use crate::zone::version::whole::compile_whole;

/// Collects the records of one zone and compiles them.
#[derive(Debug)]
pub struct ZoneBuilder {
    origin: Name,
    batches: Vec<RecordBatch>,
    checks: Checks,
    standing: Option<ServedVersion>,
    /// What is compiled as it comes.
    ordered: Option<Box<OrderedZone>>,
}

impl ZoneBuilder {
    /// A builder for the zone `origin`.
    pub fn new(origin: Name) -> Self {
        Self { origin, batches: Vec::new(), checks: Checks::default(), standing: None, ordered: None }
    }

    /// A builder for a version that was accepted before, maybe by an earlier build: what its rules allowed and today's refuse
    /// is a warning, if it does not hinder answering.
    pub fn of_kept(origin: Name) -> Self {
        Self { checks: Checks::of_kept(), ..Self::new(origin) }
    }

    /// A builder that judges so.
    pub(in crate::zone) fn judging(origin: Name, checks: Checks) -> Self {
        Self { checks, ..Self::new(origin) }
    }

    /// For a version that a primary has: what no zone file may hold and other servers serve is a warning, if it does not hinder answering. To
    /// be said first.
    #[must_use]
    pub fn received(self) -> Self {
        Self { checks: Checks::of_received(), ..self }
    }

    /// Compiles batches as they are added, and keeps them no longer, as long as they come in canonical order from the apex on; what
    /// came is kept and compiled at the end, all at once, if they do not. Faults of an NSEC3 chain tell no places then. Not for [`ZoneBuilder::after`], which keeps what differs alone.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        if self.standing.is_none() && self.batches.is_empty() {
            self.ordered = Some(Box::new(OrderedZone::new(&self.origin, &self.checks)));
        }
        self
    }

    /// A builder for a version that comes after this one, to share what does not change.
    pub fn after(zone: &Arc<Zone>) -> Self {
        Self { standing: ServedVersion::new(zone), ..Self::new(zone.origin().clone()) }
    }

    /// A builder that goes on where batches have been reduced already.
    pub fn resuming(standing: ServedVersion) -> Self {
        Self { standing: Some(standing.clone()), ..Self::new(standing.origin().clone()) }
    }

    /// What reduces batches before they are added, on any thread; `None` if the zone is compiled from all of its records.
    pub fn standing(&self) -> Option<ServedVersion> {
        self.standing.clone()
    }

    /// Takes one more record; duplicates are allowed here and become one (RFC 2181 section 5).
    pub fn push(&mut self, record: Record, place: Place) {
        self.give_up_order();
        if self.batches.last().is_none_or(RecordBatch::is_full) {
            self.batches.push(RecordBatch::new(&self.origin));
        }
        if let Some(batch) = self.batches.last_mut() {
            batch.push(record.owner.as_wire(), record.record_type, record.ttl, &record.rdata, place);
        }
    }

    /// Takes a batch of this zone's records. The order of batches does not matter, but for [`ZoneBuilder::in_order`], nor does that of
    /// their records; sorted ones ([`RecordBatch::sort`]) compile faster.
    pub fn add(&mut self, mut batch: RecordBatch) {
        let Some(ordered) = &mut self.ordered else { return self.batches.push(batch) };
        batch.report(&mut self.checks);
        if let Err(batch) = ordered.add(batch) {
            self.give_up_order();
            self.batches.push(batch);
        }
    }

    /// Checks and compiles; on error every fault that was found (at most 100), in the order of the places.
    pub fn finish(self) -> Result<Zone, Vec<ZoneFault>> {
        let Self { origin, mut batches, mut checks, standing, ordered } = self;
        if let Some(ordered) = ordered {
            return ordered.finish(checks);
        }
        batches.iter_mut().for_each(|batch| batch.report(&mut checks));
        if let Some(standing) = standing {
            return standing.finish(batches, checks);
        }
        compile_whole(origin, &batches, checks)
    }

    /// How many records are kept as records.
    #[cfg(test)]
    pub(in crate::zone) fn record_count(&self) -> usize {
        let open = self.ordered.as_ref().map_or(0, |ordered| ordered.open_count());
        open + self.batches.iter().map(RecordBatch::record_count).sum::<usize>()
    }

    /// Keeps batches from now on, those that were compiled too.
    fn give_up_order(&mut self) {
        let Some(ordered) = self.ordered.take() else { return };
        let (batches, checks) = ordered.into_batches();
        self.checks.add(checks);
        self.batches.extend(batches);
    }
}
