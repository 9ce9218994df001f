//! The records of a response in their order, one at a time.

use crate::publish::Difference;
use crate::wire::{Name, RecordType};
use crate::zone::{NodeRef, RecordBatch, Zone};

use super::pack::Item;

/// The records of a response.
pub(super) struct RecordSource<'z> {
    kind: Kind<'z>,
}

enum Kind<'z> {
    Whole(Box<Walk<'z>>),
    Listed(Listed<'z>),
    Closed,
}

/// Owner, type, TTL and RDATA where they lie.
type Flat<'z> = (&'z [u8], RecordType, u32, &'z [u8]);

/// A whole zone, name by name.
struct Walk<'z> {
    nodes: Box<dyn Iterator<Item = NodeRef<'z>> + Send + 'z>,
    owner: [u8; Name::MAX_OCTETS],
    owner_length: usize,
    /// The records of the name, and which of them is next.
    records: Vec<(RecordType, u32, &'z [u8])>,
    next: usize,
    /// The SOA record, written once more at the end.
    soa: Option<Flat<'z>>,
    at_end: bool,
}

/// Records that lie somewhere.
struct Listed<'z> {
    records: Box<dyn Iterator<Item = Flat<'z>> + Send + 'z>,
    next: Option<Flat<'z>>,
}

impl std::fmt::Debug for RecordSource<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("RecordSource(..)")
    }
}

impl<'z> RecordSource<'z> {
    pub(super) fn whole(zone: &'z Zone) -> Self {
        let mut walk = Walk {
            nodes: Box::new(zone.nodes()),
            owner: [0; Name::MAX_OCTETS],
            owner_length: 1,
            records: Vec::new(),
            next: 0,
            soa: soa(zone),
            at_end: false,
        };
        walk.fill();
        Self { kind: Kind::Whole(Box::new(walk)) }
    }

    pub(super) fn differences(zone: &'z Zone, differences: Vec<&'z Difference>) -> Self {
        let soa = soa(zone);
        let steps = differences.into_iter().flat_map(|it| [&it.deleted, &it.added]).flat_map(soa_first);
        Self::listed(soa.into_iter().chain(steps).chain(soa))
    }

    pub(super) fn soa(zone: &'z Zone) -> Self {
        Self::listed(soa(zone).into_iter())
    }

    /// The record to write next; `None` at the end.
    pub(super) fn item(&self) -> Option<Item<'_>> {
        let (owner, record_type, ttl, rdata) = match &self.kind {
            Kind::Whole(walk) => walk.item()?,
            Kind::Listed(listed) => listed.next?,
            Kind::Closed => return None,
        };
        Some(Item { owner, record_type, ttl, rdata })
    }

    /// Goes on to the one behind it.
    pub(super) fn advance(&mut self) {
        match &mut self.kind {
            Kind::Whole(walk) => walk.advance(),
            Kind::Listed(listed) => listed.next = listed.records.next(),
            Kind::Closed => {}
        }
    }

    /// Goes to the end.
    pub(super) fn close(&mut self) {
        self.kind = Kind::Closed;
    }

    fn listed(mut records: impl Iterator<Item = Flat<'z>> + Send + 'z) -> Self {
        let next = records.next();
        Self { kind: Kind::Listed(Listed { records: Box::new(records), next }) }
    }
}

impl Walk<'_> {
    fn item(&self) -> Option<Flat<'_>> {
        if self.at_end {
            return self.soa;
        }
        let (record_type, ttl, rdata) = *self.records.get(self.next)?;
        Some((self.owner.get(..self.owner_length)?, record_type, ttl, rdata))
    }

    fn advance(&mut self) {
        if self.at_end {
            self.soa = None;
        }
        self.next += 1;
        if self.next >= self.records.len() {
            self.fill();
        }
    }

    /// Takes the next name that has records.
    fn fill(&mut self) {
        (self.next, self.at_end) = (0, true);
        self.records.clear();
        for node in self.nodes.by_ref() {
            self.owner_length = node.owner_into(&mut self.owner).len();
            for set in node.sets() {
                self.records.extend(set.rdata().map(|rdata| (set.record_type, set.ttl, rdata)));
            }
            if !self.records.is_empty() {
                self.at_end = false;
                return;
            }
        }
    }
}

/// The SOA record of a zone.
fn soa(zone: &Zone) -> Option<Flat<'_>> {
    let set = zone.apex().set(RecordType::SOA)?;
    Some((zone.origin().as_wire(), RecordType::SOA, set.ttl, set.rdata().next()?))
}

/// The records of one side of a difference, its SOA record first.
fn soa_first(batch: &RecordBatch) -> impl Iterator<Item = Flat<'_>> {
    let is_soa = |record: &Flat<'_>| record.1 == RecordType::SOA;
    batch.records().filter(is_soa).chain(batch.records().filter(move |record| !is_soa(record)))
}
