//! `anyns check`: the configuration, every zone, and the plan, before any of it acts.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::config::{self, Config, RouteDriver};
use crate::publish::{self, CheckReport, Settings, SourceFault};
use crate::route::{self, PlannedAnnouncement};
use crate::serve;
use crate::telemetry::counted;
use crate::wire::Name;

use super::check_here::check_here;
use super::check_transfers::print_transfers;
use super::exit::Exit;
use super::outcome::Outcome;
use super::output::print_line;

/// The most good zones listed one by one; what is wrong is always listed.
const MOST_LISTED: usize = 100;

/// Prints what is wrong, what may be, and what would be announced; fails if anything is wrong. `offline`: what only the
/// host itself can tell is left out.
pub(super) fn check(file: Option<&Path>, offline: bool) -> Outcome {
    let loaded = if offline { config::load_for_another_host(file)? } else { config::load(file)? };
    for warning in &loaded.warnings {
        print_line(&format!("warning: {warning}"));
    }
    let mut config = loaded.config;
    let directories = if offline { without_absent(&mut config) } else { true };
    if offline {
        without_programs(&mut config);
    }
    let mut zones = publish::check(Settings::clone(&config.publish))?;
    if !config.transfers.catalogs.followed.is_empty() {
        warn_of_possible_members(&mut zones);
    }
    let mut good = print_zones(&zones, &config);
    print_catalogs(&config);
    print_transfers(&config.transfers);
    let is_alone = config.publish.transferred.is_empty();
    if zones.zones.is_empty() && zones.faults.is_empty() && directories && is_alone {
        print_line(&format!("error: {}", no_zone(&config)));
        good = false;
    }
    print_listeners(&config);
    good &= print_encrypted(&config, offline);
    good &= print_plan(&config);
    if !offline {
        good &= check_here(&config)?;
    }
    Ok(Exit::of(good))
}

/// Leaves out the zone directories that are not here; whether all are.
fn without_absent(config: &mut Config) -> bool {
    let settings = Arc::make_mut(&mut config.publish);
    let before = settings.directories.len();
    settings.directories.retain(|directory| {
        let is_here = directory.exists();
        if !is_here {
            print_line(&format!("not checked: the zone directory {} is not here", directory.display()));
        }
        is_here
    });
    let are_all = settings.directories.len() == before;
    if !are_all {
        // Their zones cannot be found.
        settings.zones = settings.zones.iter().filter(|zone| zone.file.is_some()).cloned().collect();
        config.required.clear();
    }
    are_all
}

/// Leaves out the programs that judge zones: they are on the host that serves.
fn without_programs(config: &mut Config) {
    let settings = Arc::make_mut(&mut config.publish);
    let checks = settings.checks.values_mut().chain([&mut settings.all_checks]);
    let taken = checks.filter_map(|checks| checks.program.take().filter(|command| !command.is_empty()));
    let programs: BTreeSet<String> = taken.filter_map(|command| command.into_iter().next()).collect();
    for program in programs {
        print_line(&format!("not checked: what {program} (`validate`) says of the zones"));
    }
}

fn no_zone(config: &Config) -> String {
    let place = publish::no_zone_file(&config.publish.directories);
    format!("there is no zone: {place}; nothing is announced before a zone is served")
}

/// A zone of which the configuration has the rules alone may be listed by a catalog that is followed: only a running anyns knows.
fn warn_of_possible_members(report: &mut CheckReport) {
    report.faults.retain(|fault| {
        let SourceFault::NoFile { zone } = fault else { return true };
        print_line(&format!(
            "warning: no configured directory holds a file for {zone}: it is served only if a catalog lists it"
        ));
        false
    });
}

fn print_zones(report: &CheckReport, config: &Config) -> bool {
    for fault in &report.faults {
        print_line(&format!("error: {fault}"));
    }
    for warning in &report.warnings {
        print_line(&format!("warning: {warning}"));
    }
    let mut good = 0_usize;
    let mut records = 0_usize;
    for (name, zone) in &report.zones {
        for warning in &zone.warnings {
            print_line(&format!("warning: {warning}"));
        }
        match &zone.result {
            Ok((serial, count)) => {
                good += 1;
                records += count;
                if good <= MOST_LISTED {
                    print_line(&format!("zone {name} serial {serial}: {}", counted(*count, "record")));
                }
            }
            Err(fault) => print_line(&format!("error: zone {name} is refused: {fault}")),
        }
    }
    // What comes from primaries, or is listed by a catalog, is known to a running anyns alone.
    let may_come = |name: &Name| {
        config.publish.transferred.contains(name) || !config.transfers.catalogs.followed.is_empty()
    };
    let missing: Vec<_> =
        config.required.iter().filter(|name| !report.zones.contains_key(*name) && !may_come(name)).collect();
    for name in &missing {
        print_line(&format!("error: zone {name} is required, but no source holds it"));
    }
    let transfers = &config.transfers.secondary;
    let transferred = transfers.zones.iter().filter(|zone| !transfers.catalogs.contains(&zone.name)).count();
    let from_primaries = match transferred {
        0 => String::new(),
        1 => "; 1 comes from primaries".to_owned(),
        _ => format!("; {transferred} come from primaries"),
    };
    let (of, records) = (report.zones.len(), counted(records, "record"));
    print_line(&format!("zones: {good} of {of} from files are good, {records}{from_primaries}"));
    report.is_clean() && missing.is_empty()
}

