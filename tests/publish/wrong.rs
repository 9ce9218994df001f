//! Wrong on purpose: a clear fault, and everything else goes on.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyns::publish::{PublishError, Publisher, Settings, SingleZone, StoreError, ZoneState};

use anyns::wire::{RecordType, Serial};
use anyns::zone::Absence;

use crate::reader::Reader;
use crate::skip::skip;
use crate::support::{Pop, name, one, replace, zone_text};
use crate::wait;

const ZONE: &str = "zones/a.example.zone";

#[tokio::test]
async fn a_bad_file_keeps_the_old_zone_and_says_where() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    replace(&pop.path(ZONE), &(zone_text(6, 3) + "h9 60 IN A 10.0.0.300\n"));
    let report = pop.wait_fault("a.example.", "a.example.zone:6:").await;
    assert_eq!(report.state, ZoneState::Kept);
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    replace(&pop.path(ZONE), "ns 60 IN A 10.0.0.1\n");
    pop.wait_fault("a.example.", "no SOA").await;
    replace(&pop.path(ZONE), "");
    pop.wait_fault("a.example.", "no SOA").await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    replace(&pop.path(ZONE), &zone_text(6, 3));
    pop.wait_serial("a.example.", 6).await;
}

#[tokio::test]
async fn one_broken_zone_among_a_hundred() {
    let mut pop = Pop::new();
    for zone in 0..100 {
        pop.write(&format!("zones/z{zone}.example.zone"), &zone_text(1, 3));
    }
    pop.write("zones/z50.example.zone", "broken\n");
    pop.start().await;
    let report = pop.report();
    assert_eq!((report.zones.size(), report.served()), (100, 99));
    assert_eq!(report.zones[&name("z50.example.")].state, ZoneState::Refused);
    assert!(!report.serves(&name("z50.example.")));
    assert_eq!(pop.absence("z50.example."), Some(Absence::NoData), "its names are told so");
    assert_eq!(pop.absence("z51.example."), None);
    assert!(pop.published.load().is_complete());
    let reader = Reader::start(&pop.published, "z51.example.");
    for zone in 0..100 {
        replace(&pop.path(&format!("zones/z{zone}.example.zone")), &zone_text(2, 3));
    }
    replace(&pop.path("zones/z51.example.zone"), "broken\n");
    pop.wait_fault("z51.example.", "z51.example.zone:1").await;
    pop.wait_serial("z99.example.", 2).await;
    pop.wait_serial("z50.example.", 2).await;
    assert_eq!(pop.report().served(), 100);
    assert_eq!(pop.absence("z50.example."), None);
    assert_eq!(pop.absence("z51.example."), None, "an older version is served");
    reader.finish();
}

#[tokio::test]
async fn two_files_for_one_zone() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    fs::create_dir(pop.path("zones/more")).unwrap();
    pop.write("zones/more/A.Example.zone", &zone_text(6, 3));
    let report = pop.wait_fault("a.example.", "two files for one zone").await;
    assert_eq!(report.state, ZoneState::Kept);
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    fs::remove_file(pop.path(ZONE)).unwrap();
    pop.wait_serial("a.example.", 6).await;
}

#[tokio::test]
async fn a_fifo_a_directory_a_dangling_link_and_odd_names() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    assert!(Command::new("mkfifo").arg(pop.path("zones/fifo.example.zone")).status().unwrap().success());
    fs::create_dir(pop.path("zones/directory.example.zone")).unwrap();
    symlink("nowhere", pop.path("zones/link.example.zone")).unwrap();
    symlink(".", pop.path("zones/circle")).unwrap();
    pop.write("zones/two..dots.zone", &zone_text(5, 3));
    pop.write("zones/.hidden.zone", &zone_text(5, 3));
    pop.write("zones/notes.txt", "no zone\n");
    pop.write("zones/@.zone", &zone_text(7, 3));
    pop.write("zones/0\\04725.2.0.192.in-addr.arpa.zone", &zone_text(8, 3));
    pop.start().await;
    pop.wait_fault("fifo.example.", "is a FIFO").await;
    pop.wait_fault("directory.example.", "is a directory").await;
    pop.wait_fault("link.example.", "cannot read").await;
    let report = pop.report();
    assert_eq!(report.faults.len(), 1, "{:?}", report.faults);
    assert!(report.faults[0].to_string().contains("two..dots.zone"));
    assert_eq!(report.zones.size(), 6, "{:?}", report.zones.keys().collect::<Vec<_>>());
    assert_eq!(report.served(), 3);
    assert_eq!(pop.served("."), Some((7, 7)));
    assert_eq!(pop.served("0/25.2.0.192.in-addr.arpa."), Some((8, 8)));
}

