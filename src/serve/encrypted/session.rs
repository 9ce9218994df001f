//! What sessions of many streams have in common (HTTP/2, HTTP/3, QUIC): when they end, and how much they may hold.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;

use crate::answer::TransportKind;
use crate::serve::context::Context;
use crate::serve::respond::Peer;
use crate::serve::shared::Phase;
use crate::telemetry::count;

/// Requests of one session at one time; a client may send no more until some are answered (RFC 9113 section 6.5.2
/// advises no fewer than 100).
pub(super) const STREAMS: u32 = 100;

/// Octets of queries of one session that may have come and not be read yet. A stream alone may have as many as the
/// longest query; usual ones have a hundred.
pub(super) const WINDOW: u32 = 128 << 10;

/// Octets of one stream that may have come and not be read yet: the longest query behind its length.
pub(super) const STREAM_WINDOW: u32 = 65_537;

/// Answers of one session that are made and not taken yet. Each has at most 64 KiB, so a session holds at most 256 KiB
/// of them, and [`WINDOW`]: with 1024 connections 400 MiB at the very worst, from clients of 16 prefixes that all ask
/// for the largest answers and read none.
const ANSWERS: usize = 4;

/// One connection with its streams.
pub(super) struct Session {
    answers: Answers,
    requests: TaskTracker,
    phase: watch::Receiver<Phase>,
    idle_at: Instant,
    end: Instant,
}

/// Where the streams of a session get their answers.
#[derive(Clone)]
pub(super) struct Answers {
    pub(super) context: Rc<Context>,
    /// The client's.
    address: IpAddr,
    /// The address that it asks.
    server: Option<SocketAddr>,
    room: Rc<Semaphore>,
}

impl Answers {
    /// Answers when there is room for it; hold the permit until the client has taken the answer. `None` for no response.
    pub(super) async fn answer(
        &self,
        query: &[u8],
        transport: TransportKind,
    ) -> Option<(Vec<u8>, SemaphorePermit<'_>)> {
        let permit = self.room.acquire().await.ok()?;
        let peer = Peer::new(transport, self.address).asking(self.server);
        Some((self.context.respond(query, peer)?, permit))
    }
}

impl Session {
    /// A session of a client; `server` is the address that it asks.
    pub(super) fn new(
        context: Rc<Context>,
        address: IpAddr,
        server: Option<SocketAddr>,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        let (idle_at, end) =
            (Instant::now() + context.settings.idle, Instant::now() + context.settings.lifetime);
        let answers = Answers { context, address, server, room: Rc::new(Semaphore::new(ANSWERS)) };
        Self { answers, requests: TaskTracker::new(), phase, idle_at, end }
    }

    /// Where answers come from.
    pub(super) fn answers(&self) -> Answers {
        self.answers.clone()
    }

    /// Starts the work on a request.
    pub(super) fn begin(&mut self, request: impl Future<Output = ()> + 'static) {
        self.idle_at = Instant::now() + self.answers.context.settings.idle;
        self.requests.spawn_local(request);
    }

    /// Returns when no more requests are to be taken: no request for the idle time and none in work, the session is old,
    /// or we stop. What the client does to keep the connection itself alive does not count. Loses nothing if dropped.
    pub(super) async fn ended(&mut self) {
        loop {
            tokio::select! {
                // The sender lives as long as the thread.
                _ = self.phase.wait_for(|phase| *phase != Phase::Serve) => return,
                () = sleep_until(self.idle_at.min(self.end)) => {}
            }
            let now = Instant::now();
            if now >= self.end {
                return;
            }
            if self.requests.is_empty() {
                self.answers.context.add(|counters| count(&counters.tcp_timeouts));
                return;
            }
            self.idle_at = now + self.answers.context.settings.idle;
        }
    }

    /// Returns when every request is done, each of which has its own time, or when all must end at once.
    pub(super) async fn finished(&mut self) {
        self.requests.close();
        tokio::select! {
            () = self.requests.wait() => {}
            _ = self.phase.wait_for(|phase| *phase == Phase::Quit) => {}
        }
    }
}
