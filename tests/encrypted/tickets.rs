//! Session tickets over real sockets: a session of one server resumed at another one, keys replaced while connections go on.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyns::serve::{Engine, Transport};
use anyns::wire::RecordType;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpStream;

use crate::clients::{Http2, Http3, Remembering, over_doq, over_stream, post, quic_with, shake_with};
use crate::server::{Server, query};

/// Every transport with the versions of TLS that it has.
const WAYS: [(Transport, &str, &SupportedProtocolVersion); 6] = [
    (Transport::Dot, "dot", &TLS12),
    (Transport::Dot, "dot", &TLS13),
    (Transport::Doh, "h2", &TLS12),
    (Transport::Doh, "h2", &TLS13),
    (Transport::Doh3, "h3", &TLS13),
    (Transport::Doq, "doq", &TLS13),
];

/// One query over a connection of its own.
async fn ask(client: &Remembering, transport: Transport, server: &Server) {
    let (at, small, config) = (server.at(transport), query("www.example.", RecordType::A), client.config());
    let stream = async |config| shake_with(TcpStream::connect(at).await.unwrap(), config).await.unwrap();
    let answer = match transport {
        Transport::Dot => over_stream(&mut stream(config).await, &small).await.unwrap(),
        Transport::Doh => Http2::over(stream(config).await).await.request(post(&small)).await.unwrap().1,
        Transport::Doh3 => {
            let (endpoint, connection) = quic_with(at, config).await.unwrap();
            let mut connection = Http3::over(endpoint, connection).await;
            let answer = connection.request(post(&small)).await.unwrap().1;
            connection.close().await;
            answer
        }
        _ => {
            let (_endpoint, connection) = quic_with(at, config).await.unwrap();
            over_doq(&connection, &small).await.unwrap()
        }
    };
    assert_eq!(answer.last_chunk::<4>(), Some(&[192, 0, 2, 1]), "{transport}");
}

/// A key file that its owner alone can read.
fn key(directory: &Path, number: u8) -> PathBuf {
    let path = directory.join(format!("{number}.key"));
    let octets: Vec<u8> = (0..80).map(|index| number.wrapping_mul(41).wrapping_add(index)).collect();
    std::fs::write(&path, octets).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_one_server_is_resumed_at_another_one_over_every_transport() {
    let (one, other) = (Server::start(Engine::Native), Server::start(Engine::Native));
    let keys = tempfile::tempdir().unwrap();
    let [first, second] = [1, 2].map(|number| key(keys.path(), number));
    let [of_one, of_other] = [&one, &other].map(|server| server.serving.tls_files().unwrap().ticket_keys);
    let trust = [one.certificate(), other.certificate()];
    for (transport, protocol, version) in WAYS {
        let client = || Remembering::new(&[&trust[0], &trust[1]], protocol, &[version]);
        let way = format!("{transport} {version:?}");

        // Without keys in common, each server knows its own tickets.
        of_one.reload(&[]).unwrap();
        of_other.reload(&[]).unwrap();
        let alone = client();
        for (server, full) in [(&one, 1), (&one, 1), (&other, 2)] {
            ask(&alone, transport, server).await;
            assert_eq!(alone.full_handshakes(), full, "{way}: without keys");
        }

        // In the middle of a rotation: the one issues with the new key already, the other with the old one still.
        of_one.reload(&[second.clone(), first.clone()]).unwrap();
        of_other.reload(&[first.clone(), second.clone()]).unwrap();
        let shared = client();
        for server in [&one, &other, &one] {
            ask(&shared, transport, server).await;
            assert_eq!(shared.full_handshakes(), 1, "{way}: with both keys");
        }

        // The key of the client's ticket has left the other.
        of_other.reload(std::slice::from_ref(&first)).unwrap();
        let late = client();
        ask(&late, transport, &one).await;
        ask(&late, transport, &other).await;
        assert_eq!(late.full_handshakes(), 2, "{way}: the key is gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_change_while_connections_go_on_and_bad_ones_do_not() {
    let server = Server::start(Engine::Native);
    let directory = tempfile::tempdir().unwrap();
    let [first, second] = [1, 2].map(|number| key(directory.path(), number));
    let keys = server.serving.tls_files().unwrap().ticket_keys;
    keys.reload(std::slice::from_ref(&first)).unwrap();
    let small = query("www.example.", RecordType::A);
    let trust = server.certificate();
    let client = Remembering::new(&[&trust], "dot", &[&TLS13]);
    let stream = TcpStream::connect(server.at(Transport::Dot)).await.unwrap();
    let mut kept = shake_with(stream, client.config()).await.unwrap();
    let doq = Remembering::new(&[&trust], "doq", &[&TLS13]);
    let (_endpoint, quic) = quic_with(server.at(Transport::Doq), doq.config()).await.unwrap();

    std::fs::write(&second, [1; 79]).unwrap();
    for _ in 0..2 {
        over_stream(&mut kept, &small).await.unwrap();
        over_doq(&quic, &small).await.unwrap();
        let error = keys.reload(&[second.clone(), first.clone()]).unwrap_err();
        assert!(error.to_string().contains("2.key has 79 octets"), "{error}");
        ask(&client, Transport::Dot, &server).await;
        ask(&doq, Transport::Doq, &server).await;
    }
    assert_eq!((client.full_handshakes(), doq.full_handshakes()), (1, 1), "the old key stays");

    key(directory.path(), 2);
    keys.reload(std::slice::from_ref(&second)).unwrap();
    over_stream(&mut kept, &small).await.unwrap();
    over_doq(&quic, &small).await.unwrap();
    ask(&client, Transport::Dot, &server).await;
    ask(&doq, Transport::Doq, &server).await;
    assert_eq!((client.full_handshakes(), doq.full_handshakes()), (2, 2), "the old key is gone");
}
