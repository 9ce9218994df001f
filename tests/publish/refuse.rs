//! Versions that may not replace what is served, and the ways around.

use std::fs;
use std::sync::Arc;

use anyns::publish::{
    AcceptError, Fault, Refused, RemoveError, Report, SerialRule, Settings, SingleZone, ZoneState, check,
};
use anyns::wire::Serial;

use crate::support::{Pop, name, replace, versioned, zone_text};

const ZONE: &str = "zones/a.example.zone";

#[tokio::test]
async fn other_content_under_the_same_serial() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    replace(&pop.path(ZONE), &versioned(5, 6, 3));
    let report = pop.wait_fault("a.example.", "still 5").await;
    assert_eq!((report.state, report.refused_serial), (ZoneState::Kept, Some(Serial(5))));
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    // The same content again is nothing new, and heals.
    replace(&pop.path(ZONE), &zone_text(5, 3));
    pop.wait_serial("a.example.", 5).await;
    assert_eq!(pop.report().zones[&name("a.example.")].refused_serial, None);
}

#[tokio::test]
async fn bump_serves_the_next_serial_and_remembers_it() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    let bump = |pop: &Pop| {
        let zone =
            SingleZone { name: name("a.example."), file: None, serial: Some(SerialRule::Bump), dnssec: None };
        Settings { zones: [zone].into(), ..pop.settings() }
    };
    let settings = bump(&pop);
    pop.start_with(settings.clone()).await;
    replace(&pop.path(ZONE), &versioned(5, 6, 3));
    pop.wait_serial("a.example.", 6).await;
    assert_eq!(pop.served("a.example."), Some((6, 6)));
    replace(&pop.path(ZONE), &versioned(5, 7, 3));
    pop.wait_serial("a.example.", 7).await;
    // A restart neither bumps again nor goes back.
    pop.stop().await;
    pop.published = Default::default();
    pop.start_with(settings.clone()).await;
    assert_eq!(pop.served("a.example."), Some((7, 7)));
    // Changed while the process was away.
    pop.stop().await;
    replace(&pop.path(ZONE), &versioned(5, 8, 3));
    pop.start_with(settings).await;
    assert_eq!(pop.served("a.example."), Some((8, 8)));
}

#[tokio::test]
async fn a_serial_that_went_back_passes_only_by_force_and_only_that_version() {
    let mut pop = Pop::new();
    let zone = name("a.example.");
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    assert!(matches!(pop.handle().accept(&zone, Serial(4)).await, Err(AcceptError::NothingRefused { .. })));
    replace(&pop.path(ZONE), &zone_text(4, 3));
    pop.wait_fault("a.example.", "does not come after the served 5").await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    let other = pop.handle().accept(&zone, Serial(3)).await;
    assert!(matches!(other, Err(AcceptError::OtherSerial { refused: Serial(4), .. })), "{other:?}");
    pop.handle().accept(&zone, Serial(4)).await.unwrap();
    assert_eq!(pop.served("a.example."), Some((4, 4)));
    pop.wait_serial("a.example.", 4).await;
    // Force is not a habit: the next one is judged again.
    replace(&pop.path(ZONE), &zone_text(3, 3));
    pop.wait_fault("a.example.", "does not come after the served 4").await;
    // It survives a restart.
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((4, 4)));
}

#[tokio::test]
async fn force_does_not_pass_another_version_with_the_same_serial() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    // Nothing is heard, so that the file changes unnoticed between refusal and command.
    pop.start().await;
    replace(&pop.path(ZONE), &versioned(4, 4, 3));
    pop.wait_fault("a.example.", "does not come after").await;
    replace(&pop.path(ZONE), &versioned(4, 44, 3));
    let outcome = pop.handle().accept(&name("a.example."), Serial(4)).await;
    // Whether the change was noticed before the command or by it: what was refused first must not be mixed up.
    match outcome {
        Err(AcceptError::StillRefused { fault }) => {
            assert!(matches!(*fault, Fault::Refused { refused: Refused::WentBack { .. }, .. }));
            assert_eq!(pop.served("a.example."), Some((5, 5)));
        }
        Ok(_) => assert_eq!(pop.served("a.example."), Some((4, 44))),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_zone_that_shrank() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 300));
    pop.start().await;
    replace(&pop.path(ZONE), &zone_text(6, 100));
    pop.wait_fault("a.example.", "shrank from 302 to 102").await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    pop.handle().accept(&name("a.example."), Serial(6)).await.unwrap();
    assert_eq!(pop.served("a.example."), Some((6, 6)));
}

