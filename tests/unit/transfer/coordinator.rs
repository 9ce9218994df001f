//! What the coordinator does where two things come in an order that is rare: a NOTIFY behind a reload, an order behind a silent disk, a host
//! that was suspended. No sockets, no threads.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock_watch::ClockStep;
use super::entry::{Early, ZoneEntry, soa_of};
use super::*;
use crate::clock::unix_now;
use crate::handoff::Latest;
use crate::publish::{Force, KeptState, Report, SourceFault};
use crate::transfer::hub::{Hub, a, name, zone};
use crate::transfer::message::Soa;
use crate::transfer::notify::Allowed;
use crate::transfer::refresh::{Bounds, Phase, Transferred};
use crate::transfer::secondary::awaited::awaited;
use crate::transfer::secondary::jobs::Next;
use crate::transfer::secondary::settings::{OnExpiry, SecondaryZone};

fn primary(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 53))
}

fn zone_of(primaries: &[u8]) -> SecondaryZone {
    let server = |last: &u8| PrimaryServer { address: primary(*last), key: None, tls: None };
    SecondaryZone {
        name: name("example."),
        primaries: primaries.iter().map(server).collect(),
        notify: Allowed::default(),
        expired: OnExpiry::default(),
    }
}

fn settings(primaries: &[u8]) -> Arc<SecondarySettings> {
    Arc::new(SecondarySettings { zones: vec![zone_of(primaries)], ..SecondarySettings::default() })
}

fn coordinator(settings: Arc<SecondarySettings>, pop: Arc<Hub>, context: SecondaryContext) -> Coordinator {
    let (told, _) = awaited();
    Coordinator::new(settings, pop, context, (told, ExpireTimes::default()))
}

/// Serves version 5 of `example.`.
fn pop() -> Arc<Hub> {
    let (pop, _) = Hub::new();
    pop.put(zone(5, [a("a.example.", 1)]));
    pop
}

fn status(coordinator: &Coordinator) -> crate::transfer::refresh::Status {
    coordinator.zones[&name("example.")].report(now()).unwrap().status
}

/// Whom the queries go to that leave now.
fn asked(coordinator: &mut Coordinator) -> Vec<SocketAddr> {
    let mut asked = Vec::new();
    loop {
        match coordinator.jobs.next(Instant::now() + Duration::from_secs(1)) {
            Next::Ask(ask) => asked.push(ask.address),
            Next::Fetch(_) => {}
            Next::Wait(_) => return asked,
        }
    }
}

fn event(coordinator: &mut Coordinator, event: impl FnOnce(&mut Refresh) -> Option<Action>) {
    coordinator.step(&name("example."), event);
}

fn soa(serial: u32) -> Soa {
    soa_of(&zone(serial, [])).unwrap()
}

/// The settings of a reload are in force, and a NOTIFY that was judged by the lists before it comes behind them.
#[tokio::test]
async fn a_notify_of_a_primary_that_is_listed_no_more_has_those_of_now_asked() {
    for at_service in [false, true] {
        let mut it = coordinator(settings(&[1, 2, 3]), pop(), SecondaryContext::default());
        let source = primary(3).ip();
        it.change(settings(&[2, 1]));
        match at_service {
            false => it.notified(&name("example."), source, Some(Serial(6))),
            true => {
                let access = crate::transfer::secondary::access::Access::new(&settings(&[1, 2, 3]));
                let zone = access.zone(&name("example.")).unwrap().clone();
                it.take_from_service(AtService::Notified { zone, source, hint: Some(Serial(6)) });
            }
        }
        assert_eq!(status(&it).phase, Phase::Asking);
        assert_eq!(asked(&mut it), [primary(2), primary(1)]);
        // One that has another place in the list is asked itself.
        let mut it = coordinator(settings(&[1, 2, 3]), pop(), SecondaryContext::default());
        it.change(settings(&[3, 1]));
        it.notified(&name("example."), source, None);
        assert_eq!(asked(&mut it), [primary(3)]);
    }
}

