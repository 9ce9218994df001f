//! One POP over HTTP: a path out, a bounded body in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;

use super::error::FleetError;
use super::settings::{FleetPop, FleetTls, FleetUrl};
use crate::telemetry::{CertificateValidity, locked};
use crate::transfer::read_file;
use crate::transfer::tls::{Authentication, TlsClient};

/// Octets of a token file at most; the server takes no longer token.
const MOST_TOKEN: u64 = 1024;

/// Connections that are kept for the next questions: more are not asked at a time.
const MOST_KEPT: usize = 4;

/// The protocol of the connection (RFC 7301).
const HTTP: &[u8] = b"http/1.1";

/// How one POP is asked.
#[derive(Debug)]
pub struct PopClient {
    name: String,
    url: FleetUrl,
    token: Option<HeaderValue>,
    tls: Option<TlsClient>,
    sources: Vec<IpAddr>,
    /// Connections without a question; never locked across a wait.
    kept: Mutex<Vec<SendRequest<Empty<Bytes>>>>,
}

impl PopClient {
    /// Reads the files that are needed to ask this POP. Blocks for as long as files do.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn new(pop: &FleetPop, sources: &[IpAddr]) -> Result<Self, FleetError> {
        let FleetPop { name, url, token, tls } = pop;
        let token = token.as_ref().map(|path| {
            let octets = read_file(path, MOST_TOKEN, true).map_err(FleetError::TokenFile)?;
            let field = [b"Bearer ", octets.trim_ascii()].concat();
            let mut field =
                HeaderValue::from_bytes(&field).map_err(|_| FleetError::Token { path: path.clone() })?;
            field.set_sensitive(true);
            Ok(field)
        });
        let tls = tls.as_ref().filter(|_| url.is_encrypted).map(|tls| tls_client(tls, url));
        Ok(Self {
            name: name.clone(),
            url: url.clone(),
            token: token.transpose()?,
            tls: tls.transpose()?,
            sources: sources.to_vec(),
            kept: Mutex::default(),
        })
    }

    /// The POP's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When the certificate that it is shown is valid, if there is one.
    #[must_use]
    pub fn certificate(&self) -> Option<CertificateValidity> {
        self.tls.as_ref()?.validity()
    }

    /// Where it is asked.
    #[must_use]
    pub fn url(&self) -> &FleetUrl {
        &self.url
    }

    /// The JSON document at this path, of so many octets at most.
    ///
    /// # Errors
    /// No answer within `limit`, or none that can be used.
    pub async fn document<T: DeserializeOwned>(
        &self,
        path: &str,
        most: usize,
        limit: Duration,
    ) -> Result<T, FleetError> {
        let body = timeout(limit, self.get(path, most)).await.map_err(|_| {
            // The others may lead nowhere, too.
            locked(&self.kept).clear();
            FleetError::Timeout(limit)
        })??;
        serde_json::from_slice(&body).map_err(FleetError::Document)
    }

    async fn get(&self, path: &str, most: usize) -> Result<Bytes, FleetError> {
        // A connection that the POP has closed meanwhile says nothing of the POP, and a question may be put twice: it changes nothing.
        while let Some(sender) = self.take_kept() {
            match self.exchange(sender, path, most).await {
                Err(FleetError::Http(_)) => {}
                outcome => return outcome,
            }
        }
        let sender = self.open().await?;
        self.exchange(sender, path, most).await
    }

    fn take_kept(&self) -> Option<SendRequest<Empty<Bytes>>> {
        let mut kept = locked(&self.kept);
        kept.retain(|sender| !sender.is_closed());
        kept.pop()
    }

    /// Another connection.
    async fn open(&self) -> Result<SendRequest<Empty<Bytes>>, FleetError> {
        let stream = self.connect().await?;
        match &self.tls {
            None => speak(stream).await,
            Some(tls) => {
                let (connector, name) = tls.connector();
                speak(connector.connect(name, stream).await.map_err(FleetError::Handshake)?).await
            }
        }
    }

    /// One request; the connection is kept for the next one.
    async fn exchange(
        &self,
        mut sender: SendRequest<Empty<Bytes>>,
        path: &str,
        most: usize,
    ) -> Result<Bytes, FleetError> {
        sender.ready().await.map_err(FleetError::Http)?;
        let mut request = Request::new(Empty::<Bytes>::new());
        // Paths are made here, of what is escaped.
        *request.uri_mut() = path.parse().unwrap_or_default();
        let fields = request.headers_mut();
        if let Ok(host) = HeaderValue::try_from(self.url.authority()) {
            fields.insert(header::HOST, host);
        }
        if let Some(token) = &self.token {
            fields.insert(header::AUTHORIZATION, token.clone());
        }
        let response = sender.send_request(request).await.map_err(FleetError::Http)?;
        if response.status() != StatusCode::OK {
            return Err(FleetError::Status { status: response.status().as_u16() });
        }
        let body = Limited::new(response.into_body(), most).collect().await;
        let body = body.map(|body| body.to_bytes()).map_err(|error| {
            if error.is::<LengthLimitError>() {
                return FleetError::TooLong { most };
            }
            match error.downcast::<hyper::Error>() {
                Ok(error) => FleetError::Http(*error),
                Err(error) => FleetError::Connect(std::io::Error::other(error)),
            }
        })?;
        let mut kept = locked(&self.kept);
        if kept.len() < MOST_KEPT && !sender.is_closed() {
            kept.push(sender);
        }
        Ok(body)
    }

    async fn connect(&self) -> Result<TcpStream, FleetError> {
        let FleetUrl { host, port, .. } = &self.url;
        let named = |source| FleetError::Name { host: host.clone(), source };
        let addresses = lookup_host((host.as_str(), *port)).await.map_err(named)?;
        let mut outcome =
            Err(FleetError::Name { host: host.clone(), source: std::io::ErrorKind::NotFound.into() });
        for address in addresses {
            outcome = self.connect_to(address).await.map_err(FleetError::Connect);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// From a management address of the same family: a service address as the source would have the answer go to another POP. A host
    /// without management addresses is no POP, and connects from where it wants.
    async fn connect_to(&self, address: SocketAddr) -> std::io::Result<TcpStream> {
        let source = self.sources.iter().find(|source| source.is_ipv4() == address.is_ipv4());
        if source.is_none() && !self.sources.is_empty() && !address.ip().is_loopback() {
            let message = format!(
                "no management address has the family of {address}, and nothing leaves from a service address"
            );
            return Err(std::io::Error::new(std::io::ErrorKind::AddrNotAvailable, message));
        }
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // To loopback only loopback leads.
        if let Some(source) = source.filter(|source| address.ip().is_loopback() == source.is_loopback()) {
            socket.bind(SocketAddr::new(*source, 0))?;
        }
        socket.connect(address).await
    }
}

/// HTTP on a stream, which a task of its own drives; it ends with the sender.
async fn speak<S>(stream: S) -> Result<SendRequest<Empty<Bytes>>, FleetError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(FleetError::Http)?;
    // The question that waits for an answer is told what goes wrong on it.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

fn tls_client(tls: &FleetTls, url: &FleetUrl) -> Result<TlsClient, FleetError> {
    let FleetTls { ca, server_name, pins, client } = tls;
    let authentication = match ca {
        Some(file) => Authentication::Authority {
            file: file.clone(),
            name: server_name.clone().unwrap_or_else(|| url.host.clone()),
        },
        None => Authentication::Pins(pins.clone()),
    };
    let client = client.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
    let client = TlsClient::new(&authentication, client).map_err(FleetError::Tls)?;
    Ok(client.speaking(HTTP))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::with_causes;

    /// Asks a POP at an address where nobody answers; what is said.
    async fn refused(url: &str, sources: &[&str]) -> String {
        let pop = FleetPop { name: "ams1".to_owned(), url: url.parse().unwrap(), token: None, tls: None };
        let sources: Vec<IpAddr> = sources.iter().map(|source| source.parse().unwrap()).collect();
        let client = PopClient::new(&pop, &sources).unwrap();
        let document = client.document::<serde_json::Value>("/", 100, Duration::from_secs(20)).await;
        with_causes(&document.unwrap_err())
    }

    #[tokio::test]
    async fn a_pop_asks_no_other_one_from_an_address_that_is_not_for_management() {
        let words = "no management address has the family of";
        let said = refused("http://[2001:db8::1]:1", &["198.51.100.10"]).await;
        assert!(said.contains(words), "{said}");
        let said = refused("http://198.51.100.1:1", &["2001:db8::10"]).await;
        assert!(said.contains(words), "{said}");
        // Only loopback leads to loopback, and nobody is asked from another host.
        let said = refused("http://127.0.0.1:1", &["2001:db8::10"]).await;
        assert!(said.contains("refused") && !said.contains(words), "{said}");
    }
}
