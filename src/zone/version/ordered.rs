//! A whole zone that comes in canonical order, as transfers do: compiled as it comes, so that no record waits for the last one.
//!
//! Batches flow in, each behind the one before it; what was compiled is dropped at once. Of the records are kept those of the last name,
//! because the next batch may have more of it, and what the choice of a chain looks at: the apex, the first NSEC record, the hashed
//! owners. Faults of a chain name no places: those are in the records that are gone. What does not come in order is given back, with all
//! that came before it.

use crate::wire::{Name, RecordType};

use crate::zone::ZoneFault;
use crate::zone::compile::batch::RecordBatch;
use crate::zone::compile::check::{Checks, NameWalk};
use crate::zone::compile::nodes::Compiler;
use crate::zone::denial::link::{choose, link, may_have_nsec3};
use crate::zone::record::entry::{Entry, sorted};
use crate::zone::store::blocks::Exhausted;
use crate::zone::store::compiled::Zone;

/// The most records of a name of which a batch may bring more, and the most octets of them: they are copied and sorted again with each.
const MOST_OPEN: usize = 1 << 16;
const MOST_OPEN_OCTETS: usize = 16 << 20;

/// What came so far.
#[derive(Debug)]
pub(in crate::zone) struct OrderedZone {
    origin: Name,
    checks: Checks,
    walk: NameWalk,
    /// `None` until the apex is complete: it says whether nodes need room for hashes.
    compiler: Option<Compiler>,
    has_hash_room: bool,
    is_full: bool,
    /// The records of the last name.
    open: RecordBatch,
    /// Those of the apex, and of the first other name with an NSEC record.
    kept: RecordBatch,
    has_nsec: bool,
    /// NSEC3 records and their signatures.
    hashed: Vec<RecordBatch>,
}

impl OrderedZone {
    /// Nothing yet; judged as `checks` are.
    pub(in crate::zone) fn new(origin: &Name, checks: &Checks) -> Self {
        Self {
            origin: origin.clone(),
            checks: checks.fresh(),
            walk: NameWalk::default(),
            compiler: None,
            has_hash_room: false,
            is_full: false,
            open: RecordBatch::new(origin),
            kept: RecordBatch::new(origin),
            has_nsec: false,
            hashed: Vec::new(),
        }
    }

    /// Takes the next records; gives them back if they do not all come behind the names before the last one, or do not begin with the SOA
    /// record. What is known to be wrong with them was taken out.
    pub(in crate::zone) fn add(&mut self, batch: RecordBatch) -> Result<(), RecordBatch> {
        let open = std::mem::replace(&mut self.open, RecordBatch::new(&self.origin));
        let is_next = match open.entries().next() {
            None => batch.entries().any(|entry| entry.record_type == RecordType::SOA),
            Some(last) => batch.entries().all(|entry| !entry.is_before(&last)),
        };
        if !is_next || open.record_count() > MOST_OPEN || open.octets_held() > MOST_OPEN_OCTETS {
            self.open = open;
            return Err(batch);
        }
        let entries = sorted(open.entries().chain(batch.entries()).collect());
        let mut names = entries.chunk_by(Entry::is_beside).peekable();
        while let Some(records) = names.next() {
            match names.peek() {
                Some(_) => self.name(records),
                None => records.iter().for_each(|record| self.open.push_entry(record)),
            }
        }
        if batch.hashed().next().is_some() {
            let mut hashed = RecordBatch::new(&self.origin);
            batch.hashed().for_each(|entry| hashed.push_entry(&entry));
            self.hashed.push(hashed);
        }
        Ok(())
    }

    /// Checks and compiles what is left. `checks` knows what was found before.
    pub(in crate::zone) fn finish(mut self, mut checks: Checks) -> Result<Zone, Vec<ZoneFault>> {
        self.close();
        checks.add(std::mem::take(&mut self.checks));
        if self.compiler.is_none() {
            checks.apex(&self.origin, &[]);
        }
        let mut checks = checks.passed()?;
        let (origin, kept) = (self.origin.clone(), sorted(self.kept.entries().collect()));
        let hashed = sorted(self.hashed.iter().flat_map(RecordBatch::hashed).collect());
        let chosen = choose(&origin, &kept, &hashed, &mut checks);
        let too_large = || vec![ZoneFault::TooLarge { origin: origin.clone() }];
        if self.is_full {
            return Err(too_large());
        }
        let Some(compiler) = self.compiler.take() else { return Err(vec![ZoneFault::NoSoa { origin }]) };
        let mut zone = compiler.finish(origin.clone()).map_err(|fault| vec![fault])?;
        link(&mut zone, chosen, &kept, &hashed, &mut checks).map_err(|Exhausted| too_large())?;
        let count = zone.record_count + hashed.len();
        let warnings = checks.finish()?;
        Ok(zone.closed(count, warnings))
    }

    /// All that came, and what was odd about TTLs, which are one for each RRset by now.
    pub(in crate::zone) fn into_batches(mut self) -> (Vec<RecordBatch>, Checks) {
        let mut batches = std::mem::take(&mut self.hashed);
        batches.push(self.open);
        // The first name has an SOA record.
        if let Some(zone) = self.compiler.take().and_then(|it| it.finish(self.origin.clone()).ok()) {
            batches.extend(RecordBatch::of_nodes(&self.origin, zone.names().map(|(node, _)| node)));
        }
        let mut checks = self.checks.of_ttls();
        if self.is_full {
            checks.fault(ZoneFault::TooLarge { origin: self.origin });
        }
        (batches, checks)
    }

    /// How many records of the last name there are.
    #[cfg(test)]
    pub(in crate::zone) fn open_count(&self) -> usize {
        self.open.record_count()
    }

    /// Takes the last name: no more of it comes.
    fn close(&mut self) {
        let open = std::mem::replace(&mut self.open, RecordBatch::new(&self.origin));
        let entries: Vec<Entry<'_>> = open.entries().collect();
        entries.chunk_by(Entry::is_beside).for_each(|records| self.name(records));
    }

    /// Checks and compiles the next name.
    fn name(&mut self, records: &[Entry<'_>]) {
        if self.compiler.is_none() {
            self.checks.apex(&self.origin, records);
            self.has_hash_room = may_have_nsec3(&self.origin, records);
        }
        let has_nsec = || records.iter().any(|record| record.record_type == RecordType::NSEC);
        if self.compiler.is_none() || (!self.has_nsec && has_nsec()) {
            self.has_nsec = has_nsec();
            records.iter().for_each(|record| self.kept.push_entry(record));
        }
        self.walk.name(&mut self.checks, records);
        let compiler = self.compiler.get_or_insert_with(|| Compiler::new(&self.origin, self.has_hash_room));
        self.is_full |= compiler.name(records) == Err(Exhausted);
    }
}
