//! What is kept is damaged, cannot be read, or belongs to a zone that left the configuration: nothing goes back by itself.

use std::collections::BTreeSet;
use std::fs;

use anyns::publish::{Fault, MissingReleases, Refused, SerialRule, Settings, SourceFault, ZoneState};
use anyns::wire::Serial;

use crate::difference::{apply, step};
use crate::skip::skip;
use crate::support::{Pop, name, one, replace, versioned, zone_text};

const ZONE: &str = "zones/a.example.zone";
const STATE: &str = "state/zones.redb";

/// With `a.example.` as a zone that takes updates; its file is the seed.
fn of_updates(pop: &Pop) -> Settings {
    Settings { databases: BTreeSet::from([name("a.example.")]), ..pop.settings() }
}

/// With serials that are made here.
fn of_bump(pop: &Pop) -> Settings {
    Settings { serial: SerialRule::Bump, ..pop.settings() }
}

/// A zone whose serial 6 was made here; its file has 5.
async fn raised() -> (Pop, Settings) {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    let settings = of_bump(&pop);
    pop.start_with(settings.clone()).await;
    replace(&pop.path(ZONE), &versioned(5, 6, 3));
    pop.wait_serial("a.example.", 6).await;
    (pop, settings)
}

/// The octets of the zone `a.example.` in the database are others.
fn damage_zone(pop: &Pop) {
    let mut octets = fs::read(pop.path(STATE)).unwrap();
    let part = b"\x02h1\x01a\x07example";
    let places: Vec<usize> =
        octets.windows(part.len()).enumerate().filter(|it| it.1 == part).map(|it| it.0).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| octets[at + 1] ^= 1);
    fs::write(pop.path(STATE), octets).unwrap();
}

fn damage_all(pop: &Pop) {
    let length = fs::read(pop.path(STATE)).unwrap().len();
    fs::write(pop.path(STATE), vec![7; length]).unwrap();
}

async fn start_again(pop: &mut Pop, settings: &Settings) {
    pop.published = Default::default();
    pop.start_with(settings.clone()).await;
}

#[tokio::test]
async fn a_zone_whose_updates_are_damaged_does_not_go_back_to_its_seed() {
    for damage in [damage_zone, damage_all] {
        let mut pop = Pop::new();
        pop.write(ZONE, &zone_text(5, 3));
        let settings = of_updates(&pop);
        pop.start_with(settings.clone()).await;
        pop.wait_kept().await;
        apply(&pop, 5, 7, 3).await;
        pop.stop().await;
        damage(&pop);
        // Not with the next start either, which finds nothing damaged, nor after the host stopped while the new database was put in its place.
        for is_half_put_in_place in [false, false, true] {
            if is_half_put_in_place {
                fs::rename(pop.path(STATE), pop.path(&format!("{STATE}.new"))).unwrap();
            }
            start_again(&mut pop, &settings).await;
            let report = pop.wait_fault("a.example.", "what was kept of the zone").await;
            assert!(
                matches!(report.faults.as_slice(), [Fault::Refused { refused: Refused::StateLost, .. }]),
                "{report:?}"
            );
            assert_eq!((pop.served("a.example."), report.state), (None, ZoneState::Refused));
            assert!(pop.absence("a.example.").is_some(), "SERVFAIL");
            assert!(pop.handle().apply(&name("a.example."), vec![step(5, 6, 3)]).await.is_err());
            pop.stop().await;
        }
        // The configuration without it, and with it again, is no way around.
        let without = Settings { directories: Vec::new(), ..pop.settings() };
        start_again(&mut pop, &without).await;
        pop.handle().reconfigure(settings.clone()).await.unwrap();
        pop.wait_fault("a.example.", "what was kept of the zone").await;
        // An order lets the seed pass; its serial comes after all that were served.
        let served = pop.handle().accept(&name("a.example."), Serial(5)).await.unwrap();
        assert!(served.is_after(Serial(7)), "{served}");
        assert_eq!(pop.served("a.example."), Some((served.0, 5)));
        pop.stop().await;
        start_again(&mut pop, &settings).await;
        assert_eq!(pop.served("a.example."), Some((served.0, 5)));
        assert!(pop.report().faults.is_empty(), "{:?}", pop.report().faults);
        pop.stop().await;
    }
}

