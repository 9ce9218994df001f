//! TCP (RFC 7766, RFC 9210), a worker's part of it (Linux): listeners and connections in the worker's own loop.
//!
//! Events in, each a bounded piece of work: some connections accepted, or one connection read once, answered and written
//! once. Caps, shared by all workers, and timeouts keep the connections bounded. Queries over TCP are not limited by rate:
//! their source cannot be spoofed, and they take turns with those of other connections. Never blocks; locks at the beginning and
//! the end of a connection only; a connection that has sent whole queries and taken its responses holds no buffer.

mod polled_connection;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sys::datagrams::is_lost;
use crate::sys::epoll::{Epoll, Interest};
use crate::sys::streams;
use crate::telemetry::count;

use crate::serve::TcpSettings;
use crate::serve::bind;
use crate::serve::caps::{Caps, ConnectionPermit};
use crate::serve::clients::Clients;
use crate::serve::respond::Responder;
use crate::serve::shared::{LostListener, Shared};
use crate::serve::traffic::{Traffic, family};
use crate::serve::transport::Transport;

use polled_connection::{Connection, Next, Scratch, TurnContext};

/// Connections accepted for one event: the queries of a worker's other sockets wait meanwhile.
const ACCEPTS: usize = 16;

/// Connections that wait to be accepted when we stop, and are: as many as the kernel keeps for a listener.
const WAITING: usize = bind::BACKLOG as usize;

/// How often deadlines are looked at, and listeners that could not accept are tried again: an accept fails for want of
/// descriptors or memory, until a connection closes.
const SWEEP: Duration = Duration::from_millis(50);

/// The part of a token that says that it is of a connection; below it are the worker's UDP sockets and listeners.
const CONNECTIONS: u64 = 1 << 31;

/// A worker's listeners and connections.
pub(super) struct Tcp {
    listeners: Vec<AcceptingSocket>,
    /// The token of the first listener.
    first: u64,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    settings: TcpSettings,
    caps: Caps,
    clients: Arc<Clients>,
    scratch: Scratch,
    shared: Arc<Shared>,
    swept: Instant,
    /// The connection that is at work.
    at_work: Option<usize>,
}

struct AcceptingSocket {
    address: SocketAddr,
    socket: TcpListener,
    /// What is counted of this address alone.
    traffic: Arc<Traffic>,
    /// Its accept failed; not waited for until the next sweep.
    paused: bool,
    lost: bool,
}

impl Tcp {
    /// Serves these listeners, with tokens from `first`.
    pub(super) fn new(
        listeners: Vec<(SocketAddr, TcpListener, Arc<Traffic>)>,
        first: u64,
        settings: TcpSettings,
        (caps, clients): (Caps, Arc<Clients>),
        shared: Arc<Shared>,
    ) -> Self {
        let listener = |(address, socket, traffic)| AcceptingSocket {
            address,
            socket,
            traffic,
            paused: false,
            lost: false,
        };
        Self {
            listeners: listeners.into_iter().map(listener).collect(),
            first,
            connections: Vec::new(),
            free: Vec::new(),
            settings,
            caps,
            clients,
            scratch: Scratch::new(),
            shared,
            swept: Instant::now(),
            at_work: None,
        }
    }

    /// After a panic: the connection that was at work is reset, because what it had read is lost, and what is lent out of the
    /// scratch during a turn is made anew.
    pub(super) fn mend(&mut self) {
        self.scratch = Scratch::new();
        if let Some(index) = self.at_work.take() {
            if let Some(connection) = self.connections.get(index).and_then(Option::as_ref) {
                polled_connection::reset(connection.stream());
            }
            self.close(index);
        }
    }

    /// Leaves it as a panic does in the middle of a connection's turn.
    #[cfg(test)]
    pub(super) fn interrupt(&mut self, index: usize) {
        self.at_work = Some(index);
        self.scratch = Scratch::empty();
    }

    /// Waits for the listeners as well.
    pub(super) fn register(&self, epoll: &Epoll) -> io::Result<()> {
        let mut tokens = self.first..;
        self.listeners
            .iter()
            .zip(&mut tokens)
            .try_for_each(|(listener, token)| epoll.add(&listener.socket, token, Interest::Read))
    }

    /// Whether there is no connection.
    pub(super) fn is_empty(&self) -> bool {
        self.connections.len() == self.free.len()
    }

    /// Serves the connection with this token; nothing if it is no connection's.
    pub(super) fn serve_ready(&mut self, token: u64, epoll: &Epoll, responder: &mut Responder, now: Instant) {
        if let Some(index) = token.checked_sub(CONNECTIONS) {
            self.serve(index as usize, epoll, responder, now);
        }
    }

    /// Accepts from the listener with this token; nothing if it is no listener's.
    pub(super) fn accept_ready(
        &mut self,
        token: u64,
        epoll: &Epoll,
        responder: &mut Responder,
        now: Instant,
    ) {
        if let Some(index) = token.checked_sub(self.first).filter(|_| token < CONNECTIONS) {
            self.accept(index as usize, epoll, responder, now);
        }
    }

