//! One request: judged, and what answers it. No I/O.

use std::net::IpAddr;
use std::sync::Arc;

use crate::publish::Difference;
use crate::transfer::tsig::{Keys, Replies, TsigFault, verify_request};
use crate::transfer::writer::{Messages, Reply};
use crate::wire::octets::{FlatName, HEADER, RECORD_FIXED, put_u16, u16_at, u32_at};
use crate::wire::{
    CLASS_IN, LookupName, Name, Query, RecordType, Serial, append_opt, flag, opcode, option, option_of, rcode,
};
use crate::zone::Zone;

use super::seen::{AskedFor, Sent};
use super::source::{NoVersion, Source};

/// As an octet: its upper bits go into the OPT record.
const BADVERS: u8 = rcode::BADVERS as u8;

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
    Tls,
}

/// What answers a request.
#[derive(Debug)]
pub(super) enum Answer {
    /// Nothing.
    Nothing,
    /// This message, signed already where it must be.
    Message(Vec<u8>),
    /// The messages of this.
    Stream(Box<Stream>),
}

/// A response of one message or many.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) zone: Arc<Zone>,
    pub(super) kind: Content,
    pub(super) reply: Reply,
    pub(super) signer: Option<Replies>,
    pub(super) asked: AskedFor,
    /// The version that the secondary says it has.
    pub(super) from: Option<Serial>,
}

/// What is sent.
#[derive(Debug)]
pub(super) enum Content {
    /// The SOA record alone.
    Soa,
    /// These differences.
    Differences(Vec<Arc<Difference>>),
    /// The whole zone.
    Whole,
}

/// Why a request is refused, for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestFault {
    #[error("no `allow` of {zone} names this client {}", with_key(.key.as_ref()))]
    NotAllowed { zone: Name, key: Option<Name> },
    #[error("{zone} is not served here")]
    NoZone { zone: Name },
    #[error("{zone} belongs to a zone that is configured and not served now: see its status")]
    Absent { zone: Name },
    #[error("the released version of {zone} is not there: see the canaries in the status")]
    Withheld { zone: Name },
    #[error(transparent)]
    Tsig(#[from] TsigFault),
}

fn with_key(key: Option<&Name>) -> String {
    key.map_or_else(|| "without a key".to_owned(), |key| format!("with the key {key}"))
}

impl Content {
    /// What it is called afterwards.
    pub(super) fn sent(&self) -> Sent {
        match self {
            Self::Soa => Sent::Soa,
            Self::Differences(_) => Sent::Differences,
            Self::Whole => Sent::Whole,
        }
    }
}

impl Stream {
    /// The key that signs it.
    pub(super) fn key(&self) -> Option<Name> {
        self.signer.as_ref().map(|signer| signer.key().name().clone())
    }

    /// The messages, not signed yet.
    pub(super) fn messages(&self) -> Messages<'_> {
        let reply = self.reply.clone();
        match &self.kind {
            Content::Soa => Messages::soa(&self.zone, reply),
            Content::Whole => Messages::whole(&self.zone, reply),
            Content::Differences(differences) => {
                let differences = differences.iter().map(AsRef::as_ref).collect();
                Messages::differences(&self.zone, differences, reply)
            }
        }
    }
}

