//! Scripted requests for zones and what this server sends, one file per RFC in `transfers/sent/`.
//!
//! | key of a case | meaning |
//! | --- | --- |
//! | `section`, `says` | where the expectation comes from, and the expectation in words |
//! | `ask` | requests, sent at once on one connection: `ZONE [CH] TYPE [SERIAL]`, and what is wrong with it: `two-questions`, `trailing`, `no-authority`, `twice`, `other-authority`, `no-soa`, `short-soa` |
//! | `with` | of all requests: `rd`, `edns`, `edns=VERSION`, `expire` (EDNS with an empty EXPIRE option), `key=NAME` (TSIG), `udp` |
//! | `expect` | of each request: `whole N: R records`, `differences` and each as `A>B -R +R` (records without the SOA records), `soa N`, or an RCODE |
//! | `has` | records that stand in the first response |
//! | `messages` | `one` or `many`: how many messages the first response has |
//! | `option` | seconds in the EXPIRE option of the first message of each response; without it there is no such option |
//! | `flags` | exactly these header flags of each message, QR not counted: `aa` by default, none with an RCODE |
//!
//! What holds for every response, without being written down: ID and opcode are those of the request, QR is set; the question stands in
//! the first message as it came, octet by octet, and in no other form later; the authority section is empty; an OPT record is in the first
//! message if the request has one, and nowhere else; no record stands twice in a whole zone, and each is in it; with a key, TSIG verifies,
//! message by message to the last. Nothing follows the response: the answer to a query that is sent behind it comes next.
//! hickory-proto reads every message: a codec that is not the server's.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyns::publish::Difference;
use anyns::transfer::notify::{Allowed, AllowedSource};
use anyns::transfer::primary::{Primary, PrimarySettings, Receivers, Source};
use anyns::transfer::tsig::{Algorithm, Exchange, Key, Keys};
use anyns::wire::{Name, RecordType, Serial};
use anyns::zone::{Place, RecordBatch, Zone};
use anyns::zonefile::{Limits, read_zone};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use serde::Deserialize;

use crate::response::Response;
use crate::transfers::{name, record, soa};

/// How long anything may take on a busy machine.
const BOUND: Duration = Duration::from_secs(20);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The ID of the first request; the next ones follow.
const FIRST_ID: u16 = 0x1001;
/// What is sent behind the requests; no zone has its name.
const FENCE: &[u8] = b"\xfe\xce\0\0\0\x01\0\0\0\0\0\0\x05fence\x07invalid\0\0\x06\0\x01";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    #[allow(dead_code, reason = "for the reader of the file")]
    about: String,
    case: Vec<Case>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    section: String,
    says: String,
    ask: Vec<String>,
    #[serde(default)]
    with: Vec<String>,
    expect: Vec<String>,
    #[serde(default)]
    has: Vec<String>,
    messages: Option<String>,
    option: Option<u32>,
    flags: Option<String>,
}

/// What the primary sends from: zones, and the history of each.
#[derive(Default)]
struct Zones {
    zones: HashMap<Name, Arc<Zone>>,
    history: HashMap<Name, Vec<Arc<Difference>>>,
}

impl Source for Zones {
    fn zone(&self, name: &Name) -> Option<Arc<Zone>> {
        self.zones.get(name).cloned()
    }

    fn differences(&self, name: &Name, from: Serial, _to: Serial) -> Option<Vec<Arc<Difference>>> {
        let history = self.history.get(name)?;
        let first = history.iter().position(|difference| difference.from == from)?;
        Some(history[first..].to_vec())
    }
}

impl Zones {
    fn read(&mut self, origin: &str, path: &Path) {
        let read = read_zone(path, &name(origin), &Limits::default()).unwrap();
        self.zones.insert(name(origin), Arc::new(read.zone));
    }

