//! The answer: query bytes and facts about the transport in, answer bytes out.
//!
//! ```text
//! wire::Query      header, question, OPT          FORMERR; nothing at all for fragments and responses
//!   edns           version, limit, OPT back       BADVERS
//!   mod            opcode, meta types, class      NOTIMP, FORMERR, REFUSED
//!   chaos          id.server and friends
//!   resolve        zone, lookup, chain            REFUSED, SERVFAIL
//!     positive     data at a name
//!     alias        CNAME, DNAME                   YXDOMAIN
//!     negative     SOA for NODATA and NXDOMAIN    NXDOMAIN
//!     referral     NS, DS, glue
//! ```
//!
//! Never does I/O, never allocates, never locks, never panics. Answers are minimal: beyond glue no additional
//! records are sent. A resolver that has an MX or SRV asks for the addresses anyway unless it trusts additional data,
//! which RFC 2181 section 5.4.1 ranks lowest; what is not sent cannot be reflected or truncated.

mod alias;
mod chaos;
mod edns;
mod negative;
mod positive;
mod referral;
mod resolve;
mod settings;

pub use settings::{Identity, Settings};

use crate::wire::{CLASS_CH, CLASS_IN, Full, Query, Question, RecordType, Writer, flag};
use crate::zone::Snapshot;

/// RCODEs (IANA "DNS RCODEs").
pub mod rcode {
    /// No error (RFC 1035).
    pub const NOERROR: u16 = 0;
    /// The query cannot be read (RFC 1035).
    pub const FORMERR: u16 = 1;
    /// The server cannot answer now (RFC 1035).
    pub const SERVFAIL: u16 = 2;
    /// The name does not exist (RFC 1035, RFC 8020).
    pub const NXDOMAIN: u16 = 3;
    /// This kind of query is not implemented (RFC 1035).
    pub const NOTIMP: u16 = 4;
    /// The server does not want to answer this (RFC 1035).
    pub const REFUSED: u16 = 5;
    /// A DNAME makes the name too long (RFC 6672 section 2.2).
    pub const YXDOMAIN: u16 = 6;
    /// The EDNS version is not known (RFC 6891 section 9).
    pub const BADVERS: u16 = 16;
}

/// What may differ between transports; everything else of an answer is the same on all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP: limited by the requestor's payload size and our ceiling, truncated with TC.
    Udp,
    /// TCP: limited by 65,535 octets.
    Tcp,
}

/// What became of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The first `length` octets of the output are the response.
    Reply {
        /// Octets of the response.
        length: usize,
        /// The RCODE, extended bits included (RFC 6891 section 6.1.3).
        rcode: u16,
        /// Whether TC is set.
        truncated: bool,
    },
    /// No response: shorter than a header, or itself a response (QR = 1).
    Ignore,
}

/// What an answer says beside its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Verdict {
    /// See [`rcode`].
    rcode: u16,
    /// AA: the owner of the first record, or the question, is in a zone served here (RFC 1035 section 4.1.1).
    authoritative: bool,
    /// TC: something that must be there did not fit.
    truncated: bool,
    /// An extended error's INFO-CODE (RFC 8914).
    extended_error: Option<u16>,
}

impl Verdict {
    fn plain(rcode: u16) -> Self {
        Self { rcode, ..Self::default() }
    }
}

/// Answers one query. `output` holds at least 65,535 octets; what is in it before does not matter.
pub fn answer(
    query: &[u8],
    transport: Transport,
    snapshot: &Snapshot,
    settings: &Settings,
    output: &mut [u8],
) -> Outcome {
    let Some(query) = Query::parse(query) else { return Outcome::Ignore };
    reply(&query, transport, settings, output, |writer| respond(&query, snapshot, settings, writer))
}

