//! A state directory that cannot be written at the start: served all the same, said, tried again, and nothing lost.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyns::publish::{ApplyError, Report, SerialRule, Settings, SourceFault, ZoneState};

use crate::difference::step;
use crate::restart::SmallDisk;
use crate::skip::skip;
use crate::support::{Pop, name, replace, versioned, zone_text};

const ZONE: &str = "zones/a.example.zone";
const OTHER: &str = "zones/b.example.zone";

pub(crate) fn remount(at: &Path, how: &str) {
    let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(at).status().unwrap();
    assert!(done.success(), "remount,{how}");
}

/// Whether the one fault of the report is that of the state directory, and no zone has any.
fn says_it_once(report: &Report) -> bool {
    matches!(report.faults.as_slice(), [SourceFault::StateUnwritable { .. }])
        && report.zones.values().all(|zone| zone.faults.is_empty())
}

#[tokio::test]
async fn what_is_on_a_read_only_disk_is_served_and_new_versions_come_from_their_files() {
    let mut pop = Pop::new();
    fs::create_dir(pop.path("state")).unwrap();
    let Some(_disk) = SmallDisk::mount(&pop.path("state")) else {
        skip("a read-only disk", "this user cannot mount");
        return;
    };
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    pop.wait_kept().await;
    pop.stop().await;
    remount(&pop.path("state"), "ro");
    fs::remove_file(pop.path(ZONE)).unwrap();
    pop.write(OTHER, &zone_text(1, 3));
    pop.published = Default::default();
    pop.start().await;
    assert_eq!((pop.served("a.example."), pop.served("b.example.")), (Some((5, 5)), Some((1, 1))));
    let report = pop.report();
    assert!(matches!(report.faults.as_slice(), [SourceFault::StateUnwritable { .. }]), "{:?}", report.faults);
    let text = report.faults[0].to_string();
    assert!(text.contains("Read-only file system") && text.contains("make it writable"), "{text}");
    let durable = |zone: &str| report.zones[&name(zone)].durable;
    assert_eq!((durable("a.example."), durable("b.example."), report.unkept), (true, false, 1));
    replace(&pop.path(OTHER), &zone_text(2, 3));
    pop.wait_serial("b.example.", 2).await;
    // What must be durable before it is served is refused.
    let error = pop.handle().apply(&name("a.example."), vec![step(5, 6, 3)]).await.unwrap_err();
    assert!(matches!(&error, ApplyError::NotDurable { .. }), "{error}");
    assert!(error.to_string().contains("Read-only file system"), "{error}");
    remount(&pop.path("state"), "rw");
    pop.handle().reload().await;
    let report = pop.wait_kept().await;
    assert!(report.faults.is_empty() && report.zones[&name("b.example.")].durable, "{report:?}");
    pop.handle().apply(&name("a.example."), vec![step(5, 6, 3)]).await.unwrap();
    pop.restart().await;
    assert_eq!((pop.served("a.example."), pop.served("b.example.")), (Some((6, 6)), Some((2, 2))));
    pop.stop().await;
}

#[tokio::test]
async fn a_bumped_serial_is_refused_while_nothing_can_be_kept() {
    let mut pop = Pop::new();
    pop.write("state", "no directory");
    pop.write(ZONE, &zone_text(5, 3));
    let settings = Settings { serial: SerialRule::Bump, ..pop.settings() };
    pop.start_with(settings).await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    assert!(says_it_once(&pop.report()), "{:?}", pop.report());
    replace(&pop.path(ZONE), &versioned(5, 6, 3));
    let report = pop.wait_fault("a.example.", "cannot be made durable").await;
    assert_eq!((report.state, pop.served("a.example.")), (ZoneState::Kept, Some((5, 5))));
    fs::remove_file(pop.path("state")).unwrap();
    pop.handle().reload().await;
    assert_eq!(pop.served("a.example."), Some((6, 6)));
    let report = pop.wait_kept().await;
    assert!(report.faults.is_empty() && report.zones[&name("a.example.")].faults.is_empty(), "{report:?}");
    pop.stop().await;
}

#[tokio::test]
async fn a_state_directory_that_comes_back_leads_on_and_never_back() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.write(OTHER, &zone_text(1, 3));
    let settings = Settings { serial: SerialRule::Bump, ..pop.settings() };
    pop.start_with(settings.clone()).await;
    replace(&pop.path(ZONE), &versioned(5, 6, 3));
    pop.wait_serial("a.example.", 6).await;
    pop.wait_kept().await;
    pop.stop().await;
    // The disk is not mounted: something else is in its place.
    fs::rename(pop.path("state"), pop.path("away")).unwrap();
    pop.write("state", "no directory");
    pop.published = Default::default();
    pop.start_with(settings).await;
    assert_eq!(pop.served("a.example."), Some((5, 6)), "the serial of the file");
    replace(&pop.path(OTHER), &zone_text(9, 3));
    pop.wait_serial("b.example.", 9).await;
    fs::remove_file(pop.path("state")).unwrap();
    fs::rename(pop.path("away"), pop.path("state")).unwrap();
    pop.handle().reload().await;
    assert_eq!(pop.served("a.example."), Some((6, 6)), "what was kept is newer");
    assert_eq!(pop.served("b.example."), Some((9, 9)), "what was kept is older");
    let report = pop.wait_kept().await;
    assert!(report.faults.is_empty() && report.zones.values().all(|zone| zone.durable), "{report:?}");
    pop.stop().await;
}
