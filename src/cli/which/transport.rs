//! One connection to one address over one transport, and questions over it. Waits without a limit: who calls sets one.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::ServerName;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio_rustls::client::TlsStream;

use crate::wire::octets::MAX_MESSAGE;

use super::message::answers;
use super::tls;

/// The most stray datagrams that are read past: more is a flood.
const MOST_STRAYS: usize = 64;
/// The longest DNS message (RFC 1035 section 4.2.2), behind its length.
const LONGEST: usize = 2 + MAX_MESSAGE;

/// How to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Transport {
    Udp,
    Tcp,
    /// RFC 7858.
    Dot,
    /// RFC 8484, over HTTP/2.
    Doh,
    /// RFC 9250.
    Doq,
}

impl Transport {
    pub(super) const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Dot, Self::Doh, Self::Doq];

    /// As people write it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Dot => "DoT",
            Self::Doh => "DoH",
            Self::Doq => "DoQ",
        }
    }

    /// The ID of a query: 0 where the stream tells which answer belongs to it (RFC 8484 section 4.1, RFC 9250 section 4.2.1).
    pub(super) fn id(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp | Self::Dot => fastrand::u16(..),
            Self::Doh | Self::Doq => 0,
        }
    }
}

/// Whom to ask.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// Our address; by default the system's choice.
    pub(super) source: Option<IpAddr>,
    /// Its name in TLS and HTTPS; by default its address.
    pub(super) name: Option<String>,
    /// The path of DNS over HTTPS.
    pub(super) path: String,
}

impl Peer {
    fn source(&self) -> SocketAddr {
        let any = match self.address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        SocketAddr::new(self.source.unwrap_or(any), 0)
    }

    fn tls_name(&self) -> io::Result<ServerName<'static>> {
        match &self.name {
            None => Ok(ServerName::IpAddress(self.address.ip().into())),
            Some(name) => ServerName::try_from(name.clone()).map_err(io::Error::other),
        }
    }

    /// The resource of DNS over HTTPS.
    fn uri(&self) -> String {
        let host = self.name.clone().unwrap_or_else(|| match self.address.ip() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        });
        match self.address.port() {
            443 => format!("https://{host}{}", self.path),
            port => format!("https://{host}:{port}{}", self.path),
        }
    }
}

/// A connection that takes one question after another.
pub(super) enum Connection {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Http(h2::client::SendRequest<Bytes>, String),
    /// The endpoint must live as long as its connection.
    Quic {
        _endpoint: quinn::Endpoint,
        connection: quinn::Connection,
    },
}

impl Connection {
    /// Connects; over UDP this asks nothing of the other side.
    pub(super) async fn open(transport: Transport, peer: &Peer) -> io::Result<Self> {
        match transport {
            Transport::Udp => {
                let socket = UdpSocket::bind(peer.source()).await?;
                // Connected: the system drops what comes from elsewhere and hands over ICMP errors.
                socket.connect(peer.address).await?;
                Ok(Self::Udp(socket))
            }
            Transport::Tcp => Ok(Self::Tcp(tcp(peer).await?)),
            Transport::Dot => Ok(Self::Tls(Box::new(shake(peer, "dot").await?))),
            Transport::Doh => {
                let stream = shake(peer, "h2").await?;
                let (sender, connection) = h2::client::handshake(stream).await.map_err(io::Error::other)?;
                tokio::spawn(connection);
                Ok(Self::Http(sender, peer.uri()))
            }
            Transport::Doq => quic(peer).await,
        }
    }

    /// One question and its answer.
    pub(super) async fn ask(&mut self, query: &[u8], id: u16) -> io::Result<Vec<u8>> {
        let answer = match self {
            Self::Udp(socket) => return over_udp(socket, query, id).await,
            Self::Tcp(stream) => over_stream(stream, query).await?,
            Self::Tls(stream) => over_stream(stream.as_mut(), query).await?,
            Self::Http(sender, uri) => over_http(sender.clone(), uri, query).await?,
            Self::Quic { connection, .. } => over_quic(connection, query).await?,
        };
        match answers(&answer, id) {
            true => Ok(answer),
            false => Err(io::Error::new(
                ErrorKind::InvalidData,
                "an answer to something else: its ID does not match",
            )),
        }
    }
}

