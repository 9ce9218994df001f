//! Orders for each zone that a pattern takes.

use serde_json::Value;

use crate::support::anyns::zone_status;
use crate::support::pop::{Alone, deploy, replace, state_directory};

const ZONES: [&str; 3] = ["a.many.test", "b.many.test", "other.test"];

fn text(serial: u32, hosts: u8) -> String {
    let hosts: String = (1..=hosts).map(|host| format!("h{host} A 192.0.2.{host}\n")).collect();
    format!("$TTL 60\n@ SOA ns1 host {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n{hosts}")
}

/// Waits until each zone of [`ZONES`] is as it should be.
fn wait(alone: &Alone, what: &str, wanted: impl Fn(&str, &Value) -> bool) {
    alone.anyns.wait_status(what, |status| {
        ZONES.iter().all(|zone| zone_status(status, zone).is_some_and(|found| wanted(zone, found)))
    });
}

#[test]
fn an_order_is_given_to_each_zone_that_a_pattern_takes() {
    let mut alone = Alone::new("");
    let put = |serial, hosts| {
        for zone in ZONES {
            replace(&alone.zones.join(format!("{zone}.zone")), &text(serial, hosts));
        }
    };
    put(1, 20);
    alone.anyns.start(&alone.lab);
    wait(&alone, "all are served", |_, zone| zone["serial"] == 1);
    let is_many = |zone: &str| zone.ends_with("many.test");

    // Holds of many zones are kept together: it is one order, which fails as one.
    let fresh = state_directory(&alone.lab, "alone").join("held-zones.new");
    std::fs::create_dir(&fresh).expect("made");
    let said = alone.anyns.command(&["zone", "hold", "*", "--reason", "a freeze"]);
    assert_eq!(
        (said.code, said.text.matches("cannot keep which zones are held").count()),
        (1, 1),
        "{}",
        said.text
    );
    std::fs::remove_dir(&fresh).expect("removed");
    let said = alone.anyns.must(&["zone", "hold", "*.many.test", "--reason", "a freeze"]);
    assert_eq!(said.lines().count(), 2, "a line for each: {said}");
    wait(&alone, "two are held", |zone, found| found["is_held"] == is_many(zone));
    put(2, 21);
    wait(&alone, "the third goes on", |zone, found| found["serial"] == if is_many(zone) { 1 } else { 2 });
    alone.anyns.must(&["zone", "unhold", "*"]);
    wait(&alone, "all go on", |_, found| found["serial"] == 2 && found["is_held"] == false);
    let said = alone.anyns.command(&["zone", "unhold", "*"]);
    assert!(said.code == 1 && said.text.contains("is held"), "{}", said.text);

    // Each goes back by one version; what cannot is told, and keeps no other from it.
    deploy(&alone.zones, "new.many.test", 1);
    alone.anyns.wait_status("a new zone is served", |status| {
        zone_status(status, "new.many.test").is_some_and(|found| found["serial"] == 1)
    });
    let said = alone.anyns.command(&["zone", "rollback", "*.many.test"]);
    assert!(said.code == 1 && said.text.contains("new.many.test"), "{}", said.text);
    wait(&alone, "two went back", |zone, found| found["serial"] == if is_many(zone) { 3 } else { 2 });

    // Their serials go backwards.
    put(1, 3);
    wait(&alone, "all are refused", |_, found| found["refused_serial"] == 1);
    let said = alone.anyns.command(&["zone", "accept", "a.many.test"]);
    assert!(said.code == 1 && said.text.contains("the serial is missing"), "{}", said.text);
    let said = alone.anyns.command(&["zone", "accept", "*.many.test", "1"]);
    assert!(said.code == 1 && said.text.contains("leave the serial out"), "{}", said.text);
    alone.anyns.must(&["zone", "accept", "*.many.test"]);
    wait(&alone, "two are accepted", |zone, found| found["serial"] == if is_many(zone) { 1 } else { 2 });
    let said = alone.anyns.command(&["zone", "accept", "*.many.test"]);
    assert!(said.code == 1 && said.text.contains("is refused"), "{}", said.text);
    // Orders for one zone say that they take no pattern.
    for order in ["remove", "refresh", "retransfer", "history", "diff", "export"] {
        let said = alone.anyns.command(&["zone", order, "*.many.test"]);
        assert!(said.code == 1 && said.text.contains("not a pattern"), "{order}: {}", said.text);
    }
    let said = alone.anyns.command(&["zone", "diff", "a.many.test", "77", "78"]);
    assert!(said.code == 1 && said.text.contains("from 77 to 78"), "{}", said.text);
    // A hold of a zone that has gone ends with the others of its pattern.
    alone.anyns.must(&["zone", "hold", "*.many.test", "--reason", "a freeze"]);
    let gone = alone.zones.join("b.many.test.zone");
    std::fs::remove_file(&gone).expect("removed");
    let said = alone.anyns.must(&["zone", "remove", "b.many.test"]);
    assert!(said.contains("it is still held") && said.contains("anyns zone unhold b.many.test"), "{said}");
    alone.anyns.wait_status("it is gone", |status| zone_status(status, "b.many.test").is_none());
    let said = alone.anyns.must(&["zone", "unhold", "*.many.test"]);
    assert!(said.contains("b.many.test. takes new versions again") && said.lines().count() == 3, "{said}");
    replace(&gone, &text(1, 3));
    wait(&alone, "it came back, and none is held", |zone, found| {
        found["serial"] == if is_many(zone) { 1 } else { 2 } && found["is_held"] == false
    });
    // Of one that is not held the answer says nothing of a hold.
    std::fs::remove_file(&gone).expect("removed");
    let said = alone.anyns.must(&["zone", "remove", "b.many.test"]);
    assert!(said.contains("is no longer served") && !said.contains("held"), "{said}");
}
