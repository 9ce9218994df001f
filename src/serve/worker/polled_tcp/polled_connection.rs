//! One TCP connection: messages, each behind its length in two octets (RFC 1035 section 4.2.2), in; responses, likewise, out.
//!
//! An answer is made the moment its query is whole, so responses leave in the order of the queries; nothing slow could
//! be overtaken (RFC 7766 section 6.2.1.1). Pipelined queries are answered together: one read, one write. A client that
//! does not take its responses is read no more until it does. Of its own a connection keeps only what a client left
//! unfinished: one message and one read of input, [`OUTPUT`] and one response of output.
//!
//! ```text
//!   Open -- we stop, or it is old --> Last: what had arrived by then is answered --> Farewell: our side is shut, what still
//!    |                                                                               |         comes is thrown away
//!    +-- a message was no query -----------------------------------------------------+
//! ```
//!
//! Why not simply closed: a close with octets that were not read is a reset (RFC 2525 section 2.17), and that destroys the
//! responses that are on their way.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::answer;
use crate::serve::TcpSettings;
use crate::serve::caps::{Caps, ConnectionPermit};
use crate::serve::message_stream::{FAREWELL, LENGTH, OUTPUT, PATIENCE, SLOWEST, time_to_take, whole};
use crate::serve::proxy::{self, Origin};
use crate::serve::respond::{Peer, Responder};
use crate::serve::traffic::Traffic;
use crate::sys::datagrams::is_without_route;
use crate::sys::epoll::Interest;
use crate::sys::streams;
use crate::telemetry::count;
use crate::wire::octets::MAX_MESSAGE;

/// Octets read at once: some 200 queries, less than a millisecond of the worker's time.
const READ: usize = 8 << 10;

/// What the connections of a worker use in turn.
pub(super) struct Scratch {
    input: Box<[u8]>,
    output: Box<[u8]>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self {
            input: vec![0; READ].into_boxed_slice(),
            output: vec![0; OUTPUT + LENGTH + MAX_MESSAGE].into_boxed_slice(),
        }
    }
}

#[cfg(test)]
impl Scratch {
    /// One whose memory is lent out.
    pub(super) fn empty() -> Self {
        Self { input: Box::default(), output: Box::default() }
    }
}

/// What a turn of a connection is given.
pub(super) struct TurnContext<'a> {
    pub(super) responder: &'a mut Responder,
    pub(super) scratch: &'a mut Scratch,
    pub(super) settings: &'a TcpSettings,
    pub(super) caps: &'a Caps,
    pub(super) now: Instant,
}

/// What comes after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next event.
    Wait,
    /// Nothing; close it.
    Close,
}

/// A connection.
pub(super) struct Connection {
    stream: TcpStream,
    peer: Peer,
    /// SourceUnknown while the load balancer's header has not come.
    permit: Option<ConnectionPermit>,
    named: bool,
    /// What is counted of its listener alone, and the place of its family there.
    traffic: Arc<Traffic>,
    family: usize,
    /// What came and is not answered: part of a message, or what waits for the client to take its responses.
    input: Vec<u8>,
    /// What the client has not taken yet.
    output: Vec<u8>,
    /// When the message at the front must be whole, the next one begin, or the output be taken.
    deadline: Instant,
    /// When it has lived long enough.
    end: Instant,
    stage: ClosingStage,
}

/// How near its end a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClosingStage {
    /// Queries are answered.
    Open,
    /// What had arrived when this began is answered, no more: a client that asks on does not hold us.
    Last {
        /// Octets of it that are still to be read.
        unread: usize,
    },
    /// Everything is answered and our side is shut. The client will shut its own.
    Farewell {
        /// Octets that it had still to take when that was last looked at.
        untaken: usize,
    },
}

/// Why the messages at the front are answered no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Halt {
    /// No whole message is left.
    Hungry,
    /// The output is full.
    Full,
    /// A message was no query. A client that sends such a thing will not make sense later either.
    NoQuery,
}

