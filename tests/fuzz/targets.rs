//! What is fuzzed: octets in, a panic if anything that must hold does not. Called by cargo-fuzz and by `main.rs`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyns::answer::{self, Client, Identity, Outcome, Settings, Transport};
use anyns::publish::text::{Limits, read_zone, write_zone};
use anyns::wire::{Name, Query};
use anyns::zone::Snapshot;
use hickory_proto::op::Message;

/// The zones that the answer target serves: an apex and its file in `world/`.
const WORLD: &[(&str, &str)] =
    &[("example.", "example.zone"), ("kid.example.", "kid.example.zone"), (".", "root.zone")];

/// The message parser: any octets are read or refused, and a second reading says the same.
pub fn message(data: &[u8]) {
    let (first, second) = (Query::parse(data), Query::parse(data));
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
    let Some(query) = first else { return };
    if let Some(question) = &query.question {
        assert!(data.windows(question.octets.len()).any(|window| window == question.octets));
    }
    assert!(query.opcode() < 16);
}

/// The answer path: the first octet chooses the transport, the rest is the query. The answer fits its transport, can be
/// read by hickory-proto, and answers this query.
pub fn answer(data: &[u8]) {
    static SNAPSHOT: OnceLock<Snapshot> = OnceLock::new();
    let snapshot = SNAPSHOT.get_or_init(snapshot);
    let Some((choice, query)) = data.split_first() else { return };
    let transports = [Transport::Udp, Transport::Tcp, Transport::Dot, Transport::Doh, Transport::Doq];
    let transport = transports[usize::from(*choice) % transports.len()];
    let client = Client { transport, address: std::net::Ipv4Addr::LOCALHOST.into(), time: 1_700_000_000 };
    let settings = settings();
    let mut output = vec![0xee; 65_535];
    let outcome = answer::answer(query, &client, snapshot, &settings, &mut output);
    let Outcome::Reply { length, truncated, .. } = outcome else { return };
    let limit = match (transport, Query::parse(query).and_then(|query| query.edns)) {
        (Transport::Udp, Some(edns)) => usize::from(edns.payload.clamp(512, settings.udp_payload_ceiling)),
        (Transport::Udp, None) => 512,
        _ => 65_535,
    };
    assert!(length <= limit, "{length} octets, {limit} are allowed");
    assert!(output[length..].iter().all(|octet| *octet == 0xee) || limit > length, "written past the limit");
    let response = &output[..length];
    assert_eq!(response[..2], query[..2], "the ID");
    let read = Message::from_vec(response).unwrap_or_else(|error| panic!("{error}: {response:x?}"));
    assert_eq!(read.metadata.truncation, truncated);
    // A response is never answered: two servers would talk for ever.
    let again = answer::answer(response, &client, snapshot, &settings, &mut vec![0; 65_535]);
    assert_eq!(again, Outcome::Ignore);
}

/// The zone file scanner: any octets are a zone or faults, and a zone that is written reads back the same.
pub fn zone_file(data: &[u8]) {
    static ORIGIN: OnceLock<Name> = OnceLock::new();
    let origin = ORIGIN.get_or_init(|| "example.org.".parse().expect("a name"));
    // Small bounds: what is looked for is a fault, not memory.
    let limits = Limits { octets: 1 << 20, records: 10_000, generate: 1000, include_root: None };
    let path = scratch();
    let Some(read) = read(&path, data, origin, &limits) else { return };
    let mut text = Vec::new();
    write_zone(&read.zone, &mut text).expect("memory can be written");
    let Some(again) = self::read(&path, &text, origin, &Limits { octets: 1 << 24, ..limits }) else {
        panic!("what was written cannot be read: {}", String::from_utf8_lossy(&text));
    };
    assert_eq!(read.digest, again.digest, "{}", String::from_utf8_lossy(&text));
}

fn read(path: &Path, text: &[u8], origin: &Name, limits: &Limits) -> Option<anyns::publish::text::ReadZone> {
    std::fs::write(path, text).expect("the scratch file can be written");
    let read = read_zone(path, origin, limits).ok();
    let _ = std::fs::remove_file(path);
    read
}

/// A file of this process in a directory of its own, so that `$INCLUDE` finds nothing of others.
fn scratch() -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let directory = std::env::temp_dir().join(format!("anyns-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a scratch directory");
        directory
    });
    directory.join("zone")
}

/// Removes what [`zone_file`] left.
pub fn clean_up() {
    if let Some(directory) = scratch().parent() {
        let _ = std::fs::remove_dir(directory);
    }
}

fn settings() -> Settings {
    let identity = Identity { instance: "fuzz".into(), version: Some("fuzz".into()) };
    Settings::new(identity)
}

fn snapshot() -> Snapshot {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let worlds = ["world", "tests/fuzz/world"].map(|world| directory.join(world));
    let world = worlds.iter().find(|world| world.is_dir()).expect("the directory of zones");
    let zones = WORLD.iter().map(|(origin, file)| {
        let origin = origin.parse().expect("a name");
        let read = read_zone(&world.join(file), &origin, &Limits::default());
        Arc::new(read.unwrap_or_else(|error| panic!("{file}: {error}")).zone)
    });
    Snapshot::default().with_changes(zones, &[]).completed()
}
