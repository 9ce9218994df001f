//! Accepting: connections of one listener in, each a task of its own; those above a cap are reset.
//!
//! Shared by the encrypted transports over TCP. A connection from a listed load balancer begins with a PROXY protocol header,
//! and the caps then meet the client that it names. Never reads an octet that belongs to the transport.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::telemetry::{count, keep_going};

use super::caps::{Caps, ConnectionPermit};
use super::clients::Clients;
use super::context::Context;
use super::message_stream::PATIENCE;
use super::proxy::{self, Origin};
use super::shared::{LostListener, Phase, Shared};
use super::traffic::Traffic;
use super::transport::Transport;

/// How long to wait after an accept failed because descriptors or memory ran out: a connection that closes frees both.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Between whom a connection is; behind a load balancer as its header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionEnds {
    pub(super) client: IpAddr,
    /// The address that the client asked, where that is known.
    pub(super) asked: Option<SocketAddr>,
}

/// The acceptor of one listener.
#[derive(Clone)]
pub(super) struct Acceptor {
    pub(super) address: SocketAddr,
    pub(super) transport: Transport,
    pub(super) context: Rc<Context>,
    pub(super) caps: Caps,
    pub(super) connections: TaskTracker,
    pub(super) phase: watch::Receiver<Phase>,
    /// What is counted of this listener alone.
    pub(super) traffic: Arc<Traffic>,
    pub(super) clients: Arc<Clients>,
}

impl Acceptor {
    /// Accepts until told to stop and hands each connection to `serve`; reports a lost listener.
    pub(super) async fn run<S>(self, listener: std::net::TcpListener, serve: S, shared: &Shared)
    where
        S: AsyncFn(TcpStream, ConnectionEnds, Rc<Context>, watch::Receiver<Phase>) + Clone + 'static,
    {
        let accepted = match TcpListener::from_std(listener) {
            Ok(listener) => {
                let accept = async || self.clone().accept(&listener, serve.clone()).await;
                keep_going(&self.context.beat, accept).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = accepted {
            shared.lose(LostListener::new(self.address, self.transport, &error));
        }
    }

    async fn accept<S>(mut self, listener: &TcpListener, serve: S) -> io::Result<()>
    where
        S: AsyncFn(TcpStream, ConnectionEnds, Rc<Context>, watch::Receiver<Phase>) + Clone + 'static,
    {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = self.phase.wait_for(|phase| *phase != Phase::Serve) => return Ok(()),
            };
            match accepted {
                Ok((stream, source)) => self.take(stream, source, serve.clone()),
                Err(error) if is_lost(&error) => return Err(error),
                Err(_) => {
                    self.context.add(|counters| count(&counters.receive_errors));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Serves a connection, or resets it if a cap is reached: a reset says "not now" at once, where silence would
    /// cost the client its timeout.
    fn take<S>(&self, mut stream: TcpStream, source: SocketAddr, serve: S)
    where
        S: AsyncFn(TcpStream, ConnectionEnds, Rc<Context>, watch::Receiver<Phase>) + 'static,
    {
        self.traffic.accepted();
        self.clients.add(source.ip(), Instant::now());
        let proxied = self.context.settings.is_proxy(source.ip());
        let permit =
            if proxied { self.caps.enter_before_proxy_header() } else { self.caps.enter(source.ip()) };
        let Some(permit) = permit else {
            self.refuse(&stream);
            return;
        };
        self.context.add(|counters| count(&counters.tcp_connections));
        tracing::trace!(address = %self.address, transport = %self.transport, %source, "connection");
        let acceptor = self.clone();
        let beat = self.context.beat.clone();
        let served = async move {
            let named = match proxied {
                true => acceptor.read_proxy_header(permit, &mut stream, source).await,
                false => {
                    Some((permit, ConnectionEnds { client: source.ip(), asked: stream.local_addr().ok() }))
                }
            };
            if let Some((permit, ends)) = named {
                serve(stream, ends, acceptor.context, acceptor.phase).await;
                drop(permit);
            }
        };
        self.connections.spawn_local(async move {
            // It costs the one connection; the panic hook has logged it.
            if AssertUnwindSafe(served).catch_unwind().await.is_err() {
                beat.panicked();
            }
        });
    }

    /// Reads the load balancer's header and counts the connection for the client that it names.
    async fn read_proxy_header(
        &self,
        uncounted: ConnectionPermit,
        stream: &mut TcpStream,
        balancer: SocketAddr,
    ) -> Option<(ConnectionPermit, ConnectionEnds)> {
        let origin = match timeout(PATIENCE, header(stream)).await {
            Ok(Ok(origin)) => origin,
            Ok(Err(error)) => {
                tracing::debug!(%balancer, %error, "PROXY protocol");
                self.context.add(|counters| count(&counters.handshake_failures));
                let _ = stream.set_zero_linger();
                return None;
            }
            Err(_) => {
                self.context.add(|counters| count(&counters.tcp_timeouts));
                return None;
            }
        };
        drop(uncounted);
        let (client, asked) = match origin {
            Origin::Client { client, asked } => (client.ip(), Some(asked)),
            Origin::Balancer => (balancer.ip(), stream.local_addr().ok()),
        };
        let permit = self.caps.enter(client);
        if permit.is_none() {
            self.refuse(stream);
        }
        Some((permit?, ConnectionEnds { client, asked }))
    }

    fn refuse(&self, stream: &TcpStream) {
        self.traffic.refused();
        self.context.add(|counters| count(&counters.tcp_refused));
        let _ = stream.set_zero_linger();
    }
}

/// Reads the PROXY protocol header and not an octet more.
async fn header(stream: &mut TcpStream) -> io::Result<Origin> {
    let mut octets = Vec::new();
    loop {
        match proxy::read(&octets) {
            Ok(Some((origin, _))) => return Ok(origin),
            Ok(None) => {}
            Err(fault) => return Err(io::Error::new(io::ErrorKind::InvalidData, fault)),
        }
        let missing = proxy::length(&octets).saturating_sub(octets.len());
        let read = stream.take(missing as u64).read_to_end(&mut octets).await?;
        if read < missing {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Whether an error of accept says that the listener is gone, rather than that one connection failed (accept(2)
/// reports the errors of the new connection as well).
fn is_lost(error: &io::Error) -> bool {
    #[cfg(native)]
    if crate::sys::datagrams::is_lost(error) {
        return true;
    }
    // EINVAL: not listening any more.
    error.kind() == io::ErrorKind::InvalidInput
}
