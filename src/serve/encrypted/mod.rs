//! Encrypted transports: DNS over TLS, HTTPS and QUIC. Off unless the config names a certificate and a port.
//!
//! ```text
//! run  one thread with a runtime of its own, so that handshakes starve neither plain TCP nor the control plane
//!   ├── certificate × 1    the pair in use; looked at every few seconds
//!   ├── ticket keys × 1    of session tickets on all sockets; read again by a reload
//!   ├── dot, h2            acceptors as for TCP, PROXY protocol and caps included; then TLS
//!   │     └── connection × m      dot: the loop of TCP over TLS; h2: a task for each request
//!   └── doq, h3            a QUIC endpoint for each socket, the same caps
//!         └── connection × m      a task for each stream
//! ```
//!
//! Plain DNS messages go into the same answer path as those of UDP and TCP: nothing but [`crate::answer::TransportKind`]
//! differs. Both engines use this: hickory-server's own listeners have no caps (see [`super::hickory`]), and its handlers take
//! records instead of octets.
//! Not limited by rate, as TCP is not: a handshake proves the source. Allocates for each query.

mod certificate;
mod doq;
mod dot;
mod freshness;
mod h2;
mod h3;
mod http;
mod quic;
mod reset_key;
mod session;
mod settings;
mod ticket_key;
mod ticket_keys;

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use crate::telemetry::{Beat, keep_beating};

use super::accept::Acceptor;
use super::bind;
use super::caps::Caps;
use super::clients::Clients;
use super::context::Context;
use super::error::ServeError;
use super::respond::Responder;
use super::shared::{LostListener, Phase, Shared};
use super::transport::Transport;

pub use certificate::{CertificateError, Certificates};
pub use reset_key::{ResetKey, ResetKeyError};
pub use settings::TlsSettings;
pub use ticket_keys::{TicketKeyError, TicketKeyFact, TicketKeys};

/// How often the certificate's files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The sockets of every encrypted transport.
pub(super) struct EncryptedSockets {
    listeners: Vec<(Transport, SocketAddr, TcpListener)>,
    quic: Vec<(Transport, SocketAddr, UdpSocket)>,
}

impl EncryptedSockets {
    /// Binds every address, or fails by name.
    pub(super) fn bind(settings: &TlsSettings) -> Result<Self, ServeError> {
        let mut sockets = Self { listeners: Vec::new(), quic: Vec::new() };
        for (transport, addresses) in [(Transport::Dot, &settings.dot), (Transport::Doh, &settings.doh)] {
            let bound = bind::listeners(transport, addresses)?;
            sockets.listeners.extend(bound.into_iter().map(|(address, socket)| (transport, address, socket)));
        }
        for (transport, addresses) in [(Transport::Doh3, &settings.doh3), (Transport::Doq, &settings.doq)] {
            let bound = bind::quic(transport, addresses)?;
            sockets.quic.extend(bound.into_iter().map(|(address, socket)| (transport, address, socket)));
        }
        Ok(sockets)
    }

    /// Where they are, port 0 resolved.
    pub(super) fn addresses(&self) -> Vec<(Transport, SocketAddr)> {
        let listeners = self.listeners.iter().map(|(transport, address, _)| (*transport, *address));
        listeners.chain(self.quic.iter().map(|(transport, address, _)| (*transport, *address))).collect()
    }
}

/// What is read from files, and read again while it is in use.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// What every new handshake shows.
    pub certificates: Arc<Certificates>,
    /// What seals and opens session tickets.
    pub ticket_keys: Arc<TicketKeys>,
}

/// What the thread serves with.
pub(super) struct Encrypted {
    pub(super) sockets: EncryptedSockets,
    pub(super) settings: TlsSettings,
    pub(super) files: TlsFiles,
    /// A random one without it.
    pub(super) reset_key: Option<ResetKey>,
    pub(super) responder: Responder,
    pub(super) clients: Arc<Clients>,
    pub(super) beat: Beat,
}

/// Serves until told to stop; then takes nothing new, and waits for what was asked to be answered.
pub(super) fn run(runtime: &tokio::runtime::Runtime, encrypted: Encrypted, shared: &Arc<Shared>) {
    let tasks = LocalSet::new();
    let mut phase = shared.phases();
    let connections = TaskTracker::new();
    // What of QUIC must still leave when every connection has ended.
    let endpoints = TaskTracker::new();
    tasks.block_on(runtime, async {
        spawn(encrypted, shared, &connections, &endpoints);
        // The sender lives in `shared`, so neither wait fails.
        let _ = phase.wait_for(|phase| *phase != Phase::Serve).await;
        connections.close();
        endpoints.close();
        let ended = async {
            connections.wait().await;
            endpoints.wait().await;
        };
        tokio::select! {
            () = ended => {}
            _ = phase.wait_for(|phase| *phase == Phase::Quit) => {}
        }
    });
}

