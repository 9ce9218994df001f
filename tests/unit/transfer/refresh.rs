//! The whole transition table: every state with every event; then random walks and what must hold in all of them.

use super::*;
use proptest::prelude::*;
use std::fmt::Write;
use std::time::Duration;

pub(super) fn soa(serial: u32) -> Soa {
    let seconds = Duration::from_secs;
    Soa { serial: Serial(serial), refresh: seconds(1000), retry: seconds(100), expire: seconds(10_000) }
}

pub(super) fn start() -> Now {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    Now { instant: Instant::now() + Duration::from_secs(1_000_000), wall }
}

pub(super) fn later(now: Now, seconds: f64) -> Now {
    let wait = Duration::from_secs_f64(seconds);
    Now { instant: now.instant + wait, wall: now.wall + wait }
}

/// Of a version that is served nothing was kept: each primary is believed to have it.
pub(super) fn refresh(primaries: usize, served: Option<u32>, now: Now) -> Refresh {
    let rng = fastrand::Rng::with_seed(1);
    let mut it = Refresh::new(Bounds::default(), primaries, served.map(soa), None, now, rng);
    if served.is_some() {
        it.lineage.believe_all();
    }
    it
}

/// A state by its name; serial 5 is served but in `new`.
fn state(name: &str, now: Now) -> Refresh {
    let mut it = refresh(2, Some(5), now);
    match name {
        "new" => return refresh(2, None, now),
        "new-of-one" => return refresh(1, None, now),
        "idle" => {
            it.wake(now);
            it.answered(now, 0, Some(soa(5)));
            it.answered(now, 1, Some(soa(5)));
        }
        "refused-6" => {
            it.wake(now);
            it.answered(now, 0, Some(soa(5)));
            it.answered(now, 1, Some(soa(5)));
            it.notified(Some(0), Some(Serial(6)));
            it.transferred(now, Transferred::Refused(Serial(6)));
            it.answered(now, 0, Some(soa(6)));
            it.answered(now, 1, None);
        }
        "asking-one" => drop(it.notified(Some(1), None)),
        "asking" => drop(it.wake(now)),
        "asking-newer" => {
            it.wake(now);
            it.answered(now, 0, Some(soa(6)));
        }
        "ixfr-notified" => drop(it.notified(Some(0), Some(Serial(6)))),
        "ixfr-others" => {
            it.wake(now);
            it.answered(now, 0, Some(soa(6)));
            it.answered(now, 1, Some(soa(7)));
        }
        "axfr" => {
            it.wake(now);
            it.answered(now, 0, Some(soa(6)));
            it.answered(now, 1, None);
            it.transferred(now, Transferred::AskWhole);
        }
        "retransfer" => {
            it.wake(now);
            it.answered(now, 0, Some(soa(5)));
            it.answered(now, 1, None);
            it.ordered(Order::Retransfer);
            it.answered(now, 0, Some(soa(3)));
            it.answered(now, 1, Some(soa(2)));
        }
        "pending-notify" => {
            it.notified(Some(0), Some(Serial(6)));
            it.notified(Some(1), Some(Serial(7)));
        }
        "pending-order" => {
            it.notified(Some(0), Some(Serial(6)));
            it.ordered(Order::Retransfer);
            it.notified(Some(1), Some(Serial(7)));
        }
        other => panic!("no state {other}"),
    }
    it
}

const STATES: [&str; 13] = [
    "new",
    "new-of-one",
    "idle",
    "refused-6",
    "asking-one",
    "asking",
    "asking-newer",
    "ixfr-notified",
    "ixfr-others",
    "axfr",
    "retransfer",
    "pending-notify",
    "pending-order",
];

const EVENTS: [&str; 23] = [
    "wake early",
    "wake",
    "notify 6",
    "notify 5",
    "notify 4",
    "notify -",
    "notify of another",
    "order refresh",
    "order retransfer",
    "soa 6 of 1",
    "soa 5 of 1",
    "soa 4 of 1",
    "no soa of 1",
    "soa of 0 again",
    "served 6",
    "not newer 5",
    "not newer 4",
    "ask whole",
    "faulty",
    "unreachable",
    "not begun",
    "refused 6",
    "not kept",
];

