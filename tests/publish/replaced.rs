//! The state directory is emptied, moved away, or replaced under a running publisher: what is served is kept anew, and it is said.

use std::fs;

use anyns::publish::{KeptRelease, KeptReleases, SourceFault};
use anyns::wire::Serial;

use crate::difference::apply;
use crate::support::{Pop, name, zone_text};

const ZONE: &str = "zones/a.example.zone";

fn is_replaced(fault: &SourceFault) -> bool {
    matches!(fault, SourceFault::StateReplaced { .. })
}

async fn with_difference() -> Pop {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    pop.wait_kept().await;
    apply(&pop, 5, 6, 3).await;
    pop
}

/// What was applied last is served by the next process, and the fault is told once.
async fn survives(mut pop: Pop, serial: u32) {
    pop.wait(|report| report.faults.iter().any(is_replaced)).await;
    pop.wait(|report| report.zones[&name("a.example.")].durable).await;
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((serial, serial)));
    assert!(pop.report().faults.is_empty(), "{:?}", pop.report().faults);
    pop.stop().await;
}

#[tokio::test]
async fn a_difference_after_the_directory_was_emptied_is_durable() {
    let pop = with_difference().await;
    fs::remove_dir_all(pop.path("state")).unwrap();
    fs::create_dir(pop.path("state")).unwrap();
    apply(&pop, 6, 7, 3).await;
    survives(pop, 7).await;
}

#[tokio::test]
async fn a_look_finds_that_the_directory_is_gone() {
    let pop = with_difference().await;
    fs::remove_dir_all(pop.path("state")).unwrap();
    pop.handle().reload().await;
    survives(pop, 6).await;
}

#[tokio::test]
async fn an_older_directory_in_its_place_gets_what_is_served() {
    let pop = with_difference().await;
    let (state, other) = (pop.path("state"), pop.path("other"));
    fs::create_dir(&other).unwrap();
    fs::copy(state.join("zones.redb"), other.join("zones.redb")).unwrap();
    apply(&pop, 6, 7, 3).await;
    fs::rename(&state, pop.path("moved")).unwrap();
    fs::rename(&other, &state).unwrap();
    apply(&pop, 7, 8, 3).await;
    survives(pop, 8).await;
}

#[tokio::test]
async fn what_all_secondaries_may_have_is_kept_anew() {
    let mut pop = with_difference().await;
    let release = |serial| KeptRelease { is_halted: true, ..KeptRelease::running(Serial(serial)) };
    let zones = || ["a.example.", "b.example.", "c.example."].map(name);
    let [a, b, c] = zones();
    let told = vec![(a, Some(release(5))), (b, Some(release(3)))];
    assert!(pop.handle().keep_releases(told).await.unwrap());
    // One is from the process before, which this one was not told of again.
    pop.restart().await;
    let [a, b, _] = zones();
    assert!(pop.handle().keep_releases(vec![(b, None), (c, Some(release(9)))]).await.unwrap());
    fs::remove_dir_all(pop.path("state")).unwrap();
    pop.handle().reload().await;
    pop.wait(|report| report.faults.iter().any(is_replaced)).await;
    pop.wait(|report| report.zones[&a].durable).await;
    pop.restart().await;
    let kept = pop.kept_releases();
    let [a, _, c] = zones();
    let expected = KeptReleases { zones: [(a, release(5)), (c, release(9))].into(), missing: None };
    assert_eq!(kept, expected);
    pop.stop().await;
}

#[tokio::test]
async fn another_process_in_the_new_directory_keeps_it() {
    let mut first = with_difference().await;
    fs::rename(first.path("state"), first.path("moved")).unwrap();
    let mut second = Pop::new();
    second.write(ZONE, &zone_text(1, 3));
    let settings =
        anyns::publish::Settings { state_directory: Some(first.path("state")), ..second.settings() };
    second.start_with(settings).await;
    second.wait_kept().await;
    let step = crate::difference::step(6, 7, 3);
    let refused = first.handle().apply(&name("a.example."), vec![step]).await.unwrap_err().to_string();
    assert!(refused.contains("another"), "{refused}");
    assert_eq!(first.served("a.example."), Some((6, 6)));
    second.stop().await;
    apply(&first, 6, 7, 3).await;
    first.stop().await;
}
