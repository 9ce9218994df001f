//! A zone that begins anew while a catalog that is made here lists it: the catalog gives it another label, so that those who follow it begin
//! it anew, too.

use crate::catalog::{Fleet, catalog, follows};
use crate::support::anyns::{BOUND, zone_status};
use crate::support::pop::replace;
use crate::support::skip::has_programs;
use crate::support::wait::wait_until;

const ZONE: &str = "z0.test";

/// Another zone of the name, with the serial that the one before has.
fn other() -> String {
    format!(
        "$ORIGIN {ZONE}.\n$TTL 60\n@ IN SOA ns1 hostmaster 1 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\nwww IN A 192.0.2.7\n"
    )
}

/// The catalog is held, the zone is removed, and its successor is there when the hub starts again.
#[test]
fn a_zone_that_left_while_its_catalog_was_held_is_another_one_after_a_restart() {
    if !has_programs("a zone that begins anew", &["dig"]) {
        return;
    }
    let mut fleet =
        Fleet::new("[[catalog]]\nname = \"catalog.test\"\nproduce = true\n", &follows("catalog.test", ""));
    [ZONE, "z1.test"].iter().for_each(|zone| fleet.deploy(zone));
    fleet.hub.start(&fleet.lab);
    fleet.pop.start(&fleet.lab);
    fleet.wait_serves(ZONE);
    fleet.wait_serves("z1.test");
    let kept = |fleet: &Fleet| fleet.hub.wait_status("kept", |status| status["zones_not_kept"] == 0);
    kept(&fleet);
    let others = label(&fleet.hub.must(&["zone", "export", "catalog.test"]), "z1.test");
    fleet.hub.must(&["zone", "hold", "catalog.test", "--reason", "a test"]);
    fleet.take_out(ZONE);
    fleet.hub.kill();
    replace(&fleet.zones.join(format!("{ZONE}.zone")), &other());
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_zone(ZONE, "served", Some(1));
    kept(&fleet);
    // Once more: by now something is kept of the successor.
    fleet.hub.kill();
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_zone(ZONE, "served", Some(1));
    fleet.hub.must(&["zone", "unhold", "catalog.test"]);
    wait_until("the POP serves the successor", BOUND, || {
        fleet.dig(&["@192.0.2.53", &format!("www.{ZONE}"), "A"]).contains("192.0.2.7")
    });
    let now = || fleet.hub.must(&["zone", "export", "catalog.test"]);
    assert_eq!(label(&now(), "z1.test"), others);
    // It is said once: another start changes nothing.
    let said = label(&now(), ZONE);
    fleet.hub.kill();
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_zone(ZONE, "served", Some(1));
    fleet.deploy("z2.test");
    fleet.wait_serves("z2.test");
    assert_eq!(label(&fleet.hub.must(&["zone", "export", "catalog.test"]), ZONE), said);
}

/// A POP in the middle follows a catalog and makes another one.
#[test]
fn a_member_that_begins_anew_does_so_in_the_catalogs_that_are_made_of_it() {
    if !has_programs("a zone that begins anew", &["dig"]) {
        return;
    }
    let made = format!(
        "[[catalog]]\nname = \"below.test\"\nproduce = true\n[[canary]]\nname = \"first\"\n\
         secondaries = [{{ address = \"198.18.1.1:5300\", key = \"hub.\" }}]\nzones = [\"{ZONE}\"]\ntime = \"2s\"\npatience = \"3s\"\n\
         when-unreachable = \"hold\"\n"
    );
    let mut fleet = Fleet::new("", &(follows("catalog.test", "") + &made));
    [ZONE, "z1.test"].iter().for_each(|zone| fleet.deploy(zone));
    let members =
        |label: &str| [format!("{label}.zones IN PTR {ZONE}."), "m1.zones IN PTR z1.test.".to_owned()];
    let list = |fleet: &Fleet, serial, label| {
        let members = members(label);
        fleet.deploy_catalog("catalog.test", serial, &[&members[0], &members[1]]);
    };
    list(&fleet, 1, "m0");
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_zone("catalog.test", "served", Some(1));
    fleet.pop.start(&fleet.lab);
    fleet.pop.wait_status("both are listed", |status| catalog(status, "below.test")["members"] == 2);
    let labels = |fleet: &Fleet| {
        let below = fleet.pop.must(&["zone", "export", "below.test"]);
        [label(&below, ZONE), label(&below, "z1.test")]
    };
    let first = labels(&fleet);
    replace(&fleet.zones.join(format!("{ZONE}.zone")), &other().replacen("hostmaster 1", "hostmaster 2", 1));
    fleet.hub.wait_zone(ZONE, "served", Some(2));
    list(&fleet, 2, "anew");
    wait_until("the catalog below says it, too", BOUND, || labels(&fleet)[0] != first[0]);
    assert_eq!(labels(&fleet)[1], first[1]);
    // What was released of the zone of the former owner does not count: this one is new to all.
    fleet.pop.wait_status("it is for all", |status| {
        let is_served = zone_status(status, ZONE).is_some_and(|zone| zone["serial"] == 2);
        is_served && status["canaries"][0]["released"] == 1
    });
    assert!(fleet.pop.process().output().contains("the zone began anew"));
}

/// The label under which a catalog lists a zone, of the text of the catalog.
fn label(text: &str, zone: &str) -> String {
    let of = |line: &str| Some(line.trim().split_once(".zones")?.0.to_owned());
    let line = text.lines().find(|line| line.contains("PTR") && line.ends_with(&format!("{zone}.")));
    line.and_then(of).unwrap_or_else(|| panic!("{zone} is not listed: {text}"))
}
