//! Differences at the seam of incremental transfers: served at once, durable, refused for a reason; beside the zone's file.

use std::fs;
use std::time::Duration;

use anyns::publish::{
    Applied, ApplyError, Difference, Refused, Settings, SingleZone, StepSource, ZoneState, check,
};
use anyns::wire::{Name, RecordType, Serial};
use anyns::zone::{Place, RecordBatch, ZoneFault};

use crate::reader::Reader;
use crate::support::{Pop, name, replace, versioned, zone_text};
use crate::wait::eventually;

const ZONE: &str = "zones/a.example.zone";
/// A file that was changed so long ago has rested: a later change shows in its times.
const REST: Duration = Duration::from_millis(100);

fn zone() -> Name {
    name("a.example.")
}

fn soa(serial: u32) -> Vec<u8> {
    let numbers = [serial, 1, 1, 1, 1].map(u32::to_be_bytes).concat();
    [&b"\x02ns\x07example\0\x04host\x07example\0"[..], &numbers].concat()
}

/// To a version of `zone_text`, from the content of one serial to that of another.
pub(crate) fn step(from: u32, to: u32, hosts: usize) -> Difference {
    let batch = |serial: u32| {
        let mut batch = RecordBatch::new(&zone());
        batch.push(zone().as_wire(), RecordType::SOA, 60, &soa(serial), Place::default());
        let address = [10, 0, (serial / 256 % 256) as u8, (serial % 256) as u8];
        for host in 0..hosts {
            let owner = name(&format!("h{host}.a.example."));
            batch.push(owner.as_wire(), RecordType::A, 60, &address, Place::default());
        }
        batch
    };
    Difference { from: Serial(from), to: Serial(to), deleted: batch(from), added: batch(to) }
}

/// The same with one more record that goes, and one that comes.
fn with(mut difference: Difference, deleted: Option<&str>, added: Option<(&str, RecordType)>) -> Difference {
    if let Some(owner) = deleted {
        let (owner, rdata) = (name(owner), [9, 9, 9, 9]);
        difference.deleted.push(owner.as_wire(), RecordType::A, 60, &rdata, Place::default());
    }
    if let Some((owner, record_type)) = added {
        difference.added.push(name(owner).as_wire(), record_type, 60, b"\x01x\0", Place::default());
    }
    difference
}

pub(crate) async fn apply(pop: &Pop, from: u32, to: u32, hosts: usize) {
    let applied = pop.handle().apply(&zone(), vec![step(from, to, hosts)]).await.unwrap();
    assert_eq!(applied, Applied { serial: Serial(to), records: hosts + 2, durable: true });
    assert_eq!(pop.served("a.example."), Some((to, to)), "served when it returns");
}

async fn started(serial: u32, hosts: usize) -> Pop {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(serial, hosts));
    pop.start().await;
    pop.wait_kept().await;
    pop
}

#[tokio::test]
async fn differences_are_served_and_survive_restarts_beside_an_unchanged_file() {
    let mut pop = started(5, 3).await;
    let reader = Reader::start(&pop.published, "a.example.");
    apply(&pop, 5, 7, 3).await;
    let row = vec![step(7, 8, 3), step(8, 9, 3), step(9, 10, 3)];
    pop.handle().apply(&zone(), row).await.unwrap();
    assert_eq!(pop.served("a.example."), Some((10, 10)));
    reader.finish();
    for serial in [10, 11, 12] {
        let report = pop.report().zones[&zone()].clone();
        assert_eq!((report.state, report.serial), (ZoneState::Serving, Some(Serial(serial))));
        assert!(report.durable && report.faults.is_empty(), "{report:?}");
        // Neither a look at the file nor a restart brings back what the differences led on from.
        pop.handle().reload().await;
        pop.restart().await;
        assert_eq!(pop.served("a.example."), Some((serial, serial)));
        let report = pop.report();
        assert!(report.faults.is_empty() && report.zones[&zone()].faults.is_empty(), "{report:?}");
        apply(&pop, serial, serial + 1, 3).await;
    }
    pop.stop().await;
    assert!(check(pop.settings()).unwrap().is_clean());
    let checked = check(pop.settings()).unwrap().zones[&zone()].result.as_ref().unwrap().0;
    assert_eq!(checked, Serial(13), "check looks into the journal");
}

