//! What an answer says beside its records: RCODE, flags, extended error, the zone that it comes from.

use crate::wire::Serial;
use crate::zone::Zone;

/// The RCODEs of answers, with room for the extended ones.
pub mod rcode {
    use crate::wire::rcode;

    pub use crate::wire::rcode::{BADCOOKIE, BADVERS};

    /// No error (RFC 1035).
    pub const NOERROR: u16 = rcode::NOERROR as u16;
    /// The query cannot be read (RFC 1035).
    pub const FORMERR: u16 = rcode::FORMERR as u16;
    /// The server cannot answer now (RFC 1035).
    pub const SERVFAIL: u16 = rcode::SERVFAIL as u16;
    /// The name does not exist (RFC 1035, RFC 8020).
    pub const NXDOMAIN: u16 = rcode::NXDOMAIN as u16;
    /// This kind of query is not implemented (RFC 1035).
    pub const NOTIMP: u16 = rcode::NOTIMP as u16;
    /// The server does not want to answer this (RFC 1035).
    pub const REFUSED: u16 = rcode::REFUSED as u16;
    /// A DNAME makes the name too long (RFC 6672 section 2.2).
    pub const YXDOMAIN: u16 = rcode::YXDOMAIN as u16;
    /// The query is signed with a key that is not known (RFC 8945 section 5.2.1).
    pub const NOTAUTH: u16 = rcode::NOTAUTH as u16;
}

/// The extended errors that are true here (RFC 8914 section 4, IANA "Extended DNS Error Codes"). The others are for
/// resolvers, or for what this server does not do. 22 (No Reachable Authority) and 23 (Network Error) are for
/// servers that ask other servers in order to answer; this one does not.
pub(super) mod extended_error {
    /// The answer is from a zone that has expired.
    pub(in crate::answer) const STALE_ANSWER: u16 = 3;
    /// Zones are still being loaded, this one perhaps among them.
    pub(in crate::answer) const NOT_READY: u16 = 14;
    /// The server has it, but not for this client.
    pub(in crate::answer) const PROHIBITED: u16 = 18;
    /// No zone served here holds the name.
    pub(in crate::answer) const NOT_AUTHORITATIVE: u16 = 20;
    /// The operation, the type or the class is not supported.
    pub(in crate::answer) const NOT_SUPPORTED: u16 = 21;
    /// The zone is configured, but no version of it could be accepted, or the one that there is has expired.
    pub(in crate::answer) const INVALID_DATA: u16 = 24;
    /// A type that is never a question (RFC 9824 section 3.5).
    pub(in crate::answer) const INVALID_QUERY_TYPE: u16 = 30;
}

/// What an answer says beside its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// See [`rcode`].
    pub(super) rcode: u16,
    /// AA: the owner of the first record, or the question, is in a zone served here (RFC 1035 section 4.1.1).
    pub(super) authoritative: bool,
    /// TC: something that must be there did not fit.
    pub(super) truncated: bool,
    /// An extended error's INFO-CODE (RFC 8914).
    pub(super) extended_error: Option<u16>,
    /// The zone that the answer to QNAME comes from.
    pub(super) zone: Option<Enclosing>,
}

impl Verdict {
    pub(super) fn plain(rcode: u16) -> Self {
        Self { rcode, ..Self::default() }
    }

    pub(super) fn explained(rcode: u16, extended_error: u16) -> Self {
        Self { rcode, extended_error: Some(extended_error), ..Self::default() }
    }
}

/// A zone, as ZONEVERSION tells of it (RFC 9660 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Enclosing {
    /// How many of QNAME's rightmost labels are the zone's name, the root not counted; at most 127.
    pub(super) labels: u8,
    pub(super) serial: Serial,
}

impl Enclosing {
    pub(super) fn of(zone: &Zone) -> Self {
        Self { labels: zone.origin().label_count() as u8, serial: zone.serial() }
    }
}
