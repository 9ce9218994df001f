//! What a POP does not do to a zone that a catalog lists: roll it back, or take updates of it. Both belong to the hub.

use crate::catalog::{Fleet, HUB, POP, catalog, follows, pop_config};
use crate::support::anyns::{BOUND, zone_status};
use crate::support::pop::replace;
use crate::support::skip::has_programs;
use crate::support::wait::wait_until;

const MADE: &str = "[[catalog]]\nname = \"catalog.test\"\nproduce = true\n";
const ZONE: &str = "z0.test";

#[test]
fn a_member_is_rolled_back_and_updated_at_its_hub_alone() {
    if !has_programs("a member of a catalog", &["dig"]) {
        return;
    }
    let mut fleet = Fleet::new(MADE, &follows("catalog.test", ""));
    fleet.deploy(ZONE);
    fleet.hub.start(&fleet.lab);
    fleet.pop.start(&fleet.lab);
    fleet.wait_serves(ZONE);
    let soa = |fleet: &Fleet| fleet.dig(&["@192.0.2.53", ZONE, "SOA", "+short"]);
    let text = format!(
        "$ORIGIN {ZONE}.\n$TTL 60\n@ IN SOA ns1 hostmaster 2 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\nwww IN A 192.0.2.7\n"
    );
    replace(&fleet.zones.join(format!("{ZONE}.zone")), &text);
    wait_until("the POP has the second version", BOUND, || soa(&fleet).contains(" 2 3600 "));
    // There is a way back in its history, and it is not taken.
    wait_until("the way back is at the hub", BOUND, || {
        let said = fleet.pop.command(&["zone", "rollback", ZONE]);
        assert!(said.code != 0, "{}", said.text);
        said.text.contains("roll it back there")
    });
    assert!(soa(&fleet).contains(" 2 3600 "));
    // The catalog is made at the hub: no primary has it, and a pattern leaves it out.
    for order in ["rollback", "remove"] {
        let said = fleet.hub.command(&["zone", order, "catalog.test"]);
        assert!(
            said.code == 1 && said.text.contains("is a catalog that is made here"),
            "{order}: {}",
            said.text
        );
    }
    let said = fleet.hub.must(&["zone", "rollback", "*"]);
    assert!(said.contains("has the content of 1 again") && !said.contains("catalog.test"), "{said}");
    wait_until("the POP goes back with it", BOUND, || soa(&fleet).contains(" 3 3600 "));
    // An UPDATE is refused where transfers are, and the log says where it belongs.
    let update = fleet.dig(&["+opcode=update", &format!("@{POP}"), "-p", "5353", ZONE, "SOA"]);
    assert!(update.contains("REFUSED"), "{update}");
    let wanted = format!("send the update there, to {HUB}:5353");
    wait_until("the log names the hub", BOUND, || fleet.pop.process().output().contains(&wanted));
}

#[test]
fn a_zone_file_that_comes_for_a_member_is_served_and_an_alarm_until_it_goes() {
    if !has_programs("a member of a catalog and its file", &["dig"]) {
        return;
    }
    let followed = follows("catalog.test", "");
    let mut fleet = Fleet::new(MADE, &followed);
    let files = fleet.lab.subdirectory("zones-pop");
    let zones = format!("[zones]\ndirectory = \"{}\"\n", files.display());
    fleet.pop.write_config(&pop_config(&fleet.lab, &followed).replacen("[zones]\n", &zones, 1));
    fleet.deploy(ZONE);
    fleet.hub.start(&fleet.lab);
    fleet.pop.start(&fleet.lab);
    fleet.wait_serves(ZONE);
    let clashes = |status: &serde_json::Value| catalog(status, "catalog.test")["clashes"].clone();
    fleet.pop.wait_status("nothing clashes", |status| clashes(status) == 0);
    let text = |serial: u32| {
        format!(
            "$ORIGIN {ZONE}.\n$TTL 60\n@ IN SOA ns1 hostmaster {serial} 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\n"
        )
    };
    let file = files.join(format!("{ZONE}.zone"));
    let soa = |fleet: &Fleet| fleet.dig(&["@192.0.2.53", ZONE, "SOA", "+short"]);
    // A broken one takes nothing from the catalog.
    replace(&file, "this is no zone\n");
    fleet.pop.wait_status("it is told", |status| {
        zone_status(status, ZONE).is_some_and(|zone| zone["state"] == "kept")
    });
    replace(&fleet.zones.join(format!("{ZONE}.zone")), &text(2));
    wait_until("the hub's version is served", BOUND, || soa(&fleet).contains(" 2 3600 "));
    fleet.pop.wait_status("nothing clashes", |status| clashes(status) == 0);
    replace(&file, &text(9));
    let status = fleet.pop.wait_status("the file is told", |status| clashes(status) == 1);
    assert!(
        status["alarms"].to_string().contains("z0.test. is in the configuration or in a zone file"),
        "{status:#}"
    );
    wait_until("the file is served", BOUND, || soa(&fleet).contains(" 9 3600 "));
    // It comes from the hub no more: what that has next goes past it, also after a restart. Another zone tells when it has come.
    let next = |fleet: &Fleet, serial: u32, other: &str| {
        replace(&fleet.zones.join(format!("{ZONE}.zone")), &text(serial));
        fleet.deploy(other);
        fleet.wait_serves(other);
        let said = fleet.pop.must(&["zone", "status", ZONE]);
        assert!(!said.contains("primaries"), "{said}");
        assert!(soa(fleet).contains(" 9 3600 "), "{}", soa(fleet));
    };
    next(&fleet, 20, "z1.test");
    // What is kept is that of the file: a restart serves it although the file is broken by then.
    fleet.pop.wait_status("kept", |status| status["zones_not_kept"] == 0);
    fleet.pop.kill();
    replace(&file, "this is no zone\n");
    fleet.pop.start(&fleet.lab);
    wait_until("what the file said is served", BOUND, || soa(&fleet).contains(" 9 3600 "));
    replace(&file, &text(9));
    next(&fleet, 21, "z2.test");
    fleet.pop.wait_status("it is told still", |status| clashes(status) == 1);
    // The file goes, and an operator says that this is meant: the catalog has the zone again.
    std::fs::remove_file(&file).expect("removed");
    fleet.pop.must(&["zone", "remove", ZONE]);
    wait_until("the hub's version is served", BOUND, || soa(&fleet).contains(" 21 3600 "));
    fleet.pop.wait_status("nothing clashes", |status| clashes(status) == 0);
}

