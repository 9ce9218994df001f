//! Orders about versions of zones: hold, end of a hold, the way back, what a refused version would have changed.
//!
//! A zone's name flows in, a response flows out. Reads files and the history, so that all of it runs where it may wait for a disk, but for
//! the publisher, which is asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::control::{DifferenceStatus, Response, StepRecords, ZoneFilter};
use crate::publish::{
    ApplyError, Difference, Fault, History, HoldError, HoldZones, HoldsSet, NamePredicate, PublisherHandle,
    Settings, StepSource, refused_path, returned_to, reverse,
};
use crate::telemetry::with_causes;
use crate::wire::{Name, Serial};
use crate::zone::{Published, Zone};
use crate::zonefile::{Limits, read_zone, record_line};

use crate::daemon::response::{done, failed};
use crate::daemon::zone_control::ZoneControl;

/// The most octets of the records of a difference that are told: what one answer of the admin socket can carry, several times over what a
/// person reads.
const MOST_OCTETS: usize = 4 << 20;

/// Zones that the answer to an order for many names, a line for each.
const MOST_NAMED: usize = 1000;

/// Holds the zone of this name, or those that a pattern takes, for a reason, or with `None` no longer. In words, and which zones these are.
pub(in crate::daemon) async fn hold(
    publisher: &PublisherHandle,
    zone: &str,
    reason: Option<String>,
) -> (Response, Vec<Name>) {
    let zones = match ZoneFilter::parse(zone) {
        ZoneFilter::All => HoldZones::All,
        filter @ ZoneFilter::Pattern(_) => {
            let report = publisher.report().load();
            // Not beside the task that decides: there may be very many.
            let zones = move || {
                let takes = move |name: &Name| filter.takes(&name.to_string(), true);
                let known = report.zones.keys().filter(|name| takes(name)).cloned().collect();
                HoldZones::Matching(known, NamePredicate::new(takes))
            };
            match tokio::task::spawn_blocking(zones).await {
                Ok(zones) => zones,
                Err(error) => return (failed(with_causes(&error)), Vec::new()),
            }
        }
        ZoneFilter::Name(_) | ZoneFilter::Bad => match zone.parse::<Name>() {
            Ok(name) => HoldZones::These(vec![name]),
            Err(error) => return (failed(format!("{zone}: not a zone name: {error}")), Vec::new()),
        },
    };
    let is_held = reason.is_some();
    match publisher.hold(zones, reason).await {
        Err(error @ (HoldError::NoSuchZone | HoldError::NotHeld)) => {
            (failed(format!("{zone}: {error}")), Vec::new())
        }
        Err(error) => (failed(with_causes(&error)), Vec::new()),
        Ok(HoldsSet { zones, is_kept }) => (done(held_words(&zones, (is_held, is_kept))), zones),
    }
}

/// What an order to hold zones, or to end that, has done.
fn held_words(zones: &[Name], how: (bool, bool)) -> String {
    let line = |name: &Name| match how {
        (false, _) => format!("{name} takes new versions again"),
        (true, true) => format!(
            "{name} is held at the version that is served, also over a restart, until: anyns zone unhold {name}"
        ),
        (true, false) => format!(
            "{name} is held at the version that is served; without zones.state-directory a restart ends that"
        ),
    };
    let mut lines: Vec<String> = zones.iter().take(MOST_NAMED).map(line).collect();
    match zones.len().saturating_sub(MOST_NAMED) {
        0 if zones.is_empty() => lines.push("all zones take new versions again".to_owned()),
        0 => {}
        more => lines.push(format!("and {more} more")),
    }
    lines.join("\n")
}

/// Serves the content of an earlier version under a raised serial; without a serial that of the version before.
pub(in crate::daemon) async fn rollback(
    zones: ZoneControl,
    settings: Arc<Settings>,
    (zone, to): (String, Option<u32>),
) -> Response {
    let Ok(name) = zone.parse::<Name>() else { return failed(format!("{zone}: not a zone name")) };
    let at_a_pop = || {
        failed(format!(
            "{name} comes from a primary: roll it back there, where its serial is made; here `anyns zone hold {name}` keeps what is served"
        ))
    };
    if settings.transferred.contains(&name) || zones.transfers.is_transferred(&name) {
        return at_a_pop();
    }
    let Some(served) = zones.published.load().zone(&name).cloned() else {
        return failed(format!("{name} is not served here"));
    };
    let history = zones.publisher.history();
    let (of, wanted) = (name.clone(), to.map(Serial));
    let way = tokio::task::spawn_blocking(move || way_back(&history, &of, &served, wanted));
    let (to, difference) = match way.await {
        Ok(Ok(found)) => found,
        Ok(Err(message)) => return failed(message),
        Err(error) => return failed(with_causes(&error)),
    };
    match zones.publisher.apply_from(&name, vec![difference], Some(StepSource::Rollback { to })).await {
        Ok(applied) => {
            let next = match settings.databases.contains(&name) {
                true => "updates go on from it",
                false => "its file as it is now stays rejected, a new version needs a higher serial",
            };
            let serial = applied.serial;
            let waits = waiting_words(&name, serial, zones.canaries.released(&name));
            done(format!("{name} has the content of {to} again, under serial {serial}; {next}{waits}"))
        }
        // A member of a catalog.
        Err(ApplyError::FromPrimaries { .. }) => at_a_pop(),
        Err(error) => failed(with_causes(&error)),
    }
}

