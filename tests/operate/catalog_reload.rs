//! A reload at a server that makes catalogs: one that is new is served at once, and one that it followed until now loses no zone.

use crate::catalog::{Fleet, HUB, POP, catalog, follows, hub_config};
use crate::support::anyns::{BOUND, zone_status};
use crate::support::pop::{HUB_KEY, base_config};
use crate::support::skip::has_programs;
use crate::support::wait::wait_until;

const MADE: &str = "[[catalog]]\nname = \"catalog.test\"\nproduce = true\n";
const ANOTHER: &str = "[[catalog]]\nname = \"another.test\"\nproduce = true\n";

/// What waits at most where thirty seconds would pass until the next attempt.
const SOON: std::time::Duration = std::time::Duration::from_secs(15);

fn members(fleet: &Fleet, name: &str) -> serde_json::Value {
    fleet.hub.status().map(|status| catalog(&status, name)["members"].clone()).unwrap_or_default()
}

#[test]
fn a_catalog_that_a_reload_adds_is_made_at_once_and_a_hold_ends_at_once() {
    let mut fleet = Fleet::new(MADE, "");
    fleet.deploy("a.test");
    fleet.hub.start(&fleet.lab);
    wait_until("the first catalog", BOUND, || members(&fleet, "catalog.test") == 1);
    fleet.hub.write_config(&hub_config(&fleet.lab, &format!("{MADE}{ANOTHER}")));
    fleet.hub.must(&["reload"]);
    wait_until("the second catalog", SOON, || members(&fleet, "another.test") == 1);
    fleet.deploy("b.test");
    wait_until("both list the new zone", SOON, || {
        ["catalog.test", "another.test"].iter().all(|name| members(&fleet, name) == 2)
    });
    // A hold stops a catalog, and the other one goes on.
    fleet.hub.must(&["zone", "hold", "another.test", "--reason", "a freeze"]);
    fleet.deploy("c.test");
    wait_until("the one that is not held lists it", SOON, || members(&fleet, "catalog.test") == 3);
    let status = fleet.hub.wait_status("the hold is told", |status| {
        catalog(status, "another.test")["fault"].to_string().contains("a freeze")
    });
    assert_eq!(catalog(&status, "another.test")["members"], 2);
    fleet.hub.must(&["zone", "unhold", "another.test"]);
    wait_until("the other one lists it, too", SOON, || members(&fleet, "another.test") == 3);
}

#[test]
fn a_standby_that_becomes_the_hub_takes_no_zone_from_the_catalog() {
    if !has_programs("a standby that becomes the hub", &["dig"]) {
        return;
    }
    let mut fleet = Fleet::new(MADE, &follows("catalog.test", ""));
    let zones: Vec<String> = (0..12).map(|number| format!("z{number}.test")).collect();
    zones.iter().for_each(|zone| fleet.deploy(zone));
    fleet.hub.start(&fleet.lab);
    fleet.pop.start(&fleet.lab);
    fleet.pop.wait_status("it follows", |status| catalog(status, "catalog.test")["members"] == 12);
    for zone in &zones {
        fleet.wait_serves(zone);
    }
    let serial = fleet.pop.status().map(|status| catalog(&status, "catalog.test")["serial"].clone());
    // What it has becomes files, and it makes the catalog.
    let files = fleet.lab.subdirectory("zones-standby");
    for zone in &zones {
        std::fs::write(files.join(format!("{zone}.zone")), fleet.pop.must(&["zone", "export", zone]))
            .unwrap();
    }
    fleet.hub.kill();
    let state = fleet.lab.subdirectory("state-pop");
    let own =
        format!("[zones]\ndirectory = \"{}\"\nstate-directory = \"{}\"\n", files.display(), state.display());
    let base = base_config(&fleet.lab, "pop", [POP, "2001:db8:1::2"], "dry-run", &own);
    let sends = format!("allow = [{{ from = \"{HUB}\", keys = [\"hub.\"] }}]\n");
    fleet.pop.write_config(&format!("{base}[transfer]\nlisten = [\"{POP}:5353\"]\n{sends}{HUB_KEY}{MADE}"));
    fleet.pop.must(&["reload"]);
    let status = fleet.pop.wait_status("it makes the catalog", |status| {
        let made = catalog(status, "catalog.test");
        made["produced"] == true && made["members"] == 12
    });
    let made = catalog(&status, "catalog.test");
    assert!(made["held"] == 0 && made["fault"].is_null(), "{made:#}");
    // The list is what it was, so that no version was made: none of them without zones.
    assert_eq!(Some(&made["serial"]), serial.as_ref());
    assert!(zones.iter().all(|zone| zone_status(&status, zone).is_some_and(|found| found["serial"] == 1)));
}
