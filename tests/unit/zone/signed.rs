//! Versions of signed zones against versions compiled from the same records: chains are changed where they must be, shared
//! elsewhere, and broken ones are refused whether they came whole or as a difference.

use crate::zone::record::nsec3::{Parameters, label};
use crate::zone::tests::*;

/// How a zone denies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Signing {
    Nsec,
    Nsec3 { opt_out: bool },
}

const NSEC3PARAM: &[u8] = b"\x01\0\0\x01\x02\xaa\xbb";

pub(super) fn signing() -> impl Strategy<Value = Signing> {
    prop_oneof![
        Just(Signing::Nsec),
        Just(Signing::Nsec3 { opt_out: false }),
        Just(Signing::Nsec3 { opt_out: true })
    ]
}

/// A record of a zone to be signed: delegations, secure and not, with glue, deep names, wildcards.
pub(super) fn plain() -> impl Strategy<Value = Plain> {
    let name = || {
        let label = prop_oneof![Just("*"), Just("a"), Just("B"), Just("c"), Just("d")];
        prop::collection::vec(label, 1..5)
            .prop_map(|labels| format!("{}.{ORIGIN}", labels.join(".")).parse::<Name>().unwrap())
    };
    let data = prop_oneof![
        4 => (0..3_u8).prop_map(|number| (RecordType::A, vec![number; 4])),
        3 => Just((RecordType::NS, b"\x02ns\0".to_vec())),
        2 => Just((RecordType::DS, b"\0\x01\x08\x02abcd".to_vec())),
        1 => Just((RecordType::DNAME, b"\x01d\0".to_vec())),
    ];
    (name(), data).prop_map(|(owner, (record_type, rdata))| (owner, record_type, rdata))
}

/// The records with a whole chain; signatures only of NSEC3 records, because nobody checks them here.
pub(super) fn signed(records: &BTreeSet<Plain>, signing: Signing) -> BTreeSet<Plain> {
    let zone = compiled(records).unwrap();
    let mut all = records.clone();
    match signing {
        Signing::Nsec => {
            let owners = zone.names().filter(|(node, below)| !below && node.node.set_count() > 0);
            let owners: Vec<Name> = owners.map(|(node, _)| node.owner()).collect();
            let nexts = owners.iter().skip(1).chain(owners.first());
            for (owner, next) in owners.iter().zip(nexts) {
                let rdata = [next.as_wire(), b"\0\x01\x40"].concat();
                all.insert((owner.clone(), RecordType::NSEC, rdata));
            }
        }
        Signing::Nsec3 { opt_out } => {
            all.insert((ORIGIN.parse().unwrap(), RecordType::NSEC3PARAM, NSEC3PARAM.to_vec()));
            let mut hashes: Vec<_> = hashed_names(&zone, opt_out).iter().map(hash).collect();
            hashes.sort_unstable();
            let nexts = hashes.iter().skip(1).chain(hashes.first());
            for (hash, next) in hashes.iter().zip(nexts) {
                let owner: Name = format!("{}.{ORIGIN}", label(hash)).parse().unwrap();
                let flags = u8::from(opt_out);
                let rdata = [&[1, flags], NSEC3PARAM.get(2..).unwrap(), &[20], next, b"\0\x01\x40"].concat();
                // Of the type it covers, and some octets that differ when the record does.
                let signature = [&[0, 50, 8, 1][..], &[0; 14], b"\0", next].concat();
                all.insert((owner.clone(), RecordType::NSEC3, rdata));
                all.insert((owner, RecordType::RRSIG, signature));
            }
        }
    }
    all
}

fn hash(name: &Name) -> [u8; 20] {
    Parameters::from_nsec3param(NSEC3PARAM).unwrap().hash(name.to_lowercase().as_wire())
}

/// The names that get an NSEC3 record: with opt-out neither insecure delegations nor what is only above those.
fn hashed_names(zone: &Zone, opt_out: bool) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    for (node, _) in zone.names().filter(|(node, below)| !below && node.node.set_count() > 0) {
        if opt_out && node.is_cut() && node.set(RecordType::DS).is_none() {
            continue;
        }
        let apex: Name = ORIGIN.parse().unwrap();
        let up = std::iter::successors(Some(node.owner()), Name::parent);
        names.extend(up.take_while(|name| name.is_at_or_below(&apex)).map(|name| name.to_lowercase()));
    }
    names
}

/// What a zone denies a name with.
fn denied(zone: &Zone, name: &Name) -> String {
    let lookup = LookupName::from(name);
    let owner = |node: Option<NodeRef<'_>>| node.map(|node| node.owner().to_lowercase().to_string());
    let own = zone.find(&lookup).and_then(|node| zone.nsec3_of(node));
    let covering = zone.nsec3_covering(name.to_lowercase().as_wire()).map(owner);
    format!("{:?} {:?} {covering:?}", owner(zone.nsec(&lookup)), owner(own))
}

