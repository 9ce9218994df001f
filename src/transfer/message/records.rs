//! One message of a transfer: its header judged, its records one by one, names decompressed.

use crate::wire::octets::{BadName, FlatName, HEADER, RECORD_FIXED, copy_rdata, u16_at, u32_at};
use crate::wire::{CLASS_IN, RecordType, flag, opcode};

use super::fault::TransferFault;
use super::query::Asked;

/// Reads the answer section of one message.
#[derive(Debug)]
pub(super) struct Records<'m> {
    message: &'m [u8],
    number: u64,
    at: usize,
    /// Records of the answer section, and how many of them were read.
    count: u16,
    read: u16,
}

/// One record, and the memory that the next one is read into.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) owner: FlatName,
    pub(super) record_type: RecordType,
    pub(super) ttl: u32,
    /// Uncompressed.
    pub(super) rdata: Vec<u8>,
    name: FlatName,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            owner: FlatName::ROOT,
            record_type: RecordType(0),
            ttl: 0,
            rdata: Vec::new(),
            name: FlatName::ROOT,
        }
    }
}

impl<'m> Records<'m> {
    /// Judges the header and the question of message `number` (from 1); its flags beside those are not looked at.
    pub(super) fn open(message: &'m [u8], number: u64, asked: &Asked) -> Result<Self, TransferFault> {
        let word = |at| u16_at(message, at).ok_or(TransferFault::Short(message.len()));
        let (id, flags, questions, count) = (word(0)?, word(2)?, word(4)?, word(6)?);
        word(HEADER - 2)?;
        if id != asked.id {
            return Err(TransferFault::OtherId { asked: asked.id, found: id });
        }
        if flags & flag::QR == 0 {
            return Err(TransferFault::NotResponse);
        }
        let opcode = opcode::of_flags(flags);
        if opcode != opcode::QUERY {
            return Err(TransferFault::OtherOpcode(opcode));
        }
        if flags & 0xf != 0 {
            return Err(TransferFault::Refused((flags & 0xf) as u8));
        }
        if flags & flag::TC != 0 {
            return Err(TransferFault::Truncated);
        }
        let mut records = Self { message, number, at: HEADER, count, read: 0 };
        match questions {
            0 if number > 1 => {}
            1 => records.question(asked)?,
            other => return Err(TransferFault::QuestionCount(other)),
        }
        Ok(records)
    }

    /// How many records the header promises.
    pub(super) fn count(&self) -> u16 {
        self.count
    }

    /// Reads the next record; false behind the last one.
    pub(super) fn next_into(&mut self, record: &mut Record) -> Result<bool, TransferFault> {
        if self.read == self.count {
            return Ok(false);
        }
        self.read += 1;
        let bad_name = |fault| self.bad_name(fault);
        let fixed = record.owner.read(self.message, self.at).map_err(bad_name)?;
        let word = |at| u16_at(self.message, at).ok_or_else(|| self.bad_record());
        record.record_type = RecordType(word(fixed)?);
        let class = word(fixed + 2)?;
        record.ttl = u32_at(self.message, fixed + 4).ok_or_else(|| self.bad_record())?;
        let start = fixed + RECORD_FIXED;
        let end = start + usize::from(word(fixed + 8)?);
        if end > self.message.len() {
            return Err(self.bad_record());
        }
        if class != CLASS_IN {
            let (owner, record_type) = (record.owner.to_name(), record.record_type);
            return Err(TransferFault::OtherClass { owner, record_type, class });
        }
        record.rdata.clear();
        let place = (self.message, start, end);
        copy_rdata(place, record.record_type, &mut record.name, &mut record.rdata).map_err(bad_name)?;
        self.at = end;
        Ok(true)
    }

    fn question(&mut self, asked: &Asked) -> Result<(), TransferFault> {
        let mut name = FlatName::ROOT;
        let behind = name.read(self.message, self.at).map_err(|fault| self.bad_name(fault))?;
        let word = |at| u16_at(self.message, at).ok_or_else(|| self.bad_record());
        let (record_type, class) = (RecordType(word(behind)?), word(behind + 2)?);
        let is_asked = name.as_wire().eq_ignore_ascii_case(asked.zone.as_wire());
        if !is_asked || record_type != asked.record_type || class != CLASS_IN {
            return Err(TransferFault::OtherQuestion { name: name.to_name(), record_type });
        }
        self.at = behind + 4;
        Ok(())
    }

    fn bad_record(&self) -> TransferFault {
        TransferFault::BadRecord { message: self.number, record: self.read.into() }
    }

    fn bad_name(&self, fault: BadName) -> TransferFault {
        TransferFault::BadName { message: self.number, record: self.read.into(), fault }
    }
}
