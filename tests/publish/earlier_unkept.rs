//! Serials of versions that are not in the state directory, or not any more: no secondary gets differences to a version that it does not have.

use std::fs;

use anyns::publish::{Force, KeptMember, MemberChanges, Settings};
use anyns::wire::RecordType;

use crate::earlier_serials::{HOSTS, Life, ZONE, given};
use crate::restart::{SmallDisk, fill};
use crate::skip::skip;
use crate::support::{Pop, name, replace, versioned, zone_text};

#[tokio::test]
async fn what_a_full_disk_does_not_take_counts_all_the_same_and_is_kept_when_there_is_room() {
    let hub = Pop::new();
    fs::create_dir(hub.path("state")).unwrap();
    let Some(_disk) = SmallDisk::mount(&hub.path("state")) else {
        return skip("a zone that goes back on a full disk", "this user cannot mount");
    };
    let mut life = Life::begin_at(hub, 5).await;
    for serial in 6..=9 {
        life.version(serial).await;
    }
    life.hub.wait_kept().await;
    let filler = life.hub.path("state/filler");
    fill(&filler);
    // Too large for what is left in the file.
    life.hosts = 9_000;
    for serial in 6..=9 {
        life.deploy(serial).await;
        assert!(!life.gets_differences(serial - 1));
    }
    life.hub.wait_fault("a.example.", "is served but not durable").await;
    assert_eq!(life.hub.kept("a.example."), Some(9), "of the older line");
    fs::remove_file(&filler).unwrap();
    life.version(10).await;
    assert!(!life.gets_differences(9));
    life.restart().await;
    life.version(11).await;
    assert!(life.gets_differences(10) && !life.gets_differences(9));
    life.hub.stop().await;
}

/// The process ends before the versions are kept: a restart finds the older one alone, and what was given must be known all the same.
#[tokio::test]
async fn what_a_full_disk_does_not_take_is_known_to_the_next_process() {
    let hub = Pop::new();
    fs::create_dir(hub.path("state")).unwrap();
    let Some(_disk) = SmallDisk::mount(&hub.path("state")) else {
        return skip("a zone that goes back on a full disk, and a restart", "this user cannot mount");
    };
    let mut life = Life::begin_at(hub, 5).await;
    for serial in 6..=9 {
        life.version(serial).await;
    }
    let filler = life.hub.path("state/filler");
    fill(&filler);
    life.hosts = 9_000;
    for serial in 6..=8 {
        life.deploy(serial).await;
    }
    life.hub.wait_fault("a.example.", "is served but not durable").await;
    life.hub.stop().await;
    life.hub.published = Default::default();
    life.hub.start().await;
    assert_eq!(life.serial(), 9, "what is kept");
    life.ask();
    assert!(!life.gets_differences(8));
    fs::remove_file(&filler).unwrap();
    life.hosts = HOSTS;
    life.version(10).await;
    assert!(!life.gets_differences(8));
    life.version(11).await;
    assert!(life.gets_differences(10));
    life.hub.stop().await;
}

#[tokio::test]
async fn a_zone_that_is_removed_before_its_last_versions_are_kept_leaves_their_serials() {
    let hub = Pop::new();
    fs::create_dir(hub.path("state")).unwrap();
    let Some(_disk) = SmallDisk::mount(&hub.path("state")) else {
        return skip("a zone that is removed from a full disk", "this user cannot mount");
    };
    let mut life = Life::begin_at(hub, 5).await;
    life.version(6).await;
    let filler = life.hub.path("state/filler");
    fill(&filler);
    life.hosts = 9_000;
    for serial in 7..=9 {
        life.deploy(serial).await;
    }
    life.hub.wait_fault("a.example.", "is served but not durable").await;
    fs::remove_file(life.hub.path(ZONE)).unwrap();
    life.hub.handle().reload().await;
    assert_eq!(life.hub.kept("a.example."), Some(6));
    fs::remove_file(&filler).unwrap();
    life.hub.handle().remove(&name("a.example.")).await.unwrap();
    life.hosts = HOSTS;
    replace(&life.hub.path(ZONE), &versioned(8, life.content(), HOSTS));
    life.hub.handle().reload().await;
    life.ask();
    for serial in 9..=10 {
        life.version(serial).await;
        assert!(!life.gets_differences(serial - 1));
    }
    life.restart().await;
    life.version(11).await;
    assert!(life.gets_differences(10) && !life.gets_differences(9));
    life.hub.stop().await;
}

