//! A difference between two versions: the next version from this one, in time and memory of the difference.
//!
//! Differences of incremental transfers (RFC 1995) come here from `publish::apply`, which makes them durable, and changes of
//! the serial. What the difference leaves at the owners it names is an [`Amendment`]; where that cannot be made by itself, the
//! next version is compiled from all its records.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::wire::{Name, RecordType, Serial, canonical_rdata, soa};

use crate::zone::Place;
use crate::zone::ZoneBuilder;
use crate::zone::ZoneFault;
use crate::zone::ZoneWarning;
use crate::zone::compile::batch::RecordBatch;
use crate::zone::compile::check::{Checks, MAX_REPORTED};
use crate::zone::record::entry::{Entry, sorted};
use crate::zone::store::compiled::{NodeRef, Zone};
use crate::zone::version::amendment::Amendment;
use crate::zone::version::effect::Owners;

impl Zone {
    /// The version without the records `deleted` and with the records `added`, checked as a new zone is. A deleted record is
    /// told by owner, type and RDATA, with names in it compared without case; one that is not there is a fault, because then the difference
    /// is to another version.
    pub fn with_changes(&self, deleted: RecordBatch, added: RecordBatch) -> Result<Self, Vec<ZoneFault>> {
        self.with_checked_changes(deleted, added, Checks::default())
    }

    /// The same for a version that was accepted before, as [`ZoneBuilder::of_kept`].
    pub fn with_kept_changes(
        &self,
        deleted: RecordBatch,
        added: RecordBatch,
    ) -> Result<Self, Vec<ZoneFault>> {
        self.with_checked_changes(deleted, added, Checks::of_kept())
    }

    /// The same for a difference that a primary has, as [`ZoneBuilder::received`].
    pub fn with_received_changes(
        &self,
        deleted: RecordBatch,
        added: RecordBatch,
    ) -> Result<Self, Vec<ZoneFault>> {
        self.with_checked_changes(deleted, added, Checks::of_received())
    }

    fn with_checked_changes(
        &self,
        mut deleted: RecordBatch,
        mut added: RecordBatch,
        mut checks: Checks,
    ) -> Result<Self, Vec<ZoneFault>> {
        let builder = ZoneBuilder::judging(self.origin.clone(), checks.fresh());
        [&mut deleted, &mut added].into_iter().for_each(|batch| batch.report(&mut checks));
        let checks = checks.passed()?;
        match self.changed(&deleted, &added, checks)? {
            Some(zone) => Ok(zone),
            None => self.recompiled(&deleted, added, builder),
        }
    }

    /// The version that differs in the serial of its SOA record alone.
    pub fn with_serial(&self, serial: Serial) -> Result<Self, Vec<ZoneFault>> {
        let (mut deleted, mut added) = (RecordBatch::new(&self.origin), RecordBatch::new(&self.origin));
        let owner = self.origin.as_wire();
        if let Some(set) = self.apex().set(RecordType::SOA) {
            for rdata in set.rdata() {
                let mut other = rdata.to_vec();
                soa::set_serial(&mut other, serial);
                deleted.push(owner, RecordType::SOA, set.ttl, rdata, Place::default());
                added.push(owner, RecordType::SOA, set.ttl, &other, Place::default());
            }
        }
        self.with_changes(deleted, added)
    }

