//! What the operator's guide says of a hub that is lost: it is restored from an older backup, or another server takes its place.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::support::anyns::{Anyns, BOUND, zone_status};
use crate::support::lab::{Lab, Space};
use crate::support::pop::{HUB_KEY, HUB_SECRET, add_service_addresses, base_config, replace};
use crate::support::process::must;
use crate::support::skip::has_programs;
use crate::support::wait::{holds_for, wait_until};

const HUB: &str = "198.18.1.1";
const STANDBY: &str = "198.18.2.1";
const POP: &str = "198.18.9.2";
/// From a file at the hub.
const FILE: &str = "file.test";
/// Changed by updates at the hub.
const DATABASE: &str = "dyn.test";

/// A hub, a server that stands by for it, and a POP that asks both.
struct Fleet {
    hub: Anyns,
    standby: Anyns,
    pop: Anyns,
    standby_space: Space,
    hub_space: Space,
    pop_space: Space,
    lab: Lab,
}

fn zone_text(zone: &str, serial: u32) -> String {
    format!(
        "$ORIGIN {zone}.\n$TTL 60\n@ IN SOA ns1 hostmaster {serial} 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\n"
    )
}

fn base(lab: &Lab, name: &str, address: &str) -> String {
    let (zones, state) =
        (lab.subdirectory(&format!("zones-{name}")), lab.subdirectory(&format!("state-{name}")));
    let zones =
        format!("[zones]\ndirectory = \"{}\"\nstate-directory = \"{}\"\n", zones.display(), state.display());
    let base = base_config(lab, name, [address, "::1"], "dry-run", &zones);
    let others = [STANDBY, POP].into_iter().filter(|it| *it != address && address != POP);
    let notify: Vec<String> =
        others.map(|it| format!("{{ address = \"{it}:5353\", key = \"hub.\" }}")).collect();
    format!(
        "{base}[transfer]\nlisten = [\"{address}:5353\"]\nallow = [{{ from = \"198.18.0.0/16\", keys = [\"hub.\"] }}]\n\
         notify = [{}]\n{HUB_KEY}",
        notify.join(", ")
    )
}

/// `[[zone]]` of a zone that takes updates.
fn database(lab: &Lab) -> String {
    let seed = lab.directory().join("seed.zone").display().to_string();
    format!(
        "[[zone]]\nname = \"{DATABASE}\"\nfile = \"{seed}\"\nupdate = [{{ key = \"hub.\", types = [\"ANY\"] }}]\n"
    )
}

fn from(zone: &str, primaries: &[&str]) -> String {
    let list: Vec<String> =
        primaries.iter().map(|it| format!("{{ address = \"{it}:5353\", key = \"hub.\" }}")).collect();
    format!("[[zone]]\nname = \"{zone}\"\nprimaries = [{}]\n", list.join(", "))
}

impl Fleet {
    fn new() -> Self {
        let mut lab = Lab::new();
        let [hub_space, standby_space, pop_space] = ["hub", "standby", "pop"].map(|name| lab.space(name));
        lab.link(
            (&hub_space, "pop", &["198.18.1.1/24"]),
            (&pop_space, "hub", &["198.18.1.2/24", &format!("{POP}/32")]),
        );
        lab.link((&standby_space, "pop", &["198.18.2.1/24"]), (&pop_space, "standby", &["198.18.2.2/24"]));
        lab.link((&hub_space, "standby", &["198.18.3.1/24"]), (&standby_space, "hub", &["198.18.3.2/24"]));
        let route =
            |space: &Space, to: &str, via: &str| space.ip(&["route", "add", &format!("{to}/32"), "via", via]);
        route(&hub_space, POP, "198.18.1.2");
        route(&standby_space, POP, "198.18.2.2");
        route(&standby_space, HUB, "198.18.3.1");
        route(&hub_space, STANDBY, "198.18.3.2");
        for space in [&hub_space, &standby_space, &pop_space] {
            add_service_addresses(space);
        }
        std::fs::write(lab.directory().join("seed.zone"), zone_text(DATABASE, 1)).expect("written");
        let hub = Anyns::new(&lab, &hub_space, "hub", &(base(&lab, "hub", HUB) + &database(&lab)));
        let zones = |primaries: &[&str]| from(FILE, primaries) + &from(DATABASE, primaries);
        let standby =
            Anyns::new(&lab, &standby_space, "standby", &(base(&lab, "standby", STANDBY) + &zones(&[HUB])));
        let pop = Anyns::new(&lab, &pop_space, "pop", &(base(&lab, "pop", POP) + &zones(&[HUB, STANDBY])));
        let fleet = Self { hub, standby, pop, standby_space, hub_space, pop_space, lab };
        fleet.deploy("hub", 1);
        fleet
    }

