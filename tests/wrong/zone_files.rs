//! Zone files that are wrong: by themselves at `zone check`, at the start, and as the next version of a served zone.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::support::anyns::{run_here, zone_status};
use crate::support::pop::{Alone, ZONE, deploy, replace};
use crate::support::process::must;
use crate::support::zones;

/// Puts `text` in the place of the served zone's file: the old version must stay, and the status must say `expected`.
fn refused_as_next_version(text: &str, expected: &[&str]) {
    let alone = Alone::running("");
    let file = alone.zones.join(format!("{ZONE}.zone"));
    replace(&file, text);
    let status = alone.anyns.wait_zone(ZONE, "kept", Some(1));
    let faults = zone_status(&status, ZONE).expect("the zone")["faults"].to_string();
    for words in expected {
        assert!(faults.contains(words), "{words:?} is missing in {faults}");
    }
    assert_eq!(alone.served_version(ZONE), Some(1), "the old version is served");
    assert_eq!(status["overall"]["verdict"], "degraded", "the status does not say ok");
    assert_eq!(alone.anyns.command(&["status"]).code, 1);

    // The same by hand: `anyns zone check` fails and says the same.
    let said = alone.anyns.command(&["zone", "check", &file.display().to_string(), "--origin", ZONE]);
    assert_ne!(said.code, 0, "{}", said.text);
    for words in expected {
        assert!(said.text.contains(words), "{words:?} is missing in {}", said.text);
    }

    // The next good version takes over by itself.
    deploy(&alone.zones, ZONE, 3);
    alone.anyns.wait_zone(ZONE, "served", Some(3));
    assert_eq!(alone.served_version(ZONE), Some(3));
}

fn version_2_with(line: &str) -> String {
    format!("{}{line}\n", zones::versioned(ZONE, 2))
}

#[test]
fn no_soa() {
    let text =
        zones::versioned(ZONE, 2).lines().filter(|line| !line.contains("SOA")).collect::<Vec<_>>().join("\n");
    refused_as_next_version(&format!("{text}\n"), &["no SOA", ZONE]);
}

#[test]
fn record_outside_its_zone() {
    refused_as_next_version(
        &version_2_with("www.example.com. IN A 192.0.2.1"),
        &["example.org.zone:12:", "outside the zone"],
    );
}

#[test]
fn cname_beside_other_data() {
    refused_as_next_version(
        &version_2_with("version IN CNAME elsewhere"),
        &["example.org.zone:", "CNAME", "alone"],
    );
}

#[test]
fn include_cycle() {
    let text = version_2_with(&format!("$INCLUDE {ZONE}.zone"));
    refused_as_next_version(&text, &["example.org.zone:12:", "include cycle"]);
}

#[test]
fn generate_of_billions() {
    let text = version_2_with("$GENERATE 1-2000000000 host-$ A 192.0.2.1");
    refused_as_next_version(&text, &["example.org.zone:12:", "$GENERATE", "at most"]);
}

#[test]
fn syntax_says_line_column_and_what_was_expected() {
    refused_as_next_version(
        &version_2_with("broken IN A nowhere"),
        &["example.org.zone:12:13", "nowhere", "expected"],
    );
}

#[test]
fn a_digest_that_is_too_short() {
    refused_as_next_version(
        &version_2_with("sub IN NS ns.sub\nsub IN DS 12345 13 2 00"),
        &["example.org.zone:13:", "a digest of 1 octets, expected 32 for digest type 2"],
    );
}

#[test]
fn ds_at_the_apex() {
    let digest = "00".repeat(32);
    refused_as_next_version(
        &version_2_with(&format!("@ IN DS 12345 13 2 {digest}")),
        &["example.org.zone:12:", "has a DS record at the apex"],
    );
}

#[test]
fn a_string_over_two_lines_is_one_fault() {
    let text = version_2_with("text IN TXT \"one\ntwo\"\nmore IN A 192.0.2.1");
    refused_as_next_version(&text, &["example.org.zone:12:", "the quoted string that begins in line 12"]);
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("example.org.zone"), text).expect("written");
    let said = run_here(directory.path(), &["zone", "check", "example.org.zone"]);
    assert_eq!(said.text.matches("example.org.zone:").count(), 1, "{}", said.text);
}

#[test]
fn includes_reach_the_zone_directory_and_the_include_roots() {
    let mut alone = Alone::new("[zones]\ndirectory = \"zones-alone\"\ninclude-roots = [\"shared\"]\n");
    let root = alone.zones.parent().expect("the lab's directory").to_path_buf();
    let customers = alone.zones.join("customers");
    for directory in [&customers, &root.join("shared"), &root.join("secret")] {
        std::fs::create_dir(directory).expect("made");
    }
    for (file, owner) in [("zones-alone/common", "common"), ("shared/more", "more"), ("secret/key", "key")] {
        std::fs::write(root.join(file), format!("{owner} IN TXT \"{owner}\"\n")).expect("written");
    }
    let zone = "other.example";
    let text = |version| {
        format!("{}$INCLUDE ../common\n$INCLUDE ../../shared/more\n", zones::versioned(zone, version))
    };
    let file = customers.join("other.example.zone");
    std::fs::write(&file, text(1)).expect("written");
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_announces();
    alone.anyns.wait_zone(zone, "served", Some(1));
    for name in ["common.other.example", "more.other.example"] {
        assert!(alone.ask(name, 16).is_some_and(|answer| answer.rcode == 0), "{name} is served");
    }
    replace(&file, &format!("{}$INCLUDE ../../secret/key\n", text(2)));
    let status = alone.anyns.wait_zone(zone, "kept", Some(1));
    let faults = zone_status(&status, zone).expect("the zone")["faults"].to_string();
    assert!(faults.contains("is outside") && faults.contains("zones.include-roots"), "{faults}");

    // By hand the roots are named.
    replace(&file, &text(2));
    let (file, roots) = (file.display().to_string(), [root.join("shared"), alone.zones.clone()]);
    assert_ne!(alone.anyns.command(&["zone", "check", &file]).code, 0);
    let roots = roots.map(|root| root.display().to_string());
    let said = alone.anyns.command(&[
        "zone",
        "check",
        &file,
        "--include-root",
        &roots[0],
        "--include-root",
        &roots[1],
    ]);
    assert_eq!(said.code, 0, "{}", said.text);
}