#[tokio::test]
async fn a_raised_serial_does_not_go_back_when_what_is_kept_is_damaged() {
    let unreadable = |pop: &Pop| {
        fs::remove_file(pop.path(STATE)).unwrap();
        fs::create_dir(pop.path(STATE)).unwrap();
    };
    for damage in [damage_zone, damage_all, unreadable] {
        let (mut pop, settings) = raised().await;
        pop.stop().await;
        damage(&pop);
        start_again(&mut pop, &settings).await;
        // It may wait for a directory that can be read again.
        pop.wait(|report| report.served() == 1).await;
        let (serial, content) = pop.served("a.example.").unwrap();
        assert!(Serial(serial).is_after(Serial(6)), "{serial}");
        assert_eq!(content, 6);
        assert!(!pop.report().faults.is_empty(), "it is said");
        pop.stop().await;
    }
}

#[tokio::test]
async fn a_serial_is_not_raised_because_of_a_directory_that_cannot_be_entered_for_a_moment() {
    let (mut pop, settings) = raised().await;
    pop.wait_kept().await;
    pop.stop().await;
    let aside = pop.path("aside");
    fs::rename(pop.path(STATE), &aside).unwrap();
    fs::create_dir(pop.path(STATE)).unwrap();
    start_again(&mut pop, &settings).await;
    assert_eq!(pop.served("a.example."), None, "{:?}", pop.report());
    assert!(pop.absence("a.example.").is_some());
    fs::remove_dir(pop.path(STATE)).unwrap();
    fs::rename(&aside, pop.path(STATE)).unwrap();
    // By itself.
    pop.wait_serial("a.example.", 6).await;
    pop.wait(|report| report.faults.is_empty()).await;
    pop.stop().await;
}

#[tokio::test]
async fn a_zone_of_updates_waits_for_a_state_directory_that_cannot_be_read() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    let settings = of_updates(&pop);
    pop.start_with(settings.clone()).await;
    pop.wait_kept().await;
    apply(&pop, 5, 7, 3).await;
    pop.stop().await;
    let aside = pop.path("aside");
    fs::rename(pop.path(STATE), &aside).unwrap();
    fs::create_dir(pop.path(STATE)).unwrap();
    start_again(&mut pop, &settings).await;
    let report = pop.report();
    assert_eq!(pop.served("a.example."), None, "{report:?}");
    assert!(matches!(report.zones[&name("a.example.")].faults.as_slice(), [Fault::Unreadable { .. }]));
    let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    assert!(!faults.iter().any(|it| it.contains("set aside")), "nothing was: {faults:?}");
    fs::remove_dir(pop.path(STATE)).unwrap();
    fs::rename(&aside, pop.path(STATE)).unwrap();
    pop.handle().reload().await;
    pop.wait_serial("a.example.", 7).await;
    pop.stop().await;
}

#[tokio::test]
async fn releases_that_are_lost_or_cannot_be_read_are_told_as_missing() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    pop.wait_kept().await;
    assert_eq!(pop.kept_releases().missing, None);
    pop.stop().await;
    damage_all(&pop);
    let settings = pop.settings();
    start_again(&mut pop, &settings).await;
    assert_eq!(pop.kept_releases().missing, Some(MissingReleases::Lost));
    pop.stop().await;
    fs::remove_file(pop.path(STATE)).unwrap();
    fs::create_dir(pop.path(STATE)).unwrap();
    start_again(&mut pop, &settings).await;
    assert_eq!(pop.kept_releases().missing, Some(MissingReleases::Unread));
    pop.stop().await;
}

#[tokio::test]
async fn a_database_that_is_damaged_stays_so_while_there_is_no_room_for_another() {
    let (mut pop, settings) = raised().await;
    pop.stop().await;
    damage_all(&pop);
    // A new one cannot be made, as on a disk that is full.
    let fresh = pop.path("state/zones.redb.new");
    fs::create_dir(&fresh).unwrap();
    let damaged = fs::read(pop.path(STATE)).unwrap();
    for _ in 0..2 {
        start_again(&mut pop, &settings).await;
        pop.wait(|report| report.served() == 1).await;
        assert!(Serial(pop.served("a.example.").unwrap().0).is_after(Serial(6)));
        pop.stop().await;
        assert!(
            fs::read(pop.path(STATE)).unwrap() == damaged && !pop.path("state/zones.redb.damaged").exists()
        );
    }
    // There is room again, and it is still known what became of it, also by the start after that.
    fs::remove_dir(&fresh).unwrap();
    for _ in 0..2 {
        start_again(&mut pop, &settings).await;
        pop.wait(|report| report.served() == 1).await;
        assert!(Serial(pop.served("a.example.").unwrap().0).is_after(Serial(6)));
        assert!(fs::read(pop.path("state/zones.redb.damaged")).unwrap() == damaged);
        pop.stop().await;
    }
}