#[tokio::test]
async fn a_file_that_vanished_keeps_its_zone_until_it_is_removed() {
    let mut pop = Pop::new();
    let zone = name("a.example.");
    pop.write(ZONE, &zone_text(5, 3));
    pop.write("zones/b.example.zone", &zone_text(1, 3));
    pop.start().await;
    assert!(matches!(pop.handle().remove(&zone).await, Err(RemoveError::FilePresent { .. })));
    fs::remove_file(pop.path(ZONE)).unwrap();
    let report = pop.wait_fault("a.example.", "is gone").await;
    assert_eq!(report.state, ZoneState::Kept);
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    // Across a restart too.
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    pop.wait_fault("a.example.", "is gone").await;
    pop.handle().remove(&zone).await.unwrap();
    assert_eq!(pop.served("a.example."), None);
    assert!(!pop.report().zones.contains_key(&zone));
    assert!(matches!(pop.handle().remove(&zone).await, Err(RemoveError::NoSuchZone { .. })));
    pop.restart().await;
    assert_eq!(pop.served("a.example."), None);
    assert_eq!(pop.served("b.example."), Some((1, 1)));
}

#[tokio::test]
async fn a_directory_that_cannot_be_found_removes_nothing() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    fs::rename(pop.path("zones"), pop.path("unmounted")).unwrap();
    pop.wait(|report| {
        report.faults.iter().any(|fault| fault.to_string().contains("cannot read the directory"))
    })
    .await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    fs::rename(pop.path("unmounted"), pop.path("zones")).unwrap();
    pop.wait(|report| report.faults.is_empty()).await;
    pop.wait_serial("a.example.", 5).await;
}

#[tokio::test]
async fn a_missing_directory_is_one_fault_and_none_of_its_zones() {
    let mut pop = Pop::new();
    fs::create_dir(pop.path("named")).unwrap();
    let (mut settings, mut named) = (pop.settings(), Vec::new());
    for zone in 0..20 {
        pop.write(&format!("zones/z{zone}.example.zone"), &zone_text(1, 3));
        pop.write(&format!("named/n{zone}"), &zone_text(1, 3));
        let name = name(&format!("n{zone}.example."));
        let file = Some(pop.path(&format!("named/n{zone}")).into());
        named.push(SingleZone { name, file, serial: None, dnssec: None });
    }
    settings.zones = named.into();
    pop.start_with(settings.clone()).await;
    assert_eq!(pop.report().served(), 40);
    let before = pop.report().zones[&name("z1.example.")].since;
    fs::rename(pop.path("zones"), pop.path("away")).unwrap();
    fs::rename(pop.path("named"), pop.path("named-away")).unwrap();
    let once = |report: &Report| {
        report.faults.len() == 2
            && report.zones.values().all(|zone| zone.state == ZoneState::Serving && zone.faults.is_empty())
    };
    pop.wait(once).await;
    assert_eq!(pop.report().zones[&name("z1.example.")].since, before, "it stands as it did");
    // The same after a start without them: the zones come from the state directory.
    pop.wait_kept().await;
    pop.stop().await;
    pop.published = Default::default();
    pop.start_with(settings).await;
    assert!(once(&pop.report()) && pop.report().served() == 40, "{:#?}", pop.report());
    // One file that vanished from a directory that can be read is a fault of its zone.
    fs::remove_file(pop.path("away/z1.example.zone")).unwrap();
    fs::rename(pop.path("away"), pop.path("zones")).unwrap();
    let report = pop.wait_fault("z1.example.", "is gone").await;
    assert_eq!(report.state, ZoneState::Kept);
    assert!(report.faults[0].to_string().ends_with("anyns zone remove z1.example."), "{}", report.faults[0]);
    pop.wait(|report| report.faults.len() == 1).await;
}

