//! A state directory that cannot be read for a time: a zone that is in no file waits, and nothing takes its place.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::publish::difference::Difference;
use crate::publish::state::store::reading::FAILS;
use crate::publish::{Fault, Publisher, PublisherHandle, Report, Settings, ZoneReport, ZoneState};
use crate::wire::{Name, RecordType, Serial};
use crate::zone::{Place, Published, RecordBatch};

const PATIENCE: Duration = Duration::from_secs(20);

fn zone() -> Name {
    "a.example.".parse().unwrap()
}

fn start(directory: &Path) -> PublisherHandle {
    let settings = Settings {
        directories: vec![directory.join("zones")],
        state_directory: Some(directory.join("state")),
        databases: BTreeSet::from([zone()]),
        rescan: Duration::from_secs(3600),
        ..Settings::default()
    };
    Publisher::start(settings, Arc::<Published>::default()).unwrap()
}

async fn until(handle: &PublisherHandle, condition: impl Fn(&ZoneReport) -> bool) -> ZoneReport {
    let mut report = handle.report();
    let is_so =
        |report: &Report| report.settled && report.zones.get(&zone()).is_some_and(|zone| condition(zone));
    let found = timeout(PATIENCE, report.wait_for(is_so)).await.expect("the report never came");
    ZoneReport::clone(&found.zones[&zone()])
}

/// A change of the SOA record alone.
fn update(from: u32, to: u32) -> Difference {
    let soa = |serial: u32| {
        let mut batch = RecordBatch::new(&zone());
        let rdata =
            [&b"\x02ns\0\x04host\0"[..], &[serial, 1, 1, 1, 1].map(u32::to_be_bytes).concat()].concat();
        batch.push(zone().as_wire(), RecordType::SOA, 60, &rdata, Place::default());
        batch
    };
    Difference { from: Serial(from), to: Serial(to), deleted: soa(from), added: soa(to) }
}

fn serial(report: &ZoneReport) -> Option<u32> {
    report.serial.map(|serial| serial.0)
}

#[tokio::test]
async fn a_zone_that_takes_updates_waits_for_what_is_kept_and_its_seed_does_not_take_its_place() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("zones")).unwrap();
    let seed = "@ 60 IN SOA ns. host. 1 1 1 1 1\n@ 60 IN NS ns.\n";
    fs::write(directory.path().join("zones/a.example.zone"), seed).unwrap();
    let handle = start(directory.path());
    until(&handle, |zone| zone.durable).await;
    handle.apply(&zone(), vec![update(1, 2)]).await.unwrap();
    handle.shutdown().await;
    // One reading fails: it is tried again at once.
    let state = directory.path().join("state");
    let fail = |times| *FAILS.lock().unwrap() = Some((state.clone(), times));
    // One error passes with the next reading, a few with the next checks, which come by themselves; after many the zone still waits.
    for times in [1, 6, 1000] {
        fail(times);
        let handle = start(directory.path());
        if times == 1000 {
            let report = until(&handle, |zone| !zone.faults.is_empty()).await;
            assert_eq!((serial(&report), report.state), (None, ZoneState::Refused));
            assert!(matches!(report.faults.as_slice(), [Fault::Unreadable { .. }]), "{:?}", report.faults);
            fail(0);
        }
        let report = until(&handle, |zone| zone.state == ZoneState::Serving).await;
        assert_eq!((serial(&report), report.faults.len()), (Some(2), 0), "{times} errors: {report:?}");
        let history = handle.history().steps(&zone()).unwrap().unwrap();
        assert_eq!(history.steps.len(), 1, "nothing was kept in its place");
        handle.shutdown().await;
    }
}
