//! Reloads: the configuration's zones are taken over, a wrong configuration changes nothing; forced versions.

use nix::sys::signal::Signal;

use crate::support::pop::{Alone, ZONE, deploy, replace};
use crate::support::zones;

/// One more zone, from a file outside the zone directory.
fn listed(alone: &Alone) -> String {
    let file = alone.lab.directory().join("listed");
    replace(&file, &zones::versioned("listed.example", 5));
    format!("\n[[zone]]\nname = \"listed.example\"\nfile = \"{}\"\n", file.display())
}

#[test]
fn a_reload_takes_new_zones_and_lets_go_of_those_that_left_the_config() {
    let alone = Alone::running("");
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    std::fs::write(alone.anyns.config(), format!("{before}{}", listed(&alone))).expect("written");
    alone.anyns.must(&["reload"]);
    assert_eq!(alone.served_version("listed.example"), Some(5), "served when the command returns");
    std::fs::write(alone.anyns.config(), before).expect("written");
    alone.anyns.must(&["reload"]);
    assert_eq!(alone.served_version("listed.example"), None);
    assert_eq!(alone.served_version(ZONE), Some(1));
}

#[test]
fn sighup_reloads() {
    let mut alone = Alone::running("");
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    std::fs::write(alone.anyns.config(), format!("{before}{}", listed(&alone))).expect("written");
    alone.anyns.signal(Signal::SIGHUP);
    alone.anyns.wait_zone("listed.example", "served", Some(5));
}

#[test]
fn a_wrong_config_changes_nothing() {
    let alone = Alone::running("");
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    std::fs::write(alone.anyns.config(), format!("{before}\n[zonez]\n")).expect("written");
    let said = alone.anyns.command(&["reload"]);
    assert_eq!(said.code, 1, "{}", said.text);
    assert!(said.text.contains("there is no key \"zonez\"") && said.text.contains("zones"), "{}", said.text);
    assert_eq!(alone.served_version(ZONE), Some(1));
    deploy(&alone.zones, ZONE, 2);
    std::fs::write(alone.anyns.config(), before).expect("written");
    alone.anyns.wait_zone(ZONE, "served", Some(2));
}

/// A refused reload must not change what is required either: here it names a zone that nobody has.
#[test]
fn another_state_directory_is_refused_whole() {
    let alone = Alone::running("");
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    let changed = before
        .replace("state-alone", "elsewhere")
        .replace("required = [", "required = [\"absent.example\", ");
    assert_ne!(before, changed);
    std::fs::write(alone.anyns.config(), changed).expect("written");
    let said = alone.anyns.command(&["reload"]);
    assert_eq!(said.code, 1, "{}", said.text);
    assert!(said.text.contains("zones.state-directory"), "{}", said.text);
    let status = alone.anyns.status().expect("a status");
    assert!(!status.to_string().contains("absent.example"), "{status:#}");
    let status = alone.anyns.command(&["status"]);
    assert_eq!(status.code, 1, "a reload that failed is shown until the next good one: {}", status.text);
    assert!(status.text.contains("zones.state-directory"), "{}", status.text);
    std::fs::write(alone.anyns.config(), before).expect("written");
    alone.anyns.must(&["reload"]);
    assert_eq!(alone.anyns.command(&["status"]).code, 0, "nothing has changed");
}

#[test]
fn what_needs_a_restart_is_said() {
    let alone = Alone::running("");
    let before = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    let changed = before.replace("mode = \"off\"", "mode = \"enforce\"");
    assert_ne!(before, changed);
    std::fs::write(alone.anyns.config(), changed).expect("written");
    let said = alone.anyns.must(&["reload"]);
    assert!(said.contains("needs a restart: [rate-limit]"), "{said}");
}

#[test]
fn a_serial_that_went_back_is_refused_until_it_is_accepted_by_number() {
    let alone = Alone::running("");
    deploy(&alone.zones, ZONE, 7);
    alone.anyns.wait_zone(ZONE, "served", Some(7));
    deploy(&alone.zones, ZONE, 3);
    alone.anyns.wait_zone(ZONE, "kept", Some(7));
    assert_eq!(alone.served_version(ZONE), Some(7));
    assert_eq!(alone.anyns.command(&["zone", "accept", ZONE, "4"]).code, 1, "that version is not there");
    assert_eq!(alone.served_version(ZONE), Some(7));
    alone.anyns.must(&["zone", "accept", ZONE, "3"]);
    assert_eq!(alone.served_version(ZONE), Some(3));
    alone.anyns.wait_zone(ZONE, "served", Some(3));
}

#[test]
fn bump_serves_other_content_under_the_next_serial() {
    let alone = Alone::new("");
    let config = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    let bump = config.replace("state-directory", "serial = \"bump\"\nstate-directory");
    std::fs::write(alone.anyns.config(), bump).expect("written");
    let mut alone = alone;
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_zone(ZONE, "served", Some(1));
    let text = format!("{}more IN TXT \"more\"\n", zones::versioned(ZONE, 1));
    replace(&alone.zones.join(format!("{ZONE}.zone")), &text);
    alone.anyns.wait_zone(ZONE, "served", Some(2));
    alone.anyns.kill();
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_zone(ZONE, "served", Some(2));
}
