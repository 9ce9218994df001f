//! Clients of DNS over TLS, HTTPS and QUIC, made of the same crates as the server but of their other half, and a
//! certificate that they trust. A connection takes one query after another for as long as it is kept.

#![allow(clippy::unwrap_used, reason = "a test stops at the first fault")]

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, Bytes};
use data_encoding::BASE64URL_NOPAD;
use http::{Request, Response};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;

/// The name in the certificate.
pub const HOST: &str = "ns.example";

/// Writes a new self-signed pair; returns its files.
pub fn write_pair(directory: &Path) -> (PathBuf, PathBuf) {
    write_pair_until(directory, 4096)
}

/// Writes a new self-signed pair that is valid until the first day of this year.
pub fn write_pair_until(directory: &Path, year: i32) -> (PathBuf, PathBuf) {
    let mut parameters = rcgen::CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let files = (directory.join("cert.pem"), directory.join("key.pem"));
    std::fs::write(&files.0, certificate.pem()).unwrap();
    std::fs::write(&files.1, key.serialize_pem()).unwrap();
    files
}

/// What a client trusts and speaks.
pub fn tls(certificate: &Path, protocol: &str) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    Arc::new(config)
}

/// A client that remembers its sessions, and how often it was shown a certificate: a session that is resumed shows none.
pub struct Remembering {
    config: Arc<rustls::ClientConfig>,
    shown: Arc<AtomicUsize>,
}

impl Remembering {
    /// It trusts these certificates and speaks these versions of TLS.
    pub fn new(
        trust: &[&Path],
        protocol: &str,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        trust.iter().for_each(|one| roots.add(CertificateDer::from_pem_file(one).unwrap()).unwrap());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let shown = Arc::new(AtomicUsize::new(0));
        let verifier = Counted { verifier: verifier.build().unwrap(), shown: shown.clone() };
        let config = rustls::ClientConfig::builder_with_provider(provider);
        let config = config.with_protocol_versions(versions).unwrap();
        let config = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        Self { config: Arc::new(config), shown }
    }

    /// For connections.
    pub fn config(&self) -> Arc<rustls::ClientConfig> {
        self.config.clone()
    }

    /// How many of its handshakes were full ones.
    pub fn full_handshakes(&self) -> usize {
        self.shown.load(Ordering::Relaxed)
    }
}

/// Counts the certificates that it verifies.
#[derive(Debug)]
struct Counted {
    verifier: Arc<WebPkiServerVerifier>,
    shown: Arc<AtomicUsize>,
}

