//! The portable engine: hickory-server over the same snapshot and the same answer path. In `serve` only this file names
//! hickory; the probes of `health` read answers with hickory-proto.
//!
//! [`Handler`] is a public `RequestHandler`. It runs [`crate::answer`] on the raw query and hands hickory the records of
//! the response, because its interface takes records, not octets: the encoder inside is not reachable. So the responses
//! are the same messages, in other octets where the two compress names differently.
//!
//! What differs from the native engine, because hickory answers before or after the handler:
//! - A query that hickory cannot parse (a name that runs out of the message, two OPT records, a record cut short, the
//!   name or RDATA of a record that we would pass over) gets its FORMERR, without a question and without OPT. So do an ECS option of more octets or bits than its family has, which the
//!   native engine ignores (RFC 7871 section 7.1.2 leaves it open), and a response (QR = 1) that cannot be parsed. These are not counted, and no
//!   limit per source applies to them. Everything else comes to us, also messages with no question or several, and unknown opcodes. A response
//!   that can be parsed is dropped uncounted.
//! - It compresses worse: the first owner does not point at the question, later names may be spelled out, and
//!   each name must fit in full before it is compressed. Where that goes over the client's limit, the response is the
//!   question, TC and OPT, though ours did fit.
//! - Replies leave from the address that the socket is bound to, so a wildcard is refused at the start.
//! - It starts a task for each datagram, as many as come.
//!
//! TCP, TLS, HTTPS and QUIC are not hickory's. Checked in hickory-server 0.26.3: each `register_*` function of its `Server` takes a
//! bound socket and starts a task for every connection that it accepts. It takes an idle timeout, but no limit on the number of
//! connections, on the life of one, or on the time that a write takes, and no code of ours can run between accept and the task.
//! So the modules `worker`, `task_tcp` and `encrypted` of `serve` serve these transports, with caps, timeouts and resets.
//!
//! Allocates per query.

use std::io;
use std::net::SocketAddr;
use std::slice::Iter;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use hickory_proto::ProtoError;
use hickory_proto::op::{Header, HeaderCounts, Message, Metadata, ResponseCode};
use hickory_proto::rr::{Record, RecordType};
use hickory_proto::serialize::binary::{BinDecoder, BinEncoder};
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo, Server};
use hickory_server::zone_handler::{MessageResponse, MessageResponseBuilder, Queries};

use crate::admission::Limits;
use crate::answer;
use crate::telemetry::{Beat, Counters, WorkerCounters, count, keep_beating, locked};
use crate::wire::LookupName;
use crate::wire::octets::{HEADER, MAX_MESSAGE};
use crate::zone::Published;

use super::intake::IntakeSlot;
use super::respond::{Peer, Responder};
use super::shared::{LostListener, Phase, Shared};
use super::traffic::{Traffic, family};
use super::transport::Transport;

/// Octets of the largest UDP message without OPT (RFC 1035 section 4.2.1).
const PLAIN_UDP: u16 = 512;

/// Answers hickory's requests from the published snapshot. The server that has it must run on one thread, because its
/// counters have one writer.
pub struct Handler {
    /// What a request needs, one request at a time; the lock is never held across an await.
    state: Mutex<AnswerState>,
    counters: Counters,
    set: usize,
    /// What is counted of the server's address alone.
    traffic: Arc<Traffic>,
}

struct AnswerState {
    responder: Responder,
    scratch: Vec<u8>,
}

impl Handler {
    /// A handler that counts in this set of the counters, of which it is the only writer.
    pub fn new(
        published: &Arc<Published>,
        answers: Arc<answer::Settings>,
        limits: Option<&Limits>,
        counters: Counters,
        set: usize,
    ) -> Self {
        let limits = limits.map(|limits| (limits, 1));
        let responder = Responder::new(published, answers, limits, counters.clone(), set);
        Self {
            state: Mutex::new(AnswerState { responder, scratch: vec![0; MAX_MESSAGE] }),
            counters,
            set,
            traffic: Arc::default(),
        }
    }

    /// Counts here what is counted of the address alone.
    pub(super) fn with_traffic(self, traffic: Arc<Traffic>) -> Self {
        Self { traffic, ..self }
    }

    /// Hands messages that are no queries to who is in this place.
    pub(super) fn with_intake(self, intake: &IntakeSlot) -> Self {
        let AnswerState { responder, scratch } =
            self.state.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let state = Mutex::new(AnswerState { responder: responder.with_intake(intake), scratch });
        Self { state, ..self }
    }

