//! The world under test: zones from lines, queries as octets, answers from every way.

use std::sync::Arc;

use anyns::answer::{Client, Identity, Outcome, Settings, Transport, answer};
use anyns::wire::{Name, RecordType};
use anyns::zone::{Place, Record, Snapshot, ZoneBuilder, ZoneFault};
use hickory_proto::op::Message;
use hickory_proto::rr::RData;

/// The SOA and NS that most zones here begin with: TTL 3600, MINIMUM 300.
pub(crate) const APEX: &str = "@ SOA ns 1\n@ NS ns\nns A 192.0.2.53\n";

/// The zones served and the settings.
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    pub(crate) settings: Settings,
}

/// One answer and the way it came.
pub(crate) struct Response {
    pub(crate) transport: Transport,
    pub(crate) octets: Vec<u8>,
    pub(crate) message: Message,
}

/// A world of zones, each an origin and its lines.
pub(crate) fn world(zones: &[(&str, &str)]) -> World {
    let zones = zones.iter().map(|(origin, lines)| {
        let builder = builder(origin, lines);
        Arc::new(builder.finish().unwrap_or_else(|faults| panic!("{origin}: {faults:?}")))
    });
    let identity = Identity { instance: "pop1.test".into(), version: Some("anyns test".into()) };
    World {
        snapshot: Snapshot::default().with_changes(zones, &[]).completed(),
        settings: Settings::new(identity),
    }
}

/// The faults of a zone, as text.
pub(crate) fn faults(origin: &str, lines: &str) -> Vec<ZoneFault> {
    builder(origin, lines).finish().err().unwrap_or_default()
}

/// Lines such as `www A 192.0.2.1` or `www 60 A 192.0.2.1` into a builder; the only reader of zone text here.
pub(crate) fn builder(origin: &str, lines: &str) -> ZoneBuilder {
    let apex: Name = origin.parse().unwrap();
    let name = |text: &str| Name::from_text(text.as_bytes(), &apex).unwrap();
    let mut builder = ZoneBuilder::new(apex.clone());
    for (index, line) in lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let mut words = line.split_whitespace().peekable();
        let owner = name(words.next().unwrap());
        let ttl =
            words.next_if(|word| word.parse::<u32>().is_ok()).map_or(3600, |word| word.parse().unwrap());
        let record_type = RecordType::from_text(words.next().unwrap()).unwrap();
        let words: Vec<&str> = words.collect();
        let rdata = rdata(record_type, &words, &name);
        let place = Place { file: 0, line: index as u32 + 1, column: 1 };
        builder.push(Record { owner, record_type, ttl, rdata: rdata.into() }, place);
    }
    builder
}

fn rdata(record_type: RecordType, words: &[&str], name: &dyn Fn(&str) -> Name) -> Vec<u8> {
    let wire = |index: usize| name(words[index]).as_wire().to_vec();
    let number = |index: usize| words[index].parse::<u16>().unwrap().to_be_bytes().to_vec();
    match record_type {
        _ if words[0] == "\\#" => {
            let hex = words[1..].concat();
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        }
        RecordType::A => words[0].parse::<std::net::Ipv4Addr>().unwrap().octets().into(),
        RecordType::AAAA => words[0].parse::<std::net::Ipv6Addr>().unwrap().octets().into(),
        RecordType::NS | RecordType::CNAME | RecordType::DNAME | RecordType::PTR => wire(0),
        RecordType::MX => [number(0), wire(1)].concat(),
        RecordType::SRV => [number(0), number(1), number(2), wire(3)].concat(),
        RecordType::TXT => {
            words.iter().flat_map(|word| [&[word.len() as u8], word.as_bytes()].concat()).collect()
        }
        RecordType::SOA => {
            let serial: u32 = words[1].parse().unwrap();
            let minimum: u32 = words.get(2).map_or(300, |word| word.parse().unwrap());
            let fields = [serial, 7200, 900, 604_800, minimum];
            let tail = fields.into_iter().flat_map(u32::to_be_bytes).collect();
            [wire(0), name("hostmaster").as_wire().to_vec(), tail].concat()
        }
        // RRSIG: the type it covers, then a signer; the signature itself is not looked into.
        RecordType::RRSIG => {
            let covered = RecordType::from_text(words[0]).unwrap().0.to_be_bytes().to_vec();
            [covered, vec![13, 2, 0, 0, 0, 60, 0, 0, 0, 2, 0, 0, 0, 1, 0, 1], wire(1), vec![9; 64]].concat()
        }
        RecordType::NSEC => [wire(0), vec![0, 1, 0x40]].concat(),
        RecordType::DS => [vec![0, 1, 13, 2], vec![7; 32]].concat(),
        other => panic!("the helper cannot write {other}"),
    }
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
pub(crate) fn client(transport: Transport) -> Client {
    Client { transport, address: [127, 0, 0, 1].into(), time: 0 }
}

/// Asks in every way there is.
pub(crate) fn ask(world: &World, query: &[u8]) -> Vec<Response> {
    [Transport::Udp, Transport::Tcp]
        .into_iter()
        .filter_map(|transport| ask_over(world, query, transport))
        .collect()
}

fn ask_over(world: &World, query: &[u8], transport: Transport) -> Option<Response> {
    let mut output = vec![0xee; 65_535];
    let outcome = answer(query, &client(transport), &world.snapshot, &world.settings, &mut output);
    let Outcome::Reply { length, rcode, truncated } = outcome else { return None };
    let octets = output[..length].to_vec();
    let message = Message::from_vec(&octets).unwrap_or_else(|error| panic!("{error}: {octets:?}"));
    let response = Response { transport, octets, message };
    assert_eq!(response.rcode(), rcode);
    assert_eq!(response.message.metadata.truncation, truncated);
    assert_eq!(response.octets[..2], query[..2], "the ID");
    assert!(!response.message.metadata.recursion_available && !response.message.metadata.authentic_data);
    Some(response)
}

/// Asks in every way and makes the assertions on each answer.
pub(crate) fn each(world: &World, query: &[u8], check: impl Fn(&Response)) {
    let responses = ask(world, query);
    assert!(!responses.is_empty(), "no answer");
    responses.iter().for_each(check);
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
        let what = format!("{name} {record_type} over {:?}", response.transport);
        assert_eq!(response.rcode(), rcode, "{what}");
        assert_eq!(response.aa(), aa, "AA of {what}");
        for (index, expected) in sections.iter().enumerate() {
            assert_eq!(response.section(index), *expected, "section {index} of {what}");
        }
    });
}

impl Response {
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
