//! The answer: query bytes and facts about the transport in, answer bytes out.
//!
//! ```text
//! begin            header, question, OPT, zone    FORMERR; nothing at all for fragments and responses
//!   edns           version, limit, OPT back       BADVERS
//!   tsig           a key is not known here        NOTAUTH
//!   mod            opcode, meta types, class      NOTIMP, FORMERR, REFUSED
//!   chaos          id.server and friends
//!   resolve        lookup, chain                  REFUSED, SERVFAIL
//!     positive     data at a name
//!     alias        CNAME, DNAME                   YXDOMAIN
//!     negative     SOA for NODATA and NXDOMAIN    NXDOMAIN
//!     referral     NS, DS, glue
//!     denial       NSEC and NSEC3 proofs
//!     additional   what the answer names
//!   edns           the options of the OPT that goes back
//!     cookie       made and checked
//!   most_steps     what all this may cost, for tests to hold
//! ```
//!
//! Never does I/O, never allocates, never locks, never panics; time is an argument.
//!
//! Answers hold no more than was asked for in the answer and authority sections: no NS records beside positive
//! answers, one RRset for ANY. The additional section has the addresses that MX, SRV, NS, SVCB and their like lead to,
//! where this server has them. RFC 9460 section 4.1 wants them for SVCB, BIND, NSD and Knot DNS add them by default, and a
//! resolver that trusts them saves a round trip; RFC 2181 section 5.4.1 ranks such data lowest, so a careful resolver asks
//! again. The ceiling of the UDP payload bounds what can be reflected, with or without them.

mod additional;
mod alias;
mod begin;
mod chain;
mod chaos;
mod client;
mod cookie;
mod denial;
mod edns;
mod most_steps;
mod negative;
mod positive;
mod referral;
mod resolve;
mod settings;
mod tsig;
mod verdict;

pub use begin::{PendingAnswer, begin};
pub use client::{Client, Outcome, TransportKind};
pub use cookie::{CookieSecret, CookieSettings};
pub use most_steps::most_steps;
pub use settings::{Identity, Settings};
pub use verdict::rcode;

use crate::wire::{
    CLASS_ANY, CLASS_CH, CLASS_IN, Full, LookupName, Query, QueryFault, Question, RecordType, Writer, flag,
    opcode,
};
use crate::zone::Snapshot;

use cookie::{Cookie, Proof};
use edns::Options;
use verdict::{Verdict, extended_error};

/// Answers one query. `output` holds at least 65,535 octets; what is in it before does not matter.
pub fn answer(
    query: &[u8],
    client: &Client,
    snapshot: &Snapshot,
    settings: &Settings,
    output: &mut [u8],
) -> Outcome {
    let mut name = LookupName::root();
    begin(query, snapshot, &mut name)
        .map_or(Outcome::Ignore, |pending| pending.answer(client, settings, output))
}

impl PendingAnswer<'_> {
    /// The second half of [`answer`].
    pub fn answer(&self, client: &Client, settings: &Settings, output: &mut [u8]) -> Outcome {
        reply(&self.query, client, settings, output, |options, writer| {
            respond(self, options, client, settings, writer)
        })
    }
}

/// The empty answer with TC set that the rate limiter lets slip, so that a real resolver comes back over TCP.
pub fn truncated(query: &[u8], client: &Client, settings: &Settings, output: &mut [u8]) -> Outcome {
    let Some(query) = Query::parse(query) else { return Outcome::Ignore };
    reply(&query, client, settings, output, |options, _| match query.fault {
        None if !options.is_some_and(Options::are_malformed) => {
            Verdict { truncated: true, ..Verdict::default() }
        }
        _ => Verdict::plain(rcode::FORMERR),
    })
}

