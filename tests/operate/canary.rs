//! Canaries at a hub, with NSD and Knot DNS as secondaries, each of them once the canary and once one of the others: who has which
//! version when, what orders do, what a restart in between changes, and what happens when the canary cannot be reached.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::anyns::{Anyns, BOUND, zone_status};
use crate::support::lab::{Lab, Space};
use crate::support::pop::{HUB_SECRET, ZONE, base_config, replace};
use crate::support::process::Process;
use crate::support::skip::has_programs;
use crate::support::wait::{holds_for, wait_until};
use crate::support::zones::versioned;

const HUB: &str = "198.18.1.1";
pub(crate) const NSD: &str = "198.18.1.2";
pub(crate) const KNOT: &str = "198.18.1.3";
/// Where the secondaries answer.
const PORT: &str = "5300";
/// How long the canary must serve a version.
const TIME: Duration = Duration::from_secs(2);
/// How long it may not.
const PATIENCE: Duration = Duration::from_secs(3);

/// A hub and its secondaries, all in one namespace.
struct Site {
    hub: Anyns,
    nsd: Process,
    knot: Process,
    zones: PathBuf,
    /// Which of the two is the canary, and which is not.
    canary: &'static str,
    other: &'static str,
    space: Space,
    lab: Lab,
}

pub(crate) fn hub_config(lab: &Lab, canary: &str, when_unreachable: &str) -> String {
    let mut text = base_config(lab, "hub", [HUB, "2001:db8:1::1"], "dry-run", "");
    let target = |address: &str| format!("{{ address = \"{address}:{PORT}\", key = \"hub.\" }}");
    let _ = write!(
        text,
        "[transfer]\nlisten = [\"{HUB}:5353\"]\nallow = [{{ from = \"198.18.1.0/24\", keys = [\"hub.\"] }}]\n\
         notify = [{}, {}]\n[[key]]\nname = \"hub.\"\nalgorithm = \"hmac-sha256\"\nsecret = \"{HUB_SECRET}\"\n\
         [[canary]]\nname = \"first\"\nsecondaries = [{}]\nzones = [\"*.org\"]\ntime = \"{}s\"\npatience = \"{}s\"\n\
         when-unreachable = \"{when_unreachable}\"\n",
        target(NSD),
        target(KNOT),
        target(canary),
        TIME.as_secs(),
        PATIENCE.as_secs()
    );
    text
}

fn start_nsd(lab: &Lab, space: &Space) -> Process {
    let home = lab.subdirectory("nsd");
    let directory = home.display();
    let text = format!(
        "server:\n  ip-address: {NSD}@{PORT}\n  server-count: 1\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{directory}\"\n\
         \x20 database: \"\"\n  pidfile: \"{directory}/nsd.pid\"\n  xfrdfile: \"{directory}/xfrd.state\"\n  xfrdir: \"{directory}\"\n\
         \x20 zonelistfile: \"{directory}/zone.list\"\n  rrl-ratelimit: 0\n  verbosity: 2\n  xfrd-reload-timeout: 0\n\
         remote-control:\n  control-enable: no\nkey:\n  name: \"hub\"\n  algorithm: hmac-sha256\n  secret: \"{HUB_SECRET}\"\n\
         zone:\n  name: \"{ZONE}\"\n  zonefile: \"{ZONE}.zone\"\n  request-xfr: {HUB}@5353 hub\n  allow-notify: {HUB} hub\n\
         \x20 outgoing-interface: {NSD}\n  min-retry-time: 3600\n  min-refresh-time: 3600\n"
    );
    let config = home.join("nsd.conf");
    std::fs::write(&config, text).expect("written");
    lab.start(space, "nsd", "nsd", &["-d", "-c", &config.display().to_string()])
}

