//! How long primaries say that their version may be served (RFC 7314): what that does to the timer, and to servers that have a zone from each
//! other.

use super::tests::{later, refresh, soa, start};
use super::*;
use crate::transfer::message::TimeLeft;
use std::time::Duration;

/// EXPIRE of the zone of these tests, in seconds.
const EXPIRE: u64 = 10_000;

fn left(now: Now, seconds: u64) -> Option<TimeLeft> {
    Some(TimeLeft { left: Duration::from_secs(seconds), asked: now.instant })
}

/// Seconds until what is served expires.
fn time_left(it: &Refresh, now: Now) -> u64 {
    it.expires().unwrap().saturating_duration_since(now.instant).as_secs()
}

/// A round in which the only primary has the served version, and says how long it may be served.
fn confirm(it: &mut Refresh, now: Now, says: Option<TimeLeft>) {
    it.ordered(Order::Refresh);
    it.note_time_left(0, says);
    assert_eq!(it.answered(now, 0, Some(soa(5))), None);
}

#[test]
fn a_confirmation_makes_the_time_longer_up_to_what_it_says_and_never_longer_than_expire() {
    // Left before, what the primary says, left afterwards.
    let table = [
        (4_000, None, EXPIRE),
        (4_000, Some(EXPIRE), EXPIRE),
        (4_000, Some(6_000), 6_000),
        (4_000, Some(3_000), 4_000),
        (4_000, Some(0), 4_000),
        (4_000, Some(u64::from(u32::MAX)), EXPIRE),
        (0, Some(0), 0),
        (0, Some(1), 1),
        (0, None, EXPIRE),
    ];
    for (before, says, after) in table {
        let begun = start();
        let mut it = refresh(1, Some(5), begun);
        confirm(&mut it, begun, None);
        let now = later(begun, (EXPIRE - before) as f64);
        confirm(&mut it, now, says.and_then(|says| left(now, says)));
        assert_eq!(time_left(&it, now), after, "{before} {says:?}");
        assert_eq!((it.is_expired(now), it.status(now).checked), (after == 0, Some(now.wall)), "{says:?}");
        // What was said in an earlier round counts no more.
        confirm(&mut it, now, None);
        assert_eq!(time_left(&it, now), EXPIRE, "{says:?}");
    }
    // The time under way makes no version younger.
    let begun = start();
    let mut it = refresh(1, Some(5), begun);
    let (asked, now) = (later(begun, 10_000.0), later(begun, 10_005.0));
    confirm(&mut it, now, left(asked, 100));
    assert_eq!(time_left(&it, now), 95);
}

#[test]
fn a_version_that_a_primary_gives_may_be_served_as_long_as_it_says() {
    for (says, after) in [(None, EXPIRE), (Some(700), 700), (Some(0), 0), (Some(EXPIRE + 1), EXPIRE)] {
        let now = start();
        for served in [None, Some(5)] {
            let mut it = refresh(1, served, now);
            it.notified(Some(0), Some(Serial(6)));
            it.note_time_left_of_given(0, says.and_then(|says| left(now, says)));
            it.transferred(now, Transferred::Served(soa(6)));
            assert_eq!(time_left(&it, now), after, "{served:?} {says:?}");
        }
    }
    // What the SOA response of the round said was about the version before: the transfer alone says how old the one is that it brings.
    for told in [0, 700] {
        for (says, after) in [(None, EXPIRE), (Some(3_000), 3_000)] {
            let now = start();
            let mut it = refresh(1, Some(5), now);
            it.wake(now);
            it.note_time_left(0, left(now, told));
            assert!(it.answered(now, 0, Some(soa(6))).is_some());
            it.note_time_left_of_given(0, says.and_then(|says| left(now, says)));
            it.transferred(now, Transferred::Served(soa(6)));
            assert_eq!(time_left(&it, now), after, "{told} {says:?}");
        }
    }
}

#[test]
fn of_several_primaries_the_longest_time_counts_also_where_their_version_is_refused() {
    let begun = start();
    let mut it = refresh(3, Some(5), begun);
    let now = later(begun, 8_000.0);
    it.wake(now);
    for (primary, says) in [(0, 3_000), (1, 5_000), (2, 9_000)] {
        it.note_time_left(primary, left(now, says));
        // The last one lags: it does not know what is served.
        it.answered(now, primary, Some(soa(if primary == 2 { 4 } else { 5 })));
    }
    assert_eq!(time_left(&it, now), 5_000);
    let mut it = refresh(1, Some(5), begun);
    it.ordered(Order::Refresh);
    it.note_time_left(0, left(now, 2_500));
    it.answered(now, 0, Some(soa(6)));
    it.transferred(now, Transferred::Refused(Serial(6)));
    assert_eq!(time_left(&it, now), 2_500);
}

