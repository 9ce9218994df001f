//! A whole zone again, of which little changed: the next version from the records, sharing what is the same.
//!
//! Batches are compared with the version that is served as they come, on the threads that read them; names whose
//! records are the same are only marked. What is left is a difference, and goes its way ([`super::edit`]). So the zone
//! is in memory once, and its changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::wire::Name;

use super::batch::{Entry, RecordBatch};
use super::builder::sorted;
use super::change::check_dnames;
use super::check::Checks;
use super::compiled::Zone;
use super::edit::Editor;
use super::node::{self, Node};
use super::store::NodeId;
use super::{ZoneBuilder, ZoneFault};

/// Of more names than one in this many changed, the zone is compiled anew: cheaper, and without holes.
const FEW: usize = 8;

/// A version that is served, and which of its names were met again.
#[derive(Clone, Debug)]
pub struct Standing {
    zone: Arc<Zone>,
    met: Arc<Met>,
}

/// A bit for each place where a node may begin.
#[derive(Debug)]
struct Met(Box<[AtomicU64]>);

impl Standing {
    /// Begins with nothing met. `None` for a zone that is compiled whole in any case: signed ones are.
    pub fn new(zone: &Arc<Zone>) -> Option<Self> {
        let words = zone.store.places().div_ceil(64);
        let met = Met((0..words).map(|_| AtomicU64::new(0)).collect());
        zone.is_plain().then(|| Self { zone: zone.clone(), met: Arc::new(met) })
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
        let entries: Vec<Entry<'_>> = batch.entries().collect();
        for records in entries.chunk_by(Entry::is_beside) {
            if !self.meet(records, &mut octets, &mut checks) {
                records.iter().for_each(|record| left.push_entry(record));
            }
        }
        batch.hashed().for_each(|record| left.push_entry(&record));
        left.note(checks);
        left
    }

    /// Whether a name has just these records here; then it is marked.
    fn meet(&self, records: &[Entry<'_>], octets: &mut Vec<u8>, checks: &mut Checks) -> bool {
        let Some(node) = records.first().and_then(|first| self.zone.node_of(first)) else { return false };
        let records = sorted(records.to_vec());
        let Some(first) = records.first() else { return false };
        octets.clear();
        node::write(octets, self.zone.relative_owner(first), &records, false);
        if !Node::at(octets).has_records_of(node.node) {
            return false;
        }
        checks.node(&records);
        self.met.set(node.place);
        true
    }

    /// The next version: what was met, and the records that are left, in any number of batches.
    pub(super) fn finish(
        self,
        batches: Vec<RecordBatch>,
        mut checks: Checks,
    ) -> Result<Zone, Vec<ZoneFault>> {
        let left: usize = batches.iter().map(RecordBatch::record_count).sum();
        let signed = batches.iter().any(|batch| batch.hashed().len() > 0)
            || batches.iter().flat_map(RecordBatch::entries).any(|entry| entry.makes_chains());
        if signed || left > self.zone.record_count / FEW {
            return self.compiled(batches, checks);
        }
        let torn = self.torn(&batches);
        let records = sorted(batches.iter().chain([&torn]).flat_map(RecordBatch::entries).collect());
        let mut editor = Editor::new(&self.zone);
        let too_large = |_| self.zone.too_large();
        for records in records.chunk_by(Entry::is_beside) {
            let Some(first) = records.first() else { continue };
            checks.node(records);
            editor.put(self.zone.relative_owner(first), records).map_err(too_large)?;
            if let Some(node) = self.zone.node_of(first) {
                self.met.set(node.place);
            }
        }
        for (node, _) in self.zone.names().filter(|(node, _)| !self.met.has(node.place)) {
            if node.node.set_count() > 0 {
                editor.remove(node.node.owner()).map_err(too_large)?;
            }
        }
        check_dnames(editor.zone(), &records, &mut checks);
        let mut zone = editor.finish().map_err(too_large)?;
        zone.take_soa(&mut checks);
        zone.warnings = checks.finish()?.into();
        Ok(zone)
    }

    /// The records of names that were met in one batch, and of which another one has more.
    fn torn(&self, batches: &[RecordBatch]) -> RecordBatch {
        let mut torn = RecordBatch::new(&self.zone.origin);
        for entry in batches.iter().flat_map(RecordBatch::entries) {
            if let Some(node) = self.zone.node_of(&entry).filter(|node| self.met.has(node.place)) {
                torn.push_node(node);
            }
        }
        torn
    }

    /// The same, compiled from all records.
    fn compiled(self, batches: Vec<RecordBatch>, checks: Checks) -> Result<Zone, Vec<ZoneFault>> {
        checks.passed()?;
        let mut met = RecordBatch::new(&self.zone.origin);
        for (node, _) in self.zone.names().filter(|(node, _)| self.met.has(node.place)) {
            met.push_node(node);
        }
        let mut builder = ZoneBuilder::new(self.zone.origin.clone());
        builder.add(met);
        batches.into_iter().for_each(|batch| builder.add(batch));
        builder.finish()
    }
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
