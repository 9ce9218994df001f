//! What policy looks at, gathered from the parts' reports. Pure.

use std::net::IpAddr;

use crate::health::Verdicts;
use crate::policy::{Facts, Operator};
use crate::publish::Report;
use crate::serve;
use crate::wire::Name;

/// Gathers one moment's facts.
pub(super) fn gather(
    report: &Report,
    required: &[Name],
    serving: &serve::Facts,
    lost_addresses: &[IpAddr],
    probes: &Verdicts,
    operator: Operator,
) -> Facts {
    let missing = required.iter().filter(|zone| !report.serves(zone));
    Facts {
        zones_settled: report.settled,
        zones_served: report.served(),
        required_missing: missing.map(Name::to_string).collect(),
        lost_sockets: serving.lost_listeners.iter().map(ToString::to_string).collect(),
        lost_addresses: lost_addresses.to_vec(),
        stale_workers: serving.stale_workers.len(),
        probes: probes.to_vec(),
        operator,
    }
}

/// The zones that must answer well: those in service.
pub(super) fn probed_zones(report: &Report) -> Vec<Name> {
    report.zones.iter().filter(|(_, zone)| zone.is_served()).map(|(name, _)| name.clone()).collect()
}