#[tokio::test]
async fn every_error_names_what_is_wrong_and_changes_nothing() {
    let pop = started(5, 300).await;
    apply(&pop, 5, 7, 300).await;
    let kept = pop.handle().history().steps(&zone()).unwrap();
    let refused = |differences: Vec<Difference>| async {
        let error = pop.handle().apply(&zone(), differences).await.unwrap_err();
        assert_eq!(pop.served("a.example."), Some((7, 7)), "{error}");
        assert_eq!(pop.handle().history().steps(&zone()).unwrap(), kept, "{error}");
        assert!(error.to_string().contains("a.example."), "{error}");
        error
    };
    let error = pop.handle().apply(&name("b.example."), vec![step(1, 2, 1)]).await.unwrap_err();
    assert!(matches!(error, ApplyError::NotServed { .. }), "{error}");
    let error = refused(vec![]).await;
    assert!(matches!(error, ApplyError::Nothing { .. }), "{error}");
    let error = refused(vec![step(6, 8, 300)]).await;
    assert!(matches!(error, ApplyError::OtherVersion { served: Serial(7), from: Serial(6), .. }), "{error}");
    assert!(error.to_string().contains("ask for one from 7"), "{error}");
    for to in [7, 6, 0x8000_0007] {
        let error = refused(vec![step(7, to, 300)]).await;
        assert!(matches!(error, ApplyError::NotForward { from: Serial(7), .. }), "{error}");
    }
    let error = refused(vec![step(7, 8, 300), step(9, 10, 300)]).await;
    assert!(matches!(error, ApplyError::Gap { before: Serial(8), from: Serial(9), .. }), "{error}");
    let error = refused(vec![Difference { to: Serial(9), ..step(7, 8, 300) }]).await;
    assert!(matches!(error, ApplyError::OtherSerial { to: Serial(9), found: Serial(8), .. }), "{error}");
    let foreign = Difference { added: RecordBatch::new(&name("b.example.")), ..step(7, 8, 300) };
    let error = refused(vec![foreign]).await;
    assert!(matches!(error, ApplyError::OtherZone { .. }), "{error}");
    // The second of two: the first is not served either.
    let error = refused(vec![step(7, 8, 300), with(step(8, 9, 300), Some("h1.a.example."), None)]).await;
    let ApplyError::Unfit { faults, .. } = &error else { panic!("{error}") };
    assert!(matches!(faults[..], [ZoneFault::NotThere { .. }]), "{error}");
    assert!(error.to_string().contains("from serial 8 to 9"), "{error}");
    let error = refused(vec![with(step(7, 8, 300), None, Some(("h1.a.example.", RecordType::CNAME)))]).await;
    let ApplyError::Unfit { faults, .. } = &error else { panic!("{error}") };
    assert!(matches!(faults[..], [ZoneFault::CnameAndOther { .. }]), "{error}");
    let shrunk = Difference { added: step(7, 8, 100).added, ..step(7, 8, 300) };
    let error = refused(vec![shrunk]).await;
    let ApplyError::Refused { refused: Refused::Shrank { from: 302, to: 102, .. }, .. } = error else {
        panic!("{error}")
    };
}

#[tokio::test]
async fn a_file_that_changed_is_judged_against_what_the_differences_led_to() {
    let mut pop = started(5, 3).await;
    apply(&pop, 5, 8, 3).await;
    // Behind it: refused, now and after a restart, because it is not what the differences led on from.
    replace(&pop.path(ZONE), &zone_text(6, 3));
    pop.wait_fault("a.example.", "6 does not come after the served 8").await;
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((8, 8)));
    pop.wait_fault("a.example.", "6 does not come after the served 8").await;
    // A difference goes on all the same.
    apply(&pop, 8, 9, 3).await;
    // The same serial with other content; with the same it is what is served.
    replace(&pop.path(ZONE), &versioned(9, 6, 3));
    pop.wait_fault("a.example.", "still 9").await;
    replace(&pop.path(ZONE), &zone_text(9, 3));
    pop.wait_serial("a.example.", 9).await;
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((9, 9)));
    assert!(pop.report().zones[&zone()].faults.is_empty());
    // Before it: it replaces what is served, and the journal has nothing to say any more.
    apply(&pop, 9, 10, 3).await;
    replace(&pop.path(ZONE), &zone_text(12, 3));
    pop.wait_serial("a.example.", 12).await;
    pop.wait_kept().await;
    apply(&pop, 12, 13, 3).await;
    // Back by force, and on from there.
    replace(&pop.path(ZONE), &zone_text(4, 3));
    pop.wait_fault("a.example.", "does not come after the served 13").await;
    pop.handle().accept(&zone(), Serial(4)).await.unwrap();
    assert_eq!(pop.served("a.example."), Some((4, 4)));
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((4, 4)));
    apply(&pop, 4, 5, 3).await;
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    // Others may have an older version with each serial up to 13: they get no differences to it.
    let history = pop.handle().history();
    assert_eq!(
        [4, 5, 13, 14].map(|serial| history.is_ambiguous(&zone(), Serial(serial))),
        [true, true, true, false]
    );
}

#[tokio::test]
async fn a_file_as_it_is_served_is_known_right_after_a_restart() {
    let mut pop = started(5, 3).await;
    apply(&pop, 5, 6, 3).await;
    pop.stop().await;
    pop.write(ZONE, &zone_text(6, 3));
    assert!(check(pop.settings()).unwrap().is_clean());
    pop.published = Default::default();
    pop.start().await;
    assert_eq!(pop.served("a.example."), Some((6, 6)));
    let report = pop.report();
    assert!(report.faults.is_empty() && report.zones[&zone()].faults.is_empty(), "{report:?}");
}

