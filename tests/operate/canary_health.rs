//! Canaries that tell how well they are: a hub with a POP as its canary. A POP whose probes fail or that refuses the version stops the
//! release, one that does not tell how it is proves nothing, and a healthy one lets the version go on.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::anyns::{Anyns, BOUND, zone_status};
use crate::support::lab::{Lab, Space};
use crate::support::pop::{HUB_KEY, HUB_SECRET, ZONE, base_config, hub_and_pop, replace};
use crate::support::process::read;
use crate::support::skip::has_programs;
use crate::support::wait::{holds_for, wait_until};

const HUB: &str = "198.18.1.1";
/// The canary.
const POP: &str = "198.18.1.2";
/// Any other secondary.
const OTHER: &str = "198.18.1.3";
/// Where the POP tells how well it is.
const WEB: &str = "198.18.1.2:9533";
/// What the hub calls the POP, and a name under which it asks where nobody answers.
const NAME: &str = "pop";
const ASTRAY: &str = "astray";
/// How long the canary must serve a version: the POP notices a lost address within one second.
const TIME: Duration = Duration::from_secs(5);
/// How long it may not.
const PATIENCE: Duration = Duration::from_secs(3);

struct Site {
    hub: Anyns,
    pop: Anyns,
    zones: PathBuf,
    hub_space: Space,
    pop_space: Space,
    lab: Lab,
}

fn hub_config(lab: &Lab, name: &str, when_unreachable: &str) -> String {
    let base = base_config(lab, "hub", [HUB, "2001:db8:1::1"], "dry-run", "");
    let (time, patience) = (TIME.as_secs(), PATIENCE.as_secs());
    let token = lab.directory().join("token").display().to_string();
    format!(
        "{base}[transfer]\nlisten = [\"{HUB}:5353\"]\nallow = [{{ from = \"198.18.1.0/24\", keys = [\"hub.\"] }}]\n\
         notify = [{{ address = \"{POP}:5353\", key = \"hub.\" }}]\n{HUB_KEY}\
         [[fleet.pop]]\nname = \"{NAME}\"\nurl = \"http://{WEB}\"\ntoken-file = \"{token}\"\n\
         [[fleet.pop]]\nname = \"{ASTRAY}\"\nurl = \"http://{POP}:9534\"\ntoken-file = \"{token}\"\n\
         [[canary]]\nname = \"first\"\nsecondaries = [{{ address = \"{POP}:5353\", key = \"hub.\", pop = \"{name}\" }}]\n\
         time = \"{time}s\"\npatience = \"{patience}s\"\nwhen-unreachable = \"{when_unreachable}\"\n",
    )
}

/// The POP wants a record in each version of the zone.
fn pop_config(lab: &Lab) -> String {
    let base = base_config(lab, "pop", [POP, "2001:db8:1::2"], "dry-run", "");
    let token = lab.directory().join("token");
    format!(
        "{base}[web]\nlisten = [\"{WEB}\"]\ntoken-files = [\"{}\"]\n\
         [transfer]\nlisten = [\"{POP}:5353\"]\nallow = [{{ from = \"{HUB}/32\", keys = [\"hub.\"] }}]\n{HUB_KEY}\
         [[zone]]\nname = \"{ZONE}\"\nprimaries = [{{ address = \"{HUB}:5353\", key = \"hub.\" }}]\nmust-have = [\"www A\"]\n",
        token.display()
    )
}

