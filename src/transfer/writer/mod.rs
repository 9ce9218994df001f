//! Responses to AXFR and IXFR, written as they are sent.
//!
//! ```text
//! &Zone -----------> Messages::whole -------\
//! &[&Difference] --> Messages::differences --+--> Iterator of messages, many records in each
//! &Zone -----------> Messages::soa ---------/
//! ```
//!
//! A zone or differences flow in, messages flow out, one at a time: memory is that of one message, whatever the size of the zone.
//! Never does I/O; signs nothing, but leaves room for the signature where there can be one.

mod pack;
mod source;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/writer.rs"]
mod tests;

use crate::publish::Difference;
use crate::transfer::tsig::MOST_UNSIGNED;
use crate::wire::octets::{HEADER, MAX_MESSAGE};
use crate::wire::{Name, OPTION_HEADER, PLAIN_OPT, RecordType, append_opt, append_opt_with, flag, option};
use crate::zone::Zone;

use pack::Packer;
use source::RecordSource;

/// Octets after which a message is full. Up to here each name can be pointed to (RFC 1035 section 4.1.4), so larger messages
/// compress worse; and a message is a unit of fairness between transfers.
const FULL: usize = 16 << 10;

/// What a response repeats of its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The ID.
    pub id: u16,
    /// QNAME in wire form, in the query's case.
    pub name: Vec<u8>,
    /// QTYPE.
    pub record_type: RecordType,
    /// Whether RD was set, which is copied (RFC 5936 section 2.2.1).
    pub is_rd: bool,
    /// Whether there was an OPT record; then the first message has one (RFC 5936 section 2.2.5, RFC 6891 section 6.1.1).
    pub has_opt: bool,
    /// Seconds for an EXPIRE option in it, where one was asked for (RFC 7314 section 4).
    pub expire: Option<u32>,
    /// Octets to leave free at the end of each message: [`super::tsig::Key::record_octets`]. A record that fits a message alone has one without
    /// room: see [`Messages::leaves_room`].
    pub room: usize,
}

impl Reply {
    /// Octets of the OPT record.
    fn opt_octets(&self) -> usize {
        PLAIN_OPT.len() + self.expire.map_or(0, |_| OPTION_HEADER + size_of::<u32>())
    }
}

/// A record that no message can hold beside its question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record of {owner} of type {record_type} with {octets} octets of RDATA fits no message")]
pub struct TooLarge {
    /// Its owner.
    pub owner: Name,
    /// Its type.
    pub record_type: RecordType,
    /// Octets of its RDATA.
    pub octets: usize,
}

/// The messages of one response.
#[derive(Debug)]
pub struct Messages<'z> {
    reply: Reply,
    source: RecordSource<'z>,
    packer: Packer,
    records: u64,
    /// Messages without room since the last one that leaves it.
    without_room: usize,
}

/// Whether a record of a zone can be transferred: a message can hold it beside the question and nothing else.
pub fn can_transfer(zone: &Name, owner: &Name, rdata: &[u8]) -> bool {
    let question = zone.as_wire().len() + 4;
    HEADER + question + owner.as_wire().len() + 10 + rdata.len() <= MAX_MESSAGE
}

impl<'z> Messages<'z> {
    /// The whole zone in canonical order, its SOA record first and last (RFC 5936 section 2.2).
    pub fn whole(zone: &'z Zone, reply: Reply) -> Self {
        Self::new(RecordSource::whole(zone), reply)
    }

    /// The differences in their order, which lead to `zone` (RFC 1995 section 4).
    pub fn differences(zone: &'z Zone, differences: Vec<&'z Difference>, reply: Reply) -> Self {
        Self::new(RecordSource::differences(zone, differences), reply)
    }

    /// The SOA record alone: the answer to an SOA query, and to an IXFR query from the version that is served or a later one.
    pub fn soa(zone: &'z Zone, reply: Reply) -> Self {
        Self::new(RecordSource::soa(zone), reply)
    }

    /// How many records were written so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    fn new(source: RecordSource<'z>, reply: Reply) -> Self {
        Self { reply, source, packer: Packer::default(), records: 0, without_room: 0 }
    }

    /// Whether the last message has room for the signature. One that has not is never the first or the last, and goes unsigned between signed
    /// ones (RFC 8945 section 5.3.1).
    pub fn leaves_room(&self) -> bool {
        self.without_room == 0
    }
}

impl Iterator for Messages<'_> {
    type Item = Result<Vec<u8>, TooLarge>;

    fn next(&mut self) -> Option<Self::Item> {
        let Self { reply, source, packer, records, without_room } = self;
        let first = source.item()?;
        let has_opt = reply.has_opt && *records == 0;
        packer.begin(&reply.name, reply.record_type);
        let room = reply.room + if has_opt { reply.opt_octets() } else { 0 };
        let room = |limit: usize| limit.saturating_sub(room);
        // A record larger than what a message has by choice has a message of its own.
        let leaves_room = packer.push(&first, room(MAX_MESSAGE));
        *without_room = if leaves_room { 0 } else { *without_room + 1 };
        // The first record is an SOA record, and so is the last: a message between them may go unsigned.
        let may_be_unsigned = *records > 0 && *without_room <= MOST_UNSIGNED;
        if !(leaves_room || may_be_unsigned && packer.push(&first, MAX_MESSAGE)) {
            let owner = Name::from_wire(first.owner).unwrap_or_else(|_| Name::root());
            let (record_type, octets) = (first.record_type, first.rdata.len());
            source.close();
            return Some(Err(TooLarge { owner, record_type, octets }));
        }
        *records += 1;
        source.advance();
        while let Some(item) = source.item() {
            if !packer.push(&item, room(FULL)) {
                break;
            }
            *records += 1;
            source.advance();
        }
        let rd = if reply.is_rd { flag::RD } else { 0 };
        let mut message = packer.finish(reply.id, flag::QR | flag::AA | rd);
        match reply.expire.filter(|_| has_opt) {
            Some(seconds) => append_opt_with(&mut message, option::EXPIRE, &seconds.to_be_bytes()),
            None if has_opt => append_opt(&mut message, 0),
            None => {}
        }
        Some(Ok(message))
    }
}
