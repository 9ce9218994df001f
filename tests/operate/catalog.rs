//! Catalog zones (RFC 9432) in use: a hub lists its zones, a POP follows; members come and go without a restart, many removals wait for
//! an order, a restart without the hub has the same zones, and an empty POP announces when the zones have come or failed.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::support::anyns::{Anyns, BOUND, every_intent, zone_status};
use crate::support::lab::{Lab, Space};
use crate::support::pop::{HUB_KEY, base_config, hub_and_pop, replace};
use crate::support::process::Process;
use crate::support::skip::has_programs;
use crate::support::wait::{holds_for, wait_until};

pub(crate) const HUB: &str = "198.18.1.1";
pub(crate) const POP: &str = "198.18.1.2";
const SERVED: &str = "@192.0.2.53";
/// Where nobody is: a connection fails after some seconds.
const NOBODY: &str = "198.18.1.99";

pub(crate) struct Fleet {
    pub(crate) hub: Anyns,
    pub(crate) pop: Anyns,
    pub(crate) zones: PathBuf,
    pub(crate) hub_space: Space,
    pub(crate) pop_space: Space,
    pub(crate) lab: Lab,
}

impl Fleet {
    /// A hub with these catalogs, and a POP that follows these; nothing runs yet.
    pub(crate) fn new(made: &str, followed: &str) -> Self {
        let mut lab = Lab::new();
        let (hub_space, pop_space) = hub_and_pop(&mut lab);
        let zones = lab.subdirectory("zones-hub");
        let hub = Anyns::new(&lab, &hub_space, "hub", &hub_config(&lab, made));
        let pop = Anyns::new(&lab, &pop_space, "pop", &pop_config(&lab, followed));
        Self { hub, pop, zones, hub_space, pop_space, lab }
    }

    pub(crate) fn deploy(&self, zone: &str) {
        let text = format!(
            "$ORIGIN {zone}.\n$TTL 60\n@ IN SOA ns1 hostmaster 1 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\n"
        );
        replace(&self.zones.join(format!("{zone}.zone")), &text);
    }

    /// A catalog as a zone file, by hand.
    pub(crate) fn deploy_catalog(&self, catalog: &str, serial: u32, members: &[&str]) {
        let members: String = members.iter().map(|line| format!("{line}\n")).collect();
        let text = format!(
            "$ORIGIN {catalog}.\n$TTL 0\n@ IN SOA invalid. invalid. {serial} 3600 600 86400 0\n@ IN NS invalid.\nversion IN TXT \"2\"\n{members}"
        );
        replace(&self.zones.join(format!("{catalog}.zone")), &text);
    }

    /// Takes a zone out of the hub.
    pub(crate) fn take_out(&self, zone: &str) {
        std::fs::remove_file(self.zones.join(format!("{zone}.zone"))).expect("removed");
        self.hub.must(&["zone", "remove", zone]);
    }

    pub(crate) fn dig(&self, arguments: &[&str]) -> String {
        let output = self.pop_space.command("dig").args(["+time=2", "+tries=1"]).args(arguments).output();
        String::from_utf8_lossy(&output.expect("dig runs").stdout).into_owned()
    }

    pub(crate) fn serves(&self, zone: &str) -> bool {
        self.dig(&[SERVED, zone, "SOA"]).contains("NOERROR")
    }

    pub(crate) fn wait_serves(&self, zone: &str) -> Duration {
        wait_until(&format!("the POP serves {zone}"), BOUND, || self.serves(zone))
    }

    fn wait_gone(&self, zone: &str) -> Duration {
        wait_until(&format!("the POP refuses {zone}"), BOUND, || {
            self.dig(&[SERVED, zone, "SOA"]).contains("REFUSED")
        })
    }
}