#[test]
fn it_survives_a_restart() {
    let begun = start();
    let mut it = refresh(1, Some(5), begun);
    let now = later(begun, 9_500.0);
    confirm(&mut it, now, left(now, 1_200));
    let saved = it.save(now);
    // When the primary confirmed it, and when the origin did.
    assert_eq!((saved.checked, saved.unconfirmed_since), (Some(1_800_009_500), Some(1_800_000_700)));
    let again = later(now, 500.0);
    let rng = fastrand::Rng::with_seed(1);
    let mut it = Refresh::new(Bounds::default(), 1, Some(soa(5)), Some(saved), again, rng);
    assert_eq!((time_left(&it, again), it.status(again).checked), (700, Some(now.wall)));
    assert!(it.is_expired(later(again, 700.0)));
    let saved_again = it.save(again);
    assert_eq!(
        (saved_again.checked, saved_again.unconfirmed_since),
        (saved.checked, saved.unconfirmed_since)
    );
    // It is stale when REFRESH is over since the primary confirmed it.
    it.ordered(Order::Refresh);
    it.answered(again, 0, None);
    assert_eq!(it.status(again).stale_since, None);
    let over = later(now, 1_100.0);
    assert_eq!(it.status(over).stale_since, Some(later(now, 1_000.0).wall));
    // What a build before has kept has the earlier time alone.
    let older = Saved { checked: saved.unconfirmed_since, unconfirmed_since: None, ..saved };
    let it = Refresh::new(Bounds::default(), 1, Some(soa(5)), Some(older), again, fastrand::Rng::new());
    assert_eq!(time_left(&it, again), 700);
}

#[test]
fn what_is_served_of_an_age_that_nobody_knows_is_as_old_as_the_first_primary_says() {
    // A crash before the timers were kept: a guess, on which no other server may build.
    let now = start();
    let mut it = refresh(1, Some(5), now);
    assert_eq!((time_left(&it, now), it.confirmed_expiry()), (EXPIRE, None));
    // A hub that has begun a moment ago does not know its own age.
    let mut other = refresh(1, Some(5), now);
    confirm(&mut other, now, left(now, 0));
    assert_eq!((time_left(&other, now), other.confirmed_expiry()), (EXPIRE, None));
    confirm(&mut it, now, left(now, 600));
    assert_eq!(time_left(&it, now), 600);
    assert_eq!(it.confirmed_expiry(), it.expires());
    confirm(&mut it, now, left(now, 500));
    assert_eq!(time_left(&it, now), 600);
}

#[test]
fn the_next_look_comes_before_what_is_left_is_over() {
    // REFRESH is 1000 s, RETRY 100 s.
    for (says, wait) in [
        (EXPIRE, 1000),
        (1_100, 1000),
        (1_000, 500),
        (300, 150),
        (50, 25),
        (8, 5),
        (1, 5),
        // It has expired at the primary, too: that does not change soon.
        (0, 100),
    ] {
        let now = start();
        let mut it = refresh(1, Some(5), now);
        it.notified(Some(0), Some(Serial(6)));
        it.note_time_left_of_given(0, left(now, says));
        it.transferred(now, Transferred::Served(soa(6)));
        let due = (it.due().unwrap() - now.instant).as_secs_f64();
        assert!((0.9 * f64::from(wait)..=f64::from(wait)).contains(&due), "{says}: {due}");
    }
}

#[test]
fn a_primary_that_says_that_little_is_left_makes_nothing_stale_that_it_has_just_confirmed() {
    let begun = start();
    let mut it = refresh(1, Some(5), begun);
    let now = later(begun, 900.0);
    confirm(&mut it, now, left(now, 8_500));
    let failed = later(now, 600.0);
    it.ordered(Order::Refresh);
    it.answered(failed, 0, None);
    // REFRESH after the origin was heard is over, but not after the primary was.
    assert_eq!(it.status(failed).stale_since, None);
    let over = later(now, 1_100.0);
    assert_eq!(it.status(over).stale_since, Some(later(now, 1_000.0).wall));
}

#[test]
fn a_short_expire_of_the_origin_counts_as_it_did() {
    let now = start();
    let short = Soa { expire: Duration::from_secs(60), ..soa(5) };
    // REFRESH and RETRY together are 1100 s.
    for (says, after) in [(None, 1_100), (Some(60), 1_100), (Some(59), 59), (Some(900), 900)] {
        let mut it = refresh(1, None, now);
        it.wake(now);
        it.note_time_left(0, says.and_then(|says| left(now, says)));
        it.transferred(now, Transferred::Served(short));
        assert_eq!(time_left(&it, now), after, "{says:?}");
    }
}