impl Site {
    /// Version 1 is served by both, and released.
    fn new(name: &str, when_unreachable: &str) -> Self {
        let mut lab = Lab::new();
        let (hub_space, pop_space) = hub_and_pop(&mut lab);
        hub_space.ip(&["address", "add", &format!("{OTHER}/32"), "dev", "lo"]);
        let token = lab.directory().join("token");
        replace(&token, "0123456789abcdef0123456789abcdef\n");
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).expect("changed");
        let mut hub = Anyns::new(&lab, &hub_space, "hub", &hub_config(&lab, name, when_unreachable));
        let mut pop = Anyns::new(&lab, &pop_space, "pop", &pop_config(&lab));
        let zones = lab.subdirectory("zones-hub");
        deploy(&zones, 1, "www");
        hub.start(&lab);
        hub.wait_zone(ZONE, "served", Some(1));
        pop.start(&lab);
        pop.wait_zone(ZONE, "served", Some(1));
        pop.wait_announces();
        Self { hub, pop, zones, hub_space, pop_space, lab }
    }

    /// The serial that the hub tells who asks from this address.
    fn told(&self, from: &str) -> Option<u32> {
        let key = format!("hmac-sha256:hub.:{HUB_SECRET}");
        let mut command = self.hub_space.command("dig");
        command.args([
            "+time=2",
            "+tries=1",
            "+short",
            "-y",
            &key,
            "-b",
            from,
            &format!("@{HUB}"),
            "-p",
            "5353",
        ]);
        let output = command.args([ZONE, "SOA"]).output().expect("dig runs");
        String::from_utf8_lossy(&output.stdout).split_whitespace().nth(2)?.parse().ok()
    }

    fn wait_health(&self, health: &str) {
        self.hub.wait_status(&format!("the canary is {health}"), |status| canary(status)["health"] == health);
    }

    fn wait_stopped(&self) -> Value {
        self.hub.wait_status("the release is stopped", |status| status["canaries"][0]["stopped"] == 1)
    }

    /// Why the hub has stopped the release of the zone.
    fn reason(&self) -> String {
        let status = self.hub.status().expect("a status");
        zone_status(&status, ZONE).expect("the zone")["canary"]["stopped"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Whether the others get this version. A POP that a busy machine does not let answer for a second stops it, as it should: an order
    /// ends that.
    fn is_proven(&self, serial: u32) -> bool {
        wait_until("the others may have it, or it is stopped", BOUND, || {
            self.told(OTHER) == Some(serial) || !self.reason().is_empty()
        });
        let is_proven = self.told(OTHER) == Some(serial);
        if !is_proven {
            println!("stopped: {}", self.reason());
            self.hub.must(&["zone", "release", ZONE]);
        }
        is_proven
    }

    /// The value of a metric with this label.
    fn metric(&self, name: &str, label: &str) -> String {
        let metrics = self.hub.must(&["metrics"]);
        let is_meant = |line: &&str| line.starts_with(&format!("{name}{{")) && line.contains(label);
        let line = metrics.lines().find(is_meant).unwrap_or_else(|| panic!("{name} {label}: {metrics}"));
        line.rsplit(' ').next().unwrap_or_default().to_owned()
    }
}

/// What the status says of the only secondary of the only group.
fn canary(status: &Value) -> &Value {
    &status["canaries"][0]["secondaries"][0]
}

fn deploy(zones: &std::path::Path, version: u32, host: &str) {
    let text = format!(
        "$ORIGIN {ZONE}.\n$TTL 60\n@ IN SOA ns1 hostmaster {version} 3600 600 86400 60\n@ IN NS ns1\n\
         ns1 IN A 192.0.2.53\n{host} IN A 192.0.2.{version}\n"
    );
    replace(&zones.join(format!("{ZONE}.zone")), &text);
}

fn alarms(status: &Value) -> String {
    status["alarms"].to_string()
}

#[test]
fn a_canary_whose_probes_fail_after_the_new_version_stops_the_release() {
    if !has_programs("canaries", &["dig"]) {
        return;
    }
    let mut site = Site::new(NAME, "release");
    site.wait_health("good");
    assert_eq!(site.metric("anyns_canaries", "health=\"good\""), "1");
    // A version that the POP serves while it is healthy is released.
    let proven = (2..7).find(|version| {
        let begun = Instant::now();
        deploy(&site.zones, *version, "www");
        site.pop.wait_zone(ZONE, "served", Some((*version).into()));
        let is_proven = site.is_proven(*version);
        assert!(!is_proven || begun.elapsed() >= TIME, "{:?}", begun.elapsed());
        is_proven
    });
    let released = proven.expect("one of five versions is proven");
    let next = released + 1;
    // The POP serves the next one, and then a service address is gone.
    deploy(&site.zones, next, "www");
    site.pop.wait_zone(ZONE, "served", Some(next.into()));
    site.pop_space.ip(&["address", "delete", "192.0.2.53/32", "dev", "lo"]);
    let status = site.wait_stopped();
    assert_eq!(
        (canary(&status)["health"].as_str(), canary(&status)["pop"].as_str()),
        (Some("bad"), Some("pop"))
    );
    let reason = site.reason();
    assert!(reason.starts_with("pop: ") && reason.contains("192.0.2."), "{reason}");
    for words in ["a canary became unhealthy", &reason, &format!("anyns zone release {ZONE}.")] {
        assert!(alarms(&status).contains(words), "{words}: {}", alarms(&status));
    }
    assert_eq!(site.metric("anyns_zones_canary", "state=\"stopped\""), "1");
    let page = site.hub.must(&["zone", "status", ZONE]);
    assert!(page.contains("first: halted") && page.contains(&reason), "{page}");
    let log = read(&site.lab.log_file("hub"));
    assert!(
        log.contains("the version goes to no other secondary until an order") && log.contains(&reason),
        "{log}"
    );
    // It is healthy again: that releases nothing, nor does the end of patience, nor a restart of the hub.
    site.pop_space.ip(&["address", "add", "192.0.2.53/32", "dev", "lo"]);
    site.wait_health("good");
    holds_for("the others wait", TIME + PATIENCE, || site.told(OTHER) == Some(released));
    site.hub.kill();
    site.hub.start(&site.lab);
    site.wait_stopped();
    assert!(site.reason().contains("before the hub was started again"), "{}", site.reason());
    wait_until("the hub gives the released version", BOUND, || site.told(OTHER) == Some(released));
    // The corrected version is looked at on the canary, and an order gives it to all.
    let corrected = next + 1;
    deploy(&site.zones, corrected, "www");
    site.pop.wait_zone(ZONE, "served", Some(corrected.into()));
    assert_eq!(site.told(OTHER), Some(released));
    site.hub.must(&["zone", "release", ZONE]);
    assert_eq!(site.told(OTHER), Some(corrected));
    site.hub.wait_status("nothing is stopped", |status| {
        status["canaries"][0]["stopped"] == 0 && !alarms(status).contains("canary first")
    });
}

#[test]
fn a_canary_that_refuses_the_new_version_stops_the_release_and_names_the_reason() {
    if !has_programs("canaries", &["dig"]) {
        return;
    }
    // On a busy machine a thread of the POP may be late, which stops the release before the version is refused: once more, then.
    for _ in 0..3 {
        let site = Site::new(NAME, "release");
        site.wait_health("good");
        // Without the record that the POP's configuration wants.
        deploy(&site.zones, 2, "web");
        site.wait_stopped();
        let reason = site.reason();
        if reason.contains("heartbeat") {
            continue;
        }
        assert!(reason.contains("it refuses serial 2") && reason.contains("www"), "{reason}");
        assert_eq!(site.told(OTHER), Some(1));
        holds_for("the others wait", PATIENCE, || site.told(OTHER) == Some(1));
        return;
    }
    panic!("the POP had no heartbeat each time");
}

#[test]
fn a_canary_that_does_not_tell_how_well_it_is_proves_no_version_and_is_an_alarm() {
    if !has_programs("canaries", &["dig"]) {
        return;
    }
    let site = Site::new(ASTRAY, "hold");
    let status =
        site.hub.wait_status("the canary does not tell", |status| canary(status)["health"] == "unknown");
    assert!(
        alarms(&status).contains(&format!("only the serial of {POP}:5353 is checked")),
        "{}",
        alarms(&status)
    );
    assert!(canary(&status)["health_reason"].as_str().is_some_and(|why| why.contains("no connection")));
    deploy(&site.zones, 2, "www");
    site.pop.wait_zone(ZONE, "served", Some(2));
    site.hub.wait_status("overdue", |status| status["canaries"][0]["overdue"] == 1);
    holds_for("the others wait", TIME, || site.told(OTHER) == Some(1));
    // Asked at the right place by a reload, it proves the version.
    site.hub.write_config(&hub_config(&site.lab, NAME, "hold"));
    site.hub.must(&["reload"]);
    let begun = Instant::now();
    assert!(!site.is_proven(2) || begun.elapsed() >= TIME / 2, "{:?}", begun.elapsed());
    assert_eq!(site.told(OTHER), Some(2));
    // Drained by order, it is no proof either; nothing is stopped for that.
    site.pop.must(&["drain", "--reason", "a disk"]);
    let status = site.hub.wait_status("drained", |status| canary(status)["health"] == "unknown");
    assert!(alarms(&status).contains("drained by order: a disk"), "{}", alarms(&status));
    deploy(&site.zones, 3, "www");
    site.pop.wait_zone(ZONE, "served", Some(3));
    let status = site.hub.wait_status("overdue", |status| status["canaries"][0]["overdue"] == 1);
    assert_eq!((status["canaries"][0]["stopped"].as_u64(), site.told(OTHER)), (Some(0), Some(2)));
    // Without `pop` the serial alone counts, and the status says so.
    let text = hub_config(&site.lab, NAME, "hold").replace(", pop = \"pop\"", "");
    site.hub.write_config(&text);
    site.hub.must(&["reload"]);
    wait_until("the others may have it", BOUND, || site.told(OTHER) == Some(3));
    let text = site.hub.command(&["status"]).text;
    assert!(text.contains(&format!("{POP}:5353")) && text.contains("only its serial is checked"), "{text}");
    assert_eq!(site.metric("anyns_canaries", "health=\"serial-only\""), "1");
}