/// The catalogs that would be followed, and from where, and those that would be made.
fn print_catalogs(config: &Config) {
    for catalog in &config.transfers.catalogs.followed {
        let primaries: Vec<String> =
            catalog.zones.primaries.iter().map(|primary| primary.address.to_string()).collect();
        let (name, primaries, keep) =
            (&catalog.name, primaries.join(", "), humantime::format_duration(catalog.keep));
        print_line(&format!(
            "catalog {name}: its zones come from {primaries}; what is removed is kept for {keep}"
        ));
    }
    for catalog in &config.transfers.catalogs.produced {
        print_line(&format!("catalog {}: made here for secondaries", catalog.name));
    }
}

/// The encrypted transports, and whether their certificate and keys can be used.
fn print_encrypted(config: &Config, offline: bool) -> bool {
    let Some(tls) = &config.serve.tls else { return true };
    for (transport, address) in tls.listen() {
        print_line(&format!("listen {address} ({})", transport.to_string().to_uppercase()));
    }
    if offline {
        return true;
    }
    let read = serve::Certificates::load(&tls.certificate, &tls.key);
    match &read {
        Ok(certificates) => {
            if let Some(fault) = certificates.exposure() {
                print_line(&format!("warning: tls.key: {fault}"));
            }
        }
        Err(fault) => print_line(&format!("error: {fault}")),
    }
    let keys = serve::TicketKeys::load(&tls.ticket_keys);
    match &keys {
        Ok(keys) => print_ticket_keys(&keys.facts()),
        Err(fault) => print_line(&format!("error: tls.ticket-keys: {fault}")),
    }
    let reset_key = tls.quic_reset_key.as_deref().map(serve::ResetKey::load).transpose();
    if let Err(fault) = &reset_key {
        print_line(&format!("error: tls.quic-reset-key: {fault}"));
    }
    read.is_ok() && keys.is_ok() && reset_key.is_ok()
}

/// The names tell whether POPs have the same keys.
fn print_ticket_keys(keys: &[serve::TicketKeyFact]) {
    for (index, key) in keys.iter().enumerate() {
        let does = if index == 0 { "issues and opens tickets" } else { "opens tickets" };
        print_line(&format!("ticket key {}: {} {does}", key.name, key.file.display()));
    }
}

fn print_listeners(config: &Config) {
    let listen: Vec<String> = config.serve.listen.iter().map(ToString::to_string).collect();
    let engine = match config.serve.engine {
        serve::Engine::Auto => "auto",
        serve::Engine::Native => "native",
        serve::Engine::Hickory => "hickory",
    };
    let count = config.serve.worker_count();
    print_line(&format!(
        "serve: {} over UDP and TCP, engine {engine}, {}",
        listen.join(", "),
        counted(count, "worker")
    ));
}

/// What would be announced; whether anything would be, where something is to be.
fn print_plan(config: &Config) -> bool {
    let mut announcements = 0;
    match &config.route {
        RouteDriver::DryRun(None) => {
            for service in &config.services {
                print_line(&format!("plan: {} to nobody: there is no [bgp]", service.prefix));
            }
        }
        RouteDriver::DryRun(Some(settings)) | RouteDriver::Bgp(settings) => {
            for planned in route::plan(settings, &config.services).announcements {
                print_line(&line_of(&planned));
                announcements += 1;
            }
        }
    }
    let has_somebody = match &config.route {
        RouteDriver::Bgp(settings) => config.services.is_empty() || !settings.neighbors.is_empty(),
        RouteDriver::DryRun(_) => true,
    };
    if !has_somebody {
        print_line("error: bgp.neighbor: nothing is announced: there is no [[bgp.neighbor]] to send it to");
    }
    let addresses: usize = config.service_addresses.iter().map(|(_, addresses)| addresses.len()).sum();
    if addresses == 0 {
        print_line("plan: nothing is announced: there is no [[service]]");
        return has_somebody;
    }
    let only_said = match &config.route {
        RouteDriver::DryRun(_) => "; the driver is dry-run: nothing is sent",
        RouteDriver::Bgp(_) => "",
    };
    print_line(&format!(
        "plan: {}, once {} well{only_said}",
        counted(announcements, "announcement"),
        if addresses == 1 {
            "1 service address answers".to_owned()
        } else {
            format!("{addresses} service addresses answer")
        }
    ));
    has_somebody
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
