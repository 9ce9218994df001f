//! Zone files that are away: one that is gone is told as gone, one of which nothing is known is not, and no zone goes with them.

use std::fs;

use anyns::publish::{FilePresence, Force, MemberChanges, Report};
use anyns::wire::Serial;

use crate::received::{listed, primary, zone};
use crate::support::{Pop, name, replace, zone_text};

/// Where the file of a zone is, in a word.
fn file(report: &Report, zone: &str) -> &'static str {
    match report.zones.get(&name(zone)).map(|zone| zone.file) {
        None => "no zone",
        Some(FilePresence::None) => "none",
        Some(FilePresence::There) => "there",
        Some(FilePresence::Unused) => "unused",
        Some(FilePresence::Gone(_)) => "gone",
        Some(FilePresence::Unknown) => "unknown",
    }
}

async fn wait_file(pop: &Pop, zone: &str, wanted: &str) {
    pop.wait(|report| file(report, zone) == wanted).await;
    assert_eq!(pop.served(zone), Some((5, 5)), "{zone} is served in any case");
}

/// Three zones, one of them in a folder.
async fn pop() -> Pop {
    let mut pop = Pop::new();
    fs::create_dir(pop.path("zones/sub")).unwrap();
    for place in ["a.example.zone", "b.example.zone", "sub/c.example.zone"] {
        pop.write(&format!("zones/{place}"), &zone_text(5, 3));
    }
    pop.start().await;
    for zone in ["a.example.", "b.example.", "c.example."] {
        wait_file(&pop, zone, "there").await;
    }
    pop.wait_kept().await;
    pop
}

fn moved(pop: &Pop, from: &str, to: &str) {
    fs::rename(pop.path(from), pop.path(to)).unwrap();
}

#[tokio::test]
async fn a_file_is_gone_only_where_its_directory_tells_so() {
    let pop = pop().await;
    moved(&pop, "zones/a.example.zone", "a");
    wait_file(&pop, "a.example.", "gone").await;
    assert_eq!(file(&pop.report(), "b.example."), "there");
    moved(&pop, "a", "zones/a.example.zone");
    wait_file(&pop, "a.example.", "there").await;
    // A folder that has gone itself tells nothing, and nor does the whole directory.
    moved(&pop, "zones/sub", "sub");
    wait_file(&pop, "c.example.", "unknown").await;
    moved(&pop, "sub", "zones/sub");
    wait_file(&pop, "c.example.", "there").await;
    moved(&pop, "zones", "away");
    for zone in ["a.example.", "b.example.", "c.example."] {
        wait_file(&pop, zone, "unknown").await;
    }
    moved(&pop, "away", "zones");
    for zone in ["a.example.", "b.example.", "c.example."] {
        wait_file(&pop, zone, "there").await;
    }
    // The last ones of a directory may go.
    for (at, place) in ["a.example.zone", "b.example.zone", "sub/c.example.zone"].iter().enumerate() {
        moved(&pop, &format!("zones/{place}"), &format!("file{at}"));
    }
    for zone in ["a.example.", "b.example.", "c.example."] {
        wait_file(&pop, zone, "gone").await;
    }
}

#[tokio::test]
async fn a_file_that_is_missing_at_a_start_is_gone_from_then_on_and_an_empty_directory_tells_nothing() {
    let mut pop = pop().await;
    pop.stop().await;
    pop.published = Default::default();
    moved(&pop, "zones/a.example.zone", "a");
    pop.start().await;
    wait_file(&pop, "a.example.", "gone").await;
    wait_file(&pop, "b.example.", "there").await;
    pop.stop().await;
    pop.published = Default::default();
    // The place of a mount that is not there yet.
    moved(&pop, "zones", "data");
    fs::create_dir(pop.path("zones")).unwrap();
    pop.start().await;
    for zone in ["a.example.", "b.example.", "c.example."] {
        wait_file(&pop, zone, "unknown").await;
    }
    // One file in it, and the others are looked for.
    replace(&pop.path("zones/b.example.zone"), &zone_text(5, 3));
    wait_file(&pop, "b.example.", "there").await;
    wait_file(&pop, "a.example.", "gone").await;
    wait_file(&pop, "c.example.", "unknown").await;
}

/// The orders of the catalog come late: its zone was left to a file that was there and is not any more.
#[tokio::test]
async fn a_member_that_is_left_to_a_file_stays_in_service_while_that_is_away() {
    let (origin, mut pop) = (name("a.example."), Pop::new());
    pop.write("zones/b.example.zone", &zone_text(5, 3));
    pop.start().await;
    let set = MemberChanges { set: vec![(origin.clone(), listed())], ..MemberChanges::default() };
    assert!(pop.handle().change_members(set.clone()).await);
    pop.handle().offer(zone(7, false), primary(), Force::No).await.unwrap();
    let serial = |pop: &Pop| pop.published.load().zone(&origin).map(|zone| zone.serial().0);
    // Nothing of this file is served.
    let path = pop.path("zones/a.example.zone");
    replace(&path, "no zone\n");
    pop.wait(|report| file(report, "a.example.") == "unused").await;
    pop.wait_fault("a.example.", "a.example.zone").await;
    pop.handle().offer(zone(8, false), primary(), Force::No).await.unwrap();
    // It is told still.
    pop.wait(|report| {
        let zone = &report.zones[&origin];
        zone.serial == Some(Serial(8)) && !zone.faults.is_empty() && zone.file == FilePresence::Unused
    })
    .await;
    fs::remove_file(&path).unwrap();
    pop.wait(|report| file(report, "a.example.") == "gone").await;
    let left = MemberChanges { to_files: vec![origin.clone()], ..MemberChanges::default() };
    assert!(pop.handle().change_members(left).await);
    pop.wait_fault("a.example.", "is gone; the zone stays in service").await;
    assert_eq!((serial(&pop), file(&pop.report(), "a.example.")), (Some(8), "gone"));
    pop.handle().reload().await;
    assert_eq!(serial(&pop), Some(8));
    // It is the catalog's again.
    assert!(pop.handle().change_members(set).await);
    pop.wait(|report| file(report, "a.example.") == "none" && report.faulty() == 0).await;
    assert_eq!(serial(&pop), Some(8));
}