/// The configuration of the hub, with these catalogs.
pub(crate) fn hub_config(lab: &Lab, made: &str) -> String {
    let zones = lab.subdirectory("zones-hub");
    let state = lab.subdirectory("state-hub");
    let zones =
        format!("[zones]\ndirectory = \"{}\"\nstate-directory = \"{}\"\n", zones.display(), state.display());
    let base = base_config(lab, "hub", [HUB, "2001:db8:1::1"], "dry-run", &zones);
    format!(
        "{base}[transfer]\nlisten = [\"{HUB}:5353\"]\nallow = [{{ from = \"198.18.1.0/24\", keys = [\"hub.\"] }}]\n\
         notify = [{{ address = \"{POP}:5353\", key = \"hub.\" }}]\n{HUB_KEY}{made}"
    )
}

pub(crate) fn pop_config(lab: &Lab, followed: &str) -> String {
    let state = lab.subdirectory("state-pop");
    let zones = format!("[zones]\nstate-directory = \"{}\"\n", state.display());
    let base = base_config(lab, "pop", [POP, "2001:db8:1::2"], "dry-run", &zones);
    format!("{base}[transfer]\nlisten = [\"{POP}:5353\"]\n{HUB_KEY}{followed}")
}

/// `[[catalog]]` of a POP.
pub(crate) fn follows(catalog: &str, more: &str) -> String {
    format!(
        "[[catalog]]\nname = \"{catalog}\"\nprimaries = [{{ address = \"{HUB}:5353\", key = \"hub.\" }}]\n{more}"
    )
}

/// What the status says of a catalog.
pub(crate) fn catalog<'s>(status: &'s Value, name: &str) -> &'s Value {
    let all = status["catalogs"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().find(|one| one["name"] == format!("{name}.")).unwrap_or(&Value::Null)
}

fn reasons(status: &Value) -> String {
    status["prefixes"].to_string()
}

fn alarms(status: &Value) -> String {
    status["alarms"].to_string()
}

