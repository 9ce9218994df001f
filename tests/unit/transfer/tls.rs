//! A zone over TLS with each kind of authentication, and what is refused.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
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

    fn tls(&self, asks_clients: bool) -> TlsServer {
        let (certificate, key) = self.pair();
        let authorities = self.file("ca.pem");
        let clients: Option<&Path> = asks_clients.then_some(&authorities);
        TlsServer::new(&certificate, &key, clients).unwrap()
    }

    /// The files of another one in the place of these.
    fn replace_by(&self, other: &Self) {
        for file in ["ca.pem", "certificate.pem", "key.pem"] {
            std::fs::copy(other.file(file), self.file(file)).unwrap();
        }
    }

    fn pair(&self) -> (PathBuf, PathBuf) {
        (self.file("certificate.pem"), self.file("key.pem"))
    }
}

/// A primary that shows the certificate of `server`.
fn settings(server: &Made, asks_clients: bool) -> primary::PrimarySettings {
    let anyone = AllowedSource { prefix: "127.0.0.0/8".parse().unwrap(), keys: vec![], encrypted: true };
    primary::PrimarySettings {
        tls: Some((vec![SocketAddr::new(LOOPBACK, 0)], server.tls(asks_clients))),
        allowed: Allowed(vec![anyone]),
        ..primary::PrimarySettings::default()
    }
}

/// A zone with a primary that sends it.
fn start(settings: primary::PrimarySettings) -> (Arc<Hub>, Primary) {
    let (hub, _) = Hub::new();
    hub.put(zone(5, (0..3000).map(|it| a(&format!("h{it}.example."), 1))));
    let primary = Primary::start(settings, hub.clone(), None).unwrap();
    (hub, primary)
}

/// Transfers a zone over TLS: the version that came, or what went wrong.
fn transfer(server: &Made, asks_clients: bool, client: TlsClient) -> Result<(Serial, By), String> {
    let (hub, primary) = start(settings(server, asks_clients));
    transfer_from(&hub, &primary, client)
}

fn transfer_from(hub: &Arc<Hub>, primary: &Primary, client: TlsClient) -> Result<(Serial, By), String> {
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
        // So that an operator can compare it.
        (
            Authentication::Pins(vec![other.pin.clone()]),
            &format!("none of the pins; its pin is {}", made.pin),
        ),
    ] {
        let error = refused(false, client(&way));
        assert!(error.contains(part), "{error}");
    }
    // In TLS 1.3 the client learns that its certificate is missing when it reads.
    let error = refused(true, client(&made.authority("hub.test")));
    assert!(error.contains("broke"), "{error}");
}

/// What the files hold counts, not what they are called: a certificate is renewed in its place.
#[test]
fn other_content_of_the_same_files_is_another_configuration() {
    let (made, other) = (Made::new(), Made::new());
    let clients = || {
        let (certificate, key) = made.pair();
        let way = made.authority("hub.test");
        [
            TlsClient::new(&way, None).unwrap(),
            TlsClient::new(&Authentication::Opportunistic, Some((&certificate, &key))).unwrap(),
        ]
    };
    let servers = || [made.tls(false), made.tls(true)];
    let before = (clients(), servers());
    assert!(before == (clients(), servers()));
    let (server, asking) = (&before.1[0], &before.1[1]);
    assert!(server != asking && before.0[0] != before.0[1]);
    let named = TlsClient::new(&made.authority("other.test"), None).unwrap();
    assert!(named != before.0[0] && before.0[0].clone().speaking(b"other") != before.0[0]);
    made.replace_by(&other);
    let (renewed_clients, renewed_servers) = (clients(), servers());
    for index in 0..2 {
        assert!(renewed_clients[index] != before.0[index], "client {index}");
        assert!(renewed_servers[index] != before.1[index], "server {index}");
    }
    // The same content of other files.
    let elsewhere = other.authority("hub.test");
    assert!(TlsClient::new(&elsewhere, None).unwrap() == renewed_clients[0]);
    assert!(other.tls(true) == renewed_servers[1]);
}

