//! The zone's index against a model: every name in a sorted map, every lookup by walking up labels.

use std::collections::BTreeMap;

use anyns::wire::{LookupName, Name, RecordType};
use anyns::zone::{Lookup, Place, Record, Zone, ZoneBuilder};
use proptest::prelude::*;

/// What the model says of a name.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Exact(Name),
    Wildcard(Name),
    Cut(Name, bool),
    Missing(Name),
}

fn model(names: &BTreeMap<Name, bool>, apex: &Name, name: &Name) -> Expected {
    let exists = |name: &Name| names.keys().any(|other| other.is_at_or_below(name));
    let mut above: Vec<Name> = std::iter::successors(Some(name.clone()), Name::parent)
        .take_while(|ancestor| ancestor.is_at_or_below(apex))
        .collect();
    above.reverse();
    if let Some(cut) = above.iter().skip(1).find(|ancestor| names.get(*ancestor) == Some(&true)) {
        return Expected::Cut(cut.clone(), cut == name);
    }
    let encloser = above.iter().rev().find(|ancestor| exists(ancestor)).unwrap().clone();
    if encloser == *name {
        return Expected::Exact(encloser);
    }
    let wildcard = Name::from_text(b"*", &encloser).unwrap();
    if exists(&wildcard) { Expected::Wildcard(wildcard) } else { Expected::Missing(encloser) }
}

fn found(zone: &Zone, name: &Name) -> Expected {
    match zone.lookup(&LookupName::from(name)) {
        Lookup::Exact(node) => Expected::Exact(node.owner()),
        Lookup::Wildcard(node) => Expected::Wildcard(node.owner()),
        Lookup::Cut { node, exact } => Expected::Cut(node.owner(), exact),
        Lookup::Missing(node) => Expected::Missing(node.owner()),
        Lookup::Dname(node) => panic!("no DNAME in this zone: {node:?}"),
    }
}

fn compile(apex: &Name, names: &BTreeMap<Name, bool>) -> Zone {
    let mut builder = ZoneBuilder::new(apex.clone());
    let mut push = |owner: &Name, record_type, rdata: &[u8]| {
        builder.push(
            Record { owner: owner.clone(), record_type, ttl: 60, rdata: rdata.into() },
            Place::default(),
        );
    };
    push(apex, RecordType::SOA, &[0; 22]);
    push(apex, RecordType::NS, b"\0");
    for (name, is_cut) in names {
        if *is_cut { push(name, RecordType::NS, b"\0") } else { push(name, RecordType::TXT, b"\x01x") }
    }
    builder.finish().unwrap()
}

fn names(apex: &'static str) -> impl Strategy<Value = Name> {
    "((a|B|b|\\*|\\\\000|ab|\\\\001)\\.){1,5}"
        .prop_map(move |front| format!("{front}{apex}").parse().unwrap())
}

proptest! {
    // Nothing is left behind: a failure prints its input.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lookups_agree_with_the_model(
        held in prop::collection::vec((names("example."), prop::bool::weighted(0.1)), 0..25),
        asked in prop::collection::vec(names("example."), 1..25),
    ) {
        let apex: Name = "example.".parse().unwrap();
        let mut map: BTreeMap<Name, bool> = BTreeMap::new();
        for (name, is_cut) in held {
            *map.entry(name).or_default() |= is_cut;
        }
        map.insert(apex.clone(), false);
        let zone = compile(&apex, &map);
        for name in asked.iter().chain(map.keys()) {
            prop_assert_eq!(found(&zone, name), model(&map, &apex, name), "{}", name);
        }
        let owners: Vec<Name> = zone.records().map(|record| record.owner).collect();
        prop_assert!(owners.is_sorted());
    }
}
