//! What the facts of one moment say about one prefix, without any memory but that of when a reason began ([`Onsets`]).

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::facts::{Facts, NoRouteBack, Probe};
use super::reason::Reason;
use super::settings::{OneTransportDead, Settings};

/// What the facts of one moment say about one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fitness {
    /// A hard reason holds: no route, at once.
    Fault(Vec<Reason>),
    /// No fault, yet not fit to start announcing; no reason to stop.
    NotReady(Vec<Reason>),
    /// Serves, but a required zone is missing: an announcement does not start; one that exists goes on, less preferably.
    Incomplete(Vec<Reason>),
    /// Probes are lost to overload: everything stays as it is.
    Pressure(Vec<Reason>),
    /// Fit to announce, less preferably.
    Degraded(Vec<Reason>),
    /// Fit to announce.
    Good,
}

/// Judges a prefix by its service `addresses`. The worst fact decides; all facts that are equally bad are named.
pub(super) fn judge(facts: &Facts, addresses: &[IpAddr], settings: &Settings, onsets: &Onsets) -> Fitness {
    let mut faults = pop_faults(facts, onsets);
    let cut_off = |reason: &&NoRouteBack| addresses.iter().any(|one| reason.family.contains(*one));
    faults.extend(facts.no_route_back.iter().filter(cut_off).cloned().map(Reason::NoRouteBack));
    let mut untested = Vec::new();
    if !facts.catalogs_settled {
        untested.push(Reason::CatalogsAwaited);
    }
    let mut pressed = Vec::new();
    let shared = facts.shared_addresses.iter().filter(|(address, _)| addresses.contains(address));
    let mut degraded: Vec<Reason> = shared.map(|(_, socket)| Reason::AddressShared(socket.clone())).collect();
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
            Some(Probe::OneTransportDead { reason }) => {
                let list = match settings.one_transport_dead {
                    OneTransportDead::Withdraw => &mut faults,
                    OneTransportDead::Deprefer => &mut degraded,
                };
                list.push(Reason::OneTransportDead(address, reason.clone()));
            }
        }
    }
    let missing: Vec<Reason> =
        facts.required_missing.iter().cloned().map(Reason::RequiredZoneMissing).collect();
    if !faults.is_empty() {
        Fitness::Fault(faults)
    } else if !missing.is_empty() {
        Fitness::Incomplete(missing)
    } else if !untested.is_empty() {
        Fitness::NotReady(untested)
    } else if !degraded.is_empty() && pressed.is_empty() {
        Fitness::Degraded(degraded)
    } else if !pressed.is_empty() {
        // Under pressure nothing begins; what is degraded as well stays less preferred all the same.
        if degraded.is_empty() {
            Fitness::Pressure(pressed)
        } else {
            Fitness::Incomplete([degraded, pressed].concat())
        }
    } else {
        Fitness::Good
    }
}

/// The hard reasons that hold for the whole POP.
fn pop_faults(facts: &Facts, onsets: &Onsets) -> Vec<Reason> {
    let mut faults = Vec::new();
    if !facts.zones_settled {
        faults.push(Reason::Loading);
    } else if facts.zones_served == 0 {
        faults.push(Reason::NoZone);
    }
    faults.extend(facts.lost_sockets.iter().cloned().map(Reason::SocketLost));
    if let (1.., Some(since)) = (facts.stale_workers, onsets.workers) {
        faults.push(Reason::WorkersStale { count: facts.stale_workers, since });
    }
    let stale =
        onsets.facts.iter().map(|(name, since)| Reason::FactStale { name: name.clone(), since: *since });
    faults.extend(stale);
    faults
}

fn probe_of(facts: &Facts, address: IpAddr) -> Option<&Probe> {
    facts.probes.iter().find(|(probed, _)| *probed == address).map(|(_, probe)| probe)
}

/// When what is stale was last heard of. Kept while it is stale, so that a reason stays equal to itself while ages grow.
#[derive(Clone, Debug, Default)]
pub(super) struct Onsets {
    workers: Option<Instant>,
    facts: Vec<(String, Instant)>,
}

impl Onsets {
    /// Takes the facts of this moment.
    pub(super) fn observe(&mut self, facts: &Facts, now: Instant) {
        let ago = |age: Duration| now.checked_sub(age).unwrap_or(now);
        self.workers =
            (facts.stale_workers > 0).then(|| self.workers.unwrap_or_else(|| ago(facts.heartbeat_age)));
        let known = std::mem::take(&mut self.facts);
        let since = |name: &String, age| {
            known.iter().find(|(before, _)| before == name).map_or_else(|| ago(age), |(_, since)| *since)
        };
        self.facts =
            facts.stale.iter().map(|fact| (fact.name.clone(), since(&fact.name, fact.age))).collect();
    }
}
