//! The world under test: zones from text, queries as octets, answers from every way there is.

use std::sync::{Arc, OnceLock};

use anyns::answer::{Client, Identity, Outcome, Settings, TransportKind, answer};
use anyns::serve::Engine;
use anyns::wire::{Name, RecordType};
use anyns::zone::{Snapshot, Zone};
use anyns::zonefile::{Limits, ReadError, read_zone};
use hickory_proto::op::Message;
use hickory_proto::rr::RData;

use crate::differences::{Exchange, is_refusal_of_the_parser, is_refused_by_the_parser, reason};
use crate::sockets::Server;

/// The SOA and NS that most zones here begin with: TTL 3600, MINIMUM 300.
pub(crate) const APEX: &str = "@ SOA ns hostmaster 1 7200 900 604800 300\n@ NS ns\nns A 192.0.2.53\n";

/// A DS record's digest of 32 octets.
pub(crate) const DIGEST: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// The zones served and the settings; both stay as they are from the first query on.
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    pub(crate) settings: Settings,
    /// The native engine and hickory's; started by the first query that goes over a socket.
    servers: OnceLock<[Server; 2]>,
}

/// How a query reaches the answer path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By a call of [`answer`].
    Call,
    /// Over a socket of the native engine.
    Native,
    /// Over a socket of the hickory engine.
    Hickory,
}

/// One answer and the way it came.
pub(crate) struct Response {
    pub(crate) way: Way,
    pub(crate) transport: TransportKind,
    pub(crate) octets: Vec<u8>,
    pub(crate) message: Message,
}

/// A world of zones, each an origin and its text.
pub(crate) fn world(zones: &[(&str, &str)]) -> World {
    let zones = zones.iter().map(|(origin, lines)| {
        Arc::new(read(origin, lines).unwrap_or_else(|faults| panic!("{origin}: {faults}")))
    });
    let identity = Identity { instance: "pop1.test".into(), version: Some("anyns test".into()) };
    World {
        snapshot: Snapshot::default().with_changes(zones, &[]).completed(),
        settings: Settings::new(identity),
        servers: OnceLock::new(),
    }
}

/// A zone from master file text, its default TTL 3600 on a line of its own before it.
pub(crate) fn read(origin: &str, text: &str) -> Result<Zone, ReadError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zone");
    std::fs::write(&path, format!("$TTL 3600\n{text}")).unwrap();
    read_zone(&path, &origin.parse().unwrap(), &Limits::default()).map(|read| read.zone)
}

/// A query without EDNS, RD set.
pub(crate) fn query(name: &str, record_type: &str) -> Vec<u8> {
    let class = anyns::wire::CLASS_IN;
    query_of(&name.parse().unwrap(), RecordType::from_text(record_type).unwrap(), class)
}

/// A query of any class.
pub(crate) fn query_of(name: &Name, record_type: RecordType, class: u16) -> Vec<u8> {
    let mut octets = vec![0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    octets.extend_from_slice(name.as_wire());
    octets.extend(record_type.0.to_be_bytes());
    octets.extend(class.to_be_bytes());
    octets
}

/// A query with an OPT record appended: payload size, version, flags, options.
pub(crate) fn with_opt(mut query: Vec<u8>, payload: u16, version: u8, flags: u16, options: &[u8]) -> Vec<u8> {
    query[11] += 1;
    query.extend([0, 0, 41]);
    query.extend(payload.to_be_bytes());
    query.extend([0, version]);
    query.extend(flags.to_be_bytes());
    query.extend((options.len() as u16).to_be_bytes());
    query.extend(options);
    query
}

/// The query with DO set and room enough.
pub(crate) fn with_do(query: Vec<u8>) -> Vec<u8> {
    with_opt(query, 1232, 0, 0x8000, &[])
}

/// Somebody who asks this way.
pub(crate) fn client(transport: TransportKind) -> Client {
    Client { transport, address: [127, 0, 0, 1].into(), time: 0 }
}

impl World {
    /// The native engine and hickory's.
    pub(crate) fn servers(&self) -> &[Server; 2] {
        self.servers.get_or_init(|| {
            [Engine::Native, Engine::Hickory]
                .map(|engine| Server::start(engine, &self.snapshot, &self.settings))
        })
    }

    /// The answer path's own answer, if there is one.
    fn call(&self, query: &[u8], transport: TransportKind) -> Option<Response> {
        let mut output = vec![0xee; 65_535];
        let outcome = answer(query, &client(transport), &self.snapshot, &self.settings, &mut output);
        let Outcome::Reply { length, rcode, truncated } = outcome else { return None };
        output.truncate(length);
        let response = Response::new(Way::Call, transport, output);
        assert_eq!(response.rcode(), rcode);
        assert_eq!(response.tc(), truncated);
        Some(response)
    }
}

/// Asks in every way: by a call, then both engines through their sockets, over UDP and over TCP. The native engine's
/// responses must be the call's octet by octet, hickory's over UDP the same messages; where hickory's differs for a
/// known reason, it is left out.
pub(crate) fn ask(world: &World, query: &[u8]) -> Vec<Response> {
    [TransportKind::Udp, TransportKind::Tcp]
        .into_iter()
        .flat_map(|transport| {
            let call = world.call(query, transport).unwrap_or_else(|| panic!("no answer to {query:?}"));
            assert_eq!(call.octets[..2], query[..2], "the ID");
            let [native, hickory] = over_sockets(world, query, transport);
            assert_eq!(native.octets, call.octets, "the native engine over {transport:?}: {query:?}");
            assert!(hickory.octets.len() <= limit(query, transport), "too long for {query:?}");
            // TCP is the same beside either engine.
            assert!(transport == TransportKind::Udp || hickory.octets == call.octets, "{query:?}");
            let known = difference(query, &call, &hickory);
            [call, native].into_iter().chain(known.is_none().then_some(hickory))
        })
        .collect()
}

fn over_sockets(world: &World, query: &[u8], transport: TransportKind) -> [Response; 2] {
    let [native, hickory] = world.servers();
    [(Way::Native, native), (Way::Hickory, hickory)].map(|(way, server)| {
        let octets = match transport {
            TransportKind::Udp => server.ask_udp(query),
            _ => server.ask_tcp(query),
        };
        Response::new(way, transport, octets)
    })
}

/// Why hickory's message is another one, if it is.
fn difference(query: &[u8], ours: &Response, hickory: &Response) -> Option<&'static str> {
    if hickory.message == ours.message {
        return None;
    }
    let known = reason(&Exchange { query, limit: limit(query, ours.transport), ours, hickory });
    assert!(
        known.is_some(),
        "{:?}: {query:?}\nours    {:?}\nhickory {:?}",
        ours.transport,
        ours.message,
        hickory.message
    );
    known
}

