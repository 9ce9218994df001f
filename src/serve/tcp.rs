//! TCP (RFC 7766): one thread with a runtime of its own, so that neither the control plane nor a flood over UDP can
//! starve it, nor it them.
//!
//! Connections in, each a task of its own; caps and timeouts keep them bounded. Queries over TCP are not limited by
//! rate: their source is no lie, and a connection has one query in work at a time.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio_util::task::TaskTracker;

use crate::telemetry::{WorkerCounters, count};

use super::TcpSettings;
use super::bind::Transport;
use super::caps::Caps;
use super::connection;
use super::monitor::{LostListener, Phase, Shared};
use super::respond::Responder;

/// How often the thread says that it lives.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// How long to wait after an accept failed for want of descriptors or memory: until a connection closes, likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Octets of the largest response (RFC 7766 section 8: the length has 16 bits).
const RESPONSE: usize = 65_535;

/// What the tasks of the thread share.
pub(super) struct Context {
    pub(super) responder: RefCell<Responder>,
    /// Where a response is made; free between two awaits.
    pub(super) scratch: RefCell<Vec<u8>>,
    pub(super) settings: TcpSettings,
}

impl Context {
    /// Counts in the thread's counters.
    pub(super) fn add(&self, add: impl FnOnce(&WorkerCounters)) {
        if let Some(counters) = self.responder.borrow().counters() {
            add(counters);
        }
    }
}

/// Serves these listeners until told to stop; then takes no more connections, and waits for those there are to be
/// answered what they asked.
pub(super) fn run(
    runtime: &tokio::runtime::Runtime,
    listeners: Vec<(SocketAddr, std::net::TcpListener)>,
    settings: TcpSettings,
    responder: Responder,
    shared: &Arc<Shared>,
) {
    let context = Rc::new(Context {
        responder: RefCell::new(responder),
        scratch: RefCell::new(vec![0; RESPONSE]),
        settings: settings.clone(),
    });
    let caps = Caps::new(settings);
    let connections = TaskTracker::new();
    let tasks = LocalSet::new();
    let mut phase = shared.phases();
    tasks.spawn_local(beat(context.clone()));
    for (address, listener) in listeners {
        let acceptor = Acceptor {
            address,
            context: context.clone(),
            caps: caps.clone(),
            connections: connections.clone(),
            phase: phase.clone(),
        };
        let shared = shared.clone();
        tasks.spawn_local(async move {
            if let Err(error) = acceptor.run(listener).await {
                shared.lose(LostListener::new(address, Transport::Tcp, &error));
            }
        });
    }
    tasks.block_on(runtime, async {
        // The sender lives in `shared`, so neither wait fails.
        let _ = phase.wait_for(|phase| *phase != Phase::Serve).await;
        connections.close();
        tokio::select! {
            () = connections.wait() => {}
            _ = phase.wait_for(|phase| *phase == Phase::Quit) => {}
        }
    });
}

async fn beat(context: Rc<Context>) {
    let mut ticks = tokio::time::interval(HEARTBEAT);
    loop {
        ticks.tick().await;
        context.add(|counters| count(&counters.heartbeat));
    }
}

/// The acceptor of one listener.
struct Acceptor {
    address: SocketAddr,
    context: Rc<Context>,
    caps: Rc<RefCell<Caps>>,
    connections: TaskTracker,
    phase: watch::Receiver<Phase>,
}

impl Acceptor {
    /// Accepts until told to stop; fails if the listener is lost.
    async fn run(mut self, listener: std::net::TcpListener) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = self.phase.wait_for(|phase| *phase != Phase::Serve) => return Ok(()),
            };
            match accepted {
                Ok((stream, source)) => self.take(stream, source),
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
    fn take(&self, stream: TcpStream, source: SocketAddr) {
        let Some(ticket) = Caps::enter(&self.caps, source.ip()) else {
            self.context.add(|counters| count(&counters.tcp_refused));
            let _ = stream.set_zero_linger();
            return;
        };
        self.context.add(|counters| count(&counters.tcp_connections));
        tracing::trace!(address = %self.address, %source, "TCP connection");
        let (context, phase) = (self.context.clone(), self.phase.clone());
        self.connections.spawn_local(async move {
            // Its errors are the peer's: it went away, or was too slow and is counted.
            let _ = connection::serve(stream, source.ip(), &context, phase).await;
            drop(ticket);
        });
    }
}

/// Whether an error of accept says that the listener is gone, rather than that one connection had bad luck (accept(2)
/// reports the errors of the new connection as well).
fn is_lost(error: &io::Error) -> bool {
    // EINVAL: not listening any more.
    crate::sys::datagrams::is_lost(error) || error.kind() == io::ErrorKind::InvalidInput
}