/// What is behind the damage is taken out, and the zone goes on from before it without an order by anybody.
#[tokio::test]
async fn the_serials_of_damaged_differences_have_had_another_content() {
    let hub = Pop::new();
    hub.write(ZONE, &zone_text(5, HOSTS));
    let settings = Settings { databases: [name("a.example.")].into(), ..hub.settings() };
    let mut life = Life { hub, hosts: HOSTS, versions: Vec::new(), answers: [0; 2] };
    life.hub.start_with(settings.clone()).await;
    life.hub.wait_kept().await;
    life.ask();
    for _ in 6..=9 {
        life.difference().await;
    }
    let served = life.served();
    let soa = served.records().find(|record| record.record_type == RecordType::SOA).unwrap().rdata.to_vec();
    assert!(life.gets_differences(8));
    life.hub.stop().await;
    // The serial of the last version and what is behind it: in the last difference alone.
    let mut octets = fs::read(life.hub.path("state/zones.redb")).unwrap();
    let part = &soa[soa.len() - 20..];
    let places: Vec<usize> =
        octets.windows(part.len()).enumerate().filter(|it| it.1 == part).map(|it| it.0).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| octets[at + 5] ^= 1);
    fs::write(life.hub.path("state/zones.redb"), octets).unwrap();
    life.hub.published = Default::default();
    life.hub.start_with(settings.clone()).await;
    assert_eq!(life.serial(), 8);
    life.ask();
    for serial in 9..=10 {
        life.difference().await;
        assert!(!life.gets_differences(serial - 1));
    }
    life.hub.stop().await;
    life.hub.published = Default::default();
    life.hub.start_with(settings).await;
    life.difference().await;
    assert!(life.gets_differences(10) && !life.gets_differences(9));
    life.hub.stop().await;
}

/// A member that begins anew while nothing can be forgotten: what is kept is that of the former zone.
#[tokio::test]
async fn the_history_of_a_former_member_on_a_read_only_disk_leads_to_no_other_zone() {
    let (zone, catalog) = (name("a.example."), name("catalog.example."));
    let member = |label: &[u8]| KeptMember {
        catalog: catalog.clone(),
        label: label.into(),
        new_owner: None,
        groups: Vec::new(),
        kept_until: None,
        waits_since: None,
    };
    let mut pop = Pop::new();
    fs::create_dir(pop.path("state")).unwrap();
    let Some(_disk) = SmallDisk::mount(&pop.path("state")) else {
        return skip("a member that begins anew on a read-only disk", "this user cannot mount");
    };
    pop.start().await;
    let listed = MemberChanges { set: vec![(zone.clone(), member(b"one"))], ..Default::default() };
    assert!(pop.handle().change_members(listed).await);
    let mut life = Life { hub: pop, hosts: HOSTS, versions: Vec::new(), answers: [0; 2] };
    let primary = "192.0.2.1:53".parse().unwrap();
    for serial in 5..=9 {
        let version = given(serial, life.content());
        life.hub.handle().offer(version, primary, Force::No).await.unwrap();
        life.ask();
        life.hub.wait_kept().await;
    }
    life.hub.stop().await;
    crate::unwritable::remount(&life.hub.path("state"), "ro");
    life.hub.published = Default::default();
    life.hub.start().await;
    assert!(life.gets_differences(5));
    let reset = MemberChanges { reset: vec![(zone.clone(), member(b"two"))], ..Default::default() };
    assert!(life.hub.handle().change_members(reset).await);
    let version = given(7, life.content());
    life.hub.handle().offer(version, primary, Force::No).await.unwrap();
    life.ask();
    assert!(!life.gets_differences(5));
    crate::unwritable::remount(&life.hub.path("state"), "rw");
    life.hub.handle().reload().await;
    life.hub.wait_kept().await;
    for serial in 8..=10 {
        let version = given(serial, life.content());
        life.hub.handle().offer(version, primary, Force::No).await.unwrap();
        life.ask();
        life.hub.wait_kept().await;
        assert!(!life.gets_differences(serial - 1));
    }
    life.hub.stop().await;
}
