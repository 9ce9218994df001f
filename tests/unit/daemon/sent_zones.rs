use std::path::PathBuf;

use crate::publish::{ZoneReport, ZoneState};

use super::*;
use crate::wire::RecordType;
use crate::zone::{Place, RecordBatch, ZoneBuilder};

fn zone(serial: u32, durable: bool) -> ZoneReport {
    ZoneReport {
        state: ZoneState::Serving,
        since: std::time::SystemTime::UNIX_EPOCH,
        serial: Some(Serial(serial)),
        source_serial: None,
        records: 2,
        source: PathBuf::from("zones/a.zone").into(),
        file: Default::default(),
        accepted_at: None,
        durable,
        refused_serial: None,
        expiry: Expiry::Current,
        kept_version: None,
        is_another: false,
        number: 0,
        is_catalog: false,
        is_from_primaries: false,
        faults: Vec::new(),
        signatures: None,
    }
}

fn name() -> Name {
    "a.example.".parse().unwrap()
}

/// What is told of after the report has changed to this, so many milliseconds after the begin.
fn told(changes: &mut Changes, report: &mut Report, next: Option<ZoneReport>, now: Instant) -> usize {
    let is_unkept = next.as_ref().is_some_and(|zone| !zone.durable);
    match next {
        Some(zone) => report.put(name(), zone),
        None => report.take_out(&name()),
    }
    report.unkept = usize::from(is_unkept);
    changes.take_in(report, now).len()
}

#[test]
fn a_version_is_told_of_once_it_is_kept_or_once_it_has_waited_long_enough() {
    let (mut changes, mut report, begin) = (Changes::default(), Report::default(), Instant::now());
    let at = |ms| begin + Duration::from_millis(ms);
    let mut step = |next, ms| told(&mut changes, &mut report, next, at(ms));
    assert_eq!(step(Some(zone(1, true)), 0), 1, "kept already");
    assert_eq!(step(Some(zone(1, true)), 10), 0, "told already");
    assert_eq!(step(Some(zone(2, false)), 20), 0, "not kept yet");
    assert_eq!(step(Some(zone(2, true)), 30), 1, "kept now");
    assert_eq!(step(Some(zone(3, false)), 40), 0, "not kept yet");
    assert_eq!(step(Some(zone(4, false)), 900), 0, "another version does not begin the time anew");
    assert_eq!(step(Some(zone(4, false)), 1040), 1, "the disk does not answer");
    assert_eq!(step(Some(zone(4, true)), 1050), 0, "told already");
    assert_eq!(step(None, 1060), 0);
    assert_eq!(step(Some(zone(4, true)), 1070), 1, "it came back");
}

#[test]
fn a_version_that_waits_is_told_of_without_another_report() {
    let (mut changes, mut report, begin) = (Changes::default(), Report::default(), Instant::now());
    assert_eq!(told(&mut changes, &mut report, Some(zone(1, false)), begin), 0);
    let due = changes.due().expect("it waits");
    assert!(changes.take_in(&report, due - Duration::from_millis(1)).is_empty());
    assert_eq!(changes.take_in(&report, due), [name()]);
    assert_eq!(changes.due(), None);
}

#[test]
fn without_a_state_directory_nothing_waits() {
    let (mut changes, mut report) = (Changes::default(), Report::default());
    report.put(name(), zone(1, false));
    assert_eq!(report.unkept, 0);
    assert_eq!(changes.take_in(&report, Instant::now()), [name()]);
}

/// A zone with this EXPIRE, in seconds.
fn zone_with(expire: u32) -> Arc<Zone> {
    let (mut batch, origin) = (RecordBatch::new(&name()), name());
    let numbers = [1, 1, 1, expire, 1].map(u32::to_be_bytes).concat();
    let soa = [origin.as_wire(), origin.as_wire(), &numbers].concat();
    for (record_type, rdata) in [(RecordType::SOA, &soa[..]), (RecordType::NS, origin.as_wire())] {
        batch.push(origin.as_wire(), record_type, 60, rdata, Place::default());
    }
    let mut builder = ZoneBuilder::new(origin.clone());
    builder.add(batch);
    Arc::new(builder.finish().unwrap())
}

#[test]
fn only_what_comes_from_no_primary_by_the_publisher_and_the_secondary_has_its_origin_here() {
    let seconds = |it| Some(Duration::from_secs(it));
    let left = |it| Remaining::Left(Duration::from_secs(it));
    let served = zone_with(1_000);
    // What the secondary says, whether the publisher has it from primaries, and how long it may be served on.
    for (remaining, is_from_primaries, expected) in [
        (Remaining::Origin, Some(false), seconds(1_000)),
        (Remaining::Origin, Some(true), None),
        (Remaining::Origin, None, None),
        (Remaining::Unknown, Some(true), None),
        (Remaining::Unknown, Some(false), None),
        (left(7), Some(true), seconds(7)),
        (left(7), Some(false), seconds(7)),
        // All of it is what the origin says.
        (left(1_000), Some(true), seconds(999)),
    ] {
        let mut report = Report::default();
        if let Some(is_from_primaries) = is_from_primaries {
            report.put(name(), ZoneReport { is_from_primaries, ..zone(1, true) });
        }
        let found = time_left(&served, remaining, &report);
        assert_eq!(found, expected, "{remaining:?} {is_from_primaries:?}");
    }
}

#[test]
fn what_has_expired_is_not_sent_onwards_though_it_is_served_as_stale() {
    let serving = Snapshot::default().with_changes([zone_with(0)], &[]).completed();
    for (expiry, is_sent) in [(Expiry::Stale, false), (Expiry::Expired, false), (Expiry::Current, true)] {
        let told = serving.with_expiry([(&name(), expiry)]);
        let told = told.unwrap_or_else(|| serving.clone());
        assert_eq!(sendable(&told, &name()).is_some(), is_sent, "{expiry:?}");
        // The zone above does not have its names meanwhile.
        for below in ["a.example.", "x.a.example."] {
            assert_eq!(is_absent(&told, &below.parse().unwrap()), !is_sent, "{below} {expiry:?}");
        }
        assert!(!is_absent(&told, &"b.example.".parse().unwrap()), "{expiry:?}");
    }
}

#[test]
fn a_zone_that_is_served_no_more_is_told_of_once() {
    let (mut changes, mut report, now) = (Changes::default(), Report::default(), Instant::now());
    told(&mut changes, &mut report, Some(zone(1, true)), now);
    assert_eq!(changes.gone, []);
    told(&mut changes, &mut report, None, now);
    assert_eq!(std::mem::take(&mut changes.gone), [name()]);
    told(&mut changes, &mut report, None, now);
    assert_eq!(changes.gone, []);
}