    fn deploy(&self, at: &str, serial: u32) {
        let file = self.lab.subdirectory(&format!("zones-{at}")).join(format!("{FILE}.zone"));
        replace(&file, &zone_text(FILE, serial));
    }

    /// Adds a record to the zone that takes updates.
    fn update(&self, space: &Space, server: &str, owner: &str) {
        let text = format!(
            "server {server} 5353\nkey hmac-sha256:hub. {HUB_SECRET}\nzone {DATABASE}.\nupdate add {owner}.{DATABASE}. 60 A 192.0.2.1\nsend\n"
        );
        let file = self.lab.directory().join("update.txt");
        std::fs::write(&file, text).expect("written");
        must(space.command("nsupdate").arg(&file).stdin(Stdio::null()));
    }

    /// Whether the POP answers for this name of the zone that takes updates.
    fn pop_has(&self, owner: &str) -> bool {
        let mut dig = self.pop_space.command("dig");
        dig.args(["+time=2", "+tries=1", "@192.0.2.53", &format!("{owner}.{DATABASE}"), "A"]);
        let said = dig.output().expect("dig runs");
        String::from_utf8_lossy(&said.stdout).contains("192.0.2.1")
    }

    fn start_all(&mut self) {
        self.hub.start(&self.lab);
        self.hub.wait_zone(FILE, "served", None);
        self.standby.start(&self.lab);
        self.standby.wait_zone(DATABASE, "served", None);
        self.standby.wait_zone(FILE, "served", None);
        self.pop.start(&self.lab);
        self.pop.wait_zone(DATABASE, "served", None);
        self.pop.wait_zone(FILE, "served", None);
    }
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    must(std::process::Command::new("cp").arg("-a").args([from, to]));
}

/// What the POP says of this primary of a zone.
fn primary<'s>(status: &'s Value, zone: &str, address: &str) -> &'s Value {
    let all = zone_status(status, zone).and_then(|zone| zone["transfer"]["primaries"].as_array());
    let address = format!("{address}:5353");
    all.into_iter().flatten().find(|it| it["address"] == address).unwrap_or(&Value::Null)
}

#[test]
fn a_hub_restored_from_an_older_backup_takes_nothing_back_by_itself() {
    if !has_programs("the loss of a hub", &["nsupdate", "dig"]) {
        return;
    }
    let mut fleet = Fleet::new();
    fleet.start_all();
    fleet.standby.kill();
    // The backup is made while the process is stopped.
    fleet.hub.kill();
    let (state, zones) = (fleet.lab.subdirectory("state-hub"), fleet.lab.subdirectory("zones-hub"));
    let backup = fleet.lab.subdirectory("backup");
    copy(&state, &backup.join("state"));
    copy(&zones, &backup.join("zones"));
    fleet.hub.start(&fleet.lab);
    fleet.deploy("hub", 5);
    fleet.pop.wait_zone(FILE, "served", Some(5));
    for owner in ["a", "b", "c"] {
        fleet.update(&fleet.hub_space, HUB, owner);
    }
    fleet.pop.wait_zone(DATABASE, "served", Some(4));
    // The hub's disk is lost, and the backup comes back: serial 1 of both.
    fleet.hub.kill();
    copy(&backup.join("state"), &state);
    copy(&backup.join("zones"), &zones);
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_zone(DATABASE, "served", Some(1));
    fleet.pop.must(&["zone", "refresh", "--all"]);
    for zone in [FILE, DATABASE] {
        fleet.pop.wait_status("the older serial is seen", |status| primary(status, zone, HUB)["serial"] == 1);
    }
    // What is served stays.
    holds_for("the POP serves on what it had", std::time::Duration::from_secs(1), || {
        let status = fleet.pop.status().expect("it answers");
        let serial = |zone| zone_status(&status, zone).expect("a zone")["serial"].clone();
        serial(FILE) == 5 && serial(DATABASE) == 4
    });
    // One command takes the hub's version all the same; a serial above what the fleet serves goes out as ever.
    fleet.pop.must(&["zone", "retransfer", FILE]);
    fleet.pop.wait_zone(FILE, "served", Some(1));
    fleet.deploy("hub", 6);
    fleet.pop.wait_zone(FILE, "served", Some(6));
    // What was updated since the backup comes back from a POP.
    let own = base(&fleet.lab, "hub", HUB);
    fleet.hub.write_config(&(own.clone() + &from(DATABASE, &[POP])));
    fleet.hub.must(&["reload"]);
    fleet.hub.wait_zone(DATABASE, "served", Some(4));
    fleet.hub.write_config(&(own + &database(&fleet.lab)));
    fleet.hub.must(&["reload"]);
    fleet.update(&fleet.hub_space, HUB, "d");
    wait_until("the POP follows again", BOUND, || fleet.pop_has("c") && fleet.pop_has("d"));
}

