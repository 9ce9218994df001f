//! Metrics of a running anyns: read by promtool, true, and alarming when something is wrong.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::anyns::BOUND;
use crate::support::dns::{AAAA, SOA};
use crate::support::pop::{Alone, ZONE, deploy};
use crate::support::skip::has_programs;
use crate::support::wait::wait_until;

fn scrape(alone: &Alone) -> String {
    alone.anyns.must(&["metrics"])
}

/// The value of the sample of this metric that has all of these labels.
pub(crate) fn value(text: &str, metric: &str, labels: &[&str]) -> Option<f64> {
    let has = |line: &&str| {
        line.split('{').next() == Some(metric) && labels.iter().all(|label| line.contains(label))
    };
    text.lines().find(has)?.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_scrape_is_read_by_promtool_and_tells_what_was_asked() {
    let alone = Alone::running("");
    for (name, record_type, count) in [(ZONE, SOA, 40), ("nothing.invalid", AAAA, 3)] {
        for _ in 0..count {
            assert!(alone.ask(name, record_type).is_some());
        }
    }
    let text = scrape(&alone);
    let count = |metric: &str, labels: &[&str]| value(&text, metric, labels).unwrap_or(-1.0);
    assert!(count("anyns_queries_by_type_total", &["type=\"AAAA\""]) >= 3.0, "{text}");
    assert!(count("anyns_responses_total", &["rcode=\"REFUSED\""]) >= 3.0, "{text}");
    assert!(count("anyns_queries_total", &["transport=\"udp\"", "family=\"ipv4\""]) >= 43.0, "{text}");
    assert_eq!(count("anyns_zone_serial", &[&format!("zone=\"{ZONE}.\"")]), 1.0, "{text}");
    assert_eq!(count("anyns_verdict", &["pop=\"alone\"", "instance=\"alone\""]), 0.0, "{text}");
    assert!(count("anyns_fact_age_seconds", &["fact=\"probes\""]) < 2.0, "{text}");
    assert!(count("anyns_zone_queries_total", &[&format!("zone=\"{ZONE}.\"")]) >= 16.0, "{text}");
    if has_programs("promtool check metrics", &["promtool"]) {
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool runs");
        promtool.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("written");
        let output = promtool.wait_with_output().expect("promtool ends");
        let said =
            [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        assert!(output.status.success() && said.trim().is_empty(), "{said}");
    }
}

/// What a POP with one unsigned zone from a file and a neighbor that is down has no value of, and the test that looks at it.
const ELSEWHERE: [(&str, &str); 14] = [
    ("anyns_certificate_expiry_timestamp_seconds", include_str!("web_tls.rs")),
    ("anyns_certificate_not_before_timestamp_seconds", include_str!("web_tls.rs")),
    ("anyns_prefix_withdrawal_duration_seconds", include_str!("metrics.rs")),
    ("anyns_zones_signature_expiry_timestamp_seconds", include_str!("signatures.rs")),
    ("anyns_zone_signature_expiry_timestamp_seconds", include_str!("signatures.rs")),
    ("anyns_zone_primary_serial", include_str!("secondary.rs")),
    ("anyns_zone_checked_timestamp_seconds", include_str!("secondary.rs")),
    ("anyns_zone_expiry_timestamp_seconds", include_str!("secondary.rs")),
    ("anyns_zone_refresh_timestamp_seconds", include_str!("secondary.rs")),
    ("anyns_zone_transfer_failures", include_str!("secondary.rs")),
    ("anyns_notifies_total", include_str!("transfer.rs")),
    ("anyns_notify_target_zones", include_str!("transfer.rs")),
    ("anyns_delay_seconds", include_str!("last_resort.rs")),
    ("anyns_zones_waiting", include_str!("last_resort.rs")),
];

/// A metric that nothing ever sets looks like one without faults: no alert on it can fire.
#[test]
fn every_metric_gets_a_value_from_a_running_anyns() {
    let neighbor = "[[bgp.neighbor]]\naddress = \"127.0.0.1\"\nremote-as = 65001\nlocal-address = \"127.0.0.2\"\n\
                    next-hop-ipv6 = \"2001:db8:1::2\"\n";
    let bgp = "[bgp]\nlocal-as = 65001\nrouter-id = \"198.18.1.2\"\n";
    let mut alone = Alone::new(&format!("[route]\ndriver = \"bgp\"\n{bgp}{neighbor}"));
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_announces();
    let has = |metric: &str| value(&scrape(&alone), metric, &[]).is_some();
    wait_until("probes are answered, and the speaker has begun", BOUND, || {
        has("anyns_probe_round_trip_seconds")
            && has("anyns_route_sent")
            && has("anyns_session_up")
            && has("anyns_zone_content_info")
    });
    let text = scrape(&alone);
    let is_told = |name: &str| {
        let samples = [format!("{name}{{"), format!("{name}_bucket{{")];
        text.lines().any(|line| samples.iter().any(|sample| line.starts_with(sample)))
    };
    let names = anyns::metrics::ALL.iter().map(|metric| metric.name);
    let missing: Vec<_> =
        names.filter(|name| !is_told(name) && ELSEWHERE.iter().all(|(other, _)| other != name)).collect();
    assert!(missing.is_empty(), "nothing sets {missing:?}:\n{text}");
    for (name, test) in ELSEWHERE {
        assert!(!is_told(name), "{name} has a value here: take it out of the list");
        assert!(test.contains(&format!("\"{name}\")")), "no test looks at {name} where the list says so");
    }
}

/// The faults that some of the alert rules look at, in a running anyns.
#[test]
fn faults_show_in_the_metrics_that_alerts_look_at() {
    let alone = Alone::running("");
    assert_eq!(value(&scrape(&alone), "anyns_zones_not_well", &[]), Some(0.0));
    // AnynsZonesNotWell, AnynsDegraded.
    std::fs::write(alone.zones.join("broken.example.zone"), "@ 60 IN A 192.0.2.1\n").expect("written");
    let is = |metric: &'static str, labels: &'static [&'static str], wanted: f64| {
        wait_until(metric, BOUND, || value(&scrape(&alone), metric, labels) == Some(wanted));
    };
    is("anyns_zones", &["state=\"refused\""], 1.0);
    is("anyns_zone_healthy", &["zone=\"broken.example.\""], 0.0);
    is("anyns_verdict", &[], 1.0);
    deploy(&alone.zones, "broken.example", 4);
    is("anyns_zone_serial", &["zone=\"broken.example.\""], 4.0);
    is("anyns_zones_not_well", &[], 0.0);
    // AnynsReloadFailed.
    let config = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    std::fs::write(alone.anyns.config(), format!("[zonez]\n{config}")).expect("written");
    assert_eq!(alone.anyns.command(&["reload"]).code, 1);
    is("anyns_config_reload_failed", &[], 1.0);
    let digest =
        |text: &str| text.lines().find(|line| line.starts_with("anyns_config_info{")).map(str::to_owned);
    let before = digest(&scrape(&alone));
    std::fs::write(alone.anyns.config(), format!("# edited\n{config}")).expect("written");
    alone.anyns.must(&["reload"]);
    wait_until("the digest of the config", BOUND, || digest(&scrape(&alone)) != before);
    is("anyns_config_reload_failed", &[], 0.0);
    // AnynsNothingAnnounced is silent after an order; AnynsFlapping counts withdrawals.
    is("anyns_prefix_desired", &[], 2.0);
    alone.anyns.must(&["drain", "--reason", "a test"]);
    is("anyns_drained", &[], 2.0);
    is("anyns_prefix_desired", &[], 0.0);
    is("anyns_prefix_withdrawals_total", &[], 1.0);
    let told = |metric: &str| value(&scrape(&alone), metric, &[]).is_some();
    wait_until("how long the withdrawal took", BOUND, || told("anyns_prefix_withdrawal_duration_seconds"));
}
