//! Configurations that are right, and what is said of those that are not.

mod rssac002;
mod samples;
mod slips;
mod transfers;
mod zones;

use std::path::Path;

use crate::publish::Dnssec;

use super::{ConfigError, DEFAULT, Loaded, RouteDriver, parse};

const GOOD: &str = r#"
[pop]
name = "ams1"
management-addresses = ["198.51.100.10", "2001:db8:1::10"]

[zones]
directory = "zones"

[[service]]
prefix = "192.0.2.0/24"
addresses = ["192.0.2.53"]

[[service]]
prefix = "2001:db8:53::/48"
addresses = ["2001:db8:53::53"]

[route]
driver = "bgp"

[bgp]
local-as = 65001
router-id = "198.51.100.11"

[[bgp.neighbor]]
address = "198.51.100.1"
remote-as = 65000
next-hop-ipv6 = "2001:db8:1::10"
"#;

fn read(text: &str) -> Result<Loaded, ConfigError> {
    parse(Path::new("etc/anyns.toml"), text)
}

/// The faults of [`GOOD`] with one piece replaced.
fn faults(good: &str, bad: &str) -> String {
    assert!(GOOD.contains(good), "{good:?} is not in the sample");
    match read(&GOOD.replacen(good, bad, 1)) {
        Ok(_) => panic!("{bad:?} is taken"),
        Err(error) => error.to_string(),
    }
}

fn warnings(good: &str, bad: &str) -> String {
    let loaded = read(&GOOD.replacen(good, bad, 1)).unwrap();
    loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_default_is_good_and_says_nothing() {
    let loaded = parse(Path::new("(built-in default)"), DEFAULT).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert!(matches!(loaded.config.route, RouteDriver::DryRun(None)));
    assert_eq!(loaded.config.publish.directories, [Path::new("zones")]);
    let listen: Vec<String> = loaded.config.serve.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["127.0.0.1:5300", "[::1]:5300"]);
}

#[test]
fn a_pop_is_folded_into_every_module_s_settings() {
    let loaded = read(GOOD).unwrap();
    let config = loaded.config;
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(config.answer.identity.instance, "ams1");
    assert_eq!(config.publish.directories, [Path::new("etc/zones")], "relative to the file");
    assert!(config.rate_limit.exempt.iter().any(|prefix| prefix.to_string() == "198.51.100.10/32"));
    assert!(config.serve.tcp.exempt.iter().any(|prefix| prefix.to_string() == "2001:db8:1::10/128"));
    let RouteDriver::Bgp(bgp) = config.route else { panic!("bgp") };
    assert_eq!(bgp.neighbors[0].local_address.to_string(), "198.51.100.10");
}

#[test]
fn include_roots_are_relative_to_the_file_and_absent_by_default() {
    assert!(read(GOOD).unwrap().config.publish.include_roots.is_empty());
    let asked = GOOD.replace("[zones]", "[zones]\ninclude-roots = [\"shared\", \"/srv/keys\"]");
    let roots = &read(&asked).unwrap().config.publish.include_roots;
    assert_eq!(*roots, [Path::new("etc/shared"), Path::new("/srv/keys")]);
}

#[test]
fn socket_affinity_is_off_until_it_is_asked_for() {
    assert!(!read(GOOD).unwrap().config.serve.socket_affinity);
    let asked = GOOD.replace("[zones]", "[serve]\nsocket-affinity = true\n[zones]");
    assert!(read(&asked).unwrap().config.serve.socket_affinity);
}

#[test]
fn a_loopback_neighbor_gets_another_loopback_address() {
    let text = GOOD.replace("address = \"198.51.100.1\"", "address = \"127.0.0.1\"");
    let RouteDriver::Bgp(bgp) = read(&text).unwrap().config.route else { panic!("bgp") };
    assert_eq!(bgp.neighbors[0].local_address.to_string(), "127.0.0.2");
}