    /// Runs our answer path. `None` is no response.
    fn respond(&self, request: &Request) -> Option<Result<Response, ProtoError>> {
        let mut state = locked(&self.state);
        let AnswerState { responder, scratch } = &mut *state;
        let mut answering = responder.refresh(Instant::now());
        let length = match request.protocol() {
            Protocol::Udp => {
                let source = request.src().ip();
                answering.received(1);
                let mut name = LookupName::root();
                let datagram = answering.begin(request.as_slice(), source, &mut name);
                let length = answering.finish(&datagram, source, scratch);
                let messages = (request.as_slice(), scratch.get(..length).unwrap_or_default());
                answering.sample(messages, answer::TransportKind::Udp, (request.src(), None));
                length
            }
            _ => {
                let peer = Peer::new(answer::TransportKind::Tcp, request.src().ip());
                answering.message(request.as_slice(), peer, scratch)
            }
        };
        let octets = scratch.get(..length).filter(|octets| !octets.is_empty())?;
        Some(Response::read(octets))
    }

    fn add(&self, add: impl FnOnce(&WorkerCounters)) {
        self.counters.add(self.set, add);
    }
}

/// A response that hickory can encode.
type Encoded<'a> =
    MessageResponse<'a, 'a, Iter<'a, Record>, Iter<'a, Record>, Iter<'a, Record>, Iter<'a, Record>>;

/// A response of ours in hickory's terms.
struct Response {
    message: Message,
    /// The question as we copied it, letter case kept; it may be missing.
    question: Queries,
}

impl Response {
    fn read(octets: &[u8]) -> Result<Self, ProtoError> {
        let mut message = Message::from_vec(octets)?;
        // hickory would write it in front of OPT, and it must stand last (RFC 8945 section 5.1): NOTAUTH says enough.
        message.additionals.retain(|record| record.record_type() != RecordType::TSIG);
        let mut decoder = BinDecoder::new(octets);
        decoder.read_slice(HEADER)?;
        let question = Queries::read(&mut decoder, message.queries.len())?;
        Ok(Self { message, question })
    }

    /// What hickory encodes.
    fn build(&self) -> Encoded<'_> {
        let message = &self.message;
        MessageResponseBuilder::new(&self.question, message.edns.as_ref()).build(
            message.metadata,
            &message.answers,
            &message.authorities,
            &[],
            &message.additionals,
        )
    }

    /// The response, or where hickory's encoding would be larger than this many octets, the empty one with TC. Left
    /// to itself, hickory cuts an RRset in two, loses OPT (RFC 6891 section 7), and knows no limit but the one in our
    /// OPT, not the client's (section 6.2.3).
    fn within(mut self, limit: u16) -> Self {
        let mut octets = Vec::new();
        let mut encoder = BinEncoder::new(&mut octets);
        encoder.set_max_size(limit);
        let message = &self.message;
        let sections = [&message.answers, &message.authorities, &message.additionals];
        let records =
            sections.iter().map(|section| section.len()).sum::<usize>() + usize::from(message.edns.is_some());
        let fits = self.build().destructive_emit(&mut encoder).is_ok_and(|info| {
            let HeaderCounts { answers, authorities, additionals, .. } = info.counts();
            [answers, authorities, additionals].into_iter().map(usize::from).sum::<usize>() == records
        });
        if !fits {
            let message = &mut self.message;
            message.answers.clear();
            message.authorities.clear();
            message.additionals.clear();
            message.metadata.truncation = true;
        }
        self
    }
}

/// The most octets of a UDP response: what the client takes, which is at least 512 and that without OPT (RFC 6891
/// section 6.2.3), and what our OPT says, which is the ceiling of the settings and hickory's own limit.
fn limit(request: &Request, message: &Message) -> u16 {
    match (request.protocol(), &message.edns) {
        (Protocol::Udp, Some(edns)) => request.max_payload().min(edns.max_payload()),
        (Protocol::Udp, None) => PLAIN_UDP,
        _ => u16::MAX,
    }
}

#[async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response_handle: R,
    ) -> ResponseInfo {
        let sent = match self.respond(request) {
            None => return no_response(request),
            Some(Ok(response)) => {
                let limit = limit(request, &response.message);
                let response = response.within(limit);
                response_handle.send_response(response.build()).await
            }
            // Our own response is one that hickory cannot read.
            Some(Err(error)) => {
                tracing::warn!(%error, "hickory cannot read our response");
                let response = MessageResponseBuilder::from_message_request(request)
                    .error_msg(&request.metadata, ResponseCode::ServFail);
                response_handle.send_response(response).await
            }
        };
        match sent {
            Ok(info) => {
                let is_udp = request.protocol() == Protocol::Udp;
                self.add(|counters| {
                    count(&counters.responses);
                    counters.count_sent(!is_udp, request.src().ip().is_ipv6(), 1);
                });
                if is_udp {
                    self.traffic.left(family(request.src().ip()));
                }
                info
            }
            Err(_) => {
                self.add(|counters| count(&counters.send_errors));
                no_response(request)
            }
        }
    }
}