#[tokio::test]
async fn a_zone_with_many_faults_has_one_line_and_its_state_a_beginning() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    let serving = pop.report().zones[&name("a.example.")].since;
    replace(&pop.path(ZONE), &(zone_text(6, 3) + &"x 60 IN A 300.0.0.1\n".repeat(200)));
    let bad = pop.wait_fault("a.example.", "zone:6:11").await;
    let text = bad.faults[0].to_string();
    assert!(text.ends_with("; and 99 more faults, where reading stopped"), "{text}");
    assert!(!text.contains('\n') && text.len() < 500, "{text}");
    assert!(bad.since > serving);
    // Other faults are the same state.
    replace(&pop.path(ZONE), &zone_text(4, 3));
    let refused = pop.wait_fault("a.example.", "does not come after").await;
    assert_eq!(refused.since, bad.since);
    let text = refused.faults[0].to_string();
    assert!(text.ends_with("anyns zone accept a.example. 4"), "{text}");
    replace(&pop.path(ZONE), &zone_text(7, 3));
    pop.wait_serial("a.example.", 7).await;
    assert!(pop.report().zones[&name("a.example.")].since > bad.since);
}

#[tokio::test]
async fn leaving_the_config_removes_a_zone_but_not_while_a_directory_is_unreadable() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.write("b", &zone_text(1, 3));
    let mut settings = pop.settings();
    let file = Some(pop.path("b").into());
    settings.zones = [SingleZone { name: name("b.example."), file, serial: None, dnssec: None }].into();
    pop.start_with(settings.clone()).await;
    assert_eq!(pop.served("b.example."), Some((1, 1)));
    settings.zones = Arc::new([]);
    settings.directories.push(pop.path("missing"));
    pop.handle().reconfigure(settings.clone()).await.unwrap();
    assert_eq!(pop.served("b.example."), Some((1, 1)));
    settings.directories.pop();
    pop.handle().reconfigure(settings.clone()).await.unwrap();
    assert_eq!(pop.served("b.example."), None);
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    settings.state_directory = None;
    pop.handle().reconfigure(settings).await.unwrap_err();
}

#[tokio::test]
async fn check_says_the_same_without_serving() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    assert!(check(pop.settings()).unwrap().is_clean());
    pop.stop().await;
    pop.write(ZONE, &zone_text(4, 3));
    pop.write("zones/b.example.zone", "nonsense\n");
    pop.write("zones/c.example.zone", &zone_text(9, 3));
    let report = check(pop.settings()).unwrap();
    let said = |zone: &str| report.zones[&name(zone)].result.as_ref().map_err(ToString::to_string);
    assert!(said("a.example.").unwrap_err().contains("does not come after"));
    assert!(said("b.example.").unwrap_err().contains("b.example.zone:1:"));
    assert_eq!(said("c.example."), Ok(&(Serial(9), 5)));
}

#[tokio::test]
async fn a_file_that_several_zones_share_is_read_for_all_of_them_when_it_changes() {
    let mut pop = Pop::new();
    pop.write("parked", &zone_text(1, 3));
    let zones = ["b.example.", "c.example.", "d.example."];
    let mut settings = pop.settings();
    let single = |zone: &&str| {
        let file = Some(pop.path("parked").into());
        SingleZone { name: name(zone), file, serial: None, dnssec: None }
    };
    settings.zones = zones.iter().map(single).collect();
    // Only what is heard leads to a look.
    settings.rescan = Settings::LONGEST_RESCAN;
    pop.start_with(settings).await;
    replace(&pop.path("parked"), &zone_text(2, 3));
    for zone in zones {
        pop.wait_serial(zone, 2).await;
    }
}
