//! Signatures of a served zone in the status: until when they are valid, and alarms that move no route.

use std::process::Command;

use crate::support::pop::Alone;
use crate::support::process::must;
use crate::support::skip::has_programs;

const ORIGIN: &str = "signed.example";

#[test]
fn signatures_that_expire_are_alarms_and_the_route_stays() {
    if !has_programs("expiring signatures", &["dnssec-keygen", "dnssec-signzone"]) {
        return;
    }
    let alone = Alone::running("");
    let directory = tempfile::tempdir().expect("a directory");
    let command = |program: &str, arguments: &[&str]| {
        must(Command::new(program).args(arguments).current_dir(directory.path()))
    };
    let key = command("dnssec-keygen", &["-q", "-a", "ED25519", ORIGIN]);
    let key = key.trim();
    let public = std::fs::read_to_string(directory.path().join(format!("{key}.key"))).expect("the key");
    let deploy = |serial: u32, from: &str, until: &str| {
        let text = format!("@ 60 SOA ns host {serial} 1 1 1 60\n@ 60 NS ns.other.example.\n{public}");
        std::fs::write(directory.path().join("plain"), text).expect("written");
        let times = ["-s", from, "-e", until];
        // Without -P it refuses what has expired.
        let fixed = ["-q", "-z", "-P", "-o", ORIGIN, "-f", "signed", "plain", key];
        command("dnssec-signzone", &[&times[..], &fixed].concat());
        let zone = alone.zones.join(format!("{ORIGIN}.zone"));
        let fresh = zone.with_extension("new");
        std::fs::copy(directory.path().join("signed"), &fresh).expect("copied");
        std::fs::rename(fresh, zone).expect("moved");
    };
    let says = |serial: u32, reason: &str| {
        let what = format!("serial {serial} is served, and it says {reason:?}");
        let status = alone.anyns.wait_status(&what, |status| {
            let zones = status["zones"].as_array().into_iter().flatten();
            let served = zones
                .into_iter()
                .any(|zone| zone["serial"] == serial && zone["signatures"]["verifying"] == false);
            let reasons = status["overall"]["reasons"].as_array().into_iter().flatten();
            let said: Vec<&str> =
                reasons.filter_map(|reason| reason.as_str()).filter(|it| it.contains("signatures")).collect();
            served
                && if reason.is_empty() { said.is_empty() } else { said.iter().any(|it| it.contains(reason)) }
        });
        assert_eq!(status["prefixes"][0]["intent"], "announce", "{status}");
    };
    deploy(1, "20200101000000", "20200201000000");
    says(1, "signatures of signed.example. expired at 2020-02-01T00:00:00Z");
    let text = alone.anyns.command(&["status", "--zones", ORIGIN]).text;
    assert!(text.contains("signatures: expired at 2020-02-01T00:00:00Z"), "{text}");
    let metrics = alone.anyns.must(&["metrics"]);
    let expires =
        |metric: &str| metrics.lines().any(|line| line.starts_with(metric) && line.ends_with(" 1580515200"));
    assert!(expires("anyns_zones_signature_expiry_timestamp_seconds"), "{metrics}");
    assert!(expires("anyns_zone_signature_expiry_timestamp_seconds"), "{metrics}");
    deploy(2, "20200101000000", "now+3600");
    says(2, "signatures of signed.example. expire at ");
    deploy(3, "20600101000000", "20600201000000");
    says(3, "signatures of signed.example. are valid only from 2060-01-01T00:00:00Z");
    deploy(4, "20200101000000", "20600201000000");
    says(4, "");
    let text = alone.anyns.command(&["status", "--zones", ORIGIN]).text;
    assert!(text.contains("signatures: valid until 2060-02-01T00:00:00Z"), "{text}");
}
