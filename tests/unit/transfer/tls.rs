//! A zone over TLS with each kind of authentication, and what is refused.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE64;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData};
use sha2::{Digest, Sha256};

use super::*;
use crate::transfer::FileError;
use crate::transfer::hub::{By, Hub, a, name, zone};
use crate::transfer::notify::{Allowed, AllowedSource};
use crate::transfer::primary::{self, Primary};
use crate::transfer::secondary::{self, Secondary, SecondaryZone};
use crate::wire::Serial;

const BOUND: Duration = Duration::from_secs(20);
const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// An authority and a certificate from it for `hub.test`, in files.
struct Made {
    directory: tempfile::TempDir,
    pin: String,
}

impl Made {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["hub.test".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let write = |file: &str, text: String| {
            use std::os::unix::fs::PermissionsExt;
            let path = directory.path().join(file);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        };
        write("ca.pem", issuer.pem());
        write("certificate.pem", certificate.pem());
        write("key.pem", key.serialize_pem());
        let pin = BASE64.encode(&Sha256::digest(key.subject_public_key_info()));
        Self { directory, pin }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn authority(&self, name: &str) -> Authentication {
        Authentication::Authority { file: self.file("ca.pem"), name: name.into() }
    }

    fn pair(&self) -> (PathBuf, PathBuf) {
        (self.file("certificate.pem"), self.file("key.pem"))
    }
}

/// Transfers a zone over TLS: the version that came, or what went wrong.
fn transfer(server: &Made, asks_clients: bool, client: TlsClient) -> Result<(Serial, By), String> {
    let (hub, _) = Hub::new();
    hub.put(zone(5, (0..3000).map(|it| a(&format!("h{it}.example."), 1))));
    let (certificate, key) = server.pair();
    let authorities = server.file("ca.pem");
    let clients: Option<&Path> = asks_clients.then_some(&authorities);
    let tls = TlsServer::new(&certificate, &key, clients).unwrap();
    let anyone = AllowedSource { prefix: "127.0.0.0/8".parse().unwrap(), keys: vec![], encrypted: true };
    let settings = primary::PrimarySettings {
        tls: Some((vec![SocketAddr::new(LOOPBACK, 0)], tls)),
        allowed: Allowed(vec![anyone]),
        ..primary::PrimarySettings::default()
    };
    let primary = Primary::start(settings, hub.clone(), None).unwrap();
    let address = primary.addresses()[0];
    let (pop, served) = Hub::new();
    let zone = SecondaryZone {
        name: name("example."),
        primaries: vec![secondary::PrimaryServer { address, key: None, tls: Some(client) }],
        notify: Allowed::default(),
        expired: secondary::OnExpiry::default(),
    };
    let bounds =
        crate::transfer::refresh::Bounds { first_retry: Duration::from_secs(3600), ..Default::default() };
    let settings = secondary::SecondarySettings {
        zones: vec![zone],
        management: vec![LOOPBACK],
        bounds,
        ..Default::default()
    };
    let secondary = Secondary::start(settings, pop.clone(), Default::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        loop {
            let report = secondary.handle().report().await.unwrap().remove(0);
            if report.status.failures > 0 {
                return Err(report.last_error.unwrap().1);
            }
            if report.last_transfer.is_some() {
                assert_eq!(pop.records(), hub.records());
                return Ok(served.recv_timeout(BOUND).unwrap());
            }
            tokio::task::yield_now().await;
        }
    })
}

#[test]
fn each_way_of_knowing_the_primary_brings_the_zone() {
    let made = Made::new();
    let client = |way: &Authentication| TlsClient::new(way, None).unwrap();
    let came = Ok((Serial(5), By::Whole));
    assert_eq!(transfer(&made, false, client(&made.authority("hub.test."))), came);
    assert_eq!(transfer(&made, false, client(&Authentication::Pins(vec![made.pin.clone()]))), came);
    assert_eq!(transfer(&made, false, client(&Authentication::Opportunistic)), came);
    let (certificate, key) = made.pair();
    let mutual = TlsClient::new(&made.authority("hub.test"), Some((&certificate, &key))).unwrap();
    assert_eq!(transfer(&made, true, mutual), came);
}

#[test]
fn who_is_not_known_brings_nothing() {
    let (made, other) = (Made::new(), Made::new());
    let client = |way: &Authentication| TlsClient::new(way, None).unwrap();
    let refused = |asks_clients, client| transfer(&made, asks_clients, client).unwrap_err();
    for (way, part) in [
        (made.authority("other.test"), "not valid for name"),
        (other.authority("hub.test"), "no TLS with"),
        (Authentication::Pins(vec![other.pin.clone()]), "no TLS with"),
    ] {
        let error = refused(false, client(&way));
        assert!(error.contains(part), "{error}");
    }
    // In TLS 1.3 the client learns that its certificate is missing when it reads.
    let error = refused(true, client(&made.authority("hub.test")));
    assert!(error.contains("broke"), "{error}");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let made = Made::new();
    let (certificate, key) = made.pair();
    let server =
        |certificate: &Path, key: &Path| TlsServer::new(certificate, key, None).map(drop).unwrap_err();
    assert!(matches!(server(&made.file("none"), &key), TlsError::File(FileError::Read { .. })));
    assert!(matches!(server(&key, &key), TlsError::Pem { wanted: "a certificate", .. }));
    assert!(matches!(server(&certificate, &certificate), TlsError::Pem { wanted: "a private key", .. }));
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    assert!(matches!(server(&certificate, &key), TlsError::File(FileError::Mode { mode: 0o644, .. })));
    let client = |way: Authentication| TlsClient::new(&way, None).map(drop).unwrap_err();
    assert!(matches!(client(Authentication::Pins(vec!["x".into()])), TlsError::Pin(_)));
    assert!(matches!(client(Authentication::Pins(vec![])), TlsError::Pin(_)));
    assert!(matches!(client(made.authority("not a name")), TlsError::ServerName(_)));
}
