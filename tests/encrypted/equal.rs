//! Every transport gives the answer of every other.

use std::time::Duration;

use anyns::serve::{Engine, Facts, Transport};
use anyns::wire::RecordType;

use crate::client::{ask, over_stream, read_message};
use crate::server::{Server, framed, query, with_edns};

const ENCRYPTED: [Transport; 4] = [Transport::Dot, Transport::Doh, Transport::Doh3, Transport::Doq];

fn queries() -> Vec<Vec<u8>> {
    let mut queries = Vec::new();
    for (name, record_type) in [
        ("www.example.", RecordType::A),
        ("wWw.eXample.", RecordType::A),
        ("www.example.", RecordType::AAAA),
        ("alias.example.", RecordType::A),
        ("a.b.wild.example.", RecordType::A),
        ("nothing.example.", RecordType::A),
        ("example.", RecordType::SOA),
        ("large.example.", RecordType::TXT),
        ("elsewhere.test.", RecordType::A),
        ("www.example.", RecordType::ANY),
        ("example.", RecordType::AXFR),
    ] {
        queries.push(query(name, record_type));
        queries.push(with_edns(query(name, record_type)));
    }
    // Another opcode, no question, a question that ends early, another EDNS version.
    let mut opcode = query("www.example.", RecordType::A);
    opcode[2] = 4 << 3;
    let mut none = query("www.example.", RecordType::A);
    none[5] = 0;
    none.truncate(12);
    let mut cut = query("www.example.", RecordType::A);
    cut.truncate(20);
    let mut version = with_edns(query("www.example.", RecordType::A));
    let at = version.len() - 9;
    version[at] = 1;
    queries.extend([opcode, none, cut, version]);
    queries
}

/// Octets that an answer over UDP may have: 512 (RFC 1035 section 4.2.1), or what an OPT record says, which is the last one here.
fn udp_room(query: &[u8]) -> usize {
    let has_opt = query.get(11) == Some(&1);
    let payload = query.len().checked_sub(12).and_then(|at| query.get(at..at + 2)).filter(|_| has_opt);
    payload.map_or(512, |octets| usize::from(u16::from_be_bytes([octets[0], octets[1]])))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_transport_gives_the_same_answer_on_both_engines() {
    let [native, hickory] = [Engine::Native, Engine::Hickory].map(Server::start);
    for query in queries() {
        let expected = ask(Transport::Tcp, native.at(Transport::Tcp), &native.certificate(), &query).await;
        let over_udp = ask(Transport::Udp, native.at(Transport::Udp), &native.certificate(), &query).await;
        if expected.len() > udp_room(&query) {
            assert_ne!(over_udp[2] & 2, 0, "it is longer than there is room, so it is truncated: {query:?}");
        } else {
            assert_eq!(over_udp, expected, "UDP: {query:?}");
        }
        for server in [&native, &hickory] {
            for transport in ENCRYPTED {
                for at in server.all(transport) {
                    let answer = ask(transport, at, &server.certificate(), &query).await;
                    assert_eq!(answer, expected, "{transport} at {at}: {query:?}");
                }
            }
        }
    }
    let each = queries().len() as u64 * 2;
    for server in [native, hickory] {
        assert_eq!(
            [
                server.sum(|it| &it.dot_queries),
                server.sum(|it| &it.doh_queries),
                server.sum(|it| &it.doq_queries)
            ],
            [each, each * 2, each]
        );
        assert_eq!((server.sum(|it| &it.handshake_failures), server.sum(|it| &it.protocol_errors)), (0, 0));
        assert_eq!(server.serving.watch().observe(Duration::ZERO), Facts::default());
        server.serving.shutdown(Duration::from_secs(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_of_large_answers_gets_them_all_and_holds_up_nobody() {
    let server = Server::start(Engine::Native);
    let large = query("large.example.", RecordType::TXT);
    let small = query("www.example.", RecordType::A);
    let mut slow = tokio::net::TcpStream::connect(server.at(Transport::Tcp)).await.unwrap();
    let mut slow_dot = crate::client::dot(server.at(Transport::Dot), &server.certificate()).await.unwrap();
    const MANY: usize = 200;
    use tokio::io::AsyncWriteExt;
    slow.write_all(&framed(&large).repeat(MANY)).await.unwrap();
    slow_dot.write_all(&framed(&large).repeat(MANY)).await.unwrap();
    slow_dot.flush().await.unwrap();
    // 12 MB wait for each; others are served all the while.
    for _ in 0..100 {
        for transport in [Transport::Tcp, Transport::Dot] {
            let answer = ask(transport, server.at(transport), &server.certificate(), &small).await;
            assert!(answer.len() > small.len());
        }
    }
    let expected = ask(Transport::Doq, server.at(Transport::Doq), &server.certificate(), &large).await;
    assert!(expected.len() > 50_000);
    for _ in 0..MANY {
        assert_eq!(read_message(&mut slow).await.unwrap(), expected);
        assert_eq!(read_message(&mut slow_dot).await.unwrap(), expected);
    }
    assert_eq!(over_stream(&mut slow, &large).await.unwrap(), expected, "the connection goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_answers_what_was_asked_and_says_goodbye() {
    let server = Server::start(Engine::Native);
    let trust = server.certificate();
    let small = query("www.example.", RecordType::A);
    let mut dot = crate::client::dot(server.at(Transport::Dot), &trust).await.unwrap();
    over_stream(&mut dot, &small).await.unwrap();
    let (_endpoint, doq) = crate::client::quic(server.at(Transport::Doq), &trust, "doq").await.unwrap();
    crate::client::over_doq(&doq, &small).await.unwrap();
    let begin = std::time::Instant::now();
    server.serving.shutdown(Duration::from_secs(5)).await;
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    // An end of file without close_notify would be an error.
    assert_eq!(tokio::io::AsyncReadExt::read(&mut dot, &mut [0; 9]).await.unwrap(), 0);
    let quinn::ConnectionError::ApplicationClosed(closed) = doq.closed().await else { panic!("not closed") };
    assert_eq!(closed.error_code.into_inner(), 0, "DOQ_NO_ERROR");
}