#[test]
fn faults_name_the_line_the_key_and_what_is_allowed() {
    let table: &[(&str, &str, &[&str])] = &[
        (
            "name = \"ams1\"",
            "nane = \"ams1\"",
            &[
                "anyns.toml:3:1: pop",
                "there is no key \"nane\" here (\"name\" may be meant)",
                "management-addresses",
                "anyns.toml:2:1: pop.name: the key is missing",
            ],
        ),
        ("[zones]", "[zonez]", &["anyns.toml:6:2:", "no key \"zonez\"", "\"zones\" may be meant"]),
        ("name = \"ams1\"", "name = \"a b\"", &["3:8: pop.name", "printable ASCII"]),
        ("name = \"ams1\"", "", &["anyns.toml:2:1: pop.name: the key is missing; it is", "\"ams1\""]),
        (
            "[zones]",
            "[serve]\nport = 70000\n[zones]",
            &["7:8: serve.port: 70000; allowed is a whole number from 0 to 65535"],
        ),
        (
            "[zones]",
            "[serve]\nlisten = [\"0.0.0.0:53\"]\n[zones]",
            &["7:10: serve.listen", "2001:db8:53::53 is not listened on", "\"[2001:db8:53::53]:53\""],
        ),
        (
            "[zones]",
            "[serve]\nsocket-affinity = \"yes\"\n[zones]",
            &["7:19: serve.socket-affinity: \"yes\"; allowed is true or false"],
        ),
        (
            "[zones]",
            "[serve]\nengine = \"fast\"\n[zones]",
            &["serve.engine: \"fast\"; allowed is \"auto\" or \"native\""],
        ),
        (
            "[zones]",
            "[serve]\nudp-payload-ceiling = 100\n[zones]",
            &["serve.udp-payload-ceiling", "512 to 4096"],
        ),
        ("[zones]", "[serve]\nreport-channel = \".\"\n[zones]", &["7:18: serve.report-channel", "the root"]),
        (
            "[zones]",
            "[serve]\ncookie-secrets = [\"xy\"]\n[zones]",
            &["serve.cookie-secrets", "32 hexadecimal digits"],
        ),
        ("[zones]", "[serve]\ncookie-secrets = []\n[zones]", &["7:18: serve.cookie-secrets", "1 to 3"]),
        (
            "[zones]",
            "[serve]\ncookie-required = true\n[zones]",
            &["7:19: serve.cookie-required", "serve.cookie-secrets"],
        ),
        (
            "[zones]",
            "[health]\ninterval = \"soon\"\n[zones]",
            &["health.interval: \"soon\"; allowed is a duration", "\"200ms\""],
        ),
        ("[zones]", "[health]\ninterval = \"1ms\"\n[zones]", &["7:12: health.interval", "100 ms to 1 h"]),
        (
            "[zones]",
            "[health]\nreference-addresses = [\"127.0.0.1\"]\n[zones]",
            &["7:23: health.reference-addresses", "unicast addresses of other hosts"],
        ),
        ("[zones]", "[policy]\none-transport-dead = \"ignore\"\n[zones]", &["7:22", "withdraw", "deprefer"]),
        (
            "[zones]",
            "[policy]\nhold = \"10m\"\nhold-max = \"5m\"\n[zones]",
            &["8:12: policy.hold-max", "at least hold"],
        ),
        (
            "[zones]",
            "[rate-limit]\nqueries-per-second = 0\n[zones]",
            &["rate-limit.queries-per-second", "1 to"],
        ),
        (
            "[zones]",
            "[rate-limit]\nipv4-prefix-length = 33\n[zones]",
            &["rate-limit.ipv4-prefix-length", "0 to 32"],
        ),
        ("directory = \"zones\"", "", &["zones.directory", "[[zone]]"]),
        (
            "directory = \"zones\"",
            "directory = \"zones\"\nrequired = [\"a..b\"]",
            &["8:13: zones.required", "empty"],
        ),
        (
            "[\"192.0.2.53\"]",
            "[\"192.0.3.53\"]",
            &["11:14: service.addresses", "192.0.3.53 is outside its prefix 192.0.2.0/24"],
        ),
        ("[\"192.0.2.53\"]", "[]", &["service.addresses", "no address in 192.0.2.0/24"]),
        ("\"192.0.2.0/24\"", "\"192.0.2.1/24\"", &["10:10: service.prefix", "host bits", "192.0.2.0/24"]),
        (
            "\"198.51.100.10\",",
            "\"192.0.2.10\",",
            &["4:25: pop.management-addresses", "service prefix 192.0.2.0/24"],
        ),
        ("\"198.51.100.10\",", "\"0.0.0.0\",", &["pop.management-addresses", "0.0.0.0"]),
        (", \"2001:db8:1::10\"]", "]", &["pop.management-addresses", "2001:db8:53::53"]),
        ("remote-as = 65000", "remote-as = 0", &["bgp", "AS 0", "1 to 4294967294"]),
        (
            "next-hop-ipv6 = \"2001:db8:1::10\"",
            "",
            &["14:10: service.next-hop", "2001:db8:53::/48 has no next hop"],
        ),
        ("router-id = \"198.51.100.11\"", "router-id = \"0.0.0.0\"", &["22:13: bgp.router-id", "unique"]),
        (
            "[[service]]",
            "[[service]]\ncommunities = [\"65000\"]",
            &["10:16: service.communities", "AS:VALUE"],
        ),
        (
            "remote-as = 65000",
            "remote-as = 65000\nmultihop = 2\nttl-security = 1",
            &["bgp.neighbor.multihop", "ttl-security"],
        ),
        ("\"bgp\"", "\"birdc\"", &["route.driver: \"birdc\"", "\"dry-run\""]),
    ];
    for (good, bad, expected) in table {
        let text = faults(good, bad);
        for words in *expected {
            assert!(text.contains(words), "{bad:?}: {words:?} is missing in {text}");
        }
    }
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_file() {
    let text = GOOD.replace("\"192.0.2.53\"", "\"192.0.3.53\"").replace("\"198.51.100.11\"", "\"0.0.0.0\"");
    let error = read(&text).unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 2, "{error}");
    assert!(lines[0].contains("service.addresses") && lines[1].contains("bgp.router-id"), "{error}");
}