/// Applies an event; the time at which it came.
fn apply(it: &mut Refresh, event: &str, now: Now) -> (Option<Action>, Now) {
    let due = it.due().map_or(now, |due| later(now, (due - now.instant).as_secs_f64()));
    let action = match event {
        "wake early" => it.wake(Now { instant: now.instant - Duration::from_secs(1), ..now }),
        "wake" => return (it.wake(due), due),
        "notify 6" => it.notified(Some(0), Some(Serial(6))),
        "notify 5" => it.notified(Some(0), Some(Serial(5))),
        "notify 4" => it.notified(Some(0), Some(Serial(4))),
        "notify -" => it.notified(Some(0), None),
        "notify of another" => it.notified(None, Some(Serial(6))),
        "order refresh" => it.ordered(Order::Refresh),
        "order retransfer" => it.ordered(Order::Retransfer),
        "soa 6 of 1" => it.answered(now, 1, Some(soa(6))),
        "soa 5 of 1" => it.answered(now, 1, Some(soa(5))),
        "soa 4 of 1" => it.answered(now, 1, Some(soa(4))),
        "no soa of 1" => it.answered(now, 1, None),
        "soa of 0 again" => it.answered(now, 0, Some(soa(6))),
        "served 6" => it.transferred(now, Transferred::Served(soa(6))),
        "not newer 5" => it.transferred(now, Transferred::NotNewer(soa(5))),
        "not newer 4" => it.transferred(now, Transferred::NotNewer(soa(4))),
        "ask whole" => it.transferred(now, Transferred::AskWhole),
        "faulty" => it.transferred(now, Transferred::Faulty),
        "unreachable" => it.transferred(now, Transferred::Unreachable),
        "not begun" => it.transferred(now, Transferred::NotBegun),
        "refused 6" => it.transferred(now, Transferred::Refused(Serial(6))),
        "not kept" => it.transferred(now, Transferred::NotKept),
        other => panic!("no event {other}"),
    };
    (action, now)
}

/// The pause that the jitter was taken from.
fn pause(it: &Refresh, now: Now) -> String {
    let Some(due) = it.due() else { return "-".into() };
    let wait = due.saturating_duration_since(now.instant).as_secs_f64();
    let is_of = |whole: &f64| (0.9 * whole - 0.001..=whole + 0.001).contains(&wait);
    let whole = [0.0, 0.5, 1.0, 2.0, 30.0, 100.0, 200.0, 400.0, 1000.0].into_iter().find(is_of);
    whole.map_or_else(|| format!("?{wait}"), |whole| format!("{whole}"))
}

fn show(it: &Refresh, action: Option<&Action>, now: Now) -> String {
    let action = match action {
        None => "-".into(),
        Some(Action::AskSoa(primaries)) => format!("ask {primaries:?}"),
        Some(Action::Transfer { primary, from: Some(from), .. }) => format!("ixfr {primary} from {from}"),
        Some(Action::Transfer { primary, from: None, force: Force::No }) => format!("axfr {primary}"),
        Some(Action::Transfer { primary, from: None, force: Force::Anew }) => format!("axfr {primary} anew"),
        Some(Action::Transfer { primary, from: None, force: Force::Forked }) => {
            format!("axfr {primary} forked")
        }
        Some(Action::Transfer { primary, from: None, force: Force::Order }) => {
            format!("forced axfr {primary}")
        }
    };
    let status = it.status(now);
    let phase = match status.phase {
        Phase::Idle => "idle",
        Phase::Asking => "asking",
        Phase::Transferring { whole: false, .. } => "ixfr",
        Phase::Transferring { whole: true, .. } => "axfr",
    };
    let number = |serial: Option<Serial>| serial.map_or("-".into(), |serial| serial.to_string());
    let behind = status.behind.map_or("-".into(), |behind| format!("{}@{}", behind.serial, behind.primary));
    format!(
        "{action} | {phase} | wait {} | serial {} failures {} behind {behind} refused {}",
        pause(it, now),
        number(status.serial),
        status.failures,
        number(status.refused)
    )
}

#[test]
fn the_whole_table() {
    let mut table = String::new();
    for name in STATES {
        for event in EVENTS {
            let now = start();
            let mut it = state(name, now);
            let (action, now) = apply(&mut it, event, now);
            writeln!(table, "{name}: {event} -> {}", show(&it, action.as_ref(), now)).unwrap();
        }
    }
    let expected = include_str!("refresh_table.txt");
    let differs = table.lines().zip(expected.lines()).find(|(line, expected)| line != expected);
    assert!(table == expected, "first: {differs:?}; the whole table is now\n{table}");
}

