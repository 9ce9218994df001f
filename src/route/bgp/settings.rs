//! What the operator chose about BGP.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

/// What the operator chose about BGP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BgpSettings {
    /// Our AS number, 1 to 4294967294 (RFC 7607), neither 23456 (RFC 6793) nor 65535 (RFC 7300).
    pub local_as: u32,
    /// Our BGP Identifier (RFC 6286): not zero, unique in our AS.
    pub router_id: Ipv4Addr,
    /// The Hold Time that we offer, in whole seconds: 0 (no keepalives) or 3 to 65535. BIRD (2.0.12) lets its hold timer go off up to
    /// a quarter early, at random (the jitter of RFC 4271 section 10): at 3 s a session with it survives a pause of 1.2 s, not of 1.8 s.
    pub hold_time: Duration,
    /// After this long without the neighbor taking any octet, the session ends; `None` takes RFC 9687's default,
    /// the greater of 8 minutes and twice the hold time. Longer than the hold time, at most a day.
    pub send_hold_time: Option<Duration>,
    /// The port on which incoming sessions are awaited, 179 by default.
    pub listen_port: u16,
    /// What changes when a route is to be less preferred.
    pub deprefer: Deprefer,
    /// The text that neighbors are sent at shutdown (RFC 9003); at most 128 octets of it are sent.
    pub shutdown_text: String,
    /// The neighbors, at most [`BgpSettings::MOST_NEIGHBORS`].
    pub neighbors: Vec<Neighbor>,
}

/// A BGP neighbor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// Its address.
    pub address: IpAddr,
    /// The port we connect to, 179 by default.
    pub port: u16,
    /// Its AS number; ours makes the session internal.
    pub remote_as: u32,
    /// Our end: the POP's management address, never a service address.
    pub local_address: IpAddr,
    /// Who connects.
    pub mode: Mode,
    /// The TCP MD5 password (RFC 2385).
    pub password: Option<Password>,
    /// How far away it may be.
    pub ttl: Ttl,
    /// The IPv4 next hop for services without their own; by default the local address if it is IPv4.
    pub next_hop_ipv4: Option<Ipv4Addr>,
    /// The IPv6 next hop for services without their own; by default the local address if it is IPv6.
    pub next_hop_ipv6: Option<Ipv6Addr>,
}

/// Who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// We connect; we do not listen.
    Active,
    /// The neighbor connects; we never do.
    Passive,
    /// Both; a collision is settled as in RFC 4271 section 6.8.
    Both,
}

/// How far away a neighbor may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ttl {
    /// Directly connected: packets leave with TTL 1. The default for external neighbors.
    Direct,
    /// GTSM (RFC 5082): packets leave with TTL 255, and those that arrive came over at most this many hops, 1 to 254.
    Security(u8),
    /// Packets leave with this TTL, 1 to 255. The default for internal neighbors is 64.
    Multihop(u8),
}

impl Ttl {
    /// The usual choice towards a neighbor in `remote_as`.
    #[must_use]
    pub fn default_for(local_as: u32, remote_as: u32) -> Self {
        if local_as == remote_as { Self::Multihop(64) } else { Self::Direct }
    }
}

/// What changes when a route is to be less preferred, beside the GRACEFUL_SHUTDOWN community (RFC 8326) and, on
/// internal sessions, LOCAL_PREF 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deprefer {
    /// This MULTI_EXIT_DISC instead of the service's.
    pub med: Option<u32>,
    /// This many prepends more than the service's; at most [`Service::MOST_PREPENDS`](crate::route::Service::MOST_PREPENDS).
    pub prepend: u8,
}

