//! The answer path over the zones of `world/`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use anyns::answer::{
    self, Client, CookieSecret, CookieSettings, Identity, Outcome, Settings, TransportKind, most_steps,
};
use anyns::wire::steps::{self, Steps};
use anyns::wire::{LookupName, Query, flag};
use anyns::zone::Snapshot;
use anyns::zonefile::{Limits, read_zone};
use hickory_proto::op::Message;

use super::response::Response;

/// The zones that are served: an apex and its file in `world/`.
const ZONES: &[(&str, &str)] = &[
    ("example.", "example.zone"),
    ("kid.example.", "kid.example.zone"),
    ("nsec.example.", "nsec.example.zone"),
    ("opt.example.", "opt.example.zone"),
    (".", "root.zone"),
];
const TRANSPORTS: [TransportKind; 5] =
    [TransportKind::Udp, TransportKind::Tcp, TransportKind::Dot, TransportKind::Doh, TransportKind::Doq];
/// The most octets of a message.
const MESSAGE: usize = 65_535;
/// What the output holds before; seen again where nothing may be written.
static BLANK: [u8; MESSAGE] = [0xee; MESSAGE];
/// Response flags that an authoritative server never sets: RA, Z, AD, CD (RFC 1035 section 4.1.1, RFC 4035
/// section 3.1.6).
const NEVER: u16 = 0x00f0;

/// The most steps seen so far, of the datagrams and of what has streams under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Most {
    /// In at most 4,096 octets.
    pub datagram: Steps,
    /// In at most 65,535.
    pub stream: Steps,
}

static MOST: Mutex<Most> = Mutex::new(Most { datagram: Steps::NONE, stream: Steps::NONE });

