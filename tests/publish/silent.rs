//! Directories that hang: what is configured in them is known, what moves out of them is served, and a state directory that hangs stops
//! no deploy.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use anyns::catalog::catalog_records;
use anyns::publish::{
    Force, KeptMember, KeptRelease, KeptState, MADE_HERE, MemberChanges, SerialRule, Settings, SingleZone,
    SourceFault, ZoneState, ZoneTimers,
};
use anyns::wire::{Name, Serial};
use anyns::zone::ZoneBuilder;
use tokio::time::timeout;

use crate::difference::apply;
use crate::fuse::Fuse;
use crate::restart::SmallDisk;
use crate::skip::skip;
use crate::support::{Pop, name, one, replace, versioned, zone_text};
use crate::unwritable::remount;

/// A start is patient with a state directory that hangs, and with what is kept there.
const START: Duration = Duration::from_secs(40);
/// An order that waits for a directory that hangs takes longer than any busy machine needs.
const DONE: Duration = Duration::from_secs(15);

fn is_silent(fault: &SourceFault) -> bool {
    matches!(fault, SourceFault::Silent { .. })
}

fn named(pop: &Pop, zones: &[(&str, &str)]) -> Vec<SingleZone> {
    let zone = |(zone, file): &(&str, &str)| SingleZone {
        name: name(zone),
        file: Some(pop.path(file).as_path().into()),
        serial: None,
        dnssec: None,
    };
    zones.iter().map(zone).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zones_of_a_source_that_hangs_at_the_start_are_known() {
    let mut pop = Pop::new();
    let Some(fuse) = Fuse::mount(&pop.path("data"), &pop.path("hung")) else {
        return skip("a source that hangs at the start", "there is no FUSE");
    };
    fs::create_dir(pop.path("data/folder")).unwrap();
    pop.write("data/b1.zone", &zone_text(1, 3));
    pop.write("data/b2.zone", &zone_text(1, 3));
    pop.write("data/folder/c.zone", &zone_text(1, 3));
    pop.write("zones/example.zone", &zone_text(1, 3));
    let settings = |zones: &[(&str, &str)]| Settings {
        zones: named(&pop, zones).into(),
        directories: vec![pop.path("hung/folder"), pop.path("zones")],
        ..pop.settings()
    };
    let (one, two) = (("b1.example.", "hung/b1.zone"), ("b2.example.", "hung/b2.zone"));
    let (first, both) = (settings(&[one]), settings(&[one, two]));
    fuse.stop();
    pop.start_with(first).await;
    let state = |zone: &str| pop.report().zones.get(&name(zone)).map(|zone| zone.state);
    // Neither is it answered from the zone above, nor are other names called none of ours.
    assert_eq!(
        (state("b1.example."), state("example.")),
        (Some(ZoneState::Refused), Some(ZoneState::Serving))
    );
    assert!(pop.absence("b1.example.").is_some());
    assert!(!pop.published.load().is_complete(), "it is not known which zones are in the folder");
    // One that a reload adds there.
    assert_eq!(state("b2.example."), None);
    timeout(DONE, pop.handle().reconfigure(both)).await.expect("it waits for the source").unwrap();
    pop.wait(|report| {
        report.zones.get(&name("b2.example.")).is_some_and(|it| it.state == ZoneState::Refused)
    })
    .await;
    assert!(pop.absence("b2.example.").is_some());
    fuse.go_on();
    for zone in ["b1.example.", "b2.example.", "c."] {
        pop.wait_serial(zone, 1).await;
    }
    pop.handle().reload().await;
    assert!(pop.published.load().is_complete());
    pop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_moves_out_of_a_source_that_hangs() {
    let mut pop = Pop::new();
    let Some(fuse) = Fuse::mount(&pop.path("data"), &pop.path("hung")) else {
        return skip("a zone that moves out of a source that hangs", "there is no FUSE");
    };
    fs::create_dir(pop.path("good")).unwrap();
    fs::create_dir(pop.path("data/folder")).unwrap();
    for zone in ["b1", "b2", "folder/b3.example"] {
        pop.write(&format!("data/{zone}.zone"), &zone_text(1, 3));
    }
    let settings = |zones: &[(&str, &str)]| Settings {
        zones: named(&pop, zones).into(),
        directories: vec![pop.path("hung/folder"), pop.path("zones")],
        ..pop.settings()
    };
    let stays = ("b1.example.", "hung/b1.zone");
    let before = settings(&[stays, ("b2.example.", "hung/b2.zone")]);
    let after = settings(&[stays, ("b2.example.", "good/b2.zone"), ("k.example.", "good/k.zone")]);
    pop.start_with(before).await;
    pop.wait(|report| report.served() == 3).await;
    fuse.stop();
    timeout(DONE, pop.handle().reload()).await.expect("it waits for the source");
    pop.wait(|report| report.faults.iter().any(is_silent)).await;
    pop.write("good/b2.zone", &zone_text(2, 3));
    pop.write("good/k.zone", &zone_text(2, 3));
    // A directory that hangs has the zone, too.
    pop.write("zones/b3.example.zone", &zone_text(2, 3));
    timeout(DONE, pop.handle().reconfigure(after)).await.expect("it waits for the source").unwrap();
    for zone in ["b2.example.", "k.example.", "b3.example."] {
        pop.wait_serial(zone, 2).await;
    }
    let report = pop.report();
    let is_of_hung = |fault: &SourceFault| !is_silent(fault) || fault.to_string().contains("/hung");
    assert!(report.faults.iter().all(is_of_hung), "{:?}", report.faults);
    assert_eq!(pop.served("b1.example."), Some((1, 1)));
    replace(&pop.path("good/b2.zone"), &zone_text(3, 3));
    pop.wait_serial("b2.example.", 3).await;
    fuse.go_on();
    // Now it is seen that one has two files.
    pop.wait_fault("b3.example.", "two files for one zone").await;
    assert_eq!(pop.served("b3.example."), Some((2, 2)));
    pop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zones_that_have_files_are_served_by_a_start_whose_state_directory_hangs() {
    let mut pop = Pop::new();
    let Some(fuse) = Fuse::mount(&pop.path("disk"), &pop.path("state")) else {
        return skip("a state directory that hangs at the start", "there is no FUSE");
    };
    let (file, bumped) = ("zones/f.example.zone", "zones/b.example.zone");
    for file in [file, bumped, "zones/a.example.zone"] {
        pop.write(file, &zone_text(5, 3));
    }
    let bump = |zone: &str| SingleZone {
        name: name(zone),
        file: None,
        serial: Some(SerialRule::Bump),
        dnssec: None,
    };
    let settings = Settings {
        databases: BTreeSet::from([name("a.example.")]),
        zones: ["b.example.", "n.example."].map(bump).into(),
        ..pop.settings()
    };
    pop.start_with(settings.clone()).await;
    apply(&pop, 5, 7, 3).await;
    replace(&pop.path(bumped), &versioned(5, 6, 3));
    pop.wait_serial("b.example.", 6).await;
    pop.wait_kept().await;
    pop.stop().await;
    pop.published = Default::default();
    // One of which nothing is kept.
    pop.write("zones/n.example.zone", &zone_text(3, 3));
    fuse.stop();
    timeout(START, pop.start_with(settings.clone())).await.expect("a start waits for the state directory");
    // What nobody knows anything of waits; it does not go back.
    assert_eq!(pop.served("f.example."), Some((5, 5)));
    assert_eq!((pop.served("b.example."), pop.served("a.example.")), (None, None));
    assert_eq!(pop.served("n.example."), None);
    assert!(pop.absence("a.example.").is_some());
    let faults: Vec<String> = pop.report().faults.iter().map(ToString::to_string).collect();
    assert!(faults.iter().any(|fault| fault.contains("it does not answer")), "{faults:?}");
    // Nobody knows whether it is held.
    replace(&pop.path(file), &zone_text(6, 3));
    pop.wait_fault("f.example.", "is held at the version that is served").await;
    fuse.go_on();
    pop.wait_serial("a.example.", 7).await;
    pop.wait_serial("b.example.", 6).await;
    pop.wait_serial("n.example.", 3).await;
    pop.wait_serial("f.example.", 6).await;
    pop.wait(|report| report.faults.is_empty()).await;
    pop.wait_kept().await;
    pop.stop().await;
    pop.published = Default::default();
    pop.start_with(settings).await;
    assert_eq!((pop.served("f.example."), pop.served("b.example.")), (Some((6, 6)), Some((6, 6))));
    assert!(pop.report().faults.is_empty(), "{:?}", pop.report().faults);
    pop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_directory_that_hangs_stops_no_deploy() {
    let mut pop = Pop::new();
    let Some(fuse) = Fuse::mount(&pop.path("disk"), &pop.path("state")) else {
        return skip("a state directory that hangs", "there is no FUSE");
    };
    let file = "zones/a.example.zone";
    pop.write(file, &zone_text(1, 3));
    pop.start().await;
    pop.wait_kept().await;
    fuse.stop();
    for serial in 2..4 {
        // A look finds out whether the state directory is in its place.
        timeout(DONE, pop.handle().reload()).await.expect("a look waits for the state directory");
        replace(&pop.path(file), &zone_text(serial, 3));
        pop.wait_serial("a.example.", serial).await;
    }
    fuse.go_on();
    pop.wait_kept().await;
    assert!(pop.report().faults.is_empty(), "{:?}", pop.report().faults);
    pop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_directory_that_answers_late_and_can_be_read_only_tells_which_zones_are_held() {
    let mut pop = Pop::new();
    fs::create_dir(pop.path("disk")).unwrap();
    let Some(_disk) = SmallDisk::mount(&pop.path("disk")) else {
        return skip("a state directory that can be read only", "this user cannot mount");
    };
    let Some(fuse) = Fuse::mount(&pop.path("disk"), &pop.path("state")) else {
        return skip("a state directory that can be read only", "there is no FUSE");
    };
    let (free, held) = ("zones/free.example.zone", "zones/held.example.zone");
    for file in [free, held] {
        pop.write(file, &zone_text(5, 3));
    }
    pop.start().await;
    pop.handle().hold(one(&name("held.example.")), Some("an incident".to_owned())).await.unwrap();
    pop.wait_kept().await;
    pop.stop().await;
    pop.published = Default::default();
    remount(&pop.path("disk"), "ro");
    fuse.stop();
    timeout(START, pop.start()).await.expect("a start waits for the state directory");
    for file in [free, held] {
        replace(&pop.path(file), &zone_text(6, 3));
    }
    pop.wait_fault("free.example.", "is held at the version that is served").await;
    fuse.go_on();
    pop.wait_serial("free.example.", 6).await;
    assert_eq!(pop.served("held.example."), Some((5, 5)));
    pop.wait_fault("held.example.", "an incident").await;
    let all_held = |fault: &SourceFault| matches!(fault, SourceFault::AllHeld { .. });
    assert!(!pop.report().faults.iter().any(all_held), "{:?}", pop.report().faults);
    pop.stop().await;
    remount(&pop.path("disk"), "rw");
}

fn member(label: &str, kept_until: Option<u64>) -> KeptMember {
    let (label, catalog) = (label.as_bytes().into(), name("catalog.example."));
    KeptMember { catalog, label, new_owner: None, groups: Vec::new(), kept_until, waits_since: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_says_that_zones_may_come_yet_until_each_of_a_late_state_directory_was_looked_at() {
    let mut pop = Pop::new();
    let Some(fuse) = Fuse::mount(&pop.path("disk"), &pop.path("state")) else {
        return skip("zones in a state directory that hangs at the start", "there is no FUSE");
    };
    let made = name("made.example.");
    let settings = Settings {
        transferred: BTreeSet::from([made.clone()]),
        catalogs: BTreeSet::from([made.clone()]),
        ..pop.settings()
    };
    pop.start_with(settings.clone()).await;
    assert!(!pop.report().is_state_unread);
    let members: Vec<Name> = (0..50).map(|it| name(&format!("m{it}.example."))).collect();
    let set = members.iter().map(|name| (name.clone(), member("a", None))).collect();
    assert!(pop.handle().change_members(MemberChanges { set, ..MemberChanges::default() }).await);
    for zone in members.iter().chain([&made]) {
        let mut builder = ZoneBuilder::new(zone.clone());
        builder.add(catalog_records(zone, Serial(1), &[]).unwrap());
        pop.handle().offer(builder.finish().unwrap(), MADE_HERE, Force::No).await.unwrap();
    }
    pop.wait_kept().await;
    pop.stop().await;
    pop.published = Default::default();
    fuse.stop();
    timeout(START, pop.start_with(settings)).await.expect("a start waits for the state directory");
    assert!(pop.report().settled && pop.report().is_state_unread);
    fuse.go_on();
    let first = pop.wait(|report| !report.is_state_unread).await;
    assert!(members.iter().chain([&made]).all(|zone| first.serves(zone)));
    pop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_kept_for_others_is_told_when_a_state_directory_answers_late() {
    let mut pop = Pop::new();
    let Some(fuse) = Fuse::mount(&pop.path("disk"), &pop.path("state")) else {
        return skip("what is kept in a state directory that hangs at the start", "there is no FUSE");
    };
    pop.write("zones/f.example.zone", &zone_text(5, 3));
    pop.start().await;
    let [stays, gone, new] = ["stays.example.", "gone.example.", "new.example."].map(name);
    let until = 4_000_000_000;
    let set = |members: &[&Name]| MemberChanges {
        set: members.iter().map(|name| ((*name).clone(), member("a", None))).collect(),
        ..MemberChanges::default()
    };
    assert!(pop.handle().change_members(set(&[&stays, &gone])).await);
    let removed = MemberChanges { removed: vec![(gone.clone(), until)], ..MemberChanges::default() };
    assert!(pop.handle().change_members(removed).await);
    let timers = ZoneTimers { checked: Some(3), due: 4, failures: 5, saved: 6, ..ZoneTimers::default() };
    assert!(pop.handle().keep_timers(vec![(stays.clone(), Some(timers))]).await);
    let release = KeptRelease { is_halted: true, ..KeptRelease::running(Serial(5)) };
    let releases = vec![(name("f.example."), Some(release))];
    assert!(pop.handle().keep_releases(releases).await.unwrap());
    pop.wait_kept().await;
    pop.stop().await;
    pop.published = Default::default();
    fuse.stop();
    timeout(START, pop.start()).await.expect("a start waits for the state directory");
    let mut kept = pop.handle().kept();
    assert!(kept.load().is_none(), "nobody knows");
    // A catalog that comes first does not keep what is kept from being read.
    assert!(pop.handle().change_members(set(&[&new])).await);
    fuse.go_on();
    let kept = timeout(START, kept.wait_for(Option::is_some)).await.expect("the state directory is read");
    let Some(KeptState { timers: told, members, releases }) = &*kept else { panic!("nothing is told") };
    assert_eq!(told.get(&stays), Some(&timers));
    assert_eq!(
        *members,
        BTreeMap::from([
            (stays.clone(), member("a", None)),
            (gone.clone(), member("a", Some(until))),
            (new.clone(), member("a", None)),
        ])
    );
    assert_eq!((releases.missing, releases.zones.get(&name("f.example."))), (None, Some(&release)));
    pop.wait(|report| report.faults.is_empty() && report.zones.contains_key(&stays)).await;
    // What is kept aside is in no service.
    assert!(!pop.report().zones.contains_key(&gone));
    pop.stop().await;
    pop.published = Default::default();
    pop.start().await;
    let kept = pop.handle().kept().load();
    let members = |kept: &Option<KeptState>| kept.as_ref().map(|kept| kept.members.clone());
    let until = members(&kept).and_then(|members| members.get(&gone)?.kept_until);
    assert_eq!((members(&kept).map(|it| it.len()), until), (Some(3), Some(4_000_000_000)));
    pop.stop().await;
}
