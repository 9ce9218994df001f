//! Clients that do not mean well.

use std::time::{Duration, Instant};

use anyns::serve::{Engine, TcpSettings, Transport};
use anyns::wire::RecordType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::client::{ask, dot, shake};
use crate::server::{Server, eventually, framed, query};
use crate::skip::is_full_run;
use crate::wait;

const OVER_TCP: [Transport; 2] = [Transport::Dot, Transport::Doh];

/// Reads until the server closes; returns how many octets came before.
async fn rest(stream: &mut TcpStream) -> usize {
    let mut octets = Vec::new();
    // A reset is a close too.
    let _ = stream.read_to_end(&mut octets).await;
    octets.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_half_a_handshake_and_silence_are_closed_and_others_are_served() {
    let server = Server::start(Engine::Native);
    let small = query("www.example.", RecordType::A);
    let begin = Instant::now();
    let mut slow = Vec::new();
    for transport in OVER_TCP {
        let mut garbage = TcpStream::connect(server.at(transport)).await.unwrap();
        garbage.write_all(&framed(&small)).await.unwrap();
        rest(&mut garbage).await;
        // A record that says it has 500 octets, and one octet of them.
        let mut half = TcpStream::connect(server.at(transport)).await.unwrap();
        half.write_all(&[22, 3, 1, 1, 244, 1]).await.unwrap();
        slow.extend([half, TcpStream::connect(server.at(transport)).await.unwrap()]);
    }
    assert!(begin.elapsed() < Duration::from_secs(4), "garbage is closed at once");
    for transport in [Transport::Dot, Transport::Doh, Transport::Doh3, Transport::Doq] {
        ask(transport, server.at(transport), &server.certificate(), &small).await;
    }
    for mut stream in slow {
        assert_eq!(rest(&mut stream).await, 0);
    }
    eventually("all are counted", || server.sum(|it| &it.handshake_failures) == 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_wants_another_protocol_is_refused() {
    let server = Server::start(Engine::Native);
    for (transport, protocol) in
        [(Transport::Dot, "h2"), (Transport::Doh, "dot"), (Transport::Doh, "http/1.1")]
    {
        let stream = TcpStream::connect(server.at(transport)).await.unwrap();
        assert!(shake(stream, &server.certificate(), protocol).await.is_err(), "{transport} {protocol}");
    }
    for transport in [Transport::Doq, Transport::Doh3] {
        let trust = server.certificate();
        assert!(crate::client::quic(server.at(transport), &trust, "h2").await.is_err(), "{transport}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_inside_the_encryption_ends_its_connection() {
    let server = Server::start(Engine::Native);
    let trust = server.certificate();
    let mut no_http = shake(TcpStream::connect(server.at(Transport::Doh)).await.unwrap(), &trust, "h2").await;
    let no_http = no_http.as_mut().unwrap();
    no_http.write_all(b"GET /dns-query HTTP/1.1\r\n\r\n").await.unwrap();
    let mut octets = Vec::new();
    let _ = no_http.read_to_end(&mut octets).await;
    let mut no_query = dot(server.at(Transport::Dot), &trust).await.unwrap();
    no_query.write_all(&framed(b"short")).await.unwrap();
    assert_eq!(no_query.read(&mut [0; 9]).await.unwrap(), 0, "closed with close_notify");
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_that_are_no_quic_get_nothing_and_take_no_place() {
    let server = Server::start(Engine::Native);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for transport in [Transport::Doq, Transport::Doh3] {
        for octets in [&[][..], &[0; 1200], &[0xff; 1200], &framed(&query("www.example.", RecordType::A))] {
            socket.send_to(octets, server.at(transport)).await.unwrap();
        }
        let trust = server.certificate();
        ask(transport, server.at(transport), &trust, &query("www.example.", RecordType::A)).await;
    }
    assert_eq!(server.sum(|it| &it.tcp_connections), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_requests_is_closed_after_the_idle_time() {
    let idle = Duration::from_millis(300);
    let server = Server::with(Engine::Native, TcpSettings { idle, ..TcpSettings::default() });
    let trust = server.certificate();
    let begin = Instant::now();
    let mut silent = dot(server.at(Transport::Dot), &trust).await.unwrap();
    let stream =
        shake(TcpStream::connect(server.at(Transport::Doh)).await.unwrap(), &trust, "h2").await.unwrap();
    let (_requests, h2) = h2::client::handshake(stream).await.unwrap();
    let (_endpoint, doq) = crate::client::quic(server.at(Transport::Doq), &trust, "doq").await.unwrap();
    assert_eq!(silent.read(&mut [0; 9]).await.unwrap(), 0);
    // It says goodbye in HTTP/2, and closes; which of the two the client sees first is a matter of luck.
    let _ = h2.await;
    doq.closed().await;
    assert!(begin.elapsed() >= idle && begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    eventually("all are counted", || server.sum(|it| &it.tcp_timeouts) >= 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_above_the_cap_are_reset_and_plain_tcp_has_its_own() {
    let server = Server::start(Engine::Native);
    let small = query("www.example.", RecordType::A);
    let mut kept = Vec::new();
    for _ in 0..TcpSettings::EXEMPT_CONNECTIONS {
        kept.push(dot(server.at(Transport::Dot), &server.certificate()).await.unwrap());
    }
    for transport in OVER_TCP {
        // The reset may come before the connect returns.
        if let Ok(mut refused) = TcpStream::connect(server.at(transport)).await {
            assert_eq!(rest(&mut refused).await, 0, "one cap for all encrypted transports");
        }
    }
    eventually("both are counted", || server.sum(|it| &it.tcp_refused) == 2).await;
    ask(Transport::Tcp, server.at(Transport::Tcp), &server.certificate(), &small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_cut_off() {
    if !is_full_run() {
        return;
    }
    let server = Server::start(Engine::Native);
    let large = framed(&query("large.example.", RecordType::TXT)).repeat(500);
    let mut plain = TcpStream::connect(server.at(Transport::Tcp)).await.unwrap();
    let mut encrypted = dot(server.at(Transport::Dot), &server.certificate()).await.unwrap();
    plain.write_all(&large).await.unwrap();
    encrypted.write_all(&large).await.unwrap();
    encrypted.flush().await.unwrap();
    // 5 s, and 1 s for each 4 KiB of at most 80.
    let begin = Instant::now();
    let are_cut_off = || server.sum(|it| &it.tcp_timeouts) >= 2;
    wait::eventually("both are cut off", Duration::from_secs(60), are_cut_off).await;
    assert!(begin.elapsed() > Duration::from_secs(5), "{:?}", begin.elapsed());
}
