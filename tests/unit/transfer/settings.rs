//! Valid settings, and the key that each fault names.

use super::*;
use crate::transfer::tsig::Keys;
use crate::wire::Name;
use std::sync::Arc;
use std::time::Duration;

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    key: Vec<KeySpec>,
    #[serde(default)]
    transfer: TransferSpec,
    #[serde(default)]
    zone: Vec<Zone>,
}

#[derive(serde::Deserialize)]
struct Zone {
    name: String,
    #[serde(flatten)]
    transfer: ZoneTransferSpec,
}

type Both = (crate::transfer::secondary::SecondarySettings, crate::transfer::primary::PrimarySettings);

fn read(text: &str) -> Result<Both, String> {
    let keys = "[[key]]\nname = \"k.\"\nalgorithm = \"hmac-sha256\"\nsecret = \"c2VjcmV0\"\n";
    let file: File = toml::from_str(&format!("{text}\n{keys}")).map_err(|error| error.to_string())?;
    let keys: Keys = read_keys(&file.key).unwrap();
    let zones: Vec<(Name, ZoneTransferSpec)> =
        file.zone.into_iter().map(|zone| (zone.name.parse().unwrap(), zone.transfer)).collect();
    let management = ["198.51.100.7".parse().unwrap()];
    settings(&file.transfer, &zones, Arc::new(keys), &management).map_err(|found| {
        let line = |PlacedFault { zone, fault }: PlacedFault| match zone {
            None => format!("{}: {fault}", fault.key()),
            Some(index) => format!("zone {index}: {}: {fault}", fault.key()),
        };
        found.into_iter().map(line).collect::<Vec<_>>().join("\n")
    })
}

#[test]
fn a_file_says_both_sides() {
    let (inward, outward) = read(
        r#"
        [transfer]
        listen = ["198.51.100.7", "198.51.100.7:5353"]
        allow = [{ from = "198.51.100.0/24", keys = ["K."] }, { from = "192.0.2.1" }]
        notify = [{ address = "198.51.100.8", key = "k" }]
        silence = "10s"
        transfers = 3
        [[zone]]
        name = "a.test"
        primaries = [{ address = "198.51.100.1", tls = { opportunistic = true } }, { address = "198.51.100.2:54", key = "k." }]
        notify-from = [{ from = "198.51.100.3" }]
        [[zone]]
        name = "b.test"
        allow-transfer = []
        notify = []
        "#,
    )
    .unwrap();
    let zone = &inward.zones[0];
    assert_eq!((inward.zones.len(), inward.transfers, inward.silence), (1, 3, Duration::from_secs(10)));
    assert_eq!(zone.primaries[0].address, "198.51.100.1:853".parse().unwrap());
    assert_eq!(zone.primaries[1].address, "198.51.100.2:54".parse().unwrap());
    assert_eq!(zone.primaries[1].key, Some("k.".parse().unwrap()));
    assert!(zone.notify.allows("198.51.100.3".parse().unwrap(), None, false));
    assert_eq!(outward.listen.len(), 2);
    let b: Name = "b.test.".parse().unwrap();
    assert!(outward.zones[&b].0.is_empty() && outward.notify_zones[&b].is_empty());
    assert!(outward.allowed.allows("198.51.100.9".parse().unwrap(), Some(&"k.".parse().unwrap()), false));
    assert_eq!(outward.notify[0].address, "198.51.100.8:53".parse().unwrap());
    assert!(read("").unwrap().0.zones.is_empty());
}

#[test]
fn what_cannot_be_meant_is_named() {
    let zone = |line: &str| format!("[[zone]]\nname = \"a.test\"\n{line}");
    for (text, part) in [
        ("[transfer]\nlisten = [\"192.0.2.53\"]".to_owned(), "not among pop.management-addresses"),
        ("[transfer]\nlisten = [\"here\"]".into(), "transfer.listen: \"here\" is not an address"),
        ("[transfer]\nallow = [{ from = \"all\" }]".into(), "transfer.allow: \"all\" is not a prefix"),
        (
            "[transfer]\nallow = [{ from = \"::/0\", keys = [\"x.\"] }]".into(),
            "transfer.allow: no [[key]] defines the key x.",
        ),
        ("[transfer]\ntransfers = 0".into(), "transfer.transfers: 0; allowed is 1 and more"),
        ("[transfer]\nsilence = \"2h\"".into(), "transfer.silence: 2h; allowed is 1s to 1h"),
        ("[transfer]\nsilence = \"long\"".into(), "a duration such as"),
        ("[transfer]\nleast-refresh = \"2days\"".into(), "transfer.least-refresh"),
        ("[transfer]\nallows = []".into(), "unknown field"),
        (zone("primaries = [{ address = \"2001:db8::1\" }]"), "no address of its family"),
        (zone("primaries = [{ address = \"0.0.0.0\" }]"), "0.0.0.0:53 is no address of one host"),
        (zone("primaries = [{ address = \"224.0.0.1\" }]"), "is no address of one host"),
        (zone("primaries = [{ address = \"255.255.255.255\" }]"), "is no address of one host"),
        (zone("primaries = [{ address = \"198.51.100.1:0\" }]"), "198.51.100.1:0 has port 0"),
        (zone("primaries = [{ address = \"fe80::1\" }]"), "is reached over one interface: add its number"),
        (
            zone("primaries = [{ address = \"fe80::1%lo\" }]"),
            "[fe80::1%2]:53 (2: the number of the interface)",
        ),
        (
            "[transfer]\nnotify = [{ address = \"::\" }]".into(),
            "transfer.notify: [::]:53 is no address of one host",
        ),
        (zone("primaries = [{ address = \"198.51.100.1\", key = \"a..b\" }]"), "is not the name of a key"),
        (zone("primaries = [{ address = \"198.51.100.1\", tls = {} }]"), "tls needs one of"),
        (
            zone("primaries = [{ address = \"198.51.100.1\", tls = { pins = [\"x\"] } }]"),
            "TLS is not possible",
        ),
        (
            zone("notify = [{ address = \"198.51.100.1\", tls = { opportunistic = true } }]"),
            "tls needs one of",
        ),
    ] {
        let fault = read(&text).unwrap_err();
        assert!(fault.contains(part), "{text}: {fault}");
    }
}

#[test]
fn every_fault_is_found_in_its_place() {
    let faults = read(
        r#"
        [transfer]
        listen = ["here", "198.51.100.7", "192.0.2.53"]
        allow = [{ from = "all" }]
        transfers = 0
        silence = "2h"
        [[zone]]
        name = "a.test"
        primaries = [{ address = "2001:db8::1" }, { address = "198.51.100.1" }]
        [[zone]]
        name = "b.test"
        [[zone]]
        name = "c.test"
        notify = [{ address = "x" }, { address = "198.51.100.1", key = "absent." }]
        "#,
    )
    .unwrap_err();
    let keys: Vec<&str> =
        faults.lines().filter_map(|line| line.split_once(": ")).map(|(key, _)| key).collect();
    assert_eq!(
        keys,
        [
            "transfer.transfers",
            "transfer.silence",
            "transfer.allow",
            "transfer.listen",
            "transfer.listen",
            "zone 0",
            "zone 2",
            "zone 2"
        ],
        "{faults}"
    );
    // A key that is not there may be named by every zone: that is told, but not of each.
    let zone = |index| {
        format!("[[zone]]\nname = \"z{index}\"\nallow-transfer = [{{ from = \"::/0\", keys = [\"x.\"] }}]\n")
    };
    let many: String = (0..1000).map(zone).collect();
    assert_eq!(read(&many).unwrap_err().lines().count(), 100);
}
