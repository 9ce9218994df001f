//! Keys of session tickets: sessions of one server resumed at another one, rotations, files that cannot be used.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection};
use tempfile::TempDir;

use super::super::{Certificates, TlsFiles, Transport, tls};
use super::*;

const HOST: &str = "ns.example";

/// Two servers with one certificate, and files for keys.
struct Fleet {
    directory: TempDir,
    certificates: Arc<Certificates>,
}

impl Fleet {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pair = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).unwrap();
        let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
        fs::write(&certificate, pair.cert.pem()).unwrap();
        fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        let certificates = Certificates::load(&certificate, &key).unwrap();
        Self { directory, certificates }
    }

    /// A file of these octets that its owner alone can read.
    fn file(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, octets).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// The file of a key that is random enough for a test.
    fn key(&self, number: u8) -> PathBuf {
        self.file(&format!("{number}.key"), &octets(number))
    }

    fn server(&self, keys: &Arc<TicketKeys>, transport: Transport) -> Arc<ServerConfig> {
        let files = TlsFiles { certificates: self.certificates.clone(), ticket_keys: keys.clone() };
        tls(&files, transport).unwrap()
    }

    /// A client that remembers its sessions.
    fn client(
        &self,
        version: &'static rustls::SupportedProtocolVersion,
        protocol: &str,
    ) -> Arc<ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        let certificate = self.directory.path().join("cert.pem");
        roots.add(rustls::pki_types::CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(&[version]).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        Arc::new(config)
    }
}

fn octets(number: u8) -> [u8; 80] {
    std::array::from_fn(|index| number.wrapping_mul(37).wrapping_add(index as u8))
}

/// A whole handshake in memory, and what follows it: the tickets.
fn shake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> HandshakeKind {
    let mut client = ClientConnection::new(client.clone(), ServerName::try_from(HOST).unwrap()).unwrap();
    let mut server = ServerConnection::new(server.clone()).unwrap();
    while client.wants_write() || server.wants_write() {
        let mut flight = Vec::new();
        client.write_tls(&mut flight).unwrap();
        let mut unread = &flight[..];
        while !unread.is_empty() {
            server.read_tls(&mut unread).unwrap();
            server.process_new_packets().unwrap();
        }
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).unwrap();
        }
        let mut unread = &flight[..];
        while !unread.is_empty() {
            client.read_tls(&mut unread).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    assert_eq!(client.handshake_kind(), server.handshake_kind());
    client.handshake_kind().unwrap()
}

/// The versions and ALPN of every transport. QUIC has the TLS of the last ones.
fn ways() -> [(Transport, &'static rustls::SupportedProtocolVersion, &'static str); 6] {
    [
        (Transport::Dot, &TLS12, "dot"),
        (Transport::Dot, &TLS13, "dot"),
        (Transport::Doh, &TLS12, "h2"),
        (Transport::Doh, &TLS13, "h2"),
        (Transport::Doh3, &TLS13, "h3"),
        (Transport::Doq, &TLS13, "doq"),
    ]
}

fn load(files: &[PathBuf]) -> Arc<TicketKeys> {
    TicketKeys::load(files).unwrap()
}

#[test]
fn a_session_of_one_server_is_resumed_at_another_one() {
    let fleet = Fleet::new();
    let (one, other) = (load(&[fleet.key(1)]), load(&[fleet.key(2), fleet.key(1)]));
    for (transport, version, protocol) in ways() {
        let client = fleet.client(version, protocol);
        let way = format!("{transport} {version:?}");
        assert_eq!(shake(&client, &fleet.server(&one, transport)), HandshakeKind::Full, "{way}");
        assert_eq!(shake(&client, &fleet.server(&other, transport)), HandshakeKind::Resumed, "{way}");
        // That ticket is of the other server's own first key, which the one does not have.
        assert_eq!(fleet.server(&one, transport).max_early_data_size, 0);
        if version.version == rustls::ProtocolVersion::TLSv1_2 {
            assert_eq!(shake(&client, &fleet.server(&one, transport)), HandshakeKind::Full, "{way}");
        }
    }
}