#[test]
fn a_pop_follows_the_catalog_of_its_hub() {
    if !has_programs("a POP that follows a catalog", &["dig"]) {
        return;
    }
    const MADE: &str = "[[catalog]]\nname = \"catalog.test\"\nproduce = true\n";
    let mut fleet = Fleet::new(MADE, &follows("catalog.test", ""));
    let zones: Vec<String> = (0..20).map(|number| format!("z{number}.test")).collect();
    zones.iter().for_each(|zone| fleet.deploy(zone));
    // An empty POP without its hub announces nothing.
    fleet.pop.start(&fleet.lab);
    fleet.pop.wait_status("nothing is served", |status| reasons(status).contains("not one zone is served"));
    fleet.hub.start(&fleet.lab);
    let took = wait_until("the POP has all zones", BOUND, || zones.iter().all(|zone| fleet.serves(zone)));
    println!("20 zones, after the hub has started: {took:.2?}");
    fleet.pop.wait_announces();
    let status = fleet.pop.wait_status("20 members", |status| {
        let catalog = catalog(status, "catalog.test");
        catalog["members"] == 20 && catalog["awaited"] == 0 && catalog["produced"] == false
    });
    assert_eq!(zone_status(&status, "z7.test").unwrap()["catalog"], "catalog.test.", "{status:#}");
    let page = fleet.pop.must(&["zone", "status", "z7.test"]);
    assert!(page.contains("catalog") && page.contains("catalog.test."), "{page}");
    // The catalog is for secondaries alone.
    for question in ["catalog.test", "version.catalog.test"] {
        let answer = fleet.dig(&[SERVED, question, "TXT"]);
        assert!(answer.contains("REFUSED"), "{answer}");
    }
    let key = "-yhmac-sha256:hub.:c2VjcmV0IG9mIHRoZSBodWIgYW5kIHRoZSBQT1A=";
    let whole = fleet.dig(&[key, &format!("@{HUB}"), "-p", "5353", "catalog.test", "AXFR"]);
    assert!(whole.contains("version.catalog.test.") && whole.contains("z19.test."), "{whole}");
    let whole = fleet.dig(&[&format!("@{HUB}"), "-p", "5353", "catalog.test", "AXFR"]);
    assert!(!whole.contains("z19.test."), "without a key: {whole}");
    // A zone comes, without a restart and without a reload of the POP.
    fleet.deploy("new.test");
    println!("a new zone, from its file at the hub to the POP: {:.2?}", fleet.wait_serves("new.test"));
    // One goes; it is out of service, and its data is kept.
    fleet.take_out("new.test");
    println!("a zone that goes: {:.2?}", fleet.wait_gone("new.test"));
    let status =
        fleet.pop.wait_status("it is kept", |status| catalog(status, "catalog.test")["removed"] == 1);
    assert!(zone_status(&status, "new.test").is_none(), "{status:#}");
    // The hub dies. A POP that starts anew has what the catalog lists, and nothing else.
    fleet.hub.kill();
    fleet.pop.kill();
    fleet.pop.start(&fleet.lab);
    let took =
        wait_until("the POP serves what it had", BOUND, || zones.iter().all(|zone| fleet.serves(zone)));
    println!("a restart without the hub: {took:.2?}");
    fleet.pop.wait_announces();
    assert!(fleet.dig(&[SERVED, "new.test", "SOA"]).contains("REFUSED"));
    let status =
        fleet.pop.wait_status("the same catalog", |status| catalog(status, "catalog.test")["members"] == 20);
    assert_eq!(catalog(&status, "catalog.test")["removed"], 1, "{status:#}");
    // It comes back.
    fleet.hub.start(&fleet.lab);
    fleet.deploy("new.test");
    println!("a zone that comes back: {:.2?}", fleet.wait_serves("new.test"));
    // Most zones leave the list by one wrong edit of the hub: the hub holds them, and what comes is added.
    let only_new = format!("{MADE}zones = [\"n*\"]\n");
    fleet.hub.write_config(&hub_config(&fleet.lab, &only_new));
    fleet.hub.must(&["reload"]);
    let status =
        fleet.hub.wait_status("the hub holds them", |status| catalog(status, "catalog.test")["held"] == 20);
    let serial = catalog(&status, "catalog.test")["held_serial"].to_string();
    assert!(alarms(&status).contains(&format!("anyns catalog accept catalog.test. {serial}")), "{status:#}");
    fleet.deploy("next.test");
    fleet.wait_serves("next.test");
    assert!(zones.iter().all(|zone| fleet.serves(zone)), "they stay");
    let serial =
        fleet.hub.wait_status("they are still held", |status| catalog(status, "catalog.test")["held"] == 20);
    let serial = catalog(&serial, "catalog.test")["held_serial"].to_string();
    assert_ne!(fleet.hub.command(&["catalog", "accept", "catalog.test", "1"]).code, 0, "another serial");
    assert_ne!(fleet.hub.command(&["catalog", "accept", "other.test", &serial]).code, 0);
    // One order at the hub, and the fleet follows: no POP asks again.
    fleet.hub.must(&["catalog", "accept", "catalog.test", &serial]);
    println!("accepted at the hub: {:.2?}", fleet.wait_gone("z0.test"));
    wait_until("all are gone", BOUND, || zones.iter().all(|zone| !fleet.serves(zone)));
    assert!(fleet.serves("new.test") && fleet.serves("next.test"));
    fleet.pop.wait_status("nothing waits", |status| {
        let catalog = catalog(status, "catalog.test");
        catalog["held"] == 0 && catalog["removed"] == 20 && catalog["members"] == 2
    });
    // Back again: from what the POP has kept, and from the hub.
    fleet.hub.write_config(&hub_config(&fleet.lab, MADE));
    fleet.hub.must(&["reload"]);
    println!("all are back: {:.2?}", fleet.wait_serves("z0.test"));
    wait_until("all are back", BOUND, || zones.iter().all(|zone| fleet.serves(zone)));
}

