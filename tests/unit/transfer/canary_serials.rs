//! Versions with one serial: what a canary that tells the serial proves.

use std::time::{Duration, Instant};

use super::tests::{TIME, rules, serves};
use super::*;
use crate::wire::Serial;
use CanaryState::{Released, Trial};
use MemberHealth::NotTold;
use ReleaseReason::Proven;

/// A version with this serial that was accepted so many seconds after 1970.
fn version(serial: u32, accepted: u64) -> CanaryVersion {
    let accepted_at = Some(std::time::UNIX_EPOCH + Duration::from_secs(accepted));
    CanaryVersion { serial: Serial(serial), accepted_at }
}

/// A zone that went back reaches the released serial again with another content: it is on trial, and who told only this serial proves nothing.
#[test]
fn another_version_with_the_released_serial_is_on_trial_and_its_serial_proves_it_only_after_another_one() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    for [first, second] in [[4, 4], [4, 3], [3, 3]] {
        let mut zone =
            CanaryZone::new(rules(WhenUnreachable::Hold), 2, (version(4, 1), version(4, 1)), start);
        assert_eq!(zone.state(start), Released);
        zone.offered(version(3, 2), at(1));
        // One of them, or both, keep what they have.
        assert_eq!(zone.answered(0, (serves(first), NotTold), at(2)), None);
        assert_eq!(zone.answered(1, (serves(second), NotTold), at(2)), None);
        zone.offered(version(4, 3), at(3));
        assert_eq!((zone.state(at(3)), zone.released_version().is(version(4, 1))), (Trial, true));
        let mut proven = None;
        for second in [4, 4 + TIME] {
            for member in 0..2 {
                proven = zone.answered(member, (serves(4), NotTold), at(second));
            }
        }
        let release = CanaryOutcome::Release(Release { serial: Serial(4), reason: Proven });
        assert_eq!(proven, (first == 3 && second == 3).then_some(release), "they told {first} and {second}");
        // The same version again begins nothing; the one that is released ends it.
        let since = zone.since();
        zone.offered(version(4, 3), at(20));
        assert_eq!((zone.since(), zone.state(at(20))), (since, Trial));
        zone.offered(version(4, 1), at(21));
        assert_eq!(zone.state(at(21)), Released);
        // Where it is not known when a version was accepted, its serial counts.
        zone.offered(Serial(4), at(22));
        assert_eq!(zone.state(at(22)), Released);
    }
}

#[test]
fn an_earlier_version_of_a_trial_does_not_prove_another_one_with_its_serial() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut zone = CanaryZone::new(rules(WhenUnreachable::Hold), 1, (version(2, 1), version(4, 2)), start);
    assert_eq!(zone.answered(0, (serves(4), NotTold), at(1)), None);
    // The zone went back, which the canary did not follow, and has reached the serial again.
    zone.offered(version(3, 3), at(2));
    assert_eq!(zone.answered(0, (serves(4), NotTold), at(3)), None);
    zone.offered(version(4, 4), at(4));
    for second in [5, 5 + TIME, 6 + TIME] {
        assert_eq!(zone.answered(0, (serves(4), NotTold), at(second)), None);
    }
    // It told another serial meanwhile: then it has the newest one.
    assert_eq!(zone.answered(0, (serves(3), NotTold), at(20)), None);
    assert_eq!(zone.answered(0, (serves(4), NotTold), at(21)), None);
    assert!(zone.answered(0, (serves(4), NotTold), at(21 + TIME)).is_some());
}

/// The answers of a canary that tells this serial from this second on, until it has proved it, if it does.
fn proves(zone: &mut CanaryZone, serial: u32, (start, second): (Instant, u64)) -> bool {
    [second, second + TIME].into_iter().any(|second| {
        zone.answered(0, (serves(serial), NotTold), start + Duration::from_secs(second)).is_some()
    })
}

/// What is kept of it over a restart.
fn started_again(zone: &CanaryZone, newest: CanaryVersion, now: Instant) -> CanaryZone {
    let released = zone.released_version();
    let past = CanaryPast { highest: zone.highest_beside(released), ..released.into() };
    CanaryZone::new(rules(WhenUnreachable::Hold), 1, (past, newest), now)
}