pub(super) fn assert_same_signed(one: &Zone, other: &Zone, names: &[Name]) {
    assert_same(one, other, names);
    assert_eq!(one.denies(), other.denies());
    let all: Vec<Name> = other.names().map(|(node, _)| node.owner()).chain(names.iter().cloned()).collect();
    let hash = |zone: &Zone, name: &Name| {
        zone.find(&LookupName::from(name)).and_then(|node| node.node.hash().copied())
    };
    for name in &all {
        assert_eq!(hash(one, name), hash(other, name), "{name}");
        assert_eq!(denied(one, name), denied(other, name), "{name}");
    }
}

/// Records that make a zone, of those that are offered; the last SOA record counts.
pub(super) fn sound(serial: u32, offered: impl IntoIterator<Item = Plain>) -> BTreeSet<Plain> {
    let mut records: BTreeSet<Plain> = apex(serial).into_iter().collect();
    for record in offered.into_iter().filter(|(_, record_type, _)| *record_type != RecordType::SOA) {
        let is_new = records.insert(record.clone());
        if is_new && compiled(&records).is_err() {
            records.remove(&record);
        }
    }
    records
}

/// The next version of `records`, some of them gone, some new.
fn next(
    records: &BTreeSet<Plain>,
    serial: u32,
    gone: &[prop::sample::Index],
    add: Vec<Plain>,
) -> BTreeSet<Plain> {
    let mut kept: Vec<Plain> = records.iter().cloned().collect();
    // Some may be of the apex, which has them again.
    for at in gone.iter().take(kept.len()) {
        kept.remove(at.index(kept.len()));
    }
    sound(serial, kept.into_iter().chain(add))
}

proptest! {
    /// A line of signed versions, each by difference, sharing; and each difference without one of its records, or without those of
    /// one owner.
    #[test]
    fn a_difference_of_a_signed_zone_makes_what_compiling_makes(
        signing in signing(),
        first in prop::collection::vec(plain(), 0..25),
        steps in prop::collection::vec(
            (prop::collection::vec(any::<prop::sample::Index>(), 0..4), prop::collection::vec(plain(), 0..5), any::<prop::sample::Index>(), any::<bool>()), 1..5),
        names in prop::collection::vec(name(), 0..20),
    ) {
        let mut records = sound(0, first);
        let mut zone = compiled(&signed(&records, signing)).unwrap();
        for (serial, (gone, add, wrong, all_of_owner)) in (1..).zip(steps) {
            let following = next(&records, serial, &gone, add);
            let (before, after) = (signed(&records, signing), signed(&following, signing));
            let deleted: Vec<Plain> = before.difference(&after).cloned().collect();
            let added: Vec<Plain> = after.difference(&before).cloned().collect();
            let changed = zone.changed(&batch(&deleted), &batch(&added), Checks::default()).unwrap();
            let changed = changed.expect("a sound difference needs no compiling");
            let whole = compiled(&after).unwrap();
            assert_same_signed(&changed, &whole, &names);

            let at = wrong.index(deleted.len() + added.len());
            let gone = deleted.iter().chain(&added).nth(at).unwrap();
            let is_left = |record: &&Plain| if all_of_owner { record.0 != gone.0 } else { *record != gone };
            let left = |records: &[Plain]| records.iter().filter(is_left).cloned().collect::<Vec<_>>();
            let (deleted, added) = (left(&deleted), left(&added));
            let mut model: BTreeSet<Plain> = before.clone();
            model.retain(|record| !deleted.contains(record));
            model.extend(added.clone());
            match (zone.with_changes(batch(&deleted), batch(&added)), compiled(&model)) {
                (Ok(changed), Ok(whole)) => assert_same_signed(&changed, &whole, &names),
                (Err(changed), Err(whole)) => prop_assert_eq!(changed, whole),
                (changed, whole) => prop_assert!(false, "{:?} but {:?}", changed.err(), whole.err()),
            }
            assert_same_signed(&zone, &compiled(&before).unwrap(), &names);
            (zone, records) = (changed, following);
        }
    }

    /// Opt-out ends in one span: a fault if a name is left out there.
    #[test]
    fn opt_out_ends_where_no_name_needs_it(first in prop::collection::vec(plain(), 0..25)) {
        let records = signed(&sound(0, first), Signing::Nsec3 { opt_out: true });
        let zone = compiled(&records).unwrap();
        for record in records.iter().filter(|(_, record_type, _)| *record_type == RecordType::NSEC3) {
            let mut other = record.clone();
            *other.2.get_mut(1).unwrap() = 0;
            let mut after = records.clone();
            after.remove(record);
            after.insert(other.clone());
            match (zone.with_changes(batch([record]), batch([&other])), compiled(&after)) {
                (Ok(changed), Ok(whole)) => assert_same_signed(&changed, &whole, &[]),
                (Err(changed), Err(whole)) => prop_assert_eq!(changed, whole),
                (changed, whole) => prop_assert!(false, "{:?} but {:?}", changed.err(), whole.err()),
            }
        }
    }

    /// A signed zone deployed again, in any number of batches, reduced or not, with a record missing or not.
    #[test]
    fn a_redeployed_signed_zone_is_what_compiling_makes(
        signing in signing(),
        first in prop::collection::vec(plain(), 10..60),
        gone in prop::collection::vec(any::<prop::sample::Index>(), 0..2),
        add in prop::collection::vec(plain(), 0..3),
        wrong in prop::option::of(any::<prop::sample::Index>()),
        batches in 1..5_usize,
        reduced in any::<bool>(),
        names in prop::collection::vec(name(), 0..20),
    ) {
        let records = sound(0, first);
        let base = Arc::new(compiled(&signed(&records, signing)).unwrap());
        let mut after: Vec<Plain> = signed(&next(&records, 1, &gone, add), signing).into_iter().collect();
        if let Some(wrong) = wrong {
            after.remove(wrong.index(after.len()));
        }
        let mut builder = ZoneBuilder::after(&base);
        let standing = builder.standing().unwrap();
        for part in after.chunks(after.len().div_ceil(batches)) {
            builder.add(if reduced { standing.reduce(batch(part)) } else { batch(part) });
        }
        match (builder.finish(), compiled(&after.into_iter().collect())) {
            (Ok(again), Ok(whole)) => {
                assert_same_signed(&again, &whole, &names);
                let warnings = |zone: &Zone| zone.warnings().iter().map(ToString::to_string).collect::<BTreeSet<_>>();
                prop_assert_eq!(warnings(&again), warnings(&whole));
            }
            (Err(_), Err(_)) => {}
            (again, whole) => prop_assert!(false, "{:?} but {:?}", again.err(), whole.err()),
        }
        assert_same_signed(&base, &compiled(&signed(&records, signing)).unwrap(), &names);
    }
}