#[test]
fn faults_of_form_do_not_hide_each_other_nor_faults_of_meaning() {
    let text = GOOD
        .replace("name = \"ams1\"", "nane = \"ams1\"")
        .replace("[zones]", "[serve]\nport = 70000\nudp-payload-ceiling = 100\nprot = 53\n[zones]")
        .replace("\"192.0.2.53\"", "\"192.0.2.300\", 7")
        .replace("remote-as = 65000", "remote-as = \"AS65000\"\nmode = \"aktive\"")
        .replace(
            "[route]",
            "[health]\ninterval = \"1ms\"\nrise = -1\n[policy]\nhold = \"0s\"\ndecay = \"0s\"\n[route]",
        );
    let error = read(&text).unwrap_err().to_string();
    let expected = [
        "2:1: pop.name: the key is missing",
        "3:1: pop.nane: there is no key \"nane\"",
        "7:8: serve.port: 70000; allowed is",
        "8:23: serve.udp-payload-ceiling: 100 octets; allowed is",
        "9:1: serve.prot: there is no key \"prot\" here (\"port\" may be meant)",
        "service.addresses: \"192.0.2.300\"; allowed is an IP address",
        "service.addresses: 7; allowed is an IP address",
        "health.interval: ",
        "health.rise: -1; allowed is a whole number",
        "policy.hold",
        "policy.decay",
        "bgp.neighbor.remote-as: \"AS65000\"; allowed is a whole number",
        "bgp.neighbor.mode: \"aktive\"; allowed is \"active\" or \"passive\" or \"both\"",
    ];
    for words in expected {
        assert!(error.contains(words), "{words:?} is missing in\n{error}");
    }
    assert_eq!(error.lines().count(), expected.len(), "and nothing that a repair provoked:\n{error}");
}

#[test]
fn every_fault_of_syntax_is_told() {
    let text = GOOD.replace("name = \"ams1\"", "name = ").replace("local-as = 65001", "local-as 65001");
    let error = read(&text).unwrap_err().to_string();
    assert!(error.contains("anyns.toml:3:") && error.contains("anyns.toml:21:"), "{error}");
}

/// The sections, and whether there may be several.
const SECTIONS: [(&str, bool); 18] = [
    ("pop", false),
    ("log", false),
    ("serve", false),
    ("tls", false),
    ("rate-limit", false),
    ("zones", false),
    ("zone", true),
    ("service", true),
    ("health", false),
    ("policy", false),
    ("drain", false),
    ("route", false),
    ("bgp", false),
    ("bgp.neighbor", true),
    ("control", false),
    ("web", false),
    ("fleet", false),
    ("fleet.pop", true),
];

/// The sample with one more key in a section.
fn with_key(section: &str, is_list: bool, key: &str, value: toml::Value) -> String {
    let mut table: toml::Table = GOOD.parse().unwrap();
    let mut at = &mut table;
    for part in section.split('.') {
        let several = is_list && section.ends_with(part);
        let empty = toml::Value::Table(toml::Table::new());
        let entry = at.entry(part).or_insert(if several { vec![empty.clone()].into() } else { empty });
        at = match entry {
            toml::Value::Array(list) => list[0].as_table_mut().unwrap(),
            other => other.as_table_mut().unwrap(),
        };
    }
    at.insert(key.to_owned(), value);
    table.to_string()
}

