//! A member whose label in the catalog changes (RFC 9432 section 5.4): the owner says that nothing of the old zone counts any more. What
//! anyns does, and what Knot DNS and BIND do with the same catalog.

use crate::catalog::{Fleet, POP, follower, follows};
use crate::support::anyns::{BOUND, zone_status};
use crate::support::fuse::Fuse;
use crate::support::pop::state_directory;
use crate::support::process::Process;
use crate::support::skip::{has_programs, skip};
use crate::support::wait::{holds_for, looked_for, wait_until};

/// How long a peer may take to drop what it has: some do not.
const PEER_BOUND: std::time::Duration = std::time::Duration::from_secs(5);

/// A hub with a catalog that was written by hand.
fn fleet() -> Fleet {
    let mut fleet = Fleet::new("", &follows("catalog.test", ""));
    ["z0.test", "z1.test"].iter().for_each(|zone| fleet.deploy(zone));
    fleet.deploy_catalog("catalog.test", 1, &["m0.zones IN PTR z0.test.", "m1.zones IN PTR z1.test."]);
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_zone("catalog.test", "served", Some(1));
    fleet
}

/// The hub gives z0.test another label, and does not have the zone itself.
fn reset(fleet: &Fleet) {
    fleet.take_out("z0.test");
    fleet.deploy_catalog("catalog.test", 2, &["other.zones IN PTR z0.test.", "m1.zones IN PTR z1.test."]);
}

#[test]
fn nothing_of_the_old_zone_is_served_after_its_label_changed() {
    if !has_programs("a member that begins anew", &["dig"]) {
        return;
    }
    let mut fleet = fleet();
    fleet.pop.start(&fleet.lab);
    fleet.wait_serves("z0.test");
    fleet.wait_serves("z1.test");
    reset(&fleet);
    // Its primary does not have it: the old data are gone all the same, and the zone says so.
    let status = fleet.pop.wait_zone("z0.test", "refused", None);
    assert_eq!(zone_status(&status, "z0.test").unwrap()["serial"], serde_json::Value::Null);
    assert!(fleet.dig(&["@192.0.2.53", "z0.test", "SOA"]).contains("SERVFAIL"));
    assert!(fleet.serves("z1.test"), "the others stay");
    // Not after a restart either.
    fleet.pop.kill();
    fleet.pop.start(&fleet.lab);
    fleet.wait_serves("z1.test");
    holds_for("the old zone stays away", std::time::Duration::from_millis(500), || !fleet.serves("z0.test"));
    // It comes whole, whatever serial it has: here the one that was served before.
    fleet.deploy("z0.test");
    println!("it comes again: {:.2?}", fleet.wait_serves("z0.test"));
    // Where the primary has the zone, it is away for one transfer.
    fleet.deploy_catalog("catalog.test", 3, &["third.zones IN PTR z0.test.", "m1.zones IN PTR z1.test."]);
    fleet.pop.wait_status("the new label is in force", |status| {
        status["catalogs"][0]["serial"] == 3 && zone_status(status, "z0.test").is_some()
    });
    println!("away for one transfer: {:.2?}", fleet.wait_serves("z0.test"));
}

