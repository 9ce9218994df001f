//! The UDP worker (Linux): one thread, a socket for each address, batches.
//!
//! Datagrams in, responses out, counters up. Never locks, allocates, logs or panics while it serves; reads the clock
//! once per batch.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sys::datagrams::{Batch, Waiter, is_lost};
use crate::telemetry::{count, count_many};

use super::bind::Transport;
use super::monitor::{LostListener, Phase, Shared};
use super::respond::Responder;

/// The longest wait for a query, so that the heartbeat never stops.
const WAIT: Duration = Duration::from_millis(100);

/// Receive calls of one socket that may fail in succession before it counts as lost. An error that passes (an ICMP
/// message, no memory) passes sooner.
const ERRORS: u32 = 1000;

/// One worker.
pub(super) struct Worker {
    sockets: Vec<Listener>,
    waiter: Waiter,
    batch: Batch,
    responder: Responder,
    shared: Arc<Shared>,
}

/// One socket of a worker.
struct Listener {
    address: SocketAddr,
    socket: UdpSocket,
    /// Something may wait in it.
    ready: bool,
    lost: bool,
    errors: u32,
}

impl Worker {
    /// A worker that serves these sockets.
    pub(super) fn new(
        sockets: Vec<(SocketAddr, UdpSocket)>,
        responder: Responder,
        shared: Arc<Shared>,
    ) -> Self {
        let waiter = Waiter::new(sockets.iter().map(|(_, socket)| socket.as_fd()));
        let sockets = sockets.into_iter().map(|(address, socket)| Listener {
            address,
            socket,
            ready: true,
            lost: false,
            errors: 0,
        });
        Self { sockets: sockets.collect(), waiter, batch: Batch::new(), responder, shared }
    }

    /// Serves until told to stop; what waits in the sockets then is still answered, unless time is up.
    pub(super) fn run(mut self) {
        loop {
            if let Some(counters) = self.responder.counters() {
                count(&counters.heartbeat);
            }
            let phase = self.shared.phase();
            let busy = self.turn();
            match phase {
                Phase::Serve => self.wait(if busy { Duration::ZERO } else { WAIT }),
                Phase::Drain if busy => self.wait(Duration::ZERO),
                Phase::Drain | Phase::Quit => return,
            }
        }
    }

    /// Serves one batch of each socket that may have one. Returns whether there was any.
    fn turn(&mut self) -> bool {
        let mut busy = false;
        for (index, listener) in self.sockets.iter_mut().enumerate() {
            if !listener.ready || listener.lost {
                continue;
            }
            match serve(listener, &mut self.batch, &mut self.responder) {
                Ok(found) => listener.ready = found,
                Err(error) => {
                    (listener.ready, listener.lost) = (false, true);
                    self.waiter.forget(index);
                    self.shared.lose(LostListener::new(listener.address, Transport::Udp, &error));
                }
            }
            busy |= listener.ready;
        }
        busy
    }

    /// Waits for a query. A wait of zero only looks which sockets became ready, and is spared if all are.
    fn wait(&mut self, timeout: Duration) {
        if self.sockets.iter().all(|listener| listener.ready) {
            return;
        }
        // It fails only for want of memory; then every socket is tried.
        let failed = self.waiter.wait(timeout).is_err();
        for (index, listener) in self.sockets.iter_mut().enumerate() {
            listener.ready |= failed || self.waiter.is_ready(index);
        }
    }
}

/// Takes one batch from a socket and answers it. Returns whether there was any; fails if the socket is lost.
fn serve(listener: &mut Listener, batch: &mut Batch, responder: &mut Responder) -> io::Result<bool> {
    match batch.receive(&listener.socket) {
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
    let now = Instant::now();
    let answering = responder.refresh();
    batch.respond(|arrival, output| match arrival.fault {
        None => answering.datagram(arrival.octets, arrival.source, now, output),
        Some(_) => answering.ignore(),
    });
    let sent = batch.send(&listener.socket)?;
    if let Some(counters) = responder.counters() {
        count_many(&counters.responses, sent.sent as u64);
        count_many(&counters.send_errors, sent.failed as u64);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;
    use crate::answer;
    use crate::telemetry::Counters;

    #[test]
    fn a_descriptor_that_is_no_socket_is_lost_with_a_reason() {
        let (reader, writer) = io::pipe().unwrap();
        drop(writer);
        let socket = UdpSocket::from(OwnedFd::from(reader));
        let identity = answer::Identity { instance: "test".into(), version: None };
        let answers = Arc::new(answer::Settings::new(identity));
        let responder = Responder::new(&Arc::default(), answers, None, Counters::new(1), 0);
        let shared = Arc::new(Shared::default());
        let address = "192.0.2.1:53".parse().unwrap();
        let mut worker = Worker::new(vec![(address, socket)], responder, shared.clone());
        assert!(!worker.turn());
        assert!(!worker.turn(), "tried only once");
        let lost = shared.lost();
        assert_eq!(lost.len(), 1);
        assert!(lost[0].to_string().starts_with("192.0.2.1:53/udp: "), "{}", lost[0]);
    }
}
