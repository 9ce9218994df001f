//! Versions against versions: what changes make is what compiling the same records makes.

mod kept;
mod ordered;
mod signed;

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use crate::wire::{LookupName, Name, RecordType, Serial};
use crate::zone::compile::check::Checks;
use crate::zone::*;

const ORIGIN: &str = "example.";

/// A record that can be thought of as a set's member: owner, type, RDATA.
type Plain = (Name, RecordType, Vec<u8>);

fn apex(serial: u32) -> [Plain; 2] {
    let soa = [&[0, 0][..], &serial.to_be_bytes(), &[0; 16]].concat();
    [
        (ORIGIN.parse().unwrap(), RecordType::SOA, soa),
        (ORIGIN.parse().unwrap(), RecordType::NS, b"\x02ns\0".to_vec()),
    ]
}

fn batch<'r>(records: impl IntoIterator<Item = &'r Plain>) -> RecordBatch {
    let mut batch = RecordBatch::new(&ORIGIN.parse().unwrap());
    for (owner, record_type, rdata) in records {
        batch.push(owner.as_wire(), *record_type, 60, rdata, Place::default());
    }
    batch
}

fn compiled(records: &BTreeSet<Plain>) -> Result<Zone, Vec<ZoneFault>> {
    let mut builder = ZoneBuilder::new(ORIGIN.parse().unwrap());
    builder.add(batch(records));
    builder.finish()
}

fn name() -> impl Strategy<Value = Name> {
    let label = prop_oneof![Just("*"), Just("a"), Just("b"), Just("C"), Just("\\000"), Just("\\001x")];
    prop::collection::vec(label, 1..4)
        .prop_map(|labels| format!("{}.{ORIGIN}", labels.join(".")).parse().unwrap())
}

fn record() -> impl Strategy<Value = Plain> {
    let data = prop_oneof![
        4 => any::<[u8; 4]>().prop_map(|octets| (RecordType::A, octets.map(|octet| octet % 3).to_vec())),
        1 => Just((RecordType::NS, b"\x02ns\0".to_vec())),
        1 => Just((RecordType::CNAME, b"\x01c\0".to_vec())),
        1 => Just((RecordType::DNAME, b"\x01d\0".to_vec())),
        1 => Just((RecordType::DS, b"\0\0\x08\xc8\0".to_vec())),
        1 => Just((RecordType::CDS, b"\0\0\x08\xc8\0".to_vec())),
        1 => prop::collection::vec(1..255_u8, 1..300).prop_map(|octets| (RecordType(65_280), octets)),
    ];
    (name(), data).prop_map(|(owner, (record_type, rdata))| (owner, record_type, rdata))
}

/// What is odd about a version, in lower case: the case of an owner is that of its first record or of its node.
fn said(zone: &Zone) -> BTreeSet<String> {
    zone.warnings().iter().map(|warning| warning.to_string().to_lowercase()).collect()
}

/// What a lookup came to, comparable between versions.
fn seen(zone: &Zone, name: &Name) -> String {
    let (kind, node) = match zone.lookup(&LookupName::from(name)) {
        Lookup::Exact(node) => ("exact", node),
        Lookup::Wildcard(node) => ("wildcard", node),
        Lookup::Cut { node, exact: true } => ("cut", node),
        Lookup::Cut { node, exact: false } => ("below cut", node),
        Lookup::Dname(node) => ("dname", node),
        Lookup::Missing(node) => ("missing", node),
    };
    let sets: Vec<_> = node
        .sets()
        .map(|set| (set.record_type, set.rdata().map(<[u8]>::to_vec).collect::<Vec<_>>()))
        .collect();
    format!("{kind} {} {sets:?}", node.owner().to_lowercase())
}

fn assert_same(one: &Zone, other: &Zone, names: &[Name]) {
    let lower = |zone: &Zone| {
        let plain = |record: Record| {
            (record.owner.to_lowercase().to_string(), record.record_type, record.ttl, record.rdata)
        };
        zone.records().map(plain).collect::<Vec<_>>()
    };
    assert_eq!(lower(one), lower(other));
    assert_eq!((one.serial(), one.record_count()), (other.serial(), other.record_count()));
    for name in names {
        assert_eq!(seen(one, name), seen(other, name), "{name}");
    }
}