#[tokio::test]
async fn everything_is_held_while_the_file_of_the_holds_cannot_be_read() {
    let is_all_held = |fault: &SourceFault| matches!(fault, SourceFault::AllHeld { .. });
    for damaged in [&b"c.example. 5 y\nb.example. 5 x\xff\n"[..], b"", b"held-zones 2\nc.example. 5 x\n"] {
        let mut pop = Pop::new();
        let other = "zones/b.example.zone";
        pop.write(ZONE, &zone_text(5, 3));
        pop.write(other, &zone_text(5, 3));
        pop.start().await;
        pop.wait_kept().await;
        pop.stop().await;
        fs::write(pop.path("state/held-zones"), damaged).unwrap();
        replace(&pop.path(other), &zone_text(6, 3));
        // Also with the next start, which finds a whole file.
        for _ in 0..2 {
            pop.published = Default::default();
            pop.start().await;
            assert!(pop.report().faults.iter().any(is_all_held), "{:?}", pop.report().faults);
            pop.wait_fault(
                "b.example.",
                "is held at the version that is served (held-zones could not be read",
            )
            .await;
            assert_eq!(pop.served("b.example."), Some((5, 5)));
            assert_eq!(fs::read(pop.path("state/held-zones.damaged")).unwrap(), damaged);
            pop.stop().await;
        }
        pop.published = Default::default();
        pop.start().await;
        // One goes on; the order of an operator does not end the others.
        pop.handle().hold(one(&name("b.example.")), None).await.unwrap();
        pop.wait_serial("b.example.", 6).await;
        assert!(pop.report().faults.iter().any(is_all_held));
        replace(&pop.path(ZONE), &zone_text(6, 3));
        pop.wait_fault("a.example.", "anyns zone accept").await;
        pop.handle().hold(one(&name("a.example.")), None).await.unwrap();
        pop.wait_serial("a.example.", 6).await;
        pop.wait(|report| report.faults.is_empty()).await;
        pop.restart().await;
        assert!(pop.report().faults.is_empty(), "{:?}", pop.report().faults);
        pop.stop().await;
    }
}

#[tokio::test]
async fn an_order_under_bump_does_not_bring_an_earlier_serial_back() {
    let mut pop = Pop::new();
    let zone = name("a.example.");
    pop.write(ZONE, &zone_text(5, 300));
    let settings = of_bump(&pop);
    pop.start_with(settings.clone()).await;
    for content in 6..8 {
        replace(&pop.path(ZONE), &versioned(5, content, 300));
        pop.wait_serial("a.example.", content).await;
    }
    replace(&pop.path(ZONE), &versioned(5, 8, 3));
    pop.wait_fault("a.example.", "shrank").await;
    assert_eq!(pop.handle().accept(&zone, Serial(5)).await.unwrap(), Serial(8));
    assert_eq!(pop.served("a.example."), Some((8, 8)));
    // The same for one that is held.
    pop.handle().hold(one(&zone), Some("why".to_owned())).await.unwrap();
    replace(&pop.path(ZONE), &versioned(5, 9, 3));
    pop.wait_fault("a.example.", "is held at the version that is served (why)").await;
    assert_eq!(pop.handle().accept(&zone, Serial(5)).await.unwrap(), Serial(9));
    pop.handle().hold(one(&zone), None).await.unwrap();
    replace(&pop.path(ZONE), &versioned(5, 10, 3));
    pop.wait_serial("a.example.", 10).await;
    pop.stop().await;
    start_again(&mut pop, &settings).await;
    assert_eq!(pop.served("a.example."), Some((10, 10)));
    pop.stop().await;
}

