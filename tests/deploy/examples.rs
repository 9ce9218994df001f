//! The TOML examples of the guide, each taken by `anyns check`: whole ones as they are, others beside what the text around them supposes.

use std::path::Path;
use std::process::Command;

use crate::support::anyns::run_here;
use crate::support::encrypted::write_pair;
use crate::support::process::must;

/// A hub and a POP in one, with both of their addresses.
const POP: &str = "[pop]\nname = \"example\"\nmanagement-addresses = [\"198.51.100.1\", \"198.51.100.10\"]\n";
/// The keys that the examples share.
const KEYS: [(&str, &str); 2] = [("hub-2026.example.", "hub-2026.key"), ("fleet.", "fleet.key")];
/// A pin: any 32 octets in base 64.
const PIN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// The files that the examples name, in one directory.
fn files(directory: &Path) {
    let (certificate, key) = write_pair(directory);
    for name in ["ca.pem", "hub.pem", "pop1.pem", "fleet-ca.pem", "fullchain.pem"] {
        std::fs::copy(&certificate, directory.join(name)).expect("copied");
    }
    for name in ["hub-tls.key", "pop1-tls.key"] {
        std::fs::copy(&key, directory.join(name)).expect("copied");
    }
    for name in ["hub-2026.key", "fleet.key", "certbot.key", "dhcp.key"] {
        std::fs::write(directory.join(name), "c2VjcmV0IG9mIGFuIGV4YW1wbGUsIHNvIGl0IGlzIG5vbmU=\n")
            .expect("written");
    }
    std::fs::write(directory.join("web.token"), "0123456789abcdef0123456789abcdef0123456789abcdef\n")
        .expect("written");
    std::fs::create_dir_all(directory.join("zones")).expect("made");
    let zone =
        "@ 3600 IN SOA ns1 hostmaster 1 3600 600 1209600 300\n@ 3600 IN NS ns1\nns1 3600 IN A 192.0.2.53\n";
    for name in ["zones/example.org.zone", "example.net.zone"] {
        std::fs::write(directory.join(name), zone).expect("written");
    }
    must(Command::new("sh").arg("-c").arg("chmod 600 *.key *.token").current_dir(directory));
}

/// A fragment with what it supposes.
fn completed(example: &str) -> String {
    let mut text = example.to_owned();
    // The section of which the example shows one key.
    if text.contains("[tls]\n") && !text.contains("certificate =") {
        text = text
            .replace("[tls]\n", "[tls]\ncertificate = \"fullchain.pem\"\nkey = \"hub-tls.key\"\ndot = 853\n");
    }
    let mut before = POP.to_owned();
    let has = |section: &str| example.lines().any(|line| line.starts_with(section));
    if !has("[[service]]") {
        before.push_str("[serve]\nlisten = [\"127.0.0.1:5300\"]\n");
    }
    if !has("[zones]") {
        before.push_str("[zones]\ndirectory = \"zones\"\nstate-directory = \"state\"\n");
    }
    if !has("[transfer]") {
        before.push_str("[transfer]\nlisten = [\"198.51.100.10:5311\"]\nallow = [{ from = \"198.51.100.0/24\", keys = [\"fleet.\"] }]\n");
    }
    for (name, file) in KEYS.iter().filter(|(name, _)| !example.contains(&format!("name = \"{name}\""))) {
        before.push_str(&format!(
            "[[key]]\nname = \"{name}\"\nalgorithm = \"hmac-sha256\"\nsecret-file = \"{file}\"\n"
        ));
    }
    before + &text
}

/// Each alternative of an example that has some, or the whole of it.
fn configurations(example: &str) -> Vec<String> {
    if example.lines().any(|line| line.starts_with("[pop]")) {
        return vec![example.to_owned()];
    }
    if example.lines().any(|line| line.starts_with('[')) {
        return vec![completed(example)];
    }
    let lines = example.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| completed(&format!("[[zone]]\nname = \"example.com\"\n{line}\n"))).collect()
}

#[test]
fn check_takes_the_examples_of_the_guide() {
    let directory = tempfile::tempdir().expect("a directory");
    files(directory.path());
    let here = format!("{}/", directory.path().display());
    let guide = crate::deployed("README.md");
    let examples: Vec<&str> =
        guide.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
    assert!(examples.len() > 10, "{}", examples.len());
    for example in examples {
        for text in configurations(example) {
            let text = text.replace("/etc/anyns/", &here).replace("/var/lib/anyns/", &here);
            let text = text.replace("pins = [\"...\"]", &format!("pins = [\"{PIN}\"]"));
            std::fs::write(directory.path().join("example.toml"), &text).expect("written");
            let said = run_here(directory.path(), &["check", "--offline", "--config", "example.toml"]);
            assert_eq!(said.code, 0, "{}\nof\n{text}", said.text);
            assert!(!said.text.contains("notify"), "a warning: {}\nof\n{text}", said.text);
        }
    }
}
