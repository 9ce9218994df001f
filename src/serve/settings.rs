//! What the operator chose about serving.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

/// What moves the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Native on Linux, hickory elsewhere.
    #[default]
    Auto,
    /// Ours: batches of system calls, a pinned worker per core. Linux only.
    Native,
    /// hickory-server, wherever tokio runs.
    Hickory,
}

/// What the operator chose about serving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What moves the bytes.
    pub engine: Engine,
    /// Where to listen, for UDP and TCP both; 1 to [`Settings::MAX_LISTEN`] addresses, none twice. Port 0 takes a
    /// free port, the same for both transports.
    pub listen: Vec<SocketAddr>,
    /// UDP workers, at most [`Settings::MAX_WORKERS`]; 0 is one for each core that the process may use.
    pub workers: usize,
    /// TCP.
    pub tcp: TcpSettings,
}

impl Settings {
    /// A worker looks at each address's socket in turn.
    pub const MAX_LISTEN: usize = 64;
    /// More than the cores of any one machine that serves.
    pub const MAX_WORKERS: usize = 256;

    /// How many UDP workers these settings make.
    pub fn worker_count(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let workers = if self.workers == 0 { cores() } else { self.workers };
        workers.min(Self::MAX_WORKERS)
    }

    /// How many sets of counters [`super::start`] needs: one for each worker, and the last for TCP (or for all of
    /// the hickory engine), because a set has one writer.
    pub fn counter_sets(&self) -> usize {
        self.worker_count() + 1
    }
}

/// What the operator chose about TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpSettings {
    /// Connections at one time; a further one is reset.
    pub connections: usize,
    /// Connections at one time of one source prefix (/24 or /56); a further one is reset.
    pub connections_per_source: usize,
    /// How long a connection may be silent between queries (RFC 7766 section 6.2.3).
    pub idle: Duration,
    /// Sources that both caps let in: the POP's own prober, the operator's monitoring. If a crowd of clients could
    /// keep the prober out, the POP would take overload for ill health. They have
    /// [`TcpSettings::EXEMPT_CONNECTIONS`] connections of their own. Loopback is always among them.
    pub exempt: Vec<IpNet>,
}

impl TcpSettings {
    /// Enough for a busy POP; bounds the buffers to 150 MiB at the very worst, to a few MiB in practice.
    pub const DEFAULT_CONNECTIONS: usize = 1024;
    /// A /24 of resolvers that each keep a connection is rare.
    pub const DEFAULT_CONNECTIONS_PER_SOURCE: usize = 64;
    /// "In the order of a few seconds" (RFC 7766 section 6.2.3).
    pub const DEFAULT_IDLE: Duration = Duration::from_secs(10);
    /// Connections at one time of all exempt sources together: a few probers.
    pub const EXEMPT_CONNECTIONS: usize = 64;
}

impl Default for TcpSettings {
    fn default() -> Self {
        Self {
            connections: Self::DEFAULT_CONNECTIONS,
            connections_per_source: Self::DEFAULT_CONNECTIONS_PER_SOURCE,
            idle: Self::DEFAULT_IDLE,
            exempt: Vec::new(),
        }
    }
}
