//! QUIC (RFC 9000): a socket in, connections out, each a task of its own; those above a cap are refused.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, IdleTimeout, Incoming, TokioRuntime, TransportConfig, VarInt};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::serve::caps::{Caps, ConnectionPermit};
use crate::serve::context::Context;
use crate::serve::message_stream::PATIENCE;
use crate::serve::shared::{LostListener, Phase, Shared};
use crate::serve::transport::Transport;
use crate::telemetry::{count, keep_going};

use super::reset_key::ResetKey;
use super::session::{STREAM_WINDOW, STREAMS, WINDOW};

/// Handshakes at one time with sources that may be spoofed. Above it a client must first show that it receives what we
/// send to it (Retry, RFC 9000 section 8.1.2): one more round trip for every client, so not before it is needed.
const UNPROVEN: usize = 64;

/// Streams that only the client writes: HTTP/3 has a control stream and two of QPACK, and may grease with one more
/// (RFC 9114 section 6.2). DoQ has none.
const HTTP3_STREAMS: u32 = 4;

/// Octets sent and not acknowledged, for which we keep a copy.
const SEND_WINDOW: u64 = 256 << 10;

/// Serves the connections of one socket.
#[derive(Clone)]
pub(super) struct QuicListener {
    pub(super) address: SocketAddr,
    pub(super) transport: Transport,
    pub(super) context: Rc<Context>,
    pub(super) caps: Caps,
    pub(super) connections: TaskTracker,
    pub(super) phase: watch::Receiver<Phase>,
    /// Handshakes under way with sources that may be spoofed.
    pub(super) unproven: Rc<Cell<usize>>,
}

/// Makes the endpoint; needs the runtime around it.
pub(super) fn endpoint(
    socket: std::net::UdpSocket,
    tls: Arc<rustls::ServerConfig>,
    transport: Transport,
    idle: Duration,
    reset_key: Option<&ResetKey>,
) -> io::Result<Endpoint> {
    let tls = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
    let mut settings = TransportConfig::default();
    let uni = if transport == Transport::Doh3 { HTTP3_STREAMS } else { 0 };
    // A client's pings keep it from this timeout; a session without requests ends all the same.
    let idle = IdleTimeout::try_from(idle).map_err(io::Error::other)?;
    settings
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(uni))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(idle));
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(tls));
    config.transport_config(Arc::new(settings));
    let endpoint = reset_key.map(ResetKey::endpoint).unwrap_or_default();
    Endpoint::new(endpoint, Some(config), socket, Arc::new(TokioRuntime))
}

impl QuicListener {
    /// Takes connections until told to stop and hands each to `serve`; tells if the socket is lost.
    pub(super) async fn run<S>(self, endpoint: Endpoint, serve: S, shared: &Shared)
    where
        S: AsyncFn(Connection, SocketAddr, Rc<Context>, watch::Receiver<Phase>) + Clone + 'static,
    {
        let run = async || self.clone().accept(&endpoint, serve.clone(), shared).await;
        keep_going(&self.context.beat, run).await;
    }

    async fn accept<S>(mut self, endpoint: &Endpoint, serve: S, shared: &Shared)
    where
        S: AsyncFn(Connection, SocketAddr, Rc<Context>, watch::Receiver<Phase>) + Clone + 'static,
    {
        loop {
            let incoming = tokio::select! {
                incoming = endpoint.accept() => incoming,
                _ = self.phase.wait_for(|phase| *phase != Phase::Serve) => break,
            };
            let Some(incoming) = incoming else {
                let error = io::Error::other("the QUIC endpoint ended");
                shared.lose(LostListener::new(self.address, self.transport, &error));
                return;
            };
            self.take(incoming, serve.clone());
        }
        // New connections are refused; the existing ones are closed with a reason before the socket goes.
        endpoint.set_server_config(None);
        self.connections.close();
        self.connections.wait().await;
        endpoint.wait_idle().await;
    }

    fn take<S>(&self, incoming: Incoming, serve: S)
    where
        S: AsyncFn(Connection, SocketAddr, Rc<Context>, watch::Receiver<Phase>) + 'static,
    {
        let proven = incoming.remote_address_validated();
        if !proven && self.unproven.get() >= UNPROVEN && incoming.may_retry() {
            // It fails only where a retry may not be sent.
            let _ = incoming.retry();
            return;
        }
        let Some(permit) = self.caps.enter(incoming.remote_address().ip()) else {
            self.context.add(|counters| count(&counters.tcp_refused));
            incoming.refuse();
            return;
        };
        self.context.add(|counters| count(&counters.tcp_connections));
        let listener = self.clone();
        let unproven = (!proven).then(|| Unproven::new(&self.unproven));
        self.connections.spawn_local(listener.shake(incoming, permit, unproven, serve));
    }

    async fn shake<S>(
        self,
        incoming: Incoming,
        permit: ConnectionPermit,
        unproven: Option<Unproven>,
        serve: S,
    ) where
        S: AsyncFn(Connection, SocketAddr, Rc<Context>, watch::Receiver<Phase>),
    {
        let connected = match incoming.accept() {
            Ok(connecting) => timeout(PATIENCE, connecting).await.ok().and_then(Result::ok),
            Err(_) => None,
        };
        drop(unproven);
        match connected {
            Some(connection) => {
                self.context.add(|counters| count(&counters.quic_sessions));
                // The socket may have all addresses; the client asked one of them.
                let local = connection.local_ip().filter(|_| self.address.ip().is_unspecified());
                let server = SocketAddr::new(local.unwrap_or(self.address.ip()), self.address.port());
                serve(connection, server, self.context, self.phase).await;
            }
            None => self.context.add(|counters| count(&counters.handshake_failures)),
        }
        drop(permit);
    }
}

/// One handshake with a source that may be spoofed; counted until dropped.
struct Unproven(Rc<Cell<usize>>);

impl Unproven {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(count.clone())
    }
}

impl Drop for Unproven {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
