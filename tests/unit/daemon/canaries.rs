//! Who may have which version, and how zones are counted and come due.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::entries::Entries;
use super::queries::{Queries, Question};
use super::zones::known_as;
use super::*;
use crate::config::{CanaryGroup, parse};
use crate::transfer::canary::{CanaryState, CanaryVersion, CanaryZone, MemberAnswer, MemberHealth};
use crate::transfer::primary::NoVersion;
use crate::transfer::secondary::{AskOver, SecondarySettings};
use crate::wire::{Name, RecordType, Serial};
use crate::zone::{Place, RecordBatch, Zone, ZoneBuilder};

/// The first group covers a.*, the second all others but z.
fn groups() -> Arc<[CanaryGroup]> {
    let text = "[pop]\nname = \"a\"\nmanagement-addresses = [\"198.51.100.10\"]\n[zones]\ndirectory = \"zones\"\n\
                [serve]\nlisten = [\"127.0.0.1:53\"]\n[transfer]\nlisten = [\"198.51.100.10\"]\n\
                [[canary]]\nname = \"one\"\nsecondaries = [{ address = \"192.0.2.1\" }]\nzones = [\"a.*\"]\ntime = \"8s\"\n\
                [[canary]]\nname = \"two\"\nsecondaries = [{ address = \"192.0.2.2\" }, { address = \"192.0.2.3\" }]\n\
                zones = [\"a.*\", \"b.*\"]\ntime = \"8s\"\npatience = \"60s\"\n";
    parse(std::path::Path::new("anyns.toml"), text).unwrap().config.transfers.canaries.as_slice().into()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn zone(origin: &str, serial: u32) -> Arc<Zone> {
    with_records(&name(origin), serial, 0)
}

/// With so many records beside those of the apex.
fn with_records(origin: &Name, serial: u32, records: u8) -> Arc<Zone> {
    let ns = name("ns.invalid.");
    let numbers = [serial, 1000, 100, 10_000, 300].map(u32::to_be_bytes).concat();
    let mut batch = RecordBatch::new(origin);
    let soa = [ns.as_wire(), ns.as_wire(), &numbers].concat();
    batch.push(origin.as_wire(), RecordType::SOA, 60, &soa, Place::default());
    batch.push(origin.as_wire(), RecordType::NS, 60, ns.as_wire(), Place::default());
    for record in 0..records {
        batch.push(origin.as_wire(), RecordType::A, 60, &[192, 0, 2, record], Place::default());
    }
    let mut builder = ZoneBuilder::new(origin.clone());
    builder.add(batch);
    Arc::new(builder.finish().unwrap())
}

#[test]
fn the_group_has_the_newest_version_and_all_others_what_was_released() {
    let versions = ReleasedVersions::new(&groups());
    let given = |origin: &str, client: &str| {
        let client: IpAddr = client.parse().unwrap();
        versions.version_for(zone(origin, 7), client).map(|zone| zone.serial().0)
    };
    // Nothing is known to be released yet: only the group has it. No group covers the last zone.
    let all = |client: &str| ["a.example.", "b.example.", "z.example."].map(|origin| given(origin, client));
    assert_eq!(
        all("192.0.2.1"),
        [Ok(7), Err(NoVersion::Withheld), Ok(7)],
        "of several groups the first counts"
    );
    assert_eq!(all("192.0.2.2"), [Err(NoVersion::Withheld), Ok(7), Ok(7)]);
    assert_eq!(all("192.0.2.9"), [Err(NoVersion::Withheld), Err(NoVersion::Withheld), Ok(7)]);
    versions.put(zone("a.example.", 5));
    assert!(versions.has(&name("A.example."), Serial(5)) && !versions.has(&name("a.example."), Serial(7)));
    assert_eq!(all("192.0.2.9"), [Ok(5), Err(NoVersion::Withheld), Ok(7)]);
    assert_eq!(given("a.example.", "192.0.2.1"), Ok(7));
    versions.put(zone("a.example.", 7));
    assert_eq!(given("a.example.", "192.0.2.9"), Ok(7));
    // No groups any more: all have the newest.
    versions.change(|released| *released = Default::default());
    assert_eq!(all("192.0.2.9"), [Ok(7), Ok(7), Ok(7)]);
}

/// `anyns zone retransfer` has the same content accepted again; a zone that went back may reach a serial with other content.
#[test]
fn a_version_is_known_by_its_time_or_by_its_content() {
    let zone = |version: CanaryVersion, records: u8| {
        let (origin, serial) = (name("a."), version.serial.0);
        with_records(&origin, serial, records)
    };
    let version = |serial: u32, seconds: u64| CanaryVersion {
        serial: Serial(serial),
        accepted_at: Some(std::time::UNIX_EPOCH + Duration::from_secs(seconds)),
    };
    let [released, newest] = [version(5, 50), version(6, 60)];
    let (of_released, of_newest) = (zone(released, 1), zone(newest, 2));
    // The version that is served, which records it has, and as what it is known.
    for (served, records, expected) in [
        (released, 1, Some(released)),
        (newest, 2, Some(newest)),
        (version(5, 70), 1, Some(released)),
        (version(6, 70), 2, Some(newest)),
        (version(5, 70), 2, None),
        (version(6, 70), 1, None),
        (version(7, 70), 2, None),
    ] {
        let versions = [(released, Some(&of_released)), (newest, Some(&of_newest))];
        let known = known_as((served, &zone(served, records)), versions);
        let told = |version: CanaryVersion| (version.serial, version.accepted_at);
        assert_eq!(known.map(told), expected.map(told), "{served:?} with {records} records");
    }
    // The version for the others is not there.
    let versions = [(released, None), (newest, Some(&of_newest))];
    assert!(known_as((version(5, 70), &of_released), versions).is_none());
}

#[tokio::test]
async fn a_secondary_whose_limit_is_reached_holds_up_no_other() {
    let one = std::num::NonZeroU32::MIN;
    let (soa_queries, soa_queries_per_primary) = (one.saturating_add(999), one);
    let settings = SecondarySettings { soa_queries, soa_queries_per_primary, ..SecondarySettings::default() };
    let mut queries = Queries::new(groups(), &settings);
    let now = Instant::now();
    let question = |zone: &str, member| Question {
        zone: name(zone),
        generation: 0,
        group: 1,
        member,
        newest: Serial(1),
        over: AskOver::Usual,
    };
    for (zone, member) in [("b.one.", 0), ("b.two.", 0), ("b.three.", 0), ("b.one.", 1)] {
        queries.push(question(zone, member));
    }
    queries.send(now);
    // No management address: they fail at once.
    let mut next = async || queries.next().await.expect("an answer").question;
    let (first, second) = (next().await, next().await);
    let mut asked = [(first.zone, first.member), (second.zone, second.member)];
    asked.sort_by_key(|(_, member)| *member);
    assert_eq!(asked, [(name("b.one."), 0), (name("b.one."), 1)]);
    // The others wait for the limit of the first.
    let due = queries.due().unwrap();
    assert!(due > now && due <= now + Duration::from_secs(1));
    queries.send(due);
    assert_eq!(queries.next().await.map(|answered| answered.question.zone), Some(name("b.two.")));
}

/// A query to one that is silent holds its place for seconds.
#[tokio::test]
async fn a_secondary_that_does_not_answer_leaves_places_to_the_others() {
    let bind = async || tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (silent, other) = (bind().await, bind().await);
    let mut groups = groups().to_vec();
    for (secondary, socket) in groups[1].secondaries.iter_mut().zip([&silent, &other]) {
        secondary.address = socket.local_addr().unwrap();
    }
    let management = vec![std::net::Ipv4Addr::LOCALHOST.into()];
    let many = std::num::NonZeroU32::MIN.saturating_add(9999);
    let settings = SecondarySettings {
        management,
        soa_queries: many,
        soa_queries_per_primary: many,
        ..SecondarySettings::default()
    };
    let mut queries = Queries::new(groups.into(), &settings);
    let ask = |queries: &mut Queries, zone: usize, member| {
        queries.push(Question {
            zone: name(&format!("b.{zone}.")),
            generation: 0,
            group: 1,
            member,
            newest: Serial(1),
            over: AskOver::Usual,
        });
        queries.send(Instant::now());
    };
    (0..100).for_each(|zone| ask(&mut queries, zone, 0));
    assert_eq!(queries.running(), 16);
    ask(&mut queries, 0, 1);
    assert_eq!(queries.running(), 17, "the other one is asked at once");
    // What comes is no answer: it counts as one that fails from then on.
    let mut buffer = [0; 512];
    for _ in 0..16 {
        let (_, from) = silent.recv_from(&mut buffer).await.unwrap();
        silent.send_to(&buffer[..12], from).await.unwrap();
        assert!(queries.next().await.is_some_and(|answered| answered.answer == MemberAnswer::Failed));
    }
    queries.send(Instant::now());
    assert_eq!(queries.running(), 2, "one of each");
}

#[test]
fn zones_are_counted_by_state_and_come_due_in_turn() {
    let (groups, now) = (groups(), Instant::now());
    let mut entries = Entries::default();
    let machine = |group: usize, serials: (u32, u32)| {
        let settings = &groups[group];
        let serials = (Serial(serials.0), Serial(serials.1));
        (group, CanaryZone::new(settings.rules, settings.secondaries.len(), serials, now))
    };
    for (origin, group, serials, missing) in [
        ("a.one.", 0, (1, 1), None),
        ("b.one.", 1, (1, 2), None),
        ("b.two.", 1, (1, 2), Some(now)),
        ("b.three.", 1, (1, 1), None),
    ] {
        entries.add(name(origin), machine(group, serials), missing);
        entries.settle(&name(origin), &groups, now);
    }
    let fact = |entries: &Entries, group: usize| entries.fact(group, &groups[group]);
    assert_eq!((fact(&entries, 0).counts, fact(&entries, 1).counts), ([1, 0, 0, 0], [1, 2, 0, 0]));
    assert_eq!((fact(&entries, 1).withheld, fact(&entries, 1).first_withheld), (1, Some(name("b.two."))));
    let lacking = |entries: &Entries| entries.waiting.get(&name("b.one.")).unwrap().lacking.len();
    assert_eq!((entries.waiting.size(), lacking(&entries)), (2, 2));
    // The one whose version is missing is due at once, so after the least pause; then the questions.
    assert_eq!(entries.due(), Some(now + Duration::from_millis(50)));
    assert_eq!(entries.next_due(now), None);
    let later = now + Duration::from_secs(1);
    assert_eq!(
        [entries.next_due(later), entries.next_due(later), entries.next_due(later)],
        [Some(name("b.two.")), Some(name("b.one.")), None]
    );
    // An answer, patience, the end.
    let at = |entries: &mut Entries, seconds: u64, change: &dyn Fn(&mut CanaryZone, Instant)| {
        let now = now + Duration::from_secs(seconds);
        change(&mut entries.zones.get_mut(&name("b.one.")).unwrap().machine, now);
        entries.settle(&name("b.one."), &groups, now);
    };
    let changes = entries.changes;
    at(&mut entries, 1, &|machine, now| {
        machine.answered(0, (MemberAnswer::Serves(Serial(2)), MemberHealth::NotTold), now);
    });
    assert_eq!((lacking(&entries), entries.changes), (1, changes + 1));
    at(&mut entries, 61, &|_, _| {});
    assert_eq!(fact(&entries, 1).counts, [1, 1, 1, 0]);
    assert_eq!(fact(&entries, 1).first_overdue, Some(name("b.one.")));
    at(&mut entries, 62, &|machine, _| machine.halt());
    assert_eq!(fact(&entries, 1).counts, [1, 1, 0, 1]);
    assert_eq!(entries.waiting.get(&name("b.one.")).unwrap().state, CanaryState::Halted);
    // Halted by health: counted, told and kept as such.
    entries.zones.get_mut(&name("b.one.")).unwrap().stopped = Some("ams1: silent".to_owned());
    at(&mut entries, 62, &|_, _| {});
    assert_eq!((fact(&entries, 1).counts, fact(&entries, 1).stopped), ([1, 1, 0, 1], 1));
    assert_eq!(fact(&entries, 1).first_stopped, Some((name("b.one."), "ams1: silent".to_owned())));
    assert_eq!(entries.waiting.get(&name("b.one.")).unwrap().stopped.as_deref(), Some("ams1: silent"));
    assert!(entries.zones[&name("b.one.")].kept().is_unhealthy);
    entries.zones.get_mut(&name("b.one.")).unwrap().stopped = None;
    at(&mut entries, 63, &|machine, now| machine.commit(Serial(2), now));
    assert_eq!(fact(&entries, 1).counts, [2, 1, 0, 0]);
    assert!(entries.waiting.get(&name("b.one.")).is_none());
    assert!(entries.remove(&name("b.two.")) && !entries.remove(&name("b.two.")));
    assert_eq!((fact(&entries, 1).counts, fact(&entries, 1).withheld), ([2, 0, 0, 0], 0));
    assert_eq!((entries.waiting.size(), entries.due()), (0, None));
    assert_eq!(entries.take().len(), 3);
    assert_eq!(fact(&entries, 0).counts, [0; 4]);
}
