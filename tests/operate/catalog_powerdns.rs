//! Catalog zones between anyns and PowerDNS: each makes a catalog that the other follows.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::catalog::{Fleet, HUB, POP, catalog, follows, hub_config};
use crate::support::anyns::BOUND;
use crate::support::lab::Space;
use crate::support::pop::HUB_SECRET;
use crate::support::process::{Process, must};
use crate::support::skip::{has_programs, skip};
use crate::support::wait::wait_until;

const SCHEMA: &str = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";
/// The name of the key for transfers.
const KEY_NAME: &str = "hub";

/// Whether what the tests need is installed; counts a skip if it is not.
fn is_installed(what: &str) -> bool {
    if !has_programs(what, &["dig", "pdns_server", "pdnsutil", "sqlite3"]) {
        return false;
    }
    let is_there = Path::new(SCHEMA).exists();
    if !is_there {
        skip(what, "the package pdns-backend-sqlite3 is not installed");
    }
    is_there
}

/// PowerDNS with its SQLite backend: the BIND backend has no catalogs.
struct PowerDns {
    home: PathBuf,
    address: &'static str,
    space: Space,
}

impl PowerDns {
    /// The database and the configuration; nothing runs yet.
    fn new(fleet: &Fleet, space: &Space, address: &'static str) -> Self {
        let home = fleet.lab.subdirectory("pdns");
        let directory = home.display();
        let schema = std::fs::read_to_string(SCHEMA).expect("the schema");
        must(Command::new("sqlite3").arg(home.join("pdns.sqlite3")).arg(schema));
        let text = format!(
            "launch=gsqlite3\ngsqlite3-database={directory}/pdns.sqlite3\nlocal-address={address}\nlocal-port=5353\n\
             socket-dir={directory}\nsetuid=\nsetgid=\nguardian=no\ndaemon=no\ncache-ttl=0\nquery-cache-ttl=0\n\
             negquery-cache-ttl=0\nreceiver-threads=1\ndistributor-threads=1\nsecurity-poll-suffix=\nloglevel=5\n\
             zone-cache-refresh-interval=0\nallow-axfr-ips=198.18.1.0/24\nallow-notify-from=198.18.1.0/24\nxfr-cycle-interval=1\n\
             primary=yes\nsecondary=yes\nquery-local-address={address}\n"
        );
        std::fs::write(home.join("pdns.conf"), text).expect("written");
        let server = Self { home, address, space: space.clone() };
        server.order(&["import-tsig-key", KEY_NAME, "hmac-sha256", HUB_SECRET]);
        server
    }

    fn order(&self, arguments: &[&str]) {
        let directory = format!("--config-dir={}", self.home.display());
        must(self.space.command("pdnsutil").arg(directory).args(arguments));
    }

    fn start(&self, fleet: &Fleet) -> Process {
        let directory = format!("--config-dir={}", self.home.display());
        fleet.lab.start(&self.space, "pdns", "pdns_server", &[&directory])
    }

    /// Has it serve a zone and list it in its catalog.
    fn add(&self, fleet: &Fleet, zone: &str) {
        fleet.deploy(zone);
        let file = fleet.zones.join(format!("{zone}.zone")).display().to_string();
        self.order(&["load-zone", zone, &file]);
        self.order(&["set-kind", zone, "primary"]);
        self.order(&["set-catalog", zone, "made.pdns"]);
        self.order(&["activate-tsig-key", zone, KEY_NAME, "primary"]);
    }

    fn serves(&self, fleet: &Fleet, zone: &str) -> bool {
        let said = fleet.dig(&[&format!("@{}", self.address), "-p", "5353", zone, "SOA"]);
        said.contains("status: NOERROR") && said.contains("ANSWER: 1")
    }
}

#[test]
fn powerdns_follows_the_catalog_of_a_hub() {
    if !is_installed("PowerDNS follows a catalog") {
        return;
    }
    const MADE: &str = "[[catalog]]\nname = \"catalog.test\"\nproduce = true\n";
    let mut fleet = Fleet::new(MADE, "");
    // PowerDNS 4.7 asks for the members without the key of the catalog.
    let config = hub_config(&fleet.lab, MADE).replace(", keys = [\"hub.\"]", "");
    fleet.hub.write_config(&config);
    ["z0.test", "z1.test"].iter().for_each(|zone| fleet.deploy(zone));
    fleet.hub.start(&fleet.lab);
    fleet.hub.wait_status("the hub lists them", |status| catalog(status, "catalog.test")["members"] == 2);
    let powerdns = PowerDns::new(&fleet, &fleet.pop_space, POP);
    powerdns.order(&["create-secondary-zone", "catalog.test", &format!("{HUB}:5353")]);
    powerdns.order(&["set-kind", "catalog.test", "consumer"]);
    powerdns.order(&["activate-tsig-key", "catalog.test", KEY_NAME, "consumer"]);
    let _process = powerdns.start(&fleet);
    let serves = |zone: &str| powerdns.serves(&fleet, zone);
    let took = wait_until("PowerDNS has both zones", BOUND, || serves("z0.test") && serves("z1.test"));
    println!("PowerDNS follows the catalog: {took:.2?}");
    fleet.deploy("new.test");
    println!("a zone that comes: {:.2?}", wait_until("it has the new zone", BOUND, || serves("new.test")));
    fleet.take_out("new.test");
    println!("a zone that goes: {:.2?}", wait_until("it has it no more", BOUND, || !serves("new.test")));
}

#[test]
fn a_pop_follows_a_catalog_that_powerdns_makes() {
    if !is_installed("a catalog of PowerDNS") {
        return;
    }
    let mut fleet = Fleet::new("", &follows("made.pdns", ""));
    let powerdns = PowerDns::new(&fleet, &fleet.hub_space, HUB);
    powerdns.order(&["create-zone", "made.pdns"]);
    powerdns.order(&["set-kind", "made.pdns", "producer"]);
    powerdns.order(&["set-meta", "made.pdns", "ALSO-NOTIFY", &format!("{POP}:5353")]);
    powerdns.order(&["activate-tsig-key", "made.pdns", KEY_NAME, "primary"]);
    ["z0.test", "z1.test"].iter().for_each(|zone| powerdns.add(&fleet, zone));
    let _process = powerdns.start(&fleet);
    fleet.pop.start(&fleet.lab);
    let took = wait_until("the POP has both", BOUND, || fleet.serves("z0.test") && fleet.serves("z1.test"));
    println!("a catalog that PowerDNS makes: {took:.2?}");
    fleet.pop.wait_announces();
    powerdns.add(&fleet, "new.test");
    fleet.pop.must(&["zone", "refresh", "made.pdns"]);
    println!("a zone that comes: {:.2?}", fleet.wait_serves("new.test"));
    powerdns.order(&["delete-zone", "new.test"]);
    println!(
        "a zone that goes: {:.2?}",
        wait_until("it is gone", BOUND, || {
            fleet.pop.must(&["zone", "refresh", "made.pdns"]);
            !fleet.serves("new.test")
        })
    );
}