#[test]
fn pauses_grow_and_never_past_refresh() {
    let mut now = start();
    let mut it = refresh(1, Some(5), now);
    let mut waits = Vec::new();
    for _ in 0..6 {
        assert_eq!(it.wake(now), Some(Action::AskSoa(vec![0])));
        it.answered(now, 0, None);
        waits.push(pause(&it, now));
        now = later(now, (it.due().unwrap() - now.instant).as_secs_f64());
    }
    // 100, 200, 400, 800, then REFRESH.
    assert_eq!(waits[..3], ["100", "200", "400"]);
    assert_eq!(waits[4..], ["1000", "1000"]);
    let status = it.status(now);
    assert_eq!(status.failing_since, Some(start().wall));
    let mut it = refresh(1, None, now);
    for _ in 0..40 {
        it.wake(now);
        it.transferred(now, Transferred::Unreachable);
        now = later(now, (it.due().unwrap() - now.instant).as_secs_f64());
    }
    let hour = Duration::from_secs(3600);
    assert!(it.save(now).failures == 40 && it.due().unwrap() - now.instant <= hour);
}

#[test]
fn a_version_expires_when_nobody_confirms_it_and_a_restart_does_not_make_it_younger() {
    let now = start();
    let mut it = refresh(1, Some(5), now);
    it.wake(now);
    it.answered(now, 0, Some(soa(5)));
    assert!(!it.is_expired(later(now, 9_999.0)) && it.is_expired(later(now, 10_000.0)));
    let saved = it.save(now);
    // Down for 9,000 s: 1,000 are left, and the next look is overdue.
    let again = later(now, 9_000.0);
    let restored =
        |saved, now| Refresh::new(Bounds::default(), 1, Some(soa(5)), Some(saved), now, fastrand::Rng::new());
    let it = restored(saved, again);
    let spread = it.due().unwrap() - again.instant;
    assert!(spread <= Duration::from_secs(30), "{spread:?}");
    assert_eq!(it.status(again).checked, Some(now.wall));
    assert!(!it.is_expired(later(again, 999.0)) && it.is_expired(later(again, 1_000.0)));
    assert!(restored(saved, later(now, 20_000.0)).is_expired(later(now, 20_000.0)));
    // Down for a second: NOTIFYs may have come, so it asks soon.
    let it = restored(saved, later(now, 1.0));
    let wait = it.due().unwrap() - later(now, 1.0).instant;
    assert!(wait <= Duration::from_secs(30), "{wait:?}");
    // What has expired does not wait for its turn among the others.
    let over = later(now, 20_000.0);
    assert_eq!(restored(saved, over).due(), Some(over.instant));
    // A clock that went back by years: as if no time had passed, and what has expired stays so.
    let back = Now { wall: SystemTime::UNIX_EPOCH, ..now };
    let wait = restored(saved, back).due().unwrap() - now.instant;
    assert!(wait <= Duration::from_secs(30), "{wait:?}");
    assert!(!restored(saved, back).is_expired(later(back, 9_000.0)));
    let it = restored(saved, later(now, 20_000.0));
    let expired = it.save(later(now, 20_000.0));
    assert_eq!(expired.saved - expired.checked.unwrap(), 20_000);
    assert!(restored(expired, back).is_expired(back));
    // Each restart adds nothing and takes nothing away.
    let at = later(now, 30_000.0);
    let again = restored(expired, at).save(at);
    assert_eq!(again.checked, expired.checked);
}

#[test]
fn a_version_that_no_primary_ever_confirmed_expires_by_the_time_since_it_counts_also_over_restarts() {
    let now = start();
    let mut it = refresh(1, Some(5), now);
    let mut at = now;
    for round in 1..=5 {
        at = later(now, f64::from(round) * 2_000.0);
        assert_eq!(it.is_expired(at), round == 5, "{round}");
        it.wake(at);
        it.answered(at, 0, None);
        // What is kept at each failure is not kept from then on.
        let saved = it.save(at);
        assert_eq!((saved.checked, saved.unconfirmed_since), (None, Some(1_800_000_000)), "{round}");
        it = Refresh::new(Bounds::default(), 1, Some(soa(5)), Some(saved), at, fastrand::Rng::new());
        let status = it.status(at);
        assert_eq!((it.is_expired(at), status.checked), (round == 5, None), "{round}");
        // Not since the restart.
        assert_eq!(status.failing_since, Some(now.wall + soa(5).refresh), "{round}");
    }
    // A clock that went back makes nothing younger.
    let saved = it.save(at);
    let back = Now { wall: SystemTime::UNIX_EPOCH, ..at };
    let restored =
        |saved, now| Refresh::new(Bounds::default(), 1, Some(soa(5)), Some(saved), now, fastrand::Rng::new());
    assert!(restored(saved, back).is_expired(back));
    // What a build kept that did not know of it counts from when it was kept.
    let older = Saved { unconfirmed_since: None, ..saved };
    let it = restored(older, at);
    assert!(!it.is_expired(later(at, 9_999.0)) && it.is_expired(later(at, 10_000.0)));
    // Once a primary has confirmed it, that counts.
    let mut it = restored(saved, at);
    it.wake(at);
    it.answered(at, 0, Some(soa(5)));
    assert_eq!((it.save(at).checked, it.save(at).unconfirmed_since), (Some(1_800_010_000), None));
    assert!(!it.is_expired(at));
}