/// The most octets of a response to this query (RFC 6891 section 6.2.3); our ceiling is the default.
fn limit(query: &[u8], transport: TransportKind) -> usize {
    let edns = Message::from_vec(query).ok().and_then(|query| query.edns);
    match transport {
        TransportKind::Udp => usize::from(
            edns.map_or(512, |edns| edns.max_payload().clamp(512, Settings::DEFAULT_UDP_PAYLOAD_CEILING)),
        ),
        _ => 65_535,
    }
}

/// Checks that no way gives an answer, but for hickory's FORMERR to what its parser refuses.
pub(crate) fn ignored(world: &World, query: &[u8]) {
    for transport in [TransportKind::Udp, TransportKind::Tcp] {
        assert!(world.call(query, transport).is_none(), "an answer to {query:?}");
    }
    let [native, hickory] = world.servers();
    native.ignores(query);
    if is_refused_by_the_parser(query) {
        let response = hickory.ask_udp(query);
        assert!(is_refusal_of_the_parser(query, &response), "{query:?} {response:?}");
        hickory.ignores_over_tcp(query);
    } else {
        hickory.ignores(query);
    }
}

/// Asks in every way and makes the assertions on each answer.
pub(crate) fn each(world: &World, query: &[u8], check: impl Fn(&Response)) {
    ask(world, query).iter().for_each(check);
}

/// Asks without EDNS in every way; RCODE, AA and the three sections (as [`Response::section`] writes them) must be
/// these.
pub(crate) fn expect(
    world: &World,
    name: &str,
    record_type: &str,
    rcode: u16,
    aa: bool,
    sections: [&[&str]; 3],
) {
    each(world, &query(name, record_type), |response| {
        let what = format!("{name} {record_type} {:?} {:?}", response.way, response.transport);
        assert_eq!(response.rcode(), rcode, "{what}");
        assert_eq!(response.aa(), aa, "AA of {what}");
        for (index, expected) in sections.iter().enumerate() {
            assert_eq!(response.section(index), *expected, "section {index} of {what}");
        }
    });
}

impl Response {
    fn new(way: Way, transport: TransportKind, octets: Vec<u8>) -> Self {
        let message =
            Message::from_vec(&octets).unwrap_or_else(|error| panic!("{way:?}: {error}: {octets:?}"));
        assert!(!message.metadata.recursion_available && !message.metadata.authentic_data, "{way:?}");
        Self { way, transport, octets, message }
    }

    /// The RCODE, extended bits included.
    pub(crate) fn rcode(&self) -> u16 {
        self.message.metadata.response_code.into()
    }

    pub(crate) fn aa(&self) -> bool {
        self.message.metadata.authoritative
    }

    pub(crate) fn tc(&self) -> bool {
        self.message.metadata.truncation
    }

    /// Records as `owner ttl TYPE rdata`, in the order of the message; 0 answer, 1 authority, 2 additional.
    pub(crate) fn section(&self, index: usize) -> Vec<String> {
        let records = match index {
            0 => &self.message.answers,
            1 => &self.message.authorities,
            _ => &self.message.additionals,
        };
        let text = |data: &RData| match data {
            RData::SOA(soa) => soa.serial.to_string(),
            RData::Unknown { .. } => "?".into(),
            data => data.to_string(),
        };
        records
            .iter()
            .map(|r| format!("{} {} {} {}", r.name, r.ttl, r.record_type(), text(&r.data)))
            .collect()
    }
}