fn start_knot(lab: &Lab, space: &Space) -> Process {
    let home = lab.subdirectory("knot");
    let directory = home.display();
    let text = format!(
        "server:\n  listen: {KNOT}@{PORT}\n  rundir: \"{directory}\"\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
         database:\n  storage: \"{directory}\"\nlog:\n  - target: stderr\n    any: info\n\
         key:\n  - id: hub\n    algorithm: hmac-sha256\n    secret: {HUB_SECRET}\n\
         remote:\n  - id: hub\n    address: {HUB}@5353\n    via: {KNOT}\n    key: hub\n\
         acl:\n  - id: hub\n    address: 198.18.1.0/24\n    key: hub\n    action: [notify, query]\n\
         template:\n  - id: default\n    storage: \"{directory}\"\n    semantic-checks: off\n    zonefile-load: none\n    zonefile-sync: -1\n\
         \x20   journal-content: all\nzone:\n  - domain: {ZONE}\n    master: hub\n    acl: hub\n    retry-min-interval: 3600\n"
    );
    let config = home.join("knot.conf");
    std::fs::write(&config, text).expect("written");
    lab.start(space, "knot", "knotd", &["-c", &config.display().to_string()])
}

impl Site {
    /// Version 1 is served by the hub, and by both secondaries.
    fn new(canary: &'static str, other: &'static str) -> Self {
        let mut lab = Lab::new();
        let space = addresses(&mut lab);
        let zones = lab.subdirectory("zones-hub");
        let mut hub = Anyns::new(&lab, &space, "hub", &hub_config(&lab, canary, "hold"));
        deploy(&zones, 1);
        hub.start(&lab);
        hub.wait_zone(ZONE, "served", Some(1));
        let (nsd, knot) = (start_nsd(&lab, &space), start_knot(&lab, &space));
        let site = Self { hub, nsd, knot, zones, canary, other, space, lab };
        site.wait_serves(NSD, 1);
        site.wait_serves(KNOT, 1);
        site
    }

    /// What a server answers: the serial.
    fn serial(&self, address: &str) -> Option<u32> {
        let port = if address == HUB { "5353" } else { PORT };
        dig(&self.space, &["+short", &format!("@{address}"), "-p", port, ZONE, "SOA"])
            .split_whitespace()
            .nth(2)?
            .parse()
            .ok()
    }

    fn wait_serves(&self, address: &str, serial: u32) -> Duration {
        wait_until(&format!("{address} serves {serial}"), BOUND, || self.serial(address) == Some(serial))
    }

    /// The serials of the SOA records that the hub sends to who asks from this address.
    fn sent(&self, from: &str, query: &str) -> Vec<u32> {
        let text = dig(
            &self.space,
            &["+noall", "+answer", "-b", from, &format!("@{HUB}"), "-p", "5353", ZONE, query],
        );
        let serial = |line: &str| line.split_whitespace().skip(3).nth(3)?.parse().ok();
        text.lines().filter(|line| line.contains("\tSOA\t")).filter_map(serial).collect()
    }

    fn wait_canary(&self, state: &str) -> Value {
        self.hub.wait_status(&format!("one zone is {state}"), |status| status["canaries"][0][state] == 1)
    }

    fn kill_canary(&mut self) {
        if self.canary == NSD { self.nsd.kill() } else { self.knot.kill() }
    }

    fn start_canary(&mut self) {
        match self.canary {
            NSD => self.nsd = start_nsd(&self.lab, &self.space),
            _ => self.knot = start_knot(&self.lab, &self.space),
        }
    }
}

/// A namespace with the addresses of the hub and of both secondaries.
pub(crate) fn addresses(lab: &mut Lab) -> Space {
    let space = lab.space("hub");
    for address in ["192.0.2.53/32", "2001:db8:53::53/128", "2001:db8:1::1/128"] {
        space.ip(&["address", "add", address, "dev", "lo"]);
    }
    for address in [HUB, NSD, KNOT] {
        space.ip(&["address", "add", &format!("{address}/32"), "dev", "lo"]);
    }
    space
}

