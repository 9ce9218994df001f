//! Canaries of zones that come from primaries or that catalogs list, and of catalogs: what is known of a zone that leaves and comes back, or
//! of whose name another zone comes, and how a peer tells the serial of a catalog.

use serde_json::Value;

use crate::catalog::{Fleet, HUB, POP, catalog, follower, follows, pop_config};
use crate::support::anyns::{Anyns, BOUND, zone_status};
use crate::support::pop::replace;
use crate::support::skip::has_programs;
use crate::support::wait::wait_until;

const ZONE: &str = "z0.test";
/// Nobody answers there.
const SILENT: &str = "198.18.1.1:5300";

fn deploy(fleet: &Fleet, serial: u32) {
    let text = format!(
        "$ORIGIN {ZONE}.\n$TTL 60\n@ IN SOA ns1 hostmaster {serial} 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\n"
    );
    // A difference between two versions is smaller than the zone.
    let hosts: String = (0..50).map(|host| format!("host{host} IN A 192.0.2.{host}\n")).collect();
    replace(&fleet.zones.join(format!("{ZONE}.zone")), &(text + &hosts));
    fleet.hub.wait_zone(ZONE, "served", Some(serial.into()));
}

/// `[[canary]]` for all zones.
fn canary(address: &str, time: &str) -> String {
    format!(
        "[[canary]]\nname = \"first\"\nsecondaries = [{{ address = \"{address}\", key = \"hub.\" }}]\ntime = \"{time}\"\n\
         patience = \"60s\"\nwhen-unreachable = \"hold\"\n"
    )
}

fn wait_counts(anyns: &Anyns, what: &str, counts: &[(&str, u64)]) -> Value {
    anyns.wait_status(what, |status| {
        let group = &status["canaries"][0];
        counts.iter().all(|(name, count)| group[*name] == *count) && status["zones_not_kept"] == 0
    })
}

/// Its data is forgotten when it leaves the configuration, and what was released is not.
#[test]
fn a_zone_from_primaries_that_leaves_for_one_reload_is_on_trial_as_before() {
    if !has_programs("canaries of zones from primaries", &["dig"]) {
        return;
    }
    let from_hub = |zone: &str| {
        format!("[[zone]]\nname = \"{zone}\"\nprimaries = [{{ address = \"{HUB}:5353\", key = \"hub.\" }}]\n")
    };
    let (zone, stays) = (from_hub(ZONE), from_hub("stays.test"));
    let follows = |zone: &str, canary: &str| format!("{stays}{zone}{canary}zones = [\"{ZONE}\"]\n");
    let silent = canary(SILENT, "2s");
    let mut fleet = Fleet::new("", &follows(&zone, &silent));
    [ZONE, "stays.test"].iter().for_each(|zone| fleet.deploy(zone));
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_zone(ZONE, "served", Some(1));
    fleet.pop.start(&fleet.lab);
    wait_counts(&fleet.pop, "the first version is for all", &[("released", 1)]);
    let configure = |fleet: &Fleet, followed: &str| {
        fleet.pop.write_config(&pop_config(&fleet.lab, followed));
        fleet.pop.must(&["reload"]);
    };
    let leave_and_come_back = |fleet: &Fleet, serial: u64| {
        configure(fleet, &follows("", &silent));
        fleet.pop.wait_status("gone", |status| zone_status(status, ZONE).is_none());
        configure(fleet, &follows(&zone, &silent));
        fleet.pop.wait_zone(ZONE, "served", Some(serial));
    };
    // The same version comes again: it is what all have.
    leave_and_come_back(&fleet, 1);
    wait_counts(&fleet.pop, "nothing waits", &[("released", 1), ("withheld", 0)]);
    deploy(&fleet, 2);
    wait_counts(&fleet.pop, "on trial", &[("trial", 1), ("withheld", 0)]);
    leave_and_come_back(&fleet, 2);
    let status = wait_counts(&fleet.pop, "on trial again", &[("trial", 1), ("withheld", 1)]);
    let of_zone = &zone_status(&status, ZONE).unwrap()["canary"];
    assert_eq!(of_zone["released"], 1, "{of_zone}");
    // A canary proves it. One that is accepted again meanwhile, by an order, is the same version.
    fleet.pop.must(&["zone", "release", ZONE]);
    wait_counts(&fleet.pop, "released by order", &[("released", 1)]);
    configure(&fleet, &follows(&zone, &canary(&format!("{HUB}:5353"), "3s")));
    deploy(&fleet, 3);
    wait_counts(&fleet.pop, "the next is on trial", &[("trial", 1)]);
    fleet.pop.wait_status("the canary serves it", |status| {
        let of_zone = zone_status(status, ZONE).map(|zone| &zone["canary"]);
        of_zone.is_some_and(|canary| canary["lacking"].as_array().is_some_and(Vec::is_empty))
    });
    let log = || std::fs::read_to_string(fleet.lab.log_file("pop")).unwrap_or_default();
    let transfers = || log().matches("zone transferred").count();
    let before = transfers();
    fleet.pop.must(&["zone", "retransfer", ZONE]);
    wait_until("it is transferred again", BOUND, || transfers() > before);
    assert_eq!(fleet.pop.status().unwrap()["canaries"][0]["trial"], 1, "it was not released before");
    wait_counts(&fleet.pop, "proven", &[("released", 1)]);
}

