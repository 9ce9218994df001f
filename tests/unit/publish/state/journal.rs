//! Journals cut and flipped anywhere, and replayed.

use std::time::Duration;

use proptest::prelude::*;

use crate::publish::state::journal::*;
use crate::publish::state::journal_replay::{ReplayError, replay};
use crate::wire::RecordType;
use crate::zone::{Owners, Place, Zone, ZoneBuilder};

const ORIGIN: &str = "Example.";

type Plain = (Name, RecordType, u32, Vec<u8>);

fn origin() -> Name {
    ORIGIN.parse().unwrap()
}

fn batch(records: &[Plain]) -> RecordBatch {
    let mut batch = RecordBatch::new(&origin());
    for (owner, record_type, ttl, rdata) in records {
        batch.push(owner.as_wire(), *record_type, *ttl, rdata, Place::default());
    }
    batch
}

fn soa(serial: u32) -> Plain {
    (origin(), RecordType::SOA, 60, [&[0, 0][..], &serial.to_be_bytes(), &[0; 16]].concat())
}

fn base() -> Zone {
    let mut builder = ZoneBuilder::new(origin());
    let host = |number: u8| {
        (format!("h{number}.{ORIGIN}").parse().unwrap(), RecordType::A, 60, vec![10, 0, 0, number])
    };
    let ns = (origin(), RecordType::NS, 60, b"\x02ns\0".to_vec());
    builder.add(batch(&[soa(1), ns, host(1), host(2), host(3)]));
    builder.finish().unwrap()
}

/// Every record, in every octet.
fn exactly(zone: &Zone) -> Vec<(Vec<u8>, u16, u32, Vec<u8>)> {
    let mut records = Vec::new();
    zone.for_each_record(|owner, record_type, ttl, rdata| {
        records.push((owner.to_vec(), record_type.0, ttl, rdata.to_vec()));
    });
    records.sort();
    records
}

/// A journal of these differences, as far as they fit, and every version on the way.
fn history(differences: &[(Vec<Plain>, Vec<Plain>)]) -> (Vec<u8>, Vec<Zone>) {
    let (mut versions, mut chain) = (vec![base()], [7; HASH]);
    let mut octets = head(&origin(), &chain);
    for (deleted, added) in differences {
        let before = versions.last().unwrap();
        let (from, to) = (before.serial(), before.serial().next());
        let deleted = batch(&[deleted, &[soa(from.0)][..]].concat());
        let added = batch(&[added, &[soa(to.0)][..]].concat());
        let mut owners = Owners::default();
        owners.add(&deleted);
        owners.add(&added);
        let Ok(zone) = before.with_changes(deleted, added) else { continue };
        let (deleted, added) = zone.difference_from(before, &owners);
        let accepted_at = UNIX_EPOCH + Duration::from_secs(to.0.into());
        let step = Step { from, to, accepted_at, records: zone.record_count(), signed: false };
        let (entry, link) = entry(&chain, &step, &deleted, &added).unwrap();
        octets.extend(entry);
        chain = link;
        versions.push(zone);
    }
    (octets, versions)
}

fn host(number: u8, address: u8) -> Plain {
    (format!("h{number}.{ORIGIN}").parse().unwrap(), RecordType::A, 60, vec![10, 0, 0, address])
}

/// Four differences, each an address that changes.
fn sample() -> (Vec<u8>, Vec<Zone>) {
    let changes: Vec<_> = (0..4).map(|step| (vec![host(1, 1 + step)], vec![host(1, 2 + step)])).collect();
    history(&changes)
}

#[test]
fn what_was_written_is_read_and_replayed_from_every_version() {
    let (octets, versions) = sample();
    let journal = read(&octets, &origin());
    assert_eq!((journal.end, journal.sound, journal.entries.len()), (End::Whole, octets.len(), 4));
    assert_eq!(journal.after(&[8; HASH]).map(<[_]>::len), None);
    for (at, version) in versions.iter().enumerate() {
        let chain = if at == 0 { [7; HASH] } else { journal.entries[at - 1].chain };
        let after = journal.after(&chain).unwrap();
        assert_eq!(after.len(), 4 - at);
        assert_eq!(exactly(&replay(version, after).unwrap()), exactly(versions.last().unwrap()));
        // Behind a new head, what comes after is a journal of its own.
        let start = journal.position(&chain).unwrap();
        let cut = [&head(&origin(), &chain), &octets[start..]].concat();
        assert_eq!(read(&cut, &origin()).entries.len(), 4 - at);
    }
}

#[test]
fn a_journal_cut_anywhere_is_what_was_whole_and_no_damage() {
    let (octets, _) = sample();
    let whole = read(&octets, &origin());
    for length in 0..octets.len() {
        let cut = read(&octets[..length], &origin());
        let entries = whole.entries.iter().filter(|entry| entry.end <= length).count();
        assert_eq!(cut.entries.len(), entries, "cut at {length}");
        let end = if cut.sound == length && length > 0 { End::Whole } else { End::Torn };
        assert_eq!(cut.end, end, "cut at {length}");
    }
}

