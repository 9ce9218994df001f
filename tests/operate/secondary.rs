//! A POP whose hub is gone: it says since when, serves on, does past EXPIRE what the configuration says, also after a restart, and never
//! withdraws for it. Then what operators do about it: retransfer, NOTIFY to a service address, other keys by a reload.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::support::anyns::{Anyns, BOUND, zone_status};
use crate::support::lab::{Lab, Space};
use crate::support::pop::{ZONE, base_config, hub_and_pop, replace};
use crate::support::process::Process;
use crate::support::skip::has_programs;
use crate::support::wait::{holds_for, wait_until};

const HUB: &str = "198.18.1.1";
const POP: &str = "198.18.1.2";
const SERVED: &str = "@192.0.2.53";
/// Answered from although it has expired.
const STALE: &str = "stale.test";
/// Nobody tells of its changes, and it is asked for seldom.
const QUIET: &str = "quiet.test";
const ZONES: [&str; 3] = [ZONE, STALE, QUIET];

struct Cut {
    hub: Anyns,
    pop: Anyns,
    hub_zones: PathBuf,
    hub_space: Space,
    pop_space: Space,
    lab: Lab,
}

/// The zones that come from the hub, signed with this key.
fn takes(lab: &Lab, key: &str, zones: &[&str]) -> String {
    let zone = |zone: &&str| {
        let more = if *zone == STALE { "expired = \"stale\"\n" } else { "" };
        format!(
            "[[zone]]\nname = \"{zone}\"\nprimaries = [{{ address = \"{HUB}:5353\", key = \"{key}\" }}]\n\
             notify-from = [{{ from = \"{POP}/32\" }}]\n{more}"
        )
    };
    let zones: String = zones.iter().map(zone).collect();
    let base = base_config(lab, "pop", [POP, "2001:db8:1::2"], "dry-run", "");
    format!("{base}[transfer]\nlisten = [\"{POP}:5353\"]\n\n{zones}{}", keys())
}

/// A hub that sends zones to who signs with this key.
fn sends(lab: &Lab, key: &str) -> String {
    let base = base_config(lab, "hub", [HUB, "2001:db8:1::1"], "dry-run", "");
    let allow = format!("allow = [{{ from = \"{POP}/32\", keys = [\"{key}\"] }}]");
    format!("{base}[transfer]\nlisten = [\"{HUB}:5353\"]\n{allow}\n{}", keys())
}

fn keys() -> String {
    let key = |name: &str, secret: &str| {
        format!("[[key]]\nname = \"{name}\"\nalgorithm = \"hmac-sha256\"\nsecret = \"{secret}\"\n")
    };
    key("old.", "c2VjcmV0IG9mIHRoZSBodWIgYW5kIHRoZSBQT1A=")
        + &key("new.", "bmV3IHNlY3JldCBvZiB0aGUgaHViIGFuZCBQT1A=")
}

impl Cut {
    /// Both run, and the POP has the hub's zones.
    fn started() -> Self {
        let mut cut = Self::new();
        cut.hub.start(&cut.lab);
        cut.pop.start(&cut.lab);
        for zone in ZONES {
            cut.wait_serves(zone, 5);
        }
        cut
    }

    fn new() -> Self {
        let mut lab = Lab::new();
        let (hub_space, pop_space) = hub_and_pop(&mut lab);
        let hub = Anyns::new(&lab, &hub_space, "hub", &sends(&lab, "old."));
        let pop = Anyns::new(&lab, &pop_space, "pop", &takes(&lab, "old.", &ZONES));
        let hub_zones = lab.subdirectory("zones-hub");
        let cut = Self { hub, pop, hub_zones, hub_space, pop_space, lab };
        ZONES.iter().for_each(|zone| cut.deploy(zone, 5));
        cut
    }

    /// A version at the hub; two zones are asked for every two seconds, and expire after six.
    fn deploy(&self, zone: &str, serial: u32) {
        self.deploy_with(zone, serial, if zone == QUIET { "3600 600 86400" } else { "2 1 6" });
    }

    fn deploy_with(&self, zone: &str, serial: u32, timers: &str) {
        let text = format!(
            "$ORIGIN {zone}.\n$TTL 60\n@ IN SOA ns1 hostmaster {serial} {timers} 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\n"
        );
        replace(&self.hub_zones.join(format!("{zone}.zone")), &text);
    }