/// Header, question and OPT around what `respond` writes. `Ignore` only if `output` cannot hold even that.
fn reply(
    query: &Query<'_>,
    client: &Client,
    settings: &Settings,
    output: &mut [u8],
    respond: impl FnOnce(Option<&Options<'_>>, &mut Writer<'_>) -> Verdict,
) -> Outcome {
    let limit = edns::limit(query, client.transport, settings);
    let options = query.edns.as_ref().map(|asked| Options::new(asked, client, settings));
    let Ok(mut writer) = Writer::new(output, limit) else { return Outcome::Ignore };
    if let Some(question) = &query.question
        && writer.question(question.octets, question.name.len()) == Err(Full)
    {
        return Outcome::Ignore;
    }
    writer.set_limit(limit - options.as_ref().map_or(0, |options| options.reserve(settings)));
    let verdict = respond(options.as_ref(), &mut writer);
    writer.set_limit(limit);
    if let Some(options) = &options {
        options.write(&mut writer, query, &verdict, settings, limit);
    }
    if verdict.rcode == rcode::NOTAUTH {
        tsig::refuse(query, &mut writer);
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
fn respond(
    pending: &PendingAnswer<'_>,
    options: Option<&Options<'_>>,
    client: &Client,
    settings: &Settings,
    writer: &mut Writer<'_>,
) -> Verdict {
    let query = &pending.query;
    // Another opcode has another body (NOTIFY, UPDATE, DSO): nothing of it is judged (RFC 8906 section 3.1.4).
    if query.opcode() != opcode::QUERY {
        return Verdict::explained(rcode::NOTIMP, extended_error::NOT_SUPPORTED);
    }
    if let Some(rcode) = fault(query, options) {
        return Verdict::plain(rcode);
    }
    if query.tsig.is_some() {
        return tsig::verdict(query);
    }
    if let Some(rcode) = cookie_first(query, options, client.transport, settings) {
        return Verdict::plain(rcode);
    }
    let Some(question) = &query.question else { return Verdict::plain(rcode::FORMERR) };
    if let Some(verdict) = unanswerable(question) {
        return verdict;
    }
    let dnssec_ok = query.edns.as_ref().is_some_and(|edns| edns.dnssec_ok);
    match question.class {
        CLASS_IN => resolve::resolve(pending, question.record_type, dnssec_ok, writer),
        CLASS_CH => chaos::respond(question, &settings.identity, writer),
        // Class ANY has no authoritative answer (RFC 1035 section 6.2: "the response can never be authoritative").
        CLASS_ANY => Verdict::explained(rcode::REFUSED, extended_error::NOT_SUPPORTED),
        // No zone of another class is served.
        _ => Verdict::explained(rcode::REFUSED, extended_error::NOT_AUTHORITATIVE),
    }
}

/// The RCODE of a message that cannot be read, or whose EDNS cannot.
fn fault(query: &Query<'_>, options: Option<&Options<'_>>) -> Option<u16> {
    match query.fault {
        // A COOKIE may come alone (RFC 7873 section 5.4).
        Some(QueryFault::QuestionCount(0)) if has_cookie(options) => None,
        Some(_) => Some(rcode::FORMERR),
        // The options of another version may have another form.
        None if query.edns.as_ref().is_some_and(|edns| edns.version > edns::VERSION) => Some(rcode::BADVERS),
        None if options.is_some_and(Options::are_malformed) => Some(rcode::FORMERR),
        None => None,
    }
}

fn has_cookie(options: Option<&Options<'_>>) -> bool {
    options.is_some_and(|options| matches!(options.cookie, Cookie::Present { .. }))
}

/// The RCODE of a query that is answered before its question is looked at, for the sake of its COOKIE.
fn cookie_first(
    query: &Query<'_>,
    options: Option<&Options<'_>>,
    transport: TransportKind,
    settings: &Settings,
) -> Option<u16> {
    let Cookie::Present { proof, .. } = options?.cookie else { return None };
    if query.question.is_none() {
        // RFC 7873 section 5.4: without a question, a client learns a server cookie or asks whether its own still holds.
        return Some(if proof == Proof::Invalid { rcode::BADCOOKIE } else { rcode::NOERROR });
    }
    // RFC 7873 sections 5.2.3 and 5.2.4: the operator's choice. Other transports prove the address themselves.
    let required = settings.cookies.as_ref().is_some_and(|cookies| cookies.required);
    (required && transport == TransportKind::Udp && proof != Proof::Valid).then_some(rcode::BADCOOKIE)
}

/// The verdict on a QTYPE that no name has data of: the question and meta types (RFC 6895 section 3.1).
fn unanswerable(question: &Question<'_>) -> Option<Verdict> {
    match question.record_type {
        RecordType::ANY => None,
        // Transfers are not offered here. BIND 9.18 refuses them too when no rule allows them; over UDP, NSD 4.6 and
        // Knot DNS 3.2 say NOTIMP to AXFR, which tells less: no other transport would help.
        RecordType::AXFR | RecordType::IXFR => {
            Some(Verdict::explained(rcode::REFUSED, extended_error::PROHIBITED))
        }
        // NXNAME says in a bitmap that a name does not exist; it is never a question (RFC 9824 section 3.5).
        RecordType(128) => Some(Verdict::explained(rcode::FORMERR, extended_error::INVALID_QUERY_TYPE)),
        // Pseudo-records of a message (RFC 6891, RFC 8945): never a question.
        RecordType::OPT | RecordType::TSIG | RecordType(0) => Some(Verdict::plain(rcode::FORMERR)),
        // TKEY, MAILA, MAILB and numbers without a meaning. NSD and Knot DNS look them up and say NODATA, which
        // a resolver would cache; BIND says NOTIMP to MAILB.
        other if other.is_meta() => Some(Verdict::explained(rcode::NOTIMP, extended_error::NOT_SUPPORTED)),
        _ => None,
    }
}
