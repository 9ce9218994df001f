//! The history of zones for the admin socket: what the publisher kept, as documents. Blocks as the disk does.

use crate::clock::unix_seconds;
use crate::control::{DifferenceStatus, HistoryStatus, Response, StepRecords, StepStatus};
use crate::publish::{Difference, History, StepInfo, StepSource};
use crate::telemetry::with_causes;
use crate::wire::{Name, Serial};
use crate::zone::RecordBatch;
use crate::zonefile::record_line;

use crate::daemon::response::failed;

/// The most records in an answer: some megabytes, and more than a person reads.
const MOST_RECORDS: usize = 50_000;

/// The steps of a zone.
pub(in crate::daemon) fn history(history: &History, zone: &str) -> Response {
    match look_up(history, zone) {
        Ok(history) => Response::History { history: Box::new(history) },
        Err(message) => failed(message),
    }
}

/// The same, or why there are none.
pub(in crate::daemon) fn look_up(history: &History, zone: &str) -> Result<HistoryStatus, String> {
    let name = zone_name(zone)?;
    let found = history.steps(&name).map_err(|error| with_causes(&error))?;
    let found = found.ok_or_else(|| format!("nothing is kept of {name} yet, or it is no zone here"))?;
    let step = |step: StepInfo| StepStatus {
        from: step.from.0,
        to: step.to.0,
        accepted_at: unix_seconds(step.accepted_at),
        origin: origin(&step).to_owned(),
        source: step.source.as_ref().map(ToString::to_string),
        records: step.records,
        octets: step.octets,
    };
    Ok(HistoryStatus {
        zone: name.to_string(),
        serial: found.serial.0,
        began_serial: found.began.serial.0,
        began_at: unix_seconds(found.began.at),
        began_reason: found.began.reason.text().to_owned(),
        steps: found.steps.into_iter().map(step).collect(),
    })
}

/// What led to a version, in a word.
fn origin(step: &StepInfo) -> &'static str {
    match &step.source {
        Some(StepSource::Update { .. }) => "update",
        Some(StepSource::Rollback { .. }) => "rollback",
        Some(StepSource::Catalog) => "catalog",
        // Of the whole zone, or of differences.
        Some(StepSource::Primary(_)) | None => step.origin.name(),
    }
}

/// What differs between two versions; without `from` the last step.
pub(in crate::daemon) fn difference(
    history: &History,
    zone: &str,
    from: Option<u32>,
    to: Option<u32>,
) -> Response {
    with_name(zone, |name| {
        let known = history.steps(name).map_err(|error| with_causes(&error))?;
        let known = known.ok_or_else(|| format!("nothing is kept of {name} yet, or it is no zone here"))?;
        let last = known.steps.last().map_or(known.serial, |step| step.from);
        let from = from.map_or(last, Serial);
        let found = history.between(name, from, to.map(Serial)).map_err(|error| with_causes(&error))?;
        let found = found.ok_or_else(|| {
            let serials = known.steps.iter().map(|step| step.from.to_string());
            let serials: Vec<String> = serials.chain([known.serial.to_string()]).collect();
            let to = to.map_or(known.serial, Serial);
            format!("the history of {name} does not lead from {from} to {to}; it has {}", serials.join(", "))
        })?;
        Ok(Response::Difference { difference: Box::new(document(name, &found)) })
    })
}

fn with_name(zone: &str, work: impl FnOnce(&Name) -> Result<Response, String>) -> Response {
    zone_name(zone).and_then(|name| work(&name)).unwrap_or_else(failed)
}

fn zone_name(zone: &str) -> Result<Name, String> {
    zone.parse().map_err(|error| format!("{zone}: not a zone name: {error}"))
}

fn document(zone: &Name, differences: &[Difference]) -> DifferenceStatus {
    let mut left = MOST_RECORDS;
    let mut omitted = 0;
    let mut lines = |batch: &RecordBatch| {
        let mut lines = Vec::new();
        batch.for_each_record(|owner, record_type, ttl, rdata| match left.checked_sub(1) {
            Some(less) => {
                left = less;
                lines.push(record_line(owner, record_type, ttl, rdata));
            }
            None => omitted += 1,
        });
        lines
    };
    let mut steps = Vec::new();
    for Difference { from, to, deleted, added } in differences {
        let (deleted, added) = (lines(deleted), lines(added));
        steps.push(StepRecords { from: from.0, to: to.0, deleted, added });
    }
    DifferenceStatus { zone: zone.to_string(), steps, omitted }
}