/// What hickory gets when nothing was sent.
fn no_response(request: &Request) -> ResponseInfo {
    let metadata = Metadata::response_from_request(&request.metadata);
    Header { metadata, counts: HeaderCounts::default() }.into()
}

/// One address, its sockets, and who answers there.
pub(super) type Served = (SocketAddr, Vec<std::net::UdpSocket>, Handler);

/// Serves these addresses until told to stop; then answers what was taken. Each has a server of its own, because a handler is not told
/// which address was asked, and what is counted of an address must not be another's.
pub(super) fn run(
    runtime: &tokio::runtime::Runtime,
    addresses: Vec<Served>,
    shared: &Arc<Shared>,
    beat: &Beat,
) {
    let serve = |(address, sockets, handler): Served| async move {
        if let Err(error) = serve(sockets.into_iter(), handler, shared).await {
            shared.lose(LostListener::new(address, Transport::Udp, &error));
        }
    };
    runtime.block_on(async {
        tokio::select! {
            _ = futures_util::future::join_all(addresses.into_iter().map(serve)) => {}
            () = keep_beating(beat.clone()) => {}
        }
    });
}

/// Fails if hickory gives up a socket; it does not say which.
async fn serve(
    sockets: impl Iterator<Item = std::net::UdpSocket>,
    handler: Handler,
    shared: &Shared,
) -> io::Result<()> {
    let mut server = Server::new(handler);
    for socket in sockets {
        server.register_socket(tokio::net::UdpSocket::from_std(socket)?);
    }
    let mut phase = shared.phases();
    tokio::select! {
        ended = server.block_until_done() => return Err(io::Error::other(match ended {
            Ok(()) => "hickory-server ended".to_owned(),
            Err(error) => error.to_string(),
        })),
        // The sender lives in `shared`, so the wait does not fail.
        _ = phase.wait_for(|phase| *phase != Phase::Serve) => {}
    }
    tokio::select! {
        // An error now is about a socket that is going anyway.
        _ = server.shutdown_gracefully() => {}
        _ = phase.wait_for(|phase| *phase == Phase::Quit) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{Edns, MessageType, OpCode, Query};
    use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
    use hickory_proto::rr::rdata::{A, NS};
    use hickory_proto::rr::{Name, RData, RecordType};

    use super::*;

    #[test]
    fn a_response_keeps_header_sections_opt_and_the_letter_case_of_the_question() {
        let name = |text: &str| Name::from_ascii(text).unwrap();
        let mut message = Message::new(4711, MessageType::Response, OpCode::Query);
        message.metadata.authoritative = true;
        message.metadata.recursion_desired = true;
        message.metadata.response_code = ResponseCode::BADVERS;
        message.queries.push(Query::query(name("eXample.org."), RecordType::A));
        message.answers.push(Record::from_rdata(name("example.org."), 60, RData::A(A::new(192, 0, 2, 1))));
        let server = RData::NS(NS(name("ns.example.org.")));
        message.authorities.push(Record::from_rdata(name("example.org."), 3600, server));
        let glue = RData::A(A::new(192, 0, 2, 53));
        message.additionals.push(Record::from_rdata(name("ns.example.org."), 3600, glue));
        let mut edns = Edns::new();
        edns.set_max_payload(1232).set_dnssec_ok(true);
        edns.options_mut().insert(EdnsOption::Unknown(EdnsCode::NSID.into(), b"pop1".to_vec()));
        message.edns = Some(edns);
        let ours = message.to_vec().unwrap();

        let response = Response::read(&ours).unwrap().within(u16::MAX);
        let mut theirs = Vec::new();
        response.build().destructive_emit(&mut BinEncoder::new(&mut theirs)).unwrap();
        assert_eq!(Message::from_vec(&theirs).unwrap(), Message::from_vec(&ours).unwrap());
        assert_eq!(theirs[HEADER..HEADER + 17], ours[HEADER..HEADER + 17]);
        assert!(theirs[HEADER..].starts_with(b"\x07eXample\x03org\x00"));
    }
}
