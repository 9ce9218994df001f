//! Two primaries of one zone that were edited apart: other content under one serial. The POP tells so, never serves a mixture of both, and
//! the alarm ends when both have the same again. The second primary is anyns or Knot DNS.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::anyns::{Anyns, BOUND, zone_status};
use crate::support::lab::{Lab, Space};
use crate::support::pop::{HUB_KEY, HUB_SECRET, add_service_addresses, base_config, replace};
use crate::support::process::Process;
use crate::support::skip::has_programs;
use crate::support::wait::{wait_for, wait_until};

const FIRST: &str = "198.18.1.1";
const SECOND: &str = "198.18.2.1";
const POP: &str = "198.18.9.2";
const ZONE: &str = "file.test";
/// Two comparisons are ten seconds apart, and a version that only one of both has waits for five.
const LONG: Duration = Duration::from_secs(60);

enum Server {
    Anyns(Anyns),
    Knot(Process),
}

struct Site {
    first: Anyns,
    second: Server,
    pop: Anyns,
    second_space: Space,
    pop_space: Space,
    lab: Lab,
}

/// The zone with an address record for each of these letters.
fn zone_text(serial: u32, owners: &str) -> String {
    let lines: String = owners.chars().map(|owner| format!("{owner} IN A 192.0.2.1\n")).collect();
    format!(
        "$ORIGIN {ZONE}.\n$TTL 60\n@ IN SOA ns1 hostmaster {serial} 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\n{lines}"
    )
}

fn primary(lab: &Lab, name: &str, address: &str) -> String {
    let base = base_config(lab, name, [address, "::1"], "dry-run", "");
    format!(
        "{base}[transfer]\nlisten = [\"{address}:5353\"]\nallow = [{{ from = \"198.18.0.0/16\", keys = [\"hub.\"] }}]\n\
         notify = [{{ address = \"{POP}:5353\", key = \"hub.\" }}]\n{HUB_KEY}"
    )
}

fn secondary(lab: &Lab) -> String {
    let base = base_config(lab, "pop", [POP, "::1"], "dry-run", "");
    let server = |address: &str| format!("{{ address = \"{address}:5353\", key = \"hub.\" }}");
    format!(
        "{base}[transfer]\nlisten = [\"{POP}:5353\"]\n{HUB_KEY}[[zone]]\nname = \"{ZONE}\"\nprimaries = [{}, {}]\n",
        server(FIRST),
        server(SECOND)
    )
}

fn start_knot(lab: &Lab, space: &Space) -> Process {
    let home = lab.subdirectory("zones-second");
    let directory = home.display();
    let text = format!(
        "server:\n  listen: {SECOND}@5353\n  rundir: \"{directory}\"\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
         database:\n  storage: \"{directory}\"\nlog:\n  - target: stderr\n    any: info\n\
         key:\n  - id: hub\n    algorithm: hmac-sha256\n    secret: {HUB_SECRET}\n\
         remote:\n  - id: pop\n    address: {POP}@5353\n    via: {SECOND}\n    key: hub\n\
         acl:\n  - id: pop\n    address: 198.18.0.0/16\n    key: hub\n    action: [transfer, query]\n\
         template:\n  - id: default\n    storage: \"{directory}\"\n    semantic-checks: off\n    zonefile-load: difference\n    zonefile-sync: -1\n\
         \x20   journal-content: changes\nzone:\n  - domain: {ZONE}\n    file: {ZONE}.zone\n    notify: pop\n    acl: pop\n"
    );
    let config = home.join("knot.conf");
    std::fs::write(&config, text).expect("written");
    lab.start(space, "knot", "knotd", &["-c", &config.display().to_string()])
}

/// Whether a primary serves serial 5.
fn has_five(space: &Space, server: &str) -> bool {
    let mut dig = space.command("dig");
    dig.args(["+short", "+time=1", "+tries=1", &format!("@{server}"), "-p", "5353", "-y"]);
    dig.args([&format!("hmac-sha256:hub:{HUB_SECRET}"), ZONE, "SOA"]);
    let said = String::from_utf8_lossy(&dig.output().expect("dig runs").stdout).into_owned();
    said.split_whitespace().nth(2) == Some("5")
}

impl Site {
    fn new(is_knot: bool) -> Self {
        let mut lab = Lab::new();
        let [first_space, second_space, pop_space] = ["first", "second", "pop"].map(|name| lab.space(name));
        lab.link(
            (&first_space, "pop", &["198.18.1.1/24"]),
            (&pop_space, "first", &["198.18.1.2/24", &format!("{POP}/32")]),
        );
        lab.link((&second_space, "pop", &["198.18.2.1/24"]), (&pop_space, "second", &["198.18.2.2/24"]));
        let route = |space: &Space, via: &str| space.ip(&["route", "add", &format!("{POP}/32"), "via", via]);
        route(&first_space, "198.18.1.2");
        route(&second_space, "198.18.2.2");
        for space in [&first_space, &second_space, &pop_space] {
            add_service_addresses(space);
        }
        // Edited apart: each has something under serial 5 that the other one has not.
        for (name, owners) in [("first", "af"), ("second", "ag")] {
            let zones = lab.subdirectory(&format!("zones-{name}"));
            replace(&zones.join(format!("{ZONE}.zone")), &zone_text(5, owners));
        }
        let mut first = Anyns::new(&lab, &first_space, "first", &primary(&lab, "first", FIRST));
        first.start(&lab);
        let second = if is_knot {
            Server::Knot(start_knot(&lab, &second_space))
        } else {
            let mut second = Anyns::new(&lab, &second_space, "second", &primary(&lab, "second", SECOND));
            second.start(&lab);
            Server::Anyns(second)
        };
        let mut pop = Anyns::new(&lab, &pop_space, "pop", &secondary(&lab));
        wait_until("both serve it", BOUND, || has_five(&pop_space, FIRST) && has_five(&pop_space, SECOND));
        pop.start(&lab);
        pop.wait_zone(ZONE, "served", Some(5));
        Self { first, second, pop, second_space, pop_space, lab }
    }

