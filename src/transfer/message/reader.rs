//! A transfer as it comes, message by message.

use crate::publish::Difference;
use crate::wire::octets::is_in_zone;
use crate::wire::{RecordType, Serial};
use crate::zone::RecordBatch;

use super::axfr::Whole;
use super::fault::TransferFault;
use super::ixfr::Steps;
use super::limits::Limits;
use super::query::Asked;
use super::records::{Record, Records};
use super::soa::Soa;

/// Reads one transfer.
#[derive(Debug)]
pub struct TransferReader {
    asked: Asked,
    /// The version that is served here; `None` if the whole zone was asked for.
    from: Option<Serial>,
    limits: Limits,
    octets: u64,
    records: u64,
    messages: u64,
    held: u64,
    record: Record,
    state: State,
}

/// What came so far.
#[derive(Debug)]
enum State {
    /// No record.
    Nothing,
    /// The SOA record; of an IXFR response the second record says what it is (RFC 1995 section 4).
    First(Soa, Box<Record>),
    /// The whole zone comes.
    Whole(Whole),
    /// Differences come.
    Steps(Soa, Box<Steps>),
    /// All came, or there was a fault.
    Over,
}

/// Whether more is due.
#[derive(Debug)]
pub enum Progress {
    /// The transfer goes on in the next message.
    More,
    /// It is complete.
    Done(Outcome),
}

/// What a complete transfer brought.
#[derive(Debug)]
pub enum Outcome {
    /// The whole zone.
    Whole {
        /// The numbers of its SOA record.
        soa: Soa,
        /// All records that [`TransferReader::take_full`] did not give away, the SOA record once.
        batches: Vec<RecordBatch>,
    },
    /// Differences from the version that is served, at least one, each from where the one before it led.
    Differences {
        /// The numbers of the SOA record that they lead to.
        soa: Soa,
        /// In their order.
        differences: Vec<Difference>,
    },
    /// The primary serves the same version, or one that does not come after it: its serial tells which.
    UpToDate {
        /// The numbers of its SOA record.
        soa: Soa,
    },
    /// No differences, and none will come: the whole zone is to be asked for.
    AskWhole(WhyWhole),
}

/// Why the whole zone must be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyWhole {
    /// The primary does not know IXFR, or does not give it: it may have no error for AXFR.
    Rcode(u8),
    /// The differences are larger than the limit, or too many.
    TooLarge,
    /// One SOA record with a newer serial came, and nothing behind it.
    NothingFollowed,
}

impl TransferReader {
    /// A reader of the response to an AXFR query, or to an IXFR query from `from` on.
    pub fn new(asked: Asked, from: Option<Serial>, limits: Limits) -> Self {
        let from = from.filter(|_| asked.record_type == RecordType::IXFR);
        Self {
            asked,
            from,
            limits,
            octets: 0,
            records: 0,
            messages: 0,
            held: 0,
            record: Record::new(),
            state: State::Nothing,
        }
    }

    /// Octets and records that came so far.
    pub fn received(&self) -> (u64, u64) {
        (self.octets, self.records)
    }

    /// Octets that the records so far take in memory at most: while they wait, and once more in the compiled zone.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// The numbers of the SOA record and the batches that are full, where a whole zone comes: they can be compiled while the others
    /// come. Given away once.
    pub fn take_full(&mut self) -> Option<(Soa, Vec<RecordBatch>)> {
        let State::Whole(whole) = &mut self.state else { return None };
        let full = whole.take_full();
        (!full.is_empty()).then(|| (whole.soa(), full))
    }

    /// Whether differences were asked for and one SOA record has come, with a newer serial: nothing may follow (RFC 1995 section 4).
    pub fn is_at_second(&self) -> bool {
        self.from.is_some() && matches!(self.state, State::First(..))
    }

    /// Reads the next message.
    ///
    /// # Errors
    /// What the primary did wrong. The transfer is over then, and nothing of it is left.
    pub fn feed(&mut self, message: &[u8]) -> Result<Progress, TransferFault> {
        let progress = self.read(message);
        if !matches!(progress, Ok(Progress::More)) {
            self.state = State::Over;
        }
        progress
    }

    /// What it means that nothing more comes.
    ///
    /// # Errors
    /// The transfer is incomplete.
    pub fn end(self) -> Result<Outcome, TransferFault> {
        match self.state {
            State::First(..) if self.from.is_some() => Ok(Outcome::AskWhole(WhyWhole::NothingFollowed)),
            _ => Err(TransferFault::Ended { records: self.records }),
        }
    }

    fn read(&mut self, message: &[u8]) -> Result<Progress, TransferFault> {
        self.count(message)?;
        let mut records = match Records::open(message, self.messages, &self.asked) {
            Err(TransferFault::Refused(rcode)) if self.may_ask_whole() => {
                return Ok(Progress::Done(Outcome::AskWhole(WhyWhole::Rcode(rcode))));
            }
            other => other?,
        };
        if records.count() == 0 {
            return Err(TransferFault::EmptyMessage);
        }
        let mut record = std::mem::replace(&mut self.record, Record::new());
        while records.next_into(&mut record)? {
            self.records += 1;
            let most = self.limits.most_records();
            if self.records > most {
                return Err(TransferFault::TooManyRecords(most));
            }
            self.held += held_octets(&record);
            self.check(&record)?;
            if self.take(&record)? {
                // Everything of the last message must have been said.
                return match records.next_into(&mut record)? {
                    true => Err(TransferFault::AfterEnd),
                    false => Ok(Progress::Done(self.outcome())),
                };
            }
        }
        self.record = record;
        if self.messages == 1
            && let Some(soa) = self.is_no_news()
        {
            return Ok(Progress::Done(Outcome::UpToDate { soa }));
        }
        let is_too_large =
            |steps: &Steps| self.held > self.limits.difference_octets || steps.count() > self.limits.steps;
        if matches!(&self.state, State::Steps(_, steps) if is_too_large(steps)) {
            return Ok(Progress::Done(Outcome::AskWhole(WhyWhole::TooLarge)));
        }
        Ok(Progress::More)
    }

