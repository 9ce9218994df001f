//! A zone that comes from primaries, or goes to secondaries, as text.

use std::fmt::Write;

use super::span::span;
use super::table::{Row, aligned};
use crate::clock::rfc3339;
use crate::control::text::printable;
use crate::control::{
    NotifyStatus, SecondaryStatus, Status, TransferStatus, WaitingStatus, ZoneState, ZoneStatus,
};
use crate::telemetry::counted;

/// Everything that is known of the zones of a status that asked for some of them: what `anyns zone status` prints.
pub fn render_zone(status: &Status) -> String {
    let zones: Vec<String> = status.zones.iter().map(|zone| page(zone, status.now)).collect();
    if zones.is_empty() { "no such zone is known here\n".to_owned() } else { zones.join("\n") }
}

fn page(zone: &ZoneStatus, now: u64) -> String {
    let state = match zone.state {
        ZoneState::Loading => "is being loaded",
        ZoneState::Served => "is served",
        ZoneState::Kept => "is served in an older version",
        ZoneState::Refused => "is not served",
        ZoneState::Expired => "has expired and is answered SERVFAIL",
    };
    let required = if zone.required { ", required" } else { "" };
    let mut text = format!("{} {state} since {}{required}\n", printable(&zone.name), moment(zone.since, now));
    let serial = zone.serial.map_or("none".to_owned(), |serial| serial.to_string());
    let mut rows = vec![row("serial", format!("{serial}, {}", counted(zone.records, "record")))];
    let of_source = zone.source_serial.map_or_else(String::new, |serial| format!(", serial {serial}"));
    rows.push(row("source", zone.source.clone() + &of_source));
    rows.extend(zone.digest.iter().map(|digest| row("digest", digest.clone())));
    rows.extend(zone.catalog.iter().map(|catalog| row("catalog", catalog.clone())));
    rows.extend(zone.canary.iter().flat_map(|canary| super::canary::zone_rows(canary, now)));
    rows.extend(zone.transfer.iter().flat_map(|transfer| transfer_rows(transfer, now)));
    rows.extend(zone.waiting.iter().map(|waiting| row("waiting", waiting_text(waiting, now))));
    rows.extend(zone.secondaries.iter().map(|secondary| secondary_row(secondary, zone.serial, now)));
    rows.extend(zone.notify.iter().map(|target| notify_row(target, now)));
    rows.extend(zone.faults.iter().map(|fault| row("fault", fault.clone())));
    let _ = write!(text, "{}", aligned(&rows));
    text
}

/// What waits, since when, until when and why.
fn waiting_text(waiting: &WaitingStatus, now: u64) -> String {
    let WaitingStatus { newest, steps, since, until, why } = waiting;
    let until = until.map_or_else(String::new, |at| format!("; next at {}", moment(at, now)));
    format!("serial {newest}, in {steps} steps, since {}{until}: {why}", moment(*since, now))
}

fn row(name: &str, value: String) -> Row {
    vec![name.to_owned(), value]
}

/// A time, and how long ago or ahead it is.
pub(super) fn moment(at: u64, now: u64) -> String {
    match at > now {
        true => format!("{} (in {})", rfc3339(at), span(at - now)),
        false => format!("{} ({} ago)", rfc3339(at), span(now - at)),
    }
}

