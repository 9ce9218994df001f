//! What was served is served again, whatever became of the files; a full disk and a damaged state silence nobody.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyns::publish::{Settings, SourceFault, ZoneState, ZoneTimers};
use redb::{ReadableDatabase, ReadableTable};

use crate::skip::skip;
use crate::support::{Pop, name, replace, versioned, zone_text};

const ZONE: &str = "zones/a.example.zone";
const STATE: &str = "state/zones.redb";

#[tokio::test]
async fn a_zone_whose_file_went_bad_or_back_is_served_from_the_state() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    pop.write(ZONE, "broken\n");
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    pop.wait_fault("a.example.", "a.example.zone:1").await;
    pop.write(ZONE, &zone_text(4, 3));
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    pop.wait_fault("a.example.", "does not come after").await;
    pop.write(ZONE, &zone_text(6, 3));
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((6, 6)));
    assert_eq!(pop.report().zones[&name("a.example.")].state, ZoneState::Serving);
}

#[tokio::test]
async fn without_a_state_directory_a_zone_is_served_but_not_durable() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    let settings = Settings { state_directory: None, ..pop.settings() };
    pop.start_with(settings).await;
    let report = pop.report().zones[&name("a.example.")].clone();
    assert_eq!((report.state, report.durable, report.faults.len()), (ZoneState::Serving, false, 0));
    replace(&pop.path(ZONE), &zone_text(6, 3));
    pop.wait_serial("a.example.", 6).await;
}

#[tokio::test]
async fn a_damaged_database_is_set_aside_and_the_file_is_served() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(9, 3));
    pop.start().await;
    pop.wait_kept().await;
    pop.stop().await;
    let whole = fs::read(pop.path(STATE)).unwrap();
    let all = [(&b""[..], 6), (&whole[..40], 5), (&b"nonsense"[..], 4), (&vec![7; whole.len()][..], 3)];
    // Each may be the only copy of what was in it: none takes the place of another.
    let places = ["", "-2", "-3", "-4"];
    for ((damaged, serial), place) in all.into_iter().zip(places) {
        fs::write(pop.path(STATE), damaged).unwrap();
        pop.write(ZONE, &zone_text(serial, 3));
        pop.published = Default::default();
        pop.start().await;
        assert_eq!(pop.served("a.example."), Some((serial, serial)));
        let report = pop.report();
        assert!(report.faults.iter().any(|it| it.to_string().contains("set aside")), "{:?}", report.faults);
        assert!(pop.wait_kept().await.zones[&name("a.example.")].durable);
        assert!(fs::read(pop.path(&format!("state/zones.redb.damaged{place}"))).unwrap() == damaged);
        pop.restart().await;
        assert!(pop.report().faults.is_empty(), "said once");
        pop.stop().await;
    }
}

/// The tree of pages is sound, and the octets of a zone in it are not.
#[tokio::test]
async fn a_zone_that_is_damaged_is_set_aside_alone() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.write("zones/b.example.zone", &zone_text(5, 3));
    pop.start().await;
    pop.wait_kept().await;
    pop.stop().await;
    let mut octets = fs::read(pop.path(STATE)).unwrap();
    let part = b"\x02h1\x01a\x07example";
    let places: Vec<usize> =
        octets.windows(part.len()).enumerate().filter(|it| it.1 == part).map(|it| it.0).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| octets[at + 1] ^= 1);
    fs::write(pop.path(STATE), octets).unwrap();
    for zone in ["a", "b"] {
        pop.write(&format!("zones/{zone}.example.zone"), &zone_text(2, 3));
    }
    pop.published = Default::default();
    pop.start().await;
    assert_eq!((pop.served("a.example."), pop.served("b.example.")), (Some((2, 2)), Some((5, 5))));
    let report = pop.report();
    assert!(
        report.faults.iter().any(|it| it.to_string().contains("a.example.damaged")),
        "{:?}",
        report.faults
    );
    assert!(pop.path("state/a.example.damaged").exists());
    assert!(pop.wait_kept().await.zones[&name("a.example.")].durable);
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((2, 2)));
    pop.stop().await;
}

