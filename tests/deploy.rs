//! The example files of `deploy/`, read by the programs they are for.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test stops at the first fault"
)]

#[path = "deploy/examples.rs"]
mod examples;
#[path = "deploy/keys.rs"]
mod keys;
#[path = "deploy/kubernetes.rs"]
mod kubernetes;
#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use support::anyns::{PROGRAM, run_here};
use support::process::must;
use support::skip::{has_programs, skip};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file of `deploy` as text.
fn deployed(file: &str) -> String {
    std::fs::read_to_string(root().join("deploy").join(file)).expect("the file")
}

#[test]
fn bird_reads_its_example() {
    if has_programs("deploy/bird", &["bird"]) {
        must(Command::new("bird").args(["-p", "-c"]).arg(root().join("deploy/bird/bird.conf")));
    }
}

#[test]
fn frr_reads_its_example() {
    // bgpd runs as a user of its own, which may not read the checkout.
    let directory = tempfile::tempdir_in("/var/tmp").expect("a directory");
    let file = directory.path().join("frr.conf");
    std::fs::copy(root().join("deploy/frr/frr.conf"), &file).expect("copied");
    must(Command::new("chmod").arg("-R").arg("a+rX").arg(directory.path()));
    if has_programs("deploy/frr with vtysh", &["vtysh"]) {
        must(Command::new("vtysh").args(["-C", "-f"]).arg(&file));
    }
    if has_programs("deploy/frr with bgpd", &["/usr/lib/frr/bgpd"]) {
        let output =
            Command::new("/usr/lib/frr/bgpd").args(["-C", "-f"]).arg(&file).output().expect("bgpd runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        // Alone, bgpd does not know zebra's lines; each of the others must be understood.
        let unknown: Vec<&str> = text.lines().filter(|line| line.contains("nknown command")).collect();
        let others = unknown.iter().filter(|line| !line.contains("ip route") && !line.contains("ipv6 route"));
        assert_eq!(others.count(), 0, "{text}");
    }
}

#[test]
fn systemd_reads_the_unit() {
    if !has_programs("deploy/systemd", &["systemd-analyze"]) {
        return;
    }
    // The unit names the installed binary; the one just built stands for it.
    let directory = tempfile::tempdir().expect("a directory");
    let unit = std::fs::read_to_string(root().join("deploy/systemd/anyns.service")).expect("the unit");
    let file = directory.path().join("anyns.service");
    std::fs::write(&file, unit.replace("/usr/local/bin/anyns", PROGRAM)).expect("written");
    let output = Command::new("systemd-analyze").arg("verify").arg(&file).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    // In a container there may be no manager to load units.
    let has_no_manager =
        ["Failed to initialize manager", "Failed to connect to bus"].iter().any(|words| text.contains(words));
    if !output.status.success() && has_no_manager && !text.contains("anyns.service") {
        return skip("deploy/systemd", text.trim());
    }
    assert!(output.status.success() && !text.contains("anyns.service"), "{text}");
}

#[test]
fn the_example_zones_are_good() {
    let named = ["example/example.org.zone", "as112/hostname.as112.net.zone", "as112/10.in-addr.arpa.zone"];
    for zone in named {
        let said = run_here(&root().join("zones"), &["zone", "check", zone]);
        assert_eq!(said.code, 0, "{zone}: {}", said.text);
    }
}

#[test]
fn the_as112_config_is_good() {
    let said = run_here(&root(), &["check", "--offline", "--config", "deploy/as112/anyns.toml"]);
    assert_eq!(said.code, 0, "{}", said.text);
    for zone in ["hostname.as112.net", "192.175.48.0/24", "2001:4:112::/48"] {
        assert!(said.text.contains(zone), "{zone} is missing in {}", said.text);
    }
    // Whose node it is has not been said yet.
    let unedited =
        |line: &&str| line.contains("warning: ") && line.contains("still says \"Example Organization\"");
    assert_eq!(said.text.lines().filter(unedited).count(), 2, "{}", said.text);
}

#[test]
fn the_annotated_config_is_good_but_for_its_paths() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = std::fs::read_to_string(root().join("deploy/anyns.toml")).expect("the config");
    let here = directory.path().display().to_string();
    std::fs::write(directory.path().join("anyns.toml"), text.replace("/var/lib/anyns", &here))
        .expect("written");
    std::fs::create_dir_all(directory.path().join("zones")).expect("made");
    let zone = root().join("zones/example/example.org.zone");
    std::fs::copy(zone, directory.path().join("zones/example.org.zone")).expect("copied");
    let said = run_here(directory.path(), &["check", "--offline", "--config", "anyns.toml"]);
    assert_eq!(said.code, 0, "{}", said.text);
}

