//! A catalog that is not followed any more after a restart: renamed, taken out, or made here from then on. Its zones stay until an operator
//! lets them go, as a reload with the same change would have been refused.

use std::time::Duration;

use serde_json::Value;

use crate::catalog::{Fleet, HUB, POP, catalog, follows, pop_config};
use crate::support::anyns::zone_status;
use crate::support::pop::{HUB_KEY, base_config};
use crate::support::skip::has_programs;
use crate::support::wait::holds_for;

const ZONES: [&str; 3] = ["z0.test", "z1.test", "z2.test"];

fn made(name: &str) -> String {
    format!("[[catalog]]\nname = \"{name}\"\nproduce = true\n")
}

/// A hub with this catalog, and others, whose zones the POP has.
fn fleet(followed: &str, others: &str) -> Fleet {
    let mut fleet = Fleet::new(&(made(followed) + others), &follows(followed, ""));
    ZONES.iter().for_each(|zone| fleet.deploy(zone));
    fleet.hub.start(&fleet.lab);
    fleet.pop.start(&fleet.lab);
    for zone in ZONES {
        fleet.wait_serves(zone);
    }
    fleet.pop.wait_status("all is kept", |status| status["zones_not_kept"] == 0);
    fleet
}

/// Whether the zones of this catalog wait for the order that lets them go, and an alarm says so.
fn waits(status: &Value, name: &str, zones: u64) -> bool {
    let left = catalog(status, name);
    left["held"] == zones
        && left["fault"].to_string().contains("not in the configuration")
        && status["alarms"].to_string().contains(&format!("anyns catalog accept {name}. 0"))
}

#[test]
fn a_catalog_that_is_renamed_over_a_restart_keeps_its_zones_until_an_order() {
    if !has_programs("a catalog that is renamed", &["dig"]) {
        return;
    }
    let mut fleet = fleet("old.test", &made("new.test"));
    fleet.pop.kill();
    fleet.pop.write_config(&pop_config(&fleet.lab, &follows("new.test", "")));
    fleet.pop.start(&fleet.lab);
    fleet.deploy("new-zone.test");
    fleet.wait_serves("new-zone.test");
    let all_wait =
        |status: &Value| waits(status, "old.test", 3) && catalog(status, "new.test")["clashes"] == 3;
    fleet.pop.wait_status("its zones wait", all_wait);
    // The next reload takes nothing away, nor does a restart.
    let serves = |fleet: &Fleet| ZONES.iter().all(|zone| fleet.serves(zone));
    fleet.pop.must(&["reload"]);
    holds_for("they are served on after a reload", Duration::from_millis(500), || serves(&fleet));
    fleet.pop.kill();
    fleet.pop.start(&fleet.lab);
    for zone in ZONES {
        fleet.wait_serves(zone);
    }
    fleet.pop.wait_status("its zones wait on", all_wait);
    assert_ne!(fleet.pop.command(&["catalog", "accept", "old.test", "1"]).code, 0, "another serial");
    fleet.pop.must(&["catalog", "accept", "old.test", "0"]);
    fleet.pop.wait_status("the new catalog has them", |status| {
        let new = catalog(status, "new.test");
        catalog(status, "old.test").is_null() && new["members"] == 4 && new["clashes"] == 0
    });
    for zone in ZONES {
        fleet.wait_serves(zone);
    }
}

#[test]
fn a_catalog_that_is_made_here_after_a_restart_lists_what_it_listed() {
    if !has_programs("a follower that becomes the hub", &["dig"]) {
        return;
    }
    let mut fleet = fleet("catalog.test", "");
    let serial = |status: &Value| catalog(status, "catalog.test")["serial"].clone();
    let before = fleet.pop.status().map(|status| serial(&status)).unwrap();
    // Two of the zones become files, and the third one is forgotten.
    let files = fleet.lab.subdirectory("zones-standby");
    for zone in &ZONES[..2] {
        let text = fleet.pop.must(&["zone", "export", zone]);
        std::fs::write(files.join(format!("{zone}.zone")), text).unwrap();
    }
    let extra = fleet.dig(&["@192.0.2.53", "z2.test", "SOA", "+short"]);
    fleet.deploy("z3.test");
    fleet.wait_serves("z3.test");
    let before_all =
        fleet.pop.wait_status("four zones", |status| catalog(status, "catalog.test")["members"] == 4);
    assert_ne!(serial(&before_all), before);
    fleet.pop.wait_status("all is kept", |status| status["zones_not_kept"] == 0);
    fleet.hub.kill();
    fleet.pop.kill();
    let state = fleet.lab.subdirectory("state-pop");
    let own =
        format!("[zones]\ndirectory = \"{}\"\nstate-directory = \"{}\"\n", files.display(), state.display());
    let base = base_config(&fleet.lab, "pop", [POP, "2001:db8:1::2"], "dry-run", &own);
    let sends = format!("allow = [{{ from = \"{HUB}\", keys = [\"hub.\"] }}]\n");
    let made = made("catalog.test");
    fleet.pop.write_config(&format!("{base}[transfer]\nlisten = [\"{POP}:5353\"]\n{sends}{HUB_KEY}{made}"));
    fleet.pop.start(&fleet.lab);
    for zone in ZONES.iter().chain(&["z3.test"]) {
        fleet.wait_serves(zone);
    }
    // Those without a file wait, served; the list is what it was.
    let made = |status: &Value| {
        let all = status["catalogs"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().find(|one| one["produced"] == true).cloned().unwrap_or_default()
    };
    let status = fleet.pop.wait_status("two zones wait", |status| {
        waits(status, "catalog.test", 2) && made(status)["members"] == 4
    });
    assert_eq!(made(&status)["serial"], serial(&before_all));
    assert_eq!(fleet.dig(&["@192.0.2.53", "z2.test", "SOA", "+short"]), extra);
    fleet.pop.must(&["catalog", "accept", "catalog.test", "0"]);
    let status = fleet.pop.wait_status("they have left", |status| made(status)["members"] == 2);
    assert!(
        zone_status(&status, "z2.test").is_none() && zone_status(&status, "z0.test").is_some(),
        "{status:#}"
    );
}