/// Serial 6 is bad; the canary keeps it, because what comes then is older.
#[test]
fn a_version_that_was_given_up_proves_no_other_one_with_its_serial() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    for (is_released, with_restart, before) in [
        (true, false, 0),
        (true, true, 3),
        (false, true, 3),
        (true, true, 4),
        (false, true, 4),
        (false, false, 0),
    ] {
        let place = format!("released {is_released}, started again {with_restart} after {before}");
        let rules = rules(WhenUnreachable::Hold);
        let mut zone = CanaryZone::new(rules, 1, (version(5, 1), version(6, 2)), start);
        assert!(zone.highest_beside(zone.released_version()).is_none(), "it is what is served");
        assert_eq!(zone.answered(0, (serves(6), NotTold), at(1)), None);
        zone.offered(version(4, 3), at(2));
        assert_eq!(zone.answered(0, (serves(6), NotTold), at(3)), None);
        if is_released {
            zone.commit(version(4, 3), at(4));
        }
        if with_restart && before == 3 {
            zone = started_again(&zone, version(4, 3), at(5));
        }
        zone.offered(version(6, 4), at(6));
        if with_restart && before == 4 {
            zone = started_again(&zone, version(6, 4), at(7));
        }
        assert!(!proves(&mut zone, 6, (start, 8)), "{place}");
        // It has told another one since, or what comes is after all.
        let mut other = zone.clone();
        assert!(!proves(&mut other, 5, (start, 30)) && proves(&mut other, 6, (start, 50)), "{place}");
        zone.offered(version(7, 5), at(30));
        assert!(proves(&mut zone, 7, (start, 31)), "{place}");
        zone.commit(version(7, 5), at(50));
        assert!(zone.highest_beside(zone.released_version()).is_none(), "{place}");
    }
}

#[test]
fn however_many_versions_were_given_up_they_prove_no_others() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut zone = CanaryZone::new(rules(WhenUnreachable::Hold), 1, (version(5, 1), version(5, 1)), start);
    (6..=30).for_each(|serial| zone.offered(version(serial, serial.into()), at(1)));
    assert_eq!(zone.answered(0, (serves(30), NotTold), at(2)), None);
    (5..=30).for_each(|serial| zone.offered(version(serial, 100 + u64::from(serial)), at(3)));
    assert!(!proves(&mut zone, 30, (start, 4)));
    zone.offered(version(31, 200), at(30));
    assert!(proves(&mut zone, 31, (start, 31)));
}

#[test]
fn what_a_canary_told_before_a_version_says_nothing_of_what_it_has_after_it() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    // It told 5, then 6 was served for a moment.
    let mut zone = CanaryZone::new(rules(WhenUnreachable::Hold), 1, (version(4, 1), version(5, 2)), start);
    assert!(proves(&mut zone, 5, (start, 1)));
    zone.commit(version(5, 2), at(12));
    for (serial, accepted) in [(6, 3), (5, 2), (6, 4)] {
        zone.offered(version(serial, accepted), at(13));
    }
    assert!(!proves(&mut zone, 6, (start, 14)));
    // Its answer to a question of before comes late.
    let mut zone = CanaryZone::new(rules(WhenUnreachable::Hold), 1, (version(5, 1), version(6, 2)), start);
    assert_eq!(zone.wake(at(2)).0, [0]);
    for (serial, accepted) in [(5, 3), (6, 4)] {
        zone.offered(version(serial, accepted), at(3));
    }
    assert_eq!(zone.answered(0, (serves(5), NotTold), at(4)), None);
    assert!(!proves(&mut zone, 6, (start, 5)));
}

/// Its content was accepted again: that is no other version.
#[test]
fn a_version_that_is_known_with_another_time_stays_on_trial() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    for is_identified in [true, false] {
        let mut zone =
            CanaryZone::new(rules(WhenUnreachable::Hold), 1, (version(5, 1), version(6, 2)), start);
        assert_eq!(zone.answered(0, (serves(6), NotTold), at(1)), None);
        if is_identified {
            zone.identify(zone.newest_version(), version(6, 3));
        }
        zone.offered(version(6, 3), at(2));
        assert_eq!(zone.answered(0, (serves(6), NotTold), at(1 + TIME)).is_some(), is_identified);
        assert_eq!(proves(&mut zone, 6, (start, 30)), is_identified);
    }
}
