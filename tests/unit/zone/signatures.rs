//! Verification of what changed against verification from the start, on zones signed here.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::wire::{Name, RecordType};
use crate::zone::signatures::*;
use crate::zone::{Place, RecordBatch, Zone};

const TTL: u32 = 60;
const NOW: u64 = 1_800_000_000;
/// More than are verified at once.
const NAMES: usize = 40;

static KEY: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());
static OTHER: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap());

/// Owner, type, RDATA; all have one TTL.
type Row = (Vec<u8>, u16, Vec<u8>);

/// What stands at one name.
#[derive(Clone, Debug, Default)]
struct Host {
    address: u8,
    signature: Signature,
    /// Days until the signature expires.
    days: u8,
    is_cut: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Signature {
    #[default]
    Good,
    Damaged,
    Missing,
}

fn origin() -> Name {
    "example.".parse().unwrap()
}

/// Half of the names are below others.
fn owner(number: usize) -> Name {
    match number % 2 {
        0 => format!("h{number}.example.").parse().unwrap(),
        _ => format!("below.h{}.example.", number - 1).parse().unwrap(),
    }
}

fn dnskey(key: &Ed25519KeyPair) -> Vec<u8> {
    [&[1, 1, 3, 15], key.public_key().as_ref()].concat()
}

fn tag(rdata: &[u8]) -> u16 {
    let sum: u32 = rdata
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])))
        .sum();
    (sum + (sum >> 16)) as u16
}

/// An RRSIG of one RRset, of names in lower case and RDATA in canonical order.
fn sign(key: &Ed25519KeyPair, owner: &Name, record_type: RecordType, set: &[Vec<u8>], days: u8) -> Vec<u8> {
    let (expires, begins) = ((NOW + u64::from(days) * 86_400) as u32, NOW as u32 - 3600);
    let mut rdata = record_type.0.to_be_bytes().to_vec();
    rdata.extend([15, owner.label_count() as u8]);
    [TTL, expires, begins].iter().for_each(|number| rdata.extend(number.to_be_bytes()));
    rdata.extend(tag(&dnskey(key)).to_be_bytes());
    rdata.extend(origin().as_wire());
    let mut message = rdata.clone();
    for one in set {
        message.extend(owner.as_wire());
        message.extend(record_type.0.to_be_bytes());
        message.extend([0, 1]);
        message.extend(TTL.to_be_bytes());
        message.extend((one.len() as u16).to_be_bytes());
        message.extend(one);
    }
    rdata.extend(key.sign(&message).as_ref());
    rdata
}

fn rows(hosts: &[Option<Host>], key: &Ed25519KeyPair, serial: u32) -> BTreeSet<Row> {
    let origin = origin();
    let soa = [&b"\0\0"[..], &[serial, 1, 1, 1, 1].map(u32::to_be_bytes).concat()].concat();
    let mut rows = BTreeSet::new();
    let mut add = |owner: &Name, record_type: RecordType, rdata: Vec<u8>| {
        rows.insert((owner.as_wire().to_vec(), record_type.0, rdata));
    };
    for (record_type, rdata) in
        [(RecordType::SOA, soa), (RecordType::NS, vec![0]), (RecordType::DNSKEY, dnskey(key))]
    {
        add(&origin, RecordType::RRSIG, sign(key, &origin, record_type, std::slice::from_ref(&rdata), 100));
        add(&origin, record_type, rdata);
    }
    for (number, host) in hosts.iter().enumerate() {
        let Some(host) = host else { continue };
        let (owner, address) = (owner(number), vec![10, 0, 0, host.address]);
        let mut signature = sign(key, &owner, RecordType::A, std::slice::from_ref(&address), host.days);
        add(&owner, RecordType::A, address);
        if host.is_cut {
            add(&owner, RecordType::NS, vec![0]);
        }
        match host.signature {
            Signature::Good => {}
            Signature::Damaged => *signature.last_mut().unwrap() ^= 1,
            Signature::Missing => continue,
        }
        add(&owner, RecordType::RRSIG, signature);
    }
    rows
}

fn batch<'r>(rows: impl IntoIterator<Item = &'r Row>) -> RecordBatch {
    let mut batch = RecordBatch::new(&origin());
    for (owner, record_type, rdata) in rows {
        batch.push(owner, RecordType(*record_type), TTL, rdata, Place::default());
    }
    batch
}

fn compiled(rows: &BTreeSet<Row>) -> Arc<Zone> {
    let mut builder = crate::zone::ZoneBuilder::new(origin());
    builder.add(batch(rows));
    Arc::new(builder.finish().unwrap())
}

