//! DNS over TLS (RFC 7858, RFC 9539): the loop of TCP over a TLS stream.

use std::io;
use std::rc::Rc;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::answer::TransportKind;
use crate::serve::accept::ConnectionEnds;
use crate::serve::context::Context;
use crate::serve::message_stream::PATIENCE;
use crate::serve::respond::Peer;
use crate::serve::shared::Phase;
use crate::serve::task_connection;
use crate::serve::traffic::Traffic;
use crate::telemetry::count;

/// Serves a connection: handshake, then messages.
pub(super) async fn serve(
    stream: TcpStream,
    ends: ConnectionEnds,
    tls: TlsAcceptor,
    context: Rc<Context>,
    phase: watch::Receiver<Phase>,
) {
    let Some(mut stream) = handshake(stream, tls, &context).await else { return };
    let peer = Peer::new(TransportKind::Dot, ends.client).asking(ends.asked);
    if task_connection::serve(&mut stream, &context, peer, phase, &Traffic::default()).await.is_err() {
        let _ = stream.get_ref().0.set_zero_linger();
    }
}

/// The handshake of any transport over TLS, within [`PATIENCE`]; one that fails is counted.
pub(super) async fn handshake(
    stream: TcpStream,
    tls: TlsAcceptor,
    context: &Context,
) -> Option<TlsStream<TcpStream>> {
    let _ = stream.set_nodelay(true);
    let late = |_| Err(io::ErrorKind::TimedOut.into());
    match timeout(PATIENCE, tls.accept(stream)).await.unwrap_or_else(late) {
        Ok(stream) => {
            context.add(|counters| count(&counters.tls_sessions));
            Some(stream)
        }
        Err(error) => {
            tracing::trace!(%error, "TLS handshake");
            context.add(|counters| count(&counters.handshake_failures));
            None
        }
    }
}
