//! Connections to primaries between two exchanges.
//!
//! An exchange that ended well leaves its connection here, and the next one with the same primary takes it (RFC 7766 section
//! 6.2.1, RFC 9103 section 6.3.1): many thousand zones cost some connections and not one each, nor a TLS handshake each, nor a local
//! port that stays in TIME-WAIT. Never holds more than [`MAX_IDLE_CONNECTIONS`], none for longer than [`IDLE_TIMEOUT`], and gives none away on which
//! something has come that nobody asked for, or that the other side has closed.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::timeout;

use crate::telemetry::locked;
use crate::transfer::tls::TlsClient;

/// How long a connection is kept idle (RFC 7766 section 6.2.3): shorter than the idle times of the peers (Knot DNS 10 s, BIND 30 s, NSD 120 s), long enough
/// for the next of many zones.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// The most idle connections.
const MAX_IDLE_CONNECTIONS: usize = 32;

/// A connection, encrypted or not.
pub(in crate::transfer::secondary) trait Connection:
    AsyncRead + AsyncWrite + Send + Unpin
{
}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// With whom, and over what.
pub(in crate::transfer::secondary) type Peer<'a> = (SocketAddr, Option<&'a TlsClient>);

/// The idle connections.
#[derive(Default)]
pub(in crate::transfer::secondary) struct IdleConnections {
    streams: Mutex<Vec<IdleStream>>,
}

struct IdleStream {
    address: SocketAddr,
    tls: Option<TlsClient>,
    stream: Box<dyn Connection>,
    until: Instant,
}

impl IdleConnections {
    /// A connection to this primary over which another exchange can go.
    pub(in crate::transfer::secondary) async fn take(
        &self,
        peer: Peer<'_>,
        now: Instant,
    ) -> Option<Box<dyn Connection>> {
        loop {
            let mut stream = self.take_any(peer, now)?;
            let mut octet = [0];
            // An idle connection has nothing to read: one with an octet, an end or an error is not used again.
            if timeout(Duration::ZERO, stream.read(&mut octet)).await.is_err() {
                return Some(stream);
            }
        }
    }

    fn take_any(&self, (address, tls): Peer<'_>, now: Instant) -> Option<Box<dyn Connection>> {
        let mut streams = locked(&self.streams);
        // The last one that came has been idle for the shortest time.
        let place = streams.iter().rposition(|it| {
            let same_tls = match (&it.tls, tls) {
                (None, None) => true,
                (Some(one), Some(other)) => one.is_same(other),
                _ => false,
            };
            it.address == address && same_tls && it.until > now
        })?;
        Some(streams.remove(place).stream)
    }

    /// Takes a connection on which all that was asked for has come.
    pub(in crate::transfer::secondary) fn put(
        &self,
        (address, tls): Peer<'_>,
        stream: Box<dyn Connection>,
        now: Instant,
    ) {
        let mut streams = locked(&self.streams);
        if streams.len() >= MAX_IDLE_CONNECTIONS {
            streams.remove(0);
        }
        streams.push(IdleStream { address, tls: tls.cloned(), stream, until: now + IDLE_TIMEOUT });
    }

    /// Closes those that have been idle long enough; when the next one will have been.
    pub(in crate::transfer::secondary) fn close_old(&self, now: Instant) -> Option<Instant> {
        let mut streams = locked(&self.streams);
        streams.retain(|it| it.until > now);
        streams.first().map(|it| it.until)
    }

    /// Closes all: addresses, keys or certificates may be others from now on.
    pub(in crate::transfer::secondary) fn close_all(&self) {
        locked(&self.streams).clear();
    }
}

impl std::fmt::Debug for IdleConnections {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "IdleConnections({})", locked(&self.streams).len())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 53);
    const PEER: Peer<'_> = (ADDRESS, None);

    fn idle_connection(idle: &IdleConnections, now: Instant) -> DuplexStream {
        let (ours, theirs) = duplex(64);
        idle.put(PEER, Box::new(ours), now);
        theirs
    }

    #[tokio::test]
    async fn a_idle_connection_is_taken_once_and_by_its_peer_alone() {
        let (idle, now) = (IdleConnections::default(), Instant::now());
        let _theirs = idle_connection(&idle, now);
        let other = (SocketAddr::new(ADDRESS.ip(), 54), None);
        assert!(idle.take(other, now).await.is_none());
        assert!(idle.take(PEER, now).await.is_some());
        assert!(idle.take(PEER, now).await.is_none());
    }

    #[tokio::test]
    async fn one_that_was_closed_or_brought_something_is_not_given_away() {
        let (idle, now) = (IdleConnections::default(), Instant::now());
        drop(idle_connection(&idle, now));
        let mut theirs = idle_connection(&idle, now);
        theirs.write_all(b"x").await.unwrap();
        assert!(idle.take(PEER, now).await.is_none());
        assert_eq!(format!("{idle:?}"), "IdleConnections(0)");
    }

    #[tokio::test]
    async fn they_are_bounded_in_time_and_number() {
        let (idle, now) = (IdleConnections::default(), Instant::now());
        let _theirs: Vec<_> = (0..MAX_IDLE_CONNECTIONS + 5).map(|_| idle_connection(&idle, now)).collect();
        assert_eq!(format!("{idle:?}"), format!("IdleConnections({MAX_IDLE_CONNECTIONS})"));
        assert_eq!(idle.close_old(now), Some(now + IDLE_TIMEOUT));
        assert!(idle.take(PEER, now + IDLE_TIMEOUT).await.is_none());
        assert_eq!(idle.close_old(now + IDLE_TIMEOUT), None);
        assert_eq!(format!("{idle:?}"), "IdleConnections(0)");
    }
}