#[test]
fn an_octet_flipped_anywhere_but_in_the_last_entry_is_damage() {
    let (octets, _) = sample();
    let whole = read(&octets, &origin());
    for at in 0..octets.len() {
        let mut flipped = octets.clone();
        flipped[at] ^= 0x20;
        let read = read(&flipped, &origin());
        let before = whole.entries.iter().filter(|entry| entry.end <= at).count();
        assert_eq!(read.entries.len(), if read.start.is_some() { before } else { 0 }, "octet {at}");
        let end = if before < 3 { End::Damaged } else { End::Torn };
        assert_eq!(read.end, end, "octet {at}");
    }
}

#[test]
fn another_zone_another_order_and_marks_without_end_are_nothing() {
    let (octets, versions) = sample();
    assert!(read(&octets, &"other.".parse().unwrap()).start.is_none());
    let journal = read(&octets, &origin());
    let (first, second) = (journal.position(&[7; HASH]).unwrap(), journal.entries[0].end);
    let without = [&octets[..first], &octets[second..]].concat();
    assert_eq!(read(&without, &origin()).entries.len(), 0, "an entry is missing");
    let gap = replay(&versions[0], &journal.entries[1..]);
    assert!(matches!(gap, Err(ReplayError::Gap { .. })), "{gap:?}");
    // Frames that reach to the end of the file, each of which would have to be hashed.
    let mut marks = octets[..first + 1].to_vec();
    for _ in 0..10_000 {
        marks.extend(MARK);
        marks.extend(100_000_u32.to_be_bytes());
    }
    assert_eq!(read(&marks, &origin()).end, End::Damaged);
}

/// The NSEC3 records of a zone stand beside its names.
#[test]
fn differences_of_zones_with_nsec_and_nsec3_come_back() {
    let nsec = |next: &str, types: &[u8]| {
        let next: Name = next.parse().unwrap();
        [next.as_wire(), &[0, 6], types, &[0, 0, 0, 0, 1]].concat()
    };
    let first = format!("h1.{ORIGIN}");
    let chain = [
        (origin(), RecordType::NSEC, 60, nsec(&first, &[0x22])),
        (first.parse().unwrap(), RecordType::NSEC, 60, nsec(ORIGIN, &[0x40])),
    ];
    let hashed = [&[1, 0, 0, 0, 0, 20][..], &[5; 20], &[0, 1, 0x40]].concat();
    let owner = format!("{}.{ORIGIN}", "0".repeat(32)).parse().unwrap();
    let stray = [(owner, RecordType::NSEC3, 60, hashed)];
    let (octets, versions) = history(&[
        (vec![host(2, 2), host(3, 3)], chain.to_vec()),
        (vec![host(1, 1)], vec![host(1, 9)]),
        (vec![], stray.to_vec()),
        (chain.to_vec(), vec![host(1, 10)]),
        (stray.to_vec(), vec![]),
    ]);
    let journal = read(&octets, &origin());
    assert_eq!((versions.len(), journal.entries.len()), (6, 5), "every difference fits");
    for (at, version) in versions.iter().enumerate() {
        let replayed = replay(version, &journal.entries[at..]).unwrap();
        assert_eq!(exactly(&replayed), exactly(&versions[5]), "from version {at}");
    }
}

fn plain() -> impl Strategy<Value = Plain> {
    let owner = prop_oneof![Just("h1"), Just("H1"), Just("h2"), Just("a.h3"), Just("*.h2")];
    let data = prop_oneof![
        4 => (0..3_u8).prop_map(|last| (RecordType::A, vec![10, 0, 0, last])),
        1 => prop_oneof![Just("n"), Just("N")]
            .prop_map(|label| (RecordType::NS, [&[1][..], label.as_bytes(), &[0]].concat())),
    ];
    (owner, data, prop_oneof![Just(30), Just(60)]).prop_map(|(owner, (record_type, rdata), ttl)| {
        (format!("{owner}.{ORIGIN}").parse().unwrap(), record_type, ttl, rdata)
    })
}

proptest! {
    /// Whatever comes, goes, comes again, in another case or with another TTL: one replay of many entries is each version
    /// made of the one before it, from every version on.
    #[test]
    fn a_replay_is_what_was_served(
        differences in prop::collection::vec(
            (prop::collection::vec(plain(), 0..3), prop::collection::vec(plain(), 0..4)), 1..25,
        ),
        from in any::<prop::sample::Index>(),
    ) {
        let (octets, versions) = history(&differences);
        let journal = read(&octets, &origin());
        prop_assert_eq!(journal.entries.len(), versions.len() - 1);
        let from = from.index(versions.len());
        let replayed = replay(&versions[from], &journal.entries[from..]).unwrap();
        let last = versions.last().unwrap();
        prop_assert_eq!(exactly(&replayed), exactly(last));
        prop_assert_eq!(replayed.serial(), last.serial());
    }

    /// No octets make it panic.
    #[test]
    fn any_octets_are_read(octets in prop::collection::vec(any::<u8>(), 0..400), at in 0..700_usize) {
        let (mut whole, _) = sample();
        let _ = read(&octets, &origin());
        whole.splice(at.min(whole.len()).., octets);
        let _ = read(&whole, &origin());
    }
}
