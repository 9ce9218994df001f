//! `[zones]` and `[[zone]]`.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use crate::publish::{Deploy, Dnssec, HistoryBounds, SerialRule, Settings, SingleZone, ZoneChecks};
use crate::wire::Name;

use super::super::fault::Faults;
use super::super::spec::{DeploySpec, DnssecSpec, SerialSpec, Spec, span_of};
use super::checks::{fold_checks, fold_validate_limit, zonemd};
use super::update::fold_databases;
use super::{catalog, or_default, path_in, period_or};

/// The publisher's settings, and the zones that must be served before anything is announced.
pub(super) fn fold_zones(spec: &Spec, faults: &mut Faults<'_>) -> (Settings, Vec<Name>) {
    let section = &spec.zones;
    let folder = faults.folder();
    let zones = fold_single_zones(spec, faults);
    if section.directory.is_none() && zones.is_empty() && spec.catalog.is_empty() {
        faults.error(
            None,
            "zones.directory",
            "no zones; set zones.directory, list [[zone]]s with name and file, or follow a [[catalog]]",
        );
    }
    let shrink = or_default(&section.shrink_limit_percent, Settings::DEFAULT_SHRINK_LIMIT_PERCENT);
    if shrink > 100 {
        let message = format!("{shrink} percent; allowed is 0 to 100 (100: any)");
        faults.error(span_of(&section.shrink_limit_percent), "zones.shrink-limit-percent", message);
    }
    let rescan = period_or(&section.rescan, Settings::DEFAULT_RESCAN);
    if !(Settings::LEAST_RESCAN..=Settings::LONGEST_RESCAN).contains(&rescan) {
        let message = format!("{}; allowed is 1s to 1day", humantime::format_duration(rescan));
        faults.error(span_of(&section.rescan), "zones.rescan", message);
    }
    let settle = period_or(&section.settle, Settings::DEFAULT_SETTLE);
    if settle > Settings::LONGEST_SETTLE {
        let message = format!("{}; at most 1m", humantime::format_duration(settle));
        faults.error(span_of(&section.settle), "zones.settle", message);
    }
    let history = fold_history(spec, faults);
    let required = section
        .required
        .iter()
        .filter_map(|name| parse_name(name.as_ref(), name.span(), "zones.required", faults));
    let required = required.collect();
    let from_primaries = spec.zone.iter().filter(|zone| !zone.primaries.is_empty());
    let transferred = from_primaries.filter_map(|zone| zone.name.as_ref().parse().ok());
    let catalogs: BTreeSet<Name> = catalog::names(spec).collect();
    let transferred = transferred.chain(catalogs.iter().cloned()).collect();
    let databases = fold_databases(spec, faults);
    let checks = fold_checks(spec, faults);
    let validate_limit = fold_validate_limit(spec, faults);
    let settings = Settings {
        transferred,
        catalogs,
        databases,
        checks,
        all_checks: ZoneChecks {
            must_have: Vec::new(),
            zonemd: section.zonemd.map(zonemd),
            program: section.validate.clone(),
        },
        validate_limit,
        directories: section.directory.iter().map(|directory| path_in(folder, directory)).collect(),
        zones: zones.into(),
        include_roots: section.include_roots.iter().map(|root| path_in(folder, root)).collect(),
        state_directory: section.state_directory.as_ref().map(|directory| path_in(folder, directory)),
        serial: rule(section.serial),
        dnssec: dnssec(section.dnssec),
        shrink_limit_percent: shrink,
        rescan,
        settle,
        deploy: match section.deploy {
            DeploySpec::Watch => Deploy::Watch,
            DeploySpec::Reload => Deploy::Reload,
        },
        history,
        ..Settings::default()
    };
    (settings, required)
}

fn fold_history(spec: &Spec, faults: &mut Faults<'_>) -> HistoryBounds {
    let section = &spec.zones;
    let octets = or_default(&section.history_octets, Settings::DEFAULT_HISTORY_OCTETS);
    if octets > Settings::MOST_HISTORY_OCTETS {
        let message = format!("{octets} octets; at most {}", Settings::MOST_HISTORY_OCTETS);
        faults.error(span_of(&section.history_octets), "zones.history-octets", message);
    }
    let steps = or_default(&section.history_steps, Settings::DEFAULT_HISTORY_STEPS);
    if steps > Settings::MOST_HISTORY_STEPS {
        let message = format!("{steps} steps; at most {}", Settings::MOST_HISTORY_STEPS);
        faults.error(span_of(&section.history_steps), "zones.history-steps", message);
    }
    HistoryBounds { octets, steps }
}

fn fold_single_zones(spec: &Spec, faults: &mut Faults<'_>) -> Vec<SingleZone> {
    let folder = faults.folder();
    let mut zones = Vec::with_capacity(spec.zone.len());
    for zone in &spec.zone {
        let Some(name) = parse_name(zone.name.as_ref(), zone.name.span(), "zone.name", faults) else {
            continue;
        };
        let file = zone.file.as_ref().map(|file| path_in(folder, file).into());
        if zone.expired.is_some() && zone.primaries.is_empty() {
            let message = format!("{name} has no primaries; only a zone that comes from primaries expires");
            faults.error(Some(zone.name.span()), "zone.expired", message);
        }
        if file.is_some() && !zone.primaries.is_empty() {
            let message = format!("{name} has a file and primaries; a zone comes from one of them");
            faults.error(Some(zone.name.span()), "zone.primaries", message);
        }
        zones.push(SingleZone { name, file, serial: zone.serial.map(rule), dnssec: zone.dnssec.map(dnssec) });
    }
    // In canonical order, as the publisher wants them: then the copy that the daemon keeps is the publisher's.
    zones.sort_by(|a, b| a.name.cmp(&b.name));
    if zones.windows(2).any(|pair| matches!(pair, [a, b] if a.name == b.name)) {
        tell_repeated(spec, faults);
        zones.dedup_by(|later, first| later.name == first.name);
    }
    zones
}

/// Tells each `[[zone]]` whose name an earlier one has.
fn tell_repeated(spec: &Spec, faults: &mut Faults<'_>) {
    let mut seen = HashSet::new();
    for zone in &spec.zone {
        let Ok(name) = zone.name.as_ref().parse::<Name>() else { continue };
        let message = format!("two [[zone]] entries for {name}; one zone has one file");
        if !seen.insert(name) {
            faults.error(Some(zone.name.span()), "zone.name", message);
        }
    }
}

fn rule(spec: SerialSpec) -> SerialRule {
    match spec {
        SerialSpec::Strict => SerialRule::Strict,
        SerialSpec::Bump => SerialRule::Bump,
    }
}

fn dnssec(spec: DnssecSpec) -> Dnssec {
    match spec {
        DnssecSpec::Off => Dnssec::Off,
        DnssecSpec::Warn => Dnssec::Warn,
        DnssecSpec::Refuse => Dnssec::Refuse,
    }
}

pub(super) fn parse_name(text: &str, span: Range<usize>, key: &str, faults: &mut Faults<'_>) -> Option<Name> {
    match text.parse::<Name>() {
        Ok(name) => Some(name),
        Err(error) => {
            faults.error(Some(span), key, format!("{text:?} is not a zone name: {error}"));
            None
        }
    }
}