/// The names of metrics in a text, without what a histogram adds.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let names = text.match_indices("anyns_").map(|(at, _)| {
        let name: String = text[at..].chars().take_while(|character| is_name(*character)).collect();
        ["_bucket", "_sum", "_count"]
            .into_iter()
            .find_map(|suffix| name.strip_suffix(suffix).filter(|name| name.ends_with("_seconds")))
            .map_or_else(|| name.clone(), str::to_owned)
    });
    names.collect()
}

#[test]
fn the_alert_rules_and_the_dashboard_name_metrics_that_exist() {
    let known: BTreeSet<String> = anyns::metrics::ALL.iter().map(|metric| metric.name.to_owned()).collect();
    for file in ["prometheus/anyns.rules.yml", "prometheus/anyns.rules.test.yml", "grafana/anyns.json"] {
        let text = std::fs::read_to_string(root().join("deploy").join(file)).expect("the file");
        let unknown: Vec<_> = metrics_in(&text).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
    let dashboard = std::fs::read_to_string(root().join("deploy/grafana/anyns.json")).expect("the dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).expect("the dashboard is JSON");
    assert!(dashboard["panels"].as_array().is_some_and(|panels| panels.len() > 20));
}

/// One scrape that fails, or a start of Prometheus, raises no alert: a gauge is looked at for a while, and a window of a count has no gap.
#[test]
fn every_alert_on_a_gauge_waits() {
    let text = std::fs::read_to_string(root().join("deploy/prometheus/anyns.rules.yml")).expect("the file");
    let rules: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
    let rules = rules["groups"][0]["rules"].as_array().expect("a list");
    assert!(rules.len() > 20);
    for rule in rules {
        let expression = rule["expr"].as_str().expect("an expression");
        let counts = ["increase(", "changes("].iter().any(|count| expression.starts_with(count));
        assert_ne!(rule["for"].is_string(), counts, "{rule:#}");
    }
}

/// Two servers of one POP are one POP, and a dry run announces nothing.
#[test]
fn the_dashboard_counts_a_pop_once() {
    if !has_programs("deploy/grafana", &["promtool"]) {
        return;
    }
    let dashboard = std::fs::read_to_string(root().join("deploy/grafana/anyns.json")).expect("the dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let panel = panels.iter().find(|panel| panel["title"] == "Announced prefixes by POP").expect("the panel");
    let expression =
        panel["targets"][0]["expr"].as_str().expect("an expression").replace("{pop=~\"$pop\"}", "");
    let labels =
        |pop: &str, server: &str| format!("{{pop=\"{pop}\", instance=\"{server}\", prefix=\"192.0.2.0/24\"");
    let mut series = Vec::new();
    for (pop, server, sent) in
        [("ams", "ams1", Some(2)), ("ams", "ams2", Some(2)), ("fra", "fra1", Some(0)), ("lax", "lax1", None)]
    {
        let labels = labels(pop, server);
        series
            .push(serde_json::json!({"series": format!("anyns_prefix_desired{labels}}}"), "values": "2x5"}));
        for neighbor in ["a", "b"] {
            let sent = sent.map(|sent| {
                let name = format!("anyns_route_sent{labels}, neighbor=\"{neighbor}\"}}");
                serde_json::json!({"series": name, "values": format!("{sent}x5")})
            });
            series.extend(sent);
        }
    }
    let expected = [("ams", 1), ("fra", 0)].map(|(pop, value)| {
        serde_json::json!({"labels": format!("{{pop=\"{pop}\", prefix=\"192.0.2.0/24\"}}"), "value": value})
    });
    let test = serde_json::json!({
        "rule_files": [],
        "evaluation_interval": "1m",
        "tests": [{
            "interval": "1m",
            "input_series": series,
            "promql_expr_test": [{"expr": expression, "eval_time": "4m", "exp_samples": expected}],
        }],
    });
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("test.yml");
    std::fs::write(&file, test.to_string()).expect("written");
    must(Command::new("promtool").args(["test", "rules"]).arg(&file));
}

/// The guide is in the Debian package, with every file that it links to or names, where the link leads; each file is packed once.
#[test]
fn the_package_has_what_the_guide_names() {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let manifest: toml::Table = text.parse().expect("TOML");
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().expect("a list");
    let has = |file: &str| {
        let folder = file.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let wanted = [format!("deploy/{file}"), format!("usr/share/doc/anyns/{folder}")];
        assets.iter().any(|asset| (0..2).all(|at| asset[at].as_str() == Some(&wanted[at])))
    };
    assert!(has("README.md"));
    let guide = std::fs::read_to_string(root().join("deploy/README.md")).expect("the guide");
    let links = guide.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(link, _)| link));
    let files: BTreeSet<&str> = links
        .map(|link| link.split('#').next().unwrap_or_default())
        .filter(|link| !link.is_empty() && !link.contains("://"))
        .collect();
    assert!(files.contains("metrics.md") && files.len() > 4, "{files:?}");
    // A path of this folder between backticks, there and in the annotated config.
    let config = std::fs::read_to_string(root().join("deploy/anyns.toml")).expect("the config");
    let words = guide.split('`').skip(1).step_by(2).chain(config.split([' ', ',', ':']));
    let named = words.filter(|word| {
        let is_relative = word.contains('/') && !word.starts_with('/');
        is_relative && root().join("deploy").join(word).is_file()
    });
    let named: BTreeSet<&str> = named.collect();
    assert!(named.contains("bird/bird.conf") && named.contains("frr/frr.conf"), "{named:?}");
    for file in files.union(&named) {
        assert!(root().join("deploy").join(file).is_file(), "{file} is not there");
        assert!(has(file), "{file} is not in the package");
    }
    let mut packed = BTreeSet::new();
    for source in assets.iter().filter_map(|asset| asset[0].as_str()) {
        assert!(packed.insert(source), "{source} is packed twice");
    }
}

/// Each alert has a case in which it fires, and one in which it is silent.
#[test]
fn prometheus_reads_the_alert_rules_and_they_fire() {
    let read =
        |file: &str| std::fs::read_to_string(root().join("deploy/prometheus").join(file)).expect("the file");
    let (rules, cases) = (read("anyns.rules.yml"), read("anyns.rules.test.yml"));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 20, "{alerts:?}");
    for alert in alerts {
        let of_alert = cases.lines().filter(|line| line.trim() == format!("alertname: {alert}"));
        assert!(of_alert.count() >= 2, "{alert}: a case in which it fires and one in which it is silent");
    }
    if has_programs("deploy/prometheus", &["promtool"]) {
        let config = ["check", "config", "--syntax-only", "prometheus.yml"];
        let rules = ["check", "rules", "anyns.rules.yml"];
        for arguments in [&config[..], &rules, &["test", "rules", "anyns.rules.test.yml"]] {
            must(Command::new("promtool").args(arguments).current_dir(root().join("deploy/prometheus")));
        }
    }
}
