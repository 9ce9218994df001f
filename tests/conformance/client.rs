//! A client of each transport that keeps its connection from one query to the next.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use anyns::serve::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::client::TlsStream;

use crate::clients::{self, Http2, Http3, framed};

/// What is sent behind a query that gets no response: no zone holds its name.
const FENCE: &[u8] = b"\xfe\xce\0\0\0\x01\0\0\0\0\0\0\x05fence\x07invalid\0\0\x01\0\x01";

/// Octets of the longest message.
const LONGEST: usize = 65_535;

/// What came of a query.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A DNS message.
    Response(Vec<u8>),
    /// None: that of a query sent behind it came first, or the end of the connection.
    Silence,
    /// The transport itself refused it: `HTTP` and the status, or the name of DoQ's error.
    Refused(String),
}

/// A connection, or what stands for one.
pub(crate) enum Client {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Dot(Box<TlsStream<TcpStream>>),
    Http2(Http2),
    Http3(Http3),
    Doq {
        /// The connection lives as long as it does.
        _endpoint: quinn::Endpoint,
        connection: quinn::Connection,
    },
}

impl Client {
    pub(crate) async fn connect(transport: Transport, server: SocketAddr, trust: &Path) -> Self {
        match transport {
            Transport::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                socket.connect(server).await.unwrap();
                Self::Udp(socket)
            }
            Transport::Tcp => {
                let stream = TcpStream::connect(server).await.unwrap();
                stream.set_nodelay(true).unwrap();
                Self::Tcp(stream)
            }
            Transport::Dot => Self::Dot(Box::new(clients::dot(server, trust).await.unwrap())),
            Transport::Doh => Self::Http2(Http2::connect(server, trust).await),
            Transport::Doh3 => Self::Http3(Http3::connect(server, trust).await),
            Transport::Doq => {
                let (endpoint, connection) = clients::quic(server, trust, "doq").await.unwrap();
                Self::Doq { _endpoint: endpoint, connection }
            }
        }
    }

    /// Asks; `silence`: no response is expected. Fails if the connection is of no use.
    pub(crate) async fn ask(&mut self, query: &[u8], silence: bool) -> Result<Reply, String> {
        match self {
            Self::Udp(socket) => over_udp(socket, query, silence).await.map_err(text),
            Self::Tcp(stream) => over_stream(stream, query, silence).await,
            Self::Dot(stream) => over_stream(stream, query, silence).await,
            Self::Http2(connection) => {
                let (head, body) = connection.request(clients::post(query)).await.map_err(text)?;
                http(&head, body)
            }
            Self::Http3(connection) => {
                let (head, body) = connection.request(clients::post(query)).await.map_err(text)?;
                http(&head, body)
            }
            Self::Doq { connection, .. } => over_doq(connection, query).await,
        }
    }
}

async fn over_udp(socket: &UdpSocket, query: &[u8], silence: bool) -> io::Result<Reply> {
    socket.send(query).await?;
    if silence {
        socket.send(FENCE).await?;
    }
    let mut response = vec![0; LONGEST];
    let length = socket.recv(&mut response).await?;
    response.truncate(length);
    Ok(behind_fence(response, silence))
}

async fn over_stream<S>(stream: &mut S, query: &[u8], silence: bool) -> Result<Reply, String>
where
    S: AsyncReadExt + AsyncWriteExt + Unpin,
{
    if !silence {
        return clients::over_stream(stream, query).await.map(Reply::Response).map_err(text);
    }
    // The server may have closed it before it has it all.
    let _ = stream.write_all(&[framed(query), framed(FENCE)].concat()).await;
    let _ = stream.flush().await;
    // Where no response is right, the connection may be closed instead.
    match clients::read_message(stream).await {
        Ok(response) => Ok(behind_fence(response, silence)),
        Err(error)
            if [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset].contains(&error.kind()) =>
        {
            Ok(Reply::Silence)
        }
        Err(error) => Err(text(error)),
    }
}

fn behind_fence(response: Vec<u8>, silence: bool) -> Reply {
    if silence && response.starts_with(&FENCE[..2]) { Reply::Silence } else { Reply::Response(response) }
}

/// RFC 8484 section 4.2.1: a status of success whatever the RCODE.
fn http(head: &http::Response<()>, body: Vec<u8>) -> Result<Reply, String> {
    if head.status() != 200 {
        return Ok(Reply::Refused(format!("HTTP {}", head.status().as_u16())));
    }
    match head.headers().get("content-type").map(http::HeaderValue::as_bytes) {
        Some(b"application/dns-message") => Ok(Reply::Response(body)),
        other => Err(format!("a content type of {other:?}")),
    }
}

/// RFC 9250 section 8.4 has the errors by number.
async fn over_doq(connection: &quinn::Connection, query: &[u8]) -> Result<Reply, String> {
    match clients::over_doq(connection, query).await {
        Ok(response) => Ok(Reply::Response(response)),
        Err(error) => match connection.close_reason() {
            Some(quinn::ConnectionError::ApplicationClosed(closed)) if closed.error_code == 2_u32.into() => {
                Ok(Reply::Refused("DOQ_PROTOCOL_ERROR".into()))
            }
            reason => Err(format!("{error}: {reason:?}")),
        },
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