#[tokio::test]
async fn a_newer_format_is_refused_and_the_files_are_served() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    fs::create_dir(pop.path("state")).unwrap();
    let newer = redb::Database::create(pop.path(STATE)).unwrap();
    let transaction = newer.begin_write().unwrap();
    let about = redb::TableDefinition::<&str, u64>::new("about");
    transaction.open_table(about).unwrap().insert("format", 99).unwrap();
    transaction.commit().unwrap();
    drop(newer);
    // A zone whose data is nowhere else is not served from its seed, and is not begun anew.
    pop.write("zones/b.example.zone", &zone_text(1, 3));
    let settings = Settings { databases: [name("b.example.")].into(), ..pop.settings() };
    pop.start_with(settings).await;
    assert_eq!((pop.served("a.example."), pop.served("b.example.")), (Some((5, 5)), None));
    assert!(pop.absence("b.example.").is_some(), "it is answered SERVFAIL");
    let faults = pop.report().faults.clone();
    assert!(
        faults.iter().any(|it| it.to_string().contains("has format 99, and this build knows 5")),
        "{faults:?}"
    );
    assert!(pop.path(STATE).exists() && !pop.path("state/zones.redb.damaged").exists());
    pop.stop().await;
}

/// A newer build of the same format may keep more: tables of its own, and more at the end of values. What is known is read, and the rest
/// is left as it is.
#[tokio::test]
async fn what_a_newer_build_of_this_format_adds_is_passed_over_and_left() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    let zone = name("a.example.");
    let timers = ZoneTimers {
        checked: Some(3),
        due: 5,
        failures: 7,
        saved: 9,
        forked: Some(3),
        ..ZoneTimers::default()
    };
    assert!(pop.handle().keep_timers(vec![(zone.clone(), Some(timers))]).await);
    pop.wait_kept().await;
    pop.stop().await;
    let future = redb::TableDefinition::<&[u8], &[u8]>::new("future");
    let known = redb::TableDefinition::<&[u8], &[u8]>::new("timers");
    let database = redb::Database::open(pop.path(STATE)).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(future).unwrap().insert(&b"key"[..], &b"value"[..]).unwrap();
    let mut table = transaction.open_table(known).unwrap();
    let (key, value) = {
        let (key, value) = table.first().unwrap().expect("the timers are kept");
        (key.value().to_vec(), value.value().to_vec())
    };
    table.insert(&*key, &*[&value[..], b"more"].concat()).unwrap();
    drop(table);
    transaction.commit().unwrap();
    drop(database);
    pop.published = Default::default();
    pop.start().await;
    assert_eq!((pop.served("a.example."), pop.report().faults.len()), (Some((5, 5)), 0));
    let kept = pop.handle().kept().load();
    assert_eq!((*kept).as_ref().and_then(|kept| kept.timers.get(&zone)), Some(&timers));
    replace(&pop.path(ZONE), &zone_text(6, 3));
    pop.wait_serial("a.example.", 6).await;
    pop.wait_kept().await;
    pop.stop().await;
    let database = redb::Database::open(pop.path(STATE)).unwrap();
    let table = database.begin_read().unwrap().open_table(future).unwrap();
    assert_eq!(table.get(&b"key"[..]).unwrap().unwrap().value(), b"value");
}

/// What the files were when they were read is known: at the next start they are not opened.
#[cfg(native)]
#[tokio::test]
async fn files_that_have_not_changed_are_not_read_at_the_next_start() {
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

    let mut pop = Pop::new();
    pop.write("zones/hosts.inc", "h0 60 IN A 10.0.0.5\n");
    let head = "@ 60 IN SOA ns.example. host.example. 5 1 1 1 1\n@ 60 IN NS ns.example.\n";
    pop.write(ZONE, &format!("{head}$INCLUDE hosts.inc\n"));
    pop.write("zones/b.example.zone", &zone_text(5, 3));
    pop.start().await;
    pop.wait_kept().await;
    pop.stop().await;
    let opened = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
    for file in ["zones/a.example.zone", "zones/hosts.inc", "zones/b.example.zone"] {
        opened.add_watch(&pop.path(file), AddWatchFlags::IN_OPEN).unwrap();
    }
    // Files that changed within a tick of the clock before they were read say nothing yet: the next start reads them once more.
    let mut starts = 0;
    loop {
        pop.published = Default::default();
        pop.start().await;
        assert_eq!((pop.served("a.example."), pop.served("b.example.")), (Some((5, 5)), Some((5, 5))));
        assert!(pop.report().zones.values().all(|zone| zone.durable && zone.faults.is_empty()));
        pop.stop().await;
        starts += 1;
        if opened.read_events().is_err() {
            break;
        }
        assert!(starts < 20, "a file was opened at each of {starts} starts");
    }
    // A change in what is included is seen at a start.
    pop.write("zones/hosts.inc", "h0 60 IN A 10.0.0.6\n");
    pop.published = Default::default();
    pop.start().await;
    pop.wait_fault("a.example.", "the content changed but the serial is still 5").await;
    pop.stop().await;
}

