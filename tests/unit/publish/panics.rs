//! Panics of a zone's visit, of a command and of the loop: the rest goes on.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::wire::Name;
use crate::zone::Published;

use crate::publish::Fault;
use crate::publish::Publisher;
use crate::publish::PublisherHandle;
use crate::publish::Report;
use crate::publish::Settings;
use crate::publish::SourceFault;
use crate::publish::ZoneState;
use crate::publish::verify::VERIFY_PANICS;
use crate::publish::work::zone::check::PANICS;

const PATIENCE: Duration = Duration::from_secs(20);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn write(path: &Path, serial: u32) {
    let text = format!("@ 60 IN SOA ns.example. host.example. {serial} 1 1 1 1\n@ 60 IN NS ns.example.\n");
    let fresh = path.with_extension("new");
    fs::write(&fresh, text).unwrap();
    fs::rename(fresh, path).unwrap();
}

async fn until(handle: &PublisherHandle, condition: impl Fn(&Report) -> bool) -> Arc<Report> {
    let mut report = handle.report();
    let found = timeout(PATIENCE, report.wait_for(|report| condition(report))).await;
    found.expect("the report never came")
}

fn start(directory: &Path) -> PublisherHandle {
    let settings = Settings {
        directories: vec![directory.to_path_buf()],
        rescan: Duration::from_secs(3600),
        ..Settings::default()
    };
    Publisher::start(settings, Arc::<Published>::default()).unwrap()
}

fn serves(report: &Report, zone: &str, serial: u32) -> bool {
    report.zones.get(&name(zone)).is_some_and(|zone| zone.serial.is_some_and(|it| it.0 == serial))
}

#[tokio::test]
async fn a_panic_at_one_zone_is_a_fault_of_that_zone() {
    let directory = tempfile::tempdir().unwrap();
    let path = |zone: &str| directory.path().join(format!("{zone}.zone"));
    write(&path("sound.example"), 1);
    write(&path("panics.example"), 1);
    let handle = start(directory.path());
    until(&handle, |report| report.settled).await;
    *PANICS.lock().unwrap() = Some(name("panics.example."));
    write(&path("panics.example"), 2);
    write(&path("sound.example"), 2);
    let has_fault = |report: &Report| !report.zones[&name("panics.example.")].faults.is_empty();
    let report = until(&handle, |report| serves(report, "sound.example.", 2) && has_fault(report)).await;
    let zone = &report.zones[&name("panics.example.")];
    assert_eq!((zone.state, zone.serial.map(|it| it.0)), (ZoneState::Kept, Some(1)));
    assert!(matches!(zone.faults.as_slice(), [Fault::Panicked { .. }]), "{:?}", zone.faults);
    let text = zone.faults[0].to_string();
    assert!(
        text.ends_with("panics.example.zone panicked: a test made it\\nso; the served version stays"),
        "{text}"
    );
    // Commands work, and so does the zone when what made it panic is gone.
    *PANICS.lock().unwrap() = None;
    handle.reload().await;
    write(&path("panics.example"), 3);
    let report = until(&handle, |report| serves(report, "panics.example.", 3)).await;
    assert_eq!(report.zones[&name("panics.example.")].state, ZoneState::Serving);
    handle.shutdown().await;
}

#[tokio::test]
async fn a_panic_of_the_verification_is_a_fault_of_its_zone_which_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("verified.example.zone");
    *VERIFY_PANICS.lock().unwrap() = Some(name("verified.example."));
    write(&path, 1);
    let handle = start(directory.path());
    let has_failed = |report: &Report| {
        let zone = report.zones.get(&name("verified.example."));
        zone.is_some_and(|zone| matches!(zone.faults.as_slice(), [Fault::Unverified { .. }]))
    };
    let report = until(&handle, has_failed).await;
    assert_eq!(report.zones[&name("verified.example.")].state, ZoneState::Serving);
    assert_eq!(handle.beat().panics(), 1, "it is counted");
    // It is served on, and verified once it changes.
    *VERIFY_PANICS.lock().unwrap() = None;
    write(&path, 2);
    until(&handle, |report| serves(report, "verified.example.", 2) && !has_failed(report)).await;
    handle.shutdown().await;
}

#[tokio::test]
async fn the_loop_goes_on_after_a_panic_and_so_do_commands() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.example.zone");
    write(&path, 1);
    let handle = start(directory.path());
    until(&handle, |report| report.settled).await;
    let reloads = handle.report().load().reloads;
    handle.beat().ask_panic();
    until(&handle, |report| report.reloads > reloads).await;
    assert_eq!(handle.beat().panics(), 1);
    write(&path, 2);
    until(&handle, |report| serves(report, "a.example.", 2)).await;
    handle.reload().await;
    handle.shutdown().await;
}

#[tokio::test]
async fn a_job_that_panics_is_told_and_the_next_look_takes_it_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.example.zone");
    write(&path, 1);
    let handle = start(directory.path());
    let report = until(&handle, |report| report.settled).await;
    assert!(report.faults.is_empty());
    let mut reports = handle.report();
    handle.panic().await;
    // The look that takes it back comes after a pause.
    let is_told =
        |report: &Report| report.faults.iter().any(|fault| matches!(fault, SourceFault::Panicked { .. }));
    let told = timeout(PATIENCE, reports.wait_for(is_told)).await.unwrap();
    assert_eq!(
        told.faults[0].to_string(),
        "the publisher panicked: a test asked for it; what is served stays, and it looks again soon"
    );
    until(&handle, |report| report.faults.is_empty()).await;
    assert_eq!(handle.beat().panics(), 1);
    write(&path, 2);
    until(&handle, |report| serves(report, "a.example.", 2)).await;
    handle.shutdown().await;
}
