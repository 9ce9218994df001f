//! What would be announced, from where, to whom; and whether that can be. Pure, for `anyns check`.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use super::attributes::Route;
use super::settings::{BgpSettings, Neighbor, Password, SettingsError, Ttl};
use crate::route::driver::Preference;
use crate::route::service::{Community, LargeCommunity, Service};

/// What would be announced, and what about it looks wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// One per prefix and neighbour.
    pub announcements: Vec<PlannedAnnouncement>,
    /// What may be meant, but seldom is.
    pub warnings: Vec<Warning>,
}

/// One prefix towards one neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedAnnouncement {
    /// The prefix.
    pub prefix: IpNet,
    /// The neighbour.
    pub neighbor: SocketAddr,
    /// Its AS number.
    pub remote_as: u32,
    /// NEXT_HOP.
    pub next_hop: IpAddr,
    /// AS_PATH; empty on internal sessions.
    pub as_path: Vec<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF, on internal sessions alone.
    pub local_pref: Option<u32>,
    /// COMMUNITIES.
    pub communities: Vec<Community>,
    /// LARGE_COMMUNITIES.
    pub large_communities: Vec<LargeCommunity>,
}

/// What may be meant, but seldom is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// MED is compared among routes from one neighbouring AS only (RFC 4271 section 9.1.2.2).
    #[error(
        "prefix {prefix} has a MED, but its neighbours are in different ASes ({ases:?}), which do not compare it"
    )]
    MedAcrossAses {
        /// The prefix.
        prefix: IpNet,
        /// The ASes.
        ases: Vec<u32>,
    },
    /// Longer than what the Internet accepts.
    #[error("prefix {prefix} is longer than /{accepted}; most networks filter it")]
    LongPrefix {
        /// The prefix.
        prefix: IpNet,
        /// The longest that is widely accepted.
        accepted: u8,
    },
    /// An IPv4 prefix with an IPv6 next hop.
    #[error(
        "prefix {prefix} goes to {neighbor} with the IPv6 next hop {next_hop}: only if the neighbour speaks RFC 8950"
    )]
    ExtendedNextHop {
        /// The prefix.
        prefix: IpNet,
        /// The neighbour.
        neighbor: SocketAddr,
        /// The next hop.
        next_hop: IpAddr,
    },
    /// A next hop that means something else at the neighbour.
    #[error(
        "prefix {prefix} goes to {neighbor} with the loopback next hop {next_hop}, which most routers refuse; set next-hop"
    )]
    LoopbackNextHop {
        /// The prefix.
        prefix: IpNet,
        /// The neighbour.
        neighbor: SocketAddr,
        /// The next hop.
        next_hop: IpAddr,
    },
    /// Without keepalives a frozen process keeps its routes.
    #[error("hold-time is 0: a frozen process or a dead link is never noticed")]
    NoHoldTime,
}

/// The plan for `services` under `settings`, which are expected to have passed [`BgpSettings::check`]; a prefix
/// without a next hop is left out.
#[must_use]
pub fn plan(settings: &BgpSettings, services: &[Service]) -> Plan {
    let mut plan = Plan::default();
    if settings.hold_time.is_zero() {
        plan.warnings.push(Warning::NoHoldTime);
    }
    for service in services {
        for neighbor in &settings.neighbors {
            let Some(route) = Route::new(settings, neighbor, service, Preference::Normal) else { continue };
            let (prefix, neighbor_address, next_hop) =
                (route.prefix, neighbor.socket_address(), route.next_hop);
            if route.needs_extended_next_hop() {
                plan.warnings.push(Warning::ExtendedNextHop { prefix, neighbor: neighbor_address, next_hop });
            }
            if next_hop.is_loopback() {
                plan.warnings.push(Warning::LoopbackNextHop { prefix, neighbor: neighbor_address, next_hop });
            }
            plan.announcements.push(announcement(neighbor, route));
        }
        plan.warnings.extend(warn_about(settings, service));
    }
    plan
}

fn announcement(neighbor: &Neighbor, route: Route) -> PlannedAnnouncement {
    PlannedAnnouncement {
        prefix: route.prefix,
        neighbor: neighbor.socket_address(),
        remote_as: neighbor.remote_as,
        next_hop: route.next_hop,
        as_path: route.as_path,
        med: route.med,
        local_pref: route.local_pref,
        communities: route.communities,
        large_communities: route.large_communities,
    }
}

fn warn_about(settings: &BgpSettings, service: &Service) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let accepted = if service.prefix.addr().is_ipv4() { 24 } else { 48 };
    if service.prefix.prefix_len() > accepted {
        warnings.push(Warning::LongPrefix { prefix: service.prefix, accepted });
    }
    let external = settings.neighbors.iter().filter(|neighbor| !settings.is_internal(neighbor));
    let ases: BTreeSet<u32> = external.map(|neighbor| neighbor.remote_as).collect();
    if (service.med.is_some() || settings.deprefer.med.is_some()) && ases.len() > 1 {
        let ases = ases.into_iter().collect();
        warnings.push(Warning::MedAcrossAses { prefix: service.prefix, ases });
    }
    warnings
}

