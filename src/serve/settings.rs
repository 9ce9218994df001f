//! What the operator chose about serving.

use std::net::SocketAddr;

use super::encrypted::TlsSettings;
use super::tcp_settings::TcpSettings;

/// What moves the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Native on Linux, hickory elsewhere.
    #[default]
    Auto,
    /// Ours: batches of system calls, a pinned worker per core. Linux only.
    Native,
    /// hickory-server, wherever tokio runs.
    Hickory,
}

impl Engine {
    /// Whether this choice means the native engine in this build.
    #[must_use]
    pub fn is_native(self) -> bool {
        match self {
            Self::Auto => cfg!(native),
            Self::Native => true,
            Self::Hickory => false,
        }
    }
}

/// What the operator chose about serving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What moves the bytes.
    pub engine: Engine,
    /// Where to listen, for UDP and TCP both; 1 to [`Settings::MAX_LISTEN`] addresses, none twice. Port 0 takes a
    /// free port, the same for both transports.
    pub listen: Vec<SocketAddr>,
    /// Workers of UDP and TCP, at most [`Settings::MAX_WORKERS`]; 0 is one for each core that the process may use.
    pub workers: usize,
    /// Whether a worker takes what its own core received, where the kernel would choose one by a hash. For the native engine
    /// with a worker on each core, and a receive queue (or RPS) for each; otherwise it does nothing, and the log says so.
    pub socket_affinity: bool,
    /// TCP.
    pub tcp: TcpSettings,
    /// Encrypted transports, if any.
    pub tls: Option<TlsSettings>,
}

impl Settings {
    /// A worker looks at each address's socket in turn.
    pub const MAX_LISTEN: usize = 64;
    /// More than the cores of any one machine that serves.
    pub const MAX_WORKERS: usize = 256;

    /// How many workers these settings make.
    pub fn worker_count(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let workers = if self.workers == 0 { cores() } else { self.workers };
        workers.min(Self::MAX_WORKERS)
    }

    /// How many sets of counters the engine takes, because a set has one writer: one for each worker, or with the hickory
    /// engine one for UDP and one for TCP.
    pub(super) fn engine_sets(&self) -> usize {
        if self.engine.is_native() { self.worker_count() } else { 2 }
    }

    /// How many sets of counters [`super::start`] needs: those of the engine, then one for encrypted transports if there
    /// are any.
    pub fn counter_sets(&self) -> usize {
        self.engine_sets() + usize::from(self.tls.is_some())
    }
}