#[tokio::test]
async fn a_single_zone_whose_file_is_missing() {
    let mut pop = Pop::new();
    let mut settings = pop.settings();
    let single =
        SingleZone { name: name("b.example."), file: Some(pop.path("b").into()), serial: None, dnssec: None };
    settings.zones = [single].into();
    pop.start_with(settings).await;
    let report = pop.wait_fault("b.example.", "there is no file").await;
    assert_eq!(report.state, ZoneState::Refused);
    assert_eq!(pop.absence("b.example."), Some(Absence::NoData));
    pop.write("b", &zone_text(3, 3));
    pop.wait_serial("b.example.", 3).await;
    fs::remove_file(pop.path("b")).unwrap();
    pop.wait_fault("b.example.", "is gone").await;
    pop.handle().remove(&name("b.example.")).await.unwrap();
    assert_eq!(pop.served("b.example."), None);
    pop.wait_fault("b.example.", "there is no file").await;
    assert_eq!(pop.absence("b.example."), Some(Absence::NoData), "the config still names it");
}

/// This thread, and those that it starts, use files as a user who may not read everything; root again when it is dropped.
struct OtherUser;

impl OtherUser {
    /// The owner of these files from now on. Without effect unless this is root.
    fn of(files: &[PathBuf]) -> Option<Self> {
        const NOBODY: u32 = 65534;
        if !nix::unistd::geteuid().is_root() {
            return None;
        }
        files.iter().for_each(|file| std::os::unix::fs::chown(file, Some(NOBODY), Some(NOBODY)).unwrap());
        nix::unistd::setfsuid(NOBODY.into());
        Some(Self)
    }
}

impl Drop for OtherUser {
    fn drop(&mut self) {
        nix::unistd::setfsuid(0.into());
    }
}

/// A zone whose first version is bad is answered SERVFAIL, not by the zone above it, also if it comes while others are served.
#[tokio::test]
async fn a_bad_zone_that_appears_is_absent() {
    let mut pop = Pop::new();
    pop.start().await;
    replace(&pop.path(ZONE), "broken\n");
    pop.wait_fault("a.example.", "a.example.zone:1").await;
    wait::wait_until("its absence is told", Duration::from_secs(20), || {
        pop.absence("a.example.") == Some(Absence::NoData)
    });
}

/// What a primary gives is judged: what is refused stays out, and the message says where to mend it.
#[tokio::test]
async fn a_version_of_a_primary_that_is_refused() {
    let mut pop = Pop::new();
    let zone = name("b.example.");
    let settings = Settings { transferred: [zone.clone()].into(), ..pop.settings() };
    pop.start_with(settings).await;
    pop.wait_fault("b.example.", "no primary has given it yet").await;
    let read = |serial, hosts| {
        pop.write("b", &zone_text(serial, hosts));
        anyns::zonefile::read_zone(&pop.path("b"), &zone, &Default::default()).unwrap().zone
    };
    let primary = "192.0.2.1:53".parse().unwrap();
    pop.handle().offer(read(5, 200), primary, anyns::publish::Force::No).await.unwrap();
    assert_eq!(pop.served("b.example."), Some((5, 5)));
    for (serial, hosts, words) in [(6, 20, "shrank from"), (4, 200, "does not come after")] {
        let error = pop
            .handle()
            .offer(read(serial, hosts), primary, anyns::publish::Force::No)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(words) && error.contains("correct the zone there"), "{error}");
        assert_eq!(pop.served("b.example."), Some((5, 5)));
    }
    // Differences that are applied later end what was said of the refused version.
    pop.wait_fault("b.example.", "does not come after").await;
    let raise = |from: u32, to: u32| {
        let batch = |serial: u32| {
            let mut batch = anyns::zone::RecordBatch::new(&zone);
            let before = read(serial, 1);
            let rdata = before.apex().set(RecordType::SOA).unwrap().rdata().next().unwrap().to_vec();
            batch.push(zone.as_wire(), RecordType::SOA, 60, &rdata, Default::default());
            batch
        };
        let (deleted, added) = (batch(from), batch(to));
        anyns::publish::Difference { from: Serial(from), to: Serial(to), deleted, added }
    };
    pop.handle().apply(&zone, vec![raise(5, 7)]).await.unwrap();
    let report = pop.handle().report().load();
    let after = &report.zones[&zone];
    assert!(after.state == ZoneState::Serving && after.faults.is_empty(), "{after:?}");
    pop.handle().offer(read(4, 20), primary, anyns::publish::Force::Order).await.unwrap();
    assert_eq!(pop.served("b.example."), Some((4, 4)), "an operator wants it");
    // Another zone under the same name has other serials; the operator's rules count for it.
    pop.handle().offer(read(2, 20), primary, anyns::publish::Force::Anew).await.unwrap();
    assert_eq!(pop.served("b.example."), Some((2, 2)));
    pop.handle().hold(one(&zone), Some("work".to_owned())).await.unwrap();
    let held = pop.handle().offer(read(1, 20), primary, anyns::publish::Force::Anew).await;
    assert!(held.unwrap_err().to_string().contains("held"));
    assert_eq!(pop.served("b.example."), Some((2, 2)));
    pop.handle().hold(one(&zone), None).await.unwrap();
    let other =
        anyns::zonefile::read_zone(&pop.path("b"), &name("c.example."), &Default::default()).unwrap().zone;
    let error = pop.handle().offer(other, primary, anyns::publish::Force::No).await.unwrap_err().to_string();
    assert!(error.contains("not configured to come from primaries"), "{error}");
    pop.restart().await;
    assert_eq!(pop.served("b.example."), None, "the configuration does not name it any more");
}

