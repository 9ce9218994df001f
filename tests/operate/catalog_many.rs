//! 20,000 zones by catalog to an empty POP, beside Knot DNS as secondary of the same hub; and how many SOA queries leave after a restart.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::anyns::Anyns;
use crate::support::lab::{Lab, Space};
use crate::support::pop::{HUB_KEY, base_config, hub_and_pop};
use crate::support::process::Process;
use crate::support::skip::{has_programs, is_full_run};
use crate::support::wait::{holds_for, wait_for};

const HUB: &str = "198.18.1.1";
const POP: &str = "198.18.1.2";
/// A start of so many zones on a machine that runs other tests.
const LONG: Duration = Duration::from_secs(900);
/// What `soa-queries-per-second` says in this test.
const QUERIES: u64 = 400;

fn many() -> usize {
    std::env::var("ANYNS_TEST_MANY").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

pub(crate) fn write_zones(directory: &Path, count: usize) {
    for number in 0..count {
        let text = format!(
            "$TTL 60\n@ IN SOA ns1 hostmaster 1 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\nwww IN A 192.0.2.{}\n",
            number % 250
        );
        std::fs::write(directory.join(format!("z{number}.many.test.zone")), text).expect("written");
    }
}

/// How many zones are served, from the page of those that are not well.
pub(crate) fn served(anyns: &Anyns) -> u64 {
    let said = anyns.command(&["status", "--json", "--zones", "bad"]);
    let status: Value = serde_json::from_str(&said.text).unwrap_or_default();
    status["zone_counts"]["served"].as_u64().unwrap_or(0)
}

/// Counts lines of a log that grows; both servers are measured by theirs, which costs them nothing.
struct LogLines {
    file: File,
    word: &'static str,
    rest: Vec<u8>,
    count: usize,
}

impl LogLines {
    fn new(lab: &Lab, name: &str, word: &'static str) -> Self {
        let file = File::open(lab.log_file(name)).expect("the log is there");
        Self { file, word, rest: Vec::new(), count: 0 }
    }

    /// How many lines with the word there are by now.
    fn count(&mut self) -> usize {
        self.file.read_to_end(&mut self.rest).expect("readable");
        let end = self.rest.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        self.count += String::from_utf8_lossy(&whole).lines().filter(|line| line.contains(self.word)).count();
        self.count
    }
}

fn knot(lab: &Lab, space: &Space) -> Process {
    let home = lab.subdirectory("knot");
    let directory = home.display();
    let text = format!(
        "server:\n  listen: {POP}@5353\n  rundir: \"{directory}\"\n\
         database:\n  storage: \"{directory}\"\nlog:\n  - target: stderr\n    any: info\n\
         key:\n  - id: hub\n    algorithm: hmac-sha256\n    secret: c2VjcmV0IG9mIHRoZSBodWIgYW5kIHRoZSBQT1A=\n\
         remote:\n  - id: hub\n    address: {HUB}@5353\n    key: hub\n\
         acl:\n  - id: hub\n    address: {HUB}\n    key: hub\n    action: notify\n\
         template:\n  - id: default\n    storage: \"{directory}\"\n    zonefile-load: none\n    zonefile-sync: -1\n    journal-content: all\n\
         \x20   master: hub\n    acl: hub\n\
         zone:\n  - domain: catalog.test\n    catalog-role: interpret\n    catalog-template: default\n"
    );
    let config = home.join("knot.conf");
    std::fs::write(&config, text).expect("written");
    lab.start(space, "knot", "knotd", &["-c", &config.display().to_string()])
}

#[test]
fn twenty_thousand_zones_by_catalog_to_an_empty_pop() {
    // The full run alone: it takes minutes.
    if !is_full_run() || !has_programs("20,000 zones by catalog", &["knotd"]) {
        return;
    }
    let count = many();
    let mut lab = Lab::new();
    let (hub_space, pop_space) = hub_and_pop(&mut lab);
    let zones = lab.subdirectory("zones-hub");
    write_zones(&zones, count);
    let state = |name: &str| lab.subdirectory(&format!("state-{name}")).display().to_string();
    let hub_zones =
        format!("[zones]\ndirectory = \"{}\"\nstate-directory = \"{}\"\n", zones.display(), state("hub"));
    let base = base_config(&lab, "hub", [HUB, "2001:db8:1::1"], "dry-run", &hub_zones);
    let text = format!(
        "{base}[transfer]\nlisten = [\"{HUB}:5353\"]\nallow = [{{ from = \"198.18.1.0/24\", keys = [\"hub.\"] }}]\n{HUB_KEY}\
         [[catalog]]\nname = \"catalog.test\"\nproduce = true\n"
    );
    let mut hub = Anyns::new(&lab, &hub_space, "hub", &text);
    hub.start(&lab);
    let lists = || (served(&hub) > count as u64).then_some(());
    wait_for("the hub serves all zones and the catalog", LONG, lists);
    let followed = format!(
        "[[catalog]]\nname = \"catalog.test\"\nprimaries = [{{ address = \"{HUB}:5353\", key = \"hub.\" }}]\n"
    );
    let pop_zones = format!("[zones]\nstate-directory = \"{}\"\n", state("pop"));
    let base = base_config(&lab, "pop", [POP, "2001:db8:1::2"], "dry-run", &pop_zones);
    let limits =
        format!("soa-queries-per-second = {QUERIES}\nsoa-queries-per-second-per-primary = {QUERIES}\n");
    let text = format!("{base}[transfer]\nlisten = [\"{POP}:5353\"]\n{limits}{HUB_KEY}{followed}");
    let mut pop = Anyns::new(&lab, &pop_space, "pop", &text);
    pop.start(&lab);
    let mut lines = LogLines::new(&lab, "pop", "zone transferred");
    let (_, of_anyns) = wait_for("anyns has all zones", LONG, || (lines.count() > count).then_some(()));
    assert!(served(&pop) > count as u64);
    println!("{count} zones by catalog to an empty anyns: {of_anyns:.2?}");
    pop.wait_announces();
    // A restart: all zones are there at once, and are confirmed without a storm.
    pop.kill();
    let before = soa_queries(&hub_space);
    pop.start(&lab);
    let (_, restored) =
        wait_for("anyns has all zones again", LONG, || (served(&pop) > count as u64).then_some(()));
    println!("after a restart: {restored:.2?}");
    // Of each second the datagrams that came, looked at often.
    let (mut most, mut seen) = (0, vec![(Instant::now(), before)]);
    holds_for("no storm of SOA queries", Duration::from_secs(5), || {
        let (now, count) = (Instant::now(), soa_queries(&hub_space));
        seen.push((now, count));
        let a_second_ago = seen.iter().rev().find(|(at, _)| now - *at >= Duration::from_secs(1));
        most = most.max(a_second_ago.map_or(0, |(_, then)| count - then));
        most <= QUERIES + QUERIES / 4
    });
    println!(
        "datagrams to the hub in the busiest of five seconds after it: {most}, {QUERIES} SOA queries allowed"
    );
    pop.kill();
    let _knot = knot(&lab, &pop_space);
    let mut lines = LogLines::new(&lab, "knot", "zone updated");
    let (_, of_knot) = wait_for("Knot has all zones", LONG, || (lines.count() > count).then_some(()));
    println!(
        "{count} zones by catalog to an empty Knot: {of_knot:.2?}, anyns takes {:.2} of that",
        of_anyns.as_secs_f64() / of_knot.as_secs_f64()
    );
}

/// Datagrams that the hub's host has received.
fn soa_queries(space: &Space) -> u64 {
    let output = space.command("cat").arg("/proc/net/snmp").output().expect("cat runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers = text.lines().filter(|line| line.starts_with("Udp:")).nth(1);
    numbers.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}
