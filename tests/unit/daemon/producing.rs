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
        file: Default::default(),
        accepted_at: None,
        durable: true,
        refused_serial: None,
        expiry: Expiry::Current,
        kept_version: None,
        is_another: false,
        number: 0,
        is_catalog: false,
        is_from_primaries: false,
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
    next_at(producing, report, None, Instant::now()).map(|(members, _)| members)
}

/// The same at a time, with an order; with the version.
fn next_at(
    producing: &mut Producing,
    report: &Report,
    accepts: Option<Serial>,
    now: Instant,
) -> Option<(usize, NewVersion)> {
    let (version, listing) = producing.next(report, accepts, (now, 1_000_000)).unwrap()?.split();
    producing.served(listing);
    Some((producing.fact().members, version))
}

/// A version of the catalog after another.
fn after(served: Option<&Zone>, version: NewVersion) -> Zone {
    match (version, served) {
        (NewVersion::Whole(zone), _) => *zone,
        (NewVersion::Difference(difference), Some(served)) => {
            served.with_changes(difference.deleted, difference.added).expect("it fits")
        }
        (NewVersion::Difference(_), None) => panic!("a difference to nothing"),
    }
}

#[test]
fn a_zone_that_was_removed_has_another_label_when_it_is_listed_again() {
    let (mut producing, mut report) = (producing(), Report::default());
    let names: Vec<Name> = (0..10).map(|number| name(&format!("z{number}.test."))).collect();
    names.iter().for_each(|name| report.put(name.clone(), zone(Vec::new())));
    let step = |producing: &mut Producing, report: &Report, served: Option<&Zone>| {
        let (_, version) = next_at(producing, report, None, Instant::now()).expect("a version");
        after(served, version)
    };
    let labels = |catalog: &Zone| -> BTreeMap<Name, Box<[u8]>> {
        let read = CatalogZone::read(catalog).unwrap();
        read.members.into_iter().map(|(name, member)| (name, member.label)).collect()
    };
    let first = step(&mut producing, &report, None);
    assert_eq!(labels(&first)[&names[0]], label_of(&names[0], None));
    let mut served = first.clone();
    let mut known = vec![labels(&first)[&names[0]].clone()];
    for _ in 0..3 {
        report.take_out(&names[0]);
        served = step(&mut producing, &report, Some(&served));
        assert_eq!(CatalogZone::read(&served).unwrap().removed.len(), 1);
        // Another process reads what is served.
        producing = self::producing();
        producing.listed = None;
        producing.restore(Some(&Arc::new(served.clone())));
        report.put(names[0].clone(), zone(Vec::new()));
        served = step(&mut producing, &report, Some(&served));
        let read = CatalogZone::read(&served).unwrap();
        assert_eq!((read.members.len(), read.removed.len()), (10, 0));
        let label = read.members[&names[0]].label.clone();
        assert!(!known.contains(&label), "another one each time");
        known.push(label);
        // The others keep theirs.
        let others = |labels: BTreeMap<Name, Box<[u8]>>| labels.into_iter().skip(1).collect::<Vec<_>>();
        assert_eq!(others(labels(&served)), others(labels(&first)));
    }
    assert_eq!(next(&mut producing, &report), None, "nothing has changed");
}

/// Its removal waits for an operator, or the catalog is held, so that it stays listed; then a zone of its name comes, of which something
/// was kept (the configuration had lost it for a while) or nothing (it is another one).
#[test]
fn a_zone_that_comes_anew_while_it_is_still_listed_has_another_label() {
    let before = Some((Serial(1), std::time::UNIX_EPOCH));
    for (is_held, kept) in [(false, None), (false, before), (true, None), (true, before)] {
        let (mut producing, mut report) = (producing(), Report::default());
        let names: Vec<Name> = (0..10).map(|number| name(&format!("z{number}.test."))).collect();
        names.iter().for_each(|name| report.put(name.clone(), zone(Vec::new())));
        let (_, version) = next_at(&mut producing, &report, None, Instant::now()).expect("a version");
        let first = after(None, version);
        let gone = &names[..if is_held { 1 } else { 5 }];
        gone.iter().for_each(|name| report.take_out(name));
        producing.note_left(&report);
        let mut served = first;
        if !is_held {
            let (members, version) =
                next_at(&mut producing, &report, None, Instant::now()).expect("a version");
            assert_eq!(members, 10, "the removals wait");
            served = after(Some(&served), version);
        }
        // Not served yet: nothing is known of it.
        report.put(
            names[0].clone(),
            ZoneReport { state: ZoneState::Refused, serial: None, ..zone(Vec::new()) },
        );
        producing.note_left(&report);
        if is_held {
            assert_eq!(next(&mut producing, &report), None);
        }
        report.put(names[0].clone(), ZoneReport { kept_version: kept, ..zone(Vec::new()) });
        producing.note_left(&report);
        let version = next_at(&mut producing, &report, None, Instant::now()).map(|(_, version)| version);
        if let Some(version) = version {
            served = after(Some(&served), version);
        }
        let read = CatalogZone::read(&served).unwrap();
        let is_another = read.members[&names[0]].label != label_of(&names[0], None);
        assert_eq!(is_another, kept.is_none(), "held {is_held}, kept {kept:?}");
        assert!(names[5..].iter().all(|name| read.members[name].label == label_of(name, None)));
        // It is told once.
        report.put(names[0].clone(), ZoneReport { records: 3, kept_version: kept, ..zone(Vec::new()) });
        producing.note_left(&report);
        assert_eq!(next(&mut producing, &report), None);
    }
}

