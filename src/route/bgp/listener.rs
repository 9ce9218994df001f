//! Awaits incoming sessions on one local address, for configured neighbors only.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::settings::Neighbor;
use super::socket;

/// The wait after a failure to listen or to accept: an address that is not there yet, no descriptor left.
const RETRY: Duration = Duration::from_secs(1);

/// Awaits incoming sessions on one local address.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) local: SocketAddr,
    /// The neighbors awaited here and the tasks that take their connections.
    pub(super) neighbors: BTreeMap<IpAddr, (Neighbor, mpsc::Sender<TcpStream>)>,
    pub(super) stop: CancellationToken,
}

impl Listener {
    /// Runs until `stop` is cancelled.
    pub(super) async fn run(self) {
        let stop = self.stop.clone();
        // Dropped at its await, it leaves nothing but a closed socket.
        let _ = stop.run_until_cancelled(self.serve()).await;
    }

    async fn serve(self) {
        loop {
            match socket::listener(self.local, self.neighbors.values().map(|(neighbor, _)| neighbor)) {
                Ok(listener) => self.accept(&listener).await,
                Err(error) => {
                    tracing::error!(local = %self.local, %error, "cannot listen for bgp neighbors; trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn accept(&self, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.hand_over(stream, peer),
                Err(error) => {
                    tracing::warn!(local = %self.local, %error, "cannot accept a bgp connection");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// A connection from an unknown address, or one too many, is closed by being dropped.
    fn hand_over(&self, stream: TcpStream, peer: SocketAddr) {
        let Some((_, task)) = self.neighbors.get(&peer.ip()) else {
            tracing::debug!(local = %self.local, %peer, "bgp connection from an address that is no neighbor closed");
            return;
        };
        if task.try_send(stream).is_err() {
            tracing::debug!(local = %self.local, %peer, "bgp connection closed: another one waits");
        }
    }
}
