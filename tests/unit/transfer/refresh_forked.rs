//! A primary whose serial went backwards: what is served is not in its history, whatever serials follow there.

use super::tests::{later, refresh, soa, start};
use super::*;
use std::time::Duration;

const FORKED: Option<Action> = Some(Action::Transfer { primary: 0, from: None, force: Force::Forked });

fn ixfr(primary: usize, from: u32) -> Option<Action> {
    Some(Action::Transfer { primary, from: Some(Serial(from)), force: Force::No })
}

/// The answers of a round that the timer begins.
fn round(it: &mut Refresh, now: Now, serials: &[Option<u32>]) -> Option<Action> {
    let due =
        it.due().map_or(now, |due| later(now, due.saturating_duration_since(now.instant).as_secs_f64()));
    assert!(it.wake(due).is_some(), "a round begins");
    let mut action = None;
    for (primary, serial) in serials.iter().enumerate() {
        action = it.answered(due, primary, serial.map(soa));
    }
    action
}

/// Serial 5 is served, and the only primary has 3.
fn fallen(now: Now) -> Refresh {
    let mut it = refresh(1, Some(5), now);
    assert_eq!(round(&mut it, now, &[Some(3)]), None);
    it
}

fn behind(it: &Refresh, now: Now) -> Option<u32> {
    it.status(now).behind.filter(|behind| behind.is_proven).map(|behind| behind.serial.0)
}

#[test]
fn the_version_that_reaches_the_served_serial_again_comes_whole_and_the_alarm_stays_until_then() {
    let now = start();
    for reached in [5, 6] {
        let mut it = fallen(now);
        assert_eq!((round(&mut it, now, &[Some(4)]), behind(&it, now)), (None, Some(4)));
        assert_eq!((round(&mut it, now, &[None]), behind(&it, now)), (None, Some(4)));
        assert_eq!(round(&mut it, now, &[Some(reached)]), FORKED);
        assert_eq!(it.transferred(now, Transferred::Unreachable), None);
        assert_eq!(behind(&it, now), Some(reached));
        assert_eq!(round(&mut it, now, &[Some(reached)]), FORKED);
        assert_eq!(it.transferred(now, Transferred::Served(soa(reached))), None);
        assert_eq!(behind(&it, now), None);
        assert_eq!(round(&mut it, now, &[Some(7)]), ixfr(0, reached), "as ever");
    }
}

#[test]
fn what_is_refused_of_it_is_no_confirmation() {
    let now = start();
    let mut it = fallen(now);
    assert_eq!(round(&mut it, now, &[Some(5)]), FORKED);
    assert_eq!(it.transferred(now, Transferred::Refused(Serial(5))), None);
    assert_eq!((round(&mut it, now, &[Some(5)]), behind(&it, now)), (None, Some(5)));
    assert!(it.is_failing());
}

#[test]
fn a_notify_begins_it_after_a_question() {
    let now = start();
    for hint in [5, 6] {
        let mut it = fallen(now);
        assert_eq!(it.notified(Some(0), Some(Serial(hint))), Some(Action::AskSoa(vec![0])));
        assert_eq!(it.answered(now, 0, Some(soa(hint))), FORKED);
        let mut it = fallen(now);
        assert_eq!(it.notified(None, Some(Serial(hint))), Some(Action::AskSoa(vec![0])));
    }
}

#[test]
fn it_is_so_after_a_restart_and_with_other_primaries() {
    let now = start();
    let it = fallen(now);
    let saved = it.save(now);
    assert_eq!(saved.forked, Some(3));
    let again = |primaries| {
        let rng = fastrand::Rng::with_seed(1);
        Refresh::new(Bounds::default(), primaries, Some(soa(5)), Some(saved), now, rng)
    };
    let mut restarted = again(1);
    assert_eq!(behind(&restarted, now), Some(3));
    assert_eq!(round(&mut restarted, now, &[Some(6)]), FORKED);
    restarted.transferred(now, Transferred::Served(soa(6)));
    assert_eq!(restarted.save(now).forked, None);
    let mut changed = fallen(now);
    changed.change_primaries(2, now);
    assert_eq!(behind(&changed, now), Some(3));
    assert_eq!(round(&mut changed, now, &[Some(5), None]), FORKED);
}

#[test]
fn one_that_was_put_back_is_known_although_another_primary_has_what_is_served() {
    let now = start();
    let fallen = || {
        let mut it = refresh(2, Some(5), now);
        assert_eq!(round(&mut it, now, &[Some(5), Some(5)]), None);
        assert_eq!((round(&mut it, now, &[Some(3), Some(5)]), behind(&it, now)), (None, None));
        it
    };
    // While it is behind, the other one goes on from what is served, which it is proven to have.
    let mut it = fallen();
    it.compared(it.comparison().unwrap(), Comparison::Same, now);
    assert_eq!(round(&mut it, now, &[Some(4), Some(6)]), ixfr(1, 5));
    let mut it = fallen();
    // Once it is back at the serial that is served, what both have under it, and after it, may be its versions.
    assert_eq!(round(&mut it, now, &[Some(5), Some(5)]), FORKED);
    assert_eq!(it.transferred(now, Transferred::Unreachable), None);
    assert_eq!(round(&mut it, now, &[Some(6), Some(6)]), FORKED);
    let other = Some(Action::Transfer { primary: 1, from: None, force: Force::Forked });
    assert_eq!(it.transferred(now, Transferred::Unreachable), other);
    it.transferred(now, Transferred::Served(soa(6)));
    // What is served is in the history of the one that gave it, and the other one may have other content under that serial.
    let whole = Some(Action::Transfer { primary: 0, from: None, force: Force::No });
    assert_eq!(round(&mut it.clone(), now, &[Some(7), None]), whole);
    assert_eq!(round(&mut it, now, &[None, Some(7)]), ixfr(1, 6));
}

#[test]
fn one_that_only_lags_is_not_transferred_whole() {
    let now = start();
    let mut it = refresh(2, Some(5), now);
    assert_eq!(round(&mut it, now, &[Some(4), None]), None);
    assert_eq!((behind(&it, now), it.save(now).forked), (None, None));
    let due = later(now, Duration::from_secs(2000).as_secs_f64());
    assert_eq!(round(&mut it, due, &[Some(6), None]), ixfr(0, 5));
}
