//! Configs that are wrong: the message names the line and the key and says what is right; nothing runs.

use crate::support::anyns::Said;
use crate::support::pop::{Alone, ZONE};

/// The config of a POP with one piece of it replaced.
struct Config {
    service: &'static str,
    management: &'static str,
    neighbors: &'static str,
    more: &'static str,
}

const GOOD: Config = Config {
    service: "prefix = \"192.0.2.0/24\"\naddresses = [\"192.0.2.53\"]",
    management: "[\"198.18.1.2\", \"2001:db8:1::2\"]",
    neighbors: "[[bgp.neighbor]]\naddress = \"198.18.1.1\"\nremote-as = 65000",
    more: "",
};

impl Config {
    /// `anyns check` and, where it must not start, `anyns run` with this config.
    fn check(&self) -> Said {
        let alone = self.written();
        alone.anyns.command(&["check"])
    }

    /// Both refuse it, with every one of `words` in the message.
    fn is_refused(&self, words: &[&str]) {
        let mut alone = self.written();
        let said = alone.anyns.command(&["check"]);
        assert_ne!(said.code, 0, "{}", said.text);
        alone.anyns.start(&alone.lab);
        let ended = alone.anyns.process().wait_end(crate::support::anyns::BOUND);
        assert!(!ended.success(), "it must not run");
        for text in [said.text, alone.anyns.process().output()] {
            assert!(text.contains("alone.toml:"), "the file is named: {text}");
            words.iter().for_each(|word| assert!(text.contains(word), "{word:?} is missing in {text}"));
        }
    }

    /// `anyns check` alone refuses it, with every one of `words` in the message.
    fn is_refused_by_check(&self, words: &[&str]) {
        let said = self.check();
        assert_ne!(said.code, 0, "{}", said.text);
        words
            .iter()
            .for_each(|word| assert!(said.text.contains(word), "{word:?} is missing in {}", said.text));
    }

    /// `check` warns with every one of `words` and ends well, also of addresses that this host does not have.
    fn warns(&self, words: &[&str]) {
        let said = self.written().anyns.command(&["check", "--offline"]);
        assert_eq!(said.code, 0, "a warning is no error: {}", said.text);
        let lines: Vec<&str> = said.text.lines().filter(|line| line.contains("warning")).collect();
        let found = lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "no warning with {words:?} in {}", said.text);
    }

    fn written(&self) -> Alone {
        let alone = Alone::new("");
        let Self { service, management, neighbors, more } = self;
        let (zones, state) = (alone.zones.display(), alone.lab.directory().join("state-alone"));
        alone.anyns.write_config(&format!(
            "[pop]\nname = \"alone\"\nmanagement-addresses = {management}\n[zones]\ndirectory = \"{zones}\"\n\
             state-directory = \"{}\"\nrequired = [\"{ZONE}\"]\n[[service]]\n{service}\n[route]\ndriver = \"bgp\"\n\
             [bgp]\nlocal-as = 65001\nrouter-id = \"198.18.1.3\"\n{neighbors}\n{more}\n",
            state.display()
        ));
        // The rest of the prefix has its route, so that only the tests for it are warned.
        alone.space.ip(&["route", "add", "blackhole", "192.0.2.0/24"]);
        alone.space.ip(&["-6", "route", "add", "blackhole", "2001:db8:53::/48"]);
        alone
    }
}

#[test]
fn the_good_config_is_good() {
    let said = GOOD.check();
    assert_eq!(said.code, 0, "{}", said.text);
    assert!(!said.text.contains("warning"), "{}", said.text);
    assert!(
        said.text.contains("192.0.2.0/24") && said.text.contains("198.18.1.1"),
        "the plan: {}",
        said.text
    );
}

#[test]
fn unknown_key() {
    Config { more: "[serve]\nprot = 53", ..GOOD }.is_refused(&["serve", "prot", "port"]);
}

#[test]
fn service_address_outside_its_prefix() {
    let service = "prefix = \"192.0.2.0/24\"\naddresses = [\"198.51.100.53\"]";
    Config { service, ..GOOD }.is_refused(&["service.addresses", "198.51.100.53", "192.0.2.0/24"]);
}

#[test]
fn service_address_as_source_of_outbound_traffic() {
    let management = "[\"192.0.2.53\"]";
    Config { management, ..GOOD }.is_refused(&["pop.management-addresses", "192.0.2.53", "192.0.2.0/24"]);
    let neighbors =
        "[[bgp.neighbor]]\naddress = \"198.18.1.1\"\nremote-as = 65000\nlocal-address = \"192.0.2.53\"";
    Config { neighbors, ..GOOD }.is_refused(&["192.0.2.53", "unicast address"]);
}