#[test]
fn a_primary_shows_another_certificate_from_when_it_is_told() {
    let (made, other) = (Made::new(), Made::new());
    let pinned = |made: &Made| TlsClient::new(&Authentication::Pins(vec![made.pin.clone()]), None).unwrap();
    let (hub, primary) = start(settings(&made, false));
    let came = Ok((Serial(5), By::Whole));
    assert_eq!(transfer_from(&hub, &primary, pinned(&made)), came);
    primary.reserve_change().unwrap().make(settings(&other, false));
    assert_eq!(transfer_from(&hub, &primary, pinned(&other)), came);
    assert!(transfer_from(&hub, &primary, pinned(&made)).unwrap_err().contains("no TLS with"));
    // Who is asked for a certificate is another one at once, too.
    primary.reserve_change().unwrap().make(settings(&other, true));
    assert!(transfer_from(&hub, &primary, pinned(&other)).unwrap_err().contains("broke"));
    // A section that is gone closes no socket: it goes on with what it had, never without TLS.
    primary.reserve_change().unwrap().make(primary::PrimarySettings { tls: None, ..settings(&other, false) });
    assert!(transfer_from(&hub, &primary, pinned(&other)).unwrap_err().contains("broke"));
    let (certificate, key) = other.pair();
    let known = Authentication::Pins(vec![other.pin.clone()]);
    let mutual = TlsClient::new(&known, Some((&certificate, &key))).unwrap();
    assert_eq!(transfer_from(&hub, &primary, mutual), came);
}

#[test]
fn clients_that_would_not_be_let_in_any_more_are_told_apart() {
    let (made, other) = (Made::new(), Made::new());
    let both = made.file("both.pem");
    let text = |made: &Made| std::fs::read_to_string(made.file("ca.pem")).unwrap();
    std::fs::write(&both, text(&made) + &text(&other)).unwrap();
    let (certificate, key) = made.pair();
    let servers = [
        made.tls(false),
        made.tls(true),
        TlsServer::new(&certificate, &key, Some(&other.file("ca.pem"))).unwrap(),
        TlsServer::new(&certificate, &key, Some(&both)).unwrap(),
    ];
    // Rows: what lets in now; columns: what let in then: anyone, by one authority, by the other, by both.
    let expected = [
        [true, true, true, true],
        [false, true, false, false],
        [false, false, true, false],
        [false, true, true, true],
    ];
    for (now, row) in servers.iter().zip(expected) {
        assert_eq!(servers.each_ref().map(|then| now.still_admits_clients_of(then)), row);
    }
    // Another certificate of the server is nothing to its clients.
    assert!(other.tls(false).still_admits_clients_of(&servers[1]));
}

/// Asks for the SOA record of the zone over a connection that is there.
async fn asks_soa(stream: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin)) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut query = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend_from_slice(name("example.").as_wire());
    query.extend_from_slice(&[0, 6, 0, 1]);
    stream.write_u16(query.len() as u16).await.unwrap();
    stream.write_all(&query).await.unwrap();
    stream.flush().await.unwrap();
    let Ok(length) = stream.read_u16().await else { return false };
    let mut response = vec![0; usize::from(length)];
    stream.read_exact(&mut response).await.is_ok()
}

#[test]
fn a_connection_ends_when_its_client_would_not_be_let_in_any_more() {
    let (made, other) = (Made::new(), Made::new());
    let (_hub, primary) = start(settings(&made, false));
    let address = primary.addresses()[0];
    let client = TlsClient::new(&made.authority("hub.test"), None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (connector, server) = client.connector();
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut stream = connector.connect(server, stream).await.unwrap();
        assert!(asks_soa(&mut stream).await);
        // Another certificate of the server ends nothing.
        primary.reserve_change().unwrap().make(settings(&other, false));
        assert!(asks_soa(&mut stream).await);
        primary.reserve_change().unwrap().make(settings(&other, true));
        assert!(!asks_soa(&mut stream).await);
    });
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
