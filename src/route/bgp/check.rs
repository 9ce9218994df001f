//! Whether settings can work at all: every fault, not only the first. Pure.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use super::settings::{BgpSettings, Neighbor, Password, SettingsError, Ttl};
use crate::route::service::Service;

impl BgpSettings {
    /// Checks the settings against each other and against the `services` to be announced.
    ///
    /// # Errors
    /// Every [`SettingsError`] found, at least one.
    pub fn check(&self, services: &[Service]) -> Result<(), Vec<SettingsError>> {
        let mut errors = Vec::new();
        check(self, services, &mut errors);
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// Adds every fault of `settings` and `services` to `errors`.
fn check(settings: &BgpSettings, services: &[Service], errors: &mut Vec<SettingsError>) {
    check_as(None, settings.local_as, errors);
    if settings.router_id.is_unspecified() {
        errors.push(SettingsError::RouterId);
    }
    check_times(settings, errors);
    if settings.listen_port == 0 {
        errors.push(SettingsError::Port(None));
    }
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

fn check_as(neighbor: Option<SocketAddr>, value: u32, errors: &mut Vec<SettingsError>) {
    // AS 0 (RFC 7607), AS_TRANS (RFC 6793) and the last ones of 16 and of 32 bits (RFC 7300) are reserved.
    if matches!(value, 0 | 23_456 | 65_535 | u32::MAX) {
        errors.push(SettingsError::AsNumber { neighbor, value });
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
        let Some(next_hop) = service.next_hop else { continue };
        let other_family = prefix.addr().is_ipv6() && next_hop.is_ipv4();
        let what = if other_family { Some("an IPv4 address") } else { next_hop_fault(next_hop) };
        errors.extend(what.map(|what| SettingsError::NextHop { prefix, next_hop, what }));
    }
}

fn check_neighbor(neighbor: &Neighbor, services: &[Service], errors: &mut Vec<SettingsError>) {
    let name = neighbor.socket_address();
    check_as(Some(name), neighbor.remote_as, errors);
    let local = neighbor.local_address;
    if !is_unicast(neighbor.address) {
        errors.push(SettingsError::Address { neighbor: name, what: "address", address: neighbor.address });
    }
    if !is_unicast(local) || local.is_ipv4() != neighbor.address.is_ipv4() {
        errors.push(SettingsError::Address { neighbor: name, what: "local address", address: local });
    }
    if neighbor.port == 0 {
        errors.push(SettingsError::Port(Some(neighbor.address)));
    }
    if neighbor.address == local {
        errors.push(SettingsError::SameEnds(name));
    }
    let link_local = [neighbor.address, local].into_iter().find(|address| is_link_local(*address));
    errors.extend(link_local.map(|address| SettingsError::LinkLocal { neighbor: name, address }));
    check_next_hops(neighbor, services, errors);
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

/// The next hops that the neighbor's own keys set, and those of services that are the neighbor itself: a router that is told
/// to send packets to itself resets the session (RFC 4271 section 6.3).
fn check_next_hops(neighbor: &Neighbor, services: &[Service], errors: &mut Vec<SettingsError>) {
    let name = neighbor.socket_address();
    let own = [
        ("next-hop-ipv4", neighbor.next_hop_ipv4.map(IpAddr::V4)),
        ("next-hop-ipv6", neighbor.next_hop_ipv6.map(IpAddr::V6)),
    ];
    let itself = |next_hop| (next_hop == neighbor.address).then_some("the neighbor's own address");
    for (key, next_hop) in own {
        let Some(next_hop) = next_hop else { continue };
        let what = next_hop_fault(next_hop).or_else(|| itself(next_hop));
        errors.extend(what.map(|what| SettingsError::NeighborNextHop {
            neighbor: name,
            key,
            next_hop,
            what,
        }));
    }
    for service in services {
        let (prefix, Some(next_hop)) = (service.prefix, service.next_hop) else { continue };
        errors.extend(itself(next_hop).map(|what| SettingsError::NextHop { prefix, next_hop, what }));
    }
}

/// Why no neighbor can use this next hop; `None` if one might.
fn next_hop_fault(next_hop: IpAddr) -> Option<&'static str> {
    let mapped = matches!(next_hop, IpAddr::V6(address) if address.to_ipv4_mapped().is_some());
    let broadcast = matches!(next_hop, IpAddr::V4(address) if address.is_broadcast());
    let reserved = match next_hop {
        IpAddr::V4(address) => !matches!(address.octets(), [1..=223, ..]),
        IpAddr::V6(address) => !is_global_or_local(address),
    };
    let faults = [
        (next_hop.is_unspecified(), "the unspecified address"),
        (next_hop.is_loopback(), "a loopback address"),
        (next_hop.is_multicast(), "a multicast address"),
        (broadcast, "the broadcast address"),
        (mapped, "an IPv4-mapped IPv6 address"),
        (is_link_local(next_hop), "a link-local address"),
        (reserved, "a reserved address"),
    ];
    faults.into_iter().find(|(fault, _)| *fault).map(|(_, what)| what)
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// The end of a session may be on loopback: there may be a routing daemon. Link-local addresses have a message of their own.
fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => matches!(address.octets(), [1..=223, ..]),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unicast_link_local() || is_global_or_local(address)
        }
    }
}

/// Global unicast (RFC 4291 section 2.4; IANA allocates 2000::/3) or unique local (RFC 4193).
fn is_global_or_local(address: Ipv6Addr) -> bool {
    matches!(address.octets(), [0x20..=0x3f | 0xfc..=0xfd, ..])
}

/// Whether a service can have `prefix`. No operator holds a prefix shorter than these, and a default route is not a service prefix.
fn is_announceable(prefix: IpNet) -> bool {
    match prefix {
        IpNet::V4(prefix) => {
            let network = prefix.network();
            let unicast = matches!(network.octets(), [1..=223, ..]);
            unicast && !network.is_loopback() && !network.is_link_local() && prefix.prefix_len() >= 8
        }
        IpNet::V6(prefix) => is_global_or_local(prefix.network()) && prefix.prefix_len() >= 16,
    }
}