fn dig(space: &Space, arguments: &[&str]) -> String {
    let mut command = space.command("dig");
    let key = format!("hmac-sha256:hub.:{HUB_SECRET}");
    let output =
        command.args(["+time=2", "+tries=1", "-y", &key]).args(arguments).output().expect("dig runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The serial that the hub tells who asks from this address.
pub(crate) fn soa_of(space: &Space, from: &str) -> Option<u32> {
    let text = dig(space, &["+short", "-b", from, &format!("@{HUB}"), "-p", "5353", ZONE, "SOA"]);
    text.split_whitespace().nth(2)?.parse().ok()
}

/// A version with so many more records that a difference to another one is smaller than the zone (RFC 1995 section 5).
pub(crate) fn deploy(zones: &std::path::Path, version: u32) {
    deploy_with(zones, version, "");
}

/// The same with these records.
fn deploy_with(zones: &std::path::Path, version: u32, records: &str) {
    let more: String = (0..50).map(|host| format!("more{host} 60 IN A 192.0.2.{host}\n")).collect();
    replace(&zones.join(format!("{ZONE}.zone")), &(versioned(ZONE, version) + &more + records));
}

const PROGRAMS: [&str; 3] = ["nsd", "knotd", "dig"];

#[test]
fn nsd_has_each_version_first_and_knot_later() {
    if has_programs("canaries", &PROGRAMS) {
        versions_go_to_the_canary_first(Site::new(NSD, KNOT));
    }
}

#[test]
fn knot_has_each_version_first_and_nsd_later() {
    if has_programs("canaries", &PROGRAMS) {
        versions_go_to_the_canary_first(Site::new(KNOT, NSD));
    }
}

fn versions_go_to_the_canary_first(mut site: Site) {
    let (canary, other) = (site.canary, site.other);
    site.wait_canary("released");
    let said = site.hub.command(&["status"]).text;
    assert!(said.contains(canary) && said.contains("only its serial is checked"), "{said}");
    // A version is proven, and then goes to the others by IXFR.
    let begun = Instant::now();
    deploy(&site.zones, 2);
    let took = site.wait_serves(canary, 2);
    println!("a version, from the hub to the canary {canary}: {took:.2?}");
    let status = site.wait_canary("trial");
    let of_zone = &zone_status(&status, ZONE).unwrap()["canary"];
    assert_eq!(
        (of_zone["state"].as_str(), of_zone["released"].as_u64()),
        (Some("trial"), Some(1)),
        "{of_zone}"
    );
    assert_eq!([site.sent(canary, "SOA"), site.sent(other, "SOA")], [vec![2], vec![1]]);
    assert_eq!(site.serial(other), Some(1));
    site.wait_serves(other, 2);
    let took = begun.elapsed();
    println!("from the hub to the others: {took:.2?}");
    assert!(took >= TIME, "{took:?}");
    site.wait_canary("released");
    let status = site.hub.status().unwrap();
    let secondaries = zone_status(&status, ZONE).unwrap()["secondaries"].as_array().unwrap().clone();
    let of_other = secondaries.iter().find(|one| one["address"] == other).unwrap();
    assert_eq!(
        (of_other["asked"].as_str(), of_other["sent"].as_u64()),
        (Some("IXFR"), Some(2)),
        "{of_other}"
    );
    // Halted, nothing goes on, whatever the canary serves; a killed hub that comes back gives the others what was released.
    let said = site.hub.must(&["zone", "halt", ZONE]);
    assert!(said.contains("also over a restart, until: anyns zone release example.org."), "{said}");
    site.hub.wait_status("a halt is told", |status| {
        status["overall"]["reasons"].to_string().contains("halted by order")
    });
    deploy(&site.zones, 3);
    site.wait_serves(canary, 3);
    site.wait_canary("halted");
    site.hub.kill();
    site.hub.start(&site.lab);
    // Until the released version is made again, the others get no answer; they never get the newest.
    wait_until("the hub gives the released version", BOUND, || {
        let sent = site.sent(other, "SOA");
        assert!(sent.is_empty() || sent == [2], "{sent:?}");
        !sent.is_empty()
    });
    site.wait_canary("halted");
    assert_eq!([site.sent(other, "AXFR"), site.sent(canary, "AXFR")], [vec![2, 2], vec![3, 3]]);
    // Differences lead to what was released and not beyond it: the old SOA record and the new one, within a new one each.
    assert_eq!(site.sent(other, "IXFR=1"), [2, 1, 2, 2]);
    assert_eq!(site.sent(canary, "IXFR=1").first(), Some(&3));
    holds_for("the others stay while it is halted", TIME * 2, || site.serial(other) == Some(2));
    // A newer version goes to the canary, too; an order gives it to all.
    deploy(&site.zones, 4);
    site.wait_serves(canary, 4);
    assert_eq!(site.serial(other), Some(2));
    let page = site.hub.must(&["zone", "status", ZONE]);
    assert!(page.contains("first: halted") && page.contains("serial 2"), "{page}");
    let said = site.hub.must(&["zone", "release", "*.org"]);
    assert!(said.contains("all secondaries get the newest version now"), "{said}");
    let took = site.wait_serves(other, 4);
    println!("from the order to the others: {took:.2?}");
    let metrics = site.hub.must(&["metrics"]);
    let released =
        metrics.lines().find(|line| line.starts_with("anyns_zones_canary{") && line.contains("released"));
    assert!(released.is_some_and(|line| line.ends_with(" 1")), "{released:?}");
    let said = site.hub.command(&["zone", "release", ZONE]);
    assert!(said.code == 1 && said.text.contains("nothing waits"), "{said:?}");
    let said = site.hub.command(&["zone", "halt", "example.net"]);
    assert!(said.code == 1 && said.text.contains("example.net: no zone of a [[canary]]"), "{said:?}");
    // A name that is unknown does not put off what is meant for the others.
    let said = site.hub.command(&["zone", "halt", "example.net", ZONE, "*.org"]);
    let is_told = said.text.contains("example.org.: nothing newer goes to all")
        && said.text.contains("but example.net: no zone");
    assert!(said.code == 1 && is_told, "{said:?}");
    site.wait_canary("halted");
    site.hub.must(&["zone", "release", ZONE]);
    // A restart in the middle of a trial: it begins again, and nothing is released by it.
    deploy(&site.zones, 5);
    site.wait_serves(canary, 5);
    site.hub.kill();
    let begun = Instant::now();
    site.hub.start(&site.lab);
    site.wait_serves(other, 5);
    assert!(begun.elapsed() >= TIME, "{:?}", begun.elapsed());
}

/// The canary keeps a bad version that was given up, because what comes then is older: it proves no other one with its serial, also where the
/// older one was released, and the hub was started again.
#[test]
fn a_canary_that_keeps_a_version_that_was_given_up_proves_no_other_one_with_its_serial() {
    if !has_programs("canaries", &PROGRAMS) {
        return;
    }
    let mut site = Site::new(NSD, KNOT);
    site.hub.must(&["zone", "halt", ZONE]);
    deploy(&site.zones, 3);
    site.wait_serves(NSD, 3);
    deploy(&site.zones, 2);
    site.hub.wait_status("refused", |status| {
        zone_status(status, ZONE).is_some_and(|zone| zone["refused_serial"] == 2)
    });
    site.hub.must(&["zone", "accept", ZONE, "2"]);
    site.hub.must(&["zone", "release", ZONE]);
    site.wait_serves(KNOT, 2);
    site.hub.wait_status("kept", |status| status["zones_not_kept"] == 0);
    site.hub.kill();
    site.hub.start(&site.lab);
    site.hub.wait_zone(ZONE, "served", Some(2));
    deploy_with(&site.zones, 3, "corrected 60 IN TXT \"yes\"\n");
    site.hub.wait_zone(ZONE, "served", Some(3));
    holds_for("nobody proves it", TIME * 2, || site.serial(KNOT) == Some(2));
    assert_eq!(site.serial(NSD), Some(3), "the bad one");
    // A serial after all that it had tells what it has.
    deploy(&site.zones, 4);
    site.wait_serves(NSD, 4);
    site.wait_serves(KNOT, 4);
}

#[test]
fn an_unreachable_canary_is_an_alarm_and_holds_or_releases_as_configured() {
    if !has_programs("canaries", &PROGRAMS) {
        return;
    }
    let mut site = Site::new(NSD, KNOT);
    site.kill_canary();
    deploy(&site.zones, 2);
    let begun = Instant::now();
    let is_told = |status: &Value, words: &str| status["alarms"].to_string().contains(words);
    site.hub.wait_status("the canary does not answer", |status| {
        is_told(status, &format!("canary first: {NSD}:{PORT} does not tell its serial"))
    });
    // Hold: past the limit there is an alarm, and the others wait.
    let status = site.wait_canary("overdue");
    assert!(begun.elapsed() >= PATIENCE, "{:?}", begun.elapsed());
    assert!(is_told(&status, &format!("anyns zone release {ZONE}")), "{}", status["alarms"]);
    holds_for("the others wait", PATIENCE, || site.serial(KNOT) == Some(1));
    // It comes back, proves the version, and the alarms end.
    site.start_canary();
    site.wait_serves(NSD, 2);
    site.wait_serves(KNOT, 2);
    site.hub.wait_status("no alarm is left", |status| !is_told(status, "canary first"));
    // Release, taken over by a reload: the others get the version although nobody proved it.
    site.hub.write_config(&hub_config(&site.lab, NSD, "release"));
    site.hub.must(&["reload"]);
    site.kill_canary();
    let begun = Instant::now();
    deploy(&site.zones, 3);
    site.wait_serves(KNOT, 3);
    assert!(begun.elapsed() >= PATIENCE, "{:?}", begun.elapsed());
    // Without the table all get everything at once.
    let text = hub_config(&site.lab, NSD, "release");
    let (without, _) = text.split_once("[[canary]]").unwrap();
    site.hub.write_config(without);
    site.hub.must(&["reload"]);
    deploy(&site.zones, 4);
    let took = site.wait_serves(KNOT, 4);
    assert!(took < PATIENCE, "{took:?}");
    assert_eq!(site.hub.status().unwrap()["canaries"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_version_that_the_history_does_not_have_any_more_goes_to_nobody_else_until_an_order() {
    if !has_programs("canaries", &["dig"]) {
        return;
    }
    let mut lab = Lab::new();
    let space = addresses(&mut lab);
    let zones = lab.subdirectory("zones-hub");
    let usual = hub_config(&lab, NSD, "hold");
    let config = usual.replacen("[zones]\n", "[zones]\nhistory-steps = 0\n", 1);
    let mut hub = Anyns::new(&lab, &space, "hub", &config);
    deploy(&zones, 1);
    hub.start(&lab);
    hub.wait_status("released", |status| {
        status["canaries"][0]["released"] == 1 && status["zones_not_kept"] == 0
    });
    deploy(&zones, 2);
    hub.wait_status("kept", |status| status["canaries"][0]["trial"] == 1 && status["zones_not_kept"] == 0);
    let sent = |from: &str| soa_of(&space, from);
    assert_eq!([sent(NSD), sent(KNOT)], [Some(2), Some(1)]);
    hub.kill();
    hub.start(&lab);
    let status = hub.wait_status("withheld", |status| status["canaries"][0]["withheld"] == 1);
    assert!(
        status["alarms"].to_string().contains(&format!("anyns zone release {ZONE}")),
        "{}",
        status["alarms"]
    );
    assert_eq!([sent(NSD), sent(KNOT)], [Some(2), None]);
    hub.must(&["zone", "release", "--all"]);
    assert_eq!([sent(NSD), sent(KNOT)], [Some(2), Some(2)]);
    hub.wait_status("released", |status| status["canaries"][0]["withheld"] == 0);
}