fn from_the_start(zone: &Arc<Zone>) -> SignatureVerdict {
    let mut following = Following::new(zone.clone(), true, NOW).unwrap();
    assert!(following.step(|| true));
    following.verdict()
}

fn whole(zone: &Zone, now: Option<u64>) -> Findings {
    let pieces = Pieces::whole(zone, now).unwrap();
    let mut all = Findings::default();
    (0..pieces.count()).for_each(|index| all.merge(pieces.verify(index, || {})));
    all
}

fn host() -> impl Strategy<Value = Option<Host>> {
    let signature =
        prop_oneof![4 => Just(Signature::Good), 1 => Just(Signature::Damaged), 1 => Just(Signature::Missing)];
    let host = (0..3_u8, signature, 1..60_u8, prop::bool::weighted(0.2));
    prop::option::weighted(
        0.8,
        host.prop_map(|(address, signature, days, is_cut)| Host { address, signature, days, is_cut }),
    )
}

/// What a step of a test changes: some names, the key or not, and how much is verified before.
fn edit() -> impl Strategy<Value = (Vec<(usize, Option<Host>)>, bool, bool, usize)> {
    let changes = prop::collection::vec((0..NAMES, host()), 0..4);
    (changes, prop::bool::weighted(0.1), prop::bool::weighted(0.2), 0..60_usize)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_changed_leads_to_the_same_as_the_whole(
        first in prop::collection::vec(host(), NAMES),
        edits in prop::collection::vec(edit(), 1..8),
    ) {
        let (mut hosts, mut key) = (first, &*KEY);
        let mut known = rows(&hosts, key, 1);
        let mut zone = compiled(&known);
        let mut following = Following::new(zone.clone(), true, NOW).unwrap();
        for (serial, (changes, other_key, is_whole, steps)) in (2..).zip(edits) {
            let mut left = steps;
            following.step(|| { left = left.saturating_sub(1); left > 0 });
            changes.into_iter().for_each(|(number, host)| hosts[number] = host);
            if other_key {
                key = if std::ptr::eq(key, &*KEY) { &*OTHER } else { &*KEY };
            }
            let next = rows(&hosts, key, serial);
            let old = zone.clone();
            zone = match is_whole {
                true => compiled(&next),
                false => {
                    let (deleted, added) = (batch(known.difference(&next)), batch(next.difference(&known)));
                    Arc::new(zone.with_changes(deleted, added).unwrap())
                }
            };
            known = next;
            // What would be refused is what came to be wrong.
            let pieces = Pieces::changed(Some(&old), &zone, usize::MAX).unwrap();
            let mut found = Findings::default();
            (0..pieces.count()).for_each(|index| found.merge(pieces.verify(index, || {})));
            let (before, after) = (whole(&old, None), whole(&zone, None));
            let came = after.told(Level::Wrong).iter().filter(|fault| !before.told(Level::Wrong).contains(fault));
            for fault in came.filter(|_| before.count(Level::Wrong) < 20 && after.count(Level::Wrong) < 20) {
                prop_assert!(found.told(Level::Wrong).contains(fault), "{fault}");
            }
            following = following.advance(zone.clone(), true, NOW).unwrap();
            let verdict = following.verdict();
            prop_assert_eq!(verdict.validity, validity(&zone, NOW));
        }
        prop_assert!(following.step(|| true));
        let verdict = following.verdict();
        prop_assert_eq!(&verdict, &from_the_start(&zone));
        prop_assert_eq!(verdict.wrong, whole(&zone, None).count(Level::Wrong));
    }
}

proptest! {
    /// Octets of keys and signatures come from anybody who writes a zone file.
    #[test]
    fn hostile_keys_and_signatures_are_taken_or_told(
        keys in prop::collection::vec((any::<[bool; 2]>(), 0..18_u8, prop::collection::vec(any::<u8>(), 0..300)), 0..6),
        signatures in prop::collection::vec((prop::sample::select(vec![2_u16, 6, 47, 48]), any::<[u8; 16]>(), prop::collection::vec(any::<u8>(), 1..80)), 1..30),
    ) {
        let mut all: BTreeSet<Row> = rows(&[], &KEY, 1).into_iter().filter(|row| row.1 != 46).collect();
        let apex = origin().as_wire().to_vec();
        for ([is_zone_key, is_dns], algorithm, octets) in keys {
            let head = [u8::from(is_zone_key), 1, if is_dns { 3 } else { 7 }, algorithm];
            all.insert((apex.clone(), 48, [&head[..], &octets].concat()));
        }
        for (covered, fields, octets) in signatures {
            let head = [&covered.to_be_bytes()[..], &fields, origin().as_wire()].concat();
            all.insert((apex.clone(), 46, [&head[..], &octets].concat()));
        }
        let zone = compiled(&all);
        let found = whole(&zone, Some(NOW));
        prop_assert!(found.count(Level::Wrong) > 0, "nothing is signed right: {found:?}");
        prop_assert_eq!(from_the_start(&zone).wrong, found.count(Level::Wrong));
    }
}