/// See [`Most`].
pub fn most() -> Most {
    *MOST.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The first octet chooses the transport, the settings and whether every zone is there; the rest is the query. The
/// answer fits its transport, can be read, answers this query, and took no more steps than it may. Says whether it
/// took more than any before.
pub fn check(data: &[u8]) -> bool {
    let Some((choice, query)) = data.split_first() else { return false };
    let world = world();
    let choice = usize::from(*choice);
    let transport = TRANSPORTS[choice % TRANSPORTS.len()];
    let choice = choice / TRANSPORTS.len();
    let settings = &world.settings[choice % world.settings.len()];
    let snapshot = &world.snapshots[choice / world.settings.len() % world.snapshots.len()];
    let client = Client { transport, address: std::net::Ipv4Addr::LOCALHOST.into(), time: 1_700_000_000 };
    let limit = limit(query, transport, settings);

    let mut output = BLANK.to_vec();
    let outcome = answer::truncated(query, &client, settings, &mut output);
    if let Some(response) = judged(query, outcome, &output, limit) {
        assert!(response.is_without_data(), "a truncated answer has no records but OPT");
    }
    output.copy_from_slice(&BLANK);
    // In two halves, as a worker answers.
    steps::take();
    let mut name = LookupName::root();
    let outcome = match answer::begin(query, snapshot, &mut name) {
        Some(pending) => {
            pending.prefetch();
            pending.answer(&client, settings, &mut output)
        }
        None => Outcome::Ignore,
    };
    let taken = steps::take().expect("a build with debug assertions, which counts");
    let most = most_steps(limit);
    assert!(taken.are_within(&most), "{taken:?} for {limit} octets, which may take {most:?}");
    if let Some(response) = judged(query, outcome, &output, limit) {
        let mut records = response.records().filter(|(_, record)| record.record_type != 41);
        let mut seen = BTreeSet::new();
        let twice = records.find(|(section, record)| !seen.insert((*section, record.key())));
        assert!(twice.is_none(), "twice in one section (RFC 2181 section 5): {twice:x?}");
        // A response is never answered: two servers would talk for ever.
        let again = answer::answer(&response.octets, &client, snapshot, settings, &mut output);
        assert_eq!(again, Outcome::Ignore);
    }
    raise(taken, transport)
}

/// The most octets of the answer (RFC 6891 section 6.2.5, RFC 1035 section 4.2.1).
fn limit(query: &[u8], transport: TransportKind, settings: &Settings) -> usize {
    match (transport, Query::parse(query).and_then(|query| query.edns)) {
        (TransportKind::Udp, Some(edns)) => {
            usize::from(edns.payload.clamp(512, settings.udp_payload_ceiling))
        }
        (TransportKind::Udp, None) => 512,
        _ => MESSAGE,
    }
}

/// What holds of every response: it fits, is one whole message, and answers this query. `None` if there is none.
fn judged(query: &[u8], outcome: Outcome, output: &[u8], limit: usize) -> Option<Response> {
    let asked = Query::parse(query);
    let Outcome::Reply { length, rcode, truncated } = outcome else {
        assert!(asked.is_none(), "a query that can be read is answered");
        return None;
    };
    let asked = asked.expect("only a query is answered");
    assert!(length <= limit, "{length} octets, {limit} are allowed");
    assert!(output[limit..] == BLANK[limit..], "written past the limit");
    let response = Response::read(&output[..length]);
    assert_eq!(response.octets[..2], query[..2], "the ID");
    let kept = flag::OPCODE | flag::RD;
    assert_eq!(response.flags & kept, asked.header.flags & kept, "opcode and RD are copied");
    assert_eq!(response.flags & flag::QR, flag::QR);
    assert_eq!(response.flags & NEVER, 0);
    assert_eq!(response.flags & flag::TC != 0, truncated);
    assert_eq!(response.flags & 0xf, rcode & 0xf);
    assert_eq!(response.question.as_deref(), asked.question.as_ref().map(|question| question.octets));
    let opts = response.records().filter(|(_, record)| record.record_type == 41).count();
    assert_eq!(opts, usize::from(asked.edns.is_some()), "OPT answers OPT (RFC 6891 section 7)");
    // The second opinion.
    let read = Message::from_vec(&output[..length]);
    let read = read.unwrap_or_else(|error| panic!("{error}: {:x?}", &output[..length]));
    assert_eq!(read.metadata.truncation, truncated);
    Some(response)
}

fn raise(taken: Steps, transport: TransportKind) -> bool {
    let mut most = MOST.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let place = if transport == TransportKind::Udp { &mut most.datagram } else { &mut most.stream };
    let raised = place.max(taken);
    let is_more = raised != *place;
    *place = raised;
    is_more
}

/// What is served, and by whom.
struct World {
    /// All zones, and a server that still loads some.
    snapshots: [Snapshot; 2],
    settings: [Settings; 4],
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World { snapshots: snapshots(), settings: settings() })
}

/// The defaults; cookies; cookies that must be there, and reports; the largest answers, and the longest NSID.
fn settings() -> [Settings; 4] {
    let plain = Settings::new(Identity { instance: "fuzz".into(), version: Some("fuzz".into()) });
    let cookies =
        |required| Some(CookieSettings { secrets: vec![CookieSecret::new(*b"0123456789abcdef")], required });
    let report_channel = Some("reports.example.".parse().expect("a name"));
    let large = Identity { instance: "n".repeat(255), version: None };
    [
        plain.clone(),
        Settings { cookies: cookies(false), ..plain.clone() },
        Settings { cookies: cookies(true), report_channel, ..plain.clone() },
        Settings { identity: large, udp_payload_ceiling: 4096, tcp_idle: Duration::from_secs(9999), ..plain },
    ]
}

fn snapshots() -> [Snapshot; 2] {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The manifest is this directory's own, or that of the whole package.
    let worlds = ["world", "tests/fuzz/world"].map(|world| directory.join(world));
    let world = worlds.iter().find(|world| world.is_dir()).expect("the directory of zones");
    let zones: Vec<_> = ZONES
        .iter()
        .map(|(origin, file)| {
            let origin = origin.parse().expect("a name");
            let read = read_zone(&world.join(file), &origin, &Limits::default());
            Arc::new(read.unwrap_or_else(|error| panic!("{file}: {error}")).zone)
        })
        .collect();
    let without_root = zones.iter().filter(|zone| zone.origin().label_count() > 0).cloned();
    let loading = Snapshot::default().with_changes(without_root, &[]);
    [Snapshot::default().with_changes(zones, &[]).completed(), loading]
}
