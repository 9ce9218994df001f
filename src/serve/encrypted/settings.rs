//! What the operator chose about encrypted transports.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::serve::tcp_settings::TcpSettings;
use crate::serve::transport::Transport;

/// What the operator chose about encrypted transports. A transport without an address is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate chain, PEM, the server's own first.
    pub certificate: PathBuf,
    /// The private key of the first certificate, PEM: PKCS #8, SEC 1 or PKCS #1, not encrypted.
    pub key: PathBuf,
    /// The keys of session tickets, at most [`TlsSettings::MOST_TICKET_KEYS`] files of 80 or 48 octets: the first one issues, all open. A
    /// reload takes them over. Without any, random keys of this process alone.
    pub ticket_keys: Vec<PathBuf>,
    /// The key of QUIC's stateless resets, a file of 32 octets: of this server, or of those behind one ECMP group. Without it a random one.
    pub quic_reset_key: Option<PathBuf>,
    /// DNS over TLS (RFC 7858).
    pub dot: Vec<SocketAddr>,
    /// DNS over HTTPS over HTTP/2 (RFC 8484).
    pub doh: Vec<SocketAddr>,
    /// DNS over HTTPS over HTTP/3.
    pub doh3: Vec<SocketAddr>,
    /// The path that DoH answers at; another one is not found.
    pub doh_path: String,
    /// DNS over QUIC (RFC 9250).
    pub doq: Vec<SocketAddr>,
    /// Caps and the idle time of all encrypted connections together; they share none with plain TCP, so
    /// neither kind can use up the other's connections.
    pub connections: TcpSettings,
}

impl TlsSettings {
    /// The path that every DoH client knows (RFC 8484 section 4.1.1 uses it throughout).
    pub const DEFAULT_DOH_PATH: &'static str = "/dns-query";
    /// The port of DNS over TLS (RFC 7858 section 3.1) and over QUIC (RFC 9250 section 4.1.1).
    pub const DNS_PORT: u16 = 853;
    /// The most ticket keys: with a new one each hour, all whose tickets of 12 hours are still good, the one in use and the next.
    pub const MOST_TICKET_KEYS: usize = 16;
    /// The port of HTTPS.
    pub const HTTPS_PORT: u16 = 443;

    /// Every transport with each of its addresses.
    pub fn listen(&self) -> impl Iterator<Item = (Transport, SocketAddr)> {
        let transports = [
            (Transport::Dot, &self.dot),
            (Transport::Doh, &self.doh),
            (Transport::Doh3, &self.doh3),
            (Transport::Doq, &self.doq),
        ];
        transports.into_iter().flat_map(|(transport, all)| all.iter().map(move |one| (transport, *one)))
    }
}