/// The empty answer with TC set that the rate limiter lets slip, so that a real resolver comes back over TCP.
pub fn truncated(query: &[u8], settings: &Settings, output: &mut [u8]) -> Outcome {
    let Some(query) = Query::parse(query) else { return Outcome::Ignore };
    let verdict = match query.fault {
        Some(_) => Verdict::plain(rcode::FORMERR),
        None => Verdict { truncated: true, ..Verdict::default() },
    };
    reply(&query, Transport::Udp, settings, output, |_| verdict)
}

/// Header, question and OPT around what `respond` writes. `Ignore` only if `output` cannot hold even that.
fn reply(
    query: &Query<'_>,
    transport: Transport,
    settings: &Settings,
    output: &mut [u8],
    respond: impl FnOnce(&mut Writer<'_>) -> Verdict,
) -> Outcome {
    let limit = edns::limit(query, transport, settings);
    let Ok(mut writer) = Writer::new(output, limit) else { return Outcome::Ignore };
    if query.question.as_ref().is_some_and(|question| writer.question(question.octets) == Err(Full)) {
        return Outcome::Ignore;
    }
    writer.set_limit(limit - edns::reserve(query, &settings.identity));
    let verdict = respond(&mut writer);
    writer.set_limit(limit);
    if let Some(asked) = &query.edns {
        edns::write(&mut writer, asked, &verdict, settings);
    }
    // RD is copied (RFC 1035 section 4.1.1); RA, Z, AD and CD are clear, the last two because they mean nothing in an
    // authoritative response (RFC 4035 section 3.1.6).
    let mut flags = flag::QR | query.header.flags & (flag::OPCODE | flag::RD) | verdict.rcode & 0xf;
    flags |= if verdict.authoritative { flag::AA } else { 0 };
    flags |= if verdict.truncated { flag::TC } else { 0 };
    let length = writer.finish(query.header.id, flags);
    Outcome::Reply { length, rcode: verdict.rcode, truncated: verdict.truncated }
}

/// The stages after parsing, in their order.
fn respond(query: &Query<'_>, snapshot: &Snapshot, settings: &Settings, writer: &mut Writer<'_>) -> Verdict {
    // Another opcode has another body (NOTIFY, UPDATE, DSO): nothing of it is judged (RFC 8906 section 3.1.4).
    if query.opcode() != 0 {
        return Verdict::plain(rcode::NOTIMP);
    }
    let (None, Some(question)) = (query.fault, &query.question) else {
        return Verdict::plain(rcode::FORMERR);
    };
    if query.edns.is_some_and(|edns| edns.version > edns::VERSION) {
        return Verdict::plain(rcode::BADVERS);
    }
    if let Some(rcode) = unanswerable(question) {
        return Verdict::plain(rcode);
    }
    let dnssec_ok = query.edns.is_some_and(|edns| edns.dnssec_ok);
    match question.class {
        CLASS_IN => resolve::resolve(question, dnssec_ok, snapshot, writer),
        CLASS_CH => chaos::respond(question, &settings.identity, writer),
        // No zone of another class is served; class ANY (255) has no authoritative answer.
        _ => Verdict::plain(rcode::REFUSED),
    }
}

/// The RCODE for a QTYPE that no name has data of: the question and meta types (RFC 6895 section 3.1).
fn unanswerable(question: &Question<'_>) -> Option<u16> {
    match question.record_type {
        RecordType::ANY => None,
        // Transfers are not offered here. BIND 9.18 refuses them too when no rule allows them; over UDP, NSD 4.6 and
        // Knot DNS 3.2 say NOTIMP to AXFR, which tells less: no other transport would help.
        RecordType::AXFR | RecordType::IXFR => Some(rcode::REFUSED),
        // Pseudo-records of a message (RFC 6891, RFC 8945), and NXNAME (RFC 9824 section 3.5): never a question.
        RecordType::OPT | RecordType::TSIG | RecordType(0 | 128) => Some(rcode::FORMERR),
        // TKEY, MAILA, MAILB and numbers without a meaning. NSD and Knot DNS look them up and say NODATA, which
        // a resolver would cache; BIND says NOTIMP to MAILB.
        other if other.is_meta() => Some(rcode::NOTIMP),
        _ => None,
    }
}
