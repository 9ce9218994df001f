//! What one primary, or a NOTIFY that may be spoofed, cannot do to the others; and what a version that is refused means.

use super::tests::{later, refresh, soa, start};
use super::*;
use std::time::Duration;

/// Two primaries with what is served, just asked.
fn idle(now: Now) -> Refresh {
    let mut it = refresh(2, Some(5), now);
    it.wake(now);
    it.answered(now, 0, Some(soa(5)));
    assert_eq!(it.answered(now, 1, Some(soa(5))), None);
    it
}

fn ask(primaries: &[usize]) -> Option<Action> {
    Some(Action::AskSoa(primaries.to_vec()))
}

fn ixfr(primary: usize, from: u32) -> Option<Action> {
    Some(Action::Transfer { primary, from: Some(Serial(from)), force: Force::No })
}

fn axfr(primary: usize) -> Option<Action> {
    Some(Action::Transfer { primary, from: None, force: Force::No })
}

#[test]
fn a_notify_of_a_dead_primary_has_the_others_asked_and_puts_nothing_off() {
    let now = start();
    for hint in [None, Some(Serial(4))] {
        let mut it = idle(now);
        assert_eq!(it.notified(Some(0), hint), ask(&[0]));
        assert_eq!(it.answered(now, 0, None), ask(&[1]));
        assert_eq!(it.answered(now, 1, Some(soa(6))), ixfr(1, 5));
        assert_eq!(it.transferred(now, Transferred::Served(soa(6))), None);
        assert_eq!((it.status(now).serial, it.status(now).failures), (Some(Serial(6)), 0));
    }
    // None of them answers: RETRY once, and however often it is repeated, that stays the next time.
    let mut it = idle(now);
    let mut first = None;
    for second in 0..50 {
        let now = later(now, second.into());
        it.notified(Some(0), None);
        it.answered(now, 0, None);
        it.answered(now, 1, None);
        let due = it.due().unwrap();
        assert!(due <= *first.get_or_insert(due) && due <= now.instant + Duration::from_secs(100));
        assert_eq!(it.status(now).failures, 1);
    }
}

#[test]
fn a_primary_that_has_what_is_served_does_not_keep_the_others_from_being_asked() {
    let mut now = start();
    let mut it = idle(now);
    // The others are asked when it is looked once more after a NOTIFY that brought nothing.
    let due = now.instant + Bounds::default().after_notify;
    // Again and again, without end, and while it is being asked.
    assert_eq!(it.notified(Some(0), None), ask(&[0]));
    for hint in [None, Some(Serial(6)), None, None] {
        it.notified(Some(0), hint);
        let action = match it.status(now).phase {
            Phase::Asking => it.answered(now, 0, Some(soa(5))),
            _ => it.transferred(now, Transferred::NotNewer(soa(5))),
        };
        assert!(action.is_some() && it.status(now).phase != Phase::Idle);
    }
    while now.instant < due {
        assert_eq!(it.notified(Some(0), None), None);
        now = later(now, 3.0);
        let action = it.answered(now, 0, Some(soa(5)));
        assert_eq!(action, if now.instant < due { ask(&[0]) } else { ask(&[0, 1]) });
    }
    it.answered(now, 0, Some(soa(5)));
    assert_eq!(it.answered(now, 1, Some(soa(6))), ixfr(1, 5));
}

#[test]
fn a_notify_hides_no_other_one() {
    let now = start();
    // What came while something was under way, and what is done then.
    for (came, done) in [
        (vec![(1, Some(7)), (0, None)], ask(&[0, 1])),
        (vec![(1, Some(7)), (0, Some(6))], ask(&[0, 1])),
        (vec![(0, Some(7)), (0, Some(7))], ixfr(0, 6)),
        (vec![(0, Some(7)), (0, Some(6))], ask(&[0])),
        (vec![(0, Some(7)), (0, None)], ask(&[0])),
        (vec![(0, Some(7)), (0, Some(7 + (1 << 31)))], ask(&[0])),
        (vec![(0, Some(6)), (1, Some(6))], None),
    ] {
        let mut it = idle(now);
        assert_eq!(it.notified(Some(0), Some(Serial(6))), ixfr(0, 5));
        for (primary, hint) in &came {
            it.notified(Some(*primary), hint.map(Serial));
        }
        assert_eq!(it.transferred(now, Transferred::Served(soa(6))), done, "{came:?}");
    }
    let mut it = idle(now);
    it.notified(Some(0), None);
    for order in [Order::Retransfer, Order::Refresh] {
        it.ordered(order);
    }
    assert_eq!(it.answered(now, 0, Some(soa(5))), ask(&[0, 1]));
    it.answered(now, 0, Some(soa(5)));
    let forced = Action::Transfer { primary: 0, from: None, force: Force::Order };
    assert_eq!(it.answered(now, 1, None), Some(forced));
}

