//! What a reload puts in force in a running anyns, and what it leaves to a restart.
//!
//! In force at once: the log level, rate limits, probes, policy with its lease, drains, services (their attributes, and prefixes
//! that come or go), neighbors and keys of session tickets; what is transferred (keys, primaries, lists of who may do what) and who
//! may update what. To a restart are left: who this is, sockets, service addresses that no socket is bound to, the driver, the admin
//! socket, the page and the list of POPs.
//!
//! A prefix or a neighbor that left the file is withdrawn at once, without a drain: this POP goes on answering what still
//! arrives, so no query is lost, and the operator who edits the file has the order in hand (`anyns drain` first, if traffic is to
//! move slowly). The answer says what is withdrawn, as `anyns check` does before.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use ipnet::IpNet;

use crate::config::{self, Config, RouteDriver};
use crate::health;
use crate::route::{GateSettings, Service};
use crate::serve;
use crate::telemetry::{check_level, with_causes};
use crate::wire::Name;

use crate::daemon::controller::Controller;
use crate::daemon::reload::self_test::LeaseSelfTest;

/// What came of a changed configuration.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Applied {
    /// What it did to routes and sessions, in words.
    pub(in crate::daemon) changes: Vec<String>,
    /// The keys and sections that a running anyns does not take over.
    pub(in crate::daemon) restart: Vec<&'static str>,
}

/// Puts in force what needs no restart. What can fail is checked before anything changes, so that an error means that nothing has
/// changed.
pub(in crate::daemon) fn apply(controller: &mut Controller, new: &Config) -> Result<Applied, String> {
    let now = Instant::now();
    let health = controller.configured.config.health.changed_to(&new.health);
    let (services, addresses) = bound(new, &health.addresses);
    check_all(new, &health, &services)?;
    let gate = gate_settings(new.lease, &addresses, &health).map_err(|error| with_causes(&error))?;
    controller
        .zones
        .transfers
        .change(&controller.configured.config.transfers, &new.transfers, &new.publish)
        .map_err(|error| with_causes(&error))?;
    let mut applied =
        Applied { changes: Vec::new(), restart: needs_restart(&controller.configured.config, new) };
    let old = &mut controller.configured.config;
    let required: BTreeSet<Name> = new.required.iter().cloned().collect();
    // The same zones stay the same list: who follows changes of zones goes on to do so.
    if *controller.deciding.required != required {
        controller.deciding.required = Arc::new(required);
    }
    if old.log.level != new.log.level {
        controller.configured.log_level.change(&new.log.level).map_err(|error| with_causes(&error))?;
        old.log.level.clone_from(&new.log.level);
    }
    if old.rate_limit != new.rate_limit {
        controller.configured.limits.change(&new.rate_limit, now).map_err(|error| with_causes(&error))?;
        old.rate_limit = new.rate_limit.clone();
    }
    if old.fleet != new.fleet {
        old.fleet = new.fleet.clone();
        controller.configured.fleet = Arc::new(new.fleet.clone());
    }
    old.drain = new.drain;
    old.publish = new.publish.clone();
    // What needs a restart is compared with what is in force.
    let at_start = old.transfers.at_start.clone();
    old.transfers = config::Transfers { at_start, ..new.transfers.clone() };
    controller.zones.updates.change(new.transfers.updates.clone());
    let health_changes = old.health != health;
    if health_changes {
        controller.deciding.sources.health.change(&health).map_err(|error| with_causes(&error))?;
        controller.deciding.sources.ages.change(health.interval, health.timeout);
        old.health = health;
    }
    if let (Some(control), RouteDriver::Bgp(bgp)) = (&controller.deciding.bgp, &new.route) {
        let changes = control.change((**bgp).clone(), services.clone()).map_err(all)?;
        let text = changes.to_string();
        applied.changes.extend(Some(text).filter(|text| !text.is_empty()));
        old.route = new.route.clone();
    }
    applied.changes.extend(comes_and_goes(&old.service_addresses, &addresses));
    let differs = old.service_addresses != addresses;
    if differs || old.policy != new.policy {
        controller.deciding.policy.change(new.policy, addresses.clone());
    }
    if differs || health_changes || old.lease != new.lease {
        controller.deciding.gate.change(gate);
    }
    (old.policy, old.lease) = (new.policy, new.lease);
    (old.services, old.service_addresses) = (services, addresses);
    Ok(applied)
}

/// Whether everything that is changed one by one can be.
fn check_all(new: &Config, health: &health::Settings, services: &[Service]) -> Result<(), String> {
    check_level(&new.log.level).map_err(|error| with_causes(&error))?;
    new.rate_limit.check().map_err(|error| with_causes(&error))?;
    health.check().map_err(|error| with_causes(&error))?;
    match &new.route {
        RouteDriver::Bgp(bgp) => bgp.check(services).map_err(all),
        RouteDriver::DryRun(_) => Ok(()),
    }
}

