//! What would be announced, from where, to whom; and whether that can be. Pure, for `anyns check`.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::attributes::Route;
use super::settings::{BgpSettings, Neighbor};
use crate::route::driver::Preference;
use crate::route::service::{Community, LargeCommunity, Service};

/// What would be announced, and what about it looks wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// One per prefix and neighbor.
    pub announcements: Vec<PlannedAnnouncement>,
    /// What may be meant, but seldom is.
    pub warnings: Vec<Warning>,
}

/// One prefix towards one neighbor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedAnnouncement {
    /// The prefix.
    pub prefix: IpNet,
    /// The neighbor.
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
    /// MED is compared among routes from one neighboring AS only (RFC 4271 section 9.1.2.2).
    #[error(
        "prefix {prefix} has a MED, but its neighbors are in different ASes ({ases:?}), which do not compare it"
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
        "prefix {prefix} goes to {neighbor} with the IPv6 next hop {next_hop}: only if the neighbor speaks RFC 8950"
    )]
    ExtendedNextHop {
        /// The prefix.
        prefix: IpNet,
        /// The neighbor.
        neighbor: SocketAddr,
        /// The next hop.
        next_hop: IpAddr,
    },
    /// A next hop that means something else at the neighbor.
    #[error(
        "prefix {prefix} goes to {neighbor} with the loopback next hop {next_hop}, which most routers refuse; set next-hop"
    )]
    LoopbackNextHop {
        /// The prefix.
        prefix: IpNet,
        /// The neighbor.
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
