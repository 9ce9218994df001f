//! The status as text for people: what is wrong first, then prefixes, probes, zones, sockets, limits. One page, however many
//! zones there are.

mod canary;
pub(super) mod span;
mod table;
mod transfer;

use std::fmt::Write;

use crate::clock::rfc3339;
use crate::telemetry::counted;

use super::text::{MOST_CHARACTERS, clipped, printable};
use super::{
    Alarm, CatalogStatus, NeighborStatus, ProbeStatus, RouteState, Status, TaskState, Verdict, ZoneState,
    ZoneStatus,
};
use span::span;
use table::Row;

pub use table::aligned;
pub use transfer::render_zone;

/// The document as aligned text.
///
/// `anyns status` prints it and ends with [`Verdict::exit_code`]: 0 ok, 1 degraded, 2 down (3: no answer).
pub fn render(status: &Status) -> String {
    let mut text = headline(status);
    let tables = [
        ("prefix", prefixes(status)),
        ("probe", probes(status)),
        ("catalog", catalogs(status)),
        ("canary", canary::rows(status)),
        ("zone", zones(status)),
        ("serve", serve(status)),
        ("rate limit", rate_limit(status)),
        ("task", tasks(status)),
    ];
    for (title, rows) in tables {
        if !rows.is_empty() {
            let _ = write!(text, "\n{title}\n{}", aligned(&rows));
        }
    }
    text
}

fn headline(status: &Status) -> String {
    let overall = &status.overall;
    let dry_run = if status.dry_run { ", DRY RUN: no route is sent" } else { "" };
    let mut text = format!(
        "{} is {} since {} ({} ago){dry_run}\n",
        printable(&status.pop),
        overall.verdict.word().to_uppercase(),
        rfc3339(overall.since),
        span(status.now.saturating_sub(overall.since))
    );
    for complaint in &overall.complaints {
        let _ = writeln!(text, "  ! {}", complaint_line(status, complaint));
    }
    if let Some(more) = overall.reasons.get(overall.complaints.len()) {
        let _ = writeln!(text, "  ! {}", printable(more));
    }
    if overall.verdict == Verdict::Ok {
        text.push_str("  nothing is wrong\n");
    }
    let up = span(status.now.saturating_sub(status.started));
    let _ = writeln!(
        text,
        "  instance {}, anyns {}, up {up}",
        printable(&status.instance),
        printable(&status.version)
    );
    if let Some(reload) = status.reload.as_ref().filter(|reload| !reload.failed) {
        let _ = writeln!(text, "  a reload goes on {}", since(status, reload.since));
    }
    if let Some(progress) = &status.progress {
        let _ = writeln!(text, "  {}", clipped(&printable(progress), MOST_CHARACTERS));
    }
    if let Some(delay) = status.delay {
        let _ = writeln!(
            text,
            "  last-resort POP: versions are served {} after they came; waiting: {}; anyns zone catch-up serves them now",
            span(delay),
            counted(status.zones_waiting, "zone")
        );
    }
    if status.zones_not_kept > 0 {
        let _ = writeln!(
            text,
            "  served but not yet in the state directory: {}",
            counted(status.zones_not_kept, "zone")
        );
    }
    text
}

fn complaint_line(status: &Status, complaint: &Alarm) -> String {
    let message = clipped(&printable(&complaint.message), MOST_CHARACTERS);
    format!("{message}, {}", since(status, complaint.since))
}

fn prefixes(status: &Status) -> Vec<Row> {
    let mut rows = Vec::new();
    for prefix in &status.prefixes {
        let desired = format!("desired: {}", prefix.intent);
        let why = prefix.reasons.join("; ");
        rows.push(vec![prefix.prefix.clone(), desired, since(status, prefix.since), why]);
        rows.extend(prefix.neighbors.iter().map(|neighbor| neighbor_row(status, neighbor)));
    }
    rows
}

/// What was sent, and how the session is.
fn neighbor_row(status: &Status, neighbor: &NeighborStatus) -> Row {
    let sent = match neighbor.sent {
        RouteState::Nothing => "nothing",
        RouteState::Depreferred => "depreferred",
        RouteState::Announced => "announced",
    };
    let sent = match (neighbor.sent, neighbor.local) {
        (RouteState::Nothing, _) | (_, false) => format!("sent: {sent}"),
        (_, true) => format!("sent to the local daemon: {sent}"),
    };
    vec![format!("  at {}", neighbor.neighbor), sent, since(status, neighbor.since), neighbor.session.clone()]
}

fn probes(status: &Status) -> Vec<Row> {
    let row = |probe: &ProbeStatus| {
        let round_trip = probe.round_trip_us.map_or("-".into(), |micros| format!("{micros} µs"));
        let why = match (&probe.reason, probe.reason_at) {
            (Some(reason), Some(at)) if probe.standing == "up" => format!("last: {reason}, {}", rfc3339(at)),
            (Some(reason), _) => reason.clone(),
            (None, _) => String::new(),
        };
        let why = [Some(why), probe.zone_fault.clone()].into_iter().flatten().filter(|text| !text.is_empty());
        let why = why.collect::<Vec<_>>().join("; ");
        let name = format!("{} {}", probe.address, probe.transport);
        vec![name, probe.standing.clone(), since(status, probe.since), round_trip, why]
    };
    status.probes.iter().map(row).collect()
}

