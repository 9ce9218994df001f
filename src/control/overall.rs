//! Whether the whole is healthy: never `ok` when updates have stopped, a zone is not what it should be, or a route is
//! missing. The cause is told before what follows from it.

use super::status::Overall;
use super::text::{one_line, without_numbers};
use super::verdict::{MAX_REASONS, Verdict};
use super::{
    Alarm, Cause, NeighborStatus, PrefixStatus, ProbeStatus, RouteState, Status, ZoneGroup, ZoneState,
};

/// Fewer questions than this say nothing of losses.
const LEAST_QUESTIONS: u32 = 32;
/// One lost question of so many is told: a single loss is chance, and a fourth of all answers is not.
const LOSS_PART: u32 = 4;

/// Decides on the whole document but its field `overall`, without any memory: a fault whose beginning the document does not
/// know begins at the time of the document, and a state without faults at the start of the process. [`super::Memory::settle`] remembers.
pub fn overall(status: &Status) -> Overall {
    let complaints = complaints(status);
    let since = complaints.iter().map(|complaint| complaint.since).min().unwrap_or(status.started);
    conclude(status, complaints, since)
}

/// The verdict on these complaints.
pub(super) fn conclude(status: &Status, mut complaints: Vec<Alarm>, since: u64) -> Overall {
    let verdict = verdict(status, &complaints);
    let mut reasons: Vec<String> =
        complaints.iter().take(MAX_REASONS).map(|complaint| complaint.message.clone()).collect();
    let more = complaints.len().saturating_sub(MAX_REASONS);
    if more > 0 {
        reasons.push(format!("and {more} more"));
    }
    complaints.truncate(MAX_REASONS);
    Overall { verdict, since, reasons, complaints }
}

/// The one word.
pub(super) fn verdict(status: &Status, complaints: &[Alarm]) -> Verdict {
    match complaints.is_empty() {
        _ if is_down(status) => Verdict::Down,
        true => Verdict::Ok,
        false => Verdict::Degraded,
    }
}

/// Everything that is wrong, causes first; `since` is the document's time where the document does not know it.
pub(super) fn complaints(status: &Status) -> Vec<Alarm> {
    let mut complaints = status.alarms.clone();
    complaints.extend(serve_complaints(status));
    if !serves(status) {
        complaints.push(complaint(Cause::Zones, "no zone", status.now, "not one zone is served"));
    }
    complaints.extend(status.probes.iter().filter_map(|probe| probe_complaint(probe, status.now)));
    complaints.extend(status.prefixes.iter().flat_map(|prefix| prefix_complaints(prefix, status)));
    complaints.extend(updates_complaint(status));
    complaints.extend(status.zone_groups.iter().map(zone_complaint));
    complaints.extend(operator_complaint(status));
    complaints.extend(reload_complaint(status));
    for complaint in &mut complaints {
        complaint.message = one_line(&complaint.message);
    }
    complaints.sort_by_key(|complaint| complaint.cause);
    complaints
}

fn complaint(cause: Cause, kind: impl Into<String>, since: u64, message: impl Into<String>) -> Alarm {
    Alarm { cause, kind: kind.into(), since, message: message.into() }
}

/// Down: no traffic is wanted or none can come, or no zone is served. Without any prefix (nothing configured) the zones
/// alone decide.
fn is_down(status: &Status) -> bool {
    let reachable = |prefix: &PrefixStatus| is_reachable(prefix, status.dry_run);
    let unannounced = !status.prefixes.is_empty() && !status.prefixes.iter().any(reachable);
    unannounced || !serves(status)
}

fn serves(status: &Status) -> bool {
    let counts = &status.zone_counts;
    // An expiry is a fact, never a verdict: such a zone is here, and a primary's word brings it back.
    counts.served + counts.kept + counts.expired > 0
}

/// Wanted, and sent to a neighbor. In a dry run nothing is sent, and what would be sent counts.
fn is_reachable(prefix: &PrefixStatus, dry_run: bool) -> bool {
    let sent = |neighbor: &NeighborStatus| neighbor.sent != RouteState::Nothing;
    prefix.intent != "withdraw" && (dry_run || prefix.neighbors.iter().any(sent))
}

fn prefix_complaints(prefix: &PrefixStatus, status: &Status) -> Vec<Alarm> {
    let name = &prefix.prefix;
    let why =
        if prefix.reasons.is_empty() { String::new() } else { format!(": {}", prefix.reasons.join("; ")) };
    let wanted = match prefix.intent.as_str() {
        "announce" => RouteState::Announced,
        "deprefer" => RouteState::Depreferred,
        _ => RouteState::Nothing,
    };
    let mut complaints = Vec::new();
    let would = if status.dry_run { "would be" } else { "is to be" };
    match wanted {
        RouteState::Announced => {}
        RouteState::Depreferred => {
            let message = format!("{name} {would} announced less preferably{why}");
            complaints.push(complaint(Cause::Routes, format!("deprefer {name}"), prefix.since, message));
        }
        RouteState::Nothing => {
            let message = format!("{name} is withdrawn{why}");
            complaints.push(complaint(Cause::Routes, format!("withdraw {name}"), prefix.since, message));
        }
    }
    if prefix.neighbors.is_empty() && !status.dry_run && wanted != RouteState::Nothing {
        let message = format!("{name} is sent to no neighbor: none is known");
        complaints.push(complaint(Cause::Routes, format!("nobody {name}"), prefix.since, message));
    }
    let differing = prefix.neighbors.iter().filter(|neighbor| neighbor.sent != wanted);
    complaints.extend(differing.map(|neighbor| neighbor_complaint(prefix, neighbor)));
    complaints
}