    /// Leads a zone from one version to the next; records are an owner and the last octet of its address.
    fn change(&mut self, origin: &str, (from, to): (u32, u32), gone: &[(&str, u8)], new: &[(&str, u8)]) {
        let batch = |serial: u32, records: &[(&str, u8)]| {
            let mut batch = RecordBatch::new(&name(origin));
            let mut push = |owner: &str, record_type, wire: &[u8]| {
                let rdata = &wire[name(owner).as_wire().len() + 10..];
                batch.push(name(owner).as_wire(), record_type, 300, rdata, Place::default());
            };
            push(origin, RecordType::SOA, &soa(origin, serial));
            for (owner, last) in records {
                push(owner, RecordType::A, &record(owner, RecordType::A, &[192, 0, 2, *last]));
            }
            batch
        };
        let zone = &self.zones[&name(origin)];
        let changed = zone.with_changes(batch(from, gone), batch(to, new)).unwrap();
        self.zones.insert(name(origin), Arc::new(changed));
        let (from_serial, to_serial) = (Serial(from), Serial(to));
        let (deleted, added) = (batch(from, gone), batch(to, new));
        let difference = Difference { from: from_serial, to: to_serial, deleted, added };
        self.history.entry(name(origin)).or_default().push(Arc::new(difference));
    }
}

fn key(text: &str) -> Key {
    Key::new(name(text), Algorithm::Sha256, b"a secret").unwrap()
}

fn start() -> Primary {
    let mut zones = Zones::default();
    zones.read("example.", &directory().join("example.zone"));
    zones.change("example.", (5, 6), &[("a.example.", 1)], &[("a.example.", 101)]);
    zones.change(
        "example.",
        (6, 7),
        &[("twice.example.", 7)],
        &[("new.example.", 102), ("new.example.", 103)],
    );
    let scratch = tempfile::tempdir().unwrap();
    for (origin, serial, more) in
        [("big.", 1, "$GENERATE 1-3000 host$ A 192.0.2.1\n"), ("small.", 1, ""), ("locked.", 1, "")]
    {
        let path = scratch.path().join("zone");
        let text = format!(
            "$TTL 300\n@ SOA ns.example. host.example. {serial} 1000 100 10000 300\n@ NS ns.big.\nns A 192.0.2.53\n{more}"
        );
        std::fs::write(&path, text.replace("ns.big.", &format!("ns.{origin}"))).unwrap();
        zones.read(origin, &path);
    }
    let many: Vec<String> = (0..20).map(|host| format!("h{host}.small.")).collect();
    let many: Vec<(&str, u8)> = many.iter().map(|owner| (owner.as_str(), 1)).collect();
    zones.change("small.", (1, 2), &[], &many);
    zones.change("small.", (2, 3), &many, &[]);
    let allowed = |keys: Vec<Name>| {
        Allowed(vec![AllowedSource { prefix: "127.0.0.0/8".parse().unwrap(), keys, encrypted: false }])
    };
    let settings = PrimarySettings {
        listen: vec![SocketAddr::new(LOOPBACK, 0)],
        keys: Arc::new(Keys::new([key("hub.")]).unwrap()),
        allowed: allowed(Vec::new()),
        zones: HashMap::from([(name("locked."), allowed(vec![name("hub.")]))]),
        management: vec![LOOPBACK],
        ..PrimarySettings::default()
    };
    Primary::start(settings, Arc::new(zones), Receivers::default()).unwrap()
}

fn directory() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/transfers/sent")
}

/// A request, and what of it is expected again.
struct Request {
    octets: Vec<u8>,
    id: u16,
    question: Vec<u8>,
    has_opt: bool,
    exchange: Option<Exchange>,
}