fn zones(status: &Status) -> Vec<Row> {
    let row = |zone: &ZoneStatus| {
        let state = zone.state.word();
        let serial = zone.serial.map_or("-".into(), |serial| serial.to_string());
        let records = counted(zone.records, "record");
        let fault = zone.faults.first().cloned().unwrap_or_default();
        // A fault of a file begins with its path.
        let source = if fault.starts_with(&zone.source) { String::new() } else { zone.source.clone() };
        vec![
            zone.name.clone(),
            state.into(),
            since(status, zone.since),
            serial,
            records,
            source,
            [transfer::brief(zone, status.now), canary::brief(zone), signatures(zone, status.now), fault]
                .into_iter()
                .filter(|text| !text.is_empty())
                .collect::<Vec<_>>()
                .join("; "),
        ]
    };
    let mut rows: Vec<Row> = status.zones.iter().map(row).collect();
    rows.extend(more_zones(status).map(|text| vec![text]));
    rows
}

fn catalogs(status: &Status) -> Vec<Row> {
    let row = |catalog: &CatalogStatus| {
        let serial = catalog.serial.map_or("-".into(), |serial| serial.to_string());
        let what = if catalog.produced { "made here" } else { "followed" };
        let parts = [
            (catalog.awaited > 0).then(|| format!("{} on their way", catalog.awaited)),
            (catalog.held > 0).then(|| format!("{} waiting", counted(catalog.held, "removal"))),
            (catalog.removed > 0).then(|| format!("{} removed and kept for a while", catalog.removed)),
            (catalog.clashes > 0).then(|| format!("{} not taken", catalog.clashes)),
            catalog.fault.clone(),
        ];
        let parts = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
        vec![catalog.name.clone(), what.into(), serial, counted(catalog.members, "zone"), parts]
    };
    status.catalogs.iter().map(row).collect()
}

/// How the signatures of a zone stand.
fn signatures(zone: &ZoneStatus, now: u64) -> String {
    let Some(signatures) = &zone.signatures else { return String::new() };
    let mut parts = Vec::new();
    if signatures.verifying {
        let percent = signatures.verified_percent.map(|percent| format!(" ({percent} %)"));
        parts.push(format!("verifying{}", percent.unwrap_or_default()));
    }
    parts.extend(signatures.expires.map(|expires| match now > expires {
        true => format!("expired at {}", rfc3339(expires)),
        false => format!("valid until {}", rfc3339(expires)),
    }));
    if signatures.wrong > 0 {
        parts.push(format!("{} wrong", signatures.wrong));
    }
    format!("signatures: {}", parts.join(", "))
}

/// What of the zones that were asked for is not listed.
fn more_zones(status: &Status) -> Option<String> {
    let counts = &status.zone_counts;
    if counts.matched == 0 {
        return (counts.total > 0).then(|| format!("no zone of {} matches", counts.total));
    }
    let is_bad = |zone: &&ZoneStatus| zone.state != ZoneState::Served || !zone.faults.is_empty();
    let more = counts.matched.saturating_sub(status.zones.len() as u64);
    let bad = counts.matched_not_well.saturating_sub(status.zones.iter().filter(is_bad).count() as u64);
    match (more, bad) {
        (0, _) => None,
        (_, 0) => Some(format!("and {} without faults: see anyns status --json", counted(more, "more zone"))),
        _ => {
            Some(format!("and {}, {bad} not well: see anyns status --zones bad", counted(more, "more zone")))
        }
    }
}

fn serve(status: &Status) -> Vec<Row> {
    let serve = &status.serve;
    let mut rows: Vec<Row> = Vec::new();
    for listener in &serve.listeners {
        let state =
            listener.fault.as_ref().map_or("listens".into(), |fault| format!("does not work: {fault}"));
        rows.push(vec![format!("{} {}", listener.address, listener.transport), state]);
    }
    for worker in &serve.workers {
        let state = if worker.stale { "sends no heartbeat" } else { "runs" };
        rows.push(vec![
            format!("worker {} ({})", worker.index, serve.engine),
            state.into(),
            format!("{} queries", worker.queries),
        ]);
    }
    rows.extend(serve.counters.iter().map(|(name, count)| vec![name.clone(), count.to_string()]));
    rows
}

fn rate_limit(status: &Status) -> Vec<Row> {
    let limit = &status.rate_limit;
    let table = format!("{} slots", limit.table_slots);
    let counts = format!(
        "{} dropped, {} slipped, {} would be dropped",
        limit.limited, limit.slipped, limit.would_limit
    );
    vec![vec![limit.mode.clone(), table, counts]]
}

/// Only the tasks of which there is something to tell.
fn tasks(status: &Status) -> Vec<Row> {
    let worth = status.tasks.iter().filter(|task| task.state != TaskState::Runs || task.panics > 0);
    let row = |task: &super::TaskStatus| {
        let state = match task.state {
            TaskState::Runs => "runs",
            TaskState::Silent => "sends no heartbeat",
            TaskState::Ended => "has ended",
        };
        vec![task.name.clone(), state.to_owned(), format!("panicked {}", counted(task.panics, "time"))]
    };
    worth.map(row).collect()
}

fn since(status: &Status, at: u64) -> String {
    format!("since {} ({})", rfc3339(at), span(status.now.saturating_sub(at)))
}

#[cfg(test)]
#[path = "../../../tests/unit/control/render.rs"]
mod tests;