fn neighbor_complaint(prefix: &PrefixStatus, differing: &NeighborStatus) -> Alarm {
    let NeighborStatus { neighbor, session, sent, since, .. } = differing;
    let (name, intent) = (&prefix.prefix, &prefix.intent);
    let message = match sent {
        RouteState::Nothing => format!("{name} is missing at {neighbor}: the session is {session}"),
        RouteState::Depreferred => {
            format!("{name} was sent to {neighbor} as less preferred, and the order is {intent}")
        }
        RouteState::Announced => {
            format!("{name} was sent to {neighbor} as announced, and the order is {intent}")
        }
    };
    complaint(Cause::Routes, format!("route {name} {neighbor}"), *since, message)
}

fn serve_complaints(status: &Status) -> Vec<Alarm> {
    let lost = status.serve.listeners.iter().filter_map(|listener| {
        let fault = listener.fault.as_ref()?;
        let socket = format!("{} {}", listener.transport, listener.address);
        let message = format!("{socket} does not work: {fault}");
        Some(complaint(Cause::Host, format!("listener {socket}"), status.now, message))
    });
    let stale = status.serve.workers.iter().filter(|worker| worker.stale).map(|worker| {
        let message = format!("worker {} sends no heartbeat", worker.index);
        complaint(Cause::Host, format!("worker {}", worker.index), status.now, message)
    });
    lost.chain(stale).collect()
}

fn probe_complaint(probe: &ProbeStatus, now: u64) -> Option<Alarm> {
    if probe.standing == "up" {
        return loss_complaint(probe, now);
    }
    let why = probe.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let ProbeStatus { address, transport, standing, since, .. } = probe;
    let message = format!("probes of {address} over {transport} say {standing}{why}");
    Some(complaint(Cause::Probes, format!("probe {address} {transport}"), *since, message))
}

/// Some questions get no answer, not all of a round: resolvers see the same.
fn loss_complaint(probe: &ProbeStatus, now: u64) -> Option<Alarm> {
    let ProbeStatus { address, transport, recent_questions: asked, recent_lost: lost, .. } = probe;
    if *asked < LEAST_QUESTIONS || lost * LOSS_PART < *asked {
        return None;
    }
    let message = format!("{lost} of the last {asked} probes of {address} over {transport} got no answer");
    Some(complaint(Cause::Probes, format!("probe losses {address} {transport}"), now, message))
}

fn updates_complaint(status: &Status) -> Option<Alarm> {
    let fault = status.updates_fault.as_ref()?;
    let message = format!("zone updates have stopped: {fault}");
    Some(complaint(Cause::Rest, "updates", status.updates_alive.unwrap_or(status.started), message))
}

fn zone_complaint(group: &ZoneGroup) -> Alarm {
    let (one, many) = match group.state {
        ZoneState::Served => ("is served with faults", "are served with faults"),
        ZoneState::Loading => ("is still being loaded", "are still being loaded"),
        ZoneState::Kept => ("is kept at an older version", "are kept at an older version"),
        ZoneState::Refused => ("is refused and not served", "are refused and not served"),
        ZoneState::Expired => {
            ("has expired and is answered SERVFAIL", "have expired and are answered SERVFAIL")
        }
    };
    let required = if group.required { "required " } else { "" };
    let fault = group.fault.as_ref().map(|fault| format!(": {fault}")).unwrap_or_default();
    let ZoneGroup { first, count, .. } = group;
    let message = match count {
        1 => format!("{required}zone {first} {one}{fault}"),
        _ => format!("{count} {required}zones {many}: the first is {first}{fault}"),
    };
    let cause = if group.required { Cause::Zones } else { Cause::Rest };
    let steady = without_numbers(group.fault.as_deref().unwrap_or_default());
    complaint(cause, format!("zones {required}{one} {steady}"), group.since, message)
}

fn operator_complaint(status: &Status) -> Option<Alarm> {
    let operator = &status.operator;
    let (kind, message) = match operator.order.as_str() {
        "automatic" => return None,
        _ if status.stopping => ("stop", "anyns is stopping in order".to_owned()),
        order => ("operator", format!("the operator ordered {order}: {}", operator.reason)),
    };
    Some(complaint(Cause::Rest, kind, operator.since, message))
}

fn reload_complaint(status: &Status) -> Option<Alarm> {
    let reload = status.reload.as_ref().filter(|reload| reload.failed)?;
    let message = format!("the last reload failed: {}", reload.reason);
    Some(complaint(Cause::Rest, "reload", reload.since, message))
}

#[cfg(test)]
#[path = "../../tests/unit/control/overall.rs"]
pub(super) mod tests;
