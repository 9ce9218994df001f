//! One document that is well, and every single thing that makes it unwell.

use super::super::*;
use super::{Verdict, overall};

/// A POP that is well.
pub(in super::super) fn well() -> Status {
    let neighbour = NeighbourStatus {
        neighbour: "192.0.2.254".into(),
        session: "Established".into(),
        route: RouteState::Announced,
        since: 1_700_000_100,
    };
    let zone = ZoneStatus {
        name: "example.org.".into(),
        state: ZoneState::Served,
        serial: Some(2026112101),
        records: 12,
        source: "zones/example.org.zone".into(),
        since: 1_700_000_050,
        ..ZoneStatus::default()
    };
    let probe = |transport: &str| ProbeStatus {
        address: "198.51.100.53".into(),
        transport: transport.into(),
        standing: "up".into(),
        since: 1_700_000_090,
        round_trip_us: Some(140),
        ..ProbeStatus::default()
    };
    let listener =
        ListenerStatus { address: "198.51.100.53:53".into(), transport: "UDP".into(), fault: None };
    let mut status = Status {
        pop: "fra1".into(),
        instance: "fra1-a".into(),
        version: "0.1.0".into(),
        now: 1_700_003_700,
        started: 1_700_000_000,
        updates_alive: Some(1_700_003_695),
        operator: OperatorStatus { order: "automatic".into(), ..OperatorStatus::default() },
        zones: vec![zone],
        prefixes: vec![PrefixStatus {
            prefix: "198.51.100.0/24".into(),
            intent: "announce".into(),
            since: 1_700_000_100,
            reasons: vec![],
            neighbours: vec![neighbour],
        }],
        probes: vec![probe("UDP"), probe("TCP")],
        serve: ServeStatus {
            engine: "native".into(),
            listeners: vec![listener],
            workers: vec![WorkerStatus { index: 0, stale: false, queries: 7 }],
            ..ServeStatus::default()
        },
        rate_limit: RateLimitStatus {
            mode: "enforce".into(),
            table_slots: 65536,
            ..RateLimitStatus::default()
        },
        ..Status::default()
    };
    status.overall = overall(&status);
    status
}

#[test]
fn well_is_ok_since_the_start() {
    let verdict = well().overall;
    assert_eq!(verdict.verdict, Verdict::Ok, "{:?}", verdict.reasons);
    assert_eq!((verdict.since, verdict.verdict.exit_code()), (1_700_000_000, 0));
}

#[test]
fn everything_that_is_not_ok() {
    use Verdict::{Degraded, Down};
    type Change = fn(&mut Status);
    let table: [(Verdict, &str, Change); 19] = [
        (Degraded, "zone updates have stopped", |status| status.updates_alive = None),
        (Degraded, "the watcher gives no sign", |status| status.updates_alive = Some(1_700_003_600)),
        (Degraded, "is kept at an older version", |status| status.zones[0].state = ZoneState::Kept),
        (Down, "is refused and not served", |status| status.zones[0].state = ZoneState::Refused),
        (Down, "has expired", |status| status.zones[0].state = ZoneState::Expired),
        (Down, "is still being loaded", |status| status.zones[0].state = ZoneState::Loading),
        (Down, "not one zone is served", |status| status.zones.clear()),
        (Degraded, "zone b. is refused", |status| {
            let zone = ZoneStatus { name: "b.".into(), state: ZoneState::Refused, ..ZoneStatus::default() };
            status.zones.push(zone);
        }),
        (Degraded, "served with faults: a:1:1", |status| status.zones[0].faults = vec!["a:1:1: x".into()]),
        (Down, "is withdrawn: loading", |status| {
            status.prefixes[0].intent = "withdraw".into();
            status.prefixes[0].reasons = vec!["loading".into()];
            status.prefixes[0].neighbours[0].route = RouteState::Absent;
        }),
        (Degraded, "less preferably", |status| {
            status.prefixes[0].intent = "deprefer".into();
            status.prefixes[0].neighbours[0].route = RouteState::Depreferred;
        }),
        (Down, "is missing at 192.0.2.254: the session is Active", |status| {
            status.prefixes[0].neighbours[0].route = RouteState::Absent;
            status.prefixes[0].neighbours[0].session = "Active".into();
        }),
        (Degraded, "is missing at 192.0.2.253", |status| {
            let absent = NeighbourStatus { neighbour: "192.0.2.253".into(), ..NeighbourStatus::default() };
            status.prefixes[0].neighbours.push(absent);
        }),
        (Degraded, "not yet as wanted (announce)", |status| {
            status.prefixes[0].neighbours[0].route = RouteState::Depreferred;
        }),
        (Degraded, "198.51.100.53 over TCP say pressure", |status| {
            status.probes[1].standing = "pressure".into();
        }),
        (Degraded, "UDP 198.51.100.53:53 does not work: closed", |status| {
            status.serve.listeners[0].fault = Some("closed".into());
        }),
        (Degraded, "worker 0 stands still", |status| status.serve.workers[0].stale = true),
        (Degraded, "the operator ordered withdraw: router upgrade", |status| {
            status.operator.order = "withdraw".into();
            status.operator.reason = "router upgrade".into();
        }),
        (Degraded, "disk full", |status| {
            status.alarms.push(Alarm { message: "disk full".into(), since: 1_700_000_000 });
        }),
    ];
    for (expected, words, change) in table {
        let mut status = well();
        change(&mut status);
        let found = overall(&status);
        assert_eq!(found.verdict, expected, "{words}: {found:?}");
        assert!(found.reasons.iter().any(|reason| reason.contains(words)), "{words}: {found:?}");
    }
}

#[test]
fn thousands_of_bad_zones_stay_readable() {
    let mut status = well();
    let bad = ZoneStatus { state: ZoneState::Refused, ..ZoneStatus::default() };
    status.zones.extend(std::iter::repeat_n(bad, 5000));
    let reasons = overall(&status).reasons;
    assert_eq!((reasons.len(), reasons.last().unwrap().as_str()), (51, "and 4950 more"));
}
