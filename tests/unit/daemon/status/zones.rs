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
        records: 3,
        source: Path::new("zones/z.zone").into(),
        accepted_at: None,
        durable: true,
        signatures: None,
        refused_serial: None,
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

fn table(report: Report, required: &[&str]) -> ZoneTable {
    let mut table = ZoneTable::default();
    let required: Vec<Name> = required.iter().map(|text| name(text)).collect();
    table.refresh(&Arc::new(report), &required.into(), 1000);
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
    assert_eq!(
        listed.first().map(String::as_str),
        Some("absent.example."),
        "those that are not well come first"
    );
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
fn zones_are_walked_once_and_then_what_changes_is_followed() {
    let first = Arc::new(many(2000));
    let (required, more): (Arc<[Name]>, Arc<[Name]>) = (Arc::new([]), Arc::new([name("z1.example")]));
    let mut table = ZoneTable::default();
    table.refresh(&first, &required, 0);
    table.refresh(&first, &required, 0);
    let mut report = Report::clone(&first);
    report.put(name("z0.example"), zone(ZoneState::Serving, Vec::new()));
    report.put(name("z1.example"), zone(ZoneState::Kept, vec![gone("1.zone")]));
    report.put(name("z1.example"), zone(ZoneState::Refused, vec![missing("1.zone")]));
    report.take_out(&name("z100.example"));
    report.put(name("new.example"), zone(ZoneState::Serving, Vec::new()));
    let second = Arc::new(report);
    table.refresh(&second, &required, 0);
    assert_eq!(table.walks, 1);
    let mut walked = ZoneTable::default();
    walked.refresh(&second, &required, 0);
    assert_eq!((&table.counts, &table.bad), (&walked.counts, &walked.bad));
    assert_eq!(format!("{:?}", table.groups()), format!("{:?}", walked.groups()));
    assert_eq!(table.counts.total, 2000);
    table.refresh(&second, &more, 0);
    assert_eq!(table.walks, 2, "other zones are required");
    let mut report = Report::clone(&second);
    (0..1000).for_each(|index| {
        report.put(name(&format!("z{index}.example")), zone(ZoneState::Serving, Vec::new()))
    });
    table.refresh(&Arc::new(report), &more, 0);
    assert_eq!(table.walks, 3, "too many changed");
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