/// That a version goes to the canaries first, in words: who ordered it may want it everywhere now. `released`: what others may have.
pub(in crate::daemon) fn waiting_words(
    name: &Name,
    serial: Serial,
    released: Option<Option<Serial>>,
) -> String {
    let others = match released {
        None => return String::new(),
        Some(Some(released)) if released == serial => return String::new(),
        Some(Some(released)) => format!("keep {released}"),
        Some(None) => "get no version".to_owned(),
    };
    format!(
        "; the canaries have it first, and the other secondaries {others} until it is released: anyns zone release {name} does that now"
    )
}

/// The difference from what is served back to the version with this serial, or to the one before. Reads the history: waits for the disk.
fn way_back(
    history: &History,
    zone: &Name,
    served: &Zone,
    wanted: Option<Serial>,
) -> Result<(Serial, Difference), String> {
    let known = history.steps(zone).map_err(|error| with_causes(&error))?;
    let known = known.ok_or_else(|| format!("nothing is kept of {zone} yet"))?;
    let serials = || known.steps.iter().map(|step| step.from.to_string()).collect::<Vec<String>>().join(", ");
    let between =
        |from| history.between(zone, from, Some(served.serial())).map_err(|error| with_causes(&error));
    let last = known.steps.last().map(|step| step.from);
    let to = wanted.or(last).ok_or_else(|| format!("the history of {zone} has no earlier version"))?;
    // The version before may be the one that a rollback ended.
    if let (None, Some(first)) = (wanted, known.steps.first())
        && let Some(same) = between(first.from)?.and_then(|steps| returned_to(served, &steps))
    {
        return Err(format!(
            "{zone} has the content of {same} again, by a rollback or by changes that undo each other, so that {to}, the version before, may be the \
             one to be left: give the serial to go back to; the history has {}",
            serials()
        ));
    }
    let steps = between(to)?.ok_or_else(|| {
        format!(
            "the history of {zone} does not lead back from {} to {to}; it has {}",
            served.serial(),
            serials()
        )
    })?;
    reverse(served, &steps).map(|difference| (to, difference)).map_err(|error| format!("{zone}: {error}"))
}

/// In what the refused version of a zone differs from what is served.
pub(in crate::daemon) fn difference_to_refused(
    publisher: &PublisherHandle,
    published: &Published,
    settings: &Settings,
    zone: &str,
) -> Response {
    let Ok(name) = zone.parse::<Name>() else { return failed(format!("{zone}: not a zone name")) };
    let Some(served) = published.load().zone(&name).cloned() else {
        return failed(format!("{name} is not served here"));
    };
    let Some(path) = refused_file(publisher, settings, &name) else {
        return failed(format!("no version of {name} was refused, or none is kept"));
    };
    match read_zone(&path, &name, &limits(settings)) {
        Err(error) => failed(format!("the refused version: {}", with_causes(&error))),
        Ok(read) => match document(&served, &read.zone) {
            Some(difference) => Response::Difference { difference: Box::new(difference) },
            None => failed(format!(
                "the refused version, {}, differs in more than {MOST_OCTETS} octets: compare it with `anyns zone export {name}`",
                path.display()
            )),
        },
    }
}

/// Where the version is that was refused last: its own file, or the one that was kept.
fn refused_file(publisher: &PublisherHandle, settings: &Settings, zone: &Name) -> Option<PathBuf> {
    let report = publisher.report().load();
    let of_fault = report.zones.get(zone).and_then(|zone| {
        zone.faults.iter().find_map(|fault| match fault {
            Fault::Refused { path, .. } => Some(path.clone()),
            Fault::RefusedOffer { kept, .. } => kept.clone(),
            _ => None,
        })
    });
    let kept = || settings.state_directory.as_deref().map(|state| refused_path(state, zone));
    of_fault.or_else(kept).filter(|path| path.is_file())
}

/// As zone files are read, what they may include among it.
fn limits(settings: &Settings) -> Limits {
    let roots = settings.directories.iter().chain(&settings.include_roots);
    let include_roots =
        roots.filter_map(|root: &PathBuf| std::path::absolute(Path::new(root)).ok()).collect();
    Limits { include_roots, ..settings.limits.clone() }
}

fn document(served: &Zone, refused: &Zone) -> Option<DifferenceStatus> {
    let found = refused.exact_difference(served, MOST_OCTETS)?;
    let lines = |records: &std::collections::BTreeSet<crate::zone::ExactRecord>| {
        records.iter().map(|(owner, kind, ttl, rdata)| record_line(owner, *kind, *ttl, rdata)).collect()
    };
    let step = StepRecords {
        from: served.serial().0,
        to: refused.serial().0,
        deleted: lines(&found.deleted),
        added: lines(&found.added),
    };
    Some(DifferenceStatus { zone: served.origin().to_string(), steps: vec![step], omitted: 0 })
}