/// Judges a request that is no NOTIFY. `allows` says whether a client with this key may have that of a zone; `now` is in seconds since 1970.
pub(super) fn judge(
    (message, client, transport): (&[u8], IpAddr, Transport),
    (keys, source): (&Keys, &dyn Source),
    allows: impl Fn(&Name, Option<&Name>, AskedFor) -> bool,
    now: u64,
) -> (Answer, Option<RequestFault>) {
    let Some(query) = Query::parse(message) else { return (Answer::Nothing, None) };
    if query.opcode() != opcode::QUERY {
        return (error(message, &query, rcode::NOTIMP, None, now), None);
    }
    let question = match (&query.question, query.fault) {
        (Some(question), None) => question,
        _ => return (error(message, &query, rcode::FORMERR, None, now), None),
    };
    let signer = match verify_request(message, keys, now) {
        Ok(signer) => signer,
        Err(mut refusal) => {
            let mut response = header(message, &query, refusal.rcode());
            refusal.attach(&mut response);
            return (Answer::Message(response), Some(refusal.fault.into()));
        }
    };
    // RFC 6891 section 6.1.3: version 0 is the only one there is.
    if query.edns.is_some_and(|edns| edns.version != 0) {
        return (error(message, &query, BADVERS, signer, now), None);
    }
    let asked = match question.record_type {
        RecordType::SOA => AskedFor::Soa,
        RecordType::IXFR => AskedFor::Ixfr,
        RecordType::AXFR if transport != Transport::Udp => AskedFor::Axfr,
        // RFC 5936 section 4.2: AXFR over UDP is not defined.
        RecordType::AXFR => return (error(message, &query, rcode::FORMERR, signer, now), None),
        _ => return (error(message, &query, rcode::REFUSED, signer, now), None),
    };
    let name = Name::from_wire(question.name).ok().filter(|_| question.class == CLASS_IN);
    let Some(name) = name else {
        return (error(message, &query, rcode::NOTAUTH, signer, now), None);
    };
    let version = source.version_for(&name, client);
    if matches!(version, Err(NoVersion::Absent)) {
        let fault = RequestFault::Absent { zone: name };
        return (error(message, &query, rcode::SERVFAIL, signer, now), Some(fault));
    }
    let key = signer.as_ref().map(|signer| signer.key().name().clone());
    if asked == AskedFor::Soa
        && matches!(version, Err(NoVersion::NotServed))
        && let Some(zone) = zone_above(&name, client, source)
        && allows(zone.origin(), key.as_ref(), asked)
    {
        return (negative(message, &query, (&zone, &name), signer, now), None);
    }
    if matches!(version, Err(NoVersion::NotServed)) {
        let fault = RequestFault::NoZone { zone: name };
        return (error(message, &query, rcode::NOTAUTH, signer, now), Some(fault));
    }
    if !allows(&name, key.as_ref(), asked) {
        let fault = RequestFault::NotAllowed { zone: name, key };
        return (error(message, &query, rcode::REFUSED, signer, now), Some(fault));
    }
    let Ok(zone) = version else {
        // It keeps what it has and asks again.
        let fault = RequestFault::Withheld { zone: name };
        return (error(message, &query, rcode::SERVFAIL, signer, now), Some(fault));
    };
    let from = match asked {
        AskedFor::Ixfr => match serial_of(message, question.octets.len(), question.name) {
            Some(from) => Some(from),
            None => return (error(message, &query, rcode::FORMERR, signer, now), None),
        },
        AskedFor::Soa | AskedFor::Axfr => None,
    };
    let kind = kind(&zone, asked, from, transport, source);
    let reply = Reply {
        id: query.header.id,
        name: question.name.to_vec(),
        record_type: question.record_type,
        is_rd: query.header.flags & flag::RD != 0,
        has_opt: query.edns.is_some(),
        expire: asks_for_expire(message).then(|| seconds_left(&zone, asked, source)).flatten(),
        room: signer.as_ref().map_or(0, |signer| signer.key().record_octets()),
    };
    (Answer::Stream(Box::new(Stream { zone, kind, reply, signer, asked, from })), None)
}

fn kind(
    zone: &Arc<Zone>,
    asked: AskedFor,
    from: Option<Serial>,
    transport: Transport,
    source: &dyn Source,
) -> Content {
    match (asked, from) {
        (AskedFor::Soa, _) => Content::Soa,
        (AskedFor::Axfr, _) | (AskedFor::Ixfr, None) => Content::Whole,
        // Over UDP the SOA record says that there is something new, and that TCP is the way to it (RFC 1995 section 2).
        (AskedFor::Ixfr, Some(_)) if transport == Transport::Udp => Content::Soa,
        (AskedFor::Ixfr, Some(from)) if !zone.serial().is_after(from) => Content::Soa,
        (AskedFor::Ixfr, Some(from)) => {
            let differences = source.differences(zone.origin(), from, zone.serial());
            match differences.filter(|differences| is_worth_it(zone, from, differences)) {
                Some(differences) => Content::Differences(differences),
                None => Content::Whole,
            }
        }
    }
}

/// Whether a request has an empty EXPIRE option (RFC 7314 section 3).
fn asks_for_expire(message: &[u8]) -> bool {
    option_of(message, option::EXPIRE).is_some_and(<[u8]>::is_empty)
}

/// What the EXPIRE option says (RFC 7314 section 4). While that is not known, an SOA response says that nothing is left: it makes no version
/// older that the secondary has. A response to a request for a transfer says nothing then, because a version may go into service by it.
fn seconds_left(zone: &Zone, asked: AskedFor, source: &dyn Source) -> Option<u32> {
    match (source.time_left(zone), asked) {
        (Some(left), _) => Some(u32::try_from(left.as_secs()).unwrap_or(u32::MAX)),
        (None, AskedFor::Soa) => Some(0),
        (None, AskedFor::Ixfr | AskedFor::Axfr) => None,
    }
}