#[test]
fn removals_owners_labels_and_clashes_at_a_pop() {
    if !has_programs("a POP that follows two catalogs", &["dig"]) {
        return;
    }
    let group = "[[catalog.group]]\nname = \"stale\"\nexpired = \"stale\"\n";
    let followed = follows("one.cat", &format!("removal-limit = 5\n{group}")) + &follows("two.cat", "");
    let mut fleet = Fleet::new("", &followed);
    let zones: Vec<String> = (0..12).map(|number| format!("z{number}.test")).collect();
    zones.iter().for_each(|zone| fleet.deploy(zone));
    let lines: Vec<String> =
        zones.iter().enumerate().map(|(number, zone)| format!("m{number}.zones IN PTR {zone}.")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    fleet.deploy_catalog("one.cat", 1, &lines);
    fleet.deploy_catalog("two.cat", 1, &["x.zones IN PTR z1.test."]);
    fleet.hub.start(&fleet.lab);
    fleet.pop.start(&fleet.lab);
    wait_until("the POP has all zones", BOUND, || zones.iter().all(|zone| fleet.serves(zone)));
    // A zone in two catalogs stays with one, and that is said.
    let status = fleet.pop.wait_status("the clash is told", |status| {
        catalog(status, "one.cat")["clashes"] == 1 || catalog(status, "two.cat")["clashes"] == 1
    });
    assert!(alarms(&status).contains("z1.test. is a member of the catalog"), "{status:#}");
    let owner = zone_status(&status, "z1.test").unwrap()["catalog"].as_str().unwrap().to_owned();
    // The owner hands it over; with the same label it is served on.
    let (old, new) = if owner == "one.cat." { ("one.cat", "two.cat") } else { ("two.cat", "one.cat") };
    let label = if old == "one.cat" { "m1" } else { "x" };
    let own = |label: &str| {
        vec![format!("{label}.zones IN PTR z1.test."), format!("coo.{label}.zones IN PTR {new}.")]
    };
    let handed = match old {
        "one.cat" => lines.iter().map(|line| (*line).to_owned()).chain(own(label).pop()).collect(),
        _ => own(label),
    };
    let handed: Vec<&str> = handed.iter().map(String::as_str).collect();
    fleet.deploy_catalog(old, 2, &handed);
    let status = fleet.pop.wait_status("the other catalog has it", |status| {
        zone_status(status, "z1.test").is_some_and(|zone| zone["catalog"] == format!("{new}."))
    });
    assert!(!alarms(&status).contains("z1.test"), "no clash any more: {status:#}");
    fleet.wait_serves("z1.test");
    // An emptied catalog: nothing goes, what comes is added, also after a restart.
    fleet.deploy_catalog("one.cat", 3, &["n.zones IN PTR late.test."]);
    fleet.deploy("late.test");
    let held = |status: &Value| catalog(status, "one.cat")["held"].as_u64() > Some(9);
    let status = fleet.pop.wait_status("removals wait", held);
    assert!(alarms(&status).contains("anyns catalog accept one.cat. 3"), "{status:#}");
    fleet.wait_serves("late.test");
    assert!(zones.iter().all(|zone| fleet.serves(zone)), "they stay");
    fleet.pop.kill();
    fleet.pop.start(&fleet.lab);
    fleet.pop.wait_status("removals wait after a restart", held);
    wait_until("they stay", BOUND, || zones.iter().all(|zone| fleet.serves(zone)));
    // A broken version changes nothing, and is told.
    let broken =
        "$ORIGIN one.cat.\n$TTL 0\n@ IN SOA invalid. invalid. 4 3600 600 86400 0\n@ IN NS invalid.\n";
    replace(&fleet.zones.join("one.cat.zone"), broken);
    fleet.hub.wait_zone("one.cat", "served", Some(4));
    let status = fleet.pop.wait_status("it is told", |status| !catalog(status, "one.cat")["fault"].is_null());
    assert!(alarms(&status).contains("has no version"), "{status:#}");
    assert!(zones.iter().all(|zone| fleet.serves(zone)), "they stay");
    fleet.deploy_catalog("one.cat", 5, &["n.zones IN PTR late.test."]);
    fleet.pop.wait_status("removals wait", |status| catalog(status, "one.cat")["held_serial"] == 5);
    assert_ne!(fleet.pop.command(&["catalog", "accept", "one.cat", "2"]).code, 0, "another serial");
    fleet.pop.must(&["catalog", "accept", "one.cat", "5"]);
    println!("accepted at the POP: {:.2?}", fleet.wait_gone("z0.test"));
    assert!(fleet.serves("late.test"));
    // They come back with what was kept of them, while the hub does not have them: but one whose label is another one begins anew.
    ["z2.test", "z3.test"].iter().for_each(|zone| fleet.take_out(zone));
    fleet.deploy_catalog(
        "one.cat",
        6,
        &[
            "n.zones IN PTR late.test.",
            "m2.zones IN PTR z2.test.",
            "other.zones IN PTR z3.test.",
            "group.m2.zones IN TXT stale",
        ],
    );
    println!("from what was kept: {:.2?}", fleet.wait_serves("z2.test"));
    let anew = fleet.pop.wait_zone("z3.test", "refused", None);
    assert_eq!(zone_status(&anew, "z3.test").unwrap()["catalog"], "one.cat.");
    // The POP names one itself: it is the configuration's, and served on.
    let own = format!(
        "[[zone]]\nname = \"late.test\"\nprimaries = [{{ address = \"{HUB}:5353\", key = \"hub.\" }}]\n"
    );
    fleet.pop.write_config(&pop_config(&fleet.lab, &format!("{followed}{own}")));
    fleet.pop.must(&["reload"]);
    let status =
        fleet.pop.wait_status("the clash is told", |status| catalog(status, "one.cat")["clashes"] == 1);
    assert!(zone_status(&status, "late.test").unwrap()["catalog"].is_null(), "{status:#}");
    holds_for("it is served on", Duration::from_millis(500), || fleet.serves("late.test"));
    // And back: no moment without it.
    fleet.pop.write_config(&pop_config(&fleet.lab, &followed));
    fleet.pop.must(&["reload"]);
    fleet.pop.wait_status("the catalog has it again", |status| {
        zone_status(status, "late.test").is_some_and(|zone| zone["catalog"] == "one.cat.")
    });
    assert!(fleet.serves("late.test"));
    // A catalog leaves the configuration, maybe by a mistyped name: not with many zones, unless that is wanted.
    fleet.pop.write_config(&pop_config(&fleet.lab, &follows("two.cat", "")));
    let said = fleet.pop.command(&["reload"]);
    assert!(said.code != 0 && said.text.contains("the catalog one.cat. would leave"), "{}", said.text);
    assert!(fleet.serves("late.test"));
    let wanted = follows("one.cat", "removal-limit-percent = 100\n") + &follows("two.cat", "");
    fleet.pop.write_config(&pop_config(&fleet.lab, &wanted));
    fleet.pop.must(&["reload"]);
    fleet.pop.write_config(&pop_config(&fleet.lab, &follows("two.cat", "")));
    fleet.pop.must(&["reload"]);
    fleet.wait_gone("late.test");
}

#[test]
fn an_empty_pop_announces_when_its_zones_have_come_or_failed() {
    if !has_programs("the first announcement of an empty POP", &["dig"]) {
        return;
    }
    let group = |ready: u8| {
        format!(
            "ready-percent = {ready}\n[[catalog.group]]\nname = \"far\"\nprimaries = [{{ address = \"{NOBODY}\" }}]\n"
        )
    };
    let mut fleet = Fleet::new("", &follows("one.cat", &group(100)));
    (0..3).for_each(|number| fleet.deploy(&format!("z{number}.test")));
    fleet.deploy_catalog(
        "one.cat",
        1,
        &[
            "a.zones IN PTR z0.test.",
            "b.zones IN PTR z1.test.",
            "c.zones IN PTR z2.test.",
            "d.zones IN PTR far.test.",
            "group.d.zones IN TXT far",
        ],
    );
    fleet.hub.start(&fleet.lab);
    fleet.pop.start(&fleet.lab);
    for zone in ["z0.test", "z1.test", "z2.test"] {
        fleet.wait_serves(zone);
    }
    // One zone has neither come nor failed: nobody hears of this POP yet.
    let status = fleet.pop.wait_status("it waits for the last zone", |status| {
        catalog(status, "one.cat")["awaited"] == 1
            && reasons(status).contains("catalogs and their zones are on their way")
    });
    assert!(!every_intent(&status, "announce"), "{status:#}");
    let took = wait_until("it announces once that has failed", BOUND, || {
        fleet.pop.status().is_some_and(|status| every_intent(&status, "announce"))
    });
    println!("announced after the last zone has failed: {took:.2?}");
    // With a threshold it does not wait for the last one.
    fleet.pop.kill();
    std::fs::remove_dir_all(fleet.lab.subdirectory("state-pop")).expect("removed");
    fleet.pop.write_config(&pop_config(&fleet.lab, &follows("one.cat", &group(75))));
    fleet.pop.start(&fleet.lab);
    let status = fleet.pop.wait_status("it announces", |status| every_intent(status, "announce"));
    assert_eq!(catalog(&status, "one.cat")["awaited"], 1, "{status:#}");
}

/// Knot DNS as the hub: it makes the catalog itself.
fn knot_hub(fleet: &Fleet, name: &str, zones: &[String], serial: u32) -> Process {
    let home = fleet.lab.subdirectory("knot");
    let (directory, files) = (home.display(), fleet.zones.display());
    let members: String = zones
        .iter()
        .map(|zone| format!("  - domain: {zone}\n    file: {zone}.zone\n    catalog-role: member\n    catalog-zone: made.knot\n"))
        .collect();
    let text = format!(
        "server:\n  listen: {HUB}@5353\n  rundir: \"{directory}\"\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
         database:\n  storage: \"{directory}\"\nlog:\n  - target: stderr\n    any: info\n\
         key:\n  - id: hub\n    algorithm: hmac-sha256\n    secret: c2VjcmV0IG9mIHRoZSBodWIgYW5kIHRoZSBQT1A=\n\
         remote:\n  - id: pop\n    address: {POP}@5353\n    key: hub\n\
         acl:\n  - id: pop\n    address: {POP}\n    key: hub\n    action: transfer\n\
         template:\n  - id: default\n    storage: \"{files}\"\n    zonefile-load: whole\n    zonefile-sync: -1\n    journal-content: all\n    acl: pop\n    notify: pop\n\
         zone:\n{members}  - domain: made.knot\n    catalog-role: generate\n    serial-policy: unixtime\n"
    );
    let config = home.join(format!("knot-{serial}.conf"));
    std::fs::write(&config, text).expect("written");
    fleet.lab.start(&fleet.hub_space, name, "knotd", &["-c", &config.display().to_string()])
}

#[test]
fn a_pop_follows_a_catalog_that_knot_makes() {
    if !has_programs("a catalog of Knot DNS", &["dig", "knotd"]) {
        return;
    }
    let mut fleet = Fleet::new("", &follows("made.knot", "removal-limit = 5\n"));
    let zones: Vec<String> = (0..12).map(|number| format!("z{number}.test")).collect();
    zones.iter().for_each(|zone| fleet.deploy(zone));
    let knot = knot_hub(&fleet, "knot-1", &zones, 1);
    fleet.pop.start(&fleet.lab);
    let took = wait_until("the POP has all zones", BOUND, || zones.iter().all(|zone| fleet.serves(zone)));
    println!("12 zones of a catalog that Knot makes: {took:.2?}");
    fleet.pop.wait_announces();
    // An export that failed: Knot lists two zones after it.
    drop(knot);
    let _knot = knot_hub(&fleet, "knot-2", zones.get(..2).unwrap(), 2);
    fleet.pop.must(&["zone", "refresh", "made.knot"]);
    let status = fleet
        .pop
        .wait_status("removals wait", |status| catalog(status, "made.knot")["held"].as_u64() >= Some(10));
    assert!(zones.iter().all(|zone| fleet.serves(zone)), "they stay");
    let serial = catalog(&status, "made.knot")["held_serial"].to_string();
    fleet.pop.must(&["catalog", "accept", "made.knot", &serial]);
    println!("accepted: {:.2?}", fleet.wait_gone("z7.test"));
    // A Knot that was killed has other labels for those that stay: they begin anew, and come again.
    fleet.wait_serves("z0.test");
    fleet.wait_serves("z1.test");
}

/// Knot DNS and BIND as secondaries that follow the catalog of an anyns hub, in the namespace of the POP.
pub(crate) fn follower(fleet: &Fleet, program: &str) -> Process {
    let home = fleet.lab.subdirectory(program);
    let directory = home.display();
    let secret = "c2VjcmV0IG9mIHRoZSBodWIgYW5kIHRoZSBQT1A=";
    let (file, text, arguments): (_, _, &[&str]) = match program {
        "knotd" => (
            home.join("knot.conf"),
            format!(
                "server:\n  listen: {POP}@5353\n  rundir: \"{directory}\"\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
                 database:\n  storage: \"{directory}\"\nlog:\n  - target: stderr\n    any: info\n\
                 key:\n  - id: hub\n    algorithm: hmac-sha256\n    secret: {secret}\n\
                 remote:\n  - id: hub\n    address: {HUB}@5353\n    key: hub\n\
                 acl:\n  - id: hub\n    address: {HUB}\n    key: hub\n    action: [notify, query, transfer]\n\
                 template:\n  - id: default\n    storage: \"{directory}\"\n    zonefile-load: none\n    zonefile-sync: -1\n    journal-content: all\n\
                 \x20   master: hub\n    acl: hub\n  - id: member\n    storage: \"{directory}\"\n    zonefile-load: none\n    zonefile-sync: -1\n\
                 \x20   journal-content: all\n    master: hub\n    acl: hub\n\
                 zone:\n  - domain: catalog.test\n    catalog-role: interpret\n    catalog-template: member\n"
            ),
            &["-c"],
        ),
        _ => (
            home.join("named.conf"),
            format!(
                "options {{ directory \"{directory}\"; pid-file none; session-keyfile none; listen-on port 5353 {{ {POP}; }}; listen-on-v6 {{ none; }};\n\
                 recursion no; allow-query {{ any; }}; dnssec-validation no; managed-keys-directory \"{directory}\"; notify no;\n\
                 catalog-zones {{ zone \"catalog.test\" default-primaries {{ {HUB} port 5353 key \"hub\"; }} in-memory yes min-update-interval 1; }}; }};\n\
                 controls {{ }};\nkey \"hub\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n\
                 zone \"catalog.test\" {{ type secondary; primaries {{ {HUB} port 5353 key \"hub\"; }}; allow-notify {{ {HUB}; }}; }};\n"
            ),
            &["-g", "-n", "1", "-c"],
        ),
    };
    std::fs::write(&file, text).expect("written");
    let path = file.display().to_string();
    fleet.lab.start(&fleet.pop_space, program, program, &[arguments, &[&path]].concat())
}

#[test]
fn knot_and_bind_follow_the_catalog_of_a_hub() {
    if !has_programs("secondaries that follow a catalog", &["dig", "knotd", "named"]) {
        return;
    }
    const MADE: &str = "[[catalog]]\nname = \"catalog.test\"\nproduce = true\n[[catalog.group]]\nname = \"odd\"\nzones = [\"z1.*\"]\n";
    let mut fleet = Fleet::new(MADE, &follows("catalog.test", ""));
    ["z0.test", "z1.test", "z2.test"].iter().for_each(|zone| fleet.deploy(zone));
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_status("the hub lists them", |status| catalog(status, "catalog.test")["members"] == 3);
    for program in ["knotd", "named"] {
        let process = follower(&fleet, program);
        let at = format!("@{POP}");
        let serves = |zone: &str| fleet.dig(&[&at, "-p", "5353", zone, "SOA"]).contains("status: NOERROR");
        let took = wait_until(&format!("{program} has all zones"), BOUND, || {
            ["z0.test", "z1.test", "z2.test"].iter().all(|zone| serves(zone))
        });
        println!("{program} follows the catalog: {took:.2?}");
        fleet.deploy("new.test");
        let took = wait_until(&format!("{program} has the new zone"), BOUND, || serves("new.test"));
        println!("{program}: a zone that comes: {took:.2?}");
        fleet.take_out("new.test");
        let took = wait_until(&format!("{program} has it no more"), BOUND, || !serves("new.test"));
        println!("{program}: a zone that goes: {took:.2?}");
        drop(process);
    }
}
