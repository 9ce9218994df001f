//! Canaries as text.

use crate::control::{CanarySecondaryStatus, CanaryStatus, Status, ZoneCanaryStatus, ZoneStatus};

use super::table::Row;
use super::time::{span, time};

/// The groups, one line each, and one for each secondary that does not answer.
pub(super) fn rows(status: &Status) -> Vec<Row> {
    let of_group = |canary: &CanaryStatus| {
        let counts = [
            (canary.trial, "on trial"),
            (canary.overdue, "overdue"),
            (canary.halted, "halted"),
            (canary.withheld, "without a version for the others"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
        let mut rows =
            vec![vec![canary.name.clone(), format!("{} zones released", canary.released), counts.join("; ")]];
        rows.extend(canary.secondaries.iter().filter_map(|one| failing(one, status.now)));
        rows
    };
    status.canaries.iter().flat_map(of_group).collect()
}

fn failing(secondary: &CanarySecondaryStatus, now: u64) -> Option<Row> {
    let since = secondary.failing_since?;
    let why = secondary.error.clone().unwrap_or_default();
    let text = format!("gives no serial since {} ({})", time(since), span(now.saturating_sub(since)));
    Some(vec![format!("  {}", secondary.address), text, why])
}

/// What of a zone belongs into one line: nothing while all secondaries may have what is served.
pub(super) fn brief(zone: &ZoneStatus) -> String {
    let Some(canary) = &zone.canary else { return String::new() };
    format!("canary {}: {}, all others have serial {}", canary.canary, canary.state, others(canary))
}

fn others(canary: &ZoneCanaryStatus) -> String {
    if canary.withheld { "none".to_owned() } else { canary.released.to_string() }
}

/// The lines of one zone.
pub(super) fn zone_rows(canary: &ZoneCanaryStatus, now: u64) -> Vec<Row> {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let since =
        canary.since.map(|since| format!(" since {} ({})", time(since), span(now.saturating_sub(since))));
    let mut rows =
        vec![row("canary", format!("{}: {}{}", canary.canary, canary.state, since.unwrap_or_default()))];
    rows.push(row(
        "released",
        match canary.withheld {
            true => format!("serial {}, which is not there: the others get none", canary.released),
            false => format!("serial {}", canary.released),
        },
    ));
    rows.extend(canary.lacking.iter().map(|address| row("lacking", address.clone())));
    rows
}