async fn tcp(peer: &Peer) -> io::Result<TcpStream> {
    let socket = if peer.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(peer.source())?;
    let stream = socket.connect(peer.address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn shake(peer: &Peer, protocol: &str) -> io::Result<TlsStream<TcpStream>> {
    let config = tls::client(protocol).map_err(io::Error::other)?;
    tokio_rustls::TlsConnector::from(config).connect(peer.tls_name()?, tcp(peer).await?).await
}

async fn quic(peer: &Peer) -> io::Result<Connection> {
    let config = tls::client("doq").map_err(io::Error::other)?;
    let config = quinn::crypto::rustls::QuicClientConfig::try_from(config).map_err(io::Error::other)?;
    let endpoint = quinn::Endpoint::client(peer.source())?;
    let name = peer.name.clone().unwrap_or_else(|| peer.address.ip().to_string());
    let config = quinn::ClientConfig::new(Arc::new(config));
    let connection = endpoint.connect_with(config, peer.address, &name).map_err(io::Error::other)?;
    let connection = connection.await.map_err(io::Error::other)?;
    Ok(Connection::Quic { _endpoint: endpoint, connection })
}

async fn over_udp(socket: &UdpSocket, query: &[u8], id: u16) -> io::Result<Vec<u8>> {
    socket.send(query).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    for _ in 0..MOST_STRAYS {
        let length = socket.recv(&mut buffer).await?;
        let octets = buffer.get(..length).unwrap_or_default();
        // Another ID may be a forgery: the true answer may still come.
        if answers(octets, id) {
            return Ok(octets.to_vec());
        }
    }
    Err(io::Error::new(ErrorKind::InvalidData, "only datagrams with another ID came"))
}

/// A message behind its length.
fn framed(query: &[u8]) -> Vec<u8> {
    [&u16::try_from(query.len()).unwrap_or(u16::MAX).to_be_bytes(), query].concat()
}

async fn over_stream<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, query: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(&framed(query)).await?;
    stream.flush().await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

async fn over_http(sender: h2::client::SendRequest<Bytes>, uri: &str, query: &[u8]) -> io::Result<Vec<u8>> {
    let request = http::Request::post(uri)
        .header("content-type", "application/dns-message")
        .header("accept", "application/dns-message")
        .body(())
        .map_err(io::Error::other)?;
    let mut sender = sender.ready().await.map_err(io::Error::other)?;
    let (response, mut send) = sender.send_request(request, false).map_err(io::Error::other)?;
    send.send_data(Bytes::copy_from_slice(query), true).map_err(io::Error::other)?;
    let (head, mut body) = response.await.map_err(io::Error::other)?.into_parts();
    if head.status != http::StatusCode::OK {
        return Err(io::Error::other(format!("HTTP status {}", head.status)));
    }
    let mut answer = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(io::Error::other)?;
        body.flow_control().release_capacity(data.len()).map_err(io::Error::other)?;
        answer.extend_from_slice(&data);
        if answer.len() > LONGEST {
            return Err(io::Error::new(ErrorKind::InvalidData, "an answer longer than a DNS message"));
        }
    }
    Ok(answer)
}

async fn over_quic(connection: &quinn::Connection, query: &[u8]) -> io::Result<Vec<u8>> {
    let (mut send, mut receive) = connection.open_bi().await.map_err(io::Error::other)?;
    send.write_all(&framed(query)).await.map_err(io::Error::other)?;
    // A stream that was reset is seen by the read.
    let _ = send.finish();
    let answer = receive.read_to_end(LONGEST).await.map_err(io::Error::other)?;
    Ok(answer.get(2..).unwrap_or_default().to_vec())
}