#[test]
fn versions_of_a_restored_hub_are_not_mixed_with_those_that_it_lost() {
    if !has_programs("the loss of a hub", &["dig"]) {
        return;
    }
    let mut fleet = Fleet::new();
    fleet.start_all();
    fleet.standby.kill();
    let deploy = |fleet: &Fleet, serial: u32, owners: &str| {
        let file = fleet.lab.subdirectory("zones-hub").join(format!("{FILE}.zone"));
        let lines: String = owners.chars().map(|owner| format!("{owner} IN A 192.0.2.1\n")).collect();
        replace(&file, &(zone_text(FILE, serial) + &lines));
    };
    deploy(&fleet, 5, "l");
    fleet.pop.wait_zone(FILE, "served", Some(5));
    let pop_has = |fleet: &Fleet, owners: &str| {
        let has = |owner: &char| {
            let mut dig = fleet.pop_space.command("dig");
            dig.args(["+time=2", "+tries=1", "@192.0.2.53", &format!("{owner}.{FILE}"), "A"]);
            String::from_utf8_lossy(&dig.output().expect("dig runs").stdout).contains("192.0.2.1")
        };
        "lmno".chars().filter(has).collect::<String>() == owners
    };
    wait_until("the lost version is served", BOUND, || pop_has(&fleet, "l"));
    // The hub's state is lost, and an older version comes back.
    fleet.hub.kill();
    std::fs::remove_dir_all(fleet.lab.subdirectory("state-hub")).expect("removed");
    deploy(&fleet, 3, "");
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_zone(FILE, "served", Some(3));
    fleet.pop.must(&["zone", "refresh", FILE]);
    let is_told = |status: &Value| status["alarms"].to_string().contains("went backwards");
    fleet.pop.wait_status("the older serial is an alarm", is_told);
    // It is so after a restart, too, also where the hub tells that serial no more: the one that is served is another version there now.
    fleet.hub.kill();
    fleet.pop.signal(nix::sys::signal::Signal::SIGTERM);
    fleet.pop.process().wait_end(BOUND);
    fleet.pop.start(&fleet.lab);
    fleet.pop.wait_status("the older serial is an alarm after a restart", is_told);
    deploy(&fleet, 5, "mn");
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_zone(FILE, "served", Some(5));
    wait_until("the other version is served under the same serial", BOUND, || pop_has(&fleet, "mn"));
    fleet.pop.wait_status("the alarm has ended", |status| !is_told(status));
    deploy(&fleet, 6, "mno");
    fleet.pop.wait_zone(FILE, "served", Some(6));
    wait_until("the next version follows", BOUND, || pop_has(&fleet, "mno"));
}

#[test]
fn a_standby_takes_the_place_of_the_hub() {
    if !has_programs("a standby hub", &["nsupdate", "dig"]) {
        return;
    }
    let mut fleet = Fleet::new();
    fleet.start_all();
    fleet.deploy("hub", 2);
    fleet.update(&fleet.hub_space, HUB, "before");
    for server in [&fleet.standby, &fleet.pop] {
        server.wait_zone(FILE, "served", Some(2));
        server.wait_zone(DATABASE, "served", Some(2));
    }
    fleet.hub.kill();
    // Each zone of a file becomes a file; what takes updates goes on from what is kept.
    let text = fleet.standby.must(&["zone", "export", FILE]);
    let file = fleet.lab.subdirectory("zones-standby").join(format!("{FILE}.zone"));
    replace(&file, &text);
    fleet.standby.write_config(&(base(&fleet.lab, "standby", STANDBY) + &database(&fleet.lab)));
    fleet.standby.must(&["reload"]);
    fleet.standby.wait_zone(FILE, "served", Some(2));
    fleet.standby.wait_zone(DATABASE, "served", Some(2));
    // It is the origin from now on.
    fleet.deploy("standby", 3);
    fleet.update(&fleet.standby_space, STANDBY, "after");
    fleet.pop.wait_zone(FILE, "served", Some(3));
    wait_until("the POP follows the standby", BOUND, || fleet.pop_has("after") && fleet.pop_has("before"));
    // The old hub comes back as it was: nothing of it is taken.
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_zone(FILE, "served", Some(2));
    fleet.pop.must(&["zone", "refresh", "--all"]);
    fleet.pop.wait_status("the old hub is seen", |status| primary(status, FILE, HUB)["serial"] == 2);
    let status = fleet.pop.wait_zone(FILE, "served", Some(3));
    assert_eq!(zone_status(&status, DATABASE).expect("a zone")["serial"], 3);
}
