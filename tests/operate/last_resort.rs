//! A hub, a POP that serves each version at once, and a last-resort POP that serves it later: what waits, what ends a wait, how a wrong
//! version is stopped there, and what a restart changes.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::anyns::{Anyns, BOUND, zone_status};
use crate::support::lab::{Lab, Space};
use crate::support::pop::{HUB_KEY, ZONE, base_config, replace};
use crate::support::process::must;
use crate::support::skip::has_programs;
use crate::support::wait::{holds_for, wait_until};
use crate::support::zones::versioned;

const HUB: &str = "198.18.1.1";
const POP: &str = "198.18.1.2";
const LATE: &str = "198.18.1.3";
/// How long versions wait.
const DELAY: Duration = Duration::from_secs(10);
/// What of it passes before the restart.
const BEFORE_RESTART: Duration = Duration::from_secs(5);

/// All three, in one namespace, on ports of their own.
struct Site {
    hub: Anyns,
    pop: Anyns,
    late: Anyns,
    zones: PathBuf,
    fleet: PathBuf,
    space: Space,
    lab: Lab,
}

/// One of them, with a port for queries and one for the page.
fn config(lab: &Lab, name: &str, address: &str, (port, web): (u16, u16), transfer: &str) -> String {
    let own = format!("[serve]\nport = {port}\n[web]\nlisten = [\"127.0.0.1:{web}\"]\n");
    let base = base_config(lab, name, [address, "2001:db8:1::1"], "dry-run", &own);
    format!("{base}[transfer]\nlisten = [\"{address}:5353\"]\n{transfer}{HUB_KEY}")
}

fn of_hub() -> String {
    format!("[[zone]]\nname = \"{ZONE}\"\nprimaries = [{{ address = \"{HUB}:5353\", key = \"hub.\" }}]\n")
}

fn late_config(lab: &Lab, delay: &str) -> String {
    config(lab, "late", LATE, (5302, 9535), delay) + &of_hub()
}

impl Site {
    /// All run, and serve what `deploy` puts there first.
    fn new(delay: &str, deploy: impl FnOnce(&PathBuf)) -> Self {
        let mut lab = Lab::new();
        let space = lab.space("site");
        for address in ["192.0.2.53/32", "2001:db8:53::53/128", "2001:db8:1::1/128"] {
            space.ip(&["address", "add", address, "dev", "lo"]);
        }
        for address in [HUB, POP, LATE] {
            space.ip(&["address", "add", &format!("{address}/32"), "dev", "lo"]);
        }
        let notify: Vec<String> =
            [POP, LATE].map(|it| format!("{{ address = \"{it}:5353\", key = \"hub.\" }}")).into();
        let sends = format!(
            "allow = [{{ from = \"198.18.1.0/24\", keys = [\"hub.\"] }}]\nnotify = [{}]\n",
            notify.join(", ")
        );
        let hub = Anyns::new(&lab, &space, "hub", &config(&lab, "hub", HUB, (53, 9533), &sends));
        let pop = config(&lab, "pop", POP, (5301, 9534), "") + &of_hub();
        let pop = Anyns::new(&lab, &space, "pop", &pop);
        let late = Anyns::new(&lab, &space, "late", &late_config(&lab, delay));
        let (zones, fleet) = (lab.subdirectory("zones-hub"), lab.directory().join("fleet.toml"));
        let list = [("pop", 9534), ("late", 9535)];
        let list = list
            .map(|(name, at)| format!("[[fleet.pop]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:{at}\"\n"));
        std::fs::write(&fleet, list.concat()).expect("written");
        deploy(&zones);
        let mut site = Self { hub, pop, late, zones, fleet, space, lab };
        site.hub.start(&site.lab);
        site.hub.wait_zone(ZONE, "served", Some(1));
        site.pop.start(&site.lab);
        site.late.start(&site.lab);
        // The first version of a zone does not wait.
        site.wait_serves(5301, 1);
        site.wait_serves(5302, 1);
        site.pop.wait_announces();
        site.late.wait_announces();
        // What the pages tell is up to half a second old.
        wait_until("the fleet knows that both announce", BOUND, || {
            site.fleet(&[]).1.matches("announce (dry run)").count() == 2
        });
        site
    }

    /// What is answered at a port: the serial.
    fn serial(&self, port: u16) -> Option<u32> {
        let mut dig = self.space.command("dig");
        dig.args(["+time=2", "+tries=1", "+short", "@192.0.2.53", "-p", &port.to_string(), ZONE, "SOA"]);
        let text = String::from_utf8_lossy(&dig.output().expect("dig runs").stdout).into_owned();
        text.split_whitespace().nth(2)?.parse().ok()
    }

