//! Whether the whole is well: never `ok` when updates have stopped, a zone is not what it should be, or a route is
//! missing.

use serde::{Deserialize, Serialize};

use super::{NeighbourStatus, PrefixStatus, ProbeStatus, RouteState, Status, ZoneState, ZoneStatus};

/// The updates count as stopped after this many seconds without a sign of the watcher; it gives one every ten.
const UPDATES_STALE_SECONDS: u64 = 60;

/// The most reasons that are told; the count of the rest follows. A document stays readable with thousands of zones.
const MAX_REASONS: usize = 50;

/// The whole in one word. The exit status of `anyns status` is its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All is well: exit status 0.
    Ok = 0,
    /// Something needs an operator, the service goes on: exit status 1.
    #[default]
    Degraded = 1,
    /// Not one prefix is announced as or less than configured: exit status 2.
    Down = 2,
}

/// Well or not, since when and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overall {
    /// The one word.
    pub verdict: Verdict,
    /// Since when (Unix seconds): the oldest of what is wrong; for `ok` the start of the process.
    pub since: u64,
    /// What is wrong, the worst first; empty for `ok`.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// The exit status of `anyns status`: 0 ok, 1 degraded, 2 down. Scripts may rely on it; a call that got no
    /// answer ends with 3.
    pub fn exit_code(self) -> u8 {
        self as u8
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// What is wrong and since when.
type Complaint = (u64, String);

/// Decides on the whole document but its field `overall`.
pub fn overall(status: &Status) -> Overall {
    let mut complaints = Vec::new();
    if !status.zones.iter().any(is_served) {
        complaints.push((status.now, "not one zone is served".into()));
    }
    complaints.extend(status.prefixes.iter().flat_map(prefix_complaints));
    complaints.extend(serve_complaints(status));
    complaints.extend(status.probes.iter().filter_map(probe_complaint));
    complaints.extend(updates_complaint(status));
    complaints.extend(status.zones.iter().filter(|zone| zone.required).filter_map(zone_complaint));
    complaints.extend(status.zones.iter().filter(|zone| !zone.required).filter_map(zone_complaint));
    complaints.extend(operator_complaint(status));
    complaints.extend(status.alarms.iter().map(|alarm| (alarm.since, alarm.message.clone())));
    let verdict = match complaints.is_empty() {
        _ if is_down(status) => Verdict::Down,
        true => Verdict::Ok,
        false => Verdict::Degraded,
    };
    let since = complaints.iter().map(|(since, _)| *since).min().unwrap_or(status.started);
    let more = complaints.len().saturating_sub(MAX_REASONS);
    let mut reasons: Vec<String> = complaints.into_iter().take(MAX_REASONS).map(|(_, text)| text).collect();
    if more > 0 {
        reasons.push(format!("and {more} more"));
    }
    Overall { verdict, since, reasons }
}

/// Down: no traffic is wanted or none can come, or no zone is served. Without any prefix (nothing configured) the zones
/// alone decide.
fn is_down(status: &Status) -> bool {
    let unannounced = !status.prefixes.is_empty() && !status.prefixes.iter().any(is_reachable);
    unannounced || !status.zones.iter().any(is_served)
}

fn is_served(zone: &ZoneStatus) -> bool {
    matches!(zone.state, ZoneState::Served | ZoneState::Kept)
}

/// Wanted, and known to a neighbour if there are neighbours.
fn is_reachable(prefix: &PrefixStatus) -> bool {
    let told = |neighbour: &NeighbourStatus| neighbour.route != RouteState::Absent;
    prefix.intent != "withdraw" && (prefix.neighbours.is_empty() || prefix.neighbours.iter().any(told))
}

fn prefix_complaints(prefix: &PrefixStatus) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let why =
        if prefix.reasons.is_empty() { String::new() } else { format!(": {}", prefix.reasons.join("; ")) };
    let wanted = match prefix.intent.as_str() {
        "announce" => RouteState::Announced,
        "deprefer" => {
            complaints.push((prefix.since, format!("{} is announced less preferably{why}", prefix.prefix)));
            RouteState::Depreferred
        }
        _ => {
            complaints.push((prefix.since, format!("{} is withdrawn{why}", prefix.prefix)));
            RouteState::Absent
        }
    };
    for neighbour in prefix.neighbours.iter().filter(|neighbour| neighbour.route != wanted) {
        let NeighbourStatus { neighbour, session, route, since } = neighbour;
        let text = match route {
            RouteState::Absent => {
                format!("{} is missing at {neighbour}: the session is {session}", prefix.prefix)
            }
            _ => format!("{} at {neighbour} is not yet as wanted ({})", prefix.prefix, prefix.intent),
        };
        complaints.push((*since, text));
    }
    complaints
}

fn serve_complaints(status: &Status) -> Vec<Complaint> {
    let lost = status.serve.listeners.iter().filter_map(|listener| {
        let fault = listener.fault.as_ref()?;
        Some((status.now, format!("{} {} does not work: {fault}", listener.transport, listener.address)))
    });
    let stale = status.serve.workers.iter().filter(|worker| worker.stale);
    let stale = stale.map(|worker| (status.now, format!("worker {} stands still", worker.index)));
    lost.chain(stale).collect()
}

fn probe_complaint(probe: &ProbeStatus) -> Option<Complaint> {
    if probe.standing == "up" {
        return None;
    }
    let why = probe.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    Some((
        probe.since,
        format!("probes of {} over {} say {}{why}", probe.address, probe.transport, probe.standing),
    ))
}

fn updates_complaint(status: &Status) -> Option<Complaint> {
    match status.updates_alive {
        None => Some((status.now, "zone updates have stopped".into())),
        Some(alive) if status.now.saturating_sub(alive) > UPDATES_STALE_SECONDS => {
            Some((alive, "zone updates have stopped: the watcher gives no sign".into()))
        }
        Some(_) => None,
    }
}

fn zone_complaint(zone: &ZoneStatus) -> Option<Complaint> {
    let what = match zone.state {
        ZoneState::Served if zone.faults.is_empty() => return None,
        ZoneState::Served => "is served with faults",
        ZoneState::Loading => "is still being loaded",
        ZoneState::Kept => "is kept at an older version",
        ZoneState::Refused => "is refused and not served",
        ZoneState::Expired => "has expired",
    };
    let required = if zone.required { "required zone" } else { "zone" };
    let fault = zone.faults.first().map(|fault| format!(": {fault}")).unwrap_or_default();
    Some((zone.since, format!("{required} {} {what}{fault}", zone.name)))
}

fn operator_complaint(status: &Status) -> Option<Complaint> {
    let operator = &status.operator;
    match operator.order.as_str() {
        "automatic" => None,
        order => Some((operator.since, format!("the operator ordered {order}: {}", operator.reason))),
    }
}

#[cfg(test)]
pub(super) mod tests;
