//! Whether a zone is another one than the one that had its name before, or the same that was away: what others know of the one says nothing of
//! the other.

use std::fs;

use anyns::publish::{KeptMember, MemberChanges, Settings};

use crate::support::{Pop, name, zone_text};

const FILE: &str = "zones/a.example.zone";

/// As a catalog lists it.
fn listed(label: &str) -> KeptMember {
    let (label, catalog) = (label.as_bytes().into(), name("catalog.example."));
    KeptMember { catalog, label, new_owner: None, groups: Vec::new(), kept_until: None, waits_since: None }
}

/// With a state directory and without one.
fn pops() -> [(Pop, Settings); 2] {
    [true, false].map(|keeps| {
        let pop = Pop::new();
        let settings = pop.settings();
        let state_directory = settings.state_directory.clone().filter(|_| keeps);
        (pop, Settings { state_directory, ..settings })
    })
}

#[tokio::test]
async fn a_member_with_another_label_is_another_zone_and_one_that_comes_back_is_the_same() {
    let zone = name("a.example.");
    for (mut pop, settings) in pops() {
        let keeps = settings.state_directory.is_some();
        pop.start_with(settings).await;
        let mut number = 0;
        // What the catalog says, and whether the zone is another one then.
        for (set, reset, expected) in [
            (Some("one"), None, Some(false)),
            (None, None, None),
            (Some("one"), None, Some(false)),
            (None, Some("two"), Some(true)),
            (None, None, None),
            (Some("two"), None, Some(false)),
            (None, None, None),
            (Some("one"), None, Some(true)),
        ] {
            let of =
                |label: Option<&str>| label.map(|label| (zone.clone(), listed(label))).into_iter().collect();
            let is_removed = set.is_none() && reset.is_none();
            let removed = is_removed.then(|| (zone.clone(), u64::from(u32::MAX))).into_iter().collect();
            let changes =
                MemberChanges { set: of(set), reset: of(reset), removed, ..MemberChanges::default() };
            assert!(pop.handle().change_members(changes).await);
            let report = pop
                .wait(|report| match report.zones.get(&zone) {
                    Some(found) => expected.is_some() && found.number > number,
                    None => expected.is_none(),
                })
                .await;
            let found = report.zones.get(&zone);
            number = found.map_or(number, |found| found.number);
            let is_another = found.map(|found| found.is_another);
            assert_eq!(is_another, expected, "set {set:?}, reset {reset:?}, a state directory: {keeps}");
        }
        pop.stop().await;
    }
}

#[tokio::test]
async fn a_zone_of_the_name_of_a_removed_one_is_another_and_one_that_comes_back_is_the_same() {
    let zone = name("a.example.");
    for (mut pop, settings) in pops() {
        let elsewhere = Settings { directories: vec![pop.path("other")], ..settings.clone() };
        fs::create_dir(pop.path("other")).unwrap();
        pop.write(FILE, &zone_text(5, 3));
        pop.start_with(settings.clone()).await;
        pop.wait_kept().await;
        assert!(!pop.report().zones[&zone].is_another);
        let leave = async |pop: &Pop| {
            pop.handle().reconfigure(elsewhere.clone()).await.unwrap();
            pop.wait(|report| !report.zones.contains_key(&zone)).await;
            pop.handle().reconfigure(settings.clone()).await.unwrap();
            pop.wait_serial("a.example.", 5).await;
            pop.report().zones[&zone].is_another
        };
        assert!(!leave(&pop).await);
        fs::remove_file(pop.path(FILE)).unwrap();
        pop.wait_fault("a.example.", "is gone").await;
        pop.handle().remove(&zone).await.unwrap();
        pop.write(FILE, &zone_text(5, 4));
        pop.wait_serial("a.example.", 5).await;
        assert!(pop.report().zones[&zone].is_another);
        // It is the one that had the name last.
        assert!(!leave(&pop).await);
        pop.stop().await;
    }
}