    fn dig(&self, arguments: &[&str]) -> String {
        let output = self.pop_space.command("dig").args(["+time=2", "+tries=1"]).args(arguments).output();
        String::from_utf8_lossy(&output.expect("dig runs").stdout).into_owned()
    }

    /// What the POP answers to a query for the SOA record.
    fn answer(&self, zone: &str) -> String {
        self.dig(&[SERVED, zone, "SOA"])
    }

    fn wait_serves(&self, zone: &str, serial: u32) -> Duration {
        let wanted = format!(" {serial} ");
        wait_until(&format!("the POP serves {zone} {serial}"), BOUND, || {
            let answer = self.answer(zone);
            answer.contains("NOERROR") && answer.contains(&wanted)
        })
    }

    /// Waits until the status of a zone is so.
    fn wait_zone(&self, what: &str, zone: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let status = self.pop.wait_status(what, |status| zone_status(status, zone).is_some_and(&wanted));
        assert!(!blames_a_zone(&status), "nothing is withdrawn for it: {status:#}");
        zone_status(&status, zone).cloned().unwrap_or_default()
    }

    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.lab.log_file(name)).unwrap_or_default()
    }
}

/// Whether a route is withdrawn, or less preferred, for the sake of a zone. A machine that runs other tests may be a reason of its own.
fn blames_a_zone(status: &Value) -> bool {
    let prefixes = status["prefixes"].as_array().cloned().unwrap_or_default();
    let reasons =
        prefixes.iter().flat_map(|prefix| prefix["reasons"].as_array().cloned().unwrap_or_default());
    let mut reasons = reasons.filter_map(|reason| reason.as_str().map(str::to_owned));
    reasons.any(|reason| reason.contains("zone ") || reason.contains("SERVFAIL"))
}

