//! Clients of every transport, made of the same crates as the server but of their other half. Real programs are in
//! `programs`.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyns::serve::Transport;
use bytes::{Buf, Bytes};
use data_encoding::BASE64URL_NOPAD;
use http::{Request, Response};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::client::TlsStream;

use crate::server::{HOST, framed};

/// What a client trusts and speaks.
pub(crate) fn tls(certificate: &Path, protocol: &str) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    Arc::new(config)
}

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

/// A query and its answer, each behind its length.
pub(crate) async fn over_stream<S>(stream: &mut S, query: &[u8]) -> std::io::Result<Vec<u8>>
where
    S: AsyncReadExt + AsyncWriteExt + Unpin,
{
    stream.write_all(&framed(query)).await?;
    stream.flush().await?;
    read_message(stream).await
}

pub(crate) async fn read_message(stream: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

pub(crate) async fn dot(server: SocketAddr, trust: &Path) -> std::io::Result<TlsStream<TcpStream>> {
    shake(TcpStream::connect(server).await?, trust, "dot").await
}

pub(crate) async fn shake(
    stream: TcpStream,
    trust: &Path,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let connector = tokio_rustls::TlsConnector::from(tls(trust, protocol));
    connector.connect(ServerName::try_from(HOST).unwrap(), stream).await
}

/// A QUIC connection; it lives as long as its endpoint.
pub(crate) async fn quic(
    server: SocketAddr,
    trust: &Path,
    protocol: &str,
) -> Result<(quinn::Endpoint, quinn::Connection), quinn::ConnectionError> {
    let endpoint = quinn::Endpoint::client((Ipv6Addr::UNSPECIFIED, 0).into()).unwrap();
    let config = quinn::crypto::rustls::QuicClientConfig::try_from(tls(trust, protocol)).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(config));
    let server = match server {
        SocketAddr::V4(four) => SocketAddr::new(four.ip().to_ipv6_mapped().into(), four.port()),
        six => six,
    };
    let connection = endpoint.connect_with(config, server, HOST).unwrap().await?;
    Ok((endpoint, connection))
}

/// One query over a stream of its own.
pub(crate) async fn over_doq(
    connection: &quinn::Connection,
    query: &[u8],
) -> Result<Vec<u8>, quinn::ReadToEndError> {
    let (mut send, mut receive) = connection.open_bi().await.map_err(quinn::ReadError::from)?;
    // A write that fails is seen by the read.
    let _ = send.write_all(&framed(query)).await;
    let _ = send.finish();
    let answer = receive.read_to_end(65_537).await?;
    assert_eq!(usize::from(u16::from_be_bytes([answer[0], answer[1]])), answer.len() - 2);
    Ok(answer[2..].to_vec())
}

pub(crate) fn post(query: &[u8]) -> Request<Bytes> {
    let request = Request::post(format!("https://{HOST}/dns-query"));
    let request = request.header("content-type", "application/dns-message");
    request.body(Bytes::copy_from_slice(query)).unwrap()
}

pub(crate) fn get(query: &[u8]) -> Request<Bytes> {
    let uri = format!("https://{HOST}/dns-query?dns={}", BASE64URL_NOPAD.encode(query));
    Request::get(uri).body(Bytes::new()).unwrap()
}

/// One request over a connection of its own.
pub(crate) async fn http(
    transport: Transport,
    server: SocketAddr,
    trust: &Path,
    request: Request<Bytes>,
) -> (Response<()>, Vec<u8>) {
    if transport == Transport::Doh3 {
        http3(server, trust, request).await
    } else {
        http2(server, trust, request).await
    }
}

async fn http2(server: SocketAddr, trust: &Path, request: Request<Bytes>) -> (Response<()>, Vec<u8>) {
    let stream = shake(TcpStream::connect(server).await.unwrap(), trust, "h2").await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let (head, body) = request.into_parts();
    let mut sender = sender.ready().await.unwrap();
    let (response, mut send) = sender.send_request(Request::from_parts(head, ()), body.is_empty()).unwrap();
    if !body.is_empty() {
        // The server may have refused it by the head alone.
        let _ = send.send_data(body, true);
    }
    let (head, mut body) = response.await.unwrap().into_parts();
    let mut octets = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        octets.extend(data);
    }
    (Response::from_parts(head, ()), octets)
}

async fn http3(server: SocketAddr, trust: &Path, request: Request<Bytes>) -> (Response<()>, Vec<u8>) {
    let (_endpoint, connection) = quic(server, trust, "h3").await.unwrap();
    let (mut driver, mut sender) =
        h3::client::new(h3_quinn::Connection::new(connection.clone())).await.unwrap();
    let driving = tokio::spawn(async move { std::future::poll_fn(|task| driver.poll_close(task)).await });
    let (head, body) = request.into_parts();
    let mut stream = sender.send_request(Request::from_parts(head, ())).await.unwrap();
    // The server may have refused it by the head alone.
    if !body.is_empty() {
        let _ = stream.send_data(body).await;
    }
    let _ = stream.finish().await;
    let response = stream.recv_response().await.unwrap();
    let mut octets = Vec::new();
    while let Some(mut data) = stream.recv_data().await.unwrap() {
        octets.extend(data.copy_to_bytes(data.remaining()));
    }
    // In this order: without the driver the control stream ends, which is an error of its own.
    connection.close(quinn::VarInt::from_u32(h3::error::Code::H3_NO_ERROR.value() as u32), b"");
    connection.closed().await;
    driving.abort();
    (response, octets)
}
