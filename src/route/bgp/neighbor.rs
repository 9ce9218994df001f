//! One neighbor, one task: connects and reconnects, settles collisions, tells what is wanted.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rustbgpd_fsm::SessionState as FsmState;
use rustbgpd_wire::notification::cease_subcode;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::change::{NeighborConfig, reset_keys};
use super::connection::{Connection, cease, collision};
use super::error::SessionError;
use super::observe::Observer;
use super::rib_out::RibOut;
use super::sessions::Sessions;
use super::settings::{BgpSettings, Mode};
use super::socket;
use crate::route::driver::{SessionState, Wanted};
use crate::telemetry::Beat;

/// How long an attempt to connect may take. A router answers in milliseconds; one that boots drops the first SYN, and
/// the next attempt reaches it sooner than TCP's own repeats would.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);
/// How long the last NOTIFICATION may take to leave at shutdown.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(1);

/// One neighbor.
#[derive(Debug)]
pub(super) struct NeighborTask {
    /// Its configuration.
    pub(super) config: Arc<NeighborConfig>,
    /// What it is to go by; closed when the neighbor is removed from the configuration.
    pub(super) changes: watch::Receiver<Arc<NeighborConfig>>,
    pub(super) wanted: watch::Receiver<Wanted>,
    /// Connections that the listener accepted; one waits at most.
    pub(super) incoming: mpsc::Receiver<TcpStream>,
    pub(super) observer: Observer,
    pub(super) sessions: Sessions,
    pub(super) beat: Beat,
    pub(super) stop: CancellationToken,
}

/// The connections with a neighbor: two while a collision is not settled.
#[derive(Debug, Default)]
struct Connections {
    outgoing: Option<Connection>,
    incoming: Option<Connection>,
}

/// Which end opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// We did.
    Outgoing,
    /// The neighbor did.
    Incoming,
}

/// What woke the task.
enum Wake {
    Stop,
    Removed,
    Changed,
    Wanted,
    Progress,
    Accepted(TcpStream),
    Connected(Result<TcpStream, SessionError>),
}

impl NeighborTask {
    /// Runs until `stop` is cancelled, the sender of the wanted routes is gone, or the neighbor is removed; then ends the session with a
    /// Cease. Can be run again after a panic, which has closed its connections.
    pub(super) async fn run(&mut self) {
        self.observer.lost();
        let mut connections = Connections::default();
        let mut rib = RibOut::default();
        let mut backoff = Backoff::default();
        let mut attempt = Box::pin(self.attempt(Duration::ZERO));
        let removed = loop {
            self.observe(&connections);
            let may_connect = self.config.neighbor.mode != Mode::Passive && connections.outgoing.is_none();
            let connecting = may_connect && !connections.is_established();
            let wake = tokio::select! {
                biased;
                () = self.beat.keep_beating() => Wake::Progress,
                () = self.stop.cancelled() => Wake::Stop,
                changed = self.changes.changed() => if changed.is_ok() { Wake::Changed } else { Wake::Removed },
                changed = self.wanted.changed() => if changed.is_ok() { Wake::Wanted } else { Wake::Stop },
                () = progress(&mut connections.outgoing) => Wake::Progress,
                () = progress(&mut connections.incoming) => Wake::Progress,
                Some(stream) = self.incoming.recv() => Wake::Accepted(stream),
                result = &mut attempt, if connecting => Wake::Connected(result),
            };
            let now = Instant::now();
            let was_established = connections.is_established();
            match wake {
                Wake::Stop => break false,
                Wake::Removed => break true,
                Wake::Changed => {
                    if self.change(&mut connections).await {
                        (rib, backoff) = (RibOut::default(), Backoff::default());
                    }
                    // What is being opened may not be what is wanted now.
                    attempt = Box::pin(self.attempt(Duration::ZERO));
                }
                Wake::Wanted | Wake::Progress => {}
                Wake::Accepted(stream) => self.accept(&mut connections, stream, now),
                Wake::Connected(result) => match result.and_then(|stream| self.open(stream, now)) {
                    Ok(connection) => connections.outgoing = Some(connection),
                    Err(error) => {
                        self.report(&error, now);
                        attempt = Box::pin(self.attempt(backoff.next(None, now, fastrand::f64())));
                    }
                },
            }
            connections.settle(&self.config.settings, self.config.neighbor.remote_as, now);
            if !was_established && connections.is_established() {
                // The neighbor's own connection won: ours, half open, must not linger.
                attempt = Box::pin(self.attempt(Duration::ZERO));
            }
            for (origin, ended) in connections.take_ended() {
                let was_up = ended.established();
                if let Some(error) = ended.ended() {
                    self.report(error, now);
                }
                if was_up.is_some() {
                    rib = RibOut::default();
                    self.observer.lost();
                }
                if origin == Origin::Outgoing || was_up.is_some() {
                    attempt = Box::pin(self.attempt(backoff.next(was_up, now, fastrand::f64())));
                }
            }
            self.advertise(&mut connections, &mut rib, now);
        };
        self.shut_down(connections, removed).await;
    }