/// Its version 6 was refused.
fn refused(it: &mut Coordinator) {
    let now = now();
    event(it, |refresh| refresh.ordered(Order::Retransfer));
    event(it, |refresh| refresh.answered(now, 0, Some(soa(6))));
    event(it, |refresh| refresh.transferred(now, Transferred::Refused(Serial(6))));
    asked(it);
    assert_eq!((status(it).phase, status(it).refused), (Phase::Idle, Some(Serial(6))));
}

#[test]
fn what_was_refused_while_nobody_knew_which_zones_are_held_is_asked_for_when_that_is_known() {
    let held = || {
        let mut report = Report::default();
        report.faults =
            vec![SourceFault::AllHeld { since: SystemTime::now(), reason: "it is silent".into() }];
        report
    };
    for is_being_judged in [false, true] {
        let report = Latest::new(held());
        let context = SecondaryContext { report: Some(report.reader()), ..SecondaryContext::default() };
        let mut it = coordinator(settings(&[1]), pop(), context);
        it.look_at_served(&name("example."));
        it.look_at_report();
        refused(&mut it);
        if is_being_judged {
            event(&mut it, |refresh| refresh.ordered(Order::Refresh));
            event(&mut it, |refresh| refresh.answered(now(), 0, Some(soa(6))));
            asked(&mut it);
        }
        report.publish(held());
        it.look_at_report();
        assert_eq!(asked(&mut it), []);
        report.publish(Report::default());
        it.look_at_report();
        if is_being_judged {
            event(&mut it, |refresh| refresh.transferred(now(), Transferred::Refused(Serial(6))));
        }
        assert_eq!(asked(&mut it), [primary(1)], "{is_being_judged}");
        // Once.
        event(&mut it, |refresh| refresh.answered(now(), 0, Some(soa(6))));
        event(&mut it, |refresh| refresh.transferred(now(), Transferred::Refused(Serial(6))));
        it.look_at_report();
        assert_eq!(asked(&mut it), []);
    }
    // The state directory answers before it was said that all are held.
    let kept = Latest::new(None);
    let context = SecondaryContext { late: Some(kept.reader()), ..SecondaryContext::default() };
    let mut it = coordinator(settings(&[1]), pop(), context);
    refused(&mut it);
    let (timers, members, releases) = Default::default();
    kept.publish(Some(KeptState { timers, members, releases }));
    it.take_kept();
    assert_eq!(asked(&mut it), [primary(1)]);
}

/// Timers of a version that was checked so many seconds ago, with all that is wrong with its primaries.
fn old_timers(age: u64) -> Saved {
    let now = unix_now();
    let diverged = crate::publish::KeptDivergence { primary: primary(1), serial: Serial(5), at: now - 9 };
    Saved {
        checked: Some(now - age),
        due: now,
        saved: now - 1,
        failures: 3,
        diverged: Some(diverged),
        forked: Some(3),
        ..Saved::default()
    }
}

#[tokio::test]
async fn a_zone_that_begins_anew_has_nothing_of_the_one_that_had_its_name() {
    for after_restart in [false, true] {
        let pop = pop();
        let context = SecondaryContext {
            saved: [(name("example."), old_timers(11_000))].into(),
            has_members: true,
            ..SecondaryContext::default()
        };
        let none = Arc::new(SecondarySettings::default());
        if after_restart {
            pop.take_out(&name("example."));
        }
        let mut it = coordinator(none, pop.clone(), context);
        let set = || MemberZones { set: vec![zone_of(&[1, 2])], ..MemberZones::default() };
        if !after_restart {
            it.change_members(set());
            assert!(it.zones[&name("example.")].report(now()).unwrap().is_expired);
            it.change_members(MemberZones { removed: vec![name("example.")], ..MemberZones::default() });
            pop.take_out(&name("example."));
        }
        it.change_members(set());
        // The publisher tells of the first version before its transfer has ended.
        pop.put(zone(1, []));
        it.look_at_served(&name("example."));
        let report = it.zones[&name("example.")].report(now()).unwrap();
        assert_eq!(
            (report.is_expired, report.diverged, report.status.behind, report.status.failures),
            (false, None, None, 0),
            "{after_restart}"
        );
        // Nor after a crash.
        let kept = timers_of(&it.zones, &it.saved, &name("example."), now()).unwrap();
        assert_eq!((kept.checked, kept.diverged, kept.forked), (None, None, None));
    }
}

