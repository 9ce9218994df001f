//! What an incremental transfer or an update offers, and what came of it.

use crate::wire::Serial;
use crate::zone::RecordBatch;

/// What leads from one version of a zone to the next, as one difference sequence of RFC 1995 section 4 does.
#[derive(Debug)]
pub struct Difference {
    /// The serial of the version that it is to.
    pub from: Serial,
    /// The serial of the version that it leads to; comes after `from` (RFC 1982 section 3.2).
    pub to: Serial,
    /// The records that go, the old SOA among them. Told by owner, type and RDATA; their TTLs do not count.
    pub deleted: RecordBatch,
    /// The records that come, the new SOA among them.
    pub added: RecordBatch,
}

/// A version that differences led to, in service when this is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its serial.
    pub serial: Serial,
    /// How many records it has.
    pub records: usize,
    /// Whether it survives the end of the process; always, if there is a state directory.
    pub durable: bool,
}
