//! Sockets of a secondary: each binds a management address, never a service address.

pub(in crate::transfer::secondary) mod ask;
pub(in crate::transfer::secondary) mod edns;
pub(in crate::transfer::secondary) mod forwarder;
pub(in crate::transfer::secondary) mod idle;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

use crate::transfer::secondary::net::idle::{Connection, IdleConnections, Peer};

/// Octets that are read at once.
const READ: usize = 64 << 10;

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// No management address is of the family of the primary.
    #[error("no management address is of the family of {0}")]
    NoAddress(SocketAddr),
    /// No connection.
    #[error("no connection to {address}")]
    Connect {
        /// To whom.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No TLS with it.
    #[error("no TLS with {address}")]
    Tls {
        /// With whom.
        address: SocketAddr,
        /// Why: a certificate that is not accepted, for instance.
        #[source]
        source: io::Error,
    },
    /// No query over UDP.
    #[error("{address} cannot be asked over UDP")]
    Udp {
        /// Who.
        address: SocketAddr,
        /// Why: nobody listens there, for instance.
        #[source]
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to {address} broke")]
    Broke {
        /// To whom.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nothing came for too long.
    #[error("{address} has sent nothing for {} s", .after.as_secs_f32())]
    Silent {
        /// Who.
        address: SocketAddr,
        /// For how long.
        after: Duration,
    },
    /// Too little came.
    #[error("{address} sends less than {least} octets a second")]
    Slow {
        /// Who.
        address: SocketAddr,
        /// How many octets a second it must.
        least: u64,
    },
    /// It takes too long, however fast.
    #[error("the transfer from {address} takes longer than {} s", .limit.as_secs())]
    Long {
        /// From whom.
        address: SocketAddr,
        /// The limit.
        limit: Duration,
    },
}

/// The address to bind for a socket to `remote`.
fn local(management: &[IpAddr], remote: SocketAddr) -> Result<SocketAddr, NetError> {
    let same = management.iter().find(|address| address.is_ipv4() == remote.is_ipv4());
    same.map(|address| SocketAddr::new(*address, 0)).ok_or(NetError::NoAddress(remote))
}

/// A UDP socket that takes datagrams of `remote` alone.
pub(in crate::transfer) async fn datagrams(
    management: &[IpAddr],
    remote: SocketAddr,
) -> Result<UdpSocket, NetError> {
    let failed = |source| NetError::Connect { address: remote, source };
    let socket = UdpSocket::bind(local(management, remote)?).await.map_err(failed)?;
    socket.connect(remote).await.map_err(failed)?;
    Ok(socket)
}

/// What a stream may cost.
#[derive(Clone, Copy, Debug)]
pub(in crate::transfer::secondary) struct Pace {
    pub(in crate::transfer::secondary) connect: Duration,
    pub(in crate::transfer::secondary) silence: Duration,
    pub(in crate::transfer::secondary) rate_window: Duration,
    pub(in crate::transfer::secondary) least_rate: u64,
    pub(in crate::transfer::secondary) longest: Duration,
}

/// A stream of messages, each after its length (RFC 1035 section 4.2.2).
pub(in crate::transfer::secondary) struct Frames {
    stream: Box<dyn Connection>,
    address: SocketAddr,
    pace: Pace,
    end: Instant,
    /// What was read and not taken, from `start` on.
    buffer: Vec<u8>,
    start: usize,
    /// The end of the window in which the rate is measured; `None` before anything came, because a primary may have to compute first.
    window_end: Option<Instant>,
    window_octets: u64,
}

impl Frames {
    /// Sends a message over an idle connection, or a new one where there is none.
    pub(in crate::transfer::secondary) async fn open(
        idle: &IdleConnections,
        management: &[IpAddr],
        peer: Peer<'_>,
        pace: Pace,
        message: &[u8],
    ) -> Result<Self, NetError> {
        // One is tried, not all: a primary that computes for long would begin anew on each.
        if let Some(stream) = idle.take(peer, Instant::now().into_std()).await {
            let mut frames = Self::new(stream, peer.0, pace);
            // The other side may close it at this moment (RFC 7766 section 6.2.1): then nothing was answered, and another one will do.
            if frames.send(message).await.is_ok() && frames.begins().await {
                return Ok(frames);
            }
        }
        let stream = connect(management, peer, pace.connect).await?;
        let mut frames = Self::new(stream, peer.0, pace);
        frames.send(message).await?;
        Ok(frames)
    }

    fn new(stream: Box<dyn Connection>, address: SocketAddr, pace: Pace) -> Self {
        Self {
            stream,
            address,
            pace,
            end: Instant::now() + pace.longest,
            buffer: Vec::with_capacity(2 * READ),
            start: 0,
            window_end: None,
            window_octets: 0,
        }
    }

    async fn send(&mut self, message: &[u8]) -> Result<(), NetError> {
        let (address, silence) = (self.address, self.pace.silence);
        // A message to a primary has at most some hundred octets.
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
        let framed = [&length.to_be_bytes()[..], message].concat();
        let written = timeout(silence, self.stream.write_all(&framed)).await;
        let written = written.map_err(|_| NetError::Silent { address, after: silence })?;
        written.map_err(|source| NetError::Broke { address, source })
    }

    /// Whether an answer begins; false if the connection ends instead, or nothing comes: there are primaries that answer one query
    /// of a connection and forget it.
    async fn begins(&mut self) -> bool {
        let read = timeout(self.pace.connect, self.stream.read_buf(&mut self.buffer)).await;
        let octets = read.map_or(0, |read| read.unwrap_or(0)) as u64;
        self.window_octets = octets;
        self.window_end = (octets > 0).then(|| Instant::now() + self.pace.rate_window);
        octets > 0
    }

    /// Keeps the connection for the next exchange, if all that came on it was taken.
    pub(in crate::transfer::secondary) fn keep_idle(self, idle: &IdleConnections, peer: Peer<'_>) {
        if self.start == self.buffer.len() {
            idle.put(peer, self.stream, Instant::now().into_std());
        }
    }

    /// The next message; `None` if the other side closed in between two.
    pub(in crate::transfer::secondary) async fn next(&mut self) -> Result<Option<&[u8]>, NetError> {
        let mut last = Instant::now();
        loop {
            if let Some((start, end)) = self.complete() {
                self.start = end;
                return Ok(self.buffer.get(start..end));
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            self.buffer.reserve(READ);
            let silent_at = last + self.pace.silence;
            let until = silent_at.min(self.end).min(self.window_end.unwrap_or(silent_at));
            // What has come is read even when this process has not run for longer than that.
            match timeout_at(until, self.stream.read_buf(&mut self.buffer)).await {
                Ok(Ok(0)) if self.buffer.is_empty() => return Ok(None),
                Ok(Ok(0)) => {
                    let source = io::ErrorKind::UnexpectedEof.into();
                    return Err(NetError::Broke { address: self.address, source });
                }
                Ok(Ok(octets)) => {
                    last = Instant::now();
                    self.window_octets += octets as u64;
                    self.window_end.get_or_insert(last + self.pace.rate_window);
                }
                Ok(Err(source)) => return Err(NetError::Broke { address: self.address, source }),
                Err(_) if Instant::now() >= silent_at => {
                    return Err(NetError::Silent { address: self.address, after: self.pace.silence });
                }
                Err(_) => {}
            }
            self.judge()?;
        }
    }

    /// Where the next message lies, if it is complete.
    fn complete(&self) -> Option<(usize, usize)> {
        let (length, _) = self.buffer.get(self.start..)?.split_first_chunk::<2>()?;
        let start = self.start + 2;
        let end = start + usize::from(u16::from_be_bytes(*length));
        (end <= self.buffer.len()).then_some((start, end))
    }

    /// Whether it goes on fast enough.
    fn judge(&mut self) -> Result<(), NetError> {
        let (now, address, pace) = (Instant::now(), self.address, self.pace);
        if now >= self.end {
            return Err(NetError::Long { address, limit: pace.longest });
        }
        if self.window_end.is_some_and(|end| now >= end) {
            let least = pace.least_rate.saturating_mul(pace.rate_window.as_secs().max(1));
            if self.window_octets < least {
                return Err(NetError::Slow { address, least: pace.least_rate });
            }
            (self.window_octets, self.window_end) = (0, Some(now + pace.rate_window));
        }
        Ok(())
    }
}

/// A connection from a management address.
async fn connect(
    management: &[IpAddr],
    (address, tls): Peer<'_>,
    limit: Duration,
) -> Result<Box<dyn Connection>, NetError> {
    let failed = |source| NetError::Connect { address, source };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(failed)?;
    socket.bind(local(management, address)?).map_err(failed)?;
    let connected = timeout(limit, socket.connect(address)).await;
    let stream = connected.map_err(|_| failed(io::ErrorKind::TimedOut.into()))?.map_err(failed)?;
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return Ok(Box::new(stream)) };
    let failed = |source| NetError::Tls { address, source };
    let (connector, name) = tls.connector();
    let shaken = timeout(limit, connector.connect(name, stream)).await;
    Ok(Box::new(shaken.map_err(|_| failed(io::ErrorKind::TimedOut.into()))?.map_err(failed)?))
}
