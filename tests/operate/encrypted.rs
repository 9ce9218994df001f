//! Encrypted transports of the running program: on by the config, the certificate renewed by `anyns reload`.

use std::path::Path;

use crate::support::encrypted::{write_pair, write_pair_until};
use crate::support::pop::{Alone, ZONE};
use crate::support::skip::has_programs;

/// What kdig prints for the serial of the zone over this transport, trusting this certificate.
pub(crate) fn serial(alone: &Alone, transport: &str, trust: &Path) -> String {
    let mut command = alone.space.command("kdig");
    command.args(["@192.0.2.53", "+retry=0", "+time=5", "+short", "+tls-hostname=ns.example"]);
    // The transport comes last, because each option of TLS turns TLS over TCP on.
    command.arg(format!("+tls-ca={}", trust.display())).args([transport, ZONE, "SOA"]);
    let text = String::from_utf8_lossy(&command.output().expect("kdig runs").stdout).into_owned();
    text.split_whitespace().nth(2).unwrap_or_default().to_owned()
}

#[test]
fn the_certificate_is_renewed_by_a_reload_and_a_bad_one_is_refused() {
    if !has_programs("the certificate's renewal", &["kdig"]) {
        return;
    }
    let mut alone = Alone::new("");
    let directory = alone.lab.subdirectory("tls");
    let trust = directory.join("cert.pem");
    write_pair(&directory);
    let config = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    let tls = format!(
        "\n[tls]\ncertificate = \"{}\"\nkey = \"{}\"\ndot = 853\ndoq = 853\ndoh = 443\ndoh3 = 443\n",
        trust.display(),
        directory.join("key.pem").display()
    );
    std::fs::write(alone.anyns.config(), format!("{config}{tls}")).expect("written");
    let checked = |mode| {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(directory.join("key.pem"), mode).expect("the mode is set");
        alone.anyns.must(&["check"])
    };
    let exposed = "warning: tls.key: ";
    let said = checked(0o644);
    assert!(said.contains(exposed) && said.contains("key.pem has mode 644"), "{said}");
    // The file is root's alone, until another group may read it.
    let said = checked(0o640);
    assert!(said.contains(&format!("{exposed}only root can read")), "{said}");
    std::os::unix::fs::chown(directory.join("key.pem"), None, Some(1)).expect("another group");
    let said = checked(0o640);
    assert!(said.contains("192.0.2.53:853 (DOQ)") && !said.contains(exposed), "{said}");
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_announces();
    for transport in ["+tls", "+https", "+quic"] {
        assert_eq!(serial(&alone, transport, &trust), "1", "{transport}");
    }
    let status = alone.anyns.status().expect("a status");
    assert_eq!(status["serve"]["counters"]["doq_queries"], 1, "{status:#}");
    assert!(
        status["serve"]["listeners"].as_array().expect("a list").iter().any(|it| it["transport"] == "DOH3")
    );

    let old = directory.join("old.pem");
    std::fs::copy(&trust, &old).expect("copied");
    std::fs::write(&trust, "no certificate").expect("written");
    let said = alone.anyns.command(&["reload"]);
    assert_eq!(said.code, 1, "{}", said.text);
    let rest = "the rest of the configuration is in force: 1 zone served";
    let words = ["the old certificate stays", rest];
    assert!(words.iter().all(|word| said.text.contains(word)), "{}", said.text);
    alone.anyns.wait_status("says so", |status| {
        let alarms = status["alarms"].to_string();
        status["overall"]["verdict"] == "degraded" && alarms.contains("the old certificate stays")
    });
    assert_eq!(serial(&alone, "+tls", &old), "1");
    let said = alone.anyns.command(&["check"]);
    assert!(said.code == 1 && said.text.contains("a chain of certificates"), "{}", said.text);

    write_pair(&directory);
    alone.anyns.must(&["reload"]);
    assert_eq!(serial(&alone, "+tls", &trust), "1");
    assert_eq!(serial(&alone, "+tls", &old), "", "the old one is not shown any more");

    write_pair_until(&directory, 2020);
    alone.anyns.must(&["reload"]);
    alone.anyns.wait_status("says that it has expired", |status| {
        let alarms = status["alarms"].to_string();
        status["overall"]["verdict"] == "degraded" && alarms.contains("expired at 2020-01-01T00:00:00Z")
    });
    let kdig = alone.space.command("kdig").args(["@192.0.2.53", "+short", "+tls", ZONE, "SOA"]).output();
    let text = String::from_utf8_lossy(&kdig.expect("kdig runs").stdout).into_owned();
    assert_eq!(text.split_whitespace().nth(2), Some("1"), "who looks at no dates is served: {text}");
}