/// Whether differences lead where they must, and are smaller than the zone (RFC 1995 section 5).
fn is_worth_it(zone: &Zone, from: Serial, differences: &[Arc<Difference>]) -> bool {
    let mut at = from;
    let mut records = 0;
    for difference in differences {
        if difference.from != at {
            return false;
        }
        at = difference.to;
        records += difference.deleted.record_count() + difference.added.record_count();
    }
    at == zone.serial() && records <= zone.record_count()
}

/// The serial in the authority section of an IXFR query (RFC 1995 section 3).
fn serial_of(message: &[u8], question: usize, zone: &[u8]) -> Option<Serial> {
    let (answers, authorities) = (u16_at(message, 6)?, u16_at(message, 8)?);
    if (answers, authorities) != (0, 1) {
        return None;
    }
    let mut name = FlatName::ROOT;
    let fixed = name.read(message, HEADER + question).ok()?;
    if u16_at(message, fixed)? != RecordType::SOA.0 || !name.as_wire().eq_ignore_ascii_case(zone) {
        return None;
    }
    let second = name.read(message, fixed + RECORD_FIXED).ok()?;
    let serial = name.read(message, second).ok()?;
    u32_at(message, serial).map(Serial)
}

/// The zone that a name without a zone of its own belongs to; `None` if it is delegated away, or in no zone that is served here.
fn zone_above(name: &Name, client: IpAddr, source: &dyn Source) -> Option<Arc<Zone>> {
    let above = || std::iter::successors(name.parent(), Name::parent);
    // The first that is served, whether this client may have a version of it now or not.
    let first = above().find_map(|above| match source.version_for(&above, client) {
        Err(NoVersion::NotServed) => None,
        version => Some(version.ok()),
    });
    let zone = first??;
    let inside = std::iter::once(name.clone()).chain(above()).take_while(|above| above != zone.origin());
    let is_cut = |name: Name| {
        let node = zone.find(&LookupName::from(&name));
        node.is_some_and(|node| node.set(RecordType::NS).is_some())
    };
    (!inside.into_iter().any(is_cut)).then(|| zone.clone())
}

/// There is no SOA record at a name, and this is that of its zone (RFC 2308 section 2): so clients of updates learn which zone to name.
fn negative(
    message: &[u8],
    query: &Query<'_>,
    (zone, name): (&Zone, &Name),
    signer: Option<Replies>,
    now: u64,
) -> Answer {
    let is_there = zone.find(&LookupName::from(name)).is_some();
    let mut response = header(message, query, if is_there { rcode::NOERROR } else { rcode::NXDOMAIN });
    // Behind the header and the question, before the OPT record.
    let question = query.question.as_ref().map_or(0, |question| question.octets.len());
    let tail = response.split_off((HEADER + question).min(response.len()));
    if let Some((ttl, rdata)) =
        zone.apex().set(RecordType::SOA).and_then(|set| Some((set.ttl, set.rdata().next()?)))
        && let Ok(length) = u16::try_from(rdata.len())
    {
        let flags = u16_at(&response, 2).unwrap_or_default();
        put_u16(&mut response, 2, flags | flag::AA);
        put_u16(&mut response, 8, 1);
        response.extend_from_slice(zone.origin().as_wire());
        response.extend_from_slice(&RecordType::SOA.0.to_be_bytes());
        response.extend_from_slice(&CLASS_IN.to_be_bytes());
        response.extend_from_slice(&ttl.to_be_bytes());
        response.extend_from_slice(&length.to_be_bytes());
        response.extend_from_slice(rdata);
    }
    response.extend_from_slice(&tail);
    if let Some(mut signer) = signer {
        signer.sign(&mut response, now);
    }
    Answer::Message(response)
}

fn error(message: &[u8], query: &Query<'_>, rcode: u8, signer: Option<Replies>, now: u64) -> Answer {
    let mut response = header(message, query, rcode);
    if let Some(mut signer) = signer {
        signer.sign(&mut response, now);
    }
    Answer::Message(response)
}

/// A response without records but OPT: the header, and the question if it can be read.
fn header(message: &[u8], query: &Query<'_>, rcode: u8) -> Vec<u8> {
    let question = query.question.as_ref().map_or(&[][..], |question| question.octets);
    let opcode = u16_at(message, 2).unwrap_or_default() & (flag::OPCODE | flag::RD);
    let flags = flag::QR | opcode | u16::from(rcode & 0xf);
    let mut response = query.header.id.to_be_bytes().to_vec();
    response.extend_from_slice(&flags.to_be_bytes());
    response.extend_from_slice(&[0, u8::from(!question.is_empty()), 0, 0, 0, 0, 0, 0]);
    response.extend_from_slice(question);
    if query.edns.is_some() {
        append_opt(&mut response, rcode.into());
    }
    response
}