#[test]
fn a_version_is_stale_once_refresh_is_over_and_nobody_was_reached() {
    let now = start();
    let mut it = refresh(1, Some(5), now);
    it.wake(now);
    it.answered(now, 0, Some(soa(5)));
    let due = later(now, (it.due().unwrap() - now.instant).as_secs_f64());
    assert!(it.wake(due).is_some());
    it.answered(due, 0, None);
    assert_eq!(it.status(due).stale_since, None, "REFRESH is not over");
    let over = later(now, 1_500.0);
    assert_eq!(it.status(over).stale_since, Some(later(now, 1_000.0).wall));
    it.wake(over);
    it.answered(over, 0, Some(soa(5)));
    assert_eq!(it.status(later(over, 5_000.0)).stale_since, None, "nobody has failed to answer");
}

#[test]
fn what_is_served_without_a_known_age_expires_too_and_a_short_expire_is_none() {
    let now = start();
    let it = refresh(1, Some(5), now);
    assert!(!it.is_expired(later(now, 9_999.0)) && it.is_expired(later(now, 10_000.0)));
    let mut it = refresh(1, None, now);
    assert_eq!(it.expires(), None);
    it.serves(now, Some(Soa { expire: Duration::ZERO, ..soa(5) }));
    assert!(!it.is_expired(later(now, 1_099.0)) && it.is_expired(later(now, 1_100.0)));
    it.serves(now, None);
    assert!(!it.is_expired(later(now, 1_100.0)));
}

#[test]
fn refresh_has_bounds() {
    let now = start();
    for (asked, counted) in [(0, 2), (u32::MAX, 86_400)] {
        let mut it = refresh(1, Some(5), now);
        it.wake(now);
        it.serves(now, Some(Soa { refresh: Duration::from_secs(asked.into()), ..soa(5) }));
        it.answered(now, 0, Some(soa(5)));
        let wait = (it.due().unwrap() - now.instant).as_secs_f64();
        assert!((0.9 * f64::from(counted)..=f64::from(counted)).contains(&wait), "{wait}");
    }
}

proptest! {
    /// Whatever comes: one thing at a time, always a next time, never a version that was refused, unless ordered.
    #[test]
    fn random_walks_never_get_stuck(primaries in 1..4_usize, steps in prop::collection::vec((0..EVENTS.len(), any::<bool>()), 1..200)) {
        let mut now = start();
        let mut it = refresh(primaries, Some(5), now);
        let mut ordered = false;
        for (event, wait) in steps {
            let before = it.status(now);
            let event = EVENTS[event];
            ordered |= event.starts_with("order");
            let (action, at) = apply(&mut it, event, now);
            now = if wait { later(at, 1.0) } else { at };
            let status = it.status(now);
            match (&action, status.phase) {
                (Some(Action::AskSoa(asked)), Phase::Asking) => prop_assert!(!asked.is_empty()),
                (Some(Action::Transfer { primary, from, .. }), Phase::Transferring { primary: other, whole }) => {
                    prop_assert_eq!((*primary, from.is_none()), (other, whole));
                    prop_assert!(from.is_none() || *from == status.serial);
                    let refused = status.refused.is_some() && status.seen[*primary] == status.refused;
                    prop_assert!(!refused || ordered || before.phase != Phase::Asking);
                }
                (Some(_), phase) => prop_assert!(false, "{action:?} in {phase:?}"),
                (None, Phase::Idle) => prop_assert!(it.due().is_some()),
                (None, _) => prop_assert!(before.phase != Phase::Idle, "busy without an action"),
            }
            if status.phase == Phase::Idle {
                prop_assert!(it.due().unwrap() <= now.instant + Duration::from_secs(3600));
            }
        }
    }
}
