//! `anyns check`: the configuration, every zone, and the plan, before any of it acts (design rule 9).

use std::path::Path;
use std::process::ExitCode;

use crate::config::{self, Config, RouteDriver};
use crate::host;
use crate::publish::{self, CheckReport};
use crate::route::{self, PlannedAnnouncement};
use crate::serve;

use super::{CommandError, Outcome, say};

/// The most good zones listed one by one; what is wrong is always listed.
const MOST_LISTED: usize = 100;

/// Prints what is wrong, what may be, and what would be announced; fails if anything is wrong.
pub(super) fn check(file: Option<&Path>) -> Outcome {
    let loaded = config::load(file)?;
    for warning in &loaded.warnings {
        say(&format!("warning: {warning}"));
    }
    let config = loaded.config;
    let zones = publish::check(config.publish.clone())?;
    let zones_good = say_zones(&zones, &config);
    say_listeners(&config);
    let certificate_good = say_certificate(&config);
    say_plan(&config);
    say_host_routes(&config)?;
    Ok(if zones_good && certificate_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn say_zones(report: &CheckReport, config: &Config) -> bool {
    for fault in &report.faults {
        say(&format!("error: {fault}"));
    }
    let mut good = 0_usize;
    let mut records = 0_usize;
    for (name, zone) in &report.zones {
        for warning in &zone.warnings {
            say(&format!("warning: {warning}"));
        }
        match &zone.result {
            Ok((serial, count)) => {
                good += 1;
                records += count;
                if good <= MOST_LISTED {
                    say(&format!("zone {name} serial {serial}: {count} records"));
                }
            }
            Err(fault) => say(&format!("error: zone {name} is refused: {fault}")),
        }
    }
    let missing: Vec<_> = config.required.iter().filter(|name| !report.zones.contains_key(*name)).collect();
    for name in &missing {
        say(&format!("error: zone {name} is required, but no source holds it"));
    }
    say(&format!("zones: {good} of {} are good, {records} records", report.zones.len()));
    report.is_clean() && missing.is_empty()
}

/// The encrypted transports, and whether their certificate can be used.
fn say_certificate(config: &Config) -> bool {
    let Some(tls) = &config.serve.tls else { return true };
    for (transport, address) in tls.listen() {
        say(&format!("listen {address} ({})", transport.to_string().to_uppercase()));
    }
    let read = serve::Certificates::load(&tls.certificate, &tls.key);
    if let Err(fault) = &read {
        say(&format!("error: {fault}"));
    }
    read.is_ok()
}

fn say_listeners(config: &Config) {
    let listen: Vec<String> = config.serve.listen.iter().map(ToString::to_string).collect();
    let engine = match config.serve.engine {
        serve::Engine::Auto => "auto",
        serve::Engine::Native => "native",
        serve::Engine::Hickory => "hickory",
    };
    let count = config.serve.worker_count();
    say(&format!("serve: {} over UDP and TCP, engine {engine}, {count} workers", listen.join(", ")));
}

fn say_plan(config: &Config) {
    let mut announcements = 0;
    match &config.route {
        RouteDriver::DryRun(None) => {
            for service in &config.services {
                say(&format!("plan: {} to nobody: there is no [bgp]", service.prefix));
            }
        }
        RouteDriver::DryRun(Some(settings)) | RouteDriver::Bgp(settings) => {
            for planned in route::plan(settings, &config.services).announcements {
                say(&line_of(&planned));
                announcements += 1;
            }
        }
    }
    let addresses: usize = config.service_addresses.iter().map(|(_, addresses)| addresses.len()).sum();
    let only_said = match &config.route {
        RouteDriver::DryRun(_) => "; the driver is dry-run: nothing is sent",
        RouteDriver::Bgp(_) => "",
    };
    say(&format!(
        "plan: {announcements} announcements, once {addresses} service addresses answer well{only_said}"
    ));
}

fn line_of(planned: &PlannedAnnouncement) -> String {
    let path: Vec<String> = planned.as_path.iter().map(ToString::to_string).collect();
    let path = if path.is_empty() { "empty (iBGP)".to_owned() } else { path.join(" ") };
    let mut line = format!(
        "plan: {} to {} (AS {}): next hop {}, AS path {path}",
        planned.prefix, planned.neighbor, planned.remote_as, planned.next_hop
    );
    if let Some(med) = planned.med {
        line.push_str(&format!(", MED {med}"));
    }
    if let Some(local_pref) = planned.local_pref {
        line.push_str(&format!(", LOCAL_PREF {local_pref}"));
    }
    let communities = planned.communities.iter().map(ToString::to_string);
    let communities: Vec<String> =
        communities.chain(planned.large_communities.iter().map(ToString::to_string)).collect();
    if !communities.is_empty() {
        line.push_str(&format!(", communities {}", communities.join(" ")));
    }
    line
}

/// Without a blackhole route the rest of an announced prefix follows the default route back out, and loops.
fn say_host_routes(config: &Config) -> Result<(), CommandError> {
    let prefixes = config.services.iter().map(|service| service.prefix);
    let prefixes: Vec<_> = prefixes.filter(|prefix| !prefix.addr().is_loopback()).collect();
    let more_than_services = |prefix: &ipnet::IpNet| prefix.prefix_len() < prefix.max_prefix_len();
    let prefixes: Vec<_> = prefixes.into_iter().filter(more_than_services).collect();
    if prefixes.is_empty() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(host::without_discard_route(&prefixes)) {
        Ok(without) => {
            for prefix in without {
                say(&format!(
                    "warning: no blackhole route for {prefix}: packets to its unused addresses follow the default \
                     route back to the network; add `ip route add blackhole {prefix}`"
                ));
            }
        }
        Err(error) => say(&format!("warning: cannot look at the host's routes: {error}")),
    }
    Ok(())
}