#[test]
fn another_catalog_begins_a_zone_anew_whatever_its_label_unless_it_was_given() {
    if !has_programs("a member of another catalog", &["dig"]) {
        return;
    }
    let mut fleet =
        Fleet::new("", &(follows("cata.test", "removal-limit-percent = 100\n") + &follows("catb.test", "")));
    let zones = ["z0.test", "z1.test"];
    zones.iter().for_each(|zone| fleet.deploy(zone));
    let given = ["m0.zones IN PTR z0.test.", "m1.zones IN PTR z1.test.", "coo.m1.zones IN PTR catb.test."];
    fleet.deploy_catalog("cata.test", 1, &given);
    fleet.deploy_catalog("catb.test", 1, &[]);
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_zone("catb.test", "served", Some(1));
    fleet.pop.start(&fleet.lab);
    for zone in &zones {
        fleet.wait_serves(zone);
    }
    // The first owner gives both up, and the primary does not have them any more.
    fleet.deploy_catalog("cata.test", 2, &[]);
    zones.iter().for_each(|zone| fleet.take_out(zone));
    fleet.pop.wait_status("they are members no more", |status| {
        status["catalogs"][0]["serial"] == 2 && zones.iter().all(|zone| zone_status(status, zone).is_none())
    });
    fleet.deploy_catalog("catb.test", 2, &["m0.zones IN PTR z0.test.", "m1.zones IN PTR z1.test."]);
    // One was given to this catalog, so its data are there; of the other one nothing is served.
    fleet.wait_serves("z1.test");
    fleet.pop.wait_zone("z0.test", "refused", None);
    assert!(fleet.dig(&["@192.0.2.53", "z0.test", "SOA"]).contains("SERVFAIL"));
    fleet.pop.kill();
    fleet.pop.start(&fleet.lab);
    fleet.wait_serves("z1.test");
    holds_for("the data of the first owner stay away", std::time::Duration::from_millis(500), || {
        !fleet.serves("z0.test")
    });
}

#[test]
fn knot_and_bind_with_the_same_catalog() {
    if !has_programs("members that begin anew at Knot DNS and BIND", &["dig", "knotd", "named"]) {
        return;
    }
    for program in ["knotd", "named"] {
        let fleet = fleet();
        let _process: Process = follower(&fleet, program);
        let serves = |zone: &str| {
            let said = fleet.dig(&[&format!("@{POP}"), "-p", "5353", zone, "SOA"]);
            said.contains("status: NOERROR") && said.contains("ANSWER: 1")
        };
        wait_until(&format!("{program} has both"), BOUND, || serves("z0.test") && serves("z1.test"));
        reset(&fleet);
        let gone = looked_for(PEER_BOUND, || (!serves("z0.test")).then_some(()));
        let word = if gone.is_some() { "drops the old zone" } else { "serves the old zone" };
        println!("{program} {word} when its label changes and its primary does not have it");
        assert!(serves("z1.test"), "{program}: the others stay");
    }
}

/// The state directory of the POP does not answer at its start, and the hub is away: then both come.
#[test]
fn a_pop_whose_state_directory_answers_late_has_its_members_and_follows_their_catalog() {
    if !has_programs("members in a state directory that answers late", &["dig"]) {
        return;
    }
    let mut fleet = fleet();
    let (data, state) = (fleet.lab.subdirectory("late-data"), state_directory(&fleet.lab, "pop"));
    let Some(fuse) = Fuse::mount(&data, &state) else {
        return skip("members in a state directory that answers late", "there is no FUSE");
    };
    fleet.pop.start(&fleet.lab);
    fleet.wait_serves("z0.test");
    fleet.wait_serves("z1.test");
    fleet.pop.wait_status("all is kept", |status| status["zones_not_kept"] == 0);
    fleet.pop.kill();
    fleet.hub.kill();
    fuse.stop();
    fleet.pop.start(&fleet.lab);
    fleet
        .pop
        .wait_status("nobody knows its zones", |status| status.to_string().contains("it does not answer"));
    assert!(!fleet.serves("z0.test"));
    fuse.go_on();
    fleet.wait_serves("z0.test");
    fleet.wait_serves("z1.test");
    // They are members, and go with the catalog.
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_zone("catalog.test", "served", Some(1));
    fleet.deploy_catalog("catalog.test", 2, &["m1.zones IN PTR z1.test."]);
    fleet.pop.wait_status("one has gone", |status| {
        status["catalogs"][0]["serial"] == 2 && zone_status(status, "z0.test").is_none()
    });
    fleet.wait_serves("z1.test");
    fleet.pop.kill();
}
