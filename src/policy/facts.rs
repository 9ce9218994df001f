//! What policy looks at, and what it says.

use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

use ipnet::IpNet;

/// Everything that policy looks at, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whether every zone is loaded, restored or refused with a reason.
    pub zones_settled: bool,
    /// How many zones are served.
    pub zones_served: usize,
    /// Zones that the config requires and that are not served.
    pub required_missing: Vec<String>,
    /// Listening sockets that are gone or cannot be read, as `192.0.2.1:53/udp: reason`.
    pub lost_sockets: Vec<String>,
    /// Service addresses that are not on the host although they should be.
    pub lost_addresses: Vec<IpAddr>,
    /// Workers whose heartbeat is stale.
    pub stale_workers: usize,
    /// What the probes of each service address say.
    pub probes: Vec<(IpAddr, Probe)>,
    /// What the operator ordered.
    pub operator: Operator,
}

/// What the last probes of one service address say, `rise` and `fall` already applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Not answered `rise` times in a row yet.
    Untested,
    /// Answers well.
    Up,
    /// Probes are lost while the workers answer other queries: overload, not ill health.
    Pressure,
    /// Answers wrongly: not this instance, wrong RCODE, not authoritative, wrong owner.
    Wrong {
        /// What was wrong, for the operator.
        reason: String,
    },
    /// Does not answer although the workers have nothing else to do.
    Silent {
        /// What was missing, for the operator.
        reason: String,
    },
}

/// What the operator ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Nothing: health decides.
    Automatic,
    /// Announce less preferably.
    Deprefer {
        /// Why.
        reason: String,
    },
    /// Do not announce.
    Withdraw {
        /// Why.
        reason: String,
    },
}

/// How a prefix should be announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Intent {
    /// Not at all.
    Withdraw,
    /// Less preferably (RFC 8326 GRACEFUL_SHUTDOWN, MED, prepends).
    Deprefer,
    /// As configured.
    Announce,
}

impl Intent {
    /// One word, as in the status and the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Withdraw => "withdraw",
            Self::Deprefer => "deprefer",
            Self::Announce => "announce",
        }
    }
}

/// Why a prefix is not simply announced, or what weighs on it although it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Zones are still being loaded.
    Loading,
    /// Not one zone is served.
    NoZone,
    /// A required zone is not served.
    RequiredZoneMissing(String),
    /// A listening socket is gone.
    SocketLost(String),
    /// A service address is not on the host.
    AddressLost(IpAddr),
    /// A worker's heartbeat is stale.
    WorkersStale(usize),
    /// A service address has not passed its first probes.
    Untested(IpAddr),
    /// A service address answers wrongly.
    Wrong(IpAddr, String),
    /// A service address does not answer.
    Silent(IpAddr, String),
    /// Probes of a service address are lost to overload. Never withdraws; nothing is newly announced under it.
    Pressure(IpAddr),
    /// The hold before an announcement is over at this time, if the facts stay good.
    Hold(Instant),
    /// The operator ordered it.
    Operator(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loading => f.write_str("zones are being loaded"),
            Self::NoZone => f.write_str("not one zone is served"),
            Self::RequiredZoneMissing(zone) => write!(f, "the required zone {zone} is not served"),
            Self::SocketLost(socket) => write!(f, "the socket {socket}"),
            Self::AddressLost(address) => write!(f, "the service address {address} is not on the host"),
            Self::WorkersStale(count) => write!(f, "{count} workers stand still"),
            Self::Untested(address) => write!(f, "{address} has not passed its probes yet"),
            Self::Wrong(address, reason) => write!(f, "{address} answers wrongly: {reason}"),
            Self::Silent(address, reason) => write!(f, "{address} does not answer: {reason}"),
            Self::Pressure(address) => write!(f, "probes of {address} are lost to overload"),
            // A moment of the monotonic clock has no text; `since` and the settings tell how long a hold is.
            Self::Hold(_) => f.write_str("on hold after a withdrawal"),
            Self::Operator(reason) => write!(f, "ordered: {reason}"),
        }
    }
}

/// The decision for one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixDecision {
    /// The prefix.
    pub prefix: IpNet,
    /// How it should be announced.
    pub intent: Intent,
    /// Since when the intent is this one.
    pub since: Instant,
    /// Why it is not simply announced. [`Intent::Announce`] may carry what weighs on it without changing it:
    /// [`Reason::Pressure`], [`Reason::Untested`].
    pub reasons: Vec<Reason>,
}

/// The decision for every configured prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// One per prefix, in the order of the config.
    pub prefixes: Vec<PrefixDecision>,
}
