//! Where the hickory engine's message may differ from ours, each with its reason; nothing else may.

use std::net::SocketAddr;

use hickory_proto::op::{HeaderCounts, ResponseCode};
use hickory_proto::rr::RecordType;
use hickory_proto::serialize::binary::{BinDecoder, BinEncoder};
use hickory_server::net::xfer::Protocol;
use hickory_server::server::Request;
use hickory_server::zone_handler::{MessageResponseBuilder, Queries};

use crate::world::Response;

/// One query and what was answered to it.
pub(crate) struct Exchange<'a> {
    pub(crate) query: &'a [u8],
    /// The most octets of a response.
    pub(crate) limit: usize,
    pub(crate) ours: &'a Response,
    pub(crate) hickory: &'a Response,
}

/// A difference that is known: its reason, and whether it is this one.
type Difference = (&'static str, fn(&Exchange<'_>) -> bool);

/// All that are known.
const DIFFERENCES: &[Difference] = &[
    // Ours is NOTIMP where the opcode is another one, because then the rest need not make sense to us.
    (
        "hickory-server says FORMERR, header only, to what its parser refuses, before any handler sees it",
        |it| {
            let ours = it.ours.message.metadata.response_code;
            [ResponseCode::FormErr, ResponseCode::NotImp].contains(&ours)
                && is_refusal_of_the_parser(it.query, &it.hickory.octets)
        },
    ),
    ("the same for a record beside OPT, which we pass over without reading its name and RDATA", |it| {
        let count = |at: usize| usize::from(u16::from_be_bytes([it.query[at], it.query[at + 1]]));
        let records = count(6) + count(8) + count(10);
        records > usize::from(it.ours.message.edns.is_some())
            && is_refusal_of_the_parser(it.query, &it.hickory.octets)
    }),
    (
        "it has no TSIG record (RFC 8945 section 5.1: the last one), because hickory would write it in front of OPT",
        |it| {
            let mut expected = it.ours.message.clone();
            expected.additionals.retain(|record| record.record_type() != RecordType::TSIG);
            it.hickory.message == expected && expected.additionals.len() < it.ours.message.additionals.len()
        },
    ),
    ("hickory's encoding of our response would be too long: the question, TC and OPT instead", |it| {
        let mut expected = it.ours.message.clone();
        expected.answers.clear();
        expected.authorities.clear();
        expected.additionals.clear();
        expected.metadata.truncation = true;
        it.hickory.message == expected && is_too_long_for_hickory(it.ours, it.limit)
    }),
];

/// Octets of a message's header (RFC 1035 section 4.1.1).
const HEADER: usize = 12;

/// Whether hickory's parser refuses this query: with a FORMERR that is a header and nothing else, and even if the
/// query says that it is a response.
pub(crate) fn is_refused_by_the_parser(query: &[u8]) -> bool {
    let anybody = SocketAddr::from(([127, 0, 0, 1], 53));
    query.len() >= HEADER && Request::from_bytes(query.into(), anybody, Protocol::Udp).is_err()
}

/// Whether this is the response to such a query.
pub(crate) fn is_refusal_of_the_parser(query: &[u8], response: &[u8]) -> bool {
    is_refused_by_the_parser(query) && response.len() == HEADER && response[3] & 0xf == 1
}

/// Whether hickory-server cannot encode all records of the message in this many octets. It needs more than the
/// result has, because it writes each name in full before it finds that the name can be compressed.
fn is_too_long_for_hickory(Response { octets, message, .. }: &Response, limit: usize) -> bool {
    let mut decoder = BinDecoder::new(octets);
    decoder.read_slice(HEADER).unwrap();
    let question = Queries::read(&mut decoder, message.queries.len()).unwrap();
    let mut encoded = Vec::new();
    let mut encoder = BinEncoder::new(&mut encoded);
    encoder.set_max_size(limit as u16);
    let info = MessageResponseBuilder::new(&question, message.edns.as_ref())
        .build(message.metadata, &message.answers, &message.authorities, [], &message.additionals)
        .destructive_emit(&mut encoder)
        .unwrap();
    let HeaderCounts { answers, authorities, additionals, .. } = info.counts();
    let sections = [&message.answers, &message.authorities, &message.additionals].map(Vec::len);
    let opt = usize::from(message.edns.is_some());
    [answers, authorities, additionals].map(usize::from) != [sections[0], sections[1], sections[2] + opt]
}

/// The reason for a difference, if it is a known one.
pub(crate) fn reason(exchange: &Exchange<'_>) -> Option<&'static str> {
    DIFFERENCES.iter().find(|(_, covers)| covers(exchange)).map(|(reason, _)| *reason)
}
