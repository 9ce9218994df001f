//! Canaries as text.

use crate::clock::rfc3339;
use crate::control::{CanarySecondaryStatus, CanaryStatus, Status, ZoneCanaryStatus, ZoneStatus};
use crate::telemetry::counted;

use super::span::span;
use super::table::Row;

/// The groups, one line each, and what is to be known of their secondaries.
pub(super) fn rows(status: &Status) -> Vec<Row> {
    let of_group = |canary: &CanaryStatus| {
        let counts = [
            (canary.trial, "on trial"),
            (canary.overdue, "overdue"),
            (canary.halted, "halted"),
            (canary.stopped, "of them because a canary became unhealthy"),
            (canary.withheld, "without a version for the others"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
        let mut rows = vec![vec![
            canary.name.clone(),
            format!("{} released", counted(canary.released, "zone")),
            counts.join("; "),
        ]];
        for secondary in &canary.secondaries {
            rows.extend(failing(secondary, status.now));
            rows.push(health(secondary, status.now));
        }
        rows
    };
    status.canaries.iter().flat_map(of_group).collect()
}

fn failing(secondary: &CanarySecondaryStatus, now: u64) -> Option<Row> {
    let since = secondary.failing_since?;
    let why = secondary.error.clone().unwrap_or_default();
    let text = format!("gives no serial since {} ({})", rfc3339(since), span(now.saturating_sub(since)));
    Some(vec![format!("  {}", secondary.address), text, why])
}

/// How well a secondary is, as far as it tells.
fn health(secondary: &CanarySecondaryStatus, now: u64) -> Row {
    let address = format!("  {}", secondary.address);
    let Some(pop) = &secondary.pop else {
        return vec![address, "only its serial is checked".to_owned(), "it has no `pop`".to_owned()];
    };
    let since = |since: u64| format!(" since {} ({})", rfc3339(since), span(now.saturating_sub(since)));
    let since = secondary.health_since.map(since).unwrap_or_default();
    let text = match secondary.health.as_str() {
        "good" => format!("POP {pop} is healthy"),
        "bad" => format!("POP {pop} is unhealthy{since}"),
        "unknown" => format!("POP {pop} is not known to be healthy{since}"),
        _ => format!("POP {pop} is being asked how well it is"),
    };
    vec![address, text, secondary.health_reason.clone().unwrap_or_default()]
}

/// What of a zone belongs into one line: nothing while all secondaries may have what is served.
pub(super) fn brief(zone: &ZoneStatus) -> String {
    let Some(canary) = &zone.canary else { return String::new() };
    let why = canary.stopped.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    format!("canary {}: {}{why}, all others have serial {}", canary.canary, canary.state, others(canary))
}

fn others(canary: &ZoneCanaryStatus) -> String {
    if canary.withheld { "none".to_owned() } else { canary.released.to_string() }
}

/// The lines of one zone.
pub(super) fn zone_rows(canary: &ZoneCanaryStatus, now: u64) -> Vec<Row> {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let since =
        canary.since.map(|since| format!(" since {} ({})", rfc3339(since), span(now.saturating_sub(since))));
    let mut rows =
        vec![row("canary", format!("{}: {}{}", canary.canary, canary.state, since.unwrap_or_default()))];
    rows.push(row(
        "released",
        match canary.withheld {
            true => format!("serial {}, which is not there: the others get none", canary.released),
            false => format!("serial {}", canary.released),
        },
    ));
    rows.extend(canary.stopped.iter().map(|why| row("stopped", why.clone())));
    rows.extend(canary.lacking.iter().map(|address| row("lacking", address.clone())));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_secondary_tells_of_itself_is_a_line() {
        let secondary = |pop: Option<&str>, health: &str, since| CanarySecondaryStatus {
            address: "192.0.2.1:53".to_owned(),
            pop: pop.map(str::to_owned),
            health: health.to_owned(),
            health_since: since,
            health_reason: since.map(|_| "silent".to_owned()),
            ..CanarySecondaryStatus::default()
        };
        let line = |secondary| health(&secondary, 100).join(" | ");
        assert_eq!(
            line(secondary(None, "", None)),
            "  192.0.2.1:53 | only its serial is checked | it has no `pop`"
        );
        assert_eq!(line(secondary(Some("ams1"), "good", None)), "  192.0.2.1:53 | POP ams1 is healthy | ");
        let unhealthy = line(secondary(Some("ams1"), "bad", Some(40)));
        assert!(
            unhealthy.contains("POP ams1 is unhealthy since") && unhealthy.ends_with("| silent"),
            "{unhealthy}"
        );
        let unknown = line(secondary(Some("ams1"), "unknown", Some(40)));
        assert!(unknown.contains("not known to be healthy since"), "{unknown}");
        assert!(line(secondary(Some("ams1"), "not-asked", None)).contains("is being asked"));
    }
}
