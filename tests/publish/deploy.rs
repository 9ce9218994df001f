//! Every way to deploy a zone, while a reader looks for gaps and mixtures.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyns::publish::{Deploy, Settings};
use anyns::wire::Serial;

use crate::reader::Reader;
use crate::skip::{has_programs, skip};
use crate::support::{Pop, name, replace, zone_text};
use crate::wait::holds_meanwhile;

const HOSTS: usize = 300;
/// Set for a test process whose zone files belong to somebody else.
const FOREIGN_FILE: &str = "ANYNS_TEST_FOREIGN_FILE";
const NOBODY: u32 = 65_534;

#[tokio::test]
async fn an_editor_saves_over_a_temporary_file() {
    let mut pop = Pop::new();
    pop.write("zones/a.example.zone", &zone_text(1, HOSTS));
    pop.start().await;
    let reader = Reader::start(&pop.published, "a.example.");
    for serial in 2..6 {
        replace(&pop.path("zones/a.example.zone"), &zone_text(serial, HOSTS));
        pop.wait_serial("a.example.", serial).await;
    }
    reader.finish();
    assert_eq!(pop.served("a.example."), Some((5, 5)));
}

#[tokio::test]
async fn an_editor_renames_the_old_file_away_and_writes_a_new_one() {
    let mut pop = Pop::new();
    let path = pop.path("zones/a.example.zone");
    pop.write("zones/a.example.zone", &zone_text(1, HOSTS));
    pop.start().await;
    let reader = Reader::start(&pop.published, "a.example.");
    fs::rename(&path, pop.path("zones/a.example.zone~")).unwrap();
    pop.wait_fault("a.example.", "is gone").await;
    fs::write(&path, zone_text(2, HOSTS)).unwrap();
    pop.wait_serial("a.example.", 2).await;
    reader.finish();
}

#[tokio::test]
async fn a_slow_writer_in_place_is_waited_for() {
    let mut pop = Pop::new();
    pop.write("zones/a.example.zone", &zone_text(1, HOSTS));
    if std::env::var_os(FOREIGN_FILE).is_some() {
        chown(pop.path("zones/a.example.zone"), Some(NOBODY), None).unwrap();
    }
    pop.start().await;
    let reader = Reader::start(&pop.published, "a.example.");
    let text = zone_text(2, HOSTS);
    // Each half is a sound zone by its syntax, and the first half is cut at the end of a line.
    let half = text[..text.len() / 2].rfind('\n').unwrap() + 1;
    let mut file = File::create(pop.path("zones/a.example.zone")).unwrap();
    file.write_all(&text.as_bytes()[..half]).unwrap();
    pop.wait_fault("a.example.", "being written").await;
    pop.handle().reload().await;
    assert_eq!(pop.served("a.example."), Some((1, 1)));
    file.write_all(&text.as_bytes()[half..]).unwrap();
    pop.handle().reload().await;
    assert_eq!(pop.served("a.example."), Some((1, 1)));
    drop(file);
    pop.wait_serial("a.example.", 2).await;
    reader.finish();
    let snapshot = pop.published.load();
    assert_eq!(snapshot.zones().next().unwrap().record_count(), HOSTS + 2);
}