    fn deploy(&self, at: &str, serial: u32, owners: &str) {
        let file = self.lab.subdirectory(&format!("zones-{at}")).join(format!("{ZONE}.zone"));
        replace(&file, &zone_text(serial, owners));
        if let (Server::Knot(knot), "second") = (&self.second, at) {
            knot.signal(Signal::SIGHUP);
        }
    }

    /// Which letters the POP answers for.
    fn served(&self) -> String {
        let has = |owner: &char| {
            let mut dig = self.pop_space.command("dig");
            dig.args(["+time=2", "+tries=1", "@192.0.2.53", &format!("{owner}.{ZONE}"), "A"]);
            String::from_utf8_lossy(&dig.output().expect("dig runs").stdout).contains("192.0.2.1")
        };
        "afghij".chars().filter(has).collect()
    }

    /// Waits until the POP serves this serial, which has these letters and no others.
    fn wait_served(&self, serial: u64, owners: &str) -> Value {
        let (status, _) = wait_for(&format!("serial {serial}"), LONG, || {
            let status = self.pop.status()?;
            (zone_status(&status, ZONE)?["serial"] == serial).then_some(status)
        });
        assert_eq!(self.served(), owners, "one version, and no mixture");
        zone_status(&status, ZONE).expect("a zone")["transfer"].clone()
    }

    /// Waits until the alarm names this primary as the one whose content is not served.
    fn wait_alarm(&self, other: &str) -> Value {
        let other = format!("{other}:5353");
        let is_told = |status: &Value| {
            let contradiction = zone_status(status, ZONE).map(|zone| &zone["transfer"]["contradiction"]);
            contradiction.is_some_and(|it| it["primary"] == other.as_str())
        };
        wait_for("the alarm", LONG, || self.pop.status().filter(is_told)).0
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.lab.log_file("pop")).unwrap_or_default()
    }

    /// What the test is about.
    fn check(mut self) {
        assert_eq!(self.served(), "af");
        let status = self.wait_alarm(SECOND);
        let alarms = status["alarms"].to_string();
        for part in
            ["primaries with other content under one serial", "serial 5", FIRST, SECOND, "zone refresh"]
        {
            assert!(alarms.contains(part), "{part}: {alarms}");
        }
        assert!(self.log().contains("the primary has other content under this serial"));
        let told = self.pop.must(&["zone", "status", ZONE]);
        assert!(told.contains("has other content under serial 5"), "{told}");
        // It is so after a restart, although there is nothing to compare with.
        match &mut self.second {
            Server::Anyns(second) => second.kill(),
            Server::Knot(knot) => knot.kill(),
        }
        self.pop.signal(Signal::SIGTERM);
        self.pop.process().wait_end(BOUND);
        self.pop.start(&self.lab);
        self.pop.wait_zone(ZONE, "served", Some(5));
        self.wait_alarm(SECOND);
        match &mut self.second {
            Server::Anyns(second) => second.start(&self.lab),
            Server::Knot(knot) => *knot = start_knot(&self.lab, &self.second_space),
        }
        wait_until("the second one serves it again", BOUND, || has_five(&self.pop_space, SECOND));
        // Each of them goes on, by differences to its own serial 5 and 6.
        self.deploy("second", 6, "agh");
        let transfer = self.wait_served(6, "agh");
        assert_eq!(transfer["last_transfer"]["whole"], true);
        self.wait_alarm(FIRST);
        self.deploy("first", 7, "afi");
        let transfer = self.wait_served(7, "afi");
        assert_eq!(transfer["last_transfer"]["whole"], true);
        self.wait_alarm(SECOND);
        // Both have the same under a higher serial: it comes as differences from the one that gave what is served, and the alarm ends.
        self.deploy("first", 8, "afghij");
        let transfer = self.wait_served(8, "afghij");
        assert_eq!(transfer["last_transfer"]["whole"], false);
        // How it ends is the same whoever the second one is.
        if matches!(self.second, Server::Knot(_)) {
            return;
        }
        self.deploy("second", 8, "afghij");
        let is_told = |status: &Value| {
            let all = zone_status(status, ZONE).and_then(|zone| zone["transfer"]["primaries"].as_array());
            let told = all.into_iter().flatten().filter(|it| it["serial"] == 8).count();
            told == 2
        };
        wait_for("both tell serial 8", LONG, || {
            self.pop.must(&["zone", "refresh", ZONE]);
            self.pop.status().filter(is_told)
        });
        wait_for("the alarm ends", Duration::from_secs(120), || {
            let status = self.pop.status()?;
            zone_status(&status, ZONE)?["transfer"]["contradiction"].is_null().then_some(())
        });
        // From now on either of them gives differences.
        self.deploy("second", 9, "afgh");
        let transfer = self.wait_served(9, "afgh");
        assert_eq!(transfer["last_transfer"]["whole"], false);
        assert_eq!(transfer["last_transfer"]["primary"], format!("{SECOND}:5353"));
        drop(self.first);
    }
}

#[test]
fn two_hubs_that_were_edited_apart_are_an_alarm_and_no_mixture() {
    if has_programs("two primaries", &["dig"]) {
        Site::new(false).check();
    }
}

#[test]
fn a_hub_and_knot_that_were_edited_apart_are_an_alarm_and_no_mixture() {
    if has_programs("two primaries, one of them Knot DNS", &["dig", "knotd"]) {
        Site::new(true).check();
    }
}
