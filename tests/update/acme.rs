//! A certificate by the DNS challenge of ACME (RFC 8555 section 8.4): pebble, which is a test server of Let's Encrypt, and the rfc2136
//! module of certbot, with a key that may touch nothing but the challenge. In the long run only: it builds pebble and needs Go.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, SanType};

use crate::client::zone;
use crate::hub::{HUB, PORT, SECRET, ZONE, hub};
use crate::support::lab::Lab;
use crate::support::process::must;
use crate::support::skip::{has_programs, is_full_run};
use crate::support::wait::wait_until;
use crate::support::world::SERVICE;

const PEBBLE: &str = "github.com/letsencrypt/pebble/v2@v2.10.3";
const LISTEN: &str = "198.18.1.2:14000";

/// Builds pebble, or gives the one that is installed.
fn pebble(lab: &Lab) -> PathBuf {
    let installed = Path::new("/usr/bin/pebble");
    if installed.exists() {
        return installed.to_path_buf();
    }
    // Not `go install`: some mirrors of modules have no list of versions, and serve the exact one all the same.
    let said =
        must(Command::new("go").args(["mod", "download", "-json", PEBBLE]).current_dir(lab.directory()));
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let source = said["Dir"].as_str().expect("the folder of the module").to_owned();
    let program = lab.directory().join("pebble-server");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&program).arg("./cmd/pebble").current_dir(source);
    must(build.env("CGO_ENABLED", "0").env("GOFLAGS", "-buildvcs=false"));
    program
}

/// Writes the certificate that pebble shows; certbot trusts it.
fn write_certificate(lab: &Lab) -> (PathBuf, PathBuf) {
    let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
    parameters.subject_alt_names.push(SanType::IpAddress(HUB.parse().expect("an address")));
    let key = KeyPair::generate().expect("a key");
    let certificate = parameters.self_signed(&key).expect("a certificate");
    let files = (lab.directory().join("acme.pem"), lab.directory().join("acme-key.pem"));
    std::fs::write(&files.0, certificate.pem()).expect("written");
    std::fs::write(&files.1, key.serialize_pem()).expect("written");
    files
}

fn write_pebble_config(lab: &Lab) -> PathBuf {
    let (certificate, key) = write_certificate(lab);
    let config = serde_json::json!({ "pebble": {
        "listenAddress": LISTEN,
        "managementListenAddress": "198.18.1.2:15000",
        "certificate": certificate,
        "privateKey": key,
        "httpPort": 5002,
        "tlsPort": 5001,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": false,
    }});
    let file = lab.directory().join("pebble.json");
    std::fs::write(&file, config.to_string()).expect("written");
    file
}

/// What certbot is told of the server: the key `few.` may set and delete TXT records of the challenge alone.
fn write_credentials(lab: &Lab) -> PathBuf {
    let text = format!(
        "dns_rfc2136_server = {HUB}\ndns_rfc2136_port = {PORT}\ndns_rfc2136_name = few.\n\
         dns_rfc2136_secret = {SECRET}\ndns_rfc2136_algorithm = HMAC-SHA256\n"
    );
    let file = lab.directory().join("credentials.ini");
    std::fs::write(&file, text).expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("ours");
    file
}

#[test]
fn certbot_gets_a_certificate_by_the_dns_challenge() {
    if !is_full_run() || !has_programs("a certificate from pebble", &["go", "certbot", "dig", "openssl"]) {
        return;
    }
    let (mut hub, _) = hub();
    hub.anyns.start(&hub.lab);
    hub.anyns.wait_zone(ZONE, "served", Some(1));
    let program = pebble(&hub.lab);
    let config = write_pebble_config(&hub.lab);
    let resolver = format!("{}:53", SERVICE[0]);
    let arguments = ["-config", &config.display().to_string(), "-dnsserver", &resolver];
    let mut command = hub.lab.program(&hub.space, &program.display().to_string(), &arguments);
    // Without these pebble sleeps and refuses nonces by chance.
    command.envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "0")]);
    let log = hub.lab.log_file("pebble");
    let server = crate::support::process::Process::start("pebble", command, log);
    wait_until("pebble listens", Duration::from_secs(30), || server.output().contains("Listening on"));
    let before = zone(&hub.space, (HUB, PORT));
    let (home, credentials) = (hub.lab.subdirectory("certbot"), write_credentials(&hub.lab));
    let mut certbot = hub.space.command("certbot");
    certbot.args(["certonly", "--non-interactive", "--agree-tos", "--register-unsafely-without-email"]);
    certbot.args(["--server", &format!("https://{LISTEN}/dir"), "--authenticator", "dns-rfc2136"]);
    certbot.arg("--dns-rfc2136-credentials").arg(&credentials);
    certbot.args(["--dns-rfc2136-propagation-seconds", "0", "--cert-name", "test"]);
    // Two names with one challenge name: two TXT records stand beside each other.
    certbot.args(["-d", ZONE, "-d", &format!("*.{ZONE}")]);
    for (option, name) in [("--config-dir", "config"), ("--work-dir", "work"), ("--logs-dir", "logs")] {
        certbot.arg(option).arg(home.join(name));
    }
    must(certbot.env("REQUESTS_CA_BUNDLE", hub.lab.directory().join("acme.pem")));
    let certificate = home.join("config/live/test/cert.pem");
    let mut openssl = Command::new("openssl");
    let names = must(openssl.args(["x509", "-noout", "-ext", "subjectAltName", "-in"]).arg(&certificate));
    assert!(names.contains(&format!("DNS:{ZONE}")) && names.contains(&format!("DNS:*.{ZONE}")), "{names}");
    // The challenge is gone again, each change under a serial of its own.
    let after = zone(&hub.space, (HUB, PORT));
    assert_eq!(after.1, before.1);
    assert_eq!((before.0, after.0), (Some(1), Some(5)));
}