#[test]
fn no_serial_went_backwards_while_another_primary_has_the_served_one() {
    let now = start();
    let mut it = idle(now);
    assert_eq!(it.notified(Some(1), Some(Serial(4))), ask(&[1]));
    assert_eq!(it.answered(now, 1, Some(soa(4))), ask(&[0]));
    assert_eq!(it.answered(now, 0, Some(soa(5))), None);
    assert_eq!((it.status(now).behind, it.status(now).failures), (None, 0));
    // The same where it is asked for the difference at once, because its NOTIFY names a newer one. It has told nothing before.
    let mut it = refresh(2, Some(5), now);
    it.wake(now);
    it.answered(now, 0, Some(soa(5)));
    it.answered(now, 1, None);
    it.notified(Some(1), Some(Serial(6)));
    assert_eq!(it.transferred(now, Transferred::NotNewer(soa(4))), ask(&[0, 1]));
    assert_eq!(it.status(now).behind, None);
    it.answered(now, 0, Some(soa(4)));
    it.answered(now, 1, Some(soa(4)));
    assert_eq!(it.status(now).behind, Some(Behind { primary: 0, serial: Serial(4), is_proven: true }));
}

#[test]
fn an_empty_zone_whose_only_version_is_refused_is_not_behind_and_is_not_transferred_again() {
    let mut now = start();
    let mut it = refresh(1, None, now);
    assert_eq!(it.wake(now), axfr(0));
    it.transferred(now, Transferred::Refused(Serial(6)));
    for _ in 0..5 {
        now = later(now, 3600.0);
        assert_eq!(it.wake(now), ask(&[0]));
        assert_eq!(it.answered(now, 0, Some(soa(6))), None);
        let status = it.status(now);
        assert_eq!((status.behind, status.refused), (None, Some(Serial(6))));
        assert_eq!(status.refused_since, Some(start().wall));
    }
    // Nor because a NOTIFY says so, which anybody can send.
    assert_eq!(it.notified(Some(0), Some(Serial(9))), ask(&[0]));
    assert_eq!(it.answered(now, 0, Some(soa(6))), None);
    // Another one is, and an order has the same one judged again.
    assert_eq!(it.notified(Some(0), Some(Serial(7))), ask(&[0]));
    assert_eq!(it.answered(now, 0, Some(soa(7))), axfr(0));
    it.transferred(now, Transferred::Refused(Serial(7)));
    assert_eq!(it.ordered(Order::Refresh), axfr(0));
}

#[test]
fn two_primaries_with_versions_that_are_refused_are_not_asked_for_them_in_turn() {
    let now = start();
    let mut it = refresh(2, Some(5), now);
    it.wake(now);
    it.answered(now, 0, Some(soa(6)));
    assert_eq!(it.answered(now, 1, Some(soa(7))), ixfr(1, 5));
    assert_eq!(it.transferred(now, Transferred::Refused(Serial(7))), ixfr(0, 5));
    assert_eq!(it.transferred(now, Transferred::Refused(Serial(6))), None);
    let now = later(now, 3600.0);
    assert_eq!(it.wake(now), ask(&[0, 1]));
    it.answered(now, 0, Some(soa(6)));
    assert_eq!(it.answered(now, 1, Some(soa(7))), None);
    // What is served by another way is something else to judge them by.
    it.serves(now, Some(soa(6)));
    assert_eq!((it.status(now).refused, it.status(now).refused_since), (None, None));
}

#[test]
fn a_primary_with_a_version_that_is_refused_keeps_the_zone_from_being_stale_and_from_expiring() {
    // Every 1,000 s at the latest, for ten times EXPIRE.
    let mut now = start();
    let mut it = refresh(1, Some(5), now);
    let end = later(now, 100_000.0);
    while now.instant < end.instant {
        let action = it.wake(now);
        let action = match action {
            Some(Action::AskSoa(_)) => it.answered(now, 0, Some(soa(6))),
            other => other,
        };
        if action == ixfr(0, 5) {
            assert_eq!(it.transferred(now, Transferred::Refused(Serial(6))), None);
        }
        let status = it.status(now);
        assert!(!it.is_expired(now) && status.stale_since.is_none() && status.failures > 0);
        assert_eq!(status.checked, Some(now.wall));
        now = later(now, (it.due().unwrap() - now.instant).as_secs_f64());
    }
    // It is not reached any more.
    it.wake(now);
    it.answered(now, 0, None);
    assert!(it.is_expired(later(now, 10_000.0)));
}