/// What is listed of zones that begin anew: those of `anew` were forgotten before the start, the others are other ones in the report.
#[test]
fn a_zone_that_begins_anew_while_it_is_listed_has_another_label_when_it_is_served() {
    let mut report = Report::default();
    let names: Vec<Name> = (0..10).map(|number| name(&format!("z{number}.test."))).collect();
    let numbered = |number| ZoneReport { number, ..zone(Vec::new()) };
    names.iter().zip(1..).for_each(|(name, number)| report.put(name.clone(), numbered(number)));
    let mut producing = producing();
    producing.note_left(&report);
    let (_, version) = next_at(&mut producing, &report, None, Instant::now()).expect("a version");
    let mut served = after(None, version);
    let labels = |catalog: &Zone| -> BTreeMap<Name, Box<[u8]>> {
        let read = CatalogZone::read(catalog).unwrap();
        read.members.into_iter().map(|(name, member)| (name, member.label)).collect()
    };
    let first = labels(&served);
    // Another process reads what is served. One of two zones that were forgotten is not served yet, and has something kept of its own.
    producing = self::producing();
    producing.listed = None;
    producing.begin_anew(&[names[0].clone(), names[1].clone(), name("gone.test.")].into());
    producing.restore(Some(&Arc::new(served.clone())));
    let refused = |number| ZoneReport { state: ZoneState::Refused, serial: None, ..numbered(number) };
    report.put(names[1].clone(), refused(2));
    report.put(
        names[0].clone(),
        ZoneReport { kept_version: Some((Serial(1), std::time::UNIX_EPOCH)), ..numbered(1) },
    );
    // In that process a third one is another zone, which the report has never been without.
    producing.note_left(&report);
    report.put(names[2].clone(), refused(11));
    producing.note_left(&report);
    assert_eq!(producing.take_said(), [name("gone.test.")].into());
    let mut known = first.clone();
    let mut step = |producing: &mut Producing, report: &Report, changes: &[usize]| {
        let (_, version) = next_at(producing, report, None, Instant::now()).expect("a version");
        served = after(Some(&served), version);
        let now = labels(&served);
        for (index, name) in names.iter().enumerate() {
            assert_eq!(now[name] != known[name], changes.contains(&index), "{name}");
        }
        known = now;
    };
    // A version in between does not make it forgotten.
    step(&mut producing, &report, &[0]);
    assert_eq!(producing.take_said(), [names[0].clone()].into());
    assert!(producing.has_to_say(&names[1]) && producing.has_to_say(&names[2]));
    report.put(
        names[1].clone(),
        ZoneReport { kept_version: Some((Serial(1), std::time::UNIX_EPOCH)), ..numbered(2) },
    );
    producing.note_left(&report);
    step(&mut producing, &report, &[1]);
    report.put(names[2].clone(), numbered(11));
    producing.note_left(&report);
    step(&mut producing, &report, &[2]);
    assert_eq!(producing.take_said(), names[1..3].iter().cloned().collect());
    // One that comes with what was kept of it is the same.
    report.put(
        names[3].clone(),
        ZoneReport { kept_version: Some((Serial(1), std::time::UNIX_EPOCH)), ..numbered(12) },
    );
    producing.note_left(&report);
    assert_eq!(next(&mut producing, &report), None);
}

#[test]
fn what_is_remembered_of_removed_zones_is_bounded() {
    let label = |number: u32| label_of(&name(&format!("z{number}.test.")), None);
    let most = MOST_REMOVED as u32;
    let known = (1..=most).map(|number| (label(number), Serial(number))).collect();
    let listed = Listed { removed: known, ..Listed::default() };
    let gone = [most + 1, most + 2].map(|number| name(&format!("z{number}.test.")));
    let removed = removed(&listed, &BTreeMap::new(), (&gone, Serial(most + 1)));
    let has = |number: u32| removed.contains_key(&label(number));
    assert_eq!(removed.len(), MOST_REMOVED);
    assert!(!has(1) && !has(2) && has(3) && has(most + 2));
}

