//! A whole zone: from its SOA record to the same SOA record (RFC 5936 section 2.2).

use crate::wire::{Name, RecordType};
use crate::zone::{Place, RecordBatch};

use super::fault::TransferFault;
use super::records::Record;
use super::soa::Soa;

/// Octets of owners and RDATA after which the next batch begins: large beside the work of handing one over, small beside a zone, because
/// some are in memory at one time.
const BATCH_OCTETS: usize = 1 << 20;

/// The records of a whole zone so far.
#[derive(Debug)]
pub(super) struct Whole {
    zone: Name,
    soa: Soa,
    soa_rdata: Vec<u8>,
    batches: Vec<RecordBatch>,
    octets: usize,
}

impl Whole {
    /// Begins with the SOA record.
    pub(super) fn new(zone: &Name, soa: Soa, first: &Record) -> Self {
        let batches = vec![RecordBatch::new(zone)];
        let soa_rdata = first.rdata.clone();
        let mut whole = Self { zone: zone.clone(), soa, soa_rdata, batches, octets: 0 };
        whole.push(first);
        whole
    }

    /// Takes the next record; true if it is the last.
    pub(super) fn take(&mut self, record: &Record) -> Result<bool, TransferFault> {
        if record.record_type != RecordType::SOA {
            self.push(record);
            return Ok(false);
        }
        // Names of the SOA record may come in another case, as may its owner.
        if record.rdata.eq_ignore_ascii_case(&self.soa_rdata) {
            return Ok(true);
        }
        let last = Soa::from_rdata(&record.rdata).ok_or(TransferFault::BadSoa)?;
        Err(TransferFault::SoaDiffers { first: self.soa.serial, last: last.serial })
    }

    /// The SOA record's numbers.
    pub(super) fn soa(&self) -> Soa {
        self.soa
    }

    /// Gives away the batches that are full.
    pub(super) fn take_full(&mut self) -> Vec<RecordBatch> {
        let full = self.batches.len().saturating_sub(1);
        self.batches.drain(..full).collect()
    }

    /// The SOA record's numbers, and all records that were not given away.
    pub(super) fn finish(self) -> (Soa, Vec<RecordBatch>) {
        (self.soa, self.batches)
    }

    fn push(&mut self, record: &Record) {
        if self.octets >= BATCH_OCTETS {
            self.batches.push(RecordBatch::new(&self.zone));
            self.octets = 0;
        }
        let owner = record.owner.as_wire();
        self.octets += owner.len() + record.rdata.len();
        if let Some(batch) = self.batches.last_mut() {
            batch.push(owner, record.record_type, record.ttl, &record.rdata, Place::default());
        }
    }
}