impl Connection {
    /// A connection from this source to a listener; `proxied` if it is a load balancer, whose header comes first.
    pub(super) fn new(
        stream: TcpStream,
        (source, listener): (IpAddr, SocketAddr),
        (permit, proxied): (ConnectionPermit, bool),
        (traffic, family): (Arc<Traffic>, usize),
        settings: &TcpSettings,
        now: Instant,
    ) -> Self {
        let patience = if proxied { PATIENCE } else { settings.idle.min(PATIENCE) };
        // Only a listener for all addresses leaves it open which one was asked.
        let server = if listener.ip().is_unspecified() { stream.local_addr().ok() } else { Some(listener) };
        Self {
            stream,
            peer: Peer::new(answer::TransportKind::Tcp, source).asking(server),
            permit: Some(permit),
            named: !proxied,
            traffic,
            family,
            input: Vec::new(),
            output: Vec::new(),
            deadline: now + patience,
            end: now + settings.lifetime,
            stage: ClosingStage::Open,
        }
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// What the next event must be.
    pub(super) fn waits_for(&self) -> Interest {
        if self.output.is_empty() { Interest::Read } else { Interest::Write }
    }

    /// Whether all was said, and only the client's end is waited for.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.stage, ClosingStage::Farewell { .. })
    }

    /// From the next turn on only what has arrived by now is answered.
    pub(super) fn end_soon(&mut self) {
        if self.stage == ClosingStage::Open {
            // An error means that there is no connection any more; the next turn finds out.
            self.stage = ClosingStage::Last { unread: streams::unread(&self.stream).unwrap_or(0) };
        }
    }

    /// Whether the client was silent, slow to send or slow to read for too long.
    pub(super) fn is_overdue(&mut self, now: Instant) -> bool {
        if now < self.deadline || self.still_takes(now) {
            return false;
        }
        if !self.output.is_empty() {
            // Nothing waits for what it does not read.
            reset(&self.stream);
        }
        true
    }

    /// Whether a client to which all was said takes it fast enough to be given more time.
    fn still_takes(&mut self, now: Instant) -> bool {
        let ClosingStage::Farewell { untaken } = &mut self.stage else { return false };
        let before = std::mem::replace(untaken, streams::unacknowledged(&self.stream).unwrap_or(0));
        self.deadline = now + FAREWELL;
        *untaken > 0 && before.saturating_sub(*untaken) >= SLOWEST
    }

    /// Writes what is left or reads what has come, and answers what is whole.
    pub(super) fn turn(&mut self, work: &mut TurnContext<'_>) -> Next {
        // Its errors are the peer's: it went away.
        self.try_turn(work).unwrap_or_else(|_| {
            reset(&self.stream);
            Next::Close
        })
    }

    fn try_turn(&mut self, work: &mut TurnContext<'_>) -> io::Result<Next> {
        if !self.output.is_empty() {
            let mut output = std::mem::take(&mut self.output);
            output.drain(..self.write(&output)?);
            self.output = output;
            if !self.output.is_empty() {
                return Ok(Next::Wait);
            }
            self.deadline = work.now + work.settings.idle;
            let input = std::mem::take(&mut self.input);
            return self.answer_all(&input, false, work);
        }
        let most = match self.stage {
            ClosingStage::Last { unread: 0 } => return self.leave(work.now),
            ClosingStage::Last { unread } => unread.min(READ),
            ClosingStage::Open | ClosingStage::Farewell { .. } => READ,
        };
        let room = work.scratch.input.get_mut(..most).unwrap_or_default();
        let read = match (&self.stream).read(room) {
            Ok(0) => return Ok(Next::Close),
            Ok(read) => read,
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {
                return Ok(Next::Wait);
            }
            Err(error) => return Err(error),
        };
        match &mut self.stage {
            ClosingStage::Open => {}
            ClosingStage::Last { unread } => *unread -= read.min(*unread),
            ClosingStage::Farewell { .. } => return Ok(Next::Wait),
        }
        // The scratch input is lent out of the scratch while the output in it is written to.
        let scratch = std::mem::take(&mut work.scratch.input);
        let fresh = scratch.get(..read).unwrap_or_default();
        let next = if self.input.is_empty() {
            self.take(fresh, true, work)
        } else {
            let mut input = std::mem::take(&mut self.input);
            input.extend_from_slice(fresh);
            self.take(&input, false, work)
        };
        work.scratch.input = scratch;
        next
    }

