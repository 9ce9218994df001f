//! Differences in a row: each the old SOA record, what goes, the new SOA record, what comes (RFC 1995 section 4).

use crate::publish::Difference;
use crate::wire::{Name, RecordType, Serial};
use crate::zone::{Place, RecordBatch};

use super::fault::TransferFault;
use super::records::Record;
use super::soa::Soa;

/// The differences so far.
#[derive(Debug)]
pub(super) struct Steps {
    zone: Name,
    /// Where they must end.
    last: Serial,
    /// Where the next one must begin.
    at: Serial,
    done: Vec<Difference>,
    open: Part,
}

/// What is being read.
#[derive(Debug)]
enum Part {
    /// Deleted records, of the difference from this serial.
    Deleted(Serial, RecordBatch),
    /// Added records.
    Added(Difference),
    /// Nothing: all has come.
    End,
}

impl Steps {
    /// Begins with the SOA record of the version that is served here.
    pub(super) fn new(zone: &Name, last: Serial, from: Serial, first: &Record) -> Self {
        let mut deleted = RecordBatch::new(zone);
        push(&mut deleted, first);
        Self { zone: zone.clone(), last, at: from, done: Vec::new(), open: Part::Deleted(from, deleted) }
    }

    /// Takes the next record; true if it is the last.
    pub(super) fn take(&mut self, record: &Record) -> Result<bool, TransferFault> {
        if record.record_type == RecordType::SOA {
            let soa = Soa::from_rdata(&record.rdata).ok_or(TransferFault::BadSoa)?;
            return self.soa(soa.serial, record);
        }
        match &mut self.open {
            Part::Deleted(_, batch) => push(batch, record),
            Part::Added(difference) => push(&mut difference.added, record),
            Part::End => return Err(TransferFault::AfterEnd),
        }
        Ok(false)
    }

    /// How many have come whole.
    pub(super) fn count(&self) -> usize {
        self.done.len()
    }

    /// What has come whole.
    pub(super) fn finish(self) -> Vec<Difference> {
        self.done
    }

    fn soa(&mut self, serial: Serial, record: &Record) -> Result<bool, TransferFault> {
        self.open = match std::mem::replace(&mut self.open, Part::End) {
            Part::Deleted(from, deleted) => {
                if !serial.is_after(from) {
                    return Err(TransferFault::Backwards { from, to: serial });
                }
                if serial.is_after(self.last) {
                    return Err(TransferFault::PastEnd { to: serial, last: self.last });
                }
                let mut added = RecordBatch::new(&self.zone);
                push(&mut added, record);
                self.at = serial;
                Part::Added(Difference { from, to: serial, deleted, added })
            }
            Part::Added(difference) => {
                self.done.push(difference);
                if serial != self.at {
                    return Err(TransferFault::Gap { expected: self.at, from: serial });
                }
                if serial == self.last {
                    return Ok(true);
                }
                let mut deleted = RecordBatch::new(&self.zone);
                push(&mut deleted, record);
                Part::Deleted(serial, deleted)
            }
            Part::End => return Err(TransferFault::AfterEnd),
        };
        Ok(false)
    }
}

fn push(batch: &mut RecordBatch, record: &Record) {
    batch.push(record.owner.as_wire(), record.record_type, record.ttl, &record.rdata, Place::default());
}
