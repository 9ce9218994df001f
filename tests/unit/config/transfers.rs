//! Keys and transfers: which files are read, and what a reload compares.

use std::path::Path;

use super::{GOOD, read};

/// Nothing is waited for, and nothing without an end is read.
#[test]
fn the_file_of_a_secret_is_a_regular_file() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for (file, words) in
        [(fifo.as_path(), "fifo is a FIFO"), (Path::new("/dev/zero"), "/dev/zero is a device")]
    {
        let key = format!("\n[[key]]\nname = \"a.\"\nalgorithm = \"hmac-sha256\"\nsecret-file = {file:?}\n");
        let error = read(&format!("{GOOD}{key}")).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// What a reload compares: the secret in a file counts, and what only a restart takes over is told apart.
#[test]
fn transfers_are_compared_by_what_the_files_hold() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.key");
    let text = |more: &str| {
        format!(
            "{GOOD}\n[[key]]\nname = \"a.\"\nalgorithm = \"hmac-sha256\"\nsecret-file = {file:?}\n\
             [transfer]\nlisten = [\"198.51.100.10:53\"]\n{more}"
        )
    };
    let with = |secret: &str, more: &str| {
        std::fs::write(&file, secret).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        read(&text(more)).unwrap().config.transfers
    };
    let first = with("c2VjcmV0", "");
    let again = with("c2VjcmV0", "");
    assert!(first.secondary == again.secondary && first.primary == again.primary);
    let other = with("b3RoZXI=", "");
    assert!(first.secondary != other.secondary && first.primary != other.primary);
    assert_eq!(first.at_start, other.at_start, "a secret needs no restart");
    let notify = with("c2VjcmV0", "notify = [{ address = \"198.51.100.20\" }]\n");
    assert!(first.secondary == notify.secondary && first.primary != notify.primary);
    assert_eq!(first.at_start, notify.at_start);
    for more in ["transfers = 3\n", "transfers-out = 3\n", "connections-per-client = 3\n"] {
        assert_ne!(first.at_start, with("c2VjcmV0", more).at_start, "{more}");
    }
}

/// Each fault of keys and transfers has its line, and all are told in one run.
#[test]
fn faults_of_transfers_have_lines() {
    let more = r#"
[[key]]
name = "a..b"
algorithm = "hmac-sha256"
secret = "c2VjcmV0"
[[key]]
name = "good."
algorithm = "hmac-md5"
secret = "c2VjcmV0"
[transfer]
allow = [{ from = "all" }]
listen = ["192.0.2.53"]
key-delay = "1h"
[[zone]]
name = "z.test"
primaries = [{ address = "there", key = "good." }]
[[catalog]]
name = "c.test"
primaries = [{ address = "198.51.100.1", tls = {} }]
"#;
    let text = format!("{GOOD}{more}");
    let line = |piece: &str| 1 + text[..text.find(piece).unwrap()].matches('\n').count();
    let error = read(&text).unwrap_err().to_string();
    for (place, key, words) in [
        (line("[[key]]\nname = \"a..b\""), "key", "a..b"),
        (line("[[key]]\nname = \"good.\""), "key", "hmac-md5"),
        (line("allow = "), "transfer.allow", "\"all\" is not a prefix"),
        (line("listen = [\"192"), "transfer.listen", "not among pop.management-addresses"),
        (line("key-delay"), "transfer.key-delay", "of a last-resort POP alone"),
        (line("name = \"z.test\""), "zone.primaries", "\"there\" is not an address"),
        (line("name = \"c.test\""), "catalog.primaries", "tls needs one of"),
    ] {
        let found = error.lines().any(|fault| {
            fault.contains(&format!("toml:{place}:"))
                && fault.contains(&format!(": {key}: "))
                && fault.contains(words)
        });
        assert!(found, "line {place}, {key}, {words} in:\n{error}");
    }
    assert_eq!(error.lines().count(), 7, "{error}");
    // With keys that are right, a catalog and its transfer tell of one thing once.
    let keys = text.replace("a..b", "b.").replace("hmac-md5", "hmac-sha256");
    let error = read(&keys).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 5, "{error}");
}

/// A POP that asks itself would never notice that its hub is gone.
#[test]
fn a_pop_is_left_out_of_its_own_lists() {
    let text = |primaries: &str| {
        let more = r#"
[transfer]
listen = ["198.51.100.10:53"]
notify = [{ address = "198.51.100.10" }, { address = "198.51.100.20" }]
[[zone]]
name = "a.test"
"#;
        format!("{GOOD}{more}primaries = [{primaries}]\n")
    };
    let (own, hub) = (r#"{ address = "198.51.100.10" }"#, r#"{ address = "198.51.100.20" }"#);
    let found = read(&text(&format!("{own}, {hub}"))).unwrap();
    let transfers = &found.config.transfers;
    let primaries: Vec<_> = transfers.secondary.zones[0].primaries.iter().map(|it| it.address).collect();
    let hub_address = "198.51.100.20:53".parse().unwrap();
    assert_eq!(primaries, [hub_address]);
    let notified: Vec<_> = transfers.primary.notify.iter().map(|target| target.address).collect();
    assert_eq!(notified, [hub_address]);
    let warnings: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
    let is_told = |key: &str| {
        let words = format!("{key}: 198.51.100.10:53 is an address of this POP: it is left out");
        warnings.iter().any(|warning| warning.contains(&words))
    };
    assert!(is_told("zone.primaries") && is_told("transfer.notify"), "{warnings:?}");
    // Another server on the same host is none.
    let beside = read(&text(r#"{ address = "198.51.100.10:5300" }"#)).unwrap();
    assert_eq!(beside.config.transfers.secondary.zones[0].primaries.len(), 1);
    let error = read(&text(own)).unwrap_err().to_string();
    assert!(error.contains("a.test. has no primary but this POP itself"), "{error}");
    // On loopback several servers share an address, also one that is a service address: each has its port.
    let on_loopback = |port: u16| {
        let text = format!(
            r#"
[pop]
name = "trial"
management-addresses = ["127.0.0.1"]
[[service]]
prefix = "127.0.0.1/32"
addresses = ["127.0.0.1"]
[route]
driver = "dry-run"
[[zone]]
name = "a.test"
primaries = [{{ address = "127.0.0.1:{port}" }}, {hub}]
"#
        );
        read(&text).unwrap().config.transfers.secondary.zones[0].primaries.len()
    };
    assert_eq!((on_loopback(53), on_loopback(5300)), (1, 2));
}