#[test]
fn same_serial_other_content() {
    let alone = Alone::running("");
    let text = format!("{}more IN TXT \"more\"\n", zones::versioned(ZONE, 1));
    replace(&alone.zones.join(format!("{ZONE}.zone")), &text);
    let status = alone.anyns.wait_zone(ZONE, "kept", Some(1));
    let faults = zone_status(&status, ZONE).expect("the zone")["faults"].to_string();
    assert!(faults.contains("serial") && faults.contains("raise"), "{faults}");
    // An operator can override it, by version.
    assert_ne!(alone.anyns.command(&["zone", "accept", ZONE, "7"]).code, 0, "not this version");
    alone.anyns.must(&["zone", "accept", ZONE, "1"]);
    alone.anyns.wait_zone(ZONE, "served", Some(1));
}

#[test]
fn two_files_for_one_zone() {
    let alone = Alone::running("");
    let nested = alone.zones.join("nested");
    std::fs::create_dir(&nested).expect("made");
    deploy(&nested, ZONE, 2);
    let status = alone.anyns.wait_zone(ZONE, "kept", Some(1));
    let faults = zone_status(&status, ZONE).expect("the zone")["faults"].to_string();
    assert!(faults.contains("two files for one zone") && faults.contains("nested"), "{faults}");
    assert_eq!(alone.served_version(ZONE), Some(1));
    assert_ne!(alone.anyns.command(&["check"]).code, 0, "`anyns check` fails too");
    std::fs::remove_dir_all(nested).expect("removed");
    alone.anyns.wait_zone(ZONE, "served", Some(1));
}

#[test]
fn a_fifo_and_a_directory_for_a_file() {
    let alone = Alone::running("");
    let file = alone.zones.join(format!("{ZONE}.zone"));
    std::fs::remove_file(&file).expect("removed");
    must(Command::new("mkfifo").arg(&file));
    let says = |word: &'static str| {
        move |status: &serde_json::Value| {
            zone_status(status, ZONE)
                .is_some_and(|zone| zone["state"] == "kept" && zone.to_string().contains(word))
        }
    };
    alone.anyns.wait_status("the FIFO is named", says("regular file"));
    assert_eq!(alone.served_version(ZONE), Some(1), "it does not hang on the FIFO");
    std::fs::remove_file(&file).expect("removed");
    std::fs::create_dir(&file).expect("made");
    alone.anyns.wait_status("the directory is named", says("directory"));
    assert_eq!(alone.served_version(ZONE), Some(1));
}

#[test]
fn a_vanished_file_keeps_its_zone_until_it_is_removed() {
    let alone = Alone::running("");
    deploy(&alone.zones, "other.example", 1);
    alone.anyns.wait_zone("other.example", "served", Some(1));
    assert_ne!(alone.anyns.command(&["zone", "remove", "other.example"]).code, 0, "its file is still there");
    std::fs::remove_file(alone.zones.join("other.example.zone")).expect("removed");
    alone.anyns.wait_zone("other.example", "kept", Some(1));
    assert_eq!(alone.served_version("other.example"), Some(1));
    alone.anyns.must(&["zone", "remove", "other.example"]);
    alone.anyns.wait_status("it is gone", |status| zone_status(status, "other.example").is_none());
    assert_eq!(alone.served_version("other.example"), None);
}

#[test]
fn unreadable_directory() {
    // Root reads everything: a place that is no directory stands for one that cannot be read.
    let mut alone = Alone::new("");
    std::fs::remove_dir_all(&alone.zones).expect("removed");
    std::fs::write(&alone.zones, "no directory").expect("written");
    let said = alone.anyns.command(&["check"]);
    assert_ne!(said.code, 0, "{}", said.text);
    assert!(said.text.contains("zones-alone"), "it names the directory: {}", said.text);
    alone.anyns.start(&alone.lab);
    let status =
        alone.anyns.wait_status("it says what is wrong", |status| status.to_string().contains("zones-alone"));
    assert!(!crate::support::anyns::every_intent(&status, "announce"), "nothing to serve, nothing announced");
    // It comes right by itself.
    std::fs::remove_file(&alone.zones).expect("removed");
    std::fs::create_dir(&alone.zones).expect("made");
    deploy(&alone.zones, ZONE, 2);
    alone.anyns.wait_announces();
    assert_eq!(alone.served_version(ZONE), Some(2));
}

#[test]
fn unreadable_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let said = run_here(directory.path(), &["zone", "check", "nowhere.zone"]);
    assert_ne!(said.code, 0);
    assert!(said.text.contains("nowhere.zone"), "{}", said.text);
    let file = directory.path().join("example.org.zone");
    std::fs::write(&file, zones::versioned(ZONE, 1)).expect("written");
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("set");
    let said = run_here(directory.path(), &["zone", "check", "example.org.zone"]);
    assert_eq!(said.code, 0, "a good file passes, its name gives the origin: {}", said.text);
}
