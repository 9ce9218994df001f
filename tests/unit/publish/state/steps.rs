//! Steps cut and flipped anywhere, and replayed.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use crate::publish::state::version::replay::{ReplayError, replay};
use crate::publish::state::version::step::*;
use crate::wire::{Name, RecordType};
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

/// The steps of these differences, as far as they fit, and every version on the way. Of odd ones the difference is found by
/// comparing the versions whole.
fn history(differences: &[(Vec<Plain>, Vec<Plain>)]) -> (Vec<Vec<u8>>, Vec<Zone>) {
    let (mut versions, mut chain) = (vec![base()], [7; 32]);
    let mut steps = Vec::new();
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
        let (records, origin) = (zone.record_count(), StepOrigin::Difference);
        let step = Step { from, to, accepted_at, records, signed: false, origin };
        let written = of_batches(chain, step, &deleted, &added).unwrap();
        let exact = zone.exact_difference(before, usize::MAX).unwrap();
        let compared = of_versions((chain, written.after), step, &exact).unwrap();
        let sorted = |octets: &[u8]| {
            let mut sets = [Vec::new(), Vec::new()];
            let read = read(octets).unwrap();
            let rest = each(read.records, |record| sets[0].push(record.to_vec())).unwrap();
            each(rest, |record| sets[1].push(record.to_vec())).unwrap();
            sets.iter_mut().for_each(|set| set.sort());
            sets
        };
        assert_eq!(sorted(&written.octets), sorted(&compared.octets), "both ways find the same");
        assert!(zone.exact_difference(before, 1).is_none(), "more than one octet");
        steps.push(if to.0.is_multiple_of(2) { written.octets } else { compared.octets });
        chain = written.after;
        versions.push(zone);
    }
    (steps, versions)
}

fn entries(steps: &[Vec<u8>]) -> Vec<StepEntry<'_>> {
    steps.iter().map(|octets| read(octets).unwrap()).collect()
}

fn host(number: u8, address: u8) -> Plain {
    (format!("h{number}.{ORIGIN}").parse().unwrap(), RecordType::A, 60, vec![10, 0, 0, address])
}

#[test]
fn what_was_written_is_read_and_replayed_from_every_version() {
    let changes: Vec<_> = (0..4).map(|step| (vec![host(1, 1 + step)], vec![host(1, 2 + step)])).collect();
    let (steps, versions) = history(&changes);
    let entries = entries(&steps);
    for (at, version) in versions.iter().enumerate() {
        assert_eq!(exactly(&replay(version, &entries[at..]).unwrap()), exactly(versions.last().unwrap()));
    }
    for pair in entries.windows(2) {
        assert_eq!(pair[0].chain, pair[1].before);
    }
    let gap = replay(&versions[0], &entries[1..]);
    assert!(matches!(gap, Err(ReplayError::Gap { .. })), "{gap:?}");
}

#[test]
fn a_step_that_is_cut_or_flipped_anywhere_is_none() {
    let (steps, _) = history(&[(vec![host(1, 1)], vec![host(1, 2)])]);
    for at in 0..steps[0].len() {
        assert!(read(&steps[0][..at]).is_none(), "cut at {at}");
        let mut flipped = steps[0].clone();
        flipped[at] ^= 0x20;
        assert!(read(&flipped).is_none(), "octet {at}");
    }
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
    let (steps, versions) = history(&[
        (vec![host(2, 2), host(3, 3)], chain.to_vec()),
        (vec![host(1, 1)], vec![host(1, 9)]),
        (vec![], stray.to_vec()),
        (chain.to_vec(), vec![host(1, 10)]),
        (stray.to_vec(), vec![]),
    ]);
    let entries = entries(&steps);
    assert_eq!((versions.len(), entries.len()), (6, 5), "every difference fits");
    for (at, version) in versions.iter().enumerate() {
        let replayed = replay(version, &entries[at..]).unwrap();
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
        let (steps, versions) = history(&differences);
        let entries = entries(&steps);
        prop_assert_eq!(entries.len(), versions.len() - 1);
        let from = from.index(versions.len());
        let replayed = replay(&versions[from], &entries[from..]).unwrap();
        let last = versions.last().unwrap();
        prop_assert_eq!(exactly(&replayed), exactly(last));
        prop_assert_eq!(replayed.serial(), last.serial());
    }
}
