//! What the facts of one moment say about one prefix, without any memory.

use std::net::IpAddr;

use super::facts::{Facts, Probe, Reason};

/// What the facts of one moment say about one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A hard reason holds: no route, at once.
    Fault(Vec<Reason>),
    /// No fault, yet not fit to begin announcing; no reason to stop.
    NotReady(Vec<Reason>),
    /// Serves, but a required zone is missing: no beginning; whoever is announced goes on, less preferably.
    Incomplete(Vec<Reason>),
    /// Probes are lost to overload: everything stays as it is.
    Pressure(Vec<Reason>),
    /// Fit to announce.
    Good,
}

/// Judges a prefix by its service `addresses`. The worst fact decides; its peers in badness are all named.
pub(super) fn judge(facts: &Facts, addresses: &[IpAddr]) -> Verdict {
    let mut faults = pop_faults(facts);
    let mut untested = Vec::new();
    let mut pressed = Vec::new();
    for &address in addresses {
        if facts.lost_addresses.contains(&address) {
            faults.push(Reason::AddressLost(address));
        }
        match probe_of(facts, address) {
            None | Some(Probe::Untested) => untested.push(Reason::Untested(address)),
            Some(Probe::Up) => {}
            Some(Probe::Pressure) => pressed.push(Reason::Pressure(address)),
            Some(Probe::Wrong { reason }) => faults.push(Reason::Wrong(address, reason.clone())),
            Some(Probe::Silent { reason }) => faults.push(Reason::Silent(address, reason.clone())),
        }
    }
    let missing: Vec<Reason> =
        facts.required_missing.iter().cloned().map(Reason::RequiredZoneMissing).collect();
    if !faults.is_empty() {
        Verdict::Fault(faults)
    } else if !missing.is_empty() {
        Verdict::Incomplete(missing)
    } else if !untested.is_empty() {
        Verdict::NotReady(untested)
    } else if !pressed.is_empty() {
        Verdict::Pressure(pressed)
    } else {
        Verdict::Good
    }
}

/// The hard reasons that hold for the whole POP.
fn pop_faults(facts: &Facts) -> Vec<Reason> {
    let mut faults = Vec::new();
    if !facts.zones_settled {
        faults.push(Reason::Loading);
    } else if facts.zones_served == 0 {
        faults.push(Reason::NoZone);
    }
    faults.extend(facts.lost_sockets.iter().cloned().map(Reason::SocketLost));
    if facts.stale_workers > 0 {
        faults.push(Reason::WorkersStale(facts.stale_workers));
    }
    faults
}

fn probe_of(facts: &Facts, address: IpAddr) -> Option<&Probe> {
    facts.probes.iter().find(|(probed, _)| *probed == address).map(|(_, probe)| probe)
}