/// The hub has a serial above those of the file all the time.
#[test]
fn a_zone_file_that_is_away_for_a_moment_gives_nothing_to_the_catalog() {
    if !has_programs("a zone file that is away for a moment", &["dig"]) {
        return;
    }
    let followed = follows("catalog.test", "");
    let mut fleet = Fleet::new(MADE, &followed);
    let files = fleet.lab.subdirectory("zones-pop");
    let zones = format!("[zones]\ndirectory = \"{}\"\n", files.display());
    fleet.pop.write_config(&pop_config(&fleet.lab, &followed).replacen("[zones]\n", &zones, 1));
    let text = |zone: &str, serial: u32| {
        format!(
            "$ORIGIN {zone}.\n$TTL 60\n@ IN SOA ns1 hostmaster {serial} 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\n"
        )
    };
    let file = files.join(format!("{ZONE}.zone"));
    replace(&file, &text(ZONE, 5));
    replace(&files.join("own.test.zone"), &text("own.test", 1));
    replace(&fleet.zones.join(format!("{ZONE}.zone")), &text(ZONE, 90));
    fleet.deploy("z1.test");
    fleet.hub.start(&fleet.lab);
    fleet.pop.start(&fleet.lab);
    fleet.wait_serves("z1.test");
    let serves = |fleet: &Fleet, serial: u32| {
        let soa = fleet.dig(&["@192.0.2.53", ZONE, "SOA", "+short"]);
        soa.contains(&format!(" {serial} 3600 "))
    };
    let wait_clash = |fleet: &Fleet, what: &str| {
        let said = format!("not taken from it: {ZONE}. is in {what}");
        fleet.pop.wait_status(what, |status| status["alarms"].to_string().contains(&said));
    };
    wait_clash(&fleet, "the configuration or in a zone file");
    assert!(serves(&fleet, 5));
    // A new version of the catalog, and the file comes back with the next serial.
    let comes_back = |fleet: &Fleet, serial: u32, other: &str| {
        fleet.deploy(other);
        fleet.wait_serves(other);
        assert!(serves(fleet, serial), "while it is away");
        replace(&file, &text(ZONE, serial + 1));
        wait_until("the next version of the file", BOUND, || serves(fleet, serial + 1));
        wait_clash(fleet, "the configuration or in a zone file");
        assert!(!fleet.pop.must(&["zone", "status", ZONE]).contains("primaries"));
    };
    std::fs::remove_file(&file).expect("removed");
    wait_clash(
        &fleet,
        "a zone file that is gone; the catalog has the zone when that has been so for 10 minutes",
    );
    comes_back(&fleet, 5, "z2.test");
    // The whole directory.
    let away = files.with_file_name("away");
    std::fs::rename(&files, &away).expect("moved");
    wait_clash(&fleet, "a zone file whose directory cannot be read");
    std::fs::rename(&away, &files).expect("moved");
    wait_clash(&fleet, "the configuration or in a zone file");
    comes_back(&fleet, 6, "z3.test");
    // Missing just at a start.
    fleet.pop.wait_status("kept", |status| status["zones_not_kept"] == 0);
    fleet.pop.kill();
    std::fs::remove_file(&file).expect("removed");
    fleet.pop.start(&fleet.lab);
    wait_clash(&fleet, "a zone file that is gone");
    comes_back(&fleet, 7, "z4.test");
}