#[test]
fn prefix_longer_than_the_internet_takes() {
    let service = "prefix = \"192.0.2.0/25\"\naddresses = [\"192.0.2.53\"]";
    Config { service, ..GOOD }.warns(&["192.0.2.0/25", "/24"]);
    let service =
        "prefix = \"2001:db8:53::/64\"\naddresses = [\"2001:db8:53::53\"]\nnext-hop = \"2001:db8:1::2\"";
    Config { service, ..GOOD }.warns(&["2001:db8:53::/64", "/48"]);
}

#[test]
fn reserved_anycast_identifier() {
    let service = "prefix = \"2001:db8:53::/48\"\naddresses = [\"2001:db8:53:0:fdff:ffff:ffff:fffe\"]\n\
                   next-hop = \"2001:db8:1::2\"";
    let config = Config { service, ..GOOD };
    config.warns(&["RFC 2526", "fdff:ffff:ffff:fffe"]);
}

#[test]
fn med_towards_different_ases() {
    let service = "prefix = \"192.0.2.0/24\"\naddresses = [\"192.0.2.53\"]\nmed = 100";
    let neighbors = "[[bgp.neighbor]]\naddress = \"198.18.1.1\"\nremote-as = 65000\n\
                     [[bgp.neighbor]]\naddress = \"198.18.1.9\"\nremote-as = 64999";
    Config { service, neighbors, ..GOOD }.warns(&["MED", "different ASes"]);
}

#[test]
fn no_blackhole_route_for_the_rest_of_the_prefix() {
    let alone = GOOD.written();
    alone.space.ip(&["route", "del", "blackhole", "192.0.2.0/24"]);
    let said = alone.anyns.command(&["check"]);
    assert_eq!(said.code, 0, "{}", said.text);
    let warned = said.text.lines().any(|line| line.contains("warning") && line.contains("blackhole"));
    assert!(warned && said.text.contains("192.0.2.0/24"), "{}", said.text);
}

#[test]
fn no_config_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let said = crate::support::anyns::run_here(directory.path(), &["check", "--config", "nowhere.toml"]);
    assert_ne!(said.code, 0);
    assert!(said.text.contains("nowhere.toml"), "{}", said.text);
}

/// `check` and `run` say the same of addresses that are not on this host; elsewhere, nothing can be said of them.
#[test]
fn addresses_that_are_not_on_this_host() {
    let service = "prefix = \"192.0.2.0/24\"\naddresses = [\"192.0.2.53\", \"192.0.2.77\"]";
    let management = "[\"198.18.1.77\", \"2001:db8:1::2\"]";
    let neighbors =
        "[[bgp.neighbor]]\naddress = \"198.18.1.1\"\nremote-as = 65000\nlocal-address = \"198.18.1.2\"";
    let missing_service = Config { service, ..GOOD };
    let missing_source = Config { management, neighbors, ..GOOD };
    for (config, words) in [(missing_service, "192.0.2.77"), (missing_source, "198.18.1.77")] {
        let mut alone = config.written();
        let said = alone.anyns.command(&["check"]);
        let fault = said.text.lines().find(|line| line.contains("error: ") && line.contains(words));
        assert!(said.code == 1 && fault.is_some(), "{}", said.text);
        assert_eq!(alone.anyns.command(&["check", "--offline"]).code, 0);
        alone.anyns.start(&alone.lab);
        let ended = alone.anyns.process().wait_end(crate::support::anyns::BOUND);
        let output = alone.anyns.process().output();
        assert!(
            !ended.success() && output.contains("not on this host") && output.contains(words),
            "{output}"
        );
        let socket = alone.lab.directory().join("alone.sock");
        assert!(!socket.exists(), "a start that failed leaves no socket");
    }
}

/// Files that are none, and what is in the place of a socket or a directory: `check` and `run` name the thing, and agree.
#[test]
fn files_that_are_no_config() {
    let mut alone = GOOD.written();
    let good = std::fs::read(alone.anyns.config()).expect("the config");
    let utf16 = [b"\xff\xfe".to_vec(), good.iter().flat_map(|octet| [*octet, 0]).collect()].concat();
    let latin1 = good.iter().map(|octet| if *octet == b'=' { 0xfc } else { *octet }).collect();
    let long = [good.clone(), vec![b'#'; 17 << 20]].concat();
    let nul = [good.clone(), vec![0]].concat();
    let files: [(Vec<u8>, &str); 4] = [
        (utf16, "it is UTF-16; save it as UTF-8"),
        (latin1, "line 2 is not UTF-8"),
        (long, "it is longer than 16777216 octets"),
        (nul, "has a NUL octet"),
    ];
    for (octets, words) in files {
        std::fs::write(alone.anyns.config(), octets).expect("written");
        let said = alone.anyns.command(&["check"]);
        assert!(said.code == 1 && said.text.contains(words), "{words}: {}", said.text);
        alone.anyns.start(&alone.lab);
        assert!(!alone.anyns.process().wait_end(crate::support::anyns::BOUND).success(), "{words}");
        assert!(alone.anyns.process().output().contains(words), "{words}");
    }
    // What a Windows editor writes is good.
    let text = String::from_utf8(good).expect("text").replace('\n', "\r\n");
    std::fs::write(alone.anyns.config(), format!("\u{feff}{text}")).expect("written");
    assert_eq!(alone.anyns.command(&["check"]).code, 0);
}