/// A password; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The longest key that Linux takes for TCP MD5.
    pub const LONGEST: usize = 80;

    /// A password of `text`.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Its octets.
    pub(super) fn octets(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// An invalid setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// An AS number that is reserved.
    #[error(
        "{} is AS {value}, which is reserved (RFC 7607, RFC 6793, RFC 7300); it must be 1 to 4294967294, neither 23456 nor 65535",
        .neighbor.map_or_else(|| "bgp local-as".to_owned(), |neighbor| format!("remote-as of bgp neighbor {neighbor}"))
    )]
    AsNumber {
        /// Whose it is; `None`: ours.
        neighbor: Option<SocketAddr>,
        /// The number.
        value: u32,
    },
    /// A router ID of zero.
    #[error("bgp router-id is 0.0.0.0; it must be an address that is unique in the AS (RFC 6286)")]
    RouterId,
    /// A hold time that RFC 4271 section 4.2 forbids.
    #[error("bgp hold-time is {0:?}; it must be 0 or 3 to 65535 whole seconds")]
    HoldTime(Duration),
    /// A send-hold time that RFC 9687 forbids.
    #[error(
        "bgp send-hold-time is {0:?}; it must be longer than the hold time, at most a day, in whole seconds"
    )]
    SendHoldTime(Duration),
    /// More of something than there may be.
    #[error("{what}: {count}; at most {most} are allowed")]
    TooMany {
        /// What there is too much of.
        what: String,
        /// How much.
        count: usize,
        /// How much there may be.
        most: usize,
    },
    /// Two neighbors that could not be told apart.
    #[error("bgp neighbor {0} is configured twice from the same local address")]
    DuplicateNeighbor(SocketAddr),
    /// Two incoming neighbors that could not be told apart.
    #[error("bgp neighbor {address} is awaited twice on {local}; one address may connect as one neighbor")]
    DuplicateListener {
        /// The neighbor's address.
        address: IpAddr,
        /// Where it is awaited.
        local: IpAddr,
    },
    /// A prefix with two services.
    #[error("prefix {0} is configured twice")]
    DuplicatePrefix(IpNet),
    /// A prefix with bits set behind its length.
    #[error("prefix {0} has host bits set; it must be {network}", network = .0.trunc())]
    HostBits(IpNet),
    /// A prefix that no service can have.
    #[error(
        "prefix {0} cannot be announced; it must be unicast and neither loopback nor link-local: in IPv4 at least /8 from 1.0.0.0 \
         to 223.255.255.255, in IPv6 at least /16 in 2000::/3 or fc00::/7"
    )]
    NotUnicast(IpNet),
    /// An end of a session that cannot be one.
    #[error(
        "bgp neighbor {neighbor}: {what} {address} cannot be used; it must be a unicast address of the same family as the neighbor's"
    )]
    Address {
        /// The neighbor.
        neighbor: SocketAddr,
        /// Which address.
        what: &'static str,
        /// Its value.
        address: IpAddr,
    },
    /// A session from a service address.
    #[error(
        "bgp neighbor {neighbor}: local address {address} is inside the service prefix {prefix}; it must be the POP's own unicast address"
    )]
    ServiceAddress {
        /// The neighbor.
        neighbor: SocketAddr,
        /// The local address.
        address: IpAddr,
        /// The prefix it is inside.
        prefix: IpNet,
    },
    /// A prefix without a next hop.
    #[error(
        "prefix {prefix} has no next hop towards bgp neighbor {neighbor}; set next-hop of the service or next-hop-ipv6 of the neighbor"
    )]
    NoNextHop {
        /// The prefix.
        prefix: IpNet,
        /// The neighbor.
        neighbor: SocketAddr,
    },
    /// A next hop of a service that cannot be one.
    #[error(
        "prefix {prefix}: next hop {next_hop} is {what}; it must be a global unicast address of this POP, IPv6 for an IPv6 prefix"
    )]
    NextHop {
        /// The prefix.
        prefix: IpNet,
        /// The next hop.
        next_hop: IpAddr,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A next hop towards one neighbor that cannot be one.
    #[error(
        "bgp neighbor {neighbor}: {key} {next_hop} is {what}; it must be a global unicast address of this POP"
    )]
    NeighborNextHop {
        /// The neighbor.
        neighbor: SocketAddr,
        /// The key that sets it.
        key: &'static str,
        /// The next hop.
        next_hop: IpAddr,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A port of zero.
    #[error(
        "{} is 0; it must be 1 to 65535, usually 179",
        .0.map_or_else(|| "bgp listen-port".to_owned(), |neighbor| format!("the port of bgp neighbor {neighbor}"))
    )]
    Port(Option<IpAddr>),
    /// A neighbor at our own address.
    #[error("bgp neighbor {0}: its address is the local address of the session; they must be two addresses")]
    SameEnds(SocketAddr),
    /// A link-local end of a session, which would need an interface.
    #[error(
        "bgp neighbor {neighbor}: the link-local address {address} cannot be used, because no interface can be named yet; use a \
         global address of the link"
    )]
    LinkLocal {
        /// The neighbor.
        neighbor: SocketAddr,
        /// Which address.
        address: IpAddr,
    },
    /// A password that TCP MD5 cannot take.
    #[error("bgp neighbor {neighbor}: the password has {length} octets; it must have 1 to {longest}", longest = Password::LONGEST)]
    PasswordLength {
        /// The neighbor.
        neighbor: SocketAddr,
        /// Its password's length.
        length: usize,
    },
    /// A number of hops of zero or beyond what a TTL can be.
    #[error(
        "bgp neighbor {neighbor}: {ttl:?} is no distance; it must be 1 to 254 (GTSM) or 1 to 255 (multihop)"
    )]
    Distance {
        /// The neighbor.
        neighbor: SocketAddr,
        /// The distance.
        ttl: Ttl,
    },
}

impl BgpSettings {
    /// The most neighbors: a POP has a handful; each costs a task and two buffers.
    pub const MOST_NEIGHBORS: usize = 64;
    /// The most prefixes: an anycast service has a handful; all their UPDATEs together fit one buffer.
    pub const MOST_SERVICES: usize = 256;
    /// The default Hold Time: three keepalive intervals (RFC 4271 section 10), so a dead POP is withdrawn within 9 s.
    pub const DEFAULT_HOLD_TIME: Duration = Duration::from_secs(9);

    /// RFC 9687's SendHoldTime.
    pub(super) fn effective_send_hold_time(&self) -> Duration {
        /// Section 6 of RFC 9687.
        const LEAST: Duration = Duration::from_secs(480);
        self.send_hold_time.unwrap_or_else(|| LEAST.max(self.hold_time * 2))
    }

    /// The Hold Time as OPEN carries it.
    pub(super) fn hold_time_seconds(&self) -> u16 {
        u16::try_from(self.hold_time.as_secs()).unwrap_or(u16::MAX)
    }

    /// Whether `neighbor` is in our AS.
    #[must_use]
    pub fn is_internal(&self, neighbor: &Neighbor) -> bool {
        self.local_as == neighbor.remote_as
    }
}

impl Neighbor {
    /// A neighbor with the usual choices: port 179, we connect, no password, TTL by kind of session.
    #[must_use]
    pub fn new(local_as: u32, local_address: IpAddr, address: IpAddr, remote_as: u32) -> Self {
        Self {
            address,
            port: 179,
            remote_as,
            local_address,
            mode: Mode::Active,
            password: None,
            ttl: Ttl::default_for(local_as, remote_as),
            next_hop_ipv4: None,
            next_hop_ipv6: None,
        }
    }

    /// Its address and port, by which it is named.
    #[must_use]
    pub fn socket_address(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}