    fn wait_serves(&self, port: u16, serial: u32) -> Duration {
        wait_until(&format!("port {port} serves {serial}"), BOUND, || self.serial(port) == Some(serial))
    }

    /// Waits until this is the newest version that waits at the last-resort POP; what is said of it.
    fn wait_waits(&self, serial: u32) -> Value {
        let waiting = |status: &Value| zone_status(status, ZONE).map(|zone| zone["waiting"].clone());
        let is_it = |waiting: Value| waiting["newest"] == serial;
        let status =
            self.late.wait_status(&format!("{serial} waits"), |status| waiting(status).is_some_and(is_it));
        waiting(&status).unwrap_or_default()
    }

    /// `anyns fleet ARGUMENTS`: exit code and text.
    fn fleet(&self, arguments: &[&str]) -> (i32, String) {
        let list = self.fleet.display().to_string();
        let said = self.pop.command(&[&["fleet"], arguments, &["--fleet", &list]].concat());
        (said.code, said.text)
    }
}

/// A version with so many more records that a difference to another one is smaller than the zone (RFC 1995 section 5).
fn deploy(zones: &std::path::Path, version: u32) {
    let more: String = (0..50).map(|host| format!("more{host} 60 IN A 192.0.2.{host}\n")).collect();
    replace(&zones.join(format!("{ZONE}.zone")), &(versioned(ZONE, version) + &more));
}

#[test]
fn a_last_resort_pop_serves_each_version_later_and_a_wrong_one_is_stopped_there() {
    if !has_programs("a last-resort POP", &["dig"]) {
        return;
    }
    let delay = format!("delay = \"{}s\"\n", DELAY.as_secs());
    let mut site = Site::new(&delay, |zones| deploy(zones, 1));
    let begun = Instant::now();
    deploy(&site.zones, 2);
    site.wait_serves(5301, 2);
    let waiting = site.wait_waits(2);
    assert_eq!(site.serial(5302), Some(1));
    let (since, until) = (waiting["since"].as_u64().unwrap(), waiting["until"].as_u64().unwrap());
    assert!((until - since).abs_diff(DELAY.as_secs()) <= 1, "{waiting}");
    assert!(waiting["why"].as_str().unwrap().contains("its delay is over"), "{waiting}");
    lag_is_no_fault(&site);
    site.wait_serves(5302, 2);
    let took = begun.elapsed();
    println!("from the deploy to the last-resort POP, delay {DELAY:?}: {took:.2?}");
    assert!(took >= DELAY, "{took:?}");
    site.late.wait_status("nothing waits", |status| {
        status["zones_waiting"] == 0
            && zone_status(status, ZONE).is_some_and(|zone| zone["waiting"].is_null())
    });

    // A restart while a version waits: it is fetched again, and waits for the rest only.
    deploy(&site.zones, 3);
    site.wait_waits(3);
    let kept = site.lab.subdirectory("state-late").join("waiting-versions");
    wait_until("it is kept", BOUND, || {
        std::fs::read_to_string(&kept).is_ok_and(|text| text.contains(&format!("{ZONE}. 3 ")))
    });
    let begun = Instant::now();
    holds_for("it waits", BEFORE_RESTART, || site.serial(5302) == Some(2));
    site.late.kill();
    let restarted = Instant::now();
    site.late.start(&site.lab);
    site.wait_serves(5302, 2);
    site.wait_waits(3);
    site.wait_serves(5302, 3);
    println!("after a restart {BEFORE_RESTART:?} into the delay: {:.2?} more", restarted.elapsed());
    assert!(restarted.elapsed() < DELAY, "it waited from the beginning: {:?}", restarted.elapsed());
    assert!(begun.elapsed() > BEFORE_RESTART + Duration::from_secs(1), "{:?}", begun.elapsed());

    // Two versions wait, each fetched as a difference to the one before; an order serves both at once, as one step.
    deploy(&site.zones, 4);
    site.wait_waits(4);
    let begun = Instant::now();
    holds_for("the next waits for itself", Duration::from_secs(1), || site.serial(5302) == Some(3));
    deploy(&site.zones, 5);
    let waiting = site.wait_waits(5);
    assert_eq!(waiting["steps"], 2, "{waiting}");
    let status = site.late.status().unwrap();
    let last = &zone_status(&status, ZONE).unwrap()["transfer"]["last_transfer"];
    assert_eq!((&last["whole"], &last["serial"]), (&false.into(), &5.into()), "{last}");
    let said = site.late.must(&["zone", "catch-up", ZONE]);
    assert!(said.contains("serial 5 is put into service now"), "{said}");
    site.wait_serves(5302, 5);
    assert!(begun.elapsed() < DELAY, "{:?}", begun.elapsed());
    let said = site.late.command(&["zone", "catch-up", ZONE]);
    assert!(said.code == 1 && said.text.contains("no version of example.org. waits"), "{said:?}");
    let said = site.pop.command(&["zone", "catch-up", "--all"]);
    assert!(said.code == 1 && said.text.contains("no last-resort POP"), "{said:?}");

    a_wrong_version_is_stopped(&site);
}

