//! What a report counts is what a walk over its zones counts, and who follows changes sees what one who walks sees.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use proptest::prelude::*;

use super::*;
use crate::wire::Serial;

fn name(number: u8) -> Name {
    format!("z{number}.example.").parse().unwrap()
}

fn zone(state: ZoneState, durable: bool, is_faulty: bool) -> ZoneReport {
    let faults = if is_faulty { vec![Fault::BumpWithoutState] } else { Vec::new() };
    ZoneReport {
        state,
        since: SystemTime::UNIX_EPOCH,
        serial: Some(Serial(1)),
        source_serial: None,
        records: 2,
        source: Path::new("a.zone").into(),
        file: Default::default(),
        accepted_at: None,
        durable,
        refused_serial: None,
        signatures: None,
        expiry: Expiry::Current,
        kept_version: None,
        is_another: false,
        number: 0,
        is_catalog: false,
        is_from_primaries: false,
        faults,
    }
}

#[derive(Clone, Debug)]
enum Change {
    Put(u8, ZoneState, bool, bool),
    TakeOut(u8),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let state = prop_oneof![
        Just(ZoneState::Waiting),
        Just(ZoneState::Serving),
        Just(ZoneState::Kept),
        Just(ZoneState::Refused)
    ];
    let put = (0..20_u8, state, any::<bool>(), any::<bool>());
    let change = prop_oneof![
        4 => put.prop_map(|(number, state, durable, faulty)| Change::Put(number, state, durable, faulty)),
        1 => (0..20_u8).prop_map(Change::TakeOut),
    ];
    prop::collection::vec(change, 0..100)
}

proptest! {
    #[test]
    fn the_counts_are_those_of_a_walk(changes in changes(), seen in 0..100_usize) {
        let mut report = Report { keeps: true, ..Report::default() };
        let (mut known, mut followed) = (BTreeMap::new(), BTreeMap::new());
        let mut followed_to = None;
        for (step, change) in changes.into_iter().enumerate() {
            match change {
                Change::Put(number, state, durable, faulty) => {
                    known.insert(name(number), (state, durable, faulty));
                    report.put(name(number), zone(state, durable, faulty));
                }
                Change::TakeOut(number) => {
                    known.remove(&name(number));
                    report.take_out(&name(number));
                }
            }
            if step == seen {
                followed.clone_from(&known);
                followed_to = Some(report.changes());
            }
        }
        let is_served = |state: ZoneState| matches!(state, ZoneState::Serving | ZoneState::Kept);
        prop_assert_eq!(report.zones.size(), known.len());
        prop_assert_eq!(report.faulty(), known.values().filter(|zone| zone.2).count());
        prop_assert_eq!(report.unkept, known.values().filter(|zone| is_served(zone.0) && !zone.1).count());
        let served: Vec<&Name> = known.iter().filter(|(_, zone)| is_served(zone.0)).map(|(name, _)| name).collect();
        prop_assert_eq!(report.served(), served.len());
        let walked = std::iter::successors(report.served_after(None), |name| report.served_after(Some(*name)));
        prop_assert_eq!(walked.collect::<Vec<_>>(), served);
        if let Some(changes) = followed_to {
            for name in report.changed_since(changes).unwrap() {
                match known.get(name) {
                    Some(zone) => drop(followed.insert(name.clone(), *zone)),
                    None => drop(followed.remove(name)),
                }
            }
            prop_assert_eq!(followed, known);
        }
    }
}

#[test]
fn who_has_missed_too_many_changes_walks() {
    let mut report = Report::default();
    for number in 0..=MOST_CHANGES {
        report.put(name((number % 7) as u8), zone(ZoneState::Serving, true, false));
    }
    assert!(report.changed_since(0).is_none());
    assert_eq!(report.changed_since(1).unwrap().count(), MOST_CHANGES);
    assert_eq!(report.changed_since(report.changes()).unwrap().count(), 0);
    assert!(report.changed_since(report.changes() + 1).is_none(), "another publisher");
}