/// Who does not know what is served says nothing of it: neither alone, nor for one that is silent, nor by the end of a transfer.
#[test]
fn a_primary_that_lags_does_not_put_off_the_expiry() {
    for primaries in [1, 2] {
        let begun = start();
        let mut it = refresh(primaries, Some(5), begun);
        let expires = it.status(begun).expires;
        let mut now = begun;
        while !it.is_expired(now) {
            let mut action = it.wake(now);
            while let Some(Action::AskSoa(asked)) = action.take() {
                for primary in asked {
                    let told = (primary == 0).then(|| soa(4));
                    action = it.answered(now, primary, told);
                }
            }
            assert_eq!(it.status(now).expires, expires);
            assert!(it.status(now).failures > 0 && it.status(now).behind.is_some());
            now = later(now, (it.due().unwrap() - now.instant).as_secs_f64());
        }
        assert_eq!(it.status(now).checked, None);
        // The other one has it, or this one has its serial again: then it may be another version, and comes whole.
        it.ordered(Order::Refresh);
        let mut action = None;
        for primary in 0..primaries {
            action = it.answered(now, primary, Some(soa(if primary + 1 == primaries { 5 } else { 4 })));
        }
        if primaries == 1 {
            let whole = Action::Transfer { primary: 0, from: None, force: Force::Forked };
            assert_eq!(action, Some(whole));
            it.transferred(now, Transferred::Served(soa(5)));
        }
        assert!(!it.is_expired(now) && it.status(now).behind.is_none());
    }
    let now = start();
    let mut it = refresh(1, Some(5), now);
    it.notified(Some(0), Some(Serial(6)));
    it.transferred(now, Transferred::NotNewer(soa(4)));
    it.answered(now, 0, None);
    assert_eq!(it.status(now).checked, None);
}

#[test]
fn a_version_that_does_not_come_does_not_put_off_the_expiry_and_one_that_is_not_kept_here_does() {
    for (end, is_expired) in [
        (Transferred::Unreachable, true),
        (Transferred::Faulty, true),
        (Transferred::AskWhole, true),
        (Transferred::NotKept, false),
    ] {
        let mut now = start();
        let mut it = refresh(1, Some(5), now);
        for _ in 0..20 {
            it.wake(now);
            it.answered(now, 0, Some(soa(6)));
            while it.transferred(now, end).is_some() {}
            now = later(now, (it.due().unwrap() - now.instant).as_secs_f64());
        }
        assert!(now.instant > later(start(), 10_000.0).instant);
        assert_eq!(it.is_expired(now), is_expired, "{end:?}");
    }
}

#[test]
fn an_order_whose_transfer_was_not_begun_stays_one_until_it_was() {
    let mut now = start();
    let mut it = idle(now);
    let forced = |primary| Some(Action::Transfer { primary, from: None, force: Force::Order });
    it.ordered(Order::Retransfer);
    it.answered(now, 0, Some(soa(5)));
    assert_eq!(it.answered(now, 1, Some(soa(5))), forced(0));
    assert_eq!(it.transferred(now, Transferred::NotBegun), forced(1));
    assert_eq!(it.transferred(now, Transferred::Unreachable), None);
    let mut round = |ends: [Transferred; 2]| {
        now = later(now, (it.due().unwrap() - now.instant).as_secs_f64());
        assert_eq!(it.wake(now), ask(&[0, 1]));
        it.answered(now, 0, Some(soa(5)));
        let first = it.answered(now, 1, Some(soa(5)));
        ends.into_iter().for_each(|end| drop(it.transferred(now, end)));
        first
    };
    // It was tried by nobody but one, so it goes on; when both were, it is over.
    assert_eq!(round([Transferred::Unreachable, Transferred::NotBegun]), forced(0));
    assert_eq!(round([Transferred::Unreachable, Transferred::Unreachable]), forced(0));
    assert_eq!(round([Transferred::Unreachable, Transferred::Unreachable]), None);
}

