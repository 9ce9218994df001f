//! Reports of many zones, counted, grouped and listed.

use std::path::Path;

use super::*;
use crate::wire::Serial;

pub(in super::super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(in super::super) fn zone(state: ZoneState, faults: Vec<Fault>) -> ZoneReport {
    ZoneReport {
        state,
        since: std::time::SystemTime::UNIX_EPOCH,
        serial: (state != ZoneState::Refused).then_some(Serial(7)),
        source_serial: None,
        records: 3,
        source: Path::new("zones/z.zone").into(),
        file: Default::default(),
        accepted_at: None,
        durable: true,
        signatures: None,
        refused_serial: None,
        expiry: Expiry::Current,
        kept_version: None,
        is_another: false,
        number: 0,
        is_catalog: false,
        is_from_primaries: false,
        faults,
    }
}

pub(in super::super) fn gone(path: &str) -> Fault {
    Fault::Vanished { path: path.into(), zone: name("a") }
}

fn missing(path: &str) -> Fault {
    Fault::Missing { path: path.into() }
}

/// `count` zones; every hundredth vanished, every thousandth refused.
pub(in super::super) fn many(count: usize) -> Report {
    let one = |index: usize| {
        let zone = match index {
            _ if index.is_multiple_of(1000) => zone(ZoneState::Refused, vec![missing("z")]),
            _ if index.is_multiple_of(100) => zone(ZoneState::Kept, vec![gone(&format!("{index}.zone"))]),
            _ => zone(ZoneState::Serving, Vec::new()),
        };
        (name(&format!("z{index}.example")), zone)
    };
    (0..count).map(one).collect()
}

fn names(names: &[&str]) -> RequiredZones {
    Arc::new(names.iter().map(|text| name(text)).collect())
}

fn table(report: Report, required: &[&str]) -> ZoneTable {
    let mut table = ZoneTable::default();
    table.refresh(&Arc::new(report), &names(required), 1000);
    table
}

fn select(table: &ZoneTable, zones: &str, most: Option<usize>) -> (Vec<String>, u64, u64) {
    let zones = ZoneFilter::parse(zones);
    let (listed, counts) = table.select(&Selection { zones, most });
    (listed.into_iter().map(|zone| zone.name).collect(), counts.matched, counts.matched_not_well)
}

#[test]
fn zones_with_the_same_cause_are_one_group() {
    let report = [
        ("a", zone(ZoneState::Kept, vec![gone("a.zone")])),
        ("b", zone(ZoneState::Kept, vec![gone("b.zone"), missing("x")])),
        ("c", zone(ZoneState::Kept, vec![missing("c.zone")])),
        ("d", zone(ZoneState::Serving, Vec::new())),
        ("e", zone(ZoneState::Kept, vec![gone("e.zone")])),
    ]
    .map(|(text, zone)| (name(text), zone))
    .into_iter()
    .collect();
    let table = table(report, &["e", "absent"]);
    let told: Vec<(bool, String, u64, String)> = table
        .groups()
        .into_iter()
        .map(|group| (group.required, group.first, group.count, format!("{:?}", group.state)))
        .collect();
    assert_eq!(told.len(), 4, "{told:?}");
    for expected in [
        (false, "a.", 2, "Kept"),
        (false, "c.", 1, "Kept"),
        (true, "e.", 1, "Kept"),
        (true, "absent.", 1, "Refused"),
    ] {
        assert!(
            told.contains(&(expected.0, expected.1.to_owned(), expected.2, expected.3.to_owned())),
            "{expected:?} {told:?}"
        );
    }
    assert!(table.groups()[0].required, "those that are required come first");
    let counts =
        ZoneCounts { total: 6, not_well: 5, served: 1, kept: 4, refused: 1, ..ZoneCounts::default() };
    assert_eq!(table.counts, counts);
}

#[test]
fn zones_are_listed_as_asked() {
    let table = table(many(2000), &["z5.example", "absent.example"]);
    // 20 are not well (18 kept, 2 refused), and one is required and absent.
    let (listed, matched, bad) = select(&table, "*", Some(25));
    assert_eq!((listed.len(), matched, bad), (25, 2001, 21));
    assert_eq!(listed.iter().filter(|name| name.ends_with("00.example.")).count(), 19, "{listed:?}");
    assert_eq!(listed.first().map(String::as_str), Some("z0.example."), "those that are not well come first");
    let (listed, matched, bad) = select(&table, "*", None);
    assert_eq!((listed.len(), matched, bad), (2001, 2001, 21));
    let (listed, matched, bad) = select(&table, "bad", None);
    assert_eq!((listed.len(), matched, bad), (21, 21, 21));
    assert_eq!(select(&table, "bad", Some(5)).0.len(), 5);
    assert_eq!(select(&table, "Z7.example", None), (vec!["z7.example.".into()], 1, 0));
    assert_eq!(select(&table, "absent.example", None), (vec!["absent.example.".into()], 1, 1));
    assert_eq!(select(&table, "nowhere.example", Some(9)), (Vec::new(), 0, 0));
    assert_eq!(select(&table, "not a name..", Some(9)), (Vec::new(), 0, 0));
    let (listed, matched, bad) = select(&table, "z10??.example", Some(3));
    assert_eq!((listed[0].as_str(), listed.len(), matched, bad), ("z1000.example.", 3, 100, 1));
    let (listed, counts) =
        table.select(&Selection { zones: ZoneFilter::Name("z5.example".into()), most: None });
    assert!(listed[0].required && counts.total == 2001);
}

#[test]
fn a_held_zone_is_not_well_since_it_is_held() {
    let since = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(5000);
    let held = || Fault::Held { zone: name("a.example"), since, reason: "x y".to_owned() };
    let report = [
        (name("a.example"), zone(ZoneState::Serving, vec![held()])),
        (name("b.example"), zone(ZoneState::Kept, vec![gone("b"), held()])),
    ];
    let table = table(report.into_iter().collect(), &[]);
    let mut groups: Vec<_> = table.groups().into_iter().map(|group| (group.first, group.since)).collect();
    groups.sort();
    assert_eq!(groups, [("a.example.".to_owned(), 5000), ("b.example.".to_owned(), 0)]);
    let (listed, _) = table.select(&Selection { zones: ZoneFilter::All, most: None });
    assert_eq!(listed.iter().map(|zone| zone.since).collect::<Vec<_>>(), [5000, 0]);
}

/// What a table knows, as far as that is told.
fn told(table: &ZoneTable) -> String {
    let (groups, now) = (table.groups(), 1 << 40);
    let expiries: Vec<String> = table.signature_alarms(now).into_iter().map(|alarm| alarm.message).collect();
    let (listed, counts) = table.select(&Selection { zones: ZoneFilter::All, most: None });
    let bad = table.select(&Selection { zones: ZoneFilter::All, most: Some(7) });
    format!("{counts:?} {groups:?} {expiries:?} {listed:?} {bad:?}")
}

/// The same without anything known before.
fn walked(report: &Arc<Report>, required: &RequiredZones) -> ZoneTable {
    let mut table = ZoneTable::default();
    table.refresh(report, required, 1000);
    table
}

#[test]
fn zones_are_walked_once_and_then_what_changes_is_followed() {
    let first = Arc::new(many(2000));
    let (required, more) = (names(&[]), names(&["z1.example"]));
    let mut table = walked(&first, &required);
    let visits = |table: &mut ZoneTable, report, required| {
        let before = table.visits;
        table.refresh(report, required, 1000);
        table.visits - before
    };
    assert_eq!(visits(&mut table, &first, &required), 0, "nothing has changed");
    let mut report = Report::clone(&first);
    report.put(name("z0.example"), zone(ZoneState::Serving, Vec::new()));
    report.put(name("z1.example"), zone(ZoneState::Kept, vec![gone("1.zone")]));
    report.put(name("z1.example"), zone(ZoneState::Refused, vec![missing("1.zone")]));
    report.take_out(&name("z100.example"));
    report.put(name("new.example"), zone(ZoneState::Serving, Vec::new()));
    let second = Arc::new(report);
    assert_eq!(visits(&mut table, &second, &required), 8, "four zones out, and in again");
    assert_eq!(told(&table), told(&walked(&second, &required)));
    assert_eq!(table.counts.total, 2000);
    assert_eq!(visits(&mut table, &second, &more), 2000, "other zones are required");
    let mut report = Report::clone(&second);
    (0..1000).for_each(|index| {
        report.put(name(&format!("z{index}.example")), zone(ZoneState::Serving, Vec::new()))
    });
    let third = Arc::new(report);
    assert_eq!(visits(&mut table, &third, &more), third.zones.size() as u64, "too many changed");
    assert_eq!(told(&table), told(&walked(&third, &more)));
}

#[test]
fn one_change_is_looked_at_and_no_other_zone() {
    let visits = [1, 10_000].map(|count| {
        let first = Arc::new(many(count));
        let mut table = walked(&first, &names(&[]));
        let before = table.visits;
        let mut report = Report::clone(&first);
        report.put(name("z0.example"), zone(ZoneState::Serving, Vec::new()));
        table.refresh(&Arc::new(report), &table.required.clone(), 1000);
        table.visits - before
    });
    assert_eq!(visits, [2, 2]);
}

/// A zone in one of many conditions, by a number.
fn zone_like(number: u16) -> ZoneReport {
    let state = [ZoneState::Serving, ZoneState::Kept, ZoneState::Refused, ZoneState::Waiting];
    let faults = [vec![], vec![gone("1.zone")], vec![missing("x"), gone("y")], vec![Fault::BumpWithoutState]];
    let [state_at, faults_at, since, expires] = [0, 2, 4, 6].map(|shift| usize::from((number >> shift) & 3));
    let mut zone = zone(state[state_at], faults[faults_at].clone());
    zone.since += std::time::Duration::from_secs(since as u64);
    zone.signatures = (expires > 0).then(|| crate::publish::Signatures {
        serial: Serial(7),
        verdict: crate::zone::signatures::SignatureVerdict {
            validity: Some(crate::zone::signatures::Validity {
                began: 0,
                begins: 1,
                expires: expires as u64,
            }),
            ..Default::default()
        },
        failed: None,
    });
    zone
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_followed_is_what_a_walk_finds(
        steps in proptest::collection::vec(proptest::collection::vec((0..15_u8, proptest::option::weighted(0.8, 0..256_u16)), 0..12), 1..12),
        settles_at in 0..12_usize,
    ) {
        let required = names(&["z3.", "z9.", "absent."]);
        let mut report = Report::default();
        let mut table = ZoneTable::default();
        for (step, changes) in steps.into_iter().enumerate() {
            report.settled = step >= settles_at;
            for (number, zone) in changes {
                let name = name(&format!("z{number}."));
                match zone {
                    Some(zone) => report.put(name, zone_like(zone)),
                    None => report.take_out(&name),
                }
            }
            let now = Arc::new(report.clone());
            table.refresh(&now, &required, 1000);
            proptest::prop_assert_eq!(told(&table), told(&walked(&now, &required)));
        }
    }
}

#[test]
fn a_version_that_can_be_forced_names_the_command_and_many_faults_are_few_lines() {
    use crate::publish::Refused;
    let refused = Refused::WentBack { offered: Serial(3), served: Serial(7) };
    let mut kept = zone(
        ZoneState::Kept,
        vec![Fault::Refused { path: "a.zone".into(), zone: name("a"), serial: Serial(3), refused }],
    );
    kept.refused_serial = Some(Serial(3));
    kept.faults.extend((0..99).map(|index| gone(&format!("{index}"))));
    let report = [(name("a"), kept)].into_iter().collect();
    let table = table(report, &[]);
    let (listed, _) = table.select(&Selection { zones: ZoneFilter::All, most: None });
    let faults = &listed[0].faults;
    assert!(faults[0].contains("anyns zone accept a. 3"), "{faults:?}");
    assert_eq!((faults.len(), faults[MOST_FAULTS].as_str()), (MOST_FAULTS + 1, "and 97 more"));
}
