//! Two catalogs list the same zone (RFC 9432 section 5.2): which of them has it at an empty POP, and that nothing but its owner changes that.

use std::time::Duration;

use crate::catalog::{Fleet, catalog, follows, pop_config};
use crate::support::anyns::{BOUND, zone_status};
use crate::support::skip::has_programs;
use crate::support::wait::{holds_for, wait_until};

const ZONE: &str = "z0.test";

fn owner(fleet: &Fleet) -> String {
    let status = fleet.pop.status().unwrap_or_default();
    zone_status(&status, ZONE).map(|zone| zone["catalog"].to_string()).unwrap_or_default()
}

/// Waits for the alarm of the clash, which names both; this one has the zone.
fn wait_owner(fleet: &Fleet, has: &str, has_not: &str) {
    let alarm = format!(
        "catalog {has_not}.: not taken from it: {ZONE}. is a member of the catalog {has}., which has it"
    );
    fleet.pop.wait_status("the clash is told", |status| status["alarms"].to_string().contains(&alarm));
    fleet.wait_serves(ZONE);
    assert_eq!(owner(fleet), format!("\"{has}.\""));
}

#[test]
fn of_several_new_catalogs_the_first_of_the_configuration_has_a_zone_whichever_comes_first() {
    if !has_programs("two catalogs with one zone", &["dig"]) {
        return;
    }
    let followed = follows("one.cat", "") + &follows("two.cat", "");
    let mut fleet = Fleet::new("", &followed);
    [ZONE, "z1.test"].iter().for_each(|zone| fleet.deploy(zone));
    let of_two = ["x.zones IN PTR z0.test.", "y.zones IN PTR z1.test."];
    fleet.deploy_catalog("two.cat", 1, &of_two);
    fleet.hub.start(&fleet.lab);
    fleet.pop.start(&fleet.lab);
    // The second has come, and its zones wait for the first.
    fleet.pop.wait_zone("two.cat", "served", Some(1));
    holds_for("nothing is taken yet", Duration::from_secs(1), || owner(&fleet).is_empty());
    assert!(!fleet.serves(ZONE) && !fleet.serves("z1.test"));
    fleet.deploy_catalog("one.cat", 1, &["a.zones IN PTR z0.test."]);
    fleet.hub.wait_zone("one.cat", "served", Some(1));
    fleet.pop.must(&["zone", "refresh", "one.cat"]);
    wait_owner(&fleet, "one.cat", "two.cat");
    println!("a zone of the second alone: {:.2?}", fleet.wait_serves("z1.test"));
    fleet.pop.wait_announces();
    // Nor does a restart, another order or a new catalog in front of them change that.
    fleet.pop.kill();
    fleet.pop.start(&fleet.lab);
    wait_owner(&fleet, "one.cat", "two.cat");
    fleet.deploy_catalog("new.cat", 1, &["n.zones IN PTR z0.test."]);
    fleet.hub.wait_zone("new.cat", "served", Some(1));
    let others = follows("new.cat", "") + &follows("two.cat", "") + &follows("one.cat", "");
    fleet.pop.write_config(&pop_config(&fleet.lab, &others));
    fleet.pop.must(&["reload"]);
    wait_owner(&fleet, "one.cat", "new.cat");
    wait_owner(&fleet, "one.cat", "two.cat");
    // An empty POP with this configuration: the new one is the first.
    fleet.pop.kill();
    std::fs::remove_dir_all(fleet.lab.subdirectory("state-pop")).expect("removed");
    fleet.pop.start(&fleet.lab);
    wait_owner(&fleet, "new.cat", "one.cat");
    // Its owner gives it up: the first of the others has it.
    fleet.deploy_catalog("new.cat", 2, &[]);
    wait_until("the next one has it", BOUND, || owner(&fleet) == "\"two.cat.\"");
    wait_owner(&fleet, "two.cat", "one.cat");
    assert_eq!(catalog(&fleet.pop.status().unwrap(), "new.cat")["clashes"], 0);
}