proptest! {
    /// A line of versions, each from a difference, beside the same records compiled; refused together, too, and the
    /// version before is what it was.
    #[test]
    fn a_difference_makes_what_compiling_makes(
        first in prop::collection::vec(record(), 0..30),
        steps in prop::collection::vec((prop::collection::vec(record(), 0..8), any::<prop::sample::Index>(), 0..8_usize), 1..6),
        names in prop::collection::vec(name(), 0..20),
    ) {
        let mut records: BTreeSet<Plain> = apex(0).into_iter().collect();
        for record in first {
            let mut more = records.clone();
            more.insert(record);
            if compiled(&more).is_ok() {
                records = more;
            }
        }
        let mut zone = compiled(&records).unwrap();
        for (serial, (add, at, count)) in (1..).zip(steps) {
            let below: Vec<Plain> = records.iter().filter(|(owner, ..)| owner.label_count() > 1).cloned().collect();
            let start = if below.is_empty() { 0 } else { at.index(below.len()) };
            let gone: BTreeSet<Plain> =
                below.into_iter().skip(start).take(count).chain(apex(serial - 1).into_iter().take(1)).collect();
            let mut next: BTreeSet<Plain> = records.difference(&gone).cloned().collect();
            let new: Vec<Plain> = add.into_iter().chain(apex(serial).into_iter().take(1)).collect();
            next.extend(new.clone());
            let (changed, whole) = (zone.with_changes(batch(&gone), batch(&new)), compiled(&next));
            assert_same(&zone, &compiled(&records).unwrap(), &names);
            match (changed, whole) {
                (Ok(changed), Ok(whole)) => {
                    assert_same(&changed, &whole, &names);
                    prop_assert_eq!(said(&changed), said(&whole));
                    (zone, records) = (changed, next);
                }
                (Err(_), Err(_)) => {
                    // The serial goes on all the same, so that the next step fits.
                    let other = apex(serial).into_iter().take(1).collect::<Vec<_>>();
                    let old: Vec<Plain> = apex(serial - 1).into_iter().take(1).collect();
                    zone = zone.with_changes(batch(&old), batch(&other)).unwrap();
                    records = records.into_iter().filter(|(_, record_type, _)| *record_type != RecordType::SOA).chain(other).collect();
                }
                (changed, whole) => prop_assert!(false, "{:?} but {:?}", changed.err(), whole.err()),
            }
        }
    }
}

proptest! {
    /// A zone deployed again, its records in any order and any number of batches, reduced or not.
    #[test]
    fn a_redeployed_zone_is_what_compiling_makes(
        first in prop::collection::vec(record(), 0..60),
        gone in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        add in prop::collection::vec(record(), 0..4),
        order in Just(()).prop_perturb(|(), mut random| random.next_u64()),
        batches in 1..5_usize,
        reduced in any::<bool>(),
        names in prop::collection::vec(name(), 0..20),
    ) {
        let mut records: BTreeSet<Plain> = apex(0).into_iter().collect();
        for record in first {
            let mut more = records.clone();
            more.insert(record);
            if compiled(&more).is_ok() {
                records = more;
            }
        }
        let base = Arc::new(compiled(&records).unwrap());
        let mut next: Vec<Plain> = records.iter().filter(|(_, record_type, _)| *record_type != RecordType::SOA).cloned().collect();
        for at in gone {
            next.remove(at.index(next.len()));
            prop_assume!(!next.is_empty());
        }
        next.extend(add);
        next.push(apex(1)[0].clone());
        next.sort_by_key(|record| { use std::hash::BuildHasher; std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default().hash_one((order, record)) });
        let mut builder = ZoneBuilder::after(&base);
        let standing = builder.standing().unwrap();
        for part in next.chunks(next.len().div_ceil(batches)) {
            builder.add(if reduced { standing.reduce(batch(part)) } else { batch(part) });
        }
        match (builder.finish(), compiled(&next.into_iter().collect())) {
            (Ok(again), Ok(whole)) => assert_same(&again, &whole, &names),
            (Err(_), Err(_)) => {}
            (again, whole) => prop_assert!(false, "{:?} but {:?}", again.err(), whole.err()),
        }
        assert_same(&base, &compiled(&records).unwrap(), &names);
    }
}

