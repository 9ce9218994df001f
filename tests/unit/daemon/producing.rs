//! A catalog that is made here: removals that wait end when the zones are back, and an operator's hold is no failure.

use std::time::SystemTime;

use super::*;
use crate::catalog::RemovalLimit;
use crate::publish::{ZoneReport, ZoneState};
use crate::zone::Expiry;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn zone(faults: Vec<Fault>) -> ZoneReport {
    ZoneReport {
        state: ZoneState::Serving,
        since: SystemTime::UNIX_EPOCH,
        serial: Some(Serial(1)),
        source_serial: None,
        records: 2,
        source: std::path::PathBuf::from("zones/a.zone").into(),
        accepted_at: None,
        durable: true,
        refused_serial: None,
        expiry: Expiry::Current,
        kept_serial: None,
        is_catalog: false,
        faults,
        signatures: None,
    }
}

fn producing() -> Producing {
    let settings = ProducedCatalog {
        name: name("catalog.test."),
        zones: vec![crate::control::ZoneFilter::parse("*")],
        groups: Vec::new(),
        hand_over: BTreeMap::new(),
        limit: RemovalLimit { percent: 10, members: 2 },
    };
    let mut producing = Producing::new(settings);
    producing.restore(None);
    producing
}

/// What is served next, if anything is.
fn next(producing: &mut Producing, report: &Report) -> Option<usize> {
    let (_, listing) = producing.next(report, None, 1_000_000).unwrap()?.split();
    producing.served(listing);
    Some(producing.fact().members)
}

#[test]
fn removals_that_wait_end_when_the_zones_are_back() {
    let (mut producing, mut report) = (producing(), Report::default());
    let names: Vec<Name> = (0..10).map(|number| name(&format!("z{number}.test."))).collect();
    names.iter().for_each(|name| report.put(name.clone(), zone(Vec::new())));
    assert_eq!(next(&mut producing, &report), Some(10));
    names.iter().take(6).for_each(|name| report.take_out(name));
    assert_eq!(next(&mut producing, &report), None);
    assert_eq!(producing.fact().held.map(|held| held.count), Some(6));
    // Some are back: the others wait on; then all are.
    report.put(names[0].clone(), zone(Vec::new()));
    assert_eq!(next(&mut producing, &report), None);
    assert_eq!(producing.fact().held.map(|held| held.count), Some(5));
    names.iter().for_each(|name| report.put(name.clone(), zone(Vec::new())));
    assert_eq!(next(&mut producing, &report), None);
    assert_eq!((producing.fact().held, producing.fact().members), (None, 10));
}

#[test]
fn a_hold_of_the_catalog_is_told_and_ends_with_the_hold() {
    let (mut producing, mut report) = (producing(), Report::default());
    report.put(name("a.test."), zone(Vec::new()));
    assert_eq!(next(&mut producing, &report), Some(1));
    let hold = Fault::Held {
        zone: name("catalog.test."),
        since: SystemTime::UNIX_EPOCH,
        reason: "a freeze".to_owned(),
    };
    report.put(name("catalog.test."), ZoneReport { is_catalog: true, ..zone(vec![hold]) });
    report.put(name("b.test."), zone(Vec::new()));
    assert!(producing.is_held_by_operator(&report));
    assert!(producing.fact().fault.is_some_and(|fault| fault.contains("a freeze")));
    report.put(name("catalog.test."), ZoneReport { is_catalog: true, ..zone(Vec::new()) });
    assert!(!producing.is_held_by_operator(&report));
    assert_eq!(next(&mut producing, &report), Some(2));
    assert_eq!(producing.fact().fault, None);
}