/// Neither the fleet, nor `fleet wait`, nor the status of the POP call it a fault.
fn lag_is_no_fault(site: &Site) {
    let (code, text) = site.fleet(&["wait", ZONE, "2", "--timeout", "20s"]);
    assert!(
        code == 0 && text.contains("late: serves 1, not waited for: a last-resort POP with a delay of 10s"),
        "{text}"
    );
    let (code, text) = site.fleet(&["wait", ZONE, "2", "--timeout", "1s", "--with-last-resort"]);
    assert!(code == 1 && text.contains("! late: serves 1"), "{text}");
    let (_, text) = site.fleet(&[]);
    assert!(text.contains("last resort (10s)") && !text.contains("differs"), "{text}");
    let status = site.late.status().unwrap();
    assert_eq!((&status["delay"], &status["zones_waiting"]), (&10.into(), &1.into()));
    assert!(!status["alarms"].to_string().contains(ZONE), "{}", status["alarms"]);
    let page = site.late.must(&["zone", "status", ZONE]);
    assert!(page.contains("waiting") && page.contains("serial 2, in 1 steps, since"), "{page}");
    let metrics = site.late.must(&["metrics"]);
    let value = |metric: &str| -> Option<f64> {
        let line = metrics.lines().find(|line| line.starts_with(&format!("{metric}{{")))?;
        line.rsplit(' ').next()?.parse().ok()
    };
    assert_eq!(
        (value("anyns_delay_seconds"), value("anyns_zones_waiting")),
        (Some(10.0), Some(1.0)),
        "{metrics}"
    );
    assert!(!site.pop.must(&["metrics"]).contains("\nanyns_delay_seconds{"));
}

/// Serial 6 is wrong, and 7 is right.
fn a_wrong_version_is_stopped(site: &Site) {
    deploy(&site.zones, 6);
    site.wait_serves(5301, 6);
    site.wait_waits(6);
    site.late.must(&["zone", "hold", ZONE, "--reason", "6 is wrong"]);
    holds_for("it is not served when its delay is over", DELAY + Duration::from_secs(1), || {
        site.serial(5302) == Some(5)
    });
    deploy(&site.zones, 7);
    let waiting = site.wait_waits(7);
    assert_eq!((&waiting["until"], &waiting["why"]), (&Value::Null, &"the zone is held".into()), "{waiting}");
    let said = site.late.must(&["zone", "catch-up", ZONE]);
    assert!(said.contains("is held; it goes to serial 7 at once") && said.contains("zone unhold"), "{said}");
    assert_eq!(site.serial(5302), Some(5));
    site.late.must(&["zone", "unhold", ZONE]);
    wait_until("the corrected version is served", BOUND, || {
        let serial = site.serial(5302);
        assert_ne!(serial, Some(6), "the wrong one is never served");
        serial == Some(7)
    });
    let history = site.late.must(&["zone", "history", ZONE]);
    assert!(
        history.contains('7') && !history.lines().any(|line| line.split_whitespace().any(|it| it == "6")),
        "{history}"
    );
}

/// Makes signed versions of the zone, with keys of its own.
struct Signer {
    directory: tempfile::TempDir,
    keys: Vec<String>,
}

impl Signer {
    fn new() -> Self {
        let mut signer = Self { directory: tempfile::tempdir().expect("a directory"), keys: Vec::new() };
        signer.add_key();
        signer
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        must(Command::new(program).args(arguments).current_dir(self.directory.path()))
    }

    fn add_key(&mut self) {
        let key = self.run("dnssec-keygen", &["-q", "-a", "ED25519", ZONE]);
        self.keys.push(key.trim().to_owned());
    }

    /// Signed by the first key, with all keys in it.
    fn deploy(&self, zones: &std::path::Path, serial: u32, until: &str) {
        let keys = self.keys.iter().map(|key| {
            std::fs::read_to_string(self.directory.path().join(format!("{key}.key"))).expect("a key")
        });
        let text = format!(
            "@ 60 SOA ns host {serial} 3600 600 86400 60\n@ 60 NS ns.other.example.\n{}",
            keys.collect::<String>()
        );
        std::fs::write(self.directory.path().join("plain"), text).expect("written");
        let times = ["-s", "now-3600", "-e", until];
        let fixed = ["-q", "-z", "-P", "-o", ZONE, "-f", "signed", "plain", &self.keys[0]];
        self.run("dnssec-signzone", &[&times[..], &fixed].concat());
        let signed = std::fs::read_to_string(self.directory.path().join("signed")).expect("a signed zone");
        replace(&zones.join(format!("{ZONE}.zone")), &signed);
    }
}

