//! Probes, prefixes and neighbors: what is desired, and what was sent.

use crate::control::{ProbeStatus, RouteState, Status};

use super::exposition::Exposition;
use super::facts::Facts;
use super::table;

pub(super) fn write(text: &mut Exposition, status: &Status, facts: &Facts) {
    write_probes(text, &status.probes);
    let mut family = text.family(&table::PREFIX_DESIRED);
    for prefix in &status.prefixes {
        family.row(&[&prefix.prefix], level(&prefix.intent));
    }
    let mut family = text.family(&table::PREFIX_SINCE);
    for prefix in &status.prefixes {
        family.row(&[&prefix.prefix], prefix.since);
    }
    let mut family = text.family(&table::PREFIX_HOLD);
    for prefix in &facts.prefixes {
        family.row(&[&prefix.prefix], prefix.hold);
    }
    let mut family = text.family(&table::PREFIX_WITHDRAWALS);
    for prefix in &facts.prefixes {
        family.row(&[&prefix.prefix], prefix.withdrawals);
    }
    let mut family = text.family(&table::PREFIX_WITHDRAWN_IN);
    for prefix in &facts.prefixes {
        if let Some(seconds) = prefix.withdrawn_in {
            family.row(&[&prefix.prefix], seconds);
        }
    }
    write_neighbors(text, status);
    write_sessions(text, facts);
    text.single(&table::LEASE, u8::from(facts.lease_held));
}

/// What an intent is as a number.
fn level(intent: &str) -> u8 {
    match intent {
        "announce" => 2,
        "deprefer" => 1,
        _ => 0,
    }
}

fn write_probes(text: &mut Exposition, probes: &[ProbeStatus]) {
    let transport = |probe: &ProbeStatus| probe.transport.to_lowercase();
    let mut family = text.family(&table::PROBE_UP);
    for probe in probes {
        family.row(&[&probe.address, &transport(probe)], u8::from(probe.standing == "up"));
    }
    let mut family = text.family(&table::PROBE_PRESSURE);
    for probe in probes {
        family.row(&[&probe.address, &transport(probe)], u8::from(probe.standing == "pressure"));
    }
    let mut family = text.family(&table::PROBE_QUESTIONS);
    for probe in probes {
        family.row(&[&probe.address, &transport(probe)], probe.questions);
    }
    let mut family = text.family(&table::PROBE_LOST);
    for probe in probes {
        family.row(&[&probe.address, &transport(probe)], probe.questions_lost);
    }
    let mut family = text.family(&table::PROBE_RTT);
    for probe in probes {
        if let Some(microseconds) = probe.round_trip_us {
            family.row(&[&probe.address, &transport(probe)], microseconds as f64 / 1e6);
        }
    }
}

fn write_neighbors(text: &mut Exposition, status: &Status) {
    let prefixes = status.prefixes.iter();
    let neighbors = prefixes.flat_map(|prefix| prefix.neighbors.iter().map(move |one| (&prefix.prefix, one)));
    let mut family = text.family(&table::ROUTE_SENT);
    for (prefix, neighbor) in neighbors {
        let sent = match neighbor.sent {
            RouteState::Nothing => 0,
            RouteState::Depreferred => 1,
            RouteState::Announced => 2,
        };
        family.row(&[prefix, &neighbor.neighbor], sent);
    }
}

fn write_sessions(text: &mut Exposition, facts: &Facts) {
    let mut family = text.family(&table::SESSION_UP);
    for session in &facts.sessions {
        family.row(&[&session.neighbor], u8::from(session.is_established));
    }
    let mut family = text.family(&table::SESSION_ESTABLISHED);
    for session in &facts.sessions {
        family.row(&[&session.neighbor], session.established);
    }
    let mut family = text.family(&table::SESSION_SINCE);
    for session in &facts.sessions {
        family.row(&[&session.neighbor], session.since);
    }
}