/// Servers that have a zone from a hub and from each other, after the hub is gone: when each has expired, at most after so many times EXPIRE.
fn expire_without_hub(servers: usize, with_option: bool) -> Vec<Option<u64>> {
    let begun = start();
    let mut all: Vec<Refresh> = (0..servers).map(|_| refresh(servers, Some(5), begun)).collect();
    // The hub is the first primary of each, the other servers are the others.
    let others = |it: usize| (0..servers).filter(move |other| *other != it).collect::<Vec<_>>();
    for (number, it) in all.iter_mut().enumerate() {
        let now = later(begun, number as f64 * 100.0);
        it.wake(now);
        it.note_time_left(0, left(now, EXPIRE));
        (0..servers).for_each(|primary| drop(it.answered(now, primary, (primary == 0).then(|| soa(5)))));
    }
    let mut expired = vec![None; servers];
    let over = begun.instant + Duration::from_secs(5 * EXPIRE);
    loop {
        let number = (0..servers).min_by_key(|it| all[*it].due()).unwrap();
        let at = all[number].due().unwrap();
        let now = Now { instant: at, wall: begun.wall + at.saturating_duration_since(begun.instant) };
        let ages = all.iter().zip(&mut expired).filter(|(it, at)| at.is_none() && it.is_expired(now));
        ages.for_each(|(it, at)| *at = Some((it.expires().unwrap() - begun.instant).as_secs()));
        if at >= over || expired.iter().all(Option::is_some) {
            return expired;
        }
        all[number].wake(now);
        let _ = all[number].answered(now, 0, None);
        for (primary, other) in others(number).into_iter().enumerate() {
            // What has expired is not told of.
            let says = (!all[other].is_expired(now)).then(|| time_left(&all[other], now));
            let it = &mut all[number];
            it.note_time_left(primary + 1, says.filter(|_| with_option).and_then(|says| left(now, says)));
            let _ = it.answered(now, primary + 1, says.map(|_| soa(5)));
        }
    }
}

#[test]
fn servers_that_have_a_zone_from_each_other_expire_when_the_last_word_of_the_hub_is_as_old_as_expire() {
    for servers in [2, 3, 5] {
        // Without the option they confirm it to each other for ever.
        assert!(expire_without_hub(servers, false).iter().all(Option::is_none), "{servers}");
        let last = EXPIRE + 100 * (servers as u64 - 1);
        for (number, expired) in expire_without_hub(servers, true).into_iter().enumerate() {
            let own = EXPIRE + 100 * number as u64;
            let expired = expired.unwrap_or(u64::MAX);
            assert!((own - 1..=last).contains(&expired), "{servers} {number}: {expired}");
        }
    }
}

/// A chain of servers, each with the zone from the one before it, while all of them and the origin are well: how long any of them was expired,
/// in seconds. EXPIRE of the zone is as short as it can count.
fn expired_in_a_chain(servers: usize) -> Duration {
    let short = Soa { expire: Duration::from_secs(60), ..soa(5) };
    let begun = start();
    let mut all: Vec<Refresh> = (0..servers).map(|_| refresh(1, None, begun)).collect();
    for (number, it) in all.iter_mut().enumerate() {
        it.wake(later(begun, number as f64));
        it.transferred(later(begun, number as f64), Transferred::Served(short));
    }
    let mut expired = Duration::ZERO;
    loop {
        let number = (0..servers).min_by_key(|it| all[*it].due()).unwrap();
        let at = all[number].due().unwrap();
        let now = Now { instant: at, wall: begun.wall + at.saturating_duration_since(begun.instant) };
        if at > begun.instant + Duration::from_secs(100_000) {
            return expired;
        }
        if all[number].is_expired(now) {
            expired += at - all[number].expires().unwrap();
        }
        // What has expired is not told of; the origin says EXPIRE.
        let says = match number.checked_sub(1).map(|before| &all[before]) {
            None => Some(short.expire.as_secs()),
            // Never SOA EXPIRE itself, which is the word of the origin.
            Some(before) => (!before.is_expired(now)).then(|| match time_left(before, now) {
                60 => 59,
                left => left,
            }),
        };
        let it = &mut all[number];
        it.wake(now);
        it.note_time_left(0, says.and_then(|says| left(now, says)));
        let _ = it.answered(now, 0, says.map(|_| short));
    }
}

#[test]
fn no_server_of_a_chain_expires_while_the_origin_answers() {
    for servers in [1, 2, 3, 5] {
        assert_eq!(expired_in_a_chain(servers), Duration::ZERO, "{servers}");
    }
}