    /// Takes the changed configuration: a session whose OPEN and connection it does not change goes on, any other is closed. Returns whether it was closed.
    async fn change(&mut self, connections: &mut Connections) -> bool {
        let new = self.changes.borrow_and_update().clone();
        let old = std::mem::replace(&mut self.config, new);
        let keys = reset_keys(&old, &self.config);
        if keys.is_empty() {
            let all = [&mut connections.outgoing, &mut connections.incoming].into_iter().flatten();
            all.for_each(|connection| connection.retune(&self.config.settings, &self.config.neighbor));
            return false;
        }
        let name = self.config.neighbor.socket_address();
        let keys = keys.join(", ");
        tracing::warn!(neighbor = %name, keys, "the configuration has changed: the bgp session is reset");
        let connections = std::mem::take(connections);
        for mut connection in [connections.outgoing, connections.incoming].into_iter().flatten() {
            let notification = cease(cease_subcode::OTHER_CONFIGURATION_CHANGE);
            connection.leave(notification, SHUTDOWN_PATIENCE).await;
        }
        self.observer.lost();
        true
    }

    /// Waits, then connects. Owns what it needs, so that it can outlive a turn of the loop.
    fn attempt(&self, wait: Duration) -> impl Future<Output = Result<TcpStream, SessionError>> + use<> {
        let config = Arc::clone(&self.config);
        let deadline = tokio::time::Instant::now() + wait;
        let observer = self.observer.clone();
        async move {
            tokio::time::sleep_until(deadline).await;
            observer.session(SessionState::Connect, Instant::now());
            let (settings, neighbor) = (&config.settings, &config.neighbor);
            let socket = socket::outgoing(settings, neighbor).map_err(SessionError::Socket)?;
            let connect = socket.connect(neighbor.socket_address());
            match tokio::time::timeout(CONNECT_PATIENCE, connect).await {
                Ok(connected) => connected.map_err(SessionError::Connect),
                Err(_) => Err(SessionError::ConnectTimeout(CONNECT_PATIENCE)),
            }
        }
    }

    /// A session over an open connection, known to the watchdog before its first octet.
    fn open(&self, stream: TcpStream, now: Instant) -> Result<Connection, SessionError> {
        let place = self.sessions.enter(&stream).ok_or(SessionError::NoPlace)?;
        Ok(Connection::new(stream, place, &self.config.settings, &self.config.neighbor, now))
    }

    /// Takes a connection that the neighbor opened, unless a session is established or another one is already being opened:
    /// RFC 4271 section 6.8 keeps the established session.
    fn accept(&self, connections: &mut Connections, stream: TcpStream, now: Instant) {
        if let Err(error) = socket::accepted(&stream, &self.config.settings, &self.config.neighbor) {
            return self.report(&SessionError::Socket(error), now);
        }
        let mut connection = match self.open(stream, now) {
            Ok(connection) => connection,
            Err(error) => return self.report(&error, now),
        };
        if connections.is_established() || connections.incoming.is_some() {
            connection.close(Some(collision()), SessionError::Collision, now);
        } else {
            connections.incoming = Some(connection);
        }
    }

    /// Advertises what is wanted, if the neighbor has taken what was sent before.
    fn advertise(&mut self, connections: &mut Connections, rib: &mut RibOut, now: Instant) {
        let Some(connection) = connections.established() else { return };
        self.observer.updates(connection.take_updates());
        self.observer.heard(connection.heard());
        if let Some(session) = connection.negotiated() {
            self.observer.agreed(Duration::from_secs(session.hold_time.into()));
        }
        if !connection.is_drained() {
            return;
        }
        let Some(session) = connection.negotiated().cloned() else { return };
        let mut out = BytesMut::new();
        let wanted = self.wanted.borrow_and_update().clone();
        let context = (&*self.config.settings, &self.config.neighbor, &*self.config.services);
        let mut result = rib.follow(context, &wanted, &session, &mut out);
        while let (Ok(()), Some(family)) = (&result, connection.take_refresh()) {
            result = rib.refresh(family, &session, &mut out);
        }
        match result {
            Ok(()) if out.is_empty() => {}
            Ok(()) => connection.send(&out, now),
            Err(error) => connection.close(None, SessionError::Encode(error), now),
        }
        if connection.is_drained() && connection.ended().is_none() {
            self.observer.advertised(rib, now);
        }
    }

