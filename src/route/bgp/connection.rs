//! One TCP connection to a neighbor: octets in and out around the session's state machine.
//!
//! Holds at most one message of input, and of output what one decision needs: nothing more is written while octets
//! wait for the neighbor.

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use rustbgpd_fsm::{Action, Event, NegotiatedSession, PeerConfig, Session, SessionState as FsmState};
use rustbgpd_wire::notification::{cease_subcode, encode_shutdown_communication};
use rustbgpd_wire::{
    Afi, Message, NotificationCode, NotificationMessage, RouteRefreshSubtype, Safi, encode_message,
};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::error::SessionError;
use super::framer::{Framer, Received};
use super::sessions::Place;
use super::settings::{BgpSettings, Neighbor};
use super::timers::{ExpiredTimer, Timers};

/// A connection and its session.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    /// Where the watchdog finds it.
    place: Place,
    session: Session,
    timers: Timers,
    framer: Framer,
    /// Octets that the neighbor has not taken yet.
    out: BytesMut,
    send_hold_time: Duration,
    /// The neighbor's BGP Identifier, once its OPEN has come.
    identifier: Option<Ipv4Addr>,
    /// UPDATEs since they were last asked for.
    updates: u64,
    /// Families for which the neighbor asked for a route refresh.
    refresh: Vec<Afi>,
    /// When the session came up.
    established: Option<Instant>,
    /// When octets last came.
    heard: Instant,
    /// Why the session ended.
    ended: Option<SessionError>,
}

impl Connection {
    /// A session over an open connection; its OPEN is on the way out.
    pub(super) fn new(
        stream: TcpStream,
        place: Place,
        settings: &BgpSettings,
        neighbor: &Neighbor,
        now: Instant,
    ) -> Self {
        let mut connection = Self {
            stream,
            place,
            session: Session::new(peer_config(settings, neighbor)),
            timers: Timers::default(),
            framer: Framer::default(),
            out: BytesMut::new(),
            send_hold_time: settings.effective_send_hold_time(),
            identifier: None,
            updates: 0,
            refresh: Vec::new(),
            established: None,
            heard: now,
            ended: None,
        };
        // The state machine lives as long as the connection: connecting and retrying are the neighbor task's.
        connection.handle(Event::ManualStart, now);
        connection.handle(Event::TcpConnectionConfirmed, now);
        connection
    }

