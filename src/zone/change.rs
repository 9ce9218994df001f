//! A difference between two versions: the next version from this one, in time and memory of the difference.
//!
//! Differences of incremental transfers (RFC 1995) come here from `publish::apply`, which makes them durable, and changes of
//! the serial. The next version shares every block, page and leaf that the difference does not touch. Of a signed zone the
//! chain is checked whole, so it is compiled whole.

use std::collections::BTreeSet;

use crate::wire::{LookupName, Prepared, RecordType, Serial};

use super::batch::{Entry, RecordBatch};
use super::builder::sorted;
use super::check::{Checks, MAX_REPORTED};
use super::compile::of_soa;
use super::compiled::{Denial, NodeRef, Zone};
use super::edit::Editor;
use super::{Place, ZoneBuilder, ZoneFault};

/// Octets of the five numbers that end an SOA record; the serial is the first (RFC 1035 section 3.3.13).
const SOA_NUMBERS: usize = 20;

impl Zone {
    /// The version without the records `deleted` and with the records `added`, checked as a new zone is. A deleted record is
    /// told by owner, type and RDATA; one that is not there is a fault, for then the difference is to another version.
    pub fn with_changes(
        &self,
        mut deleted: RecordBatch,
        mut added: RecordBatch,
    ) -> Result<Self, Vec<ZoneFault>> {
        let mut checks = Checks::default();
        [&mut deleted, &mut added].into_iter().for_each(|batch| batch.report(&mut checks));
        let mut checks = checks.passed()?;
        if !self.is_plain() || added.hashed().len() > 0 {
            return self.recompiled(&deleted, added, checks);
        }
        let kept = self.records_beside(&deleted, &added, &mut checks);
        let mut checks = checks.passed()?;
        let touched: BTreeSet<Vec<u8>> =
            deleted.entries().chain(added.entries()).map(|entry| entry.key().to_vec()).collect();
        let records = sorted(kept.entries().chain(added.entries()).collect());
        let mut editor = Editor::new(self);
        let mut left = touched;
        for records in records.chunk_by(Entry::is_beside) {
            let Some(first) = records.first() else { continue };
            checks.node(records);
            left.remove(first.key());
            editor.put(self.relative_owner(first), records).map_err(|_| self.too_large())?;
        }
        for entry in deleted.entries().filter(|entry| left.contains(entry.key())) {
            editor.remove(self.relative_owner(&entry)).map_err(|_| self.too_large())?;
        }
        check_dnames(editor.zone(), &records, &mut checks);
        let mut zone = editor.finish().map_err(|_| self.too_large())?;
        zone.take_soa(&mut checks);
        let warnings = checks.finish()?;
        zone.warnings = zone.warnings.iter().cloned().chain(warnings).take(MAX_REPORTED).collect();
        Ok(zone)
    }

    /// The version that differs in the serial of its SOA record alone.
    pub fn with_serial(&self, serial: Serial) -> Result<Self, Vec<ZoneFault>> {
        let (mut deleted, mut added) = (RecordBatch::new(&self.origin), RecordBatch::new(&self.origin));
        let owner = self.origin.as_wire();
        if let Some(soa) = self.apex().set(RecordType::SOA) {
            for rdata in soa.rdata() {
                let mut other = rdata.to_vec();
                let at = other.len().saturating_sub(SOA_NUMBERS);
                if let Some(place) = other.get_mut(at..at + 4) {
                    place.copy_from_slice(&serial.0.to_be_bytes());
                }
                deleted.push(owner, RecordType::SOA, soa.ttl, rdata, Place::default());
                added.push(owner, RecordType::SOA, soa.ttl, &other, Place::default());
            }
        }
        self.with_changes(deleted, added)
    }

    /// Whether names can be changed one by one: nothing depends on all of them.
    pub(super) fn is_plain(&self) -> bool {
        let apex = self.apex();
        matches!(self.denial, Denial::Unsigned)
            && self.others.len() == 0
            && apex.set(RecordType::NSEC).is_none()
    }

    /// The records of all owners that the difference names, but for the deleted ones.
    fn records_beside(&self, deleted: &RecordBatch, added: &RecordBatch, checks: &mut Checks) -> RecordBatch {
        let mut kept = RecordBatch::new(&self.origin);
        let entries = sorted(deleted.entries().chain(added.entries()).collect());
        let mut gone: BTreeSet<_> = deleted.entries().map(identity).collect();
        for first in entries.chunk_by(Entry::is_beside).filter_map(<[_]>::first) {
            let Some(node) = self.node_of(first) else { continue };
            let owner = node.owner();
            for set in node.sets() {
                for rdata in set.rdata().filter(|rdata| !gone.remove(&(first.key(), set.record_type, *rdata)))
                {
                    kept.push(owner.as_wire(), set.record_type, set.ttl, rdata, Place::default());
                }
            }
        }
        check_gone(deleted.entries(), &gone, checks);
        kept
    }

