//! Prefixes and neighbors of the document: what is desired, what was sent, and what policy knows of the host.

use crate::control::{Cause, NeighborStatus, PrefixStatus, RouteState, without_numbers};
use crate::policy::Reason;
use crate::route::{self, NeighborKey, Preference, RouteStatus};

use crate::daemon::status::OtherAlarm;
use crate::daemon::status::clock::Clock;

pub(super) fn prefixes(routes: &RouteStatus, clock: Clock) -> Vec<PrefixStatus> {
    let prefix = |one: &route::PrefixStatus| PrefixStatus {
        prefix: one.prefix.to_string(),
        intent: one.intent.word().to_owned(),
        since: clock.of(one.since),
        reasons: one.reasons.iter().map(|reason| reason_text(reason, clock)).collect(),
        neighbors: one
            .neighbors
            .iter()
            .filter_map(|(key, state)| neighbor(routes, one, key, state, clock))
            .collect(),
    };
    routes.prefixes.iter().map(prefix).collect()
}

fn reason_text(reason: &Reason, clock: Clock) -> String {
    match reason {
        Reason::Hold(until) => format!("on hold for {} s more", clock.seconds_until(*until)),
        other => other.text(clock.instant()),
    }
}

/// `None` for the neighbor of the dry run, which is nobody.
fn neighbor(
    routes: &RouteStatus,
    prefix: &route::PrefixStatus,
    key: &NeighborKey,
    state: &route::RouteState,
    clock: Clock,
) -> Option<NeighborStatus> {
    let NeighborKey::Bgp(address) = key else { return None };
    let session = routes.neighbors.iter().find(|one| one.neighbor == *key);
    let (sent, since) = match state {
        route::RouteState::Announced { preference, since } => (Some(*preference), Some(*since)),
        route::RouteState::Pending { told } => (*told, None),
        route::RouteState::Refused { .. } | route::RouteState::Withdrawn => (None, None),
    };
    let session_text = session.map_or_else(String::new, |one| match (&one.last_error, state) {
        (_, route::RouteState::Refused { reason }) => format!("{} ({reason})", one.session),
        (Some((_, error)), route::RouteState::Pending { .. }) => format!("{} ({error})", one.session),
        _ => one.session.to_string(),
    });
    Some(NeighborStatus {
        neighbor: key.to_string(),
        local: address.ip().is_loopback(),
        session: session_text,
        desired: prefix.intent.word().to_owned(),
        sent: match sent {
            Some(Preference::Normal) => RouteState::Announced,
            Some(Preference::Depreferred) => RouteState::Depreferred,
            None => RouteState::Nothing,
        },
        since: since.or(session.map(|one| one.since)).map_or(clock.unix(), |since| clock.of(since)),
    })
}

/// What policy knows of the host and that no other part of the document shows: each once, however many prefixes it hits.
pub(super) fn host_alarms(routes: &RouteStatus) -> Vec<OtherAlarm> {
    let mut alarms: Vec<OtherAlarm> = Vec::new();
    for reason in routes.prefixes.iter().flat_map(|prefix| &prefix.reasons) {
        let kind = match reason {
            // Zones, sockets, workers, probes and orders are in the document themselves; a hold is a consequence.
            Reason::Loading
            | Reason::CatalogsAwaited
            | Reason::NoZone
            | Reason::RequiredZoneMissing(..)
            | Reason::SocketLost(..)
            | Reason::WorkersStale { .. }
            | Reason::OneTransportDead(..)
            | Reason::Untested(..)
            | Reason::Wrong(..)
            | Reason::Silent(..)
            | Reason::Pressure(..)
            | Reason::Hold(..)
            | Reason::Operator(..) => continue,
            Reason::AddressLost(address) => format!("address {address}"),
            #[allow(
                unreachable_patterns,
                reason = "a new reason is an alarm until it has a place of its own"
            )]
            other => without_numbers(&other.to_string()),
        };
        if !alarms.iter().any(|alarm| alarm.kind == kind) {
            alarms.push(OtherAlarm { kind, cause: Cause::Host, message: reason.to_string() });
        }
    }
    alarms
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::daemon::status::clock::Anchor;
    use crate::policy::Intent;

    #[test]
    fn a_hold_says_when_it_ends_and_a_lost_address_is_told_once() {
        let now = Instant::now();
        let lost = Reason::AddressLost("192.0.2.53".parse().unwrap());
        let reasons = vec![lost, Reason::Hold(now + Duration::from_millis(3_500_000))];
        let prefix = |text: &str| route::PrefixStatus {
            prefix: text.parse().unwrap(),
            intent: Intent::Withdraw,
            since: now,
            reasons: reasons.clone(),
            neighbors: vec![
                (NeighborKey::DryRun, route::RouteState::Withdrawn),
                (NeighborKey::Bgp("127.0.0.1:179".parse().unwrap()), route::RouteState::Withdrawn),
                (NeighborKey::Bgp("192.0.2.1:179".parse().unwrap()), route::RouteState::Withdrawn),
            ],
            withdrawals: 0,
            withdrawn_in: None,
        };
        let prefixes_ = vec![prefix("192.0.2.0/24"), prefix("2001:db8::/48")];
        let routes = RouteStatus { prefixes: prefixes_, ..RouteStatus::default() };
        let alarms = host_alarms(&routes);
        assert_eq!(alarms.len(), 1);
        assert_eq!(alarms[0].message, "the service address 192.0.2.53 is not on the host");
        let document = prefixes(&routes, Anchor::now().clock());
        assert_eq!(document[0].reasons[1], "on hold for 3500 s more");
        let neighbors: Vec<(&str, bool)> =
            document[0].neighbors.iter().map(|one| (one.neighbor.as_str(), one.local)).collect();
        assert_eq!(neighbors, [("127.0.0.1:179", true), ("192.0.2.1:179", false)]);
        assert_eq!(document[0].neighbors[0].desired, "withdraw");
    }
}
