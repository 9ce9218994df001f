//! What the operator chose about connections.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

/// What the operator chose about TCP, or about the encrypted transports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpSettings {
    /// Connections at one time; a further one is reset.
    pub connections: usize,
    /// Connections at one time of one source prefix (/24 or /56); a further one is reset.
    pub connections_per_source: usize,
    /// How long a connection may be silent between queries (RFC 7766 section 6.2.3).
    pub idle: Duration,
    /// How long a connection may live, however busy: after a change of routes, or of which sources have room, connections
    /// must move on too. What it asked by then is answered; clients connect again when they must (RFC 7766 section 6.2.4).
    pub lifetime: Duration,
    /// Sources that both caps let in: the POP's own prober, the operator's monitoring. If many clients could
    /// keep the prober out, the POP would take overload for a fault. They have
    /// [`TcpSettings::EXEMPT_CONNECTIONS`] connections of their own. Loopback is always among them.
    pub exempt: Vec<IpNet>,
    /// Load balancers: a connection from them begins with a PROXY protocol header, version 2, which names the client
    /// that the caps count. From elsewhere such a header is no query and closes the connection. Connections over TCP
    /// (DoT and DoH among them) only; UDP and QUIC have no use for it, because a balancer there keeps the source.
    pub proxies: Vec<IpNet>,
}

impl TcpSettings {
    /// Enough for a busy POP; bounds the buffers to 150 MiB at the very worst, to a few MiB in practice.
    pub const DEFAULT_CONNECTIONS: usize = 1024;
    /// A /24 of resolvers that each keep a connection is rare.
    pub const DEFAULT_CONNECTIONS_PER_SOURCE: usize = 64;
    /// "In the order of a few seconds" (RFC 7766 section 6.2.3).
    pub const DEFAULT_IDLE: Duration = Duration::from_secs(10);
    /// Long beside what a new connection costs, short beside how long routes stay.
    pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);
    /// Connections at one time of all exempt sources together: a few probers.
    pub const EXEMPT_CONNECTIONS: usize = 64;

    /// Whether connections from this address come through a load balancer.
    pub(super) fn is_proxy(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.proxies.iter().any(|prefix| prefix.contains(&source))
    }
}

impl Default for TcpSettings {
    fn default() -> Self {
        Self {
            connections: Self::DEFAULT_CONNECTIONS,
            connections_per_source: Self::DEFAULT_CONNECTIONS_PER_SOURCE,
            idle: Self::DEFAULT_IDLE,
            lifetime: Self::DEFAULT_LIFETIME,
            exempt: Vec::new(),
            proxies: Vec::new(),
        }
    }
}