#[test]
fn the_wrong_type_of_any_key_is_quoted_and_described_in_words() {
    let mut keys = 0;
    for (section, is_list) in SECTIONS {
        let error = read(&with_key(section, is_list, "zzzzzzzz", 1.into())).unwrap_err().to_string();
        let line = error.lines().find(|line| line.contains("zzzzzzzz")).unwrap();
        let (_, known) = line.split_once("there are ").unwrap();
        for key in known.split(", ") {
            for wrong in [toml::Value::Float(1.5), vec![toml::Value::Boolean(true)].into()] {
                let error = read(&with_key(section, is_list, key, wrong.clone())).unwrap_err().to_string();
                let whole = format!(" {section}.{key}");
                let line = error
                    .lines()
                    .find(|line| line.contains(&whole))
                    .unwrap_or_else(|| panic!("{whole}: {error}"));
                let is_secret = ["password", "cookie-secrets"].contains(&key);
                let quoted = ["1.5; ", ": true; ", "[true]; "].iter().any(|value| line.contains(value));
                let quoted = if is_secret { !quoted } else { quoted };
                assert!(quoted && line.contains("allowed is "), "{line}");
                for jargon in [
                    "expected", "u8", "u16", "u32", "usize", "struct", "sequence", "syntax", "variant",
                    "field",
                ] {
                    assert!(!line.contains(jargon), "{jargon:?} in {line}");
                }
            }
            keys += 1;
        }
    }
    assert!(keys > 60, "{keys} keys were tried");
}

#[test]
fn a_required_key_that_is_missing_is_named_with_what_it_is() {
    let table = [
        (
            "[pop]\nname = \"ams1\"\nmanagement-addresses = [\"198.51.100.10\", \"2001:db8:1::10\"]\n",
            "pop.name",
        ),
        ("prefix = \"192.0.2.0/24\"\n", "service.prefix"),
        ("addresses = [\"192.0.2.53\"]\n", "service.addresses"),
        ("local-as = 65001\n", "bgp.local-as"),
        ("router-id = \"198.51.100.11\"\n", "bgp.router-id"),
        ("address = \"198.51.100.1\"\n", "bgp.neighbor.address"),
        ("remote-as = 65000\n", "bgp.neighbor.remote-as"),
    ];
    for (line, key) in table {
        let text = faults(line, "");
        assert!(text.contains(&format!("{key}: the key is missing; it is ")), "{key}: {text}");
    }
    for (section, keys) in [("[tls]\n", "tls.certificate tls.key"), ("[[zone]]\n", "zone.name")] {
        let text = faults("[route]", &format!("{section}[route]"));
        assert!(keys.split(' ').all(|key| text.contains(&format!("{key}: the key is missing"))), "{text}");
    }
}

