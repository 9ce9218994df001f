//! Links to a file system that does not answer, and mounts below a directory of zones: the zones beside them do not wait for it.
//!
//! The file system is FUSE whose daemon is stopped.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use anyns::publish::{Report, Settings, SingleZone, SourceFault, ZoneState};

use crate::fuse::Fuse;
use crate::skip::skip;
use crate::support::{Pop, name, replace, zone_text};

/// A reload, and a start, end after the patience with a source that does not answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Nothing is looked at by itself within a test.
fn settings(pop: &Pop) -> Settings {
    Settings { rescan: Settings::LONGEST_RESCAN, ..pop.settings() }
}

/// Whether this file system does not answer, and nothing else does not.
fn is_silent(report: &Report, mount: &Path) -> bool {
    let silent = |fault: &SourceFault| match fault {
        SourceFault::Silent { path } => Some(path.clone()),
        _ => None,
    };
    report.faults.iter().filter_map(silent).eq([mount.to_path_buf()])
}

async fn reload(pop: &Pop) {
    tokio::time::timeout(PATIENCE, pop.handle().reload()).await.expect("a reload ends all the same");
}

/// Stops the file system, and has everything looked at.
async fn stop(fuse: &Fuse, pop: &Pop, mount: &str) {
    fuse.stop();
    reload(pop).await;
    assert!(is_silent(&pop.report(), &pop.path(mount)), "{:?}", pop.report().faults);
}