#[test]
fn a_pop_without_its_hub_says_since_when_and_never_withdraws() {
    if !has_programs("a POP whose hub is gone", &["dig"]) {
        return;
    }
    let mut cut = Cut::started();
    cut.pop.wait_announces();
    // The hub knows what its secondary has.
    let status = cut.hub.wait_status("the hub has seen its secondary", |status| {
        zone_status(status, ZONE).is_some_and(|zone| zone["secondaries"][0]["sent"] == 5)
    });
    assert_eq!(zone_status(&status, ZONE).unwrap()["secondaries"][0]["address"], POP);
    // Gone for longer than REFRESH.
    cut.hub.kill();
    let zone = cut.wait_zone("it is stale", ZONE, |zone| !zone["transfer"]["stale_since"].is_null());
    assert_eq!((&zone["state"], &zone["serial"]), (&"served".into(), &5.into()), "{zone:#}");
    assert_eq!(zone["transfer"]["primaries"][0]["serial"], 5);
    let metrics = cut.pop.must(&["metrics"]);
    let value = |metric: &str| -> f64 {
        let zone = format!("zone=\"{ZONE}.\"");
        let line = metrics.lines().find(|line| line.starts_with(metric) && line.contains(&zone));
        let value = line.and_then(|line| line.rsplit(' ').next()).expect("a sample");
        value.parse().expect("a number")
    };
    assert_eq!(value("anyns_zone_primary_serial"), 5.0);
    assert!(value("anyns_zone_transfer_failures") >= 1.0, "{metrics}");
    let checked = value("anyns_zone_checked_timestamp_seconds");
    // SOA EXPIRE is 6 s.
    assert!((value("anyns_zone_expiry_timestamp_seconds") - checked - 6.0).abs() <= 1.0, "{metrics}");
    let page = cut.pop.command(&["zone", "status", ZONE]).text;
    for part in ["stale since", "failing since", "last error", "198.18.1.1:5353"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let text = cut.pop.command(&["status"]).text;
    assert!(text.contains("stale, because no primary has confirmed what is served since"), "{text}");
    assert!(cut.answer(ZONE).contains("NOERROR"), "it serves on");
    // Back again.
    cut.deploy(ZONE, 6);
    cut.hub.start(&cut.lab);
    println!("catches up after the hub has come back: {:.2?}", cut.wait_serves(ZONE, 6));
    cut.wait_zone("it is stale no more", ZONE, |zone| zone["transfer"]["stale_since"].is_null());
    // Told while no primary is being asked.
    let is_told = |metric: &str| {
        let has = |line: &str| line.starts_with(metric) && line.contains(&format!("zone=\"{ZONE}.\""));
        cut.pop.must(&["metrics"]).lines().any(has)
    };
    wait_until("when they are asked next", BOUND, || is_told("anyns_zone_refresh_timestamp_seconds"));
    // Gone past EXPIRE.
    cut.hub.kill();
    let took = wait_until("the zone has expired", BOUND, || cut.answer(ZONE).contains("SERVFAIL"));
    println!("SERVFAIL after the hub has gone, EXPIRE 6 s: {took:.2?}");
    let expired = |cut: &Cut| {
        let answer = cut.answer(ZONE);
        assert!(answer.contains("SERVFAIL") && answer.contains("EDE: 24"), "{answer}");
        let stale = cut.answer(STALE);
        assert!(stale.contains("NOERROR") && stale.contains("EDE: 3 ") && stale.contains(" 5 "), "{stale}");
        let quiet = cut.answer(QUIET);
        assert!(quiet.contains("NOERROR") && !quiet.contains("EDE"), "{quiet}");
    };
    cut.wait_zone("the other one, too", STALE, |zone| zone["transfer"]["expired"] == true);
    wait_until("it is served as stale", BOUND, || cut.answer(STALE).contains("EDE: 3 "));
    expired(&cut);
    let zone = cut.wait_zone("it says so", ZONE, |zone| zone["state"] == "expired");
    assert!(zone["faults"][0].as_str().unwrap().contains("no primary has confirmed it"), "{zone:#}");
    holds_for("nothing is withdrawn", Duration::from_secs(2), || {
        cut.pop.status().is_none_or(|status| !blames_a_zone(&status))
    });
    // A restart, in order and at once, does not forget it.
    for restart in ["kill", "stop"] {
        match restart {
            "kill" => cut.pop.kill(),
            _ => {
                cut.pop.signal(nix::sys::signal::Signal::SIGTERM);
                cut.pop.process().wait_end(BOUND);
            }
        }
        cut.pop.start(&cut.lab);
        let took = wait_until("expired after a restart", BOUND, || cut.answer(ZONE).contains("SERVFAIL"));
        println!("after {restart}: {took:.2?}");
        wait_until("stale after a restart", BOUND, || cut.answer(STALE).contains("EDE: 3 "));
        cut.wait_zone("it says so", ZONE, |zone| zone["state"] == "expired");
        expired(&cut);
    }
    cut.pop.wait_announces();
    cut.hub.start(&cut.lab);
    println!("answers again after the hub has come back: {:.2?}", cut.wait_serves(ZONE, 6));
    cut.wait_zone("it has no fault", ZONE, |zone| {
        zone["state"] == "served" && zone["transfer"]["failures"] == 0
    });
    wait_until("it is not stale", BOUND, || !cut.answer(STALE).contains("EDE"));
    let log = cut.log("pop");
    for line in ["the zone is stale", "has expired: it is answered SERVFAIL", "has not expired any more"] {
        assert!(log.contains(line), "{line}");
    }
}

#[test]
fn what_operators_do_about_a_zone_of_a_hub() {
    if !has_programs("orders about zones of a hub", &["dig"]) {
        return;
    }
    let mut cut = Cut::started();
    // A NOTIFY that arrives at a service address: from who is listed, and from who is not.
    cut.deploy(QUIET, 6);
    cut.hub.wait_zone(QUIET, "served", Some(6));
    let notify =
        |from: &str| cut.dig(&[SERVED, "-b", from, "+opcode=NOTIFY", "+norecurse", "+noedns", QUIET, "SOA"]);
    assert!(notify("192.0.2.53").contains("REFUSED"), "{}", notify("192.0.2.53"));
    let answer = notify(POP);
    assert!(answer.contains("NOERROR") && answer.contains("opcode: NOTIFY"), "{answer}");
    println!("a NOTIFY to a service address: {:.2?}", cut.wait_serves(QUIET, 6));
    // An UPDATE is refused, and the log says where it belongs.
    let update = cut.dig(&[SERVED, "+opcode=UPDATE", "+norecurse", QUIET, "SOA"]);
    assert!(update.contains("REFUSED"), "{update}");
    wait_until("the log names the hub", BOUND, || {
        let log = cut.log("pop");
        log.lines().any(|line| line.contains("UPDATE refused") && line.contains("198.18.1.1:5353"))
    });
    // An order to look now.
    cut.deploy(QUIET, 7);
    cut.hub.wait_zone(QUIET, "served", Some(7));
    assert!(cut.pop.must(&["zone", "refresh", QUIET]).contains("asked now"));
    cut.wait_serves(QUIET, 7);
    assert_ne!(cut.pop.command(&["zone", "refresh", "none.test"]).code, 0);
    assert!(cut.pop.must(&["zone", "refresh", "--all"]).starts_with("3 zones"));
    // A serial that went backwards.
    cut.deploy(ZONE, 3);
    cut.hub.wait_zone(ZONE, "kept", Some(5));
    cut.hub.must(&["zone", "accept", ZONE, "3"]);
    cut.wait_zone("the primary is behind", ZONE, |zone| zone["transfer"]["behind"] == 3);
    let text = cut.pop.command(&["status"]).text;
    assert!(
        text.contains("anyns zone retransfer example.org. takes the primary's")
            || text.contains("zone retransfer"),
        "{text}"
    );
    assert!(cut.answer(ZONE).contains(" 5 "));
    cut.pop.must(&["zone", "retransfer", ZONE]);
    cut.wait_serves(ZONE, 3);
    cut.wait_zone("it has no fault", ZONE, |zone| {
        zone["transfer"]["behind"].is_null() && zone["state"] == "served"
    });
    // What a hold is for no other order ends; what comes from a primary is not removed here.
    cut.pop.must(&["zone", "hold", ZONE, "--reason", "incident"]);
    cut.deploy(ZONE, 4);
    cut.wait_zone("the version that waits is told", ZONE, |zone| zone["transfer"]["refused"] == 4);
    cut.wait_serves(ZONE, 3);
    let status = cut.pop.wait_status("it is an alarm", |status| status["overall"]["verdict"] == "degraded");
    assert!(status.to_string().contains("serial 4 of a primary is refused"), "{status:#}");
    let fails = |arguments: &[&str], text: &str| {
        let said = cut.pop.command(arguments);
        assert!(said.code != 0 && said.text.contains(text), "{arguments:?}: {}", said.text);
    };
    fails(&["zone", "retransfer", ZONE], "is held");
    fails(&["zone", "accept", QUIET, "4"], "anyns zone retransfer");
    fails(&["zone", "accept", ZONE, "5"], "has serial 4, not 5");
    fails(&["zone", "remove", ZONE], "comes from primaries");
    let all = cut.pop.must(&["zone", "retransfer", "--all"]);
    assert!(all.starts_with("2 zones") && all.contains("example.org. is held"), "{all}");
    cut.wait_serves(ZONE, 3);
    cut.pop.must(&["zone", "unhold", ZONE]);
    cut.wait_serves(ZONE, 4);
    cut.wait_zone("nothing is refused any more", ZONE, |zone| {
        zone["transfer"]["refused"].is_null() && zone["state"] == "served"
    });
    // Just the version that was refused passes, and the zone goes on from it.
    cut.pop.must(&["zone", "hold", ZONE, "--reason", "incident"]);
    cut.deploy(ZONE, 5);
    cut.wait_zone("the version is kept", ZONE, |zone| {
        zone["refused_serial"] == 5 && zone["transfer"]["refused"] == 5
    });
    assert!(cut.pop.must(&["zone", "accept", "example.*"]).contains("5 is served"));
    cut.wait_serves(ZONE, 5);
    cut.wait_zone("nothing is refused, and the hold goes on", ZONE, |zone| {
        zone["transfer"]["refused"].is_null() && zone["is_held"] == true
    });
    cut.pop.must(&["zone", "unhold", ZONE]);
    // Another key at the POP, then at the hub, and a zone less: nothing is started again.
    let process = cut.pop.process().pid();
    cut.pop.write_config(&takes(&cut.lab, "new.", &[ZONE, QUIET]));
    let said = cut.pop.command(&["reload"]);
    assert_eq!(said.code, 0, "{}", said.text);
    cut.wait_zone("the old key alone is taken", ZONE, |zone| zone["transfer"]["failures"].as_u64() > Some(0));
    cut.hub.write_config(&sends(&cut.lab, "new."));
    let said = cut.hub.command(&["reload"]);
    assert_eq!(said.code, 0, "{}", said.text);
    cut.deploy(ZONE, 6);
    println!("after other keys: {:.2?}", cut.wait_serves(ZONE, 6));
    wait_until("the zone that left the file is not served", BOUND, || cut.answer(STALE).contains("REFUSED"));
    // And back.
    cut.hub.write_config(&sends(&cut.lab, "old."));
    cut.hub.must(&["reload"]);
    cut.pop.write_config(&takes(&cut.lab, "old.", &ZONES));
    cut.pop.must(&["reload"]);
    println!("a zone that came by a reload: {:.2?}", cut.wait_serves(STALE, 5));
    assert_eq!(cut.pop.process().pid(), process);
}

/// Knot DNS with the zone at this serial; its database is new each time, as after a rebuilt host.
fn knot(cut: &Cut, hub_space: &Space, serial: u32) -> Process {
    // An SOA query that nobody answers takes seven seconds.
    cut.deploy_with(ZONE, serial, "2 1 14");
    let home = cut.lab.subdirectory(&format!("knot-{serial}"));
    let (directory, files) = (home.display(), cut.hub_zones.display());
    let text = format!(
        "server:\n  listen: {HUB}@5353\n  rundir: \"{directory}\"\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
         database:\n  storage: \"{directory}\"\nlog:\n  - target: stderr\n    any: info\n\
         key:\n  - id: old\n    algorithm: hmac-sha256\n    secret: c2VjcmV0IG9mIHRoZSBodWIgYW5kIHRoZSBQT1A=\n\
         acl:\n  - id: pop\n    address: {POP}\n    key: old\n    action: transfer\n\
         template:\n  - id: default\n    storage: \"{files}\"\n    zonefile-load: difference\n    zonefile-sync: -1\n    journal-content: all\n\
         zone:\n  - domain: {ZONE}\n    file: {ZONE}.zone\n    acl: pop\n"
    );
    let config = home.join("knot.conf");
    std::fs::write(&config, text).expect("written");
    cut.lab.start(hub_space, "knot", "knotd", &["-c", &config.display().to_string()])
}

#[test]
fn a_pop_of_knot_that_is_cut_off_catches_up() {
    if !has_programs("a POP of Knot DNS", &["dig", "knotd"]) {
        return;
    }
    let mut cut = Cut::new();
    cut.pop.write_config(&takes(&cut.lab, "old.", &[ZONE]));
    let hub_space = cut.hub_space.clone();
    let first = knot(&cut, &hub_space, 5);
    cut.pop.start(&cut.lab);
    cut.wait_serves(ZONE, 5);
    // The wire is cut, not the server: nothing answers, not even that nobody is there.
    hub_space.ip(&["link", "set", "wan", "down"]);
    cut.wait_zone("it is stale", ZONE, |zone| !zone["transfer"]["stale_since"].is_null());
    assert!(cut.answer(ZONE).contains("NOERROR"), "it serves on");
    let took = wait_until("the zone has expired", BOUND, || cut.answer(ZONE).contains("EDE: 24"));
    println!("SERVFAIL after the wire was cut, EXPIRE 14 s: {took:.2?}");
    cut.wait_zone("no zone is left, and the route is", ZONE, |zone| zone["state"] == "expired");
    // Also after a restart: the server is asked who it is.
    cut.pop.kill();
    cut.pop.start(&cut.lab);
    wait_until("expired after a restart", BOUND, || cut.answer(ZONE).contains("EDE: 24"));
    cut.pop.wait_announces();
    drop(first);
    hub_space.ip(&["link", "set", "wan", "up"]);
    let _second = knot(&cut, &hub_space, 7);
    println!("answers again after the wire is back: {:.2?}", cut.wait_serves(ZONE, 7));
    cut.wait_zone("it has no fault", ZONE, |zone| {
        zone["state"] == "served" && zone["transfer"]["failures"] == 0
    });
}