#[test]
fn a_key_that_is_not_known_and_keys_of_a_process_lead_to_a_full_handshake() {
    let fleet = Fleet::new();
    let one = load(&[fleet.key(1)]);
    for other in [load(&[fleet.key(2)]), load(&[]), load(&[])] {
        for (transport, version, protocol) in ways() {
            let client = fleet.client(version, protocol);
            let (one, other) = (fleet.server(&one, transport), fleet.server(&other, transport));
            assert_eq!(shake(&client, &one), HandshakeKind::Full);
            assert_eq!(shake(&client, &other), HandshakeKind::Full, "{transport} {version:?}");
            assert_eq!(shake(&client, &other), HandshakeKind::Resumed, "{transport} {version:?}");
        }
    }
}

#[test]
fn a_rotation_loses_no_session_and_ends_those_of_a_key_that_left() {
    let fleet = Fleet::new();
    let [first, second, third, fourth] = [1, 2, 3, 4].map(|number| fleet.key(number));
    for (transport, version, protocol) in ways() {
        let keys = load(&[first.clone(), second.clone()]);
        let server = fleet.server(&keys, transport);
        let client = fleet.client(version, protocol);
        assert_eq!(shake(&client, &server), HandshakeKind::Full);
        keys.reload(&[second.clone(), first.clone(), third.clone()]).unwrap();
        assert_eq!(keys.facts()[0].name, "4a4b4c4d4e4f50515253545556575859");
        let files: Vec<PathBuf> = keys.facts().into_iter().map(|fact| fact.file).collect();
        assert_eq!(files, [second.clone(), first.clone(), third.clone()]);
        assert_eq!(shake(&client, &server), HandshakeKind::Resumed, "{transport} {version:?}");

        let client = fleet.client(version, protocol);
        assert_eq!(shake(&client, &server), HandshakeKind::Full);
        keys.reload(&[third.clone(), fourth.clone()]).unwrap();
        assert_eq!(shake(&client, &server), HandshakeKind::Full, "{transport} {version:?}");
        keys.reload(&[]).unwrap();
        assert_eq!(keys.facts(), []);
    }
}

#[test]
fn files_that_cannot_be_used_are_named_and_keep_the_old_keys() {
    let fleet = Fleet::new();
    let good = fleet.key(1);
    let keys = load(std::slice::from_ref(&good));
    let (facts, server) = (keys.facts(), fleet.server(&keys, Transport::Dot));
    let client = fleet.client(&TLS12, "dot");
    assert_eq!(shake(&client, &server), HandshakeKind::Full);

    let readable = fleet.file("readable.key", &octets(2));
    fs::set_permissions(&readable, Permissions::from_mode(0o644)).unwrap();
    let writable = fleet.file("writable.key", &octets(2));
    fs::set_permissions(&writable, Permissions::from_mode(0o660)).unwrap();
    let again = fleet.file("again.key", &[&octets(1)[..16], &octets(3)[16..]].concat());
    for (file, words) in [
        (fleet.directory.path().join("missing.key"), &["missing.key cannot be read", "No such file"][..]),
        (fleet.directory.path().to_owned(), &["is a directory, not a regular file"]),
        (
            fleet.file("short.key", &octets(2)[..79]),
            &["short.key has 79 octets", "80 or 48", "openssl rand 80"],
        ),
        (fleet.file("empty.key", b""), &["empty.key has 0 octets", "80 or 48"]),
        (fleet.file("base64.key", &[b'A'; 109]), &["base64.key has 109 octets"]),
        (fleet.file("huge.key", &[1; 5000]), &["huge.key has more than 4096 octets"]),
        (fleet.file("zero.key", &[0; 80]), &["zero.key", "the same octet", "openssl rand 80"]),
        (readable, &["readable.key has mode 644", "chmod 640 or 600"]),
        (writable, &["writable.key has mode 660; its group may read it at most, and others nothing"]),
        (again, &["1.key", "again.key", "the same 16 octets"]),
    ] {
        let error = keys.reload(&[good.clone(), file.clone()]).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{words:?} in {error}");
        assert_eq!(keys.fault(), Some(error.clone()));
        assert_eq!(keys.facts(), facts, "{error}");
        assert_eq!(TicketKeys::load(&[good.clone(), file]).unwrap_err().to_string(), error);
        assert_eq!(shake(&client, &server), HandshakeKind::Resumed, "{error}");
    }
    keys.reload(&[good]).unwrap();
    assert_eq!(keys.fault(), None);
}
