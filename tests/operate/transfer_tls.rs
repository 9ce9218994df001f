//! Certificates of transfers that are renewed in their files: `anyns reload` takes them over, at the hub and at the POP.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::support::anyns::{Anyns, BOUND};
use crate::support::lab::Lab;
use crate::support::pop::{ZONE, base_config, deploy, hub_and_pop};
use crate::support::process::read;
use crate::support::wait::wait_until;

const HUB: &str = "198.18.1.1";
const POP: &str = "198.18.1.2";

/// Writes an authority, and a certificate with its key for the hub and for the POP, over those that are there.
fn issue(directory: &Path) {
    issue_until(directory, 4096);
}

/// The same, valid until the first day of this year.
fn issue_until(directory: &Path, year: i32) {
    let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.distinguished_name.push(DnType::CommonName, "fleet");
    let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().expect("a key"));
    let authority = authority.expect("signed");
    let write = |file: &str, text: String| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = directory.join(file);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("private");
    };
    write("ca.pem", authority.pem());
    for name in ["hub", "pop"] {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(vec![format!("{name}.example")]).expect("a name");
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
        let certificate = parameters.signed_by(&key, &authority).expect("signed");
        write(&format!("{name}.pem"), certificate.pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
}

/// Mutual TLS. The files of each side are renewed by themselves, with an authority that the other side does not know yet.
#[test]
fn renewed_certificates_of_transfers_are_taken_by_a_reload() {
    let mut lab = Lab::new();
    let (hub_space, pop_space) = hub_and_pop(&mut lab);
    let at_hub = lab.subdirectory("tls-hub");
    let at_pop = lab.subdirectory("tls-pop");
    let copy = || {
        for file in ["ca.pem", "pop.pem", "pop.key"] {
            std::fs::copy(at_hub.join(file), at_pop.join(file)).expect("copied");
        }
    };
    issue(&at_hub);
    copy();
    let zones = lab.subdirectory("zones-hub");
    deploy(&zones, ZONE, 1);
    let tls = at_hub.display();
    let sends = format!(
        "[transfer]\nallow = [{{ from = \"{POP}/32\", tls = true }}]\nnotify = [{{ address = \"{POP}:5353\" }}]\n\
         [transfer.tls]\nlisten = [\"{HUB}:853\"]\ncertificate = \"{tls}/hub.pem\"\nkey = \"{tls}/hub.key\"\n\
         client-ca-file = \"{tls}/ca.pem\"\n"
    );
    let tls = at_pop.display();
    let takes = format!(
        "[transfer]\nlisten = [\"{POP}:5353\"]\n\n[[zone]]\nname = \"{ZONE}\"\nprimaries = [{{ address = \"{HUB}:853\", \
         tls = {{ ca-file = \"{tls}/ca.pem\", name = \"hub.example\", certificate = \"{tls}/pop.pem\", key = \"{tls}/pop.key\" }} }}]\n"
    );
    let hub = base_config(&lab, "hub", [HUB, "2001:db8:1::1"], "dry-run", "");
    let pop = base_config(&lab, "pop", [POP, "2001:db8:1::2"], "dry-run", "");
    let mut hub = Anyns::new(&lab, &hub_space, "hub", &format!("{hub}{sends}"));
    let mut pop = Anyns::new(&lab, &pop_space, "pop", &format!("{pop}{takes}"));
    hub.start(&lab);
    pop.start(&lab);
    pop.wait_zone(ZONE, "served", Some(1));

    // The POP keeps a connection for some seconds for the next transfer; a restart makes it open another one.
    pop.kill();
    issue(&at_hub);
    let said = hub.must(&["reload"]);
    assert!(!said.contains("restart"), "{said}");
    deploy(&zones, ZONE, 2);
    hub.wait_zone(ZONE, "served", Some(2));
    pop.start(&lab);
    let log = lab.log_file("pop");
    wait_until("the POP does not know the authority of the hub", BOUND, || {
        read(&log).contains("no TLS with 198.18.1.1:853")
    });
    copy();
    let said = pop.must(&["reload"]);
    assert!(!said.contains("restart"), "{said}");
    pop.wait_zone(ZONE, "served", Some(2));

    // Certificates whose end is past are told at both sides, before and while they are in use.
    issue_until(&at_hub, 2020);
    copy();
    let year_2020 = "1577836800";
    for (side, whose, purpose) in [
        (&hub, "of [transfer.tls]", "transfer.tls"),
        (&pop, "shown to primaries and canaries", "transfer.client"),
    ] {
        let expired = format!("the certificate {whose}: the certificate expired at 2020-01-01");
        let said = side.must(&["check"]);
        assert!(said.contains("warning: ") && said.contains(&expired), "{said}");
        side.must(&["reload"]);
        side.wait_status("says that it has expired", |status| {
            status["alarms"].to_string().contains(&expired)
        });
        let sample = format!("use=\"{purpose}\"}} {year_2020}\n");
        let text = side.must(&["metrics"]);
        assert!(text.contains(&sample), "{purpose}: {text}");
    }
    issue(&at_hub);
    copy();
    for side in [&hub, &pop] {
        side.must(&["reload"]);
        side.wait_status("is well again", |status| !status["alarms"].to_string().contains("expired at"));
    }
    hub.kill();
    pop.kill();
}