impl ServerCertVerifier for Counted {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.shown.fetch_add(1, Ordering::Relaxed);
        self.verifier.verify_server_cert(certificate, others, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// A message behind its length (RFC 1035 section 4.2.2).
pub fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

/// A query and its answer, each behind its length.
pub async fn over_stream<S>(stream: &mut S, query: &[u8]) -> std::io::Result<Vec<u8>>
where
    S: AsyncReadExt + AsyncWriteExt + Unpin,
{
    stream.write_all(&framed(query)).await?;
    stream.flush().await?;
    read_message(stream).await
}

pub async fn read_message(stream: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

pub async fn dot(server: SocketAddr, trust: &Path) -> std::io::Result<TlsStream<TcpStream>> {
    shake(TcpStream::connect(server).await?, trust, "dot").await
}

pub async fn shake(stream: TcpStream, trust: &Path, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
    shake_with(stream, tls(trust, protocol)).await
}

/// The handshake over a stream.
pub async fn shake_with(
    stream: TcpStream,
    config: Arc<rustls::ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let connector = tokio_rustls::TlsConnector::from(config);
    connector.connect(ServerName::try_from(HOST).unwrap(), stream).await
}

/// A QUIC connection; it lives as long as its endpoint.
pub async fn quic(
    server: SocketAddr,
    trust: &Path,
    protocol: &str,
) -> Result<(quinn::Endpoint, quinn::Connection), quinn::ConnectionError> {
    quic_with(server, tls(trust, protocol)).await
}

/// The same with this TLS.
pub async fn quic_with(
    server: SocketAddr,
    config: Arc<rustls::ClientConfig>,
) -> Result<(quinn::Endpoint, quinn::Connection), quinn::ConnectionError> {
    let endpoint = quinn::Endpoint::client((Ipv6Addr::UNSPECIFIED, 0).into()).unwrap();
    let config = quinn::crypto::rustls::QuicClientConfig::try_from(config).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(config));
    let server = match server {
        SocketAddr::V4(four) => SocketAddr::new(four.ip().to_ipv6_mapped().into(), four.port()),
        six => six,
    };
    let connection = endpoint.connect_with(config, server, HOST).unwrap().await?;
    Ok((endpoint, connection))
}

/// One query over a stream of its own.
pub async fn over_doq(
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

pub fn post(query: &[u8]) -> Request<Bytes> {
    let request = Request::post(format!("https://{HOST}/dns-query"));
    let request = request.header("content-type", "application/dns-message");
    request.body(Bytes::copy_from_slice(query)).unwrap()
}

pub fn get(query: &[u8]) -> Request<Bytes> {
    let uri = format!("https://{HOST}/dns-query?dns={}", BASE64URL_NOPAD.encode(query));
    Request::get(uri).body(Bytes::new()).unwrap()
}

/// A connection of HTTP/2.
pub struct Http2(h2::client::SendRequest<Bytes>);

impl Http2 {
    pub async fn connect(server: SocketAddr, trust: &Path) -> Self {
        Self::over(shake(TcpStream::connect(server).await.unwrap(), trust, "h2").await.unwrap()).await
    }

    /// Over a stream whose handshake is done.
    pub async fn over(stream: TlsStream<TcpStream>) -> Self {
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub async fn request(&mut self, request: Request<Bytes>) -> Result<(Response<()>, Vec<u8>), h2::Error> {
        let (head, body) = request.into_parts();
        let mut sender = self.0.clone().ready().await?;
        let (response, mut send) = sender.send_request(Request::from_parts(head, ()), body.is_empty())?;
        if !body.is_empty() {
            // The server may have refused it by the head alone.
            let _ = send.send_data(body, true);
        }
        let (head, mut body) = response.await?.into_parts();
        let mut octets = Vec::new();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            octets.extend(data);
        }
        Ok((Response::from_parts(head, ()), octets))
    }
}

/// A connection of HTTP/3.
pub struct Http3 {
    _endpoint: quinn::Endpoint,
    connection: quinn::Connection,
    sender: h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>,
    driving: JoinHandle<()>,
}

impl Http3 {
    pub async fn connect(server: SocketAddr, trust: &Path) -> Self {
        let (endpoint, connection) = quic(server, trust, "h3").await.unwrap();
        Self::over(endpoint, connection).await
    }

    /// Over a QUIC connection.
    pub async fn over(endpoint: quinn::Endpoint, connection: quinn::Connection) -> Self {
        let (mut driver, sender) =
            h3::client::new(h3_quinn::Connection::new(connection.clone())).await.unwrap();
        let driving = tokio::spawn(async move {
            std::future::poll_fn(|task| driver.poll_close(task)).await;
        });
        Self { _endpoint: endpoint, connection, sender, driving }
    }

    pub async fn request(
        &mut self,
        request: Request<Bytes>,
    ) -> Result<(Response<()>, Vec<u8>), h3::error::StreamError> {
        let (head, body) = request.into_parts();
        let mut stream = self.sender.send_request(Request::from_parts(head, ())).await?;
        // The server may have refused it by the head alone.
        if !body.is_empty() {
            let _ = stream.send_data(body).await;
        }
        let _ = stream.finish().await;
        let response = stream.recv_response().await?;
        let mut octets = Vec::new();
        while let Some(mut data) = stream.recv_data().await? {
            octets.extend(data.copy_to_bytes(data.remaining()));
        }
        Ok((response, octets))
    }

    /// Says goodbye. In this order: without the driver the control stream ends, which is an error of its own.
    pub async fn close(self) {
        let code = quinn::VarInt::from_u32(h3::error::Code::H3_NO_ERROR.value() as u32);
        self.connection.close(code, b"");
        self.connection.closed().await;
        self.driving.abort();
    }
}