    /// Takes the load balancer's header, if it is still to come, and what is behind it. `first`: nothing came before.
    fn take(&mut self, input: &[u8], first: bool, work: &mut TurnContext<'_>) -> io::Result<Next> {
        if self.named {
            return self.answer_all(input, first, work);
        }
        match proxy::read(input) {
            Ok(Some((origin, octets))) => {
                self.named = true;
                if let Origin::Client { client, asked } = origin {
                    self.peer = Peer::new(answer::TransportKind::Tcp, client.ip()).asking(Some(asked));
                }
                // Given back before it is asked for again.
                self.permit = None;
                self.permit = work.caps.enter(self.peer.address());
                if self.permit.is_none() {
                    work.add(|counters| count(&counters.tcp_refused));
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                self.deadline = work.now + work.settings.idle.min(PATIENCE);
                self.answer_all(input.get(octets..).unwrap_or_default(), true, work)
            }
            Ok(None) => {
                self.input = input.to_vec();
                self.go_on(work.now)
            }
            Err(error) => {
                tracing::debug!(balancer = %self.peer.address(), %error, "PROXY protocol");
                work.add(|counters| count(&counters.handshake_failures));
                Err(io::Error::new(io::ErrorKind::InvalidData, error))
            }
        }
    }

    /// Answers the whole messages and keeps the rest. `first`: no part of the message at the front was there before.
    fn answer_all(&mut self, mut input: &[u8], first: bool, work: &mut TurnContext<'_>) -> io::Result<Next> {
        let mut answered = false;
        loop {
            let (consumed, octets, halt) = self.answer(input, work);
            input = input.get(consumed..).unwrap_or_default();
            answered |= octets > 0;
            let output = work.scratch.output.get(..octets).unwrap_or_default();
            let written = self.write(output)?;
            let left = output.get(written..).unwrap_or_default();
            if halt == Halt::NoQuery {
                // What it asked before stays due; what it says after it is not looked at.
                (input, self.stage) = (&[], ClosingStage::Last { unread: 0 });
            }
            if !left.is_empty() {
                self.deadline = work.now + time_to_take(left.len());
                self.output = left.to_vec();
                self.input = input.to_vec();
                return Ok(Next::Wait);
            }
            if halt != Halt::Full {
                break;
            }
        }
        if input.is_empty() && answered {
            self.deadline = work.now + work.settings.idle;
        } else if !input.is_empty() && (answered || first) {
            self.deadline = work.now + PATIENCE;
        }
        self.input = input.to_vec();
        if work.now >= self.end {
            self.end_soon();
        }
        self.go_on(work.now)
    }

    /// Waits for more, unless everything that is to be answered is answered.
    fn go_on(&mut self, now: Instant) -> io::Result<Next> {
        if self.stage == (ClosingStage::Last { unread: 0 }) { self.leave(now) } else { Ok(Next::Wait) }
    }

    /// Shuts our side, and waits a while for the client to shut its own. A client that has everything and says nothing
    /// loses nothing by a close.
    fn leave(&mut self, now: Instant) -> io::Result<Next> {
        let untaken = streams::unacknowledged(&self.stream)?;
        if untaken == 0 && streams::unread(&self.stream)? == 0 {
            return Ok(Next::Close);
        }
        self.stream.shutdown(Shutdown::Write)?;
        self.input = Vec::new();
        self.deadline = now + FAREWELL;
        self.stage = ClosingStage::Farewell { untaken };
        Ok(Next::Wait)
    }

    /// Answers whole messages at the front of the input into the scratch output. Returns the octets of input that are done
    /// with, those of output, and why it ended.
    fn answer(&self, input: &[u8], work: &mut TurnContext<'_>) -> (usize, usize, Halt) {
        let answering = work.responder.refresh(work.now);
        let (mut consumed, mut filled) = (0, 0);
        while let Some(message) = input.get(consumed..).and_then(whole) {
            consumed += LENGTH + message.len();
            let room = work.scratch.output.get_mut(filled..).unwrap_or_default();
            let Some((prefix, room)) = room.split_first_chunk_mut::<LENGTH>() else { break };
            let length = answering.message(message, self.peer, room);
            match u16::try_from(length) {
                Ok(octets) if octets > 0 => *prefix = octets.to_be_bytes(),
                _ => return (consumed, filled, Halt::NoQuery),
            }
            answering.sent(self.peer);
            filled += LENGTH + length;
            if filled >= OUTPUT {
                return (consumed, filled, Halt::Full);
            }
        }
        (consumed, filled, Halt::Hungry)
    }

    /// Writes what the kernel takes at once.
    fn write(&self, output: &[u8]) -> io::Result<usize> {
        if output.is_empty() {
            return Ok(0);
        }
        loop {
            match (&self.stream).write(output) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Ok(written) => {
                    self.traffic.left(self.family);
                    return Ok(written);
                }
                Err(error) => {
                    if is_without_route(&error) {
                        self.traffic.without_route(self.family);
                    }
                    return Err(error);
                }
            }
        }
    }
}

impl TurnContext<'_> {
    fn add(&self, add: impl FnOnce(&crate::telemetry::WorkerCounters)) {
        self.responder.add(add);
    }
}

/// Has the connection reset when it is closed.
pub(super) fn reset(stream: &TcpStream) {
    // An error means that there is no connection any more.
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