#[tokio::test]
async fn on_a_full_disk_new_versions_are_served_the_older_kept_and_all_are_kept_when_there_is_room() {
    let mut pop = Pop::new();
    fs::create_dir(pop.path("state")).unwrap();
    let Some(_disk) = SmallDisk::mount(&pop.path("state")) else {
        skip("a full disk", "this user cannot mount");
        return;
    };
    pop.write(ZONE, &zone_text(5, 300));
    pop.start().await;
    assert!(pop.wait_kept().await.zones[&name("a.example.")].durable);
    let filler = pop.path("state/filler");
    fill(&filler);
    // The new version is on disk in its file, so it is served; the older one stays what a restart falls back to.
    replace(&pop.path(ZONE), &zone_text(6, 9_000));
    let report = pop.wait_fault("a.example.", "is served but not durable").await;
    assert_eq!((report.state, report.durable), (ZoneState::Serving, false));
    assert_eq!(pop.served("a.example."), Some((6, 6)));
    assert_eq!(pop.report().unkept, 1);
    // So is a zone that has nothing older.
    replace(&pop.path("zones/b.example.zone"), &zone_text(1, 9_000));
    let report = pop.wait_fault("b.example.", "not durable").await;
    assert_eq!((report.state, report.durable), (ZoneState::Serving, false));
    // With its file gone bad, a restart serves the older version, whole.
    pop.stop().await;
    pop.write(ZONE, "broken\n");
    pop.published = Default::default();
    pop.start().await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    assert_eq!(pop.served("b.example."), Some((1, 1)));
    // At the start it is known for all zones that nothing can be kept: that is said once.
    replace(&pop.path(ZONE), &zone_text(6, 9_000));
    pop.wait_serial("a.example.", 6).await;
    let report = pop.report();
    assert!(matches!(report.faults.as_slice(), [SourceFault::StateUnwritable { .. }]), "{:?}", report.faults);
    assert_eq!(report.unkept, 2);
    fs::remove_file(&filler).unwrap();
    // A check that comes to its end may still read the state directory: then the next look opens it.
    for _ in 0..100 {
        pop.handle().reload().await;
        if pop.report().faults.is_empty() {
            break;
        }
    }
    let report = pop.wait_kept().await;
    assert!(report.zones.values().all(|zone| zone.durable && zone.faults.is_empty()), "{report:#?}");
    pop.stop().await;
}

#[tokio::test]
async fn a_bumped_serial_is_in_no_file_so_a_full_disk_keeps_it_out_of_service() {
    let mut pop = Pop::new();
    fs::create_dir(pop.path("state")).unwrap();
    let Some(_disk) = SmallDisk::mount(&pop.path("state")) else {
        skip("a full disk", "this user cannot mount");
        return;
    };
    pop.write(ZONE, &zone_text(5, 300));
    let settings = Settings { serial: anyns::publish::SerialRule::Bump, ..pop.settings() };
    pop.start_with(settings).await;
    pop.wait_kept().await;
    let filler = pop.path("state/filler");
    fill(&filler);
    replace(&pop.path(ZONE), &versioned(5, 6, 9_000));
    let report = pop.wait_fault("a.example.", "cannot be made durable").await;
    assert_eq!(report.state, ZoneState::Kept);
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    fs::remove_file(&filler).unwrap();
    pop.handle().reload().await;
    // It was kept before it was served, so nothing is waited for.
    let report = pop.report().zones[&name("a.example.")].clone();
    assert!(report.durable && report.faults.is_empty(), "{report:#?}");
    assert_eq!(pop.served("a.example."), Some((6, 6)));
    pop.stop().await;
}

pub(crate) fn fill(path: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(path).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

/// A disk of 4 MiB, gone with the value.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    pub(crate) fn mount(at: &Path) -> Option<Self> {
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(at).output().ok()?;
        mount.status.success().then(|| Self(at.to_path_buf()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the publisher may still hold its lock if the test failed.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A check that began before the last one had come to its end, or that looks into the state directory once more, would bring an older
/// version back.
#[tokio::test]
async fn after_a_reload_the_new_file_is_served_and_told_of_also_right_after_a_start() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(1, 3));
    pop.start().await;
    for serial in 2..60 {
        replace(&pop.path(ZONE), &zone_text(serial, 3));
        if serial % 3 == 0 {
            pop.restart().await;
        }
        pop.handle().reload().await;
        assert_eq!(pop.served("a.example."), Some((serial, serial)));
        let report = pop.wait_kept().await;
        assert_eq!(report.zones[&name("a.example.")].serial.map(|it| it.0), Some(serial));
    }
    pop.stop().await;
}
