//! `[[service]]`, `[policy]`, `[route]` and `[bgp]`.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;

use crate::policy;
use crate::route::{
    BgpSettings, Deprefer, GateSettings, Mode, Neighbor, Password, Service, SettingsError, Ttl, Warning, plan,
};

use super::super::fault::Faults;
use super::super::spec::{
    BgpSpec, ModeSpec, NeighborSpec, OneTransportDeadSpec, RouteDriverSpec, ServiceSpec, Spec, span_of,
};
use super::{Pop, RouteDriver, or_default, period_or};

pub(super) fn fold_policy(spec: &Spec, faults: &mut Faults<'_>) -> policy::Settings {
    let section = &spec.policy;
    let default = policy::Settings::default();
    let hold = period_or(&section.hold, default.hold);
    let settings = policy::Settings {
        hold_initial: period_or(&section.hold_initial, default.hold_initial),
        hold,
        hold_max: period_or(&section.hold_max, default.hold_max.max(hold)),
        decay: period_or(&section.decay, default.decay),
        one_transport_dead: match section.one_transport_dead {
            OneTransportDeadSpec::Withdraw => policy::OneTransportDead::Withdraw,
            OneTransportDeadSpec::Deprefer => policy::OneTransportDead::Deprefer,
        },
    };
    for fault in settings.faults() {
        use policy::SettingsError::{MaxBelowHold, TooLong, ZeroDecay, ZeroHold};
        let (span, key) = match &fault {
            ZeroHold => (span_of(&section.hold), "policy.hold"),
            ZeroDecay | TooLong { name: "decay", .. } => (span_of(&section.decay), "policy.decay"),
            TooLong { name: "hold-initial", .. } => (span_of(&section.hold_initial), "policy.hold-initial"),
            MaxBelowHold { .. } | TooLong { .. } => (span_of(&section.hold_max), "policy.hold-max"),
        };
        faults.error(span, key, fault.to_string());
    }
    settings
}

pub(super) fn fold_lease(spec: &Spec, faults: &mut Faults<'_>) -> Duration {
    let lease = period_or(&spec.policy.lease, GateSettings::DEFAULT_LEASE);
    let allowed = GateSettings::SHORTEST_LEASE..=GateSettings::LONGEST_LEASE;
    if !allowed.contains(&lease) {
        let message = format!(
            "{}; allowed is {} to {}",
            humantime::format_duration(lease),
            humantime::format_duration(*allowed.start()),
            humantime::format_duration(*allowed.end())
        );
        faults.error(span_of(&spec.policy.lease), "policy.lease", message);
    }
    lease
}

pub(super) fn fold_services(spec: &Spec, faults: &mut Faults<'_>) -> Option<Vec<Service>> {
    // Each is looked at, whatever is wrong with the one before.
    let services: Vec<_> = spec.service.iter().map(|service| fold_service(service, faults)).collect();
    services.into_iter().collect()
}

fn fold_service(spec: &ServiceSpec, faults: &mut Faults<'_>) -> Option<Service> {
    let prepend = or_default(&spec.prepend, 0);
    if prepend > Service::MOST_PREPENDS {
        let message = format!("{prepend} prepends; allowed is 0 to {}", Service::MOST_PREPENDS);
        faults.error(span_of(&spec.prepend), "service.prepend", message);
    }
    let communities = fold_communities(&spec.communities, "service.communities", faults);
    let large = fold_communities(&spec.large_communities, "service.large-communities", faults);
    Some(Service {
        prefix: *spec.prefix.as_ref(),
        next_hop: spec.next_hop.as_ref().map(|next_hop| *next_hop.as_ref()),
        communities: communities?,
        large_communities: large?,
        med: spec.med.as_ref().map(|med| *med.as_ref()),
        prepend,
    })
}

fn fold_communities<T>(texts: &[Spanned<String>], key: &str, faults: &mut Faults<'_>) -> Option<Vec<T>>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    if let Some(first_over) = texts.get(Service::MOST_COMMUNITIES) {
        let message = format!("{}; at most {} are allowed", texts.len(), Service::MOST_COMMUNITIES);
        faults.error(Some(first_over.span()), key, message);
    }
    let mut communities = Vec::with_capacity(texts.len());
    for text in texts {
        match text.as_ref().parse::<T>() {
            Ok(community) => communities.push(community),
            Err(error) => faults.error(Some(text.span()), key, error.to_string()),
        }
    }
    (communities.len() == texts.len()).then_some(communities)
}