/// The kernel gives a lease to the owner of a file or with CAP_LEASE; a daemon usually has neither.
#[test]
fn a_slow_writer_is_waited_for_where_the_kernel_gives_no_lease() {
    let probe = tempfile::NamedTempFile::new().unwrap();
    if chown(probe.path(), Some(NOBODY), None).is_err() {
        skip("a slow writer where the kernel gives no lease", "this user cannot give files away");
        return;
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-lease", "--inh-caps", "-lease"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "deploy::a_slow_writer_in_place_is_waited_for"]).env(FOREIGN_FILE, "1");
    run(&mut command);
}

#[tokio::test]
async fn rsync() {
    if !has_programs("deployment by rsync", &["rsync"]) {
        return;
    }
    let mut pop = Pop::new();
    pop.write("zones/a.example.zone", &zone_text(1, HOSTS));
    pop.start().await;
    let reader = Reader::start(&pop.published, "a.example.");
    fs::create_dir(pop.path("source")).unwrap();
    for (serial, option) in [(2, "--checksum"), (3, "--inplace"), (4, "--delay-updates")] {
        pop.write("source/a.example.zone", &zone_text(serial, HOSTS));
        let (from, to) = (pop.path("source/"), pop.path("zones/"));
        run(Command::new("rsync").args(["-a", "--ignore-times", option]).arg(from).arg(to));
        pop.wait_serial("a.example.", serial).await;
    }
    reader.finish();
}

#[tokio::test]
async fn the_directory_is_moved_away_and_another_moved_in() {
    let mut pop = Pop::new();
    pop.write("zones/a.example.zone", &zone_text(1, HOSTS));
    pop.start().await;
    let reader = Reader::start(&pop.published, "a.example.");
    for serial in 2..5 {
        let next = pop.path("next");
        fs::create_dir(&next).unwrap();
        fs::write(next.join("a.example.zone"), zone_text(serial, HOSTS)).unwrap();
        fs::rename(pop.path("zones"), pop.path(&format!("old{serial}"))).unwrap();
        fs::rename(&next, pop.path("zones")).unwrap();
        pop.wait_serial("a.example.", serial).await;
    }
    // The same directory away and back, then a change in it: it must still be watched.
    fs::rename(pop.path("zones"), pop.path("away")).unwrap();
    pop.wait(|report| !report.faults.is_empty()).await;
    fs::rename(pop.path("away"), pop.path("zones")).unwrap();
    pop.wait(|report| report.faults.is_empty()).await;
    replace(&pop.path("zones/a.example.zone"), &zone_text(5, HOSTS));
    pop.wait_serial("a.example.", 5).await;
    reader.finish();
}

#[tokio::test]
async fn a_directory_that_is_missing_at_first_is_found_when_it_comes() {
    let mut pop = Pop::new();
    fs::remove_dir(pop.path("zones")).unwrap();
    let mut settings = pop.settings();
    settings.directories = vec![pop.path("mount/point/zones")];
    pop.start_with(settings).await;
    assert!(pop.report().faults.iter().any(|fault| fault.to_string().contains("mount/point/zones")));
    fs::create_dir_all(pop.path("mount/point/zones")).unwrap();
    pop.write("mount/point/zones/a.example.zone", &zone_text(1, HOSTS));
    pop.wait_serial("a.example.", 1).await;
    assert!(pop.report().faults.is_empty());
}

#[tokio::test]
async fn git_checks_another_branch_out() {
    let mut pop = Pop::new();
    let zones = pop.path("zones");
    git(&zones, &["init", "-q", "-b", "one"]);
    for (branch, serial) in [("one", 1), ("two", 2), ("three", 3)] {
        git(&zones, &["checkout", "-q", "-B", branch]);
        for zone in 0..20 {
            pop.write(&format!("zones/z{zone}.example.zone"), &zone_text(serial, HOSTS));
        }
        git(&zones, &["add", "."]);
        git(&zones, &["commit", "-q", "-m", branch]);
    }
    git(&zones, &["checkout", "-q", "one"]);
    pop.start().await;
    let reader = Reader::start(&pop.published, "z7.example.");
    for (branch, serial) in [("two", 2), ("three", 3)] {
        git(&zones, &["checkout", "-q", branch]);
        for zone in 0..20 {
            pop.wait_serial(&format!("z{zone}.example."), serial).await;
        }
    }
    reader.finish();
}

#[tokio::test]
async fn a_symlink_is_switched() {
    let mut pop = Pop::new();
    fs::remove_dir(pop.path("zones")).unwrap();
    fs::create_dir_all(pop.path("releases/1")).unwrap();
    pop.write("releases/1/a.example.zone", &zone_text(1, HOSTS));
    symlink("releases/1", pop.path("zones")).unwrap();
    pop.start().await;
    let reader = Reader::start(&pop.published, "a.example.");
    for serial in 2..5 {
        fs::create_dir(pop.path(&format!("releases/{serial}"))).unwrap();
        pop.write(&format!("releases/{serial}/a.example.zone"), &zone_text(serial, HOSTS));
        symlink(format!("releases/{serial}"), pop.path("zones.new")).unwrap();
        fs::rename(pop.path("zones.new"), pop.path("zones")).unwrap();
        pop.wait_serial("a.example.", serial).await;
    }
    reader.finish();
}

#[tokio::test]
async fn the_data_link_of_a_mounted_volume_is_switched() {
    let mut pop = Pop::new();
    for serial in 1..4 {
        fs::create_dir(pop.path(&format!("zones/..{serial}"))).unwrap();
        pop.write(&format!("zones/..{serial}/a.example.zone"), &zone_text(serial, HOSTS));
    }
    symlink("..1", pop.path("zones/..data")).unwrap();
    symlink("..data/a.example.zone", pop.path("zones/a.example.zone")).unwrap();
    pop.start().await;
    let reader = Reader::start(&pop.published, "a.example.");
    for serial in 2..4 {
        symlink(format!("..{serial}"), pop.path("zones/..data_tmp")).unwrap();
        fs::rename(pop.path("zones/..data_tmp"), pop.path("zones/..data")).unwrap();
        pop.wait_serial("a.example.", serial).await;
    }
    reader.finish();
}

#[tokio::test]
async fn a_new_subdirectory_is_watched_from_its_first_file_on() {
    let mut pop = Pop::new();
    pop.start().await;
    fs::create_dir_all(pop.path("zones/customers/a-to-f")).unwrap();
    pop.write("zones/customers/a-to-f/a.example.zone", &zone_text(1, HOSTS));
    pop.wait_serial("a.example.", 1).await;
    let reader = Reader::start(&pop.published, "a.example.");
    replace(&pop.path("zones/customers/a-to-f/a.example.zone"), &zone_text(2, HOSTS));
    pop.wait_serial("a.example.", 2).await;
    reader.finish();
}

#[tokio::test]
async fn an_included_file_elsewhere_is_watched() {
    let mut pop = Pop::new();
    fs::create_dir(pop.path("parts")).unwrap();
    pop.write("parts/soa", &zone_text(1, HOSTS));
    pop.write("zones/a.example.zone", "$INCLUDE ../parts/soa\n");
    let mut settings = pop.settings();
    settings.include_roots = vec![pop.path("parts")];
    pop.start_with(settings).await;
    let reader = Reader::start(&pop.published, "a.example.");
    for serial in 2..5 {
        replace(&pop.path("parts/soa"), &zone_text(serial, HOSTS));
        pop.wait_serial("a.example.", serial).await;
    }
    pop.write("parts/soa", "broken\n");
    pop.wait_fault("a.example.", "parts/soa:1").await;
    pop.write("parts/soa", &zone_text(5, HOSTS));
    pop.wait_serial("a.example.", 5).await;
    reader.finish();
}

#[tokio::test]
async fn a_burst_of_changes_is_few_looks() {
    let mut pop = Pop::new();
    pop.write("zones/a.example.zone", &zone_text(1, HOSTS));
    pop.start().await;
    let before = pop.report().reloads;
    for serial in 2..202 {
        replace(&pop.path("zones/a.example.zone"), &zone_text(serial, HOSTS));
    }
    pop.wait_serial("a.example.", 201).await;
    let looks = pop.report().reloads - before;
    assert!(looks < 20, "{looks} looks");
}

fn git(directory: &Path, arguments: &[&str]) {
    let identity =
        ["-c", "user.name=test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false"];
    run(Command::new("git").arg("-C").arg(directory).args(identity).args(arguments));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A script that opens, appends and closes again and again: each piece would be a zone, but only the last is meant.
#[tokio::test]
async fn a_file_that_is_appended_to_in_steps_is_read_when_it_rests() {
    let mut pop = Pop::new();
    pop.write("zones/a.example.zone", &zone_text(1, 3));
    // Longer than a busy machine takes for a deploy.
    let settle = Settings::DEFAULT_SETTLE * 4;
    pop.start_with(Settings { settle, ..pop.settings() }).await;
    let zone = name("a.example.");
    let records = |pop: &Pop| pop.published.load().zone(&zone).map(|zone| zone.record_count());
    let before = records(&pop);
    let text = zone_text(2, 40);
    let lines: Vec<&str> = text.lines().collect();
    let path = pop.path("zones/a.example.zone");
    for (step, piece) in lines.chunks(lines.len().div_ceil(5)).enumerate() {
        let mut file = File::options().append(step > 0).truncate(step == 0).write(true).open(&path).unwrap();
        file.write_all((piece.join("\n") + "\n").as_bytes()).unwrap();
        drop(file);
        // The writer's own pace.
        let what = format!("step {step}: the beginning of a file is not served");
        holds_meanwhile(&what, Duration::from_millis(200), || records(&pop) == before).await;
    }
    pop.wait_serial("a.example.", 2).await;
    assert_eq!(records(&pop), Some(42), "all of it");
    // Another file in its place is read at once, though its path was written to a moment ago.
    replace(&path, &zone_text(3, 3));
    let moved = Instant::now();
    pop.wait_serial("a.example.", 3).await;
    assert!(moved.elapsed() < settle, "{:?}", moved.elapsed());
}

#[tokio::test]
async fn where_only_a_reload_deploys_nothing_else_does() {
    let mut pop = Pop::new();
    pop.write("zones/a.example.zone", &zone_text(1, 3));
    pop.write("zones/b.example.zone", &zone_text(5, 3));
    let settings = Settings { deploy: Deploy::Reload, rescan: Duration::from_secs(1), ..pop.settings() };
    pop.start_with(settings).await;
    replace(&pop.path("zones/a.example.zone"), &zone_text(2, 3));
    replace(&pop.path("zones/b.example.zone"), &zone_text(4, 3));
    // Longer than a rescan, and than any wait for a change.
    let unchanged = || pop.served("a.example.") == Some((1, 1));
    holds_meanwhile("nothing is deployed without a reload", Duration::from_millis(1500), unchanged).await;
    pop.handle().reload().await;
    assert_eq!((pop.served("a.example."), pop.served("b.example.")), (Some((2, 2)), Some((5, 5))));
    // An order about one zone deploys no other.
    replace(&pop.path("zones/a.example.zone"), &zone_text(3, 3));
    pop.handle().accept(&name("b.example."), Serial(4)).await.unwrap();
    assert_eq!((pop.served("a.example."), pop.served("b.example.")), (Some((2, 2)), Some((4, 4))));
    pop.handle().reload().await;
    assert_eq!(pop.served("a.example."), Some((3, 3)));
}