/// Starts the task of each socket.
fn spawn(encrypted: Encrypted, shared: &Arc<Shared>, connections: &TaskTracker, endpoints: &TaskTracker) {
    let Encrypted { sockets, settings, files, reset_key, responder, clients, beat } = encrypted;
    let context = Context::new(settings.connections.clone(), responder, beat.clone());
    let caps = Caps::new(settings.connections.clone());
    let path: Rc<str> = settings.doh_path.into();
    tokio::task::spawn_local(keep_beating(beat));
    tokio::task::spawn_local(watch_certificate(files.certificates.clone()));
    for (transport, address, listener) in sockets.listeners {
        let acceptor = Acceptor {
            address,
            transport,
            context: context.clone(),
            caps: caps.clone(),
            connections: connections.clone(),
            phase: shared.phases(),
            traffic: Arc::default(),
            clients: clients.clone(),
        };
        let (path, shared) = (path.clone(), shared.clone());
        match tls(&files, transport) {
            Ok(tls) => drop(tokio::task::spawn_local(accept(acceptor, listener, tls, path, shared))),
            Err(error) => shared.lose(LostListener::new(address, transport, &io::Error::other(error))),
        }
    }
    let unproven = Rc::new(Cell::new(0));
    for (transport, address, socket) in sockets.quic {
        let endpoint = tls(&files, transport).map_err(io::Error::other).and_then(|tls| {
            quic::endpoint(socket, tls, transport, settings.connections.idle, reset_key.as_ref())
        });
        let listener = quic::QuicListener {
            address,
            transport,
            context: context.clone(),
            caps: caps.clone(),
            connections: connections.clone(),
            phase: shared.phases(),
            unproven: unproven.clone(),
        };
        let (path, shared) = (path.clone(), shared.clone());
        match endpoint {
            Ok(endpoint) => drop(endpoints.spawn_local(take(listener, endpoint, path, shared))),
            Err(error) => shared.lose(LostListener::new(address, transport, &error)),
        }
    }
}

async fn accept(
    acceptor: Acceptor,
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    path: Rc<str>,
    shared: Arc<Shared>,
) {
    let tls = TlsAcceptor::from(tls);
    if acceptor.transport == Transport::Dot {
        let serve = async move |stream, ends, context, phase| {
            dot::serve(stream, ends, tls.clone(), context, phase).await;
        };
        acceptor.run(listener, serve, &shared).await;
    } else {
        let serve = async move |stream, ends, context, phase| {
            h2::serve(stream, ends, tls.clone(), path.clone(), context, phase).await;
        };
        acceptor.run(listener, serve, &shared).await;
    }
}

async fn take(listener: quic::QuicListener, endpoint: quinn::Endpoint, path: Rc<str>, shared: Arc<Shared>) {
    if listener.transport == Transport::Doq {
        listener.run(endpoint, doq::serve, &shared).await;
    } else {
        let serve = async move |connection, server, context, phase| {
            h3::serve(connection, server, path.clone(), context, phase).await;
        };
        listener.run(endpoint, serve, &shared).await;
    }
}

/// Reads the certificate again when its files change.
async fn watch_certificate(certificates: Arc<Certificates>) {
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        let certificates = certificates.clone();
        // It ends with an error only if it panics, which was logged by then.
        let _ = tokio::task::spawn_blocking(move || certificates.reload_if_changed()).await;
    }
}

/// What TLS does for a transport: TLS 1.3, over TCP also 1.2 (RFC 9325 section 3.1.1); sessions resumed by tickets, so
/// that they cost no memory here; no early data.
fn tls(files: &TlsFiles, transport: Transport) -> Result<Arc<rustls::ServerConfig>, rustls::Error> {
    // RFC 7858 has none of its own; "dot" is registered (IANA "TLS ALPN Protocol IDs").
    let (versions, protocol): (&[_], &[u8]) = match transport {
        Transport::Doh => (&[&TLS13, &TLS12], b"h2"),
        Transport::Doh3 => (&[&TLS13], b"h3"),
        Transport::Doq => (&[&TLS13], b"doq"),
        Transport::Dot | Transport::Udp | Transport::Tcp => (&[&TLS13, &TLS12], b"dot"),
    };
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(files.certificates.clone());
    config.alpn_protocols = vec![protocol.to_vec()];
    config.ticketer = files.ticket_keys.clone();
    Ok(Arc::new(config))
}
