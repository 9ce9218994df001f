//! NOTIFYs that tell what is not there, primaries that contradict themselves or lag behind, and bounds of what they ask for.

use super::tests::{later, refresh, soa, start};
use super::*;
use std::time::Duration;

use crate::wire::Serial;

const HALF_A_MINUTE: Duration = Duration::from_secs(30);

/// All of so many primaries have serial 5, which is served.
fn idle(primaries: usize, now: Now) -> Refresh {
    let mut it = refresh(primaries, Some(5), now);
    it.wake(now);
    (0..primaries).for_each(|primary| drop(it.answered(now, primary, Some(soa(5)))));
    assert_eq!((it.status(now).phase, it.status(now).failures), (Phase::Idle, 0));
    it
}

fn ask(primaries: &[usize]) -> Option<Action> {
    Some(Action::AskSoa(primaries.to_vec()))
}

fn ixfr(primary: usize) -> Option<Action> {
    Some(Action::Transfer { primary, from: Some(Serial(5)), force: Force::No })
}

/// The time of its next look.
fn due(it: &Refresh, now: Now) -> Now {
    later(now, (it.due().unwrap() - now.instant).as_secs_f64())
}

#[test]
fn a_notify_that_finds_nothing_newer_has_the_primary_asked_once_more() {
    let now = start();
    let mut it = idle(1, now);
    // The answer comes from a cache before the primary.
    assert_eq!(it.notified(Some(0), None), ask(&[0]));
    assert_eq!(it.answered(now, 0, Some(soa(5))), None);
    assert_eq!(it.due(), Some(now.instant + HALF_A_MINUTE));
    let now = due(&it, now);
    assert_eq!(it.wake(now), ask(&[0]));
    assert_eq!(it.answered(now, 0, Some(soa(6))), ixfr(0));
    it.transferred(now, Transferred::Served(soa(6)));
    assert!(it.due().unwrap() - now.instant >= Duration::from_secs(900));
    // Once only; and not where it tells of nothing newer.
    for hint in [None, Some(Serial(4))] {
        it.notified(Some(0), hint);
        it.answered(now, 0, Some(soa(6)));
        if hint.is_none() {
            let now = due(&it, now);
            it.wake(now);
            it.answered(now, 0, Some(soa(6)));
        }
        assert!(it.due().unwrap() - now.instant >= Duration::from_secs(900), "{hint:?}");
    }
}

#[test]
fn after_a_false_notify_the_primary_is_asked_before_a_transfer_begins() {
    let now = start();
    let mut it = idle(1, now);
    assert_eq!(it.notified(Some(0), Some(Serial(6))), ixfr(0));
    assert_eq!(it.transferred(now, Transferred::NotNewer(soa(5))), None);
    assert_eq!(it.due(), Some(now.instant + HALF_A_MINUTE));
    for serial in 7..20 {
        assert_eq!(it.notified(Some(0), Some(Serial(serial))), ask(&[0]));
        assert_eq!(it.answered(now, 0, Some(soa(5))), None);
    }
    // A version that comes is a reason to believe the next one.
    it.notified(Some(0), Some(Serial(20)));
    assert_eq!(it.answered(now, 0, Some(soa(6))), ixfr(0));
    it.transferred(now, Transferred::Served(soa(6)));
    let from = Some(Serial(6));
    let expected = Action::Transfer { primary: 0, from, force: Force::No };
    assert_eq!(it.notified(Some(0), Some(Serial(7))), Some(expected));
}

#[test]
fn a_primary_that_tells_of_a_newer_version_and_sends_the_served_one_confirms_nothing() {
    let mut now = start();
    let mut it = idle(1, now);
    let first = now;
    while !it.is_expired(now) {
        assert!(now.instant <= later(first, 12_000.0).instant, "its expiry is put off");
        now = due(&it, now);
        assert_eq!(it.wake(now), ask(&[0]));
        assert_eq!(it.answered(now, 0, Some(soa(6))), ixfr(0));
        assert_eq!(it.transferred(now, Transferred::NotNewer(soa(5))), None);
        let status = it.status(now);
        assert!(status.failures > 0 && status.checked == Some(first.wall), "{status:?}");
        assert_eq!(status.seen, [Some(Serial(6))]);
    }
}

#[test]
fn a_serial_went_backwards_only_where_a_primary_had_a_newer_one_or_all_answer() {
    let now = start();
    let behind = |it: &Refresh| it.status(now).behind.map(|behind| (behind.serial.0, behind.is_proven));
    // The one lags, the other, which had what is served, is silent.
    let mut it = refresh(2, Some(5), now);
    it.wake(now);
    it.answered(now, 0, None);
    assert_eq!(it.answered(now, 1, Some(soa(4))), None);
    assert_eq!(behind(&it), Some((4, false)));
    // It had that itself.
    let mut it = idle(2, now);
    it.ordered(Order::Refresh);
    it.answered(now, 0, None);
    it.answered(now, 1, Some(soa(4)));
    assert_eq!(behind(&it), Some((4, true)));
    // All answer, and none has it.
    let mut it = refresh(2, Some(5), now);
    it.wake(now);
    it.answered(now, 0, Some(soa(3)));
    it.answered(now, 1, Some(soa(4)));
    assert_eq!(behind(&it), Some((3, true)));
}

#[test]
fn a_retry_of_many_years_does_not_put_off_the_expiry() {
    let now = start();
    let seconds = Duration::from_secs;
    let huge = Soa { retry: seconds(u32::MAX.into()), expire: seconds(86_400), ..soa(5) };
    let rng = fastrand::Rng::with_seed(1);
    let it = Refresh::new(Bounds::default(), 1, Some(huge), None, now, rng);
    assert!(it.is_expired(later(now, 86_400.0)));
}