#[tokio::test]
async fn an_unreadable_directory_and_file() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    let _user = OtherUser::of(&[pop.path(""), pop.path("zones"), pop.path(ZONE)]);
    fs::set_permissions(pop.path(ZONE), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(pop.path(ZONE)).is_ok() {
        skip("an unreadable file", "this user reads everything");
        return;
    }
    pop.start().await;
    pop.wait_fault("a.example.", "ermission").await;
    fs::set_permissions(pop.path(ZONE), fs::Permissions::from_mode(0o600)).unwrap();
    pop.wait_serial("a.example.", 5).await;
    fs::set_permissions(pop.path("zones"), fs::Permissions::from_mode(0o000)).unwrap();
    pop.wait(|report| report.faults.iter().any(|fault| fault.to_string().contains("ermission"))).await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    fs::set_permissions(pop.path("zones"), fs::Permissions::from_mode(0o700)).unwrap();
    pop.wait(|report| report.faults.is_empty()).await;
}

#[tokio::test]
async fn a_second_process_on_one_state_directory() {
    let mut pop = Pop::new();
    pop.start().await;
    let second = Publisher::start(pop.settings(), Default::default());
    assert!(matches!(second, Err(PublishError::State(StoreError::InUse { .. }))));
}

/// What a file system or a tool leaves in the directory of zones is odd and no fault: the zones are served, and can be removed.
#[tokio::test]
async fn copies_and_directories_without_a_known_zone_are_warnings() {
    let mut pop = Pop::new();
    pop.write("zones/a.example.zone", &zone_text(1, 3));
    let copies = [
        "a.example (conflicted copy).zone",
        "a.example (Alice's conflicted copy 2026-11-28).zone",
        "a.example.sync-conflict-20261128-101112-ABCDEFG.zone",
        "a.example - Copy.zone",
        "a.example (1).zone",
        "Copy of a.example.zone",
        "a.example_conflict-20261128-101112.zone",
        "a.example (SFConflict alice@example.org 2026-11-28-10-11-12).zone",
        "a.example.Conflict.zone",
        "a.example_LOCAL_1234.zone",
        "a.example_REMOTE_1234.zone",
    ];
    // What editors, package managers and copying tools leave has no name of a zone, and nothing is said of it.
    let others = [
        ".a.example.zone.swp",
        "a.example.zone~",
        "#a.example.zone#",
        ".#a.example.zone",
        ".a.example.zone.AbC123",
        "a.example.zone.dpkg-new",
        "a.example.zone.rpmsave",
        "a.example.zone.orig",
        "a.example.zone.bak",
        "a.example.zone.~1~",
        "a.example.zone.jnl",
        "._a.example.zone",
        "4913",
    ];
    others.iter().for_each(|other| pop.write(&format!("zones/{other}"), &zone_text(9, 3)));
    copies.iter().for_each(|copy| pop.write(&format!("zones/{copy}"), &zone_text(9, 3)));
    // As deep as nobody looks: it cannot be read, also by root.
    let deep = format!("zones/{}", "d/".repeat(17));
    fs::create_dir_all(pop.path(&deep)).unwrap();
    let single = |pop: &Pop| SingleZone {
        name: name("b.example."),
        file: Some(pop.path("b").into()),
        serial: None,
        dnssec: None,
    };
    pop.write("b", &zone_text(1, 3));
    let mut settings = pop.settings();
    settings.zones = [single(&pop)].into();
    pop.start_with(settings.clone()).await;
    let report = pop.report();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    assert_eq!(report.zones.size(), 2, "a copy is no zone");
    assert_eq!(pop.served("a.example."), Some((1, 1)));
    let checked = anyns::publish::check(settings.clone()).unwrap();
    assert!(checked.is_clean() && checked.warnings.len() == copies.len() + 1, "{:?}", checked.warnings);
    let said: Vec<String> = checked.warnings.iter().map(ToString::to_string).collect();
    assert!(
        said.iter().any(|text| text.contains("conflicted copy).zone has the name of a copy")),
        "{said:?}"
    );
    assert!(
        said.iter().any(|text| text.contains("d: deeper than 16 directories; no zone is known in it")),
        "{said:?}"
    );
    // It does not keep a zone that left the config.
    settings.zones = [].into();
    pop.handle().reconfigure(settings).await.unwrap();
    assert_eq!(pop.served("b.example."), None);
}
