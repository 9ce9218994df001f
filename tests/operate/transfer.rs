//! A hub and a POP, both anyns, in namespaces: zones by transfer with a TSIG key, changes by NOTIFY, a restart without the hub, a
//! version that is refused, and a client that may not have the zone.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::metrics::value;
use crate::support::anyns::{Anyns, BOUND};
use crate::support::lab::{Lab, Space};
use crate::support::pop::{HUB_KEY, ZONE, base_config, deploy, hub_and_pop, replace};
use crate::support::skip::has_programs;
use crate::support::wait::{wait_for, wait_until};
use crate::support::zones::versioned;

const HUB: &str = "198.18.1.1";
const POP: &str = "198.18.1.2";

struct Pair {
    hub: Anyns,
    pop: Anyns,
    hub_zones: PathBuf,
    hub_space: Space,
    pop_space: Space,
    lab: Lab,
}

impl Pair {
    fn new() -> Self {
        let mut lab = Lab::new();
        let (hub_space, pop_space) = hub_and_pop(&mut lab);
        let hub_zones = lab.subdirectory("zones-hub");
        deploy(&hub_zones, ZONE, 1);
        let sends = format!(
            "[transfer]\nlisten = [\"{HUB}:5353\"]\nallow = [{{ from = \"{POP}/32\", keys = [\"hub.\"] }}]\n\
             notify = [{{ address = \"{POP}:5353\", key = \"hub.\" }}]\n"
        );
        let takes = format!(
            "[transfer]\nlisten = [\"{POP}:5353\"]\n\n[[zone]]\nname = \"{ZONE}\"\n\
             primaries = [{{ address = \"{HUB}:5353\", key = \"hub.\" }}]\n"
        );
        let hub = base_config(&lab, "hub", [HUB, "2001:db8:1::1"], "dry-run", "");
        let pop = base_config(&lab, "pop", [POP, "2001:db8:1::2"], "dry-run", "");
        let hub = Anyns::new(&lab, &hub_space, "hub", &format!("{hub}{sends}{HUB_KEY}"));
        let pop = Anyns::new(&lab, &pop_space, "pop", &format!("{pop}{takes}{HUB_KEY}"));
        Self { hub, pop, hub_zones, hub_space, pop_space, lab }
    }

    fn dig(space: &Space, arguments: &[&str]) -> Output {
        space.command("dig").args(["+time=2", "+tries=1"]).args(arguments).output().expect("dig runs")
    }

    /// The serial that a server answers with.
    fn serial(space: &Space) -> Option<u32> {
        let output = Self::dig(space, &["+short", "@192.0.2.53", ZONE, "SOA"]);
        String::from_utf8_lossy(&output.stdout).split_whitespace().nth(2)?.parse().ok()
    }

    /// The zone as a transfer brings it, sorted.
    fn zone(space: &Space, more: &[&str]) -> Vec<String> {
        let output = Self::dig(space, &[&["+onesoa", "+nocomments", "+nostats", "+nocmd"], more].concat());
        let mut lines: Vec<String> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter(|line| line.contains("\tIN\t"))
            .map(ToOwned::to_owned)
            .collect();
        lines.sort();
        lines
    }
}

/// A version with so many more records that a difference to another one is smaller than the zone (RFC 1995 section 5).
fn deploy_padded(zones: &Path, version: u32) {
    let more: String = (0..50).map(|host| format!("more{host} 60 IN A 192.0.2.{host}\n")).collect();
    replace(&zones.join(format!("{ZONE}.zone")), &(versioned(ZONE, version) + &more));
}

/// A client without a key that asks again and again costs some lines of the log, not one each time.
fn refused_often(pair: &mut Pair) {
    let batch = pair.lab.subdirectory("queries").join("axfr");
    let query = format!("@{HUB} -p 5353 {ZONE} AXFR\n");
    std::fs::write(&batch, query.repeat(100)).expect("the queries are written");
    let asked = Pair::dig(&pair.pop_space, &["-f", &batch.display().to_string()]);
    let failed = String::from_utf8_lossy(&asked.stdout).matches("Transfer failed").count();
    assert_eq!(failed, 100, "{asked:?}");
    let log = pair.lab.log_file("hub");
    let lines = || {
        let log = std::fs::read_to_string(&log).expect("the log of the hub can be read");
        log.lines().filter(|line| line.contains("transfer refused")).count()
    };
    wait_until("the log of the hub tells of it", BOUND, || lines() > 0);
    assert!(lines() <= 20, "{} lines", lines());
}

