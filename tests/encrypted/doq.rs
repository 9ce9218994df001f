//! DNS over QUIC, as RFC 9250 wants it.

use anyns::serve::{Engine, Transport};
use anyns::wire::RecordType;
use quinn::{ConnectionError, VarInt};

use crate::client::{over_doq, quic};
use crate::server::{Server, eventually, framed, query};

/// RFC 9250 section 8.4.
const DOQ_PROTOCOL_ERROR: u64 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn each_breach_of_the_protocol_ends_its_connection_and_no_other() {
    let server = Server::start(Engine::Native);
    let at = server.at(Transport::Doq);
    let (_endpoint, well) = quic(at, &server.certificate(), "doq").await.unwrap();
    let small = query("www.example.", RecordType::A);
    let mut id = small.clone();
    id[1] = 1;
    let mut response = small.clone();
    response[2] |= 0x80;
    // An OPT record with edns-tcp-keepalive (RFC 9250 section 5.5.2).
    let mut keepalive = small.clone();
    keepalive[11] = 1;
    keepalive.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 11, 0, 0]);
    let breaches = [
        ("an ID that is not 0", framed(&id)),
        ("two queries on a stream", framed(&small).repeat(2)),
        ("a query cut short", framed(&small)[..20].to_vec()),
        ("half a length", vec![0]),
        ("nothing", vec![]),
        ("less than a header", framed(&small[..11])),
        ("a response", framed(&response)),
        ("edns-tcp-keepalive", framed(&keepalive)),
        ("more than a message", vec![0; 65_538]),
    ];
    for (count, (what, octets)) in breaches.iter().enumerate() {
        let (_endpoint, connection) = quic(at, &server.certificate(), "doq").await.unwrap();
        let (mut send, _receive) = connection.open_bi().await.unwrap();
        // The server may close before it has it all.
        let _ = send.write_all(octets).await;
        let _ = send.finish();
        let ConnectionError::ApplicationClosed(closed) = connection.closed().await else { panic!("{what}") };
        assert_eq!(closed.error_code.into_inner(), DOQ_PROTOCOL_ERROR, "{what}");
        eventually("it is counted", || server.sum(|it| &it.protocol_errors) == count as u64 + 1).await;
    }
    over_doq(&well, &small).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_answered_as_they_end_and_a_cancelled_one_disturbs_nobody() {
    let server = Server::start(Engine::Native);
    let (_endpoint, connection) =
        quic(server.at(Transport::Doq), &server.certificate(), "doq").await.unwrap();
    let small = query("www.example.", RecordType::A);
    let (mut slow, mut slow_answer) = connection.open_bi().await.unwrap();
    slow.write_all(&framed(&small)[..5]).await.unwrap();
    let (mut gone, _) = connection.open_bi().await.unwrap();
    gone.write_all(&framed(&small)[..5]).await.unwrap();
    gone.reset(VarInt::from_u32(3)).unwrap();
    // Many more than may be open at one time, and than may wait to be taken.
    let many = (0..300).map(|_| {
        let (connection, small) = (connection.clone(), small.clone());
        tokio::spawn(async move { over_doq(&connection, &small).await.unwrap() })
    });
    for answer in many.collect::<Vec<_>>() {
        assert!(answer.await.unwrap().len() > small.len());
    }
    slow.write_all(&framed(&small)[5..]).await.unwrap();
    slow.finish().unwrap();
    assert!(slow_answer.read_to_end(65_537).await.unwrap().len() > small.len());
    assert_eq!(server.sum(|it| &it.protocol_errors), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_above_the_cap_are_refused_at_once() {
    let server = Server::start(Engine::Native);
    let at = server.at(Transport::Doq);
    let mut kept = Vec::new();
    // Loopback is exempt, and the exempt have a bound of their own.
    for _ in 0..anyns::serve::TcpSettings::EXEMPT_CONNECTIONS {
        kept.push(quic(at, &server.certificate(), "doq").await.unwrap());
    }
    let error = quic(at, &server.certificate(), "doq").await.unwrap_err();
    assert!(matches!(error, ConnectionError::ConnectionClosed(_)), "{error}");
    assert_eq!(server.sum(|it| &it.tcp_refused), 1);
    over_doq(&kept[0].1, &query("www.example.", RecordType::A)).await.unwrap();
    let (_, gone) = kept.pop().unwrap();
    gone.close(VarInt::from_u32(0), b"");
    // A place is free when the server has heard of it.
    let start = std::time::Instant::now();
    while quic(at, &server.certificate(), "doq").await.is_err() {
        assert!(start.elapsed() < crate::server::PATIENCE, "never a place");
    }
}