/// Several faults as one text.
fn all<E: std::fmt::Display>(faults: Vec<E>) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What the gate goes by.
pub(in crate::daemon) fn gate_settings(
    lease: std::time::Duration,
    services: &[(IpNet, Vec<IpAddr>)],
    health: &health::Settings,
) -> Result<GateSettings, health::SettingsError> {
    let self_test = Arc::new(LeaseSelfTest(health::IdentityQuery::new(health)?));
    Ok(GateSettings { lease, services: services.to_vec(), self_test })
}

/// The services with those of their addresses that sockets and probes exist for; a service without any is left out.
fn bound(new: &Config, known: &[IpAddr]) -> (Vec<Service>, Vec<(IpNet, Vec<IpAddr>)>) {
    let both = new.services.iter().zip(&new.service_addresses);
    let both = both.filter_map(|(service, (prefix, addresses))| {
        let addresses: Vec<IpAddr> = addresses.iter().filter(|one| known.contains(one)).copied().collect();
        (!addresses.is_empty()).then(|| (service.clone(), (*prefix, addresses)))
    });
    both.unzip()
}

/// The prefixes that come and go, in words.
fn comes_and_goes(old: &[(IpNet, Vec<IpAddr>)], new: &[(IpNet, Vec<IpAddr>)]) -> Vec<String> {
    let without = |all: &[(IpNet, Vec<IpAddr>)], others: &[(IpNet, Vec<IpAddr>)]| -> Vec<IpNet> {
        let prefixes = all.iter().map(|(prefix, _)| *prefix);
        prefixes.filter(|prefix| others.iter().all(|(other, _)| other != prefix)).collect()
    };
    let gone = without(old, new);
    let nothing_is_left = !gone.is_empty() && new.is_empty();
    let gone = gone.iter().map(|prefix| format!("{prefix} is withdrawn"));
    let come = without(new, old);
    let come = come.iter().map(|prefix| format!("{prefix} is announced once its addresses answer well"));
    let nothing = nothing_is_left.then(|| "no prefix is left: nothing is announced".to_owned());
    gone.chain(come).chain(nothing).collect()
}

/// The keys and sections that changed and that a running anyns does not take over.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let mut addresses = new.service_addresses.iter().flat_map(|(_, addresses)| addresses);
    let mut live_aside = serve::Settings { listen: old.serve.listen.clone(), ..new.serve.clone() };
    // The task that reads the files takes over which ones they are.
    if let (Some(new), Some(old)) = (&mut live_aside.tls, &old.serve.tls) {
        new.ticket_keys.clone_from(&old.ticket_keys);
    }
    let set = |listen: &[SocketAddr]| listen.iter().copied().collect::<BTreeSet<_>>();
    let is_bgp = |config: &Config| matches!(config.route, RouteDriver::Bgp(_));
    let differs = [
        ("[pop]", old.pop != new.pop),
        ("log.format", old.log.format != new.log.format),
        (
            "[serve] or [tls]",
            old.serve != live_aside
                || old.answer != new.answer
                || old.install_addresses != new.install_addresses,
        ),
        ("the addresses that sockets are bound to", set(&old.serve.listen) != set(&new.serve.listen)),
        ("service.addresses", addresses.any(|address| !old.health.addresses.contains(address))),
        ("route.driver", is_bgp(old) != is_bgp(new)),
        ("[control]", old.control != new.control),
        ("[web]", old.web != new.web),
        ("[samples]", old.samples != new.samples),
        ("[rssac002]", old.rssac002 != new.rssac002),
        ("[otlp]", old.otlp != new.otlp),
        (
            "transfer.listen, transfer.tls.listen or how much is transferred at one time",
            old.transfers.at_start != new.transfers.at_start,
        ),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_comes_or_goes_is_told() {
        let one = |prefix: &str| (prefix.parse().unwrap(), vec!["192.0.2.53".parse().unwrap()]);
        let (short, long) = (one("192.0.2.0/23"), one("192.0.2.0/24"));
        let told = |old: &[_], new: &[_]| comes_and_goes(old, new).join("; ");
        assert_eq!(told(std::slice::from_ref(&long), std::slice::from_ref(&long)), "");
        assert_eq!(
            told(std::slice::from_ref(&long), &[short]),
            "192.0.2.0/24 is withdrawn; 192.0.2.0/23 is announced once its addresses answer well"
        );
        assert_eq!(told(&[long], &[]), "192.0.2.0/24 is withdrawn; no prefix is left: nothing is announced");
    }
}