fn request(ask: &str, with: &[String], id: u16) -> Request {
    let mut words = ask.split_whitespace();
    let zone = words.next().unwrap();
    let (mut class, mut kind, mut serial, mut spoiled) = (1_u16, 0, None, "");
    for word in words {
        match word {
            "CH" => class = 3,
            "AXFR" => kind = 252,
            "IXFR" => kind = 251,
            "SOA" => kind = 6,
            number if number.parse::<u32>().is_ok() => serial = number.parse().ok(),
            word => spoiled = word,
        }
    }
    // The name octet by octet: its case is to come back.
    let labels = zone.trim_end_matches('.').split('.');
    let mut question: Vec<u8> =
        labels.flat_map(|label| [&[label.len() as u8][..], label.as_bytes()].concat()).collect();
    question.push(0);
    question.extend([u16::to_be_bytes(kind), class.to_be_bytes()].concat());
    let authority = match (serial, spoiled) {
        (None, _) | (_, "no-authority") => Vec::new(),
        (Some(serial), "twice") => vec![soa(zone, serial); 2],
        (Some(serial), "other-authority") => vec![soa("other.", serial)],
        (Some(_), "no-soa") => vec![record(zone, RecordType::A, &[192, 0, 2, 1])],
        (Some(_), "short-soa") => vec![record(zone, RecordType::SOA, b"\x02ns\0\x04host\0\0\0")],
        (Some(serial), _) => vec![soa(zone, serial)],
    };
    let asks_expire = with.iter().any(|word| word == "expire");
    let edns = with
        .iter()
        .find_map(|word| Some(word.strip_prefix("edns")?.trim_start_matches('=').parse().unwrap_or(0)))
        .or(asks_expire.then_some(0));
    let questions = if spoiled == "two-questions" { 2 } else { 1 };
    let rd = u8::from(with.iter().any(|word| word == "rd"));
    let counts =
        [questions, 0, authority.len() as u16, u16::from(edns.is_some())].map(u16::to_be_bytes).concat();
    let mut octets = [&id.to_be_bytes()[..], &[rd, 0], &counts, &question.repeat(questions.into())].concat();
    octets.extend(authority.concat());
    let option: &[u8] = if asks_expire { &[0, 9, 0, 0] } else { &[] };
    let opt = |version: u8| [0, 0, 41, 4, 208, 0, version, 0, 0, 0, option.len() as u8];
    octets.extend(edns.map(|version| [&opt(version)[..], option].concat()).iter().flatten());
    if spoiled == "trailing" {
        octets.push(0);
    }
    let exchange = with.iter().find_map(|word| word.strip_prefix("key=")).map(|text| {
        let key = Arc::new(key(text));
        Exchange::sign(&mut octets, &key, now())
    });
    Request { octets, id, question, has_opt: edns.is_some(), exchange }
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// All messages that come before the answer to the fence, in order.
fn exchange(server: SocketAddr, requests: &[Request], is_udp: bool) -> Vec<Vec<u8>> {
    let mut all = requests.iter().map(|request| request.octets.as_slice()).chain([FENCE]);
    let mut responses = Vec::new();
    let mut take = |message: Vec<u8>| {
        let is_fence = message.starts_with(&FENCE[..2]);
        responses.push(message);
        is_fence
    };
    if is_udp {
        let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        socket.set_read_timeout(Some(BOUND)).unwrap();
        socket.connect(server).unwrap();
        all.for_each(|message| assert_eq!(socket.send(message).unwrap(), message.len()));
        let mut buffer = vec![0; 65_535];
        let mut read = || {
            let octets = socket.recv(&mut buffer).unwrap();
            buffer[..octets].to_vec()
        };
        while !take(read()) {}
    } else {
        let mut stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        let framed = |message: &[u8]| [&(message.len() as u16).to_be_bytes()[..], message].concat();
        stream.write_all(&all.by_ref().flat_map(framed).collect::<Vec<u8>>()).unwrap();
        let mut read = || {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut message = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut message).unwrap();
            message
        };
        while !take(read()) {}
    }
    responses.pop();
    responses
}

/// What one response is: in words, its records, and its messages.
struct Found {
    outcome: String,
    /// Seconds in the EXPIRE option.
    option: Option<u32>,
    records: Vec<String>,
    messages: usize,
}