/// Replaces a file by one version after another.
async fn deploys(pop: &Pop, file: &str, zone: &str) {
    for serial in 2..6 {
        replace(&pop.path(file), &zone_text(serial, 3));
        pop.wait_serial(zone, serial).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_to_a_mount_that_does_not_answer_delay_no_zone_beside_them() {
    let mut pop = Pop::new();
    let Some(fuse) = Fuse::mount(&pop.path("data"), &pop.path("far")) else {
        return skip("links to a mount that does not answer", "there is no FUSE");
    };
    pop.write("far/linked.zone", &zone_text(1, 3));
    fs::create_dir(pop.path("far/folder")).unwrap();
    pop.write("far/folder/deep.example.zone", &zone_text(1, 3));
    pop.write("zones/small.example.zone", &zone_text(1, 3));
    pop.write("far/other.zone", &zone_text(1, 3));
    symlink("../far/linked.zone", pop.path("zones/linked.example.zone")).unwrap();
    symlink("../far/other.zone", pop.path("zones/other.example.zone")).unwrap();
    symlink(pop.path("far/folder"), pop.path("zones/folder")).unwrap();
    pop.start_with(settings(&pop)).await;
    pop.wait(|report| report.served() == 4 && report.unkept == 0).await;
    // What is changed there is heard of.
    replace(&pop.path("far/linked.zone"), &zone_text(2, 3));
    replace(&pop.path("far/folder/deep.example.zone"), &zone_text(2, 3));
    reload(&pop).await;
    assert_eq!((pop.served("linked.example."), pop.served("deep.example.")), (Some((2, 2)), Some((2, 2))));
    pop.wait_kept().await;
    stop(&fuse, &pop, "far").await;
    for serial in 2..6 {
        replace(&pop.path("zones/small.example.zone"), &zone_text(serial, 3));
        pop.wait_serial("small.example.", serial).await;
        pop.write(&format!("zones/new{serial}.example.zone"), &zone_text(1, 3));
        pop.wait_serial(&format!("new{serial}.example."), 1).await;
    }
    for zone in ["linked.example.", "deep.example."] {
        assert_eq!(pop.report().zones[&name(zone)].state, ZoneState::Serving, "{zone}");
    }
    // The operator moves a zone out of it.
    replace(&pop.path("zones/linked.example.zone"), &zone_text(7, 3));
    pop.wait_serial("linked.example.", 7).await;
    // At a start what the state directory has is served.
    pop.wait_kept().await;
    pop.stop().await;
    pop.published = Default::default();
    tokio::time::timeout(PATIENCE, pop.start_with(settings(&pop))).await.expect("a start ends all the same");
    assert_eq!((pop.served("small.example."), pop.served("deep.example.")), (Some((5, 5)), Some((2, 2))));
    assert_eq!(pop.served("other.example."), Some((1, 1)));
    for zone in ["other.example.", "deep.example."] {
        let faults = &pop.report().zones[&name(zone)].faults;
        assert!(!faults.iter().any(|fault| fault.to_string().contains("is gone")), "{zone}: {faults:?}");
    }
    pop.write("zones/small.example.zone", &zone_text(8, 3));
    pop.wait_serial("small.example.", 8).await;
    fuse.go_on();
    pop.wait(|report| report.faults.is_empty()).await;
    replace(&pop.path("far/folder/deep.example.zone"), &zone_text(3, 3));
    reload(&pop).await;
    assert_eq!(pop.served("deep.example."), Some((3, 3)));
    // A link that is gone takes its zones along.
    fs::remove_file(pop.path("zones/folder")).unwrap();
    pop.wait_fault("deep.example.", "is gone").await;
    pop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_named_link_to_a_mount_that_does_not_answer_delays_no_zone_that_is_named_beside_it() {
    let mut pop = Pop::new();
    let Some(fuse) = Fuse::mount(&pop.path("data"), &pop.path("far")) else {
        return skip("a named link to a mount that does not answer", "there is no FUSE");
    };
    pop.write("far/linked.zone", &zone_text(1, 3));
    fs::create_dir(pop.path("named")).unwrap();
    symlink("../far/linked.zone", pop.path("named/linked")).unwrap();
    pop.write("named/small", &zone_text(1, 3));
    let zone = |zone: &str, file: &str| SingleZone {
        name: name(zone),
        file: Some(pop.path(file).into()),
        serial: None,
        dnssec: None,
    };
    let zones = [zone("linked.example.", "named/linked"), zone("small.example.", "named/small")].into();
    let settings = Settings { zones, ..settings(&pop) };
    pop.start_with(settings).await;
    assert_eq!((pop.served("linked.example."), pop.served("small.example.")), (Some((1, 1)), Some((1, 1))));
    pop.wait_kept().await;
    stop(&fuse, &pop, "far").await;
    deploys(&pop, "named/small", "small.example.").await;
    assert_eq!(pop.report().zones[&name("linked.example.")].state, ZoneState::Serving);
    fuse.go_on();
    pop.wait(|report| report.faults.is_empty()).await;
    replace(&pop.path("far/linked.zone"), &zone_text(2, 3));
    reload(&pop).await;
    assert_eq!(pop.served("linked.example."), Some((2, 2)));
    fs::remove_file(pop.path("named/linked")).unwrap();
    pop.wait_fault("linked.example.", "is gone").await;
    pop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mount_below_a_directory_that_does_not_answer_delays_no_zone_beside_it() {
    let mut pop = Pop::new();
    let Some(fuse) = Fuse::mount(&pop.path("data"), &pop.path("zones/below")) else {
        return skip("a mount below a directory that does not answer", "there is no FUSE");
    };
    pop.write("zones/below/deep.example.zone", &zone_text(1, 3));
    pop.write("zones/small.example.zone", &zone_text(1, 3));
    fuse.stop();
    // It was never looked at.
    tokio::time::timeout(PATIENCE, pop.start_with(settings(&pop))).await.expect("a start ends all the same");
    let mount = pop.path("zones/below");
    assert!(is_silent(&pop.report(), &mount), "{:?}", pop.report().faults);
    deploys(&pop, "zones/small.example.zone", "small.example.").await;
    // The operator copies a zone out of it.
    pop.write("zones/deep.example.zone", &zone_text(7, 3));
    pop.wait_serial("deep.example.", 7).await;
    replace(&pop.path("zones/small.example.zone"), &zone_text(9, 3));
    pop.wait_serial("small.example.", 9).await;
    assert!(is_silent(&pop.report(), &mount), "{:?}", pop.report().faults);
    fuse.go_on();
    // Now there are two files of it.
    pop.wait_fault("deep.example.", "below/deep.example.zone").await;
    fs::remove_file(pop.path("data/deep.example.zone")).unwrap();
    reload(&pop).await;
    pop.wait(|report| report.faults.is_empty() && report.zones[&name("deep.example.")].faults.is_empty())
        .await;
    pop.stop().await;
}

/// A zone that includes a part of it from the other file system.
fn including(serial: u32) -> String {
    format!("{}$INCLUDE ../far/part\n", zone_text(serial, 3))
}

/// With the other file system as one from which files may be included.
fn with_includes(pop: &Pop) -> Settings {
    let mut settings = settings(pop);
    settings.include_roots.push(pop.path("far"));
    settings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_that_includes_a_file_that_does_not_answer_delays_no_zone_beside_it() {
    let mut pop = Pop::new();
    let Some(fuse) = Fuse::mount(&pop.path("data"), &pop.path("far")) else {
        return skip("an included file that does not answer", "there is no FUSE");
    };
    pop.write("far/part", "part TXT included\n");
    pop.write("zones/small.example.zone", &zone_text(1, 3));
    for zone in ["stays", "leaves"] {
        pop.write(&format!("zones/{zone}.example.zone"), &including(1));
    }
    pop.start_with(with_includes(&pop)).await;
    assert_eq!(pop.report().served(), 3, "{:?}", pop.report());
    pop.wait_kept().await;
    stop(&fuse, &pop, "far").await;
    deploys(&pop, "zones/small.example.zone", "small.example.").await;
    // One that includes from there for the first time now.
    pop.write("zones/new.example.zone", &including(1));
    pop.wait_fault("new.example.", "it includes a file on").await;
    // One that is new says what is wrong, too, and one that includes from there no longer goes on.
    replace(&pop.path("zones/stays.example.zone"), &including(2));
    pop.wait_fault("stays.example.", "it includes a file on").await;
    replace(&pop.path("zones/leaves.example.zone"), &zone_text(2, 3));
    pop.wait_serial("leaves.example.", 2).await;
    assert_eq!((pop.served("stays.example."), pop.served("new.example.")), (Some((1, 1)), None));
    assert!(is_silent(&pop.report(), &pop.path("far")), "{:?}", pop.report().faults);
    pop.wait_kept().await;
    // At a start what the state directory has is served.
    pop.stop().await;
    pop.published = Default::default();
    tokio::time::timeout(PATIENCE, pop.start_with(with_includes(&pop)))
        .await
        .expect("a start ends all the same");
    assert_eq!((pop.served("small.example."), pop.served("stays.example.")), (Some((5, 5)), Some((1, 1))));
    assert!(is_silent(&pop.report(), &pop.path("far")), "{:?}", pop.report().faults);
    replace(&pop.path("zones/small.example.zone"), &zone_text(6, 3));
    pop.wait_serial("small.example.", 6).await;
    fuse.go_on();
    pop.wait(|report| report.faults.is_empty()).await;
    pop.wait_serial("new.example.", 1).await;
    pop.wait_serial("stays.example.", 2).await;
    // What is included is watched again.
    replace(&pop.path("zones/stays.example.zone"), &including(3));
    pop.wait_serial("stays.example.", 3).await;
    // A group that has no zone is told of no longer.
    stop(&fuse, &pop, "far").await;
    for zone in ["stays", "new"] {
        replace(&pop.path(&format!("zones/{zone}.example.zone")), &zone_text(9, 3));
        pop.wait_serial(&format!("{zone}.example."), 9).await;
    }
    pop.wait(|report| report.faults.is_empty()).await;
    fuse.go_on();
    pop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_that_includes_a_file_that_never_answered_delays_no_zone_beside_it() {
    let mut pop = Pop::new();
    let Some(fuse) = Fuse::mount(&pop.path("data"), &pop.path("far")) else {
        return skip("an included file that never answered", "there is no FUSE");
    };
    pop.write("far/part", "part TXT included\n");
    pop.write("zones/small.example.zone", &zone_text(1, 3));
    pop.write("zones/first.example.zone", &including(1));
    fuse.stop();
    tokio::time::timeout(PATIENCE, pop.start_with(with_includes(&pop)))
        .await
        .expect("a start ends all the same");
    assert!(is_silent(&pop.report(), &pop.path("far")), "{:?}", pop.report().faults);
    pop.wait_fault("first.example.", "it includes a file on").await;
    assert!(pop.absence("first.example.").is_some());
    deploys(&pop, "zones/small.example.zone", "small.example.").await;
    fuse.go_on();
    pop.wait_serial("first.example.", 1).await;
    pop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_whose_included_files_move_from_one_mount_to_another_is_deployed() {
    let mut pop = Pop::new();
    let mounts =
        ["far", "near"].map(|mount| Fuse::mount(&pop.path(&format!("{mount}-data")), &pop.path(mount)));
    let [Some(_far), Some(_near)] = mounts else {
        return skip("included files that move", "there is no FUSE");
    };
    fs::create_dir(pop.path("parts")).unwrap();
    for mount in ["far", "near"] {
        pop.write(&format!("{mount}/part"), &format!("{mount} TXT included\n"));
    }
    // One includes by itself, the other one by a file beside it: its own file says nothing new.
    let zones = pop.path("zones/own.example.zone");
    let beside = pop.path("parts/all");
    let write = |serial: u32, mounts: &[&str]| {
        let parts: String = mounts.iter().map(|mount| format!("$INCLUDE ../{mount}/part\n")).collect();
        let text = format!("{}{parts}", zone_text(serial, 3));
        replace(&zones, &text);
        replace(&beside, &text);
    };
    write(1, &["far"]);
    pop.write("zones/beside.example.zone", "$INCLUDE ../parts/all\n");
    let mut settings = settings(&pop);
    settings.include_roots.extend(["far", "near", "parts"].map(|root| pop.path(root)));
    pop.start_with(settings).await;
    assert_eq!(pop.report().served(), 2, "{:?}", pop.report());
    let steps = [&["near"][..], &["far"], &["near", "far"], &["near"], &["far", "near"], &[]];
    for (serial, mounts) in (2..).zip(steps) {
        write(serial, mounts);
        reload(&pop).await;
        for zone in ["own.example.", "beside.example."] {
            pop.wait_serial(zone, serial).await;
        }
    }
    assert!(pop.report().faults.is_empty(), "{:?}", pop.report().faults);
    pop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mount_that_does_not_answer_is_no_fault_when_its_last_zone_is_removed() {
    let mut pop = Pop::new();
    let Some(fuse) = Fuse::mount(&pop.path("data"), &pop.path("far")) else {
        return skip("the last zone of a mount that does not answer", "there is no FUSE");
    };
    pop.write("far/part", "part TXT included\n");
    pop.write("zones/small.example.zone", &zone_text(1, 3));
    pop.write("zones/last.example.zone", &including(1));
    pop.start_with(with_includes(&pop)).await;
    assert_eq!(pop.report().served(), 2, "{:?}", pop.report());
    pop.wait_kept().await;
    stop(&fuse, &pop, "far").await;
    fs::remove_file(pop.path("zones/last.example.zone")).unwrap();
    reload(&pop).await;
    pop.handle().remove(&name("last.example.")).await.unwrap();
    assert!(pop.report().faults.is_empty(), "{:?}", pop.report().faults);
    fuse.go_on();
    pop.stop().await;
}