/// What was kept of a zone may come into service later, and is as old then as its timers say.
#[test]
fn a_version_that_could_not_be_read_at_first_keeps_its_age() {
    let (pop, _) = Hub::new();
    let fault = crate::publish::Fault::Unreadable { path: "zones.db".into(), error: "I/O error".into() };
    let unread = crate::publish::ZoneReport {
        state: crate::publish::ZoneState::Refused,
        since: SystemTime::now(),
        serial: None,
        source_serial: None,
        records: 0,
        source: Arc::from(std::path::Path::new("transfer")),
        file: Default::default(),
        accepted_at: None,
        durable: false,
        kept_version: None,
        is_another: false,
        is_from_primaries: true,
        number: 1,
        refused_serial: None,
        signatures: None,
        expiry: crate::zone::Expiry::Current,
        is_catalog: false,
        faults: vec![fault],
    };
    let mut first = Report::default();
    first.put(name("example."), unread);
    let report = Latest::new(first);
    let saved: HashMap<Name, Saved> = [(name("example."), old_timers(11_000))].into();
    let context = SecondaryContext { saved, report: Some(report.reader()), ..SecondaryContext::default() };
    let mut it = coordinator(settings(&[1]), pop.clone(), context);
    assert_eq!(status(&it).serial, None);
    pop.put(zone(5, []));
    it.look_at_served(&name("example."));
    assert!(it.zones[&name("example.")].report(now()).unwrap().is_expired);
}

#[test]
fn after_time_that_no_timer_has_counted_all_zones_ask_soon_and_after_a_suspend_they_are_older() {
    let soon = Duration::from_secs(30);
    for (step, is_soon, is_expired) in [
        (ClockStep::Backwards, false, false),
        (ClockStep::Forwards, true, false),
        (ClockStep::Suspended(Duration::from_secs(3600)), true, false),
        (ClockStep::Suspended(Duration::from_secs(21 * 86_400)), true, true),
    ] {
        let mut it = coordinator(settings(&[1]), pop(), SecondaryContext::default());
        let long =
            Soa { refresh: Duration::from_secs(86_400), expire: Duration::from_secs(14 * 86_400), ..soa(5) };
        event(&mut it, |refresh| {
            refresh.serves(now(), Some(long));
            refresh.ordered(Order::Refresh)
        });
        event(&mut it, |refresh| refresh.answered(now(), 0, Some(long)));
        asked(&mut it);
        let before = status(&it).expires.unwrap();
        it.clock_stepped(step);
        let (after, at) = (status(&it), Instant::now());
        assert_eq!(after.due <= at + soon, is_soon, "{step:?}");
        let report = it.zones[&name("example.")].report(now()).unwrap();
        assert_eq!(report.is_expired, is_expired, "{step:?}");
        if let ClockStep::Suspended(time) = step {
            assert_eq!(after.expires.unwrap() + time, before);
            // What has expired does not wait for its turn, and the query path hears of it.
            assert_eq!(
                (after.due <= at, report.expiry != crate::zone::Expiry::Current),
                (is_expired, is_expired)
            );
        }
        let armed = it.timers.first().map(|(at, _)| *at).unwrap();
        assert_eq!(armed, it.zones[&name("example.")].due(now()).unwrap(), "{step:?}");
    }
}

