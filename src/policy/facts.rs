//! What policy looks at.

use std::net::IpAddr;
use std::time::Duration;

/// Everything that policy looks at, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whether every zone is loaded, restored or refused with a reason.
    pub zones_settled: bool,
    /// How many zones are served.
    pub zones_served: usize,
    /// Whether at this start every catalog and every zone of it has come, or has failed; then it stays true.
    pub catalogs_settled: bool,
    /// Zones that the config requires and that are not served.
    pub required_missing: Vec<String>,
    /// Listening sockets that are gone or cannot be read, as `192.0.2.1:53/udp: reason`.
    pub lost_sockets: Vec<String>,
    /// Service addresses that are not on the host although they should be.
    pub lost_addresses: Vec<IpAddr>,
    /// Workers whose heartbeat is stale.
    pub stale_workers: usize,
    /// How old the oldest of their heartbeats is.
    pub heartbeat_age: Duration,
    /// Facts that say whether this POP answers and that were not checked for too long.
    pub stale: Vec<StaleFact>,
    /// Address families whose answers cannot leave this host.
    pub no_route_back: Vec<NoRouteBack>,
    /// Listening addresses that a socket of another process shares, with that socket as `192.0.2.1:53/udp (inode 4711)`.
    pub shared_addresses: Vec<(IpAddr, String)>,
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
    /// Does not answer, and nothing shows that it is overloaded.
    Silent {
        /// What was missing, for the operator.
        reason: String,
    },
    /// Does not answer over one of UDP and TCP, without overload, and answers over the other.
    OneTransportDead {
        /// What was missing, for the operator.
        reason: String,
    },
}

/// A fact that was not checked for too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleFact {
    /// Its source, as the operator knows it.
    pub name: String,
    /// How long ago it was last checked.
    pub age: Duration,
}

/// An address family in which nearly all answers cannot be sent, and in which the kernel has no route to the reference
/// addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRouteBack {
    /// The family.
    pub family: Family,
    /// The reference addresses, for the operator.
    pub references: Vec<IpAddr>,
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// Whether an address belongs to it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == (self == Self::Ipv4)
    }
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