/// It was halted, and its catalog lists another zone of the name later: that one is new to all, also after a restart.
#[test]
fn another_zone_of_the_name_of_a_halted_member_is_new_to_all() {
    if !has_programs("canaries of members of catalogs", &["dig"]) {
        return;
    }
    let made = canary(SILENT, "2s") + &format!("zones = [\"{ZONE}\"]\n");
    let mut fleet = Fleet::new("", &(follows("catalog.test", "removal-limit-percent = 100\n") + &made));
    deploy_first(&mut fleet);
    fleet.pop.start(&fleet.lab);
    wait_counts(&fleet.pop, "the first version is for all", &[("released", 1)]);
    fleet.pop.must(&["zone", "halt", ZONE]);
    deploy(&fleet, 8);
    wait_counts(&fleet.pop, "halted", &[("halted", 1)]);
    fleet.deploy_catalog("catalog.test", 2, &[]);
    fleet.pop.wait_status("it is no member", |status| zone_status(status, ZONE).is_none());
    fleet.deploy_catalog("catalog.test", 3, &["other.zones IN PTR z0.test."]);
    fleet.pop.wait_zone(ZONE, "served", Some(8));
    let counts = [("released", 1), ("halted", 0), ("withheld", 0)];
    wait_counts(&fleet.pop, "the other zone is for all", &counts);
    deploy(&fleet, 9);
    wait_counts(&fleet.pop, "its next version is on trial", &[("trial", 1), ("withheld", 0)]);
    fleet.pop.kill();
    fleet.pop.start(&fleet.lab);
    let status = wait_counts(&fleet.pop, "it still is", &[("trial", 1), ("withheld", 0)]);
    let of_zone = &zone_status(&status, ZONE).unwrap()["canary"];
    assert_eq!(of_zone["released"], 8, "{of_zone}");
}

fn deploy_first(fleet: &mut Fleet) {
    fleet.deploy_catalog("catalog.test", 1, &["m0.zones IN PTR z0.test."]);
    fleet.deploy(ZONE);
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_zone("catalog.test", "served", Some(1));
}

/// Knot DNS answers SOA queries for its catalogs over TCP alone, from where it may be asked for a transfer.
#[test]
fn knot_proves_a_catalog() {
    if !has_programs("Knot DNS as canary of a catalog", &["dig", "knotd"]) {
        return;
    }
    let made = "[[catalog]]\nname = \"catalog.test\"\nproduce = true\n".to_owned()
        + &canary(&format!("{POP}:5353"), "2s");
    let mut fleet = Fleet::new(&made, &follows("catalog.test", ""));
    fleet.deploy(ZONE);
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_status("the hub lists it", |status| catalog(status, "catalog.test")["members"] == 1);
    let _knot = follower(&fleet, "knotd");
    fleet.deploy("new.test");
    fleet.hub.wait_status("the catalog is on trial", |status| status["canaries"][0]["trial"] == 1);
    let status = wait_counts(&fleet.hub, "the catalog is proven", &[("released", 3), ("trial", 0)]);
    assert!(!status["alarms"].to_string().contains("does not tell its serial"), "{}", status["alarms"]);
}
