//! The text of a scrape on its own: complete, labelled, escaped, bounded.

use std::collections::BTreeSet;

use super::*;
use crate::control::{Alarm, Cause, ListenerStatus, NeighborStatus, PrefixStatus, ProbeStatus, TaskStatus};

/// A POP of which every metric has a sample.
fn busy() -> (Status, Counters, Facts) {
    let neighbor = NeighborStatus { neighbor: "198.51.100.1:179".into(), ..NeighborStatus::default() };
    let mut status = Status {
        pop: "ams".into(),
        instance: "ams1".into(),
        version: "0.1.0".into(),
        prefixes: vec![PrefixStatus {
            prefix: "192.0.2.0/24".into(),
            intent: "announce".into(),
            neighbors: vec![neighbor],
            ..PrefixStatus::default()
        }],
        probes: vec![ProbeStatus {
            address: "192.0.2.53".into(),
            transport: "UDP".into(),
            round_trip_us: Some(120),
            ..ProbeStatus::default()
        }],
        tasks: vec![TaskStatus { name: "decide".into(), ..TaskStatus::default() }],
        delay: Some(14_400),
        ..Status::default()
    };
    status.serve.listeners = vec![ListenerStatus::default()];
    status.overall.complaints = vec![Alarm { cause: Cause::Zones, ..Alarm::default() }];
    let counters = Counters::new(2);
    let worker = &counters.workers()[1];
    worker.count_type(28);
    worker.count_type(65_280);
    worker.count_rcode(23);
    worker.ipv6_queries.add(0, 1);
    crate::telemetry::count_many(&worker.udp_queries, 3);
    worker.latency.note(std::time::Duration::from_micros(3), 2);
    let facts = Facts {
        zones: vec![ZoneFacts {
            name: "example.org.".into(),
            is_well: true,
            serial: Some(7),
            digest: Some("0123456789abcdef".into()),
            accepted: Some(1),
            signatures_expire: Some(2),
            transfer: Some(TransferFacts {
                primary_serial: Some(8),
                checked: Some(1),
                expires: Some(3),
                failures: 0,
                next: Some(1_800_000_200),
            }),
            ..ZoneFacts::default()
        }],
        outward: OutwardFacts {
            transfers: vec![("axfr", "sent", 3)],
            refusals: vec![("no-zone", 1)],
            targets: vec![TargetNotifies { target: "192.0.2.1:53".into(), ..TargetNotifies::default() }],
            updates: vec![("done", 2)],
            bad_signatures: vec![("update", "BADKEY", 1)],
            ..OutwardFacts::default()
        },
        signatures_expire: Some(2),
        certificates: vec![CertificateFacts {
            purpose: "web",
            not_before: 1_790_000_000,
            expires: 1_800_000_000,
        }],
        busy_zones: vec![("example.org.".into(), 32)],
        prefixes: vec![PrefixFacts {
            prefix: "192.0.2.0/24".into(),
            withdrawn_in: Some(0.012),
            ..PrefixFacts::default()
        }],
        sessions: vec![SessionFacts { neighbor: "198.51.100.1:179".into(), ..SessionFacts::default() }],
        fact_ages: vec![("probes", 0.1)],
        task_ages: vec![("decide".into(), 0.0)],
        ..Facts::default()
    };
    (status, counters, facts)
}

fn text(format: Format) -> String {
    let (status, counters, facts) = busy();
    render(&status, &counters, &facts, format)
}

/// The name of a sample's metric, without what a histogram adds.
fn metric_of(line: &str) -> &str {
    let name = line.split('{').next().unwrap();
    ["_bucket", "_sum", "_count"]
        .into_iter()
        .find_map(|suffix| name.strip_suffix(suffix).filter(|name| ALL.iter().any(|one| one.name == *name)))
        .unwrap_or(name)
}

#[test]
fn every_metric_of_the_table_has_samples_with_its_labels_and_no_other_has() {
    let text = text(Format::Text);
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let metric = ALL.iter().find(|one| one.name == metric_of(line)).unwrap_or_else(|| panic!("{line}"));
        seen.insert(metric.name);
        let start =
            format!("{{pop=\"ams\",instance=\"ams1\"{}", if metric.labels.is_empty() { "" } else { "," });
        assert!(line.contains(&start), "{line}");
        for label in metric.labels {
            assert!(line.contains(&format!(",{label}=\"")), "{line}");
        }
    }
    let missing: Vec<_> = ALL.iter().filter(|metric| !seen.contains(metric.name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(text.contains(
        "anyns_queries_total{pop=\"ams\",instance=\"ams1\",transport=\"udp\",family=\"ipv4\"} 2\n"
    ));
    assert!(text.contains(
        "anyns_queries_total{pop=\"ams\",instance=\"ams1\",transport=\"udp\",family=\"ipv6\"} 1\n"
    ));
    assert!(text.contains("type=\"AAAA\"} 1\n") && text.contains("type=\"other\"} 1\n"), "{text}");
    assert!(text.contains("rcode=\"BADCOOKIE\"} 1\n") && text.contains("rcode=\"BADVERS\"} 0\n"), "{text}");
    assert!(text.contains("le=\"0.000004\"} 2\n") && text.contains("le=\"+Inf\"} 2\n"), "{text}");
}

#[test]
fn names_follow_the_conventions() {
    for metric in ALL {
        assert!(metric.name.starts_with("anyns_"), "{}", metric.name);
        assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
        assert!(
            !metric.help.ends_with('.') && !metric.help.contains(['\\', '\n', '"', '|']),
            "{}",
            metric.name
        );
    }
    let names: BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), ALL.len());
}

#[test]
fn openmetrics_names_counters_without_their_suffix_and_ends() {
    let text = text(Format::OpenMetrics);
    assert!(text.contains("# TYPE anyns_queries counter\nanyns_queries_total{"), "{text}");
    assert!(text.ends_with("\n# EOF\n"));
    assert_eq!(
        Format::accepted("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
        Format::OpenMetrics
    );
    assert_eq!(Format::accepted("*/*"), Format::Text);
}

#[test]
fn a_label_holds_any_text_and_ends_no_line() {
    let (mut status, counters, mut facts) = busy();
    status.pop = "a\"} 1\nevil 2\\".into();
    facts.busy_zones = vec![("\\034x\".".into(), 1)];
    let text = render(&status, &counters, &facts, Format::Text);
    assert!(text.contains(r#"pop="a\"} 1\nevil 2\\","#), "{text}");
    assert!(text.contains(r#"zone="\\034x\".""#), "{text}");
    assert!(!text.lines().any(|line| line.starts_with("evil")), "{text}");
}

#[test]
fn the_guide_has_the_table() {
    let guide = include_str!("../../deploy/metrics.md");
    assert!(guide.contains(&super::guide()), "deploy/metrics.md needs this table:\n{}", super::guide());
}
