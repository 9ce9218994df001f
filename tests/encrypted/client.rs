//! One answer over any transport. The clients are those of `tests/support`; real programs are in `programs`.

use std::net::SocketAddr;
use std::path::Path;

use anyns::serve::Transport;
use bytes::Bytes;
use http::{Request, Response};
use tokio::net::{TcpStream, UdpSocket};

use crate::clients::{Http2, Http3};
pub(crate) use crate::clients::{dot, get, over_doq, over_stream, post, quic, read_message, shake};

/// One answer over a transport; over DoH by POST.
pub(crate) async fn ask(transport: Transport, server: SocketAddr, trust: &Path, query: &[u8]) -> Vec<u8> {
    match transport {
        Transport::Udp => {
            let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any).await.unwrap();
            socket.send_to(query, server).await.unwrap();
            let mut answer = vec![0; 65_535];
            let octets = socket.recv(&mut answer).await.unwrap();
            answer.truncate(octets);
            answer
        }
        Transport::Tcp => over_stream(&mut TcpStream::connect(server).await.unwrap(), query).await.unwrap(),
        Transport::Dot => over_stream(&mut dot(server, trust).await.unwrap(), query).await.unwrap(),
        Transport::Doq => {
            let (_endpoint, connection) = quic(server, trust, "doq").await.unwrap();
            over_doq(&connection, query).await.unwrap()
        }
        Transport::Doh | Transport::Doh3 => {
            let (response, body) = http(transport, server, trust, post(query)).await;
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["content-type"], "application/dns-message");
            body
        }
    }
}

/// One request over a connection of its own.
pub(crate) async fn http(
    transport: Transport,
    server: SocketAddr,
    trust: &Path,
    request: Request<Bytes>,
) -> (Response<()>, Vec<u8>) {
    if transport != Transport::Doh3 {
        return Http2::connect(server, trust).await.request(request).await.unwrap();
    }
    let mut connection = Http3::connect(server, trust).await;
    let answered = connection.request(request).await.unwrap();
    connection.close().await;
    answered
}