/// The `[[zone]]` of a file in the directory of zones goes in a reload: the file is the one of the directory then.
#[test]
fn a_reload_that_names_a_file_no_more_gives_nothing_to_the_catalog_while_the_directory_has_it() {
    if !has_programs("a file that is named no more", &["dig"]) {
        return;
    }
    let followed = follows("catalog.test", "");
    let mut fleet = Fleet::new(MADE, &followed);
    let files = fleet.lab.subdirectory("zones-pop");
    let file = files.join(format!("{ZONE}.zone"));
    let text = |serial: u32| {
        format!(
            "$ORIGIN {ZONE}.\n$TTL 60\n@ IN SOA ns1 hostmaster {serial} 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\n"
        )
    };
    replace(&file, &text(5));
    replace(&fleet.zones.join(format!("{ZONE}.zone")), &text(90));
    fleet.deploy("z1.test");
    fleet.hub.start(&fleet.lab);
    let named = format!("{followed}[[zone]]\nname = \"{ZONE}\"\nfile = \"{}\"\n", file.display());
    fleet.pop.write_config(&pop_config(&fleet.lab, &named));
    fleet.pop.start(&fleet.lab);
    fleet.wait_serves("z1.test");
    let soa = |fleet: &Fleet| fleet.dig(&["@192.0.2.53", ZONE, "SOA", "+short"]);
    let clashes = |status: &serde_json::Value| catalog(status, "catalog.test")["clashes"].clone();
    fleet.pop.wait_status("it clashes", |status| clashes(status) == 1);
    let zones = format!("[zones]\ndirectory = \"{}\"\n", files.display());
    for serial in [6, 7, 8] {
        fleet.pop.write_config(&pop_config(&fleet.lab, &followed).replacen("[zones]\n", &zones, 1));
        fleet.pop.must(&["reload"]);
        fleet.pop.wait_status("it clashes still", |status| clashes(status) == 1);
        replace(&file, &text(serial));
        wait_until("the next version of the file", BOUND, || {
            soa(&fleet).contains(&format!(" {serial} 3600 "))
        });
        fleet.pop.write_config(&pop_config(&fleet.lab, &named));
        fleet.pop.must(&["reload"]);
        fleet.pop.wait_status("it clashes still", |status| clashes(status) == 1);
    }
    // Without the directory it is the catalog's, and served on.
    fleet.pop.write_config(&pop_config(&fleet.lab, &followed));
    fleet.pop.must(&["reload"]);
    wait_until("the hub's version is served", BOUND, || {
        let said = soa(&fleet);
        assert!(!said.trim().is_empty(), "no moment without it");
        said.contains(" 90 3600 ")
    });
    fleet.pop.wait_status("nothing clashes", |status| clashes(status) == 0);
}

#[test]
fn a_zone_that_goes_from_a_file_to_a_catalog_is_no_zone_of_a_file() {
    if !has_programs("a zone that goes to a catalog", &["dig"]) {
        return;
    }
    let mut fleet = Fleet::new(MADE, &follows("catalog.test", ""));
    fleet.deploy(ZONE);
    fleet.hub.start(&fleet.lab);
    let files = fleet.lab.subdirectory("zones-pop");
    let file = files.join(format!("{ZONE}.zone"));
    let text = |serial: u32| {
        format!(
            "$ORIGIN {ZONE}.\n$TTL 60\n@ IN SOA ns1 hostmaster {serial} 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\n"
        )
    };
    replace(&file, &text(1));
    let named = format!("[[zone]]\nname = \"{ZONE}\"\nfile = \"{}\"\n", file.display());
    fleet.pop.write_config(&pop_config(&fleet.lab, &named));
    fleet.pop.start(&fleet.lab);
    fleet.wait_serves(ZONE);

    fleet.pop.write_config(&pop_config(&fleet.lab, &follows("catalog.test", "")));
    fleet.pop.command(&["reload"]);
    replace(&fleet.zones.join(format!("{ZONE}.zone")), &text(2));
    let soa = |fleet: &Fleet| fleet.dig(&["@192.0.2.53", ZONE, "SOA", "+short"]);
    wait_until("the POP has the hub's version", BOUND, || soa(&fleet).contains(" 2 3600 "));
    let clashes = |status: &serde_json::Value| catalog(status, "catalog.test")["clashes"].clone();
    fleet.pop.wait_status("nothing clashes", |status| clashes(status) == 0);
    // The next version comes as a difference, and the source is not said to have another serial.
    replace(&fleet.zones.join(format!("{ZONE}.zone")), &text(3));
    wait_until("the POP has the next version", BOUND, || soa(&fleet).contains(" 3 3600 "));
    // The hub's version comes as a difference to the one of the file, or whole where the file's had left by then.
    let after_file = format!("{}, and differences of primaries since\n", file.display());
    wait_until("the source is said", BOUND, || {
        let said = fleet.pop.command(&["zone", "status", ZONE]).text;
        said.contains(&after_file) || said.contains("primary 198.18.1.1:5353, and differences since\n")
    });
}