    fn count(&mut self, message: &[u8]) -> Result<(), TransferFault> {
        self.messages += 1;
        self.octets += message.len() as u64;
        if self.messages > self.limits.messages {
            return Err(TransferFault::TooManyMessages(self.limits.messages));
        }
        if self.octets > self.limits.octets {
            return Err(TransferFault::TooManyOctets(self.limits.octets));
        }
        Ok(())
    }

    /// Whether an error in the first message may be about IXFR alone: any may, because there are primaries, and what stands before
    /// them, that refuse IXFR and give AXFR. Whether it is about the zone, AXFR tells.
    fn may_ask_whole(&self) -> bool {
        self.from.is_some() && self.messages == 1
    }

    fn check(&self, record: &Record) -> Result<(), TransferFault> {
        let (owner, record_type) = (|| record.owner.to_name(), record.record_type);
        if matches!(self.state, State::Nothing) && (record_type != RecordType::SOA || !self.is_apex(record)) {
            return Err(TransferFault::NoSoaFirst { owner: owner(), record_type });
        }
        if !is_in_zone(record.owner.as_wire(), &self.asked.zone) {
            return Err(TransferFault::OutOfZone { owner: owner(), record_type });
        }
        if record_type == RecordType::SOA && !self.is_apex(record) {
            return Err(TransferFault::SoaNotAtApex { owner: owner() });
        }
        Ok(())
    }

    fn is_apex(&self, record: &Record) -> bool {
        record.owner.as_wire().eq_ignore_ascii_case(self.asked.zone.as_wire())
    }

    /// Takes one record; true if it is the last of the transfer.
    fn take(&mut self, record: &Record) -> Result<bool, TransferFault> {
        match &mut self.state {
            State::Nothing => {
                let soa = Soa::from_rdata(&record.rdata).ok_or(TransferFault::BadSoa)?;
                self.state = match self.from {
                    None => State::Whole(Whole::new(&self.asked.zone, soa, record)),
                    Some(_) => State::First(soa, Box::new(copy(record))),
                };
                Ok(false)
            }
            State::First(soa, first) => {
                let soa = *soa;
                let second = (record.record_type == RecordType::SOA).then(|| Soa::from_rdata(&record.rdata));
                match (second.flatten(), self.from) {
                    (Some(second), Some(from)) if second.serial != soa.serial => {
                        if second.serial != from {
                            return Err(TransferFault::Gap { expected: from, from: second.serial });
                        }
                        let steps = Steps::new(&self.asked.zone, soa.serial, from, record);
                        self.state = State::Steps(soa, Box::new(steps));
                        Ok(false)
                    }
                    _ => {
                        let mut whole = Whole::new(&self.asked.zone, soa, first);
                        let is_last = whole.take(record)?;
                        self.state = State::Whole(whole);
                        Ok(is_last)
                    }
                }
            }
            State::Whole(whole) => whole.take(record),
            State::Steps(_, steps) => steps.take(record),
            State::Over => Err(TransferFault::AfterEnd),
        }
    }

    /// The SOA record of an IXFR response that says by itself that there is nothing new.
    fn is_no_news(&self) -> Option<Soa> {
        match (&self.state, self.from) {
            (State::First(soa, _), Some(from)) if !soa.serial.is_after(from) => Some(*soa),
            _ => None,
        }
    }

    fn outcome(&mut self) -> Outcome {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Steps(soa, steps) => Outcome::Differences { soa, differences: steps.finish() },
            State::Whole(whole) => {
                let (soa, batches) = whole.finish();
                Outcome::Whole { soa, batches }
            }
            // Not reached: only those two end.
            State::Nothing | State::First(..) | State::Over => Outcome::AskWhole(WhyWhole::NothingFollowed),
        }
    }
}

/// Octets that a record takes in memory at most. Names are compressed in a message and not in memory, so its octets there say little.
fn held_octets(record: &Record) -> u64 {
    (NAME_COPIES * record.owner.as_wire().len() + 2 * record.rdata.len() + RECORD_OCTETS) as u64
}

/// How often an owner is held: in its batch, with the key that sorts it, and in the zone.
const NAME_COPIES: usize = 3;
/// What a record has beside them: its head in the batch; its name's node, its place in the index and in the order.
const RECORD_OCTETS: usize = 128;

fn copy(record: &Record) -> Record {
    let mut copy = Record::new();
    copy.owner = record.owner.clone();
    copy.record_type = record.record_type;
    copy.ttl = record.ttl;
    copy.rdata.clone_from(&record.rdata);
    copy
}
