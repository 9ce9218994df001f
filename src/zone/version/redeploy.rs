//! A whole zone again, of which little changed: the next version from the records, sharing what is the same.
//!
//! Batches are compared with the version that is served as they come, on the threads that read them; names whose
//! records are the same are only marked. What is left is an [`Amendment`]. So the zone is in memory once, and its changes.
//! Where too much is left, or what is left cannot be judged by itself, the zone is compiled from all its records.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::wire::Name;

use crate::zone::ZoneFault;
use crate::zone::ZoneWarning;
use crate::zone::compile::batch::RecordBatch;
use crate::zone::compile::check::{Checks, MAX_REPORTED};
use crate::zone::denial::link::warn_of_apex;
use crate::zone::record::entry::{Entry, sorted};
use crate::zone::store::blocks::NodeId;
use crate::zone::store::compiled::{NodeRef, Zone};
use crate::zone::store::node::{self, Node};
use crate::zone::version::amendment::Amendment;
use crate::zone::version::whole::compile_whole;

/// Of more names than one in this many changed, the zone is compiled anew: cheaper, and without holes.
const FEW: usize = 8;

/// A version that is served, and which of its names were met again.
#[derive(Clone, Debug)]
pub struct ServedVersion {
    zone: Arc<Zone>,
    met: Arc<Met>,
}

/// A bit for each place where a node may begin.
#[derive(Debug)]
struct Met(Box<[AtomicU64]>);

impl ServedVersion {
    /// Begins with nothing met. `None` for a zone that is compiled whole in any case: one with chains that are not served, or
    /// with something odd about its chains.
    pub fn new(zone: &Arc<Zone>) -> Option<Self> {
        if !zone.others.is_empty() || zone.warnings.iter().any(ZoneWarning::needs_all_records) {
            return None;
        }
        let words = zone.store.places().div_ceil(64);
        let met = Met((0..words).map(|_| AtomicU64::new(0)).collect());
        Some(Self { zone: zone.clone(), met: Arc::new(met) })
    }

    /// The zone.
    pub fn origin(&self) -> &Name {
        self.zone.origin()
    }

    /// Takes names out of a batch whose records are those of this version; sorts it. What names have wrong among
    /// themselves, or odd, stays in the batch.
    pub fn reduce(&self, batch: RecordBatch) -> RecordBatch {
        let mut batch = batch;
        batch.sort();
        let mut left = batch.emptied();
        let (mut checks, mut octets) = (Checks::default(), Vec::new());
        let find = |entry: &Entry<'_>| self.zone.node_of(entry);
        let find_hashed = |entry: &Entry<'_>| self.zone.hashed_node_of(entry);
        let (names, hashed): (Vec<_>, Vec<_>) = (batch.entries().collect(), batch.hashed().collect());
        for records in names.chunk_by(Entry::is_beside) {
            match self.meet(records, find, &mut octets) {
                Some(records) => checks.node(&records),
                None => records.iter().for_each(|record| left.push_entry(record)),
            }
        }
        for records in hashed.chunk_by(Entry::is_beside) {
            if self.meet(records, find_hashed, &mut octets).is_none() {
                records.iter().for_each(|record| left.push_entry(record));
            }
        }
        left.note(checks);
        left
    }

