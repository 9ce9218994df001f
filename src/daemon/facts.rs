//! What policy looks at, gathered from the parts' reports. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::host;
use crate::policy::{Facts, Family, NoRouteBack, Operator, Probe, StaleFact};
use crate::publish::Report;
use crate::serve;
use crate::wire::Name;

/// Names of missing zones that become reasons of a decision: one is enough for policy, more than a page helps nobody. The status counts
/// and lists all of them.
const MOST_MISSING: usize = 100;

/// What the parts report at one moment.
pub(super) struct Gathered<'a> {
    pub(super) report: &'a Report,
    /// Whether the zones of catalogs have come.
    pub(super) catalogs_settled: bool,
    /// The required zones that are not in service.
    pub(super) missing: &'a BTreeSet<Name>,
    pub(super) serving: &'a serve::Facts,
    pub(super) lost_addresses: Vec<IpAddr>,
    pub(super) host: &'a host::Facts,
    pub(super) stale: Vec<StaleFact>,
}

/// Gathers one moment's facts.
pub(super) fn gather(gathered: Gathered<'_>, probes: &[(IpAddr, Probe)], operator: Operator) -> Facts {
    let Gathered { report, catalogs_settled, missing, serving, lost_addresses, host, stale } = gathered;
    Facts {
        zones_settled: report.settled,
        catalogs_settled,
        zones_served: report.served(),
        required_missing: missing.iter().take(MOST_MISSING).map(Name::to_string).collect(),
        lost_sockets: serving.lost_listeners.iter().map(ToString::to_string).collect(),
        lost_addresses,
        stale_workers: serving.stale_workers.len(),
        heartbeat_age: serving.heartbeat_age,
        stale,
        no_route_back: no_route_back(host),
        shared_addresses: host.sharing.iter().map(|one| (one.address.ip(), one.to_string())).collect(),
        probes: probes.to_vec(),
        operator,
    }
}

fn no_route_back(host: &host::Facts) -> Vec<NoRouteBack> {
    let families = [Family::Ipv4, Family::Ipv6].into_iter().zip(&host.no_route_back);
    let lost = families.filter(|(_, references)| !references.is_empty());
    lost.map(|(family, references)| NoRouteBack { family, references: references.clone() }).collect()
}