#[test]
fn what_is_not_there_cannot_be_deleted() {
    let zone = compiled(&apex(1).into_iter().collect()).unwrap();
    let other = ("a.example.".parse().unwrap(), RecordType::A, vec![0; 4]);
    let faults = zone.with_changes(batch([&other]), batch([])).unwrap_err();
    let text = "a.example. has no such A record to delete; the difference is to another version";
    assert_eq!(faults.iter().map(ToString::to_string).collect::<Vec<_>>(), [text]);
}

#[test]
fn a_record_is_deleted_whatever_the_case_of_the_names_in_it() {
    let lower = b"\x03mta\x07example\0";
    let upper = b"\x03MTA\x07EXAMPLE\0";
    let preference = |name: &[u8]| [&[0, 10], name].concat();
    for (record_type, has, deleted) in [
        (RecordType::MX, preference(lower), preference(upper)),
        (RecordType::NS, upper.to_vec(), lower.to_vec()),
        (RecordType::PTR, lower.to_vec(), upper.to_vec()),
    ] {
        let there = ("a.example.".parse().unwrap(), record_type, has);
        let mut records: BTreeSet<Plain> = apex(1).into_iter().collect();
        records.insert(there.clone());
        let zone = compiled(&records).unwrap();
        let other = (there.0.clone(), record_type, deleted);
        let gone = zone.with_changes(batch([&other]), batch([])).unwrap();
        assert_same(&gone, &compiled(&apex(1).into_iter().collect()).unwrap(), &[]);
        let replaced = zone.with_changes(batch([&other]), batch([&other])).unwrap();
        let is_new = |record: &Record| record.record_type == record_type && record.rdata[..] == other.2[..];
        assert!(replaced.records().any(|record| is_new(&record)), "{record_type}");
    }
    // What is no name is what it is.
    let text = |text: &[u8]| ("a.example.".parse().unwrap(), RecordType::TXT, text.to_vec());
    let mut records: BTreeSet<Plain> = apex(1).into_iter().collect();
    records.insert(text(b"\x03mta"));
    let zone = compiled(&records).unwrap();
    assert!(zone.with_changes(batch([&text(b"\x03MTA")]), batch([])).is_err());
}

#[test]
fn another_serial_and_nothing_else() {
    let zone = compiled(&apex(1).into_iter().collect()).unwrap();
    let next = zone.with_serial(Serial(7)).unwrap();
    assert_eq!((zone.serial(), next.serial()), (Serial(1), Serial(7)));
    assert_same(&next, &compiled(&apex(7).into_iter().collect()).unwrap(), &[]);
}

#[test]
fn hundreds_of_changes_take_no_more_memory() {
    let host = |number: u32| {
        (format!("h{number}.{ORIGIN}").parse().unwrap(), RecordType::A, number.to_be_bytes().to_vec())
    };
    let mut records: BTreeSet<Plain> = apex(0).into_iter().collect();
    records.extend((0..20_000).map(host));
    let mut zone = compiled(&records).unwrap();
    let (octets, _) = zone.store.usage();
    for step in 0..300_u32 {
        let old: Vec<Plain> = (0..10).map(|number| host((step * 10 + number) % 20_000)).collect();
        let gone = zone.with_changes(batch(&old), batch([])).unwrap();
        zone = gone.with_changes(batch([]), batch(&old)).unwrap();
    }
    let (now, live) = zone.store.usage();
    assert!(now < octets * 5 / 4 + 600_000, "{octets} octets became {now}, of which {live} are in use");
    assert_same(&zone, &compiled(&records).unwrap(), &[]);
}