fn transfer_rows(transfer: &TransferStatus, now: u64) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut add = |name: &str, value: String| rows.push(row(name, value));
    for primary in &transfer.primaries {
        let serial = primary.serial.map_or("no serial yet".to_owned(), |serial| format!("serial {serial}"));
        add("primary", format!("{} told {serial}", primary.address));
    }
    add("confirmed", transfer.checked.map_or("never".to_owned(), |at| moment(at, now)));
    // What is asked or transferred may wait for its turn among the others.
    let at_once = || format!("{} now, or as soon as it is its turn", transfer.phase);
    add("next look", transfer.next.map_or_else(at_once, |at| moment(at, now)));
    if let Some(at) = transfer.expires {
        add(if transfer.expired { "expired" } else { "expires" }, moment(at, now));
    }
    if let Some(at) = transfer.stale_since {
        add("stale since", moment(at, now));
    }
    if let Some(at) = transfer.failing_since {
        add("failing since", format!("{}, {} attempts", moment(at, now), transfer.failures));
    }
    if let Some(serial) = transfer.behind {
        add("behind", format!("a primary has serial {serial}, older than what is served here"));
    }
    if let Some(diverged) = &transfer.diverged {
        let text = format!("{} had other content under serial {}", diverged.primary, diverged.serial);
        add("diverged", format!("{text}, {}", moment(diverged.at, now)));
    }
    if let Some(found) = &transfer.contradiction {
        let than = found.giver.as_ref().map_or_else(
            || "than is served here".to_owned(),
            |giver| format!("than {giver}, whose version is served"),
        );
        let text = format!("{} has other content under serial {} {than}", found.primary, found.serial);
        add("contradicting", format!("{text}; no differences are taken from it"));
    }
    if let Some(serial) = transfer.refused {
        let since = transfer
            .refused_since
            .map(|at| format!("; versions are refused since {}", moment(at, now)))
            .unwrap_or_default();
        add("refused", format!("serial {serial}; it is not transferred again{since}"));
    }
    if let Some(error) = &transfer.last_error {
        let at = transfer.last_error_at.map(|at| format!(", {}", moment(at, now))).unwrap_or_default();
        add("last error", format!("{error}{at}"));
    }
    if let Some(last) = &transfer.last_transfer {
        let kind = if last.whole { "AXFR" } else { "IXFR" };
        let size = format!(
            "{}, {}, {} ms",
            counted(last.octets, "octet"),
            counted(last.records, "record"),
            last.took_ms
        );
        let text = format!(
            "serial {} by {kind} from {}: {size}, {}",
            last.serial,
            last.primary,
            moment(last.at, now)
        );
        add("last transfer", text);
    }
    rows
}

fn secondary_row(secondary: &SecondaryStatus, served: Option<u32>, now: u64) -> Row {
    let other = |serial| if served == Some(serial) { "" } else { ", not the one that is served here" };
    let has = match (secondary.serial, secondary.sent) {
        (None, None) => "its serial is not known".to_owned(),
        (Some(has), Some(sent)) if has == sent => format!("has serial {has}{}", other(has)),
        (Some(has), None) => format!("has serial {has}{}", other(has)),
        (None, Some(sent)) => format!("was sent serial {sent}{}", other(sent)),
        (Some(had), Some(sent)) => format!("had serial {had} and was sent {sent}{}", other(sent)),
    };
    let SecondaryStatus { address, asked, at, .. } = secondary;
    let known_by = match (&secondary.key, &secondary.certificate) {
        (Some(key), _) => format!(" with the key {key}"),
        (None, Some(name)) => format!(" with the certificate of {}", printable(name)),
        (None, None) => String::new(),
    };
    row("secondary", format!("{address}{known_by} {has}; asked for {asked} {}", moment(*at, now)))
}

/// A target that does not take the NOTIFYs of a zone.
fn notify_row(target: &NotifyStatus, now: u64) -> Row {
    let refused = target.refused_since.map(|at| format!("refused since {}", moment(at, now)));
    let unanswered = target.unanswered_since.map(|at| format!("not answered since {}", moment(at, now)));
    let both: Vec<String> = refused.into_iter().chain(unanswered).collect();
    row("notify", format!("NOTIFYs to {} are {}", target.address, both.join(", ")))
}

/// What of the transfer belongs into one line: nothing while all is well.
pub(super) fn brief(zone: &ZoneStatus, now: u64) -> String {
    let Some(transfer) = &zone.transfer else { return String::new() };
    match (transfer.expired, transfer.expires, transfer.stale_since, &zone.waiting) {
        (true, Some(at), ..) => format!("expired {}", moment(at, now)),
        (_, _, Some(at), _) => format!("stale since {}", moment(at, now)),
        (.., Some(waiting)) => format!("serial {} waits", waiting.newest),
        _ => String::new(),
    }
}