#[test]
fn removals_within_an_hour_count_together_and_what_waits_goes_by_an_order_alone() {
    let (mut producing, mut report) = (producing(), Report::default());
    let names: Vec<Name> = (0..20).map(|number| name(&format!("z{number}.test."))).collect();
    names.iter().for_each(|name| report.put(name.clone(), zone(Vec::new())));
    let start = Instant::now();
    let at = |seconds| start + std::time::Duration::from_secs(seconds);
    let members = |producing: &mut Producing, report: &Report, accepts, now| {
        next_at(producing, report, accepts, now).map(|(members, _)| members)
    };
    assert_eq!(members(&mut producing, &report, None, start), Some(20));
    // Two go at once, which is little; the third within the hour waits.
    names[..2].iter().for_each(|name| report.take_out(name));
    assert_eq!(members(&mut producing, &report, None, at(1)), Some(18));
    report.take_out(&names[2]);
    assert_eq!(members(&mut producing, &report, None, at(2)), Some(18), "the catalog says that it waits");
    let held = producing.fact().held.unwrap();
    assert_eq!((held.count, &held.first), (1, &names[2]));
    // Others come meanwhile, and it waits on; also when the hour is over.
    report.put(name("new.test."), zone(Vec::new()));
    assert_eq!(members(&mut producing, &report, None, at(3)), Some(19));
    report.put(name("newer.test."), zone(Vec::new()));
    assert_eq!(members(&mut producing, &report, None, at(4000)), Some(20));
    assert_eq!(producing.fact().held.map(|held| held.count), Some(1));
    // What goes then, and is little, goes beside it.
    report.take_out(&names[3]);
    assert_eq!(members(&mut producing, &report, None, at(4001)), Some(19));
    let serial = producing.held().unwrap();
    assert_eq!(members(&mut producing, &report, Some(Serial(7)), at(4002)), None, "another serial");
    assert_eq!(members(&mut producing, &report, Some(serial), at(4003)), Some(18));
    assert_eq!(
        (producing.fact().held, producing.listed.as_ref().unwrap().accepted),
        (None, Some(Serial(serial.0 + 1)))
    );
    // An operator has looked: what went before counts no more.
    names[4..6].iter().for_each(|name| report.take_out(name));
    assert_eq!(members(&mut producing, &report, None, at(4004)), Some(16));
}

#[test]
fn removals_that_wait_end_when_the_zones_are_back() {
    let (mut producing, mut report) = (producing(), Report::default());
    let names: Vec<Name> = (0..10).map(|number| name(&format!("z{number}.test."))).collect();
    names.iter().for_each(|name| report.put(name.clone(), zone(Vec::new())));
    assert_eq!(next(&mut producing, &report), Some(10));
    names.iter().take(6).for_each(|name| report.take_out(name));
    assert_eq!(next(&mut producing, &report), Some(10));
    assert_eq!(producing.fact().held.map(|held| held.count), Some(6));
    // Some are back: the others wait on; then all are.
    report.put(names[0].clone(), zone(Vec::new()));
    assert_eq!(next(&mut producing, &report), None);
    assert_eq!(producing.fact().held.map(|held| held.count), Some(5));
    names.iter().for_each(|name| report.put(name.clone(), zone(Vec::new())));
    assert_eq!(next(&mut producing, &report), Some(10));
    assert_eq!((producing.fact().held, producing.fact().members), (None, 10));
    assert_eq!(next(&mut producing, &report), None);
}

#[test]
fn removals_that_wait_go_on_waiting_after_a_restart() {
    let (mut producing, mut report) = (producing(), Report::default());
    let names: Vec<Name> = (0..100).map(|number| name(&format!("z{number}.test."))).collect();
    names.iter().for_each(|name| report.put(name.clone(), zone(Vec::new())));
    let step = |producing: &mut Producing, report: &Report, accepts, served: Option<&Zone>| {
        let (_, version) = next_at(producing, report, accepts, Instant::now()).expect("a version");
        after(served, version)
    };
    let read = |zone: &Zone| CatalogZone::read(zone).unwrap();
    let restarted = |served: &Zone, percent| {
        let mut producing = self::producing();
        (producing.listed, producing.settings.limit.percent) = (None, percent);
        producing.restore(Some(&Arc::new(served.clone())));
        producing
    };
    let mut served = step(&mut producing, &report, None, None);
    // Eight go, and seven more within the hour: those wait.
    names[..8].iter().for_each(|name| report.take_out(name));
    served = step(&mut producing, &report, None, Some(&served));
    assert_eq!((read(&served).members.len(), read(&served).waits), (92, false));
    names[8..15].iter().for_each(|name| report.take_out(name));
    served = step(&mut producing, &report, None, Some(&served));
    assert_eq!((read(&served).members.len(), read(&served).waits), (92, true));
    // Another process: seven of 92 are few, but wait; so does one more that is gone then.
    producing = restarted(&served, 10);
    report.take_out(&names[15]);
    assert_eq!(next(&mut producing, &report), None, "nothing is new");
    assert_eq!(producing.fact().held.map(|held| held.count), Some(8));
    // What goes later is judged alone.
    report.take_out(&names[16]);
    served = step(&mut producing, &report, None, Some(&served));
    assert_eq!((read(&served).members.len(), producing.fact().held.map(|held| held.count)), (91, Some(8)));
    // Where nothing is to be held, nothing waits after a restart.
    assert_eq!(next(&mut restarted(&served, 100), &report), Some(83));
    let accepts = producing.held();
    served = step(&mut producing, &report, accepts, Some(&served));
    assert_eq!((read(&served).members.len(), read(&served).waits), (83, false));
    // Nothing waited, so few go as ever.
    producing = restarted(&served, 10);
    report.take_out(&names[17]);
    assert_eq!(next(&mut producing, &report), Some(82));
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