#[test]
fn a_refused_version_that_no_primary_has_any_more_is_not_told() {
    let now = start();
    let mut it = idle(1, now);
    it.notified(Some(0), Some(Serial(6)));
    it.transferred(now, Transferred::Refused(Serial(6)));
    it.answered(now, 0, Some(soa(6)));
    assert_eq!(it.status(now).refused, Some(Serial(6)));
    it.ordered(Order::Refresh);
    it.answered(now, 0, Some(soa(6)));
    it.transferred(now, Transferred::Refused(Serial(6)));
    let now = due(&it, now);
    it.wake(now);
    it.answered(now, 0, Some(soa(5)));
    let status = it.status(now);
    assert_eq!((status.refused, status.refused_since, status.failures), (None, None, 0));
}

#[test]
fn a_later_serial_that_was_told_is_looked_for_once_more_when_an_older_version_comes() {
    let now = start();
    // A hidden primary tells of it, or one of several servers behind the address of the primary.
    for primary in [None, Some(0)] {
        let mut it = idle(1, now);
        if it.notified(primary, Some(Serial(7))) == ask(&[0]) {
            assert_eq!(it.answered(now, 0, Some(soa(6))), ixfr(0));
        }
        it.transferred(now, Transferred::Served(soa(6)));
        assert_eq!(it.due(), Some(now.instant + HALF_A_MINUTE), "{primary:?}");
        let now = due(&it, now);
        assert_eq!(it.wake(now), ask(&[0]));
        it.answered(now, 0, Some(soa(6)));
        assert!(it.due().unwrap() - now.instant >= Duration::from_secs(900), "once only");
    }
}

/// What comes between a NOTIFY that tells of version 7 and its end, which is the time that is returned.
type Between = fn(&mut Refresh, Now) -> Now;

#[test]
fn a_serial_that_was_told_is_forgotten_by_nothing_that_comes_in_between() {
    let cases: [(&str, Between); 6] = [
        ("a round of the timer that brings an older version", |it, now| {
            let now = due(it, now);
            it.wake(now);
            it.notified(None, Some(Serial(7)));
            it.answered(now, 0, Some(soa(6)));
            assert_eq!(it.transferred(now, Transferred::Served(soa(6))), ask(&[0]));
            it.answered(now, 0, Some(soa(6)));
            now
        }),
        ("a NOTIFY of the version before it", |it, now| {
            it.notified(None, Some(Serial(7)));
            it.answered(now, 0, Some(soa(5)));
            let now = later(now, 10.0);
            assert_eq!(it.notified(Some(0), Some(Serial(6))), ixfr(0));
            it.transferred(now, Transferred::Served(soa(6)));
            now
        }),
        ("an order, before a NOTIFY without a serial is taken", |it, now| {
            it.ordered(Order::Refresh);
            it.notified(Some(0), None);
            it.ordered(Order::Refresh);
            assert_eq!(it.answered(now, 0, Some(soa(6))), ixfr(0));
            assert_eq!(it.transferred(now, Transferred::Served(soa(6))), ask(&[0]));
            it.answered(now, 0, Some(soa(6)));
            now
        }),
        ("a round that fails", |it, now| {
            it.notified(Some(0), Some(Serial(7)));
            assert_eq!(it.transferred(now, Transferred::Unreachable), ask(&[0]));
            it.answered(now, 0, None);
            let now = due(it, now);
            it.wake(now);
            it.answered(now, 0, Some(soa(5)));
            now
        }),
        ("the time of the timer", |it, now| {
            *it = idle(2, now);
            it.notified(Some(0), None);
            it.notified(Some(1), Some(Serial(7)));
            // It has come before the answer: all are asked.
            let now = later(now, 5_000.0);
            assert_eq!(it.answered(now, 0, Some(soa(5))), ask(&[0, 1]));
            it.answered(now, 0, Some(soa(5)));
            it.answered(now, 1, Some(soa(5)));
            now
        }),
        ("other primaries", |it, now| {
            it.notified(None, Some(Serial(7)));
            it.change_primaries(1, now);
            it.wake(now);
            it.answered(now, 0, Some(soa(5)));
            now
        }),
    ];
    for (case, between) in cases {
        let now = start();
        let mut it = idle(1, now);
        let now = between(&mut it, now);
        assert_eq!(it.status(now).phase, Phase::Idle, "{case}");
        assert!(it.due().unwrap() <= now.instant + HALF_A_MINUTE, "{case}");
        let (now, status) = (due(&it, now), it.status(now));
        assert!(matches!(it.wake(now), Some(Action::AskSoa(_))), "{case}");
        for primary in 0..status.seen.len() {
            it.answered(now, primary, Some(soa(status.serial.unwrap().0)));
        }
        assert!(it.due().unwrap() - now.instant >= Duration::from_secs(900), "{case}: once only");
    }
}

#[test]
fn a_notify_of_a_primary_that_is_not_in_the_list_has_all_asked() {
    let now = start();
    for hint in [None, Some(Serial(6))] {
        let mut it = idle(2, now);
        assert_eq!(it.notified(Some(2), hint), ask(&[0, 1]), "{hint:?}");
        // Also where it waits for the end of a round.
        it.notified(Some(9), hint);
        it.answered(now, 0, Some(soa(5)));
        assert_eq!(it.answered(now, 1, Some(soa(5))), ask(&[0, 1]), "{hint:?}");
    }
}