    /// Waits for something to happen and handles it. Cancel-safe: dropped at its await, nothing is lost.
    pub(super) async fn progress(&mut self) {
        let interest = match self.out.is_empty() {
            true => Interest::READABLE,
            false => Interest::READABLE | Interest::WRITABLE,
        };
        let deadline = self.timers.next();
        let timer = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ready = self.stream.ready(interest) => match ready {
                Ok(ready) => {
                    let now = Instant::now();
                    if ready.is_writable() { self.write(now) }
                    if ready.is_readable() || ready.is_read_closed() { self.read(now) }
                }
                Err(error) => self.end(SessionError::Broken(error)),
            },
            () = timer => self.expire(Instant::now()),
        }
    }

    /// What the neighbor and we agreed on, while the session is up.
    pub(super) fn negotiated(&self) -> Option<&NegotiatedSession> {
        if self.is_established() { self.session.negotiated() } else { None }
    }

    /// Whether routes can be advertised.
    pub(super) fn is_established(&self) -> bool {
        self.session.state() == FsmState::Established && self.ended.is_none()
    }

    /// The state of the session's machine.
    pub(super) fn state(&self) -> FsmState {
        self.session.state()
    }

    /// When the session came up; stays when it has ended.
    pub(super) fn established(&self) -> Option<Instant> {
        self.established
    }

    /// The neighbor's BGP Identifier, once its OPEN has come.
    pub(super) fn identifier(&self) -> Option<Ipv4Addr> {
        self.identifier
    }

    /// Why the session ended; `None` while it goes on.
    pub(super) fn ended(&self) -> Option<&SessionError> {
        self.ended.as_ref()
    }

    /// Whether the neighbor has taken everything.
    pub(super) fn is_drained(&self) -> bool {
        self.out.is_empty()
    }

    /// When octets last came.
    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    /// UPDATEs that came since the last call.
    pub(super) fn take_updates(&mut self) -> u64 {
        std::mem::take(&mut self.updates)
    }

    /// A family for which the neighbor asked for a route refresh.
    pub(super) fn take_refresh(&mut self) -> Option<Afi> {
        self.refresh.pop()
    }

    /// Sends messages that were made for this session: at once as far as the kernel takes them.
    pub(super) fn send(&mut self, messages: &[u8], now: Instant) {
        self.out.extend_from_slice(messages);
        self.write(now);
    }

    /// Ends the session for `error`, telling the neighbor by `notification` if there is one.
    pub(super) fn close(
        &mut self,
        notification: Option<NotificationMessage>,
        error: SessionError,
        now: Instant,
    ) {
        if let Some(notification) = notification {
            self.send_message(&Message::Notification(notification), now);
        }
        self.end(error);
    }

    /// Ends the session because we stop, with `text` (RFC 9003), and waits at most `patience` for it to leave.
    pub(super) async fn shut_down(&mut self, text: &str, patience: Duration) {
        let reason = encode_shutdown_communication(text);
        self.handle(Event::ManualStop { reason: Some(reason) }, Instant::now());
        self.flush(patience).await;
    }

    /// Ends the session with `notification` and waits at most `patience` for it to leave.
    pub(super) async fn leave(&mut self, notification: NotificationMessage, patience: Duration) {
        self.send_message(&Message::Notification(notification), Instant::now());
        self.flush(patience).await;
    }

    /// Applies settings that the OPEN does not carry. A connection that does not take them ends.
    pub(super) fn retune(&mut self, settings: &BgpSettings, neighbor: &Neighbor) {
        self.send_hold_time = settings.effective_send_hold_time();
        if let Err(error) = super::socket::retune(&self.stream, settings, neighbor) {
            self.end(SessionError::Socket(error));
        }
    }

    async fn flush(&mut self, patience: Duration) {
        let flush = async {
            while !self.out.is_empty() && self.stream.writable().await.is_ok() {
                if !self.write_once() {
                    break;
                }
            }
            tokio::io::AsyncWriteExt::shutdown(&mut self.stream).await
        };
        // Whether it left or not, the connection is closed when this one is dropped.
        let _ = tokio::time::timeout(patience, flush).await;
    }

    fn expire(&mut self, now: Instant) {
        if self.timers.hold_is_due(now) {
            // After a pause of the process what the neighbor sent in time may still wait in the socket.
            self.read(now);
        }
        while let Some(expired) = self.timers.expire(now) {
            match expired.event() {
                Some(event) => {
                    self.handle(event, now);
                    if expired == ExpiredTimer::Hold && self.session.state() == FsmState::Idle {
                        self.ended = Some(SessionError::HoldTimer);
                    }
                }
                // RFC 9687 section 4.3: a NOTIFICATION could not leave either.
                None => self.end(SessionError::SendHoldTimer),
            }
        }
    }

    /// Reads what is there, one buffer full: the select above gives timers and output their turn.
    fn read(&mut self, now: Instant) {
        let mut octets = [0; Framer::READ_SIZE];
        match self.stream.try_read(&mut octets) {
            Ok(0) if self.place.was_shut_down() => self.end(SessionError::Watchdog),
            Ok(0) => self.end(SessionError::Closed),
            Ok(count) => {
                self.heard = now;
                self.framer.push(octets.get(..count).unwrap_or_default());
                self.dispatch(now);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.end(SessionError::Broken(error)),
        }
    }

    fn dispatch(&mut self, now: Instant) {
        while self.ended.is_none() {
            match self.framer.next() {
                Ok(None) => return,
                Ok(Some(Received::Update)) => {
                    self.updates += 1;
                    self.handle(Event::UpdateReceived, now);
                }
                Ok(Some(Received::Message(message))) => self.receive(message, now),
                Err(error) => {
                    self.handle(Event::DecodeError(error.clone()), now);
                    self.ended = Some(SessionError::Malformed(error));
                }
            }
        }
    }

    fn receive(&mut self, message: Message, now: Instant) {
        match message {
            Message::Open(open) => {
                self.identifier = Some(open.bgp_identifier);
                self.handle(Event::OpenReceived(open), now);
            }
            Message::Keepalive => self.handle(Event::KeepaliveReceived, now),
            Message::Notification(notification) => {
                self.handle(Event::NotificationReceived(notification.clone()), now);
                self.ended = Some(SessionError::NotificationReceived(notification));
            }
            Message::RouteRefresh(refresh) => {
                // A family or subtype that is not ours is ignored (RFC 2918 section 4, RFC 7313 section 4).
                let (Some(afi), Some(safi)) = (refresh.afi(), refresh.safi()) else { return };
                self.handle(Event::RouteRefreshReceived { afi, safi }, now);
                let ours = safi == Safi::Unicast && matches!(afi, Afi::Ipv4 | Afi::Ipv6);
                let request = refresh.subtype() == RouteRefreshSubtype::Normal;
                // Two families: at most two requests wait, however many come.
                if ours && request && !self.refresh.contains(&afi) {
                    self.refresh.push(afi);
                }
            }
            _ => self.handle(Event::UpdateReceived, now),
        }
    }

    fn handle(&mut self, event: Event, now: Instant) {
        for action in self.session.handle_event(event) {
            self.act(action, now);
        }
    }

    fn act(&mut self, action: Action, now: Instant) {
        match action {
            Action::SendOpen(open) => self.send_message(&Message::Open(open), now),
            // While output is queued no KEEPALIVE is added: the neighbor does not read, and the queue must stay bounded.
            Action::SendKeepalive if !self.out.is_empty() => {}
            Action::SendKeepalive => self.send_message(&Message::Keepalive, now),
            Action::SendNotification(notification) => {
                self.send_message(&Message::Notification(notification.clone()), now);
                self.end(SessionError::NotificationSent(notification));
            }
            Action::StartTimer(timer, seconds) => {
                let opening = self.session.negotiated().is_none();
                self.timers.start(timer, seconds, opening, now, fastrand::f64());
            }
            Action::StopTimer(timer) => self.timers.stop(timer),
            Action::SessionEstablished(_) => self.established = Some(now),
            Action::CloseTcpConnection => self.end(SessionError::Closed),
            _ => {}
        }
    }

    fn send_message(&mut self, message: &Message, now: Instant) {
        match encode_message(message) {
            Ok(octets) => self.send(&octets, now),
            Err(error) => self.end(SessionError::Encode(error)),
        }
    }

    fn write(&mut self, now: Instant) {
        let before = self.out.len();
        while !self.out.is_empty() && self.write_once() {}
        let progress = self.out.len() < before;
        if self.out.is_empty() {
            self.timers.set_send_hold(None);
        } else if progress || !self.timers.send_hold_runs() {
            self.timers.set_send_hold(Some(now + self.send_hold_time));
        }
    }

    /// Writes once; whether the kernel took something.
    fn write_once(&mut self) -> bool {
        match self.stream.try_write(&self.out) {
            Ok(count) => {
                self.out.advance(count);
                count > 0
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => {
                self.end(SessionError::Broken(error));
                self.out.clear();
                false
            }
        }
    }

    /// The first reason is the one that counts.
    fn end(&mut self, error: SessionError) {
        self.ended.get_or_insert(error);
    }
}

/// The Cease that a connection is closed with when another one is kept (RFC 4271 section 6.8).
pub(super) fn collision() -> NotificationMessage {
    cease(cease_subcode::CONNECTION_COLLISION_RESOLUTION)
}

/// A Cease with this subcode (RFC 4486).
pub(super) fn cease(subcode: u8) -> NotificationMessage {
    NotificationMessage::new(NotificationCode::Cease, subcode, bytes::Bytes::new())
}

/// Both families, no graceful restart: it would keep routes to a dead POP.
fn peer_config(settings: &BgpSettings, neighbor: &Neighbor) -> PeerConfig {
    let mut config = PeerConfig::new(settings.local_as, neighbor.remote_as, settings.router_id);
    config.hold_time = settings.hold_time_seconds();
    config.families = vec![(Afi::Ipv4, Safi::Unicast), (Afi::Ipv6, Safi::Unicast)];
    config.graceful_restart = false;
    config
}