#[test]
fn a_change_verifies_what_changed_and_no_more() {
    let mut hosts = vec![Some(Host { days: 20, ..Host::default() }); NAMES];
    let before = rows(&hosts, &KEY, 1);
    let old = compiled(&before);
    hosts[4] = Some(Host { address: 9, days: 21, ..Host::default() });
    let after = rows(&hosts, &KEY, 2);
    let zone = old.with_changes(batch(before.difference(&after)), batch(after.difference(&before))).unwrap();
    let pieces = Pieces::changed(Some(&old), &zone, 100).unwrap();
    // The apex has three signatures, the host one.
    assert_eq!((pieces.is_whole(), pieces.verify(0, || {}).signatures), (true, 4));
    // With another key everything is new, up to the bound.
    let other = compiled(&rows(&hosts, &OTHER, 3));
    let count = |most| {
        let pieces = Pieces::changed(Some(&zone), &other, most).unwrap();
        let owners: usize = (0..pieces.count())
            .map(|index| {
                let mut owners = 0;
                pieces.verify(index, || owners += 1);
                owners
            })
            .sum();
        (pieces.is_whole(), owners)
    };
    assert_eq!([count(1000), count(10)], [(true, NAMES + 1), (false, 10)]);
}

#[test]
fn signatures_of_no_key_and_out_of_time_have_their_levels() {
    let hosts = vec![Some(Host { days: 20, ..Host::default() }); 2];
    let good = compiled(&rows(&hosts, &KEY, 1));
    assert_eq!(whole(&good, Some(NOW)).count(Level::Wrong), 0);
    let late = whole(&good, Some(NOW + 21 * 86_400));
    assert_eq!((late.count(Level::Wrong), late.count(Level::Time)), (0, 2));
    assert!(late.told(Level::Time)[0].to_string().contains("expired at 2027-02-04T08:00:00Z"), "{late:?}");
    let early = whole(&good, Some(NOW - 7200));
    assert_eq!((early.count(Level::Time), early.signatures), (5, 5));
    // A second signature by a key that is not there does no harm; alone it does.
    let mut both = rows(&hosts, &KEY, 1);
    let foreign = rows(&hosts, &OTHER, 1);
    let signatures =
        |rows: &BTreeSet<Row>| rows.iter().filter(|row| row.1 == 46).cloned().collect::<Vec<_>>();
    both.extend(signatures(&foreign));
    let found = whole(&compiled(&both), Some(NOW));
    assert_eq!((found.count(Level::Wrong), found.count(Level::Note)), (0, 5), "{found:?}");
    let own = signatures(&rows(&hosts, &KEY, 1));
    both.retain(|row| !own.contains(row));
    let found = whole(&compiled(&both), Some(NOW));
    assert_eq!(found.count(Level::Wrong), 5, "{found:?}");
    assert!(
        found.told(Level::Wrong)[0].to_string().contains("which is not in the DNSKEY RRset"),
        "{found:?}"
    );
}

#[test]
fn many_keys_with_one_tag_and_many_signatures_are_bounded() {
    // The tag is a sum: two pairs of octets that are exchanged leave it as it is (CVE-2023-50387).
    let key = dnskey(&KEY);
    let mut all = rows(&[], &KEY, 1);
    let apex = origin().as_wire().to_vec();
    for pair in 2..18 {
        let mut colliding = key.clone();
        (0..2).for_each(|octet| colliding.swap(4 + octet, pair * 2 + octet));
        assert_eq!(tag(&colliding), tag(&key));
        all.insert((apex.clone(), 48, colliding));
    }
    for number in 0..100_u8 {
        let mut signature = sign(&KEY, &origin(), RecordType::NS, &[vec![0]], 30);
        *signature.last_mut().unwrap() = number;
        all.insert((apex.clone(), 46, signature));
    }
    let found = whole(&compiled(&all), None);
    // SOA and DNSKEY have one each; of the NS RRset 16 of 101.
    assert_eq!(found.signatures, 18, "{found:?}");
    assert!(
        found
            .told(Level::Note)
            .iter()
            .any(|fault| fault.to_string().contains("101 signatures, of which only 16"))
    );
}
