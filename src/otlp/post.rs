//! One request to the receiver, on a connection of its own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::endpoint::Endpoint;

/// How long a request may take, its connection included.
const PATIENCE: Duration = Duration::from_secs(5);

/// Octets of a response at most: it holds a count and a text.
const MOST_RESPONSE: usize = 64 * 1024;

/// A receiver that asks for a longer pause is asked after this one.
const MOST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("no connection")]
    Connect(#[source] io::Error),
    #[error("HTTP broke off")]
    Http(#[source] hyper::Error),
    #[error("no answer within {PATIENCE:?}")]
    Timeout,
    #[error("answered with HTTP status {status}")]
    Status { status: u16, retry_after: Option<Duration> },
    #[error("the answer is too long, or broke off")]
    Response,
}

impl PostError {
    /// Whether the same batch may be taken later (OTLP over HTTP, "Retryable Response Codes").
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Http(_) | Self::Timeout | Self::Response => true,
            Self::Status { status, .. } => matches!(status, 429 | 502 | 503 | 504),
        }
    }

    /// How long the receiver wants to be left alone, bounded ("OTLP/HTTP Throttling").
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => retry_after.map(|pause| pause.min(MOST_RETRY_AFTER)),
            _ => None,
        }
    }
}

/// Sends a body to a path; the body of the response.
pub(super) async fn post(
    endpoint: Endpoint,
    sources: &[IpAddr],
    path: &'static str,
    body: Vec<u8>,
) -> Result<Bytes, PostError> {
    let exchange = async {
        let stream = connect(endpoint.address(), sources).await.map_err(PostError::Connect)?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(PostError::Http)?;
        let ask = async {
            let mut request = Request::new(Full::new(Bytes::from(body)));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = hyper::Uri::from_static(path);
            let fields = request.headers_mut();
            if let Ok(host) = HeaderValue::try_from(endpoint.address().to_string()) {
                fields.insert(header::HOST, host);
            }
            fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
            fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
            let response = sender.send_request(request).await.map_err(PostError::Http)?;
            // A gateway may take records with 202.
            if !response.status().is_success() {
                let status = response.status().as_u16();
                return Err(PostError::Status { status, retry_after: retry_after(response.headers()) });
            }
            let body = Limited::new(response.into_body(), MOST_RESPONSE).collect().await;
            body.map(|body| body.to_bytes()).map_err(|_| PostError::Response)
        };
        // The connection is driven while the answer is awaited, and ends with it.
        let drive = async {
            if let Err(error) = connection.await {
                return PostError::Http(error);
            }
            std::future::pending().await
        };
        tokio::select! {
            biased;
            answer = ask => answer,
            error = drive => Err(error),
        }
    };
    timeout(PATIENCE, exchange).await.unwrap_or(Err(PostError::Timeout))
}

/// The seconds of Retry-After (RFC 9110 section 10.2.3). A date is not looked at: the clocks may differ.
fn retry_after(fields: &HeaderMap) -> Option<Duration> {
    let seconds = fields.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// From a management address, never from a service address (rule 7 of the crate); to loopback from loopback.
async fn connect(address: SocketAddr, sources: &[IpAddr]) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    let source = sources.iter().find(|source| source.is_ipv4() == address.is_ipv4());
    if let Some(source) = source.filter(|_| !address.ip().is_loopback()) {
        socket.bind(SocketAddr::new(*source, 0))?;
    }
    socket.connect(address).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_may_ask_for_a_pause_and_not_for_a_long_one() {
        let asked = |value: &'static str| {
            let fields = [(header::RETRY_AFTER, HeaderValue::from_static(value))].into_iter().collect();
            PostError::Status { status: 503, retry_after: retry_after(&fields) }.retry_after()
        };
        assert_eq!(asked("30"), Some(Duration::from_secs(30)));
        assert_eq!(asked("86400"), Some(MOST_RETRY_AFTER));
        assert_eq!(asked("Fri, 31 Dec 1999 23:59:59 GMT"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
