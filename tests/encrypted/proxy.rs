//! The PROXY protocol, version 2, from listed load balancers.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyns::serve::{Engine, TcpSettings, Transport};
use anyns::wire::RecordType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{over_stream, shake};
use crate::server::{Server, query};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header that names this client.
fn header(client: Ipv4Addr) -> Vec<u8> {
    [SIGNATURE, &[0x21, 0x11, 0, 12], &client.octets(), &[198, 51, 100, 1, 0x30, 0x39, 0, 53]].concat()
}

fn behind_loopback() -> Server {
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    Server::with(Engine::Native, TcpSettings { proxies, connections_per_source: 1, ..TcpSettings::default() })
}

/// Connects with this header and asks; the connection, if it was answered.
async fn through(server: &Server, transport: Transport, header: &[u8]) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(server.at(transport)).await.unwrap();
    stream.write_all(header).await.unwrap();
    let small = query("www.example.", RecordType::A);
    if transport == Transport::Tcp {
        over_stream(&mut stream, &small).await.ok()?;
        return Some(stream);
    }
    let mut stream = shake(stream, &server.certificate(), "dot").await.ok()?;
    over_stream(&mut stream, &small).await.ok()?;
    Some(stream.into_inner().0)
}

#[tokio::test(flavor = "multi_thread")]
async fn caps_count_the_client_that_the_balancer_names() {
    let server = behind_loopback();
    for (refused, transport) in [(1, Transport::Tcp), (2, Transport::Dot)] {
        let first = through(&server, transport, &header([192, 0, 2, 1].into())).await;
        assert!(first.is_some(), "{transport}");
        let same = through(&server, transport, &header([192, 0, 2, 200].into())).await;
        assert!(same.is_none(), "{transport}: the same /24 has its one connection");
        let other = through(&server, transport, &header([192, 0, 3, 1].into())).await;
        assert!(other.is_some(), "{transport}");
        let balancer = [SIGNATURE, &[0x20, 0, 0, 0]].concat();
        assert!(through(&server, transport, &balancer).await.is_some(), "its own health check");
        assert_eq!(server.sum(|it| &it.tcp_refused), refused);
    }
}

/// What dnstap tells is what was asked, not where the balancer connects to; the balancer's own checks ask that.
#[tokio::test(flavor = "multi_thread")]
async fn samples_tell_the_client_and_the_address_that_it_asked() {
    let server = behind_loopback();
    let balancer = [SIGNATURE, &[0x20, 0, 0, 0]].concat();
    for transport in [Transport::Tcp, Transport::Dot] {
        for (header, client, asked) in [
            (header([192, 0, 2, 1].into()), "192.0.2.1:0".to_owned(), "198.51.100.1:53".to_owned()),
            (balancer.clone(), "127.0.0.1:0".to_owned(), server.at(transport).to_string()),
        ] {
            assert!(through(&server, transport, &header).await.is_some(), "{transport}");
            let mut told = Vec::new();
            for tap in server.counters.taps() {
                while tap.read(|sample| {
                    told.push((sample.client.to_string(), sample.server.map(|it| it.to_string())))
                }) {}
            }
            assert_eq!(told, [(client, Some(asked))], "{transport}");
        }
    }
}

/// A balancer that listens dual-stack may name an IPv4 client v4-mapped.
#[tokio::test(flavor = "multi_thread")]
async fn a_mapped_client_is_one_of_ipv4() {
    let server = behind_loopback();
    let named = |client: Ipv6Addr| {
        [SIGNATURE, &[0x21, 0x21, 0, 36], &client.octets(), &[0; 16], &[0x30, 0x39, 0, 53]].concat()
    };
    for client in
        [Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)]
    {
        for transport in [Transport::Tcp, Transport::Dot] {
            assert!(through(&server, transport, &named(client)).await.is_some(), "{transport}");
        }
    }
    let mut ipv6 = [0; 5];
    for worker in server.counters.workers() {
        ipv6.iter_mut().zip(worker.ipv6_queries.read()).for_each(|(sum, count)| *sum += count);
    }
    assert_eq!(ipv6, [0, 1, 1, 0, 0], "one of two over TCP, one of two over DoT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_balancer_without_a_header_is_reset() {
    let server = behind_loopback();
    for (count, octets) in [&b""[..], b"PROXY TCP4 192.0.2.1 192.0.2.2 1 53\r\n"].iter().enumerate() {
        assert!(through(&server, Transport::Tcp, octets).await.is_none());
        assert_eq!(server.sum(|it| &it.handshake_failures), count as u64 + 1);
    }
    assert_eq!(server.sum(|it| &it.tcp_queries), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_believed() {
    let server = Server::start(Engine::Native);
    let mut stream = TcpStream::connect(server.at(Transport::Tcp)).await.unwrap();
    // The signature reads as a message of 3,338 octets, which never comes.
    stream.write_all(&header([192, 0, 2, 1].into())).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut octets = Vec::new();
    let _ = stream.read_to_end(&mut octets).await;
    assert!(octets.is_empty());
    assert_eq!(server.sum(|it| &it.tcp_queries), 0);
}
