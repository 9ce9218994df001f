//! A catalog zone at BIND, kept by dynamic updates as its tools do, that a POP of anyns follows.

use std::process::Stdio;

use crate::catalog::{Fleet, HUB, POP, catalog, follows};
use crate::support::anyns::BOUND;
use crate::support::pop::HUB_SECRET;
use crate::support::process::{Process, must};
use crate::support::skip::has_programs;
use crate::support::wait::{holds_for, wait_until};

const CATALOG: &str = "made.bind";

/// BIND in the place of the hub, with the catalog and these zones.
fn start(fleet: &Fleet, zones: &[&str]) -> Process {
    let home = fleet.lab.subdirectory("named");
    let (directory, files) = (home.display(), fleet.zones.display());
    let zone = |zone: &&str| format!("zone \"{zone}\" {{ type primary; file \"{files}/{zone}.zone\"; }};\n");
    let zones: String = zones.iter().map(zone).collect();
    let text = format!(
        "key \"hub\" {{ algorithm hmac-sha256; secret \"{HUB_SECRET}\"; }};\n\
         options {{ directory \"{directory}\"; pid-file none; session-keyfile none; listen-on port 5353 {{ {HUB}; }}; listen-on-v6 {{ none; }};\n\
         recursion no; allow-query {{ any; }}; allow-transfer {{ key \"hub\"; }}; dnssec-validation no; managed-keys-directory \"{directory}\";\n\
         notify explicit; notify-delay 0; also-notify {{ {POP} port 5353 key \"hub\"; }}; notify-source {HUB}; }};\ncontrols {{ }};\n\
         zone \"{CATALOG}\" {{ type primary; file \"{directory}/catalog\"; allow-update {{ key \"hub\"; }}; }};\n{zones}"
    );
    let config = home.join("named.conf");
    std::fs::write(&config, text).expect("written");
    let empty = "$TTL 0\n@ SOA invalid. invalid. 1 3600 600 86400 0\n@ NS invalid.\nversion TXT \"2\"\n";
    std::fs::write(home.join("catalog"), empty).expect("written");
    let config = config.display().to_string();
    fleet.lab.start(&fleet.hub_space, "named", "named", &["-g", "-n", "1", "-c", &config])
}

/// Changes the catalog as an operator of BIND does.
fn update(fleet: &Fleet, lines: &[String]) {
    let file = fleet.lab.directory().join("update");
    let lines: String = lines.iter().map(|line| format!("update {line}\n")).collect();
    std::fs::write(&file, format!("server {HUB} 5353\nzone {CATALOG}\n{lines}send\n")).expect("written");
    let key = format!("hmac-sha256:hub:{HUB_SECRET}");
    must(fleet.hub_space.command("nsupdate").args(["-y", &key]).arg(&file).stdin(Stdio::null()));
}

fn lists(zone: &str) -> String {
    format!("add {}.zones.{CATALOG}. 0 PTR {zone}.", zone.replace('.', "-"))
}

fn lists_no_more(zone: &str) -> String {
    format!("delete {}.zones.{CATALOG}. PTR", zone.replace('.', "-"))
}

#[test]
fn a_pop_follows_a_catalog_that_bind_has() {
    if !has_programs("a catalog of BIND", &["dig", "named", "nsupdate"]) {
        return;
    }
    let all = ["z0.test", "z1.test", "z2.test", "z3.test"];
    let mut fleet = Fleet::new("", &follows(CATALOG, "removal-limit = 2\n"));
    all.iter().for_each(|zone| fleet.deploy(zone));
    let _named = start(&fleet, &all);
    wait_until("BIND serves the catalog", BOUND, || {
        fleet.dig(&[&format!("@{HUB}"), "-p", "5353", CATALOG, "SOA"]).contains("status: NOERROR")
    });
    update(&fleet, &all.map(lists)[..3]);
    fleet.pop.start(&fleet.lab);
    let took = wait_until("the POP has three", BOUND, || all[..3].iter().all(|zone| fleet.serves(zone)));
    println!("a catalog of BIND: {took:.2?}");
    fleet.pop.wait_announces();
    assert!(!fleet.serves(all[3]), "it is served by BIND, and no member");
    // One comes and one goes, by IXFR after a NOTIFY.
    update(&fleet, &[lists(all[3]), lists_no_more(all[0])]);
    println!("a zone that comes: {:.2?}", fleet.wait_serves(all[3]));
    println!("a zone that goes: {:.2?}", wait_until("it is gone", BOUND, || !fleet.serves(all[0])));
    // All at once: an operator decides.
    update(&fleet, &[lists_no_more(all[1]), lists_no_more(all[2]), lists_no_more(all[3])]);
    let status = fleet.pop.wait_status("removals wait", |status| catalog(status, CATALOG)["held"] == 3);
    holds_for("they stay", std::time::Duration::from_millis(300), || {
        all[1..].iter().all(|zone| fleet.serves(zone))
    });
    let serial = catalog(&status, CATALOG)["held_serial"].to_string();
    fleet.pop.must(&["catalog", "accept", CATALOG, &serial]);
    wait_until("they are gone", BOUND, || all.iter().all(|zone| !fleet.serves(zone)));
    // A catalog of another version changes nothing, and an alarm says so.
    update(&fleet, &[lists(all[1])]);
    fleet.wait_serves(all[1]);
    update(&fleet, &[format!("delete version.{CATALOG}. TXT"), lists(all[2])]);
    let status = fleet.pop.wait_status("it is broken", |status| !catalog(status, CATALOG)["fault"].is_null());
    assert!(status["alarms"].to_string().contains("has no version"), "{}", status["alarms"]);
    assert!(fleet.serves(all[1]) && !fleet.serves(all[2]));
}
