//! The worker (Linux): one thread, for each address a UDP socket and a TCP listener of its own, one loop over them all.
//!
//! Queries in, responses out, counters up. Never locks, allocates, logs or panics for a datagram; reads the clock
//! once per batch. UDP and TCP take turns: a batch of each UDP socket that has one, now and then a look at what else is
//! ready, then a bounded piece of work for each TCP socket that is ([`tcp`]). So neither starves the other, and one
//! thread serves both.
//!
//! The kernel chooses the worker of a packet by a hash of its addresses and ports, or, if the operator says so, by the CPU that
//! received it ([`super::affinity`]). `tests/bench/NOTES.md` says what each costs.

mod polled_tcp;

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::answer::TransportKind;
use crate::sys::datagrams::{Batch, Origin, is_lost};
use crate::sys::epoll::{Epoll, Interest};
use crate::telemetry::{Beat, count, count_many, keep_thread_going};
use crate::wire::LookupName;

use super::bind;
use super::caps::Caps;
use super::clients::Clients;
use super::respond::{Datagram, Responder};
use super::shared::{LostListener, Phase, Shared};
use super::tcp_settings::TcpSettings;
use super::traffic::Traffic;
use super::transport::Transport;

use polled_tcp::Tcp;

/// The longest wait for a query, so that the heartbeat never stops.
const WAIT: Duration = Duration::from_millis(100);

/// How often a worker that pauses looks whether it shall stop: a stop waits for no pause.
const STOP_LOOK: Duration = Duration::from_millis(20);

/// Turns of a busy socket after which the worker looks whether others have become ready: a millisecond or two.
const LOOK: u32 = 8;

/// Sockets that one look finds ready at most: bounds the TCP work between two turns of UDP to some milliseconds.
const EVENTS: usize = 32;

/// Datagrams that are begun before the first of them is answered: as many cache lines as a core can fetch at once.
const GROUP: usize = 16;

/// Receive calls of one socket that may fail in succession before it counts as lost. An error that passes (an ICMP
/// message, no memory) passes sooner.
const ERRORS: u32 = 1000;

/// The sockets of a worker.
#[derive(Default)]
pub(super) struct WorkerSockets {
    pub(super) udp: Vec<(SocketAddr, UdpSocket, Arc<Traffic>)>,
    pub(super) tcp: Vec<(SocketAddr, TcpListener, Arc<Traffic>)>,
}

/// One worker.
pub(super) struct Worker {
    sockets: Vec<UdpListener>,
    tcp: Tcp,
    epoll: Epoll,
    datagrams: Datagrams,
    responder: Responder,
    shared: Arc<Shared>,
    /// Busy turns since the last look at all sockets.
    turns: u32,
    /// How far the stop had come at the turn before.
    before: Phase,
}

/// One socket of a worker.
struct UdpListener {
    address: SocketAddr,
    socket: UdpSocket,
    origin: Origin,
    /// What is counted of this address alone.
    traffic: Arc<Traffic>,
    /// Something may wait in it.
    ready: bool,
    lost: bool,
    errors: u32,
}

impl Worker {
    /// A worker that serves these sockets, TCP within these caps. Fails for want of descriptors or memory.
    pub(super) fn new(
        sockets: WorkerSockets,
        (settings, caps, clients): (TcpSettings, Caps, Arc<Clients>),
        responder: Responder,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EVENTS)?;
        for (token, (_, socket, _)) in sockets.udp.iter().enumerate() {
            epoll.add(socket, token as u64, Interest::Read)?;
        }
        let tcp = Tcp::new(sockets.tcp, sockets.udp.len() as u64, settings, (caps, clients), shared.clone());
        tcp.register(&epoll)?;
        let sockets = sockets.udp.into_iter().map(|(address, socket, traffic)| UdpListener {
            address,
            socket,
            origin: bind::origin(address),
            traffic,
            ready: true,
            lost: false,
            errors: 0,
        });
        let datagrams = Datagrams::new();
        Ok(Self {
            sockets: sockets.collect(),
            tcp,
            epoll,
            datagrams,
            responder,
            shared,
            turns: 0,
            before: Phase::Serve,
        })
    }

    /// Serves until told to stop; what waits in the sockets then is still answered, unless time is up.
    /// A datagram or a connection that makes it panic costs what was at work just then.
    pub(super) fn run(mut self, beat: &Beat) {
        keep_thread_going(beat, &mut self, |worker| worker.serve(beat), Self::mend);
    }

    /// Makes the state good after a panic: what was at work is given up. Waits for the pause or for a stop; false if that is
    /// no stop in order. While it waits the heartbeat is stale, which shows observers that this worker does not serve.
    fn mend(&mut self, pause: Duration) -> bool {
        self.tcp.mend();
        let end = Instant::now() + pause;
        while self.shared.phase() == Phase::Serve && Instant::now() < end {
            std::thread::park_timeout(STOP_LOOK);
        }
        self.shared.phase() != Phase::Quit
    }

    fn serve(&mut self, beat: &Beat) {
        loop {
            beat.beat();
            let phase = self.shared.phase();
            if phase == Phase::Drain && self.before == Phase::Serve {
                self.before = phase;
                self.tcp.stop(&self.epoll, &mut self.responder, Instant::now());
            }
            self.before = phase;
            let busy = self.turn();
            match phase {
                Phase::Quit => return,
                Phase::Drain if !busy && self.tcp.is_empty() => return,
                _ if busy => self.poll(),
                _ => self.wait(WAIT),
            }
        }
    }

    /// Serves one batch of each socket that may have one. Returns whether there was any.
    fn turn(&mut self) -> bool {
        let mut busy = false;
        for listener in self.sockets.iter_mut().filter(|listener| listener.ready && !listener.lost) {
            match self.datagrams.serve(listener, &mut self.responder) {
                Ok(found) => listener.ready = found,
                Err(error) => {
                    (listener.ready, listener.lost) = (false, true);
                    // An error means that the kernel has forgotten it already.
                    let _ = self.epoll.remove(&listener.socket);
                    self.shared.lose(LostListener::new(listener.address, Transport::Udp, &error));
                }
            }
            busy |= listener.ready;
        }
        busy
    }

    /// Asks every [`LOOK`] turns what else became ready, without waiting.
    fn poll(&mut self) {
        self.turns += 1;
        if self.turns >= LOOK {
            self.wait(Duration::ZERO);
        }
    }

    /// Waits until something is ready. UDP sockets have their turn later, TCP now.
    fn wait(&mut self, timeout: Duration) {
        self.turns = 0;
        if self.epoll.wait(timeout).is_err() {
            // Not reached: the descriptor is ours. Should it be, UDP at least is tried.
            self.sockets.iter_mut().for_each(|listener| listener.ready = true);
        }
        let now = Instant::now();
        for token in (0..).map_while(|index| self.epoll.token(index)) {
            match self.sockets.get_mut(token as usize) {
                Some(listener) => listener.ready = true,
                None => self.tcp.serve_ready(token, &self.epoll, &mut self.responder, now),
            }
        }
        // Afterwards: what has ended just now makes room.
        for token in (0..).map_while(|index| self.epoll.token(index)) {
            self.tcp.accept_ready(token, &self.epoll, &mut self.responder, now);
        }
        self.tcp.sweep(&self.epoll, &self.responder, now);
    }
}