#[test]
fn signatures_that_expire_and_other_keys_end_the_wait() {
    if !has_programs("a signed zone at a last-resort POP", &["dig", "dnssec-keygen", "dnssec-signzone"]) {
        return;
    }
    let mut signer = Signer::new();
    let delay = "delay = \"1h\"\nkey-delay = \"2s\"\nsignature-margin = \"1h\"\n";
    // Twenty seconds beyond the margin.
    let site = Site::new(delay, |zones| signer.deploy(zones, 1, "now+3620"));
    signer.deploy(&site.zones, 2, "now+864000");
    site.wait_waits(2);
    let status = site.late.wait_status("it waits for the signatures", |status| {
        let waiting = &zone_status(status, ZONE).unwrap()["waiting"];
        waiting["why"].as_str().is_some_and(|why| why.contains("signatures of the version before it expire"))
    });
    let waiting = &zone_status(&status, ZONE).unwrap()["waiting"];
    let left = waiting["until"].as_u64().unwrap().saturating_sub(waiting["since"].as_u64().unwrap());
    assert!(left <= 20, "{waiting}");
    site.wait_serves(5302, 2);
    // The next one waits for an hour.
    signer.deploy(&site.zones, 3, "now+864000");
    let waiting = site.wait_waits(3);
    assert!(waiting["why"].as_str().unwrap().contains("its delay is over"), "{waiting}");
    // A key is published: every secondary must have it soon, whatever the delay.
    signer.add_key();
    signer.deploy(&site.zones, 4, "now+864000");
    let waiting = site.wait_waits(4);
    assert!(waiting["why"].as_str().unwrap().contains("key rollover must not break"), "{waiting}");
    println!("a version with another key, key-delay 2 s: {:.2?}", site.wait_serves(5302, 4));
}

#[test]
fn a_delay_that_cannot_be_meant_is_refused_by_name() {
    let mut lab = Lab::new();
    let space = lab.space("site");
    let check = |text: String| {
        let late = Anyns::new(&lab, &space, "late", &text);
        let said = late.command(&["check", "--offline"]);
        (said.code, said.text)
    };
    let usual = |delay: &str| late_config(&lab, delay);
    let (code, text) = check(usual("delay = \"1h\"\n"));
    assert_eq!(code, 0, "{text}");
    let table = [
        ("delay = \"30days\"\n", "transfer.delay: 30days; allowed is 1s to 7days"),
        ("delay = \"0s\"\n", "transfer.delay: 0s; allowed is 1s to 7days"),
        ("delay = \"1m\"\nkey-delay = \"2m\"\n", "transfer.key-delay: 2m; allowed is 0s to transfer.delay"),
        (
            "key-delay = \"2m\"\n",
            "transfer.key-delay: the key is of a last-resort POP alone: set transfer.delay",
        ),
        ("signature-margin = \"2m\"\n", "transfer.signature-margin: the key is of a last-resort POP alone"),
        ("delay = \"soon\"\n", "a duration such as"),
    ];
    for (delay, wanted) in table {
        let (code, text) = check(usual(delay));
        assert!(code == 1 && text.contains(wanted), "{delay}: {wanted} in {text}");
    }
    let text = usual("delay = \"1h\"\n");
    let (code, said) = check(text.replace("[zones]\n", "[zones]\ndnssec = \"off\"\n"));
    assert!(code == 1 && said.contains("must not be \"off\""), "{said}");
    let without: Vec<&str> = text.lines().filter(|line| !line.starts_with("state-directory")).collect();
    let (code, said) = check(without.join("\n"));
    assert!(code == 1 && said.contains("zones.state-directory is needed"), "{said}");
    // A route that is preferred like all others is a warning.
    let bgp = "[bgp]\nlocal-as = 65001\nrouter-id = \"198.18.1.3\"\n[[bgp.neighbor]]\naddress = \"198.18.1.9\"\nremote-as = 65000\n\
               next-hop-ipv6 = \"2001:db8:1::1\"\n";
    let (_, said) = check(text.clone());
    assert!(said.contains("neither prepend nor med nor communities"), "before it announces, too: {said}");
    let text = text.replace("driver = \"dry-run\"", "driver = \"bgp\"") + bgp;
    let (_, said) = check(text.clone());
    assert!(said.contains("neither prepend nor med nor communities"), "{said}");
    let (_, said) = check(text.replace("addresses = [\"", "prepend = 3\naddresses = [\""));
    assert!(!said.contains("neither prepend nor med nor communities"), "{said}");
}
