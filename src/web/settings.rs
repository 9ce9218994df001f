//! What the operator chose about the listener.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// `[web]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// Files with one bearer token each (RFC 6750 section 2.1); any of them will do.
    pub tokens: Vec<PathBuf>,
    /// The certificate, without which HTTP is not encrypted.
    pub tls: Option<WebTls>,
}

/// How connections are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebTls {
    /// The certificate and those that it comes from, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The authorities of clients; with them each client must show a certificate (mutual TLS).
    pub client_ca: Option<PathBuf>,
}

impl Settings {
    /// Loopback, and a port that IANA has given to nobody and no usual exporter takes.
    pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9533);

    /// The most addresses: the management addresses of both families, and loopback.
    pub const MAX_LISTEN: usize = 8;

    /// The most token files: one for each kind of client, twice during a change.
    pub const MAX_TOKENS: usize = 16;

    /// Whether clients must prove who they are.
    #[must_use]
    pub fn authenticates(&self) -> bool {
        !self.tokens.is_empty() || self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some())
    }
}