pub(super) fn fold_route(
    spec: &Spec,
    pop: &Pop,
    services: &Option<Vec<Service>>,
    faults: &mut Faults<'_>,
) -> Option<RouteDriver> {
    let dry_run = spec.route.driver == RouteDriverSpec::DryRun;
    let Some(bgp) = &spec.bgp else {
        if dry_run {
            return Some(RouteDriver::DryRun(None));
        }
        faults.error(
            None,
            "bgp",
            "route.driver is \"bgp\"; a section [bgp] with local-as, router-id and [[bgp.neighbor]] is needed",
        );
        return None;
    };
    if bgp.neighbor.is_empty() {
        // What BIRD takes, too: the last neighbor of a POP that runs can be removed by a reload.
        faults.warning(
            Some(bgp.local_as.span()),
            "bgp.neighbor",
            "no [[bgp.neighbor]]: nothing is announced, whatever the probes say",
        );
    }
    let neighbors: Vec<Option<Neighbor>> =
        bgp.neighbor.iter().map(|neighbor| fold_neighbor(neighbor.as_ref(), bgp, pop, faults)).collect();
    let are_all = neighbors.iter().all(Option::is_some);
    let settings = BgpSettings {
        local_as: *bgp.local_as.as_ref(),
        router_id: *bgp.router_id.as_ref(),
        hold_time: period_or(&bgp.hold_time, BgpSettings::DEFAULT_HOLD_TIME),
        send_hold_time: bgp.send_hold_time.as_ref().map(|period| period.as_ref().0),
        listen_port: or_default(&bgp.listen_port, 179),
        deprefer: Deprefer { med: bgp.deprefer_med, prepend: or_default(&bgp.deprefer_prepend, 0) },
        shutdown_text: format!("anyns {} stops", pop.instance),
        neighbors: neighbors.into_iter().flatten().collect(),
    };
    let services = services.as_ref()?;
    if let Err(errors) = settings.check(services) {
        for error in errors.into_iter().filter(|error| !is_told_elsewhere(error)) {
            let (span, key) = place_of(&error, spec, bgp);
            faults.error(span, key, error.to_string());
        }
    }
    for warning in plan(&settings, services).warnings {
        // `check::addresses` warns of long prefixes whatever the driver.
        let of = |wanted: &ipnet::IpNet| {
            let found = spec.service.iter().find(|one| one.prefix.as_ref() == wanted);
            found.map(|one| one.prefix.span())
        };
        let (span, key) = match &warning {
            Warning::LongPrefix { .. } => continue,
            Warning::NoHoldTime => (span_of(&bgp.hold_time), "bgp.hold-time"),
            Warning::MedAcrossAses { prefix, .. } => (of(prefix), "service.med"),
            Warning::ExtendedNextHop { prefix, .. } | Warning::LoopbackNextHop { prefix, .. } => {
                (of(prefix), "service.next-hop")
            }
        };
        faults.warning(span, key, warning.to_string());
    }
    if !are_all {
        return None;
    }
    let settings = Box::new(settings);
    Some(if dry_run { RouteDriver::DryRun(Some(settings)) } else { RouteDriver::Bgp(settings) })
}

fn fold_neighbor(spec: &NeighborSpec, bgp: &BgpSpec, pop: &Pop, faults: &mut Faults<'_>) -> Option<Neighbor> {
    let address = *spec.address.as_ref();
    let local_address = match &spec.local_address {
        Some(local_address) => *local_address.as_ref(),
        None => default_local_address(address, pop).or_else(|| {
            let message = format!(
                "no management address of the family of {address}; add one to pop.management-addresses"
            );
            faults.error(Some(spec.address.span()), "bgp.neighbor.local-address", message);
            None
        })?,
    };
    let local_as = *bgp.local_as.as_ref();
    let remote_as = *spec.remote_as.as_ref();
    let ttl = match (&spec.multihop, &spec.ttl_security) {
        (None, None) => Ttl::default_for(local_as, remote_as),
        (Some(multihop), None) => Ttl::Multihop(*multihop.as_ref()),
        (None, Some(hops)) => Ttl::Security(*hops.as_ref()),
        (Some(multihop), Some(_)) => {
            faults.error(
                Some(multihop.span()),
                "bgp.neighbor.multihop",
                "stands beside ttl-security; only one can hold",
            );
            return None;
        }
    };
    Some(Neighbor {
        address,
        port: spec.port.unwrap_or(179),
        remote_as,
        local_address,
        mode: match spec.mode {
            ModeSpec::Active => Mode::Active,
            ModeSpec::Passive => Mode::Passive,
            ModeSpec::Both => Mode::Both,
        },
        password: spec.password.as_ref().map(|password| Password::new(password.as_ref().clone())),
        ttl,
        next_hop_ipv4: spec.next_hop_ipv4,
        next_hop_ipv6: spec.next_hop_ipv6,
    })
}