#[tokio::test]
async fn a_reload_without_a_zone_of_updates_costs_nothing_of_it() {
    let mut pop = Pop::new();
    pop.write("seed", &zone_text(5, 3));
    let zones = vec![anyns::publish::SingleZone {
        name: name("a.example."),
        file: Some(pop.path("seed").as_path().into()),
        serial: None,
        dnssec: None,
    }];
    let with = Settings { zones: zones.into(), ..of_updates(&pop) };
    let without = Settings { databases: BTreeSet::new(), ..pop.settings() };
    pop.start_with(with.clone()).await;
    pop.wait_kept().await;
    apply(&pop, 5, 7, 3).await;
    pop.handle().reconfigure(without.clone()).await.unwrap();
    assert_eq!((pop.served("a.example."), pop.report().zones.size()), (None, 0));
    pop.handle().reconfigure(with.clone()).await.unwrap();
    pop.wait_serial("a.example.", 7).await;
    apply(&pop, 7, 8, 3).await;
    // A restart without it is the same, also two of them.
    pop.stop().await;
    for _ in 0..2 {
        start_again(&mut pop, &without).await;
        assert_eq!((pop.served("a.example."), pop.report().zones.size()), (None, 0));
        pop.stop().await;
    }
    start_again(&mut pop, &with).await;
    assert_eq!(pop.served("a.example."), Some((8, 8)));
    pop.stop().await;
}

#[tokio::test]
async fn a_directory_that_is_mistyped_for_one_reload_costs_no_serial() {
    let mut pop = Pop::new();
    fs::create_dir(pop.path("empty")).unwrap();
    pop.write(ZONE, &zone_text(5, 3));
    let settings = of_bump(&pop);
    pop.start_with(settings.clone()).await;
    replace(&pop.path(ZONE), &versioned(5, 6, 3));
    pop.wait_serial("a.example.", 6).await;
    let mistyped = Settings { directories: vec![pop.path("empty")], ..settings.clone() };
    pop.handle().reconfigure(mistyped).await.unwrap();
    assert_eq!(pop.served("a.example."), None);
    pop.handle().reconfigure(settings).await.unwrap();
    assert_eq!(pop.served("a.example."), Some((6, 6)));
    // What goes back is refused, as if the zone had never left.
    replace(&pop.path(ZONE), &zone_text(4, 3));
    pop.wait_fault("a.example.", "does not come after").await;
    pop.stop().await;
}

/// A file system that is full refuses every change, and the zone says so until one could be kept.
#[tokio::test]
async fn a_disk_that_is_full_is_a_fault_of_the_zone_until_a_write_succeeds() {
    let mut pop = Pop::new();
    fs::create_dir(pop.path("state")).unwrap();
    let Some(_disk) = crate::restart::SmallDisk::mount(&pop.path("state")) else {
        return skip("a full disk", "this user cannot mount");
    };
    pop.write(ZONE, &zone_text(5, 3));
    pop.start_with(of_updates(&pop)).await;
    pop.wait_kept().await;
    let filler = pop.path("state/filler");
    crate::restart::fill(&filler);
    // A small difference may still fit into the file.
    let mut serial = 5;
    while pop.handle().apply(&name("a.example."), vec![step(serial, serial + 1, 3)]).await.is_ok() {
        serial += 1;
    }
    let is_told = |fault: &Fault| matches!(fault, Fault::ChangeNotDurable { .. });
    let told = |pop: &Pop| pop.report().zones[&name("a.example.")].faults.iter().any(is_told);
    assert!(told(&pop), "{:?}", pop.report());
    fs::remove_file(&filler).unwrap();
    pop.handle().reload().await;
    pop.wait(|report| report.zones[&name("a.example.")].faults.is_empty()).await;
    apply(&pop, serial, serial + 1, 3).await;
    pop.stop().await;
}

/// An older build left an empty file when its last hold ended.
#[tokio::test]
async fn an_empty_file_of_an_older_build_holds_no_zone() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    fs::create_dir(pop.path("state")).unwrap();
    pop.write("state/held-zones", "");
    pop.start().await;
    replace(&pop.path(ZONE), &zone_text(6, 3));
    pop.wait_serial("a.example.", 6).await;
    assert!(pop.report().faults.is_empty(), "{:?}", pop.report().faults);
    pop.wait_kept().await;
    pop.restart().await;
    assert!(pop.report().faults.is_empty(), "{:?}", pop.report().faults);
    pop.stop().await;
    // This build never leaves one.
    pop.write("state/held-zones", "");
    pop.start().await;
    assert!(pop.report().faults.iter().any(|fault| matches!(fault, SourceFault::AllHeld { .. })));
    pop.stop().await;
}