#[test]
fn a_zone_that_is_listed_again_comes_whole_whatever_its_serial_and_not_by_an_order() {
    let anew = Some(Action::Transfer { primary: 0, from: None, force: Force::Anew });
    for told in [4, 5, 6] {
        let mut now = start();
        let mut it = refresh(2, Some(5), now);
        it.set_listed_again(now);
        let mut round = |it: &mut Refresh, other: Option<Soa>| {
            now = later(now, (it.due().unwrap() - now.instant).as_secs_f64());
            assert_eq!(it.wake(now), ask(&[0, 1]));
            it.answered(now, 0, Some(soa(told)));
            (it.answered(now, 1, other), now)
        };
        // The other one may have what is served still: no older serial is taken before both have answered.
        let (action, _) = round(&mut it, None);
        let is_taken = told != 4;
        assert_eq!(action, anew.clone().filter(|_| is_taken), "{told}");
        if is_taken {
            it.transferred(later(start(), 1.0), Transferred::Unreachable);
        }
        let (action, at) = round(&mut it, Some(soa(told)));
        assert_eq!(action, anew, "{told}");
        // What the rules for a first version refuse is not asked for again.
        if it.transferred(at, Transferred::Refused(Serial(told))).is_some() {
            it.transferred(at, Transferred::Refused(Serial(told)));
        }
        assert_eq!(it.status(at).phase, Phase::Idle, "{told}");
        assert_eq!(round(&mut it, Some(soa(told))).0, None, "{told}");
    }
    // It is asked at once, not within the time over which a start spreads the zones.
    let saved =
        Saved { checked: Some(1_800_000_000), due: 1_800_001_000, saved: 1_800_000_000, ..Saved::default() };
    let rng = fastrand::Rng::with_seed(1);
    let now = start();
    let mut kept = Refresh::new(Bounds::default(), 1, Some(soa(5)), Some(saved), now, rng);
    assert_eq!(kept.wake(now), None);
    kept.set_listed_again(now);
    assert_eq!(kept.wake(now), ask(&[0]));
    // A NOTIFY has the others asked first, too; when the zone has come all is as it was.
    let now = start();
    let mut it = refresh(1, Some(5), now);
    it.set_listed_again(now);
    assert_eq!(it.notified(Some(0), Some(Serial(6))), ask(&[0]));
    assert_eq!(it.answered(now, 0, Some(soa(3))), anew);
    assert_eq!(it.transferred(now, Transferred::Served(soa(3))), None);
    assert_eq!(it.notified(Some(0), Some(Serial(4))), ixfr(0, 3));
}

#[test]
fn a_primary_that_is_silent_for_expire_is_told_although_another_one_confirms_the_zone() {
    let begun = start();
    let mut now = begun;
    let mut it = refresh(2, Some(5), now);
    let mut round = |it: &mut Refresh, hub: Option<Soa>| {
        now = later(now, it.due().unwrap().saturating_duration_since(now.instant).as_secs_f64());
        assert!(it.wake(now).is_some());
        it.answered(now, 0, hub);
        it.answered(now, 1, Some(soa(5)));
        now
    };
    assert_eq!(round(&mut it, None), begun);
    loop {
        let now = round(&mut it, None);
        let status = it.status(now);
        assert_eq!((status.stale_since, it.is_expired(now)), (None, false));
        // EXPIRE is 10,000 s.
        let is_told = now.instant >= begun.instant + Duration::from_secs(10_000);
        assert_eq!(status.silent, is_told.then_some((0, begun.wall)));
        if is_told {
            break;
        }
    }
    let now = round(&mut it, Some(soa(5)));
    assert_eq!(it.status(now).silent, None);
}

#[test]
fn a_primary_that_is_back_is_asked_soon_and_nothing_is_put_off() {
    let now = start();
    let mut it = refresh(1, None, now);
    for _ in 0..20 {
        it.wake(later(now, 1e6));
        it.transferred(now, Transferred::NotBegun);
    }
    assert!(it.due().unwrap() > later(now, 100.0).instant);
    it.wake_soon(now);
    let due = it.due().unwrap();
    assert!(due <= later(now, 30.0).instant);
    it.wake_soon(later(now, 1000.0));
    assert_eq!(it.due(), Some(due));
}

/// A member of a catalog that is not configured any more.
#[test]
fn a_zone_without_primaries_gets_older_and_expires() {
    let now = start();
    let mut it = refresh(0, Some(5), now);
    for action in [it.wake(now), it.ordered(Order::Retransfer), it.notified(None, Some(Serial(6)))] {
        assert_eq!(action, None);
    }
    assert!(it.is_tried() && it.due().is_some_and(|due| due > now.instant), "it does not spin");
    let stale = later(now, 2_000.0);
    assert_eq!(it.wake(stale), None);
    assert!(it.status(stale).stale_since.is_some() && !it.is_expired(stale));
    let expired = later(now, 10_001.0);
    assert_eq!(it.wake(expired), None);
    assert!(it.is_expired(expired));
    // It has one again.
    it.change_primaries(1, expired);
    assert_eq!(it.wake(expired), ask(&[0]));
}