    /// The next version, compiled from all its records.
    fn recompiled(
        &self,
        deleted: &RecordBatch,
        added: RecordBatch,
        mut checks: Checks,
    ) -> Result<Self, Vec<ZoneFault>> {
        let mut gone: BTreeSet<_> = deleted.entries().chain(deleted.hashed()).map(identity).collect();
        let mut all = RecordBatch::new(&self.origin);
        self.for_each_record(|owner, record_type, ttl, rdata| {
            all.push(owner, record_type, ttl, rdata, Place::default());
        });
        let mut builder = ZoneBuilder::new(self.origin.clone());
        let mut left = RecordBatch::new(&self.origin);
        for entry in all.entries().chain(all.hashed()) {
            if !gone.remove(&identity(entry)) {
                left.push_entry(&entry);
            }
        }
        check_gone(deleted.entries().chain(deleted.hashed()), &gone, &mut checks);
        checks.passed()?;
        builder.add(left);
        builder.add(added);
        builder.finish()
    }

    /// Takes the serial and the negative TTL from the apex, which must have SOA and NS records.
    pub(super) fn take_soa(&mut self, checks: &mut Checks) {
        let apex = self.apex();
        let soa = apex.set(RecordType::SOA).and_then(|set| {
            let rdata = set.rdata().next()?;
            let (serial, negative_ttl) = of_soa(rdata, set.ttl);
            Some((serial, negative_ttl, Prepared::new(&self.origin, RecordType::SOA, negative_ttl, rdata)))
        });
        if apex.set(RecordType::NS).is_none() {
            checks.fault(ZoneFault::NoApexNs { origin: self.origin.clone() });
        }
        match soa {
            Some((serial, negative_ttl, prepared)) => {
                (self.serial, self.negative_ttl, self.negative_soa) = (serial, negative_ttl, prepared);
            }
            None => checks.fault(ZoneFault::NoSoa { origin: self.origin.clone() }),
        }
    }

    /// The node of a record's owner.
    pub(super) fn node_of(&self, entry: &Entry<'_>) -> Option<NodeRef<'_>> {
        self.find(&LookupName::from_wire_prefix(entry.owner()).ok()?)
    }

    /// A record's owner without the apex.
    pub(super) fn relative_owner<'b>(&self, entry: &Entry<'b>) -> &'b [u8] {
        let owner = entry.owner();
        owner.get(..owner.len().saturating_sub(self.origin.as_wire().len())).unwrap_or(&[])
    }

    pub(super) fn too_large(&self) -> Vec<ZoneFault> {
        vec![ZoneFault::TooLarge { origin: self.origin.clone() }]
    }
}

/// What tells a record from others: the key of its owner, its type and its RDATA.
type Identity<'b> = (&'b [u8], RecordType, &'b [u8]);

fn identity<'b>(entry: Entry<'b>) -> Identity<'b> {
    (entry.key(), entry.record_type, entry.rdata())
}

/// Faults for the deleted records that were not found.
fn check_gone<'b>(
    deleted: impl Iterator<Item = Entry<'b>>,
    gone: &BTreeSet<Identity<'b>>,
    checks: &mut Checks,
) {
    for entry in deleted.filter(|entry| gone.contains(&identity(*entry))) {
        let (owner, record_type) = (entry.owner_name(), entry.record_type);
        checks.fault(ZoneFault::NotThere { owner, record_type, place: entry.place });
    }
}

/// No name may be below a DNAME (RFC 6672 section 2.4): neither one of these, nor what was there below one of these.
pub(super) fn check_dnames(zone: &Zone, records: &[Entry<'_>], checks: &mut Checks) {
    for entry in records.chunk_by(Entry::is_beside).filter_map(<[_]>::first) {
        let Some(node) = zone.node_of(entry) else { continue };
        let (owner, place) = (entry.owner_name(), entry.place);
        let mut above = std::iter::successors(node.parent(), |node| node.parent());
        if let Some(above) = above.find(|above| above.has_dname()) {
            checks.fault(ZoneFault::BelowDname { owner, dname: above.owner(), place });
        } else if node.has_dname() && node.node.children() > 0 {
            let below = zone.names().map(|(other, _)| other).find(|other| other.is_below(node));
            let below = below.map_or_else(|| owner.clone(), NodeRef::owner);
            checks.fault(ZoneFault::BelowDname { owner: below, dname: owner, place });
        }
    }
}