/// A batch, and the names that are asked for in a group of its datagrams.
struct Datagrams {
    batch: Batch,
    names: Box<[LookupName]>,
}

impl Datagrams {
    fn new() -> Self {
        Self { batch: Batch::new(), names: vec![LookupName::root(); GROUP].into() }
    }

    /// Takes one batch from a socket and answers it. Returns whether there was any; fails if the socket is lost.
    fn serve(&mut self, listener: &mut UdpListener, responder: &mut Responder) -> io::Result<bool> {
        match self.batch.receive(&listener.socket, listener.origin) {
            Ok(_) => listener.errors = 0,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Ok(false);
            }
            Err(error) => {
                listener.errors += 1;
                if is_lost(&error) || listener.errors > ERRORS {
                    return Err(error);
                }
                if let Some(counters) = responder.counters() {
                    count(&counters.receive_errors);
                }
                // The call that failed took the error away; there may be datagrams behind it.
                return Ok(true);
            }
        }
        let limited = responder.limited();
        let begun = Instant::now();
        let ipv6 = self.answer(responder, listener.address, begun);
        let sent = self.batch.send(&listener.socket)?;
        listener.traffic.sent(sent.sent, sent.without_route);
        let limited = responder.limited() - limited;
        if limited > 0 {
            listener.traffic.limited(usize::from(listener.address.is_ipv6()), limited);
        }
        if let Some(counters) = responder.counters() {
            count_many(&counters.responses, sent.left() as u64);
            // A socket may have both families. What the kernel did not take is told of IPv4 first.
            let ipv6 = ipv6.min(sent.left() as u64);
            counters.count_sent(false, true, ipv6);
            counters.count_sent(false, false, sent.left() as u64 - ipv6);
            count_many(&counters.send_errors, sent.failed() as u64);
            if counters.latency.is_due() {
                counters.latency.note(begun.elapsed(), self.batch.received() as u64);
            }
        }
        Ok(true)
    }

    /// Answers the batch, group by group: what the answers read is prefetched for all of a group before the first of
    /// them is written. Returns how many responses go to IPv6.
    fn answer(&mut self, responder: &mut Responder, address: SocketAddr, now: Instant) -> u64 {
        let mut ipv6 = 0;
        let mut answering = responder.refresh(now);
        let (arrivals, mut replies) = self.batch.parts();
        answering.received(arrivals.count());
        for group in arrivals.groups(GROUP) {
            let mut datagrams = [const { Datagram::Ignored }; GROUP];
            for ((arrival, name), datagram) in group.iter().zip(&mut self.names).zip(&mut datagrams) {
                if arrival.fault.is_none() {
                    *datagram = answering.begin(arrival.octets, arrival.source, name);
                }
            }
            datagrams.iter().for_each(Datagram::prefetch);
            for (arrival, datagram) in group.iter().zip(&datagrams) {
                replies.write(&arrival, |room| {
                    let length = answering.finish(datagram, arrival.source, room);
                    if arrival.fault.is_none() {
                        let messages = (arrival.octets, room.get(..length).unwrap_or_default());
                        let client = SocketAddr::new(arrival.source, arrival.port);
                        answering.sample(messages, TransportKind::Udp, (client, Some(address)));
                    }
                    ipv6 += u64::from(length > 0 && arrival.source.is_ipv6());
                    length
                });
            }
        }
        ipv6
    }
}

#[cfg(test)]
#[path = "../../tests/unit/serve/worker.rs"]
mod tests;