    /// Closes connections whose time is up, and takes paused listeners up again; nothing if it is not yet time.
    pub(super) fn sweep(&mut self, epoll: &Epoll, responder: &Responder, now: Instant) {
        if now.saturating_duration_since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        for index in 0..self.connections.len() {
            let connection = self.connections.get_mut(index).and_then(Option::as_mut);
            let Some(connection) = connection else { continue };
            if !connection.is_overdue(now) {
                continue;
            }
            if !connection.is_leaving() {
                responder.add(|counters| count(&counters.tcp_timeouts));
            }
            self.close(index);
        }
        for (listener, token) in self.listeners.iter_mut().zip(self.first..) {
            if listener.paused && !listener.lost {
                listener.paused = epoll.add(&listener.socket, token, Interest::Read).is_err();
            }
        }
    }

    /// Takes the connections that wait and then no more, and has each end when what it has sent by now is answered and
    /// the client has taken that: some at once, the others by the events that follow.
    pub(super) fn stop(&mut self, epoll: &Epoll, responder: &mut Responder, now: Instant) {
        for index in 0..self.listeners.len() {
            let mut rounds = 0..WAITING.div_ceil(ACCEPTS);
            while rounds.next().is_some() && self.accept(index, epoll, responder, now) {}
        }
        self.listeners.clear();
        for index in 0..self.connections.len() {
            if let Some(connection) = self.connections.get_mut(index).and_then(Option::as_mut) {
                connection.end_soon();
            }
            self.serve(index, epoll, responder, now);
        }
    }

    /// Accepts some connections. Returns whether more may wait.
    fn accept(&mut self, index: usize, epoll: &Epoll, responder: &mut Responder, now: Instant) -> bool {
        for _ in 0..ACCEPTS {
            let Some(listener) = self.listeners.get_mut(index) else { return false };
            let error = match streams::accept(&listener.socket) {
                Ok((stream, source)) => {
                    let (traffic, address) = (listener.traffic.clone(), listener.address);
                    self.take(stream, (source, address), &traffic, epoll, responder, now);
                    continue;
                }
                Err(error) => error,
            };
            if error.kind() == io::ErrorKind::WouldBlock {
                return false;
            }
            // An error of accept may also be one of the new connection (accept(2)); those pass. EINVAL: it does not listen.
            listener.lost = is_lost(&error) || error.kind() == io::ErrorKind::InvalidInput;
            listener.paused = true;
            let _ = epoll.remove(&listener.socket);
            if listener.lost {
                self.shared.lose(LostListener::new(listener.address, Transport::Tcp, &error));
            } else {
                responder.add(|counters| count(&counters.receive_errors));
            }
            return false;
        }
        true
    }

    /// Serves a connection, or resets it if a cap is reached: a reset says "not now" at once, where silence would
    /// cost the client its timeout.
    fn take(
        &mut self,
        stream: std::net::TcpStream,
        (source, listener): (SocketAddr, SocketAddr),
        traffic: &Arc<Traffic>,
        epoll: &Epoll,
        responder: &mut Responder,
        now: Instant,
    ) {
        traffic.accepted();
        self.clients.add(source.ip(), now);
        let proxied = self.settings.is_proxy(source.ip());
        let permit: Option<ConnectionPermit> =
            if proxied { self.caps.enter_before_proxy_header() } else { self.caps.enter(source.ip()) };
        let Some(permit) = permit else {
            traffic.refused();
            responder.add(|counters| count(&counters.tcp_refused));
            polled_connection::reset(&stream);
            return;
        };
        responder.add(|counters| count(&counters.tcp_connections));
        tracing::trace!(%source, "connection");
        let index = self.free.pop().unwrap_or(self.connections.len());
        let token = CONNECTIONS + index as u64;
        let counted = (traffic.clone(), family(source.ip()));
        let ends = (source.ip(), listener);
        let connection = Connection::new(stream, ends, (permit, proxied), counted, &self.settings, now);
        let waited_for = epoll.add(connection.stream(), token, Interest::Read);
        match self.connections.get_mut(index) {
            Some(slot) => *slot = Some(connection),
            None => self.connections.push(Some(connection)),
        }
        if waited_for.is_err() {
            responder.add(|counters| count(&counters.receive_errors));
            self.close(index);
        }
        // It is not read yet: nine in ten queries come later (dnsperf's way of one query a connection, loopback), and
        // the one that is there makes the next wait return at once.
    }

    fn serve(&mut self, index: usize, epoll: &Epoll, responder: &mut Responder, now: Instant) {
        let Some(connection) = self.connections.get_mut(index).and_then(Option::as_mut) else { return };
        let waited = connection.waits_for();
        let (settings, caps, scratch) = (&self.settings, &self.caps, &mut self.scratch);
        self.at_work = Some(index);
        let next = connection.turn(&mut TurnContext { responder, scratch, settings, caps, now });
        self.at_work = None;
        match next {
            Next::Wait => {
                let wanted = connection.waits_for();
                let token = CONNECTIONS + index as u64;
                if wanted != waited && epoll.change(connection.stream(), token, wanted).is_err() {
                    self.close(index);
                }
            }
            Next::Close => self.close(index),
        }
    }

    /// The kernel forgets a socket that is closed.
    fn close(&mut self, index: usize) {
        if self.connections.get_mut(index).and_then(Option::take).is_some() {
            self.free.push(index);
        }
    }
}