    fn observe(&self, connections: &Connections) {
        let state = match connections.furthest() {
            Some(FsmState::OpenSent) => SessionState::OpenSent,
            Some(FsmState::OpenConfirm) => SessionState::OpenConfirm,
            Some(FsmState::Established) => SessionState::Established,
            _ => SessionState::Active,
        };
        self.observer.session(state, Instant::now());
    }

    fn report(&self, error: &SessionError, now: Instant) {
        if matches!(error, SessionError::Collision) {
            tracing::debug!(neighbor = %self.config.neighbor.socket_address(), %error, "bgp connection closed");
            return;
        }
        tracing::warn!(neighbor = %self.config.neighbor.socket_address(), %error, "bgp session failed");
        self.observer.failed(error, now);
    }

    /// Ends the sessions, because we stop, or because the neighbor is `removed` from the configuration.
    async fn shut_down(&self, connections: Connections, removed: bool) {
        let text = &self.config.settings.shutdown_text;
        for mut connection in [connections.outgoing, connections.incoming].into_iter().flatten() {
            match removed {
                false => connection.shut_down(text, SHUTDOWN_PATIENCE).await,
                true => connection.leave(cease(cease_subcode::PEER_DECONFIGURED), SHUTDOWN_PATIENCE).await,
            }
        }
        self.observer.lost();
        self.observer.session(SessionState::Idle, Instant::now());
    }
}

/// Lets a connection make progress; waits for ever if there is none.
async fn progress(connection: &mut Option<Connection>) {
    match connection {
        Some(connection) => connection.progress().await,
        None => std::future::pending().await,
    }
}

impl Connections {
    fn iter(&self) -> impl Iterator<Item = &Connection> {
        [&self.outgoing, &self.incoming].into_iter().flatten()
    }

    fn furthest(&self) -> Option<FsmState> {
        self.iter().map(Connection::state).max_by_key(|state| *state as u8)
    }

    fn is_established(&self) -> bool {
        self.iter().any(Connection::is_established)
    }

    fn established(&mut self) -> Option<&mut Connection> {
        [&mut self.outgoing, &mut self.incoming].into_iter().flatten().find(|c| c.is_established())
    }

    /// Settles a collision as soon as both ends are known (RFC 4271 section 6.8).
    fn settle(&mut self, settings: &BgpSettings, remote_as: u32, now: Instant) {
        let (Some(outgoing), Some(incoming)) = (&mut self.outgoing, &mut self.incoming) else { return };
        let ours = (settings.router_id, settings.local_as);
        let loser = match (outgoing.is_established(), incoming.is_established()) {
            (true, _) => incoming,
            (_, true) => outgoing,
            _ => {
                let both = (outgoing.identifier(), incoming.identifier());
                let (Some(identifier), Some(_)) = both else { return };
                match survivor(ours, (identifier, remote_as)) {
                    Origin::Outgoing => incoming,
                    Origin::Incoming => outgoing,
                }
            }
        };
        if loser.ended().is_none() {
            loser.close(Some(collision()), SessionError::Collision, now);
        }
    }

    fn take_ended(&mut self) -> Vec<(Origin, Connection)> {
        let over = |slot: &mut Option<Connection>| slot.take_if(|connection| connection.ended().is_some());
        let outgoing = over(&mut self.outgoing).map(|connection| (Origin::Outgoing, connection));
        let incoming = over(&mut self.incoming).map(|connection| (Origin::Incoming, connection));
        [outgoing, incoming].into_iter().flatten().collect()
    }
}

/// Which connection of a collision is kept: the one opened by the end with the higher BGP Identifier, and if these
/// are equal by the end with the higher AS number (RFC 6286 section 2.3). Each argument is an identifier and an AS.
pub(super) fn survivor(ours: (Ipv4Addr, u32), theirs: (Ipv4Addr, u32)) -> Origin {
    if ours < theirs { Origin::Incoming } else { Origin::Outgoing }
}
