//! The interface between the gate and a driver that announces routes.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::bgp::Sessions;
use crate::handoff::Reader;
use crate::telemetry::Beat;

/// Makes routes what the latest [`Wanted`] says.
pub trait Driver: Send {
    /// Begins to follow `wanted`. When `stop` is cancelled, or `wanted`'s sender is dropped, the driver withdraws
    /// everything, in a bounded time, and its task ends.
    fn start(self, wanted: watch::Receiver<Wanted>, stop: CancellationToken) -> Started;
}

/// A driver at work.
#[derive(Debug)]
pub struct Started {
    /// What the driver observes, the latest.
    pub observed: watch::Receiver<Observed>,
    /// Ends when every route is withdrawn and every session closed.
    pub task: JoinHandle<()>,
    /// The sockets of the sessions, for the watchdog.
    pub sessions: Sessions,
    /// The beats of the driver's own tasks, as long as it runs.
    pub beats: Vec<Beat>,
    /// The beats of the neighbors' tasks, the latest.
    pub neighbor_beats: Reader<Vec<Beat>>,
}

/// The routes that should be there; a prefix that is missing should not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// How each prefix should be announced.
    pub routes: BTreeMap<IpNet, Preference>,
}

/// How much a route should be preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Preference {
    /// Less than other POPs' (RFC 8326).
    Depreferred,
    /// As configured.
    Normal,
}

impl Preference {
    /// One word, as in the status and the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Depreferred => "depreferred",
            Self::Normal => "announced",
        }
    }
}

/// What the driver observes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// One per neighbor, in the order of the config.
    pub neighbors: Vec<NeighborObserved>,
}

/// Names a neighbor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NeighborKey {
    /// No neighbor: the dry run.
    DryRun,
    /// A BGP neighbor.
    Bgp(SocketAddr),
}

/// What the driver observes of one neighbor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighborObserved {
    /// Which neighbor.
    pub neighbor: NeighborKey,
    /// The session's state.
    pub session: SessionState,
    /// Since when.
    pub since: Instant,
    /// How many times the session came up.
    pub established: u64,
    /// UPDATE messages received; their bodies are not looked at.
    pub updates_received: u64,
    /// When something last came from it in the established session.
    pub heard: Option<Instant>,
    /// The hold time that both sides agreed on in the established session (RFC 4271 section 4.2); zero: none.
    pub hold_time: Option<Duration>,
    /// The last fault of the session, kept after the session recovered, and when it was.
    pub last_error: Option<(Instant, Arc<str>)>,
    /// Routes that were advertised to the neighbor: written to its connection as a whole.
    pub routes: BTreeMap<IpNet, RouteObserved>,
    /// Wanted prefixes that cannot be advertised to this neighbor in this session, and why.
    pub refused: BTreeMap<IpNet, Arc<str>>,
}

/// A route that was advertised to a neighbor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteObserved {
    /// How it was advertised.
    pub preference: Preference,
    /// Since when.
    pub since: Instant,
}

/// The state of a session (RFC 4271 section 8.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionState {
    /// Nothing is attempted now.
    Idle,
    /// A connection is being opened.
    Connect,
    /// Waiting: for the neighbor to connect, or for the next attempt.
    Active,
    /// OPEN sent, none received.
    OpenSent,
    /// OPEN received, KEEPALIVE awaited.
    OpenConfirm,
    /// Routes are exchanged.
    Established,
}

impl NeighborObserved {
    /// A neighbor that nothing is known of yet.
    #[must_use]
    pub fn new(neighbor: NeighborKey, now: Instant) -> Self {
        Self {
            neighbor,
            session: SessionState::Idle,
            since: now,
            established: 0,
            updates_received: 0,
            heard: None,
            hold_time: None,
            last_error: None,
            routes: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }
}

impl fmt::Display for NeighborKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DryRun => f.write_str("dry-run"),
            Self::Bgp(address) => write!(f, "{address}"),
        }
    }
}

impl SessionState {
    /// The name of RFC 4271.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "Idle",
            Self::Connect => "Connect",
            Self::Active => "Active",
            Self::OpenSent => "OpenSent",
            Self::OpenConfirm => "OpenConfirm",
            Self::Established => "Established",
        }
    }
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