#[test]
fn places_that_something_else_has_taken() {
    let listens = [
        ("listen = [\"192.0.2.53:53\", \"203.0.113.9:53\"]", "203.0.113.9 is not on this host"),
        ("listen = [\"192.0.2.53:53\", \"192.0.2.53:53\"]", "192.0.2.53:53 stands here a second time"),
        ("listen = [\"0.0.0.0:53\", \"192.0.2.53:53\"]", "0.0.0.0:53 takes 192.0.2.53:53, too"),
        ("listen = [\"192.0.2.53:53\", \"224.0.0.9:53\"]", "224.0.0.9:53 is no address of one host"),
    ];
    for (line, words) in listens {
        let alone = GOOD.written();
        let config = std::fs::read_to_string(alone.anyns.config()).expect("the config");
        std::fs::write(alone.anyns.config(), config.replace("[zones]", &format!("[serve]\n{line}\n[zones]")))
            .expect("written");
        let said = alone.anyns.command(&["check"]);
        assert!(said.code == 1 && said.text.contains(words), "{words}: {}", said.text);
    }
    let alone = GOOD.written();
    let socket = alone.lab.directory().join("alone.sock");
    std::fs::write(&socket, "").expect("written");
    let said = alone.anyns.command(&["check"]);
    assert!(
        said.code == 1 && said.text.contains("control.socket: ") && said.text.contains("no socket"),
        "{}",
        said.text
    );
    std::fs::remove_file(&socket).expect("removed");
    let state = alone.lab.directory().join("state-alone");
    std::fs::remove_dir_all(&state).expect("removed");
    std::fs::write(&state, "").expect("written");
    let said = alone.anyns.command(&["check"]);
    assert!(said.code == 1 && said.text.contains("is no directory: remove it"), "{}", said.text);
}

/// What was put on loopback goes away again when the start fails afterwards.
#[test]
fn a_start_that_fails_leaves_no_address() {
    let service = "prefix = \"192.0.2.0/24\"\naddresses = [\"192.0.2.53\", \"192.0.2.77\"]";
    let more =
        "[serve]\ninstall-addresses = true\n[tls]\ncertificate = \"absent\"\nkey = \"absent\"\ndot = 853";
    let mut alone = Config { service, more, ..GOOD }.written();
    alone.anyns.start(&alone.lab);
    assert!(!alone.anyns.process().wait_end(crate::support::anyns::BOUND).success());
    let addresses = alone.space.ip(&["addr", "show", "dev", "lo"]);
    assert!(!addresses.contains("192.0.2.77"), "{addresses}");
}

/// A directory without a zone: `run` announces nothing, and `check` says so.
#[test]
fn a_zone_directory_without_a_zone() {
    let alone = GOOD.written();
    for file in std::fs::read_dir(&alone.zones).expect("the zones").flatten() {
        std::fs::remove_file(file.path()).expect("removed");
    }
    for arguments in [&["check"][..], &["check", "--offline"]] {
        let said = alone.anyns.command(arguments);
        assert!(said.code == 1 && said.text.contains("there is no zone: "), "{}", said.text);
    }
    std::fs::remove_dir_all(&alone.zones).expect("removed");
    let said = alone.anyns.command(&["check"]);
    assert!(said.code == 1 && said.text.contains("cannot read the directory"), "{}", said.text);
    let said = alone.anyns.command(&["check", "--offline"]);
    assert!(said.code == 0 && said.text.contains("not checked: the zone directory"), "{}", said.text);
}

#[test]
fn rules_of_a_zone_that_only_a_catalog_could_list() {
    let rules = "[[zone]]\nname = \"m1.test\"\nmust-have = [\"www A\"]";
    Config { more: rules, ..GOOD }
        .is_refused_by_check(&["no configured directory holds a file for m1.test."]);
    let more = "[[zone]]\nname = \"m1.test\"\nmust-have = [\"www A\"]\n\
                [[catalog]]\nname = \"catalog.test\"\nprimaries = [{ address = \"198.18.1.1\" }]";
    Config { more, ..GOOD }.warns(&["m1.test.", "only if a catalog lists it"]);
}