/// Reads the messages of one response; what is wrong with them against what holds for every response.
fn read(request: &mut Request, messages: &[Vec<u8>], flags: Option<&str>) -> Result<Found, String> {
    let mut records = Vec::new();
    let (mut rcode, mut option) = (String::new(), None);
    for (index, octets) in messages.iter().enumerate() {
        let response = Response::read(octets)?;
        let is_first = index == 0;
        rcode = response.rcode();
        let wanted = flags.unwrap_or(if rcode == "NOERROR" { "aa" } else { "" });
        let questions = u16::from_be_bytes([octets[4], octets[5]]);
        let repeats = octets[12..].starts_with(&request.question);
        let has_opt = response.message.edns.is_some();
        let edns = response.message.edns.as_ref().filter(|_| is_first);
        option = option.or(match edns.and_then(|edns| edns.option(EdnsCode::Expire)) {
            Some(EdnsOption::Unknown(_, octets)) => octets.as_slice().try_into().ok().map(u32::from_be_bytes),
            _ => None,
        });
        let faults = [
            (octets[2] & 0x80 == 0, "QR is not set"),
            (octets[2] & 0x78 != 0, "the opcode is another"),
            (response.flags() != wanted, "the flags are others"),
            (questions > 1 || (questions == 1 && !repeats), "the question is another"),
            (is_first && questions == 0 && rcode != "FORMERR", "the first message has no question"),
            (!response.section(1).is_empty(), "the authority section is not empty"),
            (has_opt != (is_first && request.has_opt), "the OPT record is not where it belongs"),
            (octets.len() > 65_535, "the message is too long"),
        ];
        if let Some((_, fault)) = faults.iter().find(|(is_wrong, _)| *is_wrong) {
            return Err(format!("message {index}: {fault}: {}", response.flags()));
        }
        // An error of TSIG itself is not signed (RFC 8945 section 5.3.2).
        if let Some(exchange) = request.exchange.as_mut().filter(|_| rcode != "NOTAUTH") {
            exchange.verify(octets, now()).map_err(|fault| format!("message {index}: {fault}"))?;
        }
        records.extend(response.message.answers.iter().map(crate::response::line));
    }
    if let Some(exchange) = request.exchange.as_ref().filter(|_| rcode == "NOERROR") {
        exchange.finish().map_err(|fault| fault.to_string())?;
    }
    let outcome = if rcode == "NOERROR" { outcome(&records)? } else { rcode };
    Ok(Found { outcome, option, records, messages: messages.len() })
}

/// The serial of an SOA record.
fn serial(record: &str) -> Option<&str> {
    let mut words = record.split(' ').skip(2);
    words.next().filter(|word| *word == "SOA")?;
    words.nth(2)
}

fn outcome(records: &[String]) -> Result<String, String> {
    let first =
        records.first().and_then(|record| serial(record)).ok_or("the first record is no SOA record")?;
    let [_, middle @ .., last] = records else { return Ok(format!("soa {first}")) };
    if records.first() != Some(last) {
        return Err(format!("the last record is not the first: {last}"));
    }
    if middle.first().and_then(|record| serial(record)).is_none() {
        let all: BTreeSet<&String> = middle.iter().collect();
        let apex = records[0].split(' ').next().unwrap_or_default().to_ascii_lowercase();
        let is_inside = |record: &&String| {
            let owner = record.split(' ').next().unwrap_or_default().to_ascii_lowercase();
            owner == apex || owner.ends_with(&format!(".{apex}"))
        };
        return match (all.len() == middle.len(), middle.iter().find(|record| !is_inside(record))) {
            (false, _) => Err("a record stands twice".to_owned()),
            (true, Some(record)) => Err(format!("{record} is not in the zone")),
            (true, None) if middle.iter().any(|record| serial(record).is_some()) => {
                Err("an SOA record in the middle".to_owned())
            }
            (true, None) => Ok(format!("whole {first}: {} records", records.len() - 1)),
        };
    }
    let mut text = "differences".to_owned();
    let mut rest = middle;
    while let Some((from, after)) = rest.split_first() {
        let count = |records: &[String]| records.iter().take_while(|record| serial(record).is_none()).count();
        let from = serial(from).ok_or("a difference does not begin with an SOA record")?;
        let gone = count(after);
        let to =
            after.get(gone).and_then(|record| serial(record)).ok_or("a difference has no second half")?;
        let new = count(&after[gone + 1..]);
        text.push_str(&format!(" {from}>{to} -{gone} +{new}"));
        rest = &after[gone + 1 + new..];
    }
    Ok(text)
}