    /// Its records without duplicates, if an owner has just these here; then it is marked.
    fn meet<'z, 'b>(
        &'z self,
        records: &[Entry<'b>],
        find: impl Fn(&Entry<'b>) -> Option<NodeRef<'z>>,
        octets: &mut Vec<u8>,
    ) -> Option<Vec<Entry<'b>>> {
        let node = find(records.first()?)?;
        let records = sorted(records.to_vec());
        octets.clear();
        node::write(octets, self.zone.relative_owner(records.first()?), &records, self.zone.has_hash_room());
        if !Node::at(octets).has_records_of(node.node) {
            return None;
        }
        self.met.set(node.place);
        Some(records)
    }

    /// The next version: what was met, and the records that are left, in any number of batches.
    pub(in crate::zone) fn finish(
        self,
        batches: Vec<RecordBatch>,
        mut checks: Checks,
    ) -> Result<Zone, Vec<ZoneFault>> {
        // A batch that has only some of an owner's records was reduced without those in the others.
        if checks.has_misplaced() {
            let owners: HashSet<Name> =
                self.incomplete(&batches).entries().map(|it| it.owner_name()).collect();
            checks.drop_misplaced(|owner| owners.contains(owner));
        }
        let left: usize = batches.iter().map(RecordBatch::record_count).sum();
        if left > self.zone.record_count / FEW {
            return self.compiled(batches, checks);
        }
        let mut found = checks.clone();
        let Some(mut zone) = self.amended(&batches, &mut found)? else {
            return self.compiled(batches, checks);
        };
        zone.warnings = found.finish()?.into();
        Ok(zone)
    }

    /// The next version, sharing what was met; `None` if it must be compiled.
    fn amended(&self, batches: &[RecordBatch], checks: &mut Checks) -> Result<Option<Zone>, Vec<ZoneFault>> {
        let incomplete = self.incomplete(batches);
        let all = || batches.iter().chain([&incomplete]);
        let names = sorted(all().flat_map(RecordBatch::entries).collect());
        let hashed = sorted(all().flat_map(RecordBatch::hashed).collect());
        let others = firsts(&names).filter_map(|first| self.zone.node_of(first));
        let others = others.chain(firsts(&hashed).filter_map(|first| self.zone.hashed_node_of(first)));
        let others: HashSet<NodeId> = others.map(|node| node.place).collect();
        let is_gone = |node: &NodeRef<'_>| {
            node.node.set_count() > 0 && !self.met.has(node.place) && !others.contains(&node.place)
        };
        let names_gone = self.zone.names().map(|(node, _)| node).filter(is_gone);
        let hashed_gone = self.zone.members().filter(is_gone);
        let amendment = Amendment {
            names_gone: names_gone.map(|node| node.node.owner()).collect(),
            hashed_gone: hashed_gone.filter_map(|node| node.node.hash().copied()).collect(),
            names,
            hashed,
        };
        let Some(zone) = self.zone.amended(&amendment, checks)? else { return Ok(None) };
        if self.met.has(self.zone.apex) {
            let same = self.zone.warnings.iter().filter(|warning| warning.is_of_apex());
            same.for_each(|warning| checks.warn(warning.clone()));
        } else {
            warn_of_apex(&zone, &amendment.names, checks);
        }
        Ok(Some(zone))
    }

    /// The records of owners that were met in one batch, and of which another one has more.
    fn incomplete(&self, batches: &[RecordBatch]) -> RecordBatch {
        let mut incomplete = RecordBatch::new(&self.zone.origin);
        let names =
            batches.iter().flat_map(RecordBatch::entries).filter_map(|entry| self.zone.node_of(&entry));
        let hashed =
            batches.iter().flat_map(RecordBatch::hashed).filter_map(|entry| self.zone.hashed_node_of(&entry));
        names
            .chain(hashed)
            .filter(|node| self.met.has(node.place))
            .for_each(|node| incomplete.push_node(node));
        incomplete
    }

    /// The same, compiled from all records.
    fn compiled(self, batches: Vec<RecordBatch>, checks: Checks) -> Result<Zone, Vec<ZoneFault>> {
        // Of the names that were met; a met name's TTLs are one here.
        let warnings = checks.finish()?;
        let all = self.zone.names().map(|(node, _)| node).chain(self.zone.members());
        let met = all.filter(|node| self.met.has(node.place));
        let mut all = RecordBatch::of_nodes(&self.zone.origin, met);
        all.extend(batches);
        let mut batches = all;
        let mut checks = Checks::default();
        batches.iter_mut().for_each(|batch| batch.report(&mut checks));
        let mut zone = compile_whole(self.zone.origin.clone(), &batches, checks)?;
        // What is odd about a met name is found again, but not where it stands.
        let said: HashSet<String> = warnings.iter().map(ToString::to_string).collect();
        let others = zone.warnings.into_iter().filter(|warning| !said.contains(&warning.to_string()));
        zone.warnings = warnings.into_iter().chain(others).take(MAX_REPORTED).collect();
        Ok(zone)
    }
}

/// The first record of each owner.
fn firsts<'e, 'b>(entries: &'e [Entry<'b>]) -> impl Iterator<Item = &'e Entry<'b>> {
    entries.chunk_by(Entry::is_beside).filter_map(<[_]>::first)
}

impl Met {
    fn set(&self, id: NodeId) {
        if let Some(word) = self.0.get(id.0 as usize / 64) {
            word.fetch_or(1 << (id.0 % 64), Relaxed);
        }
    }

    fn has(&self, id: NodeId) -> bool {
        self.0.get(id.0 as usize / 64).is_some_and(|word| word.load(Relaxed) & 1 << (id.0 % 64) != 0)
    }
}
