//! One document without faults, and every single thing that makes it unhealthy.

use super::super::*;
use super::{Verdict, overall};

/// A healthy POP.
pub(in super::super) fn well() -> Status {
    let neighbor = NeighborStatus {
        neighbor: "192.0.2.254".into(),
        local: false,
        session: "Established".into(),
        desired: "announce".into(),
        sent: RouteState::Announced,
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
        zone_counts: ZoneCounts { total: 1, served: 1, matched: 1, ..ZoneCounts::default() },
        zones: vec![zone],
        prefixes: vec![PrefixStatus {
            prefix: "198.51.100.0/24".into(),
            intent: "announce".into(),
            since: 1_700_000_100,
            reasons: vec![],
            neighbors: vec![neighbor],
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

/// One group of zones instead of the zone that is served.
fn group(status: &mut Status, state: ZoneState, count: u64, fault: Option<&str>) {
    let served = u64::from(matches!(state, ZoneState::Served | ZoneState::Kept)) * count;
    status.zone_counts = ZoneCounts { total: count, not_well: count, served, ..ZoneCounts::default() };
    let (first, fault) = ("example.org.".into(), fault.map(str::to_owned));
    status.zone_groups =
        vec![ZoneGroup { state, required: false, count, first, fault, since: 1_700_000_050 }];
}

fn alarm(cause: Cause, message: &str) -> Alarm {
    Alarm { kind: message.into(), cause, message: message.into(), since: 1_700_000_000 }
}

#[test]
fn everything_that_is_not_ok() {
    use Verdict::{Degraded, Down};
    type Change = fn(&mut Status);
    let table: [(Verdict, &str, Change); 23] = [
        (Degraded, "zone updates have stopped: the publisher has ended", |status| {
            status.updates_fault = Some("the publisher has ended".into());
        }),
        (Degraded, "zone example.org. is kept at an older version", |status| {
            group(status, ZoneState::Kept, 1, None);
        }),
        (Degraded, "200 zones are kept at an older version: the first is example.org.: a:1:1: x", |status| {
            group(status, ZoneState::Kept, 200, Some("a:1:1: x"));
        }),
        (Down, "is refused and not served", |status| group(status, ZoneState::Refused, 1, None)),
        (Down, "300000 zones are still being loaded", |status| {
            group(status, ZoneState::Loading, 300_000, None);
        }),
        (Down, "not one zone is served", |status| status.zone_counts = ZoneCounts::default()),
        (Degraded, "required zone example.org. is refused", |status| {
            group(status, ZoneState::Refused, 1, None);
            status.zone_groups[0].required = true;
            status.zone_counts.served = 1;
        }),
        (Degraded, "served with faults: a:1:1", |status| {
            group(status, ZoneState::Served, 1, Some("a:1:1: x"));
        }),
        (Down, "is withdrawn: loading", |status| {
            status.prefixes[0].intent = "withdraw".into();
            status.prefixes[0].reasons = vec!["loading".into()];
            status.prefixes[0].neighbors[0].sent = RouteState::Nothing;
        }),
        (Down, "is withdrawn", |status| {
            status.dry_run = true;
            status.prefixes[0].intent = "withdraw".into();
            status.prefixes[0].neighbors.clear();
        }),
        (Degraded, "less preferably", |status| {
            status.prefixes[0].intent = "deprefer".into();
            status.prefixes[0].neighbors[0].sent = RouteState::Depreferred;
        }),
        (Down, "is missing at 192.0.2.254: the session is Active", |status| {
            status.prefixes[0].neighbors[0].sent = RouteState::Nothing;
            status.prefixes[0].neighbors[0].session = "Active".into();
        }),
        (Down, "is sent to no neighbor", |status| status.prefixes[0].neighbors.clear()),
        (Degraded, "is missing at 192.0.2.253", |status| {
            let absent = NeighborStatus { neighbor: "192.0.2.253".into(), ..NeighborStatus::default() };
            status.prefixes[0].neighbors.push(absent);
        }),
        (Degraded, "was sent to 192.0.2.254 as less preferred, and the order is announce", |status| {
            status.prefixes[0].neighbors[0].sent = RouteState::Depreferred;
        }),
        (Degraded, "was sent to 192.0.2.254 as announced, and the order is withdraw", |status| {
            status.prefixes[0].intent = "withdraw".into();
            let other = PrefixStatus { prefix: "2001:db8::/48".into(), ..status.prefixes[0].clone() };
            status.prefixes.push(PrefixStatus { intent: "announce".into(), ..other });
        }),
        (Degraded, "198.51.100.53 over TCP say pressure", |status| {
            status.probes[1].standing = "pressure".into();
        }),
        (Degraded, "UDP 198.51.100.53:53 does not work: closed", |status| {
            status.serve.listeners[0].fault = Some("closed".into());
        }),
        (Degraded, "worker 0 sends no heartbeat", |status| status.serve.workers[0].stale = true),
        (Degraded, "the operator ordered withdraw: router upgrade", |status| {
            status.operator.order = "withdraw".into();
            status.operator.reason = "router upgrade".into();
        }),
        (Degraded, "anyns is stopping in order", |status| {
            status.operator.order = "deprefer".into();
            status.stopping = true;
        }),
        (Degraded, "the last reload failed: line 3", |status| {
            let reason = "line 3".into();
            status.reload = Some(ReloadStatus { failed: true, since: 1_700_000_000, reason });
        }),
        (Degraded, "disk full", |status| status.alarms.push(alarm(Cause::Rest, "disk full"))),
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
fn the_cause_stands_before_what_follows_from_it() {
    let mut status = well();
    group(&mut status, ZoneState::Kept, 3, None);
    status.zone_groups.push(ZoneGroup { required: true, ..status.zone_groups[0].clone() });
    status.prefixes[0].intent = "withdraw".into();
    status.probes[0].standing = "silent".into();
    status.serve.workers[0].stale = true;
    status.alarms.push(alarm(Rest, "a certificate ends soon"));
    status.alarms.push(alarm(Host, "the service address 198.51.100.53 is not on the host"));
    let causes: Vec<Cause> = overall(&status).complaints.iter().map(|complaint| complaint.cause).collect();
    use Cause::{Host, Probes, Rest, Routes, Zones};
    assert_eq!(causes, [Host, Host, Zones, Probes, Routes, Routes, Rest, Rest]);
}

#[test]
fn very_many_complaints_stay_one_page() {
    let mut status = well();
    status.alarms.extend((0..5000).map(|index| alarm(Cause::Rest, &format!("fault {index}"))));
    let overall = overall(&status);
    assert_eq!((overall.reasons.len(), overall.reasons[MAX_REASONS].as_str()), (21, "and 4980 more"));
    assert_eq!(overall.complaints.len(), MAX_REASONS);
}

#[test]
fn probes_that_are_lost_in_part_are_told() {
    let with = |asked: u32, lost: u32| {
        let mut status = well();
        (status.probes[0].recent_questions, status.probes[0].recent_lost) = (asked, lost);
        let overall = overall(&status);
        (overall.verdict, overall.reasons.concat())
    };
    assert_eq!(with(64, 15).0, Verdict::Ok);
    assert_eq!(with(20, 20).0, Verdict::Ok, "too few to tell");
    let (verdict, reasons) = with(64, 16);
    assert_eq!(verdict, Verdict::Degraded);
    assert!(reasons.contains("16 of the last 64 probes of 198.51.100.53 over UDP"), "{reasons}");
}
