//! A state directory that answers too late: what was called not durable is not there afterwards, and the history has no gap.

use std::collections::BTreeSet;

use anyns::publish::{ApplyError, Settings};
use anyns::wire::Serial;

use crate::difference::{apply, step};
use crate::fuse::Fuse;
use crate::skip::skip;
use crate::support::{Pop, name, zone_text};

/// The serials of the versions that the history leads to.
fn history(pop: &Pop) -> Vec<(u32, u32)> {
    let kept = pop.handle().history().steps(&name("a.example.")).unwrap().unwrap();
    kept.steps.iter().map(|step| (step.from.0, step.to.0)).collect()
}

/// A difference from serial 2 that the disk keeps too late.
async fn fail_late(pop: &Pop, disk: &Fuse) {
    disk.stop();
    let failed = pop.handle().apply(&name("a.example."), vec![step(2, 3, 3)]).await;
    assert!(matches!(failed, Err(ApplyError::NotDurable { .. })), "{failed:?}");
    disk.go_on();
}

#[tokio::test]
async fn a_difference_that_is_kept_too_late_is_taken_out_again() {
    let mut pop = Pop::new();
    let Some(disk) = Fuse::mount(&pop.path("disk"), &pop.path("state")) else {
        return skip("a state directory that answers too late", "there is no FUSE here");
    };
    pop.write("zones/a.example.zone", &zone_text(1, 3));
    pop.start().await;
    pop.wait_kept().await;
    apply(&pop, 1, 2, 3).await;
    fail_late(&pop, &disk).await;
    assert_eq!(pop.served("a.example."), Some((2, 2)));
    // Another version under a later serial: it goes on from what is served, not from what was called not durable.
    apply(&pop, 2, 5, 3).await;
    assert_eq!(history(&pop), [(1, 2), (2, 5)]);
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    assert_eq!(history(&pop), [(1, 2), (2, 5)]);
    pop.stop().await;
}

/// The process ends right after: a start finds the version that was served.
#[tokio::test]
async fn a_start_after_it_serves_what_was_acknowledged() {
    let mut pop = Pop::new();
    let Some(disk) = Fuse::mount(&pop.path("disk"), &pop.path("state")) else {
        return skip("a start after a state directory answered too late", "there is no FUSE here");
    };
    pop.write("zones/a.example.zone", &zone_text(1, 3));
    let settings = Settings { databases: BTreeSet::from([name("a.example.")]), ..pop.settings() };
    pop.start_with(settings.clone()).await;
    pop.wait_kept().await;
    apply(&pop, 1, 2, 3).await;
    fail_late(&pop, &disk).await;
    // A clean end: the state writer has written, and taken out again, what it was at.
    pop.stop().await;
    pop.published = Default::default();
    pop.start_with(settings).await;
    assert_eq!(pop.published.load().zone(&name("a.example.")).map(|zone| zone.serial()), Some(Serial(2)));
    pop.stop().await;
}