/// What is wrong with the responses of a case.
fn faults(server: SocketAddr, case: &Case) -> Vec<String> {
    let ids = FIRST_ID..;
    let mut requests: Vec<Request> =
        ids.zip(&case.ask).map(|(id, ask)| request(ask, &case.with, id)).collect();
    let is_udp = case.with.iter().any(|word| word == "udp");
    let messages = exchange(server, &requests, is_udp);
    let mut faults = Vec::new();
    let mut rest = messages.as_slice();
    for (index, (request, expect)) in requests.iter_mut().zip(&case.expect).enumerate() {
        let is_own = |message: &&Vec<u8>| message.starts_with(&request.id.to_be_bytes());
        let count = rest.iter().take_while(is_own).count();
        let (own, after) = rest.split_at(count);
        rest = after;
        if own.is_empty() {
            faults.push(format!("request {index}: no response in its turn"));
            continue;
        }
        let found = match read(request, own, case.flags.as_deref()) {
            Ok(found) => found,
            Err(fault) => {
                faults.push(format!("request {index}: {fault}"));
                continue;
            }
        };
        if found.outcome != *expect {
            faults.push(format!("request {index}: expected {expect:?}, found {:?}", found.outcome));
        }
        if found.option != case.option {
            faults.push(format!("request {index}: EXPIRE {:?}, not {:?}", found.option, case.option));
        }
        if index > 0 {
            continue;
        }
        let missing = case.has.iter().filter(|record| !found.records.contains(record));
        faults.extend(missing.map(|record| format!("not sent: {record}: {:#?}", found.records)));
        let is_wrong = match case.messages.as_deref() {
            Some("one") => found.messages != 1,
            Some("many") => found.messages < 2,
            _ => false,
        };
        if is_wrong {
            faults.push(format!("{} messages", found.messages));
        }
    }
    if !rest.is_empty() {
        faults.push(format!("{} messages more", rest.len()));
    }
    faults
}

fn cases(rfc: &str) -> Vec<Case> {
    let text = std::fs::read_to_string(directory().join(format!("{rfc}.toml"))).unwrap();
    toml::from_str::<Script>(&text).unwrap().case
}

#[test]
fn what_is_sent_is_what_the_rfcs_say() {
    let primary = start();
    let server = primary.addresses()[0];
    let (mut count, mut failures) = (0, Vec::new());
    for rfc in ["rfc1995", "rfc5936", "rfc7314"] {
        for case in cases(rfc) {
            count += 1;
            assert_eq!(case.ask.len(), case.expect.len(), "{rfc}: {}", case.says);
            let place = format!("{rfc} section {}: {}", case.section, case.says);
            failures.extend(faults(server, &case).into_iter().map(|fault| format!("{place}: {fault}")));
        }
    }
    println!("{count} cases of transfers out, {} faults", failures.len());
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn a_wrong_expectation_of_what_is_sent_fails() {
    let primary = start();
    let server = primary.addresses()[0];
    let case = cases("rfc5936").remove(0);
    assert_eq!(faults(server, &case), Vec::<String>::new());
    type Spoil = (&'static str, fn(&mut Case));
    let spoil: &[Spoil] = &[
        ("expected", |case| case.expect = vec!["whole 7: 19 records".to_owned()]),
        ("not sent", |case| case.has = vec!["b.example. 300 A 192.0.2.1".to_owned()]),
        ("messages", |case| case.messages = Some("many".to_owned())),
        ("EXPIRE", |case| case.option = Some(10_000)),
        ("flags", |case| case.flags = Some("aa tc".to_owned())),
        ("expected", |case| case.with = vec!["udp".to_owned()]),
    ];
    for (what, spoil) in spoil {
        let mut case = case.clone();
        spoil(&mut case);
        let faults = faults(server, &case);
        assert!(faults.iter().any(|fault| fault.contains(what)), "{what}: {faults:?}");
    }
}
