//! TCP (RFC 7766, RFC 9210) of the hickory engine: one thread with a runtime of its own, wherever tokio runs, so that neither
//! the control plane nor a flood over UDP can starve it, nor it them. The native engine's workers have their own.
//!
//! Listeners in, each connection a task of its own; caps and timeouts keep them bounded. Queries over TCP are not
//! limited by rate: their source address cannot be spoofed, because the handshake proves it, and a connection has one query in work at a time.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio_util::task::TaskTracker;

use crate::answer;

use crate::telemetry::{Beat, keep_beating};

use super::accept::{Acceptor, ConnectionEnds};
use super::caps::Caps;
use super::clients::Clients;
use super::context::Context;
use super::respond::{Peer, Responder};
use super::shared::{Phase, Shared};
use super::task_connection;
use super::tcp_settings::TcpSettings;
use super::traffic::Traffic;
use super::transport::Transport;

/// Serves these listeners until told to stop; then takes no more connections, and waits for those there are to be
/// answered what they asked.
pub(super) fn run(
    runtime: &tokio::runtime::Runtime,
    listeners: Vec<(SocketAddr, std::net::TcpListener, Arc<Traffic>)>,
    settings: TcpSettings,
    responder: Responder,
    (shared, clients): (&Arc<Shared>, &Arc<Clients>),
    beat: &Beat,
) {
    let context = Context::new(settings.clone(), responder, beat.clone());
    let caps = Caps::new(settings);
    let connections = TaskTracker::new();
    let tasks = LocalSet::new();
    let mut phase = shared.phases();
    tasks.spawn_local(keep_beating(beat.clone()));
    for (address, listener, traffic) in listeners {
        let acceptor = Acceptor {
            address,
            transport: Transport::Tcp,
            context: context.clone(),
            caps: caps.clone(),
            connections: connections.clone(),
            phase: phase.clone(),
            traffic: traffic.clone(),
            clients: clients.clone(),
        };
        let shared = shared.clone();
        tasks.spawn_local(async move {
            let serve = async move |stream, ends, context, phase| {
                serve(stream, ends, context, phase, &traffic).await;
            };
            acceptor.run(listener, serve, &shared).await;
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

async fn serve(
    mut stream: TcpStream,
    ends: ConnectionEnds,
    context: Rc<Context>,
    phase: watch::Receiver<Phase>,
    traffic: &Traffic,
) {
    let _ = stream.set_nodelay(true);
    let peer = Peer::new(answer::TransportKind::Tcp, ends.client).asking(ends.asked);
    let served = task_connection::serve(&mut stream, &context, peer, phase, traffic).await;
    // Its errors are the peer's: it went away, or was too slow and is counted. Nothing waits for what it does not read.
    if served.is_err() {
        let _ = stream.set_zero_linger();
    }
}