#[test]
fn a_prefix_and_an_address_stand_once() {
    let text = faults(
        "prefix = \"2001:db8:53::/48\"\naddresses = [\"2001:db8:53::53\"]",
        "prefix = \"192.0.2.0/24\"\naddresses = [\"192.0.2.54\"]",
    );
    assert!(text.contains("14:10: service.prefix: a second [[service]] for 192.0.2.0/24"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    let text = faults("[\"192.0.2.53\"]", "[\"192.0.2.53\", \"192.0.2.53\"]");
    assert!(text.contains("service.addresses: 192.0.2.53 stands here a second time"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    let table = [
        ("\"192.0.2.0/24\"", "\"192.0.2.0/25\"", "longer than /24"),
        ("\"2001:db8:53::/48\"", "\"2001:db8:53::/64\"", "longer than /48"),
        ("\"2001:db8:53::53\"", "\"2001:db8:53:0:fdff:ffff:ffff:fffe\"", "RFC 2526"),
        ("\"2001:db8:53::53\"", "\"2001:db8:53:0:fdff:ffff:ffff:ff80\"", "RFC 2526"),
        ("\"2001:db8:53::53\"", "\"2001:db8:53::\"", "reserved IPv6 anycast"),
        (
            "[[service]]",
            "[[bgp.neighbor]]\naddress = \"198.51.100.2\"\nremote-as = 65002\nnext-hop-ipv6 = \"2001:db8:1::10\"\n\
             [[service]]\nmed = 10",
            "different ASes",
        ),
        (
            "[[service]]",
            "[samples]\nquery-log = true\n[log]\nlevel = \"warn\"\n[[service]]",
            "samples.query-log, which have the level info",
        ),
    ];
    for (good, bad, expected) in table {
        let text = warnings(good, bad);
        assert!(text.contains(expected), "{bad:?}: {expected:?} is missing in {text}");
    }
}

#[test]
fn the_admin_socket_is_relative_to_the_file_and_its_group_must_exist() {
    let with = |control: &str| read(&format!("{GOOD}\n[control]\n{control}\n"));
    let control = with("socket = \"run/a.sock\"\ngroup = \"root\"").unwrap().config.control;
    assert_eq!((control.path.as_path(), control.group), (Path::new("etc/run/a.sock"), Some(0)));
    let control = with("socket = \"/run/a.sock\"").unwrap().config.control;
    assert_eq!((control.path.as_path(), control.group), (Path::new("/run/a.sock"), None));
    let error = with("group = \"no-such-group-here\"").unwrap_err().to_string();
    assert!(error.contains("control.group: \"no-such-group-here\": this host has no such group"), "{error}");
}

/// As with BIRD: a POP without a neighbor can be, it announces nothing.
#[test]
fn no_neighbor_is_warned_of() {
    let end = GOOD.find("[[bgp.neighbor]]").unwrap();
    let loaded = read(&GOOD[..end]).unwrap();
    let told = loaded
        .warnings
        .iter()
        .any(|one| one.to_string().contains("no [[bgp.neighbor]]: nothing is announced"));
    assert!(told, "{:?}", loaded.warnings);
}

#[test]
fn what_to_do_with_signatures_is_set_for_all_zones_and_for_one() {
    let text = GOOD.replacen(
        "directory = \"zones\"",
        "directory = \"zones\"\ndnssec = \"off\"\n[[zone]]\nname = \"a.example\"\ndnssec = \"refuse\"",
        1,
    );
    let publish = read(&text).unwrap().config.publish;
    assert_eq!((publish.dnssec, publish.zones[0].dnssec), (Dnssec::Off, Some(Dnssec::Refuse)));
    assert_eq!(read(GOOD).unwrap().config.publish.dnssec, Dnssec::Warn);
    let said = faults("directory = \"zones\"", "directory = \"zones\"\ndnssec = \"strict\"");
    assert!(said.contains("zones.dnssec") && said.contains("\"off\" or \"warn\" or \"refuse\""), "{said}");
}

#[test]
fn updates_need_a_place_a_listener_and_keys() {
    let base =
        GOOD.replacen("directory = \"zones\"", "directory = \"zones\"\nstate-directory = \"state\"", 1);
    let keys = "[[key]]\nname = \"k.\"\nalgorithm = \"hmac-sha256\"\nsecret = \"YWJj\"\n";
    let listen = "[transfer]\nlisten = [\"198.51.100.10:53\"]\n";
    let zone = |more: &str| format!("[[zone]]\nname = \"example.org\"\n{more}\n");
    let update = "update = [{ key = \"k.\", names = [\"*.dyn.example.org\"], types = [\"A\"] }]";
    let loaded = read(&format!("{base}{keys}{listen}{}", zone(update))).unwrap().config;
    let name = "example.org.".parse().unwrap();
    assert!(loaded.publish.databases.contains(&name));
    assert_eq!(loaded.transfers.updates.zones[&name].0.len(), 1);
    let said = |text: &str| read(text).unwrap_err().to_string();
    let cases = [
        (format!("{base}{keys}{}", zone(update)), "set transfer.listen, where they arrive"),
        (format!("{base}{listen}{}", zone(update)), "the key k. is defined by no [[key]]"),
        (format!("{GOOD}{keys}{listen}{}", zone(update)), "set zones.state-directory"),
        (format!("{GOOD}{}", zone("database = true")), "set zones.state-directory"),
        (
            format!("{base}{keys}{listen}{}", zone(&format!("database = false\n{update}"))),
            "leave database out",
        ),
        (
            format!(
                "{base}{keys}{listen}{}",
                zone(&format!("primaries = [{{ address = \"198.51.100.1\" }}]\n{update}"))
            ),
            "comes from primaries: updates go there",
        ),
        (
            format!("{base}{keys}{listen}{}", zone(&update.replace("dyn.example.org", "dyn.test"))),
            "is not in the zone example.org.",
        ),
        (
            format!("{base}{keys}{listen}{}", zone(&update.replace("types", "typos"))),
            "there is no key \"typos\" here",
        ),
    ];
    for (text, expected) in cases {
        assert!(said(&text).contains(expected), "{expected}: {}", said(&text));
    }
    let without_updates = read(&format!("{base}{}", zone("database = true"))).unwrap().config;
    assert!(
        without_updates.publish.databases.contains(&name)
            && without_updates.transfers.updates.zones.is_empty()
    );
}