/// What decides how a zone denies is changed by compiling: signing, no longer signing, another salt.
#[test]
fn another_way_to_deny_comes_by_difference_too() {
    let unsigned = sound(1, [("a.example.".parse().unwrap(), RecordType::A, vec![0; 4])]);
    let stray = ("a.example.".parse().unwrap(), RecordType::NSEC, b"\0\0\x01\x40".to_vec());
    let versions = [
        unsigned.clone(),
        signed(&unsigned, Signing::Nsec),
        signed(&unsigned, Signing::Nsec3 { opt_out: false }),
        signed(&unsigned, Signing::Nsec3 { opt_out: true }),
        // Nothing is denied with an NSEC record that is not at the apex, which is odd.
        unsigned.iter().cloned().chain([stray]).collect(),
        unsigned,
    ];
    let name: Name = "b.example.".parse().unwrap();
    for before in &versions {
        for after in &versions {
            let zone = compiled(before).unwrap();
            let changed = zone.with_changes(batch(before.difference(after)), batch(after.difference(before)));
            let (changed, whole) = (changed.unwrap(), compiled(after).unwrap());
            assert_same_signed(&changed, &whole, std::slice::from_ref(&name));
            assert_eq!(changed.warnings(), whole.warnings());
        }
    }
}

/// Blocks that hold nodes of the chain are given back, too.
#[test]
fn hundreds_of_changes_of_a_chain_take_no_more_memory() {
    let host = |number: u32| {
        (format!("h{number}.{ORIGIN}").parse().unwrap(), RecordType::A, number.to_be_bytes().to_vec())
    };
    let records = sound(0, []).into_iter().chain((0..5_000).map(host)).collect();
    let mut records = signed(&records, Signing::Nsec3 { opt_out: false });
    let mut signatures: Vec<Plain> =
        records.iter().filter(|(_, kind, _)| *kind == RecordType::RRSIG).cloned().collect();
    let mut zone = compiled(&records).unwrap();
    let (octets, _) = zone.store.usage();
    for step in 0..200 {
        let some = signatures.iter_mut().skip(step * 50 % 5_000).take(50);
        let (mut deleted, mut added) = (Vec::new(), Vec::new());
        for signature in some {
            deleted.push(signature.clone());
            *signature.2.get_mut(8).unwrap() += 1;
            added.push(signature.clone());
        }
        zone = zone.changed(&batch(&deleted), &batch(&added), Checks::default()).unwrap().unwrap();
    }
    let (now, live) = zone.store.usage();
    assert!(now < octets * 5 / 4 + 600_000, "{octets} octets became {now}, of which {live} are in use");
    records.retain(|(_, kind, _)| *kind != RecordType::RRSIG);
    records.extend(signatures);
    assert_same_signed(&zone, &compiled(&records).unwrap(), &[]);
}