/// Adds every fault of `settings` and `services` to `errors`.
pub(super) fn check(settings: &BgpSettings, services: &[Service], errors: &mut Vec<SettingsError>) {
    check_as("bgp local-as".to_owned(), settings.local_as, errors);
    if settings.router_id.is_unspecified() {
        errors.push(SettingsError::RouterId);
    }
    check_times(settings, errors);
    at_most("bgp neighbors", settings.neighbors.len(), BgpSettings::MOST_NEIGHBORS, errors);
    at_most("services", services.len(), BgpSettings::MOST_SERVICES, errors);
    at_most("bgp deprefer prepend", settings.deprefer.prepend.into(), Service::MOST_PREPENDS.into(), errors);
    check_services(services, errors);
    let mut named = BTreeSet::new();
    let mut awaited = BTreeSet::new();
    for neighbor in &settings.neighbors {
        if !named.insert(neighbor.socket_address()) {
            errors.push(SettingsError::DuplicateNeighbor(neighbor.socket_address()));
        }
        let listens = neighbor.mode != super::Mode::Active;
        if listens && !awaited.insert((neighbor.local_address, neighbor.address)) {
            let (address, local) = (neighbor.address, neighbor.local_address);
            errors.push(SettingsError::DuplicateListener { address, local });
        }
        check_neighbor(neighbor, services, errors);
    }
}

fn check_as(what: String, value: u32, errors: &mut Vec<SettingsError>) {
    // AS 0 (RFC 7607), AS_TRANS (RFC 6793) and the last one (RFC 7300) are nobody's.
    if matches!(value, 0 | 23_456 | u32::MAX) {
        errors.push(SettingsError::AsNumber { what, value });
    }
}

fn check_times(settings: &BgpSettings, errors: &mut Vec<SettingsError>) {
    let hold = settings.hold_time;
    let whole = |time: Duration| time.subsec_nanos() == 0;
    if !whole(hold) || !matches!(hold.as_secs(), 0 | 3..=65_535) {
        errors.push(SettingsError::HoldTime(hold));
    }
    if let Some(send) = settings.send_hold_time
        && (!whole(send) || send <= hold || send.as_secs() > 86_400)
    {
        errors.push(SettingsError::SendHoldTime(send));
    }
}

fn at_most(what: &str, count: usize, most: usize, errors: &mut Vec<SettingsError>) {
    if count > most {
        errors.push(SettingsError::TooMany { what: what.to_owned(), count, most });
    }
}

fn check_services(services: &[Service], errors: &mut Vec<SettingsError>) {
    let mut prefixes = BTreeSet::new();
    for service in services {
        let prefix = service.prefix;
        if prefix != prefix.trunc() {
            errors.push(SettingsError::HostBits(prefix));
        } else if !prefixes.insert(prefix) {
            errors.push(SettingsError::DuplicatePrefix(prefix));
        }
        if !is_announceable(prefix) {
            errors.push(SettingsError::NotUnicast(prefix));
        }
        let most = Service::MOST_COMMUNITIES;
        at_most(&format!("communities of {prefix}"), service.communities.len(), most, errors);
        at_most(&format!("large communities of {prefix}"), service.large_communities.len(), most, errors);
        let most = Service::MOST_PREPENDS.into();
        at_most(&format!("prepends of {prefix}"), service.prepend.into(), most, errors);
        if let Some(next_hop) = service.next_hop
            && (!is_unicast(next_hop) || (prefix.addr().is_ipv6() && next_hop.is_ipv4()))
        {
            errors.push(SettingsError::NextHop { prefix, next_hop });
        }
    }
}

fn check_neighbor(neighbor: &Neighbor, services: &[Service], errors: &mut Vec<SettingsError>) {
    let name = neighbor.socket_address();
    check_as(format!("remote-as of bgp neighbor {name}"), neighbor.remote_as, errors);
    let local = neighbor.local_address;
    if !is_unicast(neighbor.address) {
        errors.push(SettingsError::Address { neighbor: name, what: "address", address: neighbor.address });
    }
    if !is_unicast(local) || local.is_ipv4() != neighbor.address.is_ipv4() {
        errors.push(SettingsError::Address { neighbor: name, what: "local address", address: local });
    }
    if matches!(neighbor.ttl, Ttl::Security(0 | 255) | Ttl::Multihop(0)) {
        errors.push(SettingsError::Distance { neighbor: name, ttl: neighbor.ttl });
    }
    let length = neighbor.password.as_ref().map_or(1, |password| password.octets().len());
    if !(1..=Password::LONGEST).contains(&length) {
        errors.push(SettingsError::PasswordLength { neighbor: name, length });
    }
    for service in services {
        let prefix = service.prefix;
        if prefix.contains(&local) {
            errors.push(SettingsError::ServiceAddress { neighbor: name, address: local, prefix });
        }
        let own =
            if prefix.addr().is_ipv6() { neighbor.next_hop_ipv6.is_some() || local.is_ipv6() } else { true };
        if service.next_hop.is_none() && !own {
            errors.push(SettingsError::NoNextHop { prefix, neighbor: name });
        }
    }
}

fn is_unicast(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !broadcast
}

/// Whether a service can have `prefix`. Shorter prefixes than these are nobody's own; a default route least of all.
fn is_announceable(prefix: IpNet) -> bool {
    match prefix {
        IpNet::V4(prefix) => {
            let network = prefix.network();
            let unicast = matches!(network.octets(), [1..=223, ..]);
            unicast && !network.is_loopback() && !network.is_link_local() && prefix.prefix_len() >= 8
        }
        IpNet::V6(prefix) => {
            let network = prefix.network();
            let special = network.is_loopback() || network.is_multicast() || network.is_unicast_link_local();
            !special && !network.is_unspecified() && prefix.prefix_len() >= 16
        }
    }
}
