//! What one version has that another has not, at some names: a difference as it came out.
//!
//! A difference as it was asked for may name records that were there already, in another case or with another TTL. This
//! one is exact: every record of the one side is in the one version and not in the other, owner, TTL and RDATA octet by
//! octet. So such differences in a row make one by taking out what comes and goes.

use std::collections::BTreeSet;

use crate::wire::{LookupName, Name, RecordType};

use crate::zone::Place;
use crate::zone::compile::batch::RecordBatch;
use crate::zone::store::compiled::{NodeRef, Zone};

/// Owners of records, in lower case.
#[derive(Clone, Debug, Default)]
pub struct Owners(BTreeSet<Box<[u8]>>);

/// Owner, type, TTL, RDATA.
type Exact = (Vec<u8>, u16, u32, Vec<u8>);

impl Owners {
    /// Adds the owners of all records of a batch.
    pub fn add(&mut self, batch: &RecordBatch) {
        batch.for_each_record(|owner, _, _, _| {
            self.0.insert(owner.to_ascii_lowercase().into());
        });
    }

    /// Adds others.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }

    /// Whether a name in wire form is among them, in any case.
    pub(in crate::zone) fn contains(&self, owner: &[u8]) -> bool {
        let mut buffer = [0; Name::MAX_OCTETS];
        let Some(lower) = buffer.get_mut(..owner.len()) else { return false };
        lower.copy_from_slice(owner);
        lower.make_ascii_lowercase();
        self.0.contains(&*lower)
    }
}

impl Zone {
    /// What was deleted from `before`, and what was added to it, at these owners, to come to this version. Of zones with
    /// NSEC3 records of several chains it looks at all records, because those that are not served are not indexed.
    pub fn difference_from(&self, before: &Self, owners: &Owners) -> (RecordBatch, RecordBatch) {
        let (old, new) = (before.records_at(owners), self.records_at(owners));
        let batch = |one: &BTreeSet<Exact>, other: &BTreeSet<Exact>| {
            let mut batch = RecordBatch::new(&self.origin);
            for (owner, record_type, ttl, rdata) in one.difference(other) {
                batch.push(owner, RecordType(*record_type), *ttl, rdata, Place::default());
            }
            batch
        };
        (batch(&old, &new), batch(&new, &old))
    }

    fn records_at(&self, owners: &Owners) -> BTreeSet<Exact> {
        let mut records = BTreeSet::new();
        let mut keep = |owner: &[u8], record_type: RecordType, ttl: u32, rdata: &[u8]| {
            records.insert((owner.to_vec(), record_type.0, ttl, rdata.to_vec()));
        };
        if self.others.is_empty() {
            for owner in &owners.0 {
                let name = LookupName::from_wire_prefix(owner).ok().and_then(|name| self.find(&name));
                let hashed = self.hash_of_owner(owner).and_then(|hash| self.member(&hash));
                name.into_iter().chain(hashed).for_each(|node| show(node, &mut keep));
            }
            return records;
        }
        self.for_each_record(|owner, record_type, ttl, rdata| {
            if owners.contains(owner) {
                keep(owner, record_type, ttl, rdata);
            }
        });
        records
    }
}

fn show(node: NodeRef<'_>, keep: &mut impl FnMut(&[u8], RecordType, u32, &[u8])) {
    let mut buffer = [0; Name::MAX_OCTETS];
    let owner = node.owner_into(&mut buffer);
    for set in node.sets() {
        set.rdata().for_each(|rdata| keep(owner, set.record_type, set.ttl, rdata));
    }
}
