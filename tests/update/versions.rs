//! What operators do about versions, at a hub and at a POP: digests compared, a hold, a refused version looked at, the way back.

use serde_json::Value;

use crate::fleet::{FILES, Fleet};
use crate::hub::ZONE;
use crate::support::anyns::{Anyns, BOUND, zone_status};
use crate::support::skip::has_programs;
use crate::support::wait::wait_until;

fn text(serial: u32, more: &str) -> String {
    format!(
        "$ORIGIN {FILES}.\n$TTL 60\n@ IN SOA ns1 host {serial} 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.1\n{more}"
    )
}

/// The status of the zone once it is so.
fn wait(anyns: &Anyns, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let status = anyns.wait_status(what, |status| zone_status(status, FILES).is_some_and(&wanted));
    zone_status(&status, FILES).cloned().unwrap_or_default()
}

/// The digest of this serial.
fn digest(anyns: &Anyns, serial: u32) -> String {
    let zone = wait(anyns, "the digest", |zone| zone["serial"] == serial && zone["digest"].is_string());
    zone["digest"].as_str().expect("text").to_owned()
}

#[test]
fn versions_are_compared_held_refused_and_rolled_back() {
    if !has_programs("versions of a hub and a POP", &["dig"]) {
        return;
    }
    let mut fleet = Fleet::new();
    let config = std::fs::read_to_string(fleet.pop.config()).unwrap();
    let config = config.split("\n[control]\n").next().unwrap();
    fleet.pop.write_config(&config.replace(
        &format!("name = \"{FILES}\"\n"),
        &format!("name = \"{FILES}\"\nmust-have = [\"keep A\"]\n"),
    ));
    fleet.deploy(&text(1, "keep IN A 192.0.2.7\n"));
    fleet.start_hub();
    fleet.start_pop();
    let (hub, pop) = (fleet.at_hub(), fleet.at_pop());
    let (hub_anyns, pop_anyns) = (&fleet.hub.anyns, &fleet.pop);
    wait_until("the POP has the zone", BOUND, || pop.serial(FILES) == Some(1));
    let first = digest(hub_anyns, 1);
    assert_eq!((first.len(), &first), (96, &digest(pop_anyns, 1)));
    assert!(pop_anyns.must(&["zone", "status", FILES]).contains(&first));
    // Held: what is new stays outside, and the status says why.
    let said = pop_anyns.must(&["zone", "hold", FILES, "--reason", "the hub is being rebuilt"]);
    assert!(said.contains("also over a restart"), "{said}");
    fleet.deploy(&text(2, "keep IN A 192.0.2.8\n"));
    wait_until("the hub serves it", BOUND, || hub.serial(FILES) == Some(2));
    wait(pop_anyns, "it is refused", |zone| zone["transfer"]["refused"] == 2);
    assert_eq!(pop.serial(FILES), Some(1));
    let page = pop_anyns.command(&["zone", "status", FILES]).text;
    assert!(page.contains("the hub is being rebuilt") && page.contains("unhold"), "{page}");
    pop_anyns.must(&["zone", "unhold", FILES]);
    wait_until("the POP goes on", BOUND, || pop.serial(FILES) == Some(2));
    assert_ne!(digest(pop_anyns, 2), first);
    // A version that a rule of the POP refuses is kept, and can be looked at.
    fleet.deploy(&text(3, "other IN A 192.0.2.9\n"));
    wait_until("the hub serves it", BOUND, || hub.serial(FILES) == Some(3));
    let zone = wait(pop_anyns, "it is refused", |zone| zone["transfer"]["refused"] == 3);
    assert!(zone.to_string().contains("no A record at keep.files.test."), "{zone:#}");
    let difference = pop_anyns.must(&["zone", "diff", FILES, "refused"]);
    for part in ["- keep.files.test. 60 IN A 192.0.2.8", "+ other.files.test. 60 IN A 192.0.2.9"] {
        assert!(difference.contains(part), "{difference}");
    }
    // The way back is at the hub.
    let said = pop_anyns.command(&["zone", "rollback", FILES]);
    assert!(said.code != 0 && said.text.contains("roll it back there"), "{}", said.text);
    let said = hub_anyns.must(&["zone", "rollback", FILES]);
    assert!(said.contains("content of 2 again, under serial 4"), "{said}");
    wait_until("the POP follows", BOUND, || pop.serial(FILES) == Some(4));
    assert_eq!(digest(hub_anyns, 4), digest(pop_anyns, 4));
    let (_, lines) = pop.zone(FILES).expect("the zone");
    assert!(lines.iter().any(|line| line == "keep.files.test. 60 IN A 192.0.2.8"), "{lines:?}");
    // Without a serial the way back once more would be the way to the version that was left.
    let said = hub_anyns.command(&["zone", "rollback", FILES]);
    assert!(said.code != 0 && said.text.contains("has the content of 2 again"), "{}", said.text);
    assert_eq!(hub.serial(FILES), Some(4));
    // The rejected file does not come back.
    hub_anyns.must(&["reload"]);
    assert_eq!(hub.serial(FILES), Some(4));
    let told = hub_anyns.must(&["zone", "history", FILES]);
    assert!(told.contains("3 -> 4  rollback (back to 2)") && told.contains("2 -> 3  file, "), "{told}");
    let told = pop_anyns.must(&["zone", "history", FILES]);
    assert!(told.contains("2 -> 4  transfer (primary ") && told.contains("1 -> 2  "), "{told}");
    let said = hub_anyns.command(&["zone", "rollback", FILES, "99"]);
    assert!(said.code != 0 && said.text.contains("does not lead back"), "{}", said.text);
    // Other content under the serial that the secondaries have is not accepted, nor is that offered.
    fleet.deploy(&text(4, "keep IN A 192.0.2.9\n"));
    let zone = wait(hub_anyns, "it is refused", |zone| zone["refused_serial"] == 4);
    let fault = zone["faults"].to_string();
    assert!(fault.contains("raise the serial") && !fault.contains("zone accept"), "{fault}");
    let said = hub_anyns.command(&["zone", "accept", FILES, "4"]);
    assert!(said.code != 0 && said.text.contains("secondaries have serial 4"), "{}", said.text);
    let said = hub_anyns.command(&["zone", "accept", "*"]);
    assert!(said.code != 0 && said.text.contains("secondaries have serial 4"), "{}", said.text);
    assert_eq!(digest(hub_anyns, 4), digest(pop_anyns, 4));
    fleet.deploy(&text(5, "keep IN A 192.0.2.8\n"));
    wait_until("a new version is taken", BOUND, || pop.serial(FILES) == Some(5));
}

#[test]
fn what_is_in_no_file_is_not_removed_by_order() {
    if !has_programs("zones that an order must not remove", &["dig"]) {
        return;
    }
    let mut fleet = Fleet::new();
    fleet.deploy(&text(1, ""));
    fleet.start_hub();
    fleet.start_pop();
    let (hub, pop) = (fleet.at_hub(), fleet.at_pop());
    wait_until("the POP has both", BOUND, || [ZONE, FILES].iter().all(|zone| pop.serial(zone) == Some(1)));
    // The seed is read once, and may go.
    std::fs::remove_file(fleet.hub.lab.directory().join("seed.zone")).expect("removed");
    let said = fleet.hub.anyns.command(&["zone", "remove", ZONE]);
    assert!(said.code != 0 && said.text.contains(&format!("anyns zone export {ZONE}")), "{}", said.text);
    for zone in [ZONE, FILES] {
        let said = fleet.pop.command(&["zone", "remove", zone]);
        assert!(said.code != 0 && said.text.contains("comes from primaries"), "{}", said.text);
    }
    assert_eq!([hub.serial(ZONE), pop.serial(ZONE), pop.serial(FILES)], [Some(1); 3]);
}