    /// The next version, sharing all but what the difference names; `None` if it must be compiled.
    pub(in crate::zone) fn changed(
        &self,
        deleted: &RecordBatch,
        added: &RecordBatch,
        mut checks: Checks,
    ) -> Result<Option<Self>, Vec<ZoneFault>> {
        let mut kept = RecordBatch::new(&self.origin);
        let names = sorted(deleted.entries().chain(added.entries()).collect());
        let hashed = sorted(deleted.hashed().chain(added.hashed()).collect());
        if hashed.iter().any(|entry| self.hash_of(entry).is_none()) {
            return Ok(None);
        }
        let mut gone: BTreeSet<_> = deleted.entries().chain(deleted.hashed()).map(identity).collect();
        keep(&names, |entry| self.node_of(entry), &mut gone, &mut kept);
        keep(&hashed, |entry| self.hashed_node_of(entry), &mut gone, &mut kept);
        if self.others.is_empty() {
            check_gone(deleted.entries().chain(deleted.hashed()), &gone, &mut checks);
            checks = checks.passed()?;
        }
        let left = sorted(kept.entries().chain(added.entries()).collect());
        let hashed_left = sorted(kept.hashed().chain(added.hashed()).collect());
        let names_gone = without(&names, &left).map(|entry| self.relative_owner(&entry)).collect();
        let hashed_gone = without(&hashed, &hashed_left).filter_map(|entry| self.hash_of(&entry)).collect();
        let amendment = Amendment { names: left, names_gone, hashed: hashed_left, hashed_gone };
        let Some(mut zone) = self.amended(&amendment, &mut checks)? else { return Ok(None) };
        let warnings = checks.finish()?;
        // What is odd about the names of the difference was found again, if it still is, and so was all below delegations.
        let entries = names.iter().chain(&hashed).filter(|_| !self.warnings.is_empty());
        let owners: BTreeSet<Name> = entries.map(Entry::owner_name).collect();
        let is_left = |warning: &&ZoneWarning| warning.owner().is_none_or(|owner| !owners.contains(owner));
        let left =
            self.warnings.iter().filter(|warning| !warning.is_below_delegation()).filter(is_left).cloned();
        zone.warnings = left.chain(warnings).take(MAX_REPORTED).collect();
        Ok(Some(zone))
    }

    /// The next version, compiled from all its records.
    fn recompiled(
        &self,
        deleted: &RecordBatch,
        added: RecordBatch,
        mut builder: ZoneBuilder,
    ) -> Result<Self, Vec<ZoneFault>> {
        let mut checks = Checks::default();
        let (mut left, mut named) = (RecordBatch::new(&self.origin), RecordBatch::new(&self.origin));
        let mut owners = Owners::default();
        owners.add(deleted);
        self.for_each_record(|owner, record_type, ttl, rdata| {
            let batch = if owners.contains(owner) { &mut named } else { &mut left };
            batch.push(owner, record_type, ttl, rdata, Place::default());
        });
        let mut gone: BTreeSet<_> = deleted.entries().chain(deleted.hashed()).map(identity).collect();
        for entry in named.entries().chain(named.hashed()) {
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
}

/// What tells a record from others: the key of its owner, its type and its RDATA in canonical form (RFC 4034 section 6.2): a server that
/// makes differences may leave out what differs in the case of names alone, and then deletes a record as it wrote it last.
type Identity<'b> = (&'b [u8], RecordType, Cow<'b, [u8]>);

fn identity<'b>(entry: Entry<'b>) -> Identity<'b> {
    identity_of(entry.key(), entry.record_type, entry.rdata())
}

fn identity_of<'b>(key: &'b [u8], record_type: RecordType, rdata: &'b [u8]) -> Identity<'b> {
    let canonical = canonical_rdata(record_type, rdata);
    (key, record_type, canonical.map_or(Cow::Borrowed(rdata), |canonical| Cow::Owned(canonical.into())))
}

/// Adds what owners had and keep. What is found of `gone` is taken out of it.
fn keep<'z: 'b, 'b>(
    entries: &[Entry<'b>],
    find: impl Fn(&Entry<'b>) -> Option<NodeRef<'z>>,
    gone: &mut BTreeSet<Identity<'b>>,
    kept: &mut RecordBatch,
) {
    for first in entries.chunk_by(Entry::is_beside).filter_map(<[_]>::first) {
        let Some(node) = find(first) else { continue };
        let owner = node.owner();
        for set in node.sets() {
            let mut is_gone = |rdata| gone.remove(&identity_of(first.key(), set.record_type, rdata));
            for rdata in set.rdata().filter(|rdata| !is_gone(rdata)) {
                kept.push(owner.as_wire(), set.record_type, set.ttl, rdata, Place::default());
            }
        }
    }
}

/// The first record of each owner that is not among `others`.
fn without<'b>(entries: &[Entry<'b>], others: &[Entry<'b>]) -> impl Iterator<Item = Entry<'b>> {
    let owners: BTreeSet<_> = others.iter().map(Entry::key).collect();
    let firsts = entries.chunk_by(Entry::is_beside).filter_map(<[_]>::first).copied();
    firsts.filter(move |entry| !owners.contains(entry.key()))
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