#[tokio::test]
async fn a_version_that_is_not_kept_yet_is_kept_with_its_difference() {
    let mut pop = started(5, 3).await;
    for serial in [6, 8, 10, 12] {
        replace(&pop.path(ZONE), &zone_text(serial, 3));
        pop.handle().reload().await;
        apply(&pop, serial, serial + 1, 3).await;
        // What the file had goes on without the file.
        fs::remove_file(pop.path(ZONE)).unwrap();
        pop.restart().await;
        assert_eq!(pop.served("a.example."), Some((serial + 1, serial + 1)));
    }
}

#[tokio::test]
async fn differences_go_on_where_the_file_vanished_until_the_zone_is_removed() {
    let mut pop = started(5, 3).await;
    apply(&pop, 5, 6, 3).await;
    fs::remove_file(pop.path(ZONE)).unwrap();
    pop.wait_fault("a.example.", "is gone").await;
    apply(&pop, 6, 7, 3).await;
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((7, 7)));
    pop.handle().remove(&zone()).await.unwrap();
    let error = pop.handle().apply(&zone(), vec![step(7, 8, 3)]).await.unwrap_err();
    assert!(matches!(error, ApplyError::NotServed { .. }), "{error}");
    assert_eq!(pop.kept("a.example."), None);
    pop.restart().await;
    assert_eq!(pop.served("a.example."), None);
    replace(&pop.path(ZONE), &zone_text(5, 3));
    pop.wait_serial("a.example.", 5).await;
    pop.wait_kept().await;
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((5, 5)), "nothing of the zone before it");
    assert!(pop.report().faults.is_empty());
}

#[tokio::test]
async fn without_a_state_directory_a_difference_is_served_and_said_not_to_last() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    let settings = Settings { state_directory: None, ..pop.settings() };
    pop.start_with(settings).await;
    let applied = pop.handle().apply(&zone(), vec![step(5, 6, 3)]).await.unwrap();
    assert!(!applied.durable);
    for _ in 0..2 {
        assert_eq!(pop.served("a.example."), Some((6, 6)));
        let report = pop.report().zones[&zone()].clone();
        assert!(
            report.faults.iter().any(|fault| fault.to_string().contains("no state directory")),
            "{report:?}"
        );
        pop.handle().reload().await;
    }
}

#[tokio::test]
async fn bumped_zones_take_differences_to_what_is_served() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    let settings = Settings { serial: anyns::publish::SerialRule::Bump, ..pop.settings() };
    pop.start_with(settings.clone()).await;
    replace(&pop.path(ZONE), &versioned(5, 6, 3));
    pop.wait_serial("a.example.", 6).await;
    apply(&pop, 6, 7, 3).await;
    pop.stop().await;
    pop.published = Default::default();
    pop.start_with(settings).await;
    assert_eq!(pop.served("a.example."), Some((7, 7)));
    replace(&pop.path(ZONE), &versioned(5, 8, 3));
    pop.wait_serial("a.example.", 8).await;
    assert_eq!(pop.served("a.example."), Some((8, 8)));
}

#[tokio::test]
async fn a_zone_that_took_updates_and_comes_from_its_file_now_says_that_they_are_in_no_file() {
    let mut pop = Pop::new();
    pop.write("seed", &zone_text(5, 3));
    let single = SingleZone { name: zone(), file: Some(pop.path("seed").into()), serial: None, dnssec: None };
    let from_file = Settings { zones: [single].into(), ..pop.settings() };
    let database = Settings { databases: [zone()].into(), ..from_file.clone() };
    pop.start_with(database.clone()).await;
    pop.wait_kept().await;
    let source = Some(StepSource::Update { key: name("upd.") });
    pop.handle().apply_from(&zone(), vec![step(5, 6, 3)], source.clone()).await.unwrap();
    assert!(pop.report().zones[&zone()].faults.is_empty());
    // Of a file that has rested the next process knows what it gave, and does not read it.
    let seed = pop.path("seed");
    let has_rested = || seed.metadata().unwrap().modified().unwrap().elapsed().is_ok_and(|age| age > REST);
    eventually("the file has rested", Duration::from_secs(10), has_rested).await;
    let told = "serial 6 is served, with the updates that led on from";
    pop.handle().reconfigure(from_file.clone()).await.unwrap();
    pop.wait_fault("a.example.", told).await;
    assert_eq!(pop.served("a.example."), Some((6, 6)));
    pop.stop().await;
    pop.published = Default::default();
    pop.start_with(from_file.clone()).await;
    pop.wait_fault("a.example.", told).await;
    let steps = pop.handle().history().steps(&zone()).unwrap().unwrap().steps;
    assert_eq!(steps.last().map(|step| step.source.clone()), Some(source));
    // It is over when the zone takes updates again, or when the file goes on.
    pop.handle().reconfigure(database).await.unwrap();
    pop.wait(|report| report.zones[&zone()].faults.is_empty()).await;
    pop.handle().reconfigure(from_file).await.unwrap();
    pop.wait_fault("a.example.", told).await;
    replace(&pop.path("seed"), &zone_text(7, 3));
    pop.wait(|report| report.zones[&zone()].faults.is_empty()).await;
    assert_eq!(pop.served("a.example."), Some((7, 7)));
}
