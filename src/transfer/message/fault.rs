//! What a primary can do wrong in a transfer, each with its name.

use crate::wire::octets::BadName;
use crate::wire::{Name, RecordType, Serial};

/// Why a response is no transfer of the zone that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferFault {
    /// Shorter than a header.
    #[error("a message of {0} octets is shorter than a header")]
    Short(usize),
    /// Not the ID of the request.
    #[error("a message has the ID {found}, the request had {asked}")]
    OtherId {
        /// The request's.
        asked: u16,
        /// The message's.
        found: u16,
    },
    /// QR is not set.
    #[error("the primary sent a query where a response was due")]
    NotResponse,
    /// Another opcode than QUERY.
    #[error("a message has opcode {0}, a transfer has 0")]
    OtherOpcode(u8),
    /// TC is set over TCP, where nothing is truncated.
    #[error("a message is truncated (TC), which cannot be over TCP")]
    Truncated,
    /// The response has an error RCODE.
    #[error("the primary answers {}", rcode_text(*.0))]
    Refused(u8),
    /// No question in the first message, or more than one in any (RFC 5936 section 2.2.1).
    #[error("a message has {0} questions; the first has one, those behind it one or none")]
    QuestionCount(u16),
    /// Another question than was asked.
    #[error("a message answers the question {name} {record_type}, which was not asked")]
    OtherQuestion {
        /// Its name.
        name: Name,
        /// Its type.
        record_type: RecordType,
    },
    /// A record, or the question, cannot be read.
    #[error("record {record} of message {message} runs past the end of the message")]
    BadRecord {
        /// Which message, from 1.
        message: u64,
        /// Which record of it, from 1.
        record: u32,
    },
    /// A name cannot be read: a compression pointer that leads forwards or in a circle, for instance.
    #[error("record {record} of message {message}: {fault}")]
    BadName {
        /// Which message, from 1.
        message: u64,
        /// Which record of it, from 1.
        record: u32,
        /// What is wrong with the name.
        fault: BadName,
    },
    /// A class other than IN.
    #[error("{owner} {record_type} has class {class}, not IN")]
    OtherClass {
        /// The owner.
        owner: Name,
        /// The type.
        record_type: RecordType,
        /// The class.
        class: u16,
    },
    /// A record that does not belong to the zone.
    #[error("{owner} {record_type} is not in the zone")]
    OutOfZone {
        /// The owner.
        owner: Name,
        /// The type.
        record_type: RecordType,
    },
    /// An SOA record below the apex.
    #[error("an SOA record stands at {owner}, which is not the apex")]
    SoaNotAtApex {
        /// The owner.
        owner: Name,
    },
    /// RDATA of an SOA record that cannot be read.
    #[error("an SOA record cannot be read")]
    BadSoa,
    /// The first record is not the SOA record.
    #[error("the first record is {owner} {record_type}, not the SOA record")]
    NoSoaFirst {
        /// Its owner.
        owner: Name,
        /// Its type.
        record_type: RecordType,
    },
    /// The SOA record at the end is not the one of the beginning: the zone changed in between.
    #[error(
        "the SOA record at the end has serial {last}, or other values, than the one at the beginning ({first})"
    )]
    SoaDiffers {
        /// The serial at the beginning.
        first: Serial,
        /// The serial at the end.
        last: Serial,
    },
    /// Records behind the last SOA record.
    #[error("records follow the SOA record that ends the transfer")]
    AfterEnd,
    /// The stream ended, or the primary closed it, before the last SOA record.
    #[error("the transfer ended after {records} records, without the SOA record at the end")]
    Ended {
        /// How many had come.
        records: u64,
    },
    /// A difference does not begin where the last one ended, or not at the version that is served.
    #[error("a difference begins at serial {from}, but {expected} was due")]
    Gap {
        /// Where the one before it ended.
        expected: Serial,
        /// Where it begins.
        from: Serial,
    },
    /// A difference leads to a serial that does not come after the one it begins at (RFC 1982).
    #[error("a difference leads from serial {from} back to {to}")]
    Backwards {
        /// Where it begins.
        from: Serial,
        /// Where it leads.
        to: Serial,
    },
    /// The differences lead past the serial that the response began with.
    #[error("the differences lead to serial {to}, past {last}, which the first SOA record says")]
    PastEnd {
        /// Where they lead.
        to: Serial,
        /// Where they should end.
        last: Serial,
    },
    /// More octets than the limit.
    #[error("more than {0} octets")]
    TooManyOctets(u64),
    /// More records than the limit.
    #[error("more than {0} records")]
    TooManyRecords(u64),
    /// More messages than the limit.
    #[error("more than {0} messages")]
    TooManyMessages(u64),
    /// Many messages without a record: an endless transfer of nothing.
    #[error("a message has no record")]
    EmptyMessage,
}

/// An RCODE by its name.
fn rcode_text(rcode: u8) -> String {
    let name = match rcode {
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED: its access list does not have this address or key",
        9 => "NOTAUTH: it does not serve the zone, or wants another key",
        other => return format!("RCODE {other}"),
    };
    name.to_owned()
}