/// What the hub has sent and refused is in its metrics, and what the POP makes of its NOTIFYs.
fn counted(pair: &Pair) {
    let text = pair.hub.must(&["metrics"]);
    let told = |labels: &[&str], metric: &str| {
        value(&text, metric, labels).unwrap_or_else(|| panic!("{metric} {labels:?}: {text}"))
    };
    let target = format!("target=\"{POP}:5353\"");
    assert!(told(&[&target, "result=\"taken\""], "anyns_notifies_total") >= 3.0, "{text}");
    assert_eq!(told(&[&target, "state=\"refused\""], "anyns_notify_target_zones"), 0.0, "{text}");
    assert!(told(&["kind=\"axfr\"", "result=\"sent\""], "anyns_transfers_sent_total") >= 2.0, "{text}");
    assert!(told(&["kind=\"ixfr\"", "result=\"sent\""], "anyns_transfers_sent_total") >= 1.0, "{text}");
    assert!(told(&[], "anyns_transfers_sent_bytes_total") > 1000.0, "{text}");
    assert!(told(&["reason=\"not-allowed\""], "anyns_transfer_requests_refused_total") >= 101.0, "{text}");
    assert_eq!(told(&["reason=\"tsig\""], "anyns_transfer_requests_refused_total"), 1.0, "{text}");
    let bad = ["message=\"request\"", "error=\"BADSIG\""];
    assert_eq!(told(&bad, "anyns_tsig_failures_total"), 1.0, "{text}");
    assert_eq!(told(&["result=\"done\""], "anyns_updates_total"), 0.0, "{text}");
}

#[test]
fn a_pop_takes_its_zones_from_a_hub() {
    if !has_programs("a POP and its hub", &["dig"]) {
        return;
    }
    let mut pair = Pair::new();
    // Without its hub the POP starts, and says what it waits for.
    pair.pop.start(&pair.lab);
    let status = pair.pop.wait_zone(ZONE, "refused", None);
    assert!(status.to_string().contains("no primary has given it yet"), "{status}");
    pair.hub.start(&pair.lab);
    let (first, took) =
        wait_for("the POP serves the hub's version", BOUND * 2, || Pair::serial(&pair.pop_space));
    println!("first transfer, after the hub has started: {took:.2?}");
    assert_eq!(Some(first), Pair::serial(&pair.hub_space));
    // A change goes by NOTIFY.
    let mut before = first;
    for version in 2..5 {
        before = Pair::serial(&pair.hub_space).unwrap();
        deploy_padded(&pair.hub_zones, version);
        let wanted = |space: &Space| Pair::serial(space).filter(|serial| *serial > first + version - 2);
        let (serial, _) = wait_for("the hub serves the change", BOUND, || wanted(&pair.hub_space));
        let took =
            wait_until("the POP serves the change", BOUND, || Pair::serial(&pair.pop_space) == Some(serial));
        println!("a change, from the hub to the POP: {took:.2?}");
    }
    // What the POP serves is what the hub has; who has no key does not get it.
    let key = "-yhmac-sha256:hub.:c2VjcmV0IG9mIHRoZSBodWIgYW5kIHRoZSBQT1A=";
    let at_hub = format!("@{HUB}");
    let of_hub = Pair::zone(&pair.pop_space, &[key, &at_hub, "-p", "5353", ZONE, "AXFR"]);
    assert!(of_hub.len() > 2, "{of_hub:?}");
    // Files that were deployed are sent as differences: what a secondary has, its SOA record says, goes and comes.
    let differences = |pair: &Pair, since: u32| {
        let asked = format!("IXFR={since}");
        let lines = Pair::zone(&pair.pop_space, &[key, &at_hub, "-p", "5353", ZONE, &asked]);
        lines.iter().filter(|line| line.contains("SOA") && line.contains(&format!(" {since} "))).count()
    };
    assert_eq!(differences(&pair, before), 1);
    let refused = Pair::zone(&pair.pop_space, &[&at_hub, "-p", "5353", ZONE, "AXFR"]);
    assert!(refused.is_empty(), "without a key: {refused:?}");
    let wrong = "-yhmac-sha256:hub.:d3Jvbmc=";
    let refused = Pair::zone(&pair.pop_space, &[wrong, &at_hub, "-p", "5353", ZONE, "AXFR"]);
    assert!(refused.is_empty(), "with a wrong key: {refused:?}");
    refused_often(&mut pair);
    counted(&pair);
    let served = Pair::serial(&pair.pop_space).unwrap();
    // The hub dies: the POP serves on, also after a restart.
    pair.hub.kill();
    pair.pop.kill();
    pair.pop.start(&pair.lab);
    let took = wait_until("the POP serves what it has kept", BOUND, || {
        Pair::serial(&pair.pop_space) == Some(served)
    });
    println!("after a restart without the hub: {took:.2?}");
    // It comes back with a new version.
    deploy_padded(&pair.hub_zones, 9);
    pair.hub.start(&pair.lab);
    let (serial, _) =
        wait_for("the hub serves", BOUND, || Pair::serial(&pair.hub_space).filter(|it| *it != served));
    let took = wait_until("the POP catches up", BOUND * 3, || Pair::serial(&pair.pop_space) == Some(serial));
    println!("after the hub has come back: {took:.2?}");
    // The history of the hub goes on over its restart.
    assert_eq!(differences(&pair, served), 1);
}
