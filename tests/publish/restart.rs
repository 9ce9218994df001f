//! What was served is served again, whatever became of the files; a full disk and a damaged state silence nobody.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyns::publish::{SourceFault, ZoneState};

use crate::skip::skip;
use crate::support::{Pop, name, replace, versioned, zone_text};

const ZONE: &str = "zones/a.example.zone";
const STATE: &str = "state/a.example.state";

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
    let settings = anyns::publish::Settings { state_directory: None, ..pop.settings() };
    pop.start_with(settings).await;
    let report = pop.report().zones[&name("a.example.")].clone();
    assert_eq!((report.state, report.durable, report.faults.len()), (ZoneState::Serving, false, 0));
    replace(&pop.path(ZONE), &zone_text(6, 3));
    pop.wait_serial("a.example.", 6).await;
}

#[tokio::test]
async fn damaged_state_is_set_aside_and_the_file_is_served() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    pop.stop().await;
    let whole = fs::read(pop.path(STATE)).unwrap();
    let mut flipped = whole.clone();
    let in_the_body = whole.len() - 80;
    flipped[in_the_body] ^= 1;
    // A damaged head is seen at once; a damaged body when it is needed: the file went back, so the state is.
    for (damaged, file, serial) in
        [(&whole[..40], 5, 5), (&whole[..whole.len() - 3], 4, 4), (&b""[..], 3, 3), (&flipped[..], 2, 2)]
    {
        fs::write(pop.path(STATE), damaged).unwrap();
        pop.write(ZONE, &zone_text(file, 3));
        pop.published = Default::default();
        pop.start().await;
        assert_eq!(pop.served("a.example."), Some((serial, serial)));
        let report = pop.report();
        assert!(report.faults.iter().any(|it| it.to_string().contains("set aside")), "{:?}", report.faults);
        assert!(pop.wait_kept().await.zones[&name("a.example.")].durable);
        assert!(pop.path("state/a.example.damaged").exists());
        pop.stop().await;
    }
}

#[tokio::test]
async fn a_crash_while_state_is_written_leaves_the_older_state() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    pop.stop().await;
    pop.write("state/a.example.new", ";anyns-state 2\n;zone a.exam");
    fs::remove_file(pop.path(ZONE)).unwrap();
    pop.published = Default::default();
    pop.start().await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    assert!(!pop.path("state/a.example.new").exists());
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
    replace(&pop.path(ZONE), &zone_text(6, 300));
    let report = pop.wait_fault("a.example.", "is served but not durable").await;
    assert_eq!((report.state, report.durable), (ZoneState::Serving, false));
    assert_eq!(pop.served("a.example."), Some((6, 6)));
    assert_eq!(pop.report().unkept, 1);
    // So is a zone that has nothing older.
    replace(&pop.path("zones/b.example.zone"), &zone_text(1, 300));
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
    replace(&pop.path(ZONE), &zone_text(6, 300));
    pop.wait_serial("a.example.", 6).await;
    let report = pop.report();
    assert!(matches!(report.faults.as_slice(), [SourceFault::StateUnwritable { .. }]), "{:?}", report.faults);
    assert_eq!(report.unkept, 2);
    fs::remove_file(&filler).unwrap();
    pop.handle().reload().await;
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
    let settings = anyns::publish::Settings { serial: anyns::publish::SerialRule::Bump, ..pop.settings() };
    pop.start_with(settings).await;
    pop.wait_kept().await;
    let filler = pop.path("state/filler");
    fill(&filler);
    replace(&pop.path(ZONE), &versioned(5, 6, 300));
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

/// What a crash at any moment leaves of the state is what the directory holds at that moment.
#[tokio::test]
async fn whenever_a_crash_comes_the_state_holds_a_whole_version() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(1, 2_000));
    pop.start().await;
    pop.wait_kept().await;
    let (state, crashes) = (pop.path("state"), pop.path("crashes"));
    let ended = Arc::new(AtomicBool::new(false));
    let copier = std::thread::spawn({
        let ended = ended.clone();
        move || copy_while(&state, &crashes, &ended)
    });
    for serial in 2..30 {
        replace(&pop.path(ZONE), &zone_text(serial, 2_000));
        pop.handle().reload().await;
        assert_eq!(pop.served("a.example."), Some((serial, serial)));
    }
    pop.wait_kept().await;
    ended.store(true, Ordering::Relaxed);
    let copies = copier.join().unwrap();
    pop.stop().await;
    assert!(copies > 10, "only {copies} copies");
    // The file is gone, so what is served comes from the state.
    fs::remove_file(pop.path(ZONE)).unwrap();
    let mut newest = 1;
    for copy in 0..copies {
        fs::remove_dir_all(pop.path("state")).unwrap();
        fs::rename(pop.path(&format!("crashes/{copy}")), pop.path("state")).unwrap();
        pop.published = Default::default();
        pop.start().await;
        let (serial, content) = pop.served("a.example.").expect("a version is served");
        assert!(
            serial == content && serial >= newest,
            "{serial} with the content of {content} after {newest}"
        );
        newest = serial;
        pop.stop().await;
    }
}

/// Copies the state directory again and again, at most so often that restarting from each takes no minute.
fn copy_while(state: &Path, crashes: &Path, ended: &AtomicBool) -> usize {
    const MOST: usize = 100;
    fs::create_dir(crashes).unwrap();
    let mut copies = 0;
    while copies < MOST && !ended.load(Ordering::Relaxed) {
        let copy = crashes.join(copies.to_string());
        fs::create_dir(&copy).unwrap();
        // Half written, or not there between two versions.
        let _ = fs::copy(state.join("a.example.new"), copy.join("a.example.new"));
        fs::copy(state.join("a.example.state"), copy.join("a.example.state")).unwrap();
        copies += 1;
    }
    copies
}

pub(crate) fn fill(path: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(path).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

/// A disk of 64 KiB, gone with the value.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    pub(crate) fn mount(at: &Path) -> Option<Self> {
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(at).output().ok()?;
        mount.status.success().then(|| Self(at.to_path_buf()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the publisher may still hold its lock if the test failed.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
