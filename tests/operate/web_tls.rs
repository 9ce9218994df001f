//! The page over mutual TLS on a management address: curl and `anyns fleet` with a certificate, and clients that have none or a wrong one.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::support::anyns::BOUND;
use crate::support::pop::{Alone, base_config};
use crate::support::skip::has_programs;
use crate::support::wait::wait_until;

const ADDRESS: &str = "198.18.1.2";

/// What a certificate of this name says; its subject must differ from that of its issuer.
fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}

/// An authority.
fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = parameters(name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().expect("a key")).expect("signed")
}

fn private(path: PathBuf, text: &str) -> String {
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("private");
    path.display().to_string()
}

/// The files of a certificate for this name, and of its key.
fn issued(
    directory: &Path,
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    file: &str,
) -> [String; 2] {
    let key = KeyPair::generate().expect("a key");
    let certificate = parameters(name).signed_by(&key, authority).expect("signed");
    [
        private(directory.join(format!("{file}.pem")), &certificate.pem()),
        private(directory.join(format!("{file}.key")), &key.serialize_pem()),
    ]
}

#[test]
fn the_page_over_mutual_tls_is_for_clients_with_a_certificate() {
    if !has_programs("the page over mutual TLS", &["curl"]) {
        return;
    }
    let mut alone = Alone::new("");
    let directory = alone.lab.subdirectory("certificates");
    let (own, foreign) = (authority("operators.example"), authority("others.example"));
    let ca = private(directory.join("ca.pem"), &own.pem());
    let clients = private(directory.join("clients-ca.pem"), &own.pem());
    let [server, server_key] = issued(&directory, &own, ADDRESS, "server");
    let [client, client_key] = issued(&directory, &own, "client.example", "client");
    let [other, other_key] = issued(&directory, &foreign, "client.example", "other");
    let list = |certificate: &str, key: &str| {
        format!(
            "[[fleet.pop]]\nname = \"alone\"\nurl = \"https://{ADDRESS}:9533\"\nca-file = \"{ca}\"\n\
             certificate = \"{certificate}\"\nkey = \"{key}\"\n"
        )
    };
    let extra = format!(
        "[web]\nlisten = [\"{ADDRESS}:9533\"]\ncertificate = \"{server}\"\nkey = \"{server_key}\"\nclient-ca-file = \"{clients}\"\n{}",
        list(&client, &client_key)
    );
    let config = base_config(&alone.lab, "alone", [ADDRESS, "2001:db8:1::2"], "dry-run", &extra);
    alone.anyns.write_config(&config);
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_announces();
    let curl = |target: &str, arguments: &[&str]| {
        let url = format!("https://{ADDRESS}:9533{target}");
        let mut command = alone.space.command("curl");
        let output =
            command.args(["-sS", "--max-time", "10", "--cacert", &ca]).args(arguments).arg(url).output();
        let output = output.expect("curl runs");
        (
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    };
    let with = ["--cert", &client, "--key", &client_key, "--fail"];
    wait_until("the page answers who has a certificate", BOUND, || curl("/readyz", &with).0);
    let (_, status) = curl("/api/v1/status", &with);
    assert!(status.contains("\"pop\":\"alone\""), "{status}");
    let (_, page) = curl("/", &with);
    assert!(page.contains("<script src=\"/page.js\""), "{page}");
    // Neither health nor anything else for others, and not over plain HTTP.
    let wrong = ["--cert", &other, "--key", &other_key];
    for (why, arguments) in [("no certificate", &[][..]), ("a foreign certificate", &wrong[..])] {
        for target in ["/", "/api/v1/status", "/events/fleet", "/healthz"] {
            let (answered, text) = curl(target, arguments);
            assert!(!answered, "{why}, {target}: {text}");
        }
    }
    let plain = alone
        .space
        .command("curl")
        .args(["-sS", "--max-time", "10", &format!("http://{ADDRESS}:9533/healthz")])
        .output();
    assert!(!plain.expect("curl runs").status.success());
    // The fleet is asked with the certificate that the list names.
    let fleet = |certificate: &str, key: &str| {
        let file = alone.lab.directory().join("fleet.toml");
        std::fs::write(&file, list(certificate, key)).expect("written");
        alone.anyns.command(&["fleet", "--fleet", &file.display().to_string()])
    };
    wait_until("the fleet is healthy", BOUND, || fleet(&client, &client_key).code == 0);
    let refused = fleet(&other, &other_key);
    assert!(refused.code == 3 && refused.text.contains("NO ANSWER"), "{}", refused.text);
    // And so is the page's own view of the fleet.
    wait_until("the page shows the fleet", BOUND, || {
        curl("/api/v1/fleet", &with).1.contains("\"verdict\":\"ok\"")
    });
    // Another authority is not the one of the certificates that are shown: a page that is open ends.
    let mut page = alone.space.command("curl");
    let url = format!("https://{ADDRESS}:9533/events/pop");
    page.args(["-sSN", "--max-time", "120", "--cacert", &ca]).args(with).arg(&url).stdout(Stdio::piped());
    let mut page = page.spawn().expect("curl runs");
    let mut events = page.stdout.take().expect("a pipe");
    assert!(events.read(&mut [0; 16]).is_ok_and(|octets| octets > 0), "an event");
    private(directory.join("clients.pem"), &foreign.pem());
    std::fs::rename(directory.join("clients.pem"), &clients).expect("replaced");
    let follows = std::thread::spawn(move || drop(std::io::copy(&mut events, &mut std::io::sink())));
    wait_until("the page ends", BOUND, || page.try_wait().expect("it was started").is_some());
    follows.join().expect("it ended");
    assert!(!curl("/readyz", &with).0, "a certificate of the authority that was taken away");
    std::fs::copy(&ca, &clients).expect("back");
    expired(&mut alone, &directory, (&own, &config.replace(&server, "SERVER").replace(&server_key, "KEY")));
    // A certificate that is signed by itself, as `openssl req -x509` makes it, is trusted by its key: as its own authority it is
    // refused, and that is said.
    let itself = authority(ADDRESS);
    let certificate = private(directory.join("itself.pem"), &itself.pem());
    let key = private(directory.join("itself.key"), &itself.key().serialize_pem());
    alone.anyns.write_config(&config.replace(&server, &certificate).replace(&server_key, &key));
    alone.anyns.kill();
    alone.anyns.start(&alone.lab);
    let file = alone.lab.directory().join("fleet.toml");
    std::fs::write(&file, list(&client, &client_key).replace(&ca, &certificate)).expect("written");
    wait_until("it is said that a pin is needed", BOUND, || {
        let said = alone.anyns.command(&["fleet", "--fleet", &file.display().to_string()]);
        said.code == 3 && said.text.contains("name it in `pins`, in place of `ca-file`")
    });
}

/// A certificate that has expired is told by `check`, by the status and by a metric, and shown to clients all the same.
fn expired(
    alone: &mut Alone,
    directory: &Path,
    (authority, config): (&CertifiedIssuer<'static, KeyPair>, &str),
) {
    let key = KeyPair::generate().expect("a key");
    let mut old = parameters(ADDRESS);
    old.not_before = rcgen::date_time_ymd(2019, 1, 1);
    old.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let certificate = old.signed_by(&key, authority).expect("signed");
    let certificate = private(directory.join("expired.pem"), &certificate.pem());
    let key = private(directory.join("expired.key"), &key.serialize_pem());
    alone.anyns.write_config(&config.replace("SERVER", &certificate).replace("KEY", &key));
    let checked = alone.anyns.command(&["check"]).text;
    assert!(checked.contains("web.certificate: the certificate expired at 2020-01-01"), "{checked}");
    alone.anyns.kill();
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_status("it has expired", |status| {
        status["overall"]["reasons"].to_string().contains("certificate of [web]: the certificate expired")
    });
    let metrics = alone.anyns.must(&["metrics"]);
    let told = |metric: &str| {
        let line = metrics.lines().find(|line| line.starts_with(metric) && line.contains("use=\"web\""))?;
        line.rsplit(' ').next()?.parse::<u64>().ok()
    };
    assert_eq!(told("anyns_certificate_expiry_timestamp_seconds"), Some(1_577_836_800));
    assert_eq!(told("anyns_certificate_not_before_timestamp_seconds"), Some(1_546_300_800));
}