/// Our end of a session: another loopback address towards 127.0.0.1 (no router has a neighbor at its own address), else
/// the management address of the family. IPv6 has one loopback address only: there the config must say more.
fn default_local_address(neighbor: IpAddr, pop: &Pop) -> Option<IpAddr> {
    match neighbor {
        IpAddr::V4(Ipv4Addr::LOCALHOST) => Some(Ipv4Addr::new(127, 0, 0, 2).into()),
        _ => pop.management_addresses.iter().copied().find(|address| address.is_ipv4() == neighbor.is_ipv4()),
    }
}

/// Whether `check::addresses` or [`fold_service`] tells it, whatever the driver.
fn is_told_elsewhere(error: &SettingsError) -> bool {
    match error {
        SettingsError::DuplicatePrefix(_) | SettingsError::HostBits(_) => true,
        SettingsError::TooMany { what, .. } => {
            what.contains("communities of ") || what.contains("prepends of ")
        }
        _ => false,
    }
}

/// The line and the key that an error of the speaker's settings is about.
fn place_of(error: &SettingsError, spec: &Spec, bgp: &BgpSpec) -> (Option<Range<usize>>, &'static str) {
    let find = |wanted: &std::net::SocketAddr| {
        bgp.neighbor.iter().find(|one| {
            *one.as_ref().address.as_ref() == wanted.ip() && one.as_ref().port.unwrap_or(179) == wanted.port()
        })
    };
    let neighbor = |wanted: &std::net::SocketAddr| find(wanted).map(|one| one.as_ref().address.span());
    let remote_as = |wanted: &std::net::SocketAddr| find(wanted).map(|one| one.as_ref().remote_as.span());
    let service = |wanted: &ipnet::IpNet| {
        spec.service.iter().find(|one| one.prefix.as_ref() == wanted).map(|one| one.prefix.span())
    };
    match error {
        SettingsError::AsNumber { neighbor: None, .. } => (Some(bgp.local_as.span()), "bgp.local-as"),
        SettingsError::AsNumber { neighbor: Some(address), .. } => {
            (remote_as(address), "bgp.neighbor.remote-as")
        }
        SettingsError::RouterId => (Some(bgp.router_id.span()), "bgp.router-id"),
        SettingsError::HoldTime(_) => (span_of(&bgp.hold_time), "bgp.hold-time"),
        SettingsError::SendHoldTime(_) => (span_of(&bgp.send_hold_time), "bgp.send-hold-time"),
        SettingsError::DuplicateNeighbor(address) => (neighbor(address), "bgp.neighbor.address"),
        SettingsError::ServiceAddress { neighbor: address, .. } => {
            (neighbor(address), "bgp.neighbor.local-address")
        }
        SettingsError::Address { neighbor: address, .. }
        | SettingsError::LinkLocal { neighbor: address, .. }
        | SettingsError::SameEnds(address) => (neighbor(address), "bgp.neighbor.address"),
        SettingsError::NeighborNextHop { neighbor: address, key: "next-hop-ipv4", .. } => {
            (neighbor(address), "bgp.neighbor.next-hop-ipv4")
        }
        SettingsError::NeighborNextHop { neighbor: address, .. } => {
            (neighbor(address), "bgp.neighbor.next-hop-ipv6")
        }
        SettingsError::PasswordLength { neighbor: address, .. } => {
            (neighbor(address), "bgp.neighbor.password")
        }
        SettingsError::Distance { neighbor: address, .. } => (neighbor(address), "bgp.neighbor"),
        SettingsError::DuplicatePrefix(prefix)
        | SettingsError::HostBits(prefix)
        | SettingsError::NotUnicast(prefix) => (service(prefix), "service.prefix"),
        SettingsError::NoNextHop { prefix, .. } | SettingsError::NextHop { prefix, .. } => {
            (service(prefix), "service.next-hop")
        }
        SettingsError::Port(None) => (span_of(&bgp.listen_port), "bgp.listen-port"),
        SettingsError::Port(Some(address)) => {
            (neighbor(&std::net::SocketAddr::new(*address, 0)), "bgp.neighbor.port")
        }
        SettingsError::TooMany { what, .. } if what == "bgp deprefer prepend" => {
            (span_of(&bgp.deprefer_prepend), "bgp.deprefer-prepend")
        }
        SettingsError::TooMany { .. } => (Some(bgp.local_as.span()), "bgp"),
        SettingsError::DuplicateListener { address, .. } => {
            let found = bgp.neighbor.iter().rfind(|one| one.as_ref().address.as_ref() == address);
            (found.map(|one| one.as_ref().address.span()), "bgp.neighbor.address")
        }
    }
}