/// An entry that serves version 9.
fn entry() -> ZoneEntry {
    let mut entry = ZoneEntry::new(zone_of(&[1]), 1);
    entry.begin(Bounds::default(), Some(soa(9)), None, now());
    entry.settle(now());
    entry
}

/// The hub had a newer version in between, which never came; or said nothing after an order.
#[test]
fn that_a_refused_version_was_taken_back_is_told_also_after_rounds_that_failed() {
    let round = |entry: &mut ZoneEntry, serial: Option<u32>, end: Option<Transferred>| {
        let now = now();
        entry.step(|refresh| refresh.ordered(Order::Refresh));
        let mut is_told = entry.settle(now).withdrawn;
        entry.step(|refresh| refresh.answered(now, 0, serial.map(soa)));
        is_told |= entry.settle(now).withdrawn;
        if let Some(end) = end {
            entry.step(|refresh| refresh.transferred(now, end));
        }
        is_told | entry.settle(now).withdrawn
    };
    for between in [Some((Some(11), Some(Transferred::NotKept))), Some((None, None)), None] {
        let mut entry = entry();
        assert!(!round(&mut entry, Some(10), Some(Transferred::Refused(Serial(10)))));
        if let Some((serial, end)) = between {
            assert!(!round(&mut entry, serial, end), "{between:?}");
        }
        assert!(round(&mut entry, Some(9), None), "{between:?}");
        assert!(!round(&mut entry, Some(9), None), "once");
    }
}

#[test]
fn news_of_a_version_outlive_an_older_one_that_comes_first() {
    let mut entry = entry();
    let now = now();
    entry.note_told(Some(Serial(11)), now);
    let later = |seconds| Now { instant: now.instant + Duration::from_secs(seconds), ..now };
    assert_eq!(entry.take_told(Serial(10), later(1).instant, later(2)), Duration::from_secs(1));
    assert_eq!(entry.take_told(Serial(11), later(31).instant, later(32)), Duration::from_secs(32));
    assert_eq!(entry.take_told(Serial(11), later(33).instant, later(34)), Duration::from_secs(1));
}

#[test]
fn what_came_before_a_zone_is_known_counts_with_its_latest_serial_and_its_largest_order() {
    // Its primary has version 6.
    let begun = |early: &dyn Fn(&mut Early)| {
        let mut entry = ZoneEntry::new(zone_of(&[1]), 1);
        early(&mut entry.early);
        let (now, saved) = (now(), Some(Saved { checked: Some(unix_now()), ..Saved::default() }));
        assert_eq!(entry.begin(Bounds::default(), Some(soa(5)), saved, now), Some(Action::AskSoa(vec![0])));
        let transfer = entry.step(|refresh| refresh.answered(now, 0, Some(soa(6))));
        (entry, transfer, now)
    };
    let waits_for_more = |hints: &[Option<u32>]| {
        let notify = |early: &mut Early| hints.iter().for_each(|hint| early.note_notify(hint.map(Serial)));
        let (mut entry, _, now) = begun(&notify);
        entry.step(|refresh| refresh.transferred(now, Transferred::Served(soa(6))));
        entry.due(now).unwrap() <= now.instant + Duration::from_secs(30)
    };
    assert!(waits_for_more(&[Some(7)]));
    assert!(waits_for_more(&[Some(6), Some(7), Some(6), None]));
    assert!(!waits_for_more(&[Some(6)]) && !waits_for_more(&[None]));
    let (mut entry, transfer, now) = begun(&|early: &mut Early| {
        early.note_order(Order::Retransfer);
        early.note_order(Order::Refresh);
        early.note_notify(None);
    });
    assert_eq!(transfer, Some(Action::Transfer { primary: 0, from: None, force: Force::Order }));
    let again = entry.step(|refresh| refresh.transferred(now, Transferred::Unreachable));
    assert_eq!(again, Some(Action::AskSoa(vec![0])), "the NOTIFY is taken behind the order");
}
