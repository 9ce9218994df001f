//! Whether the time for which something is kept is over, by a clock that may have been wrong: at a boot, before it is set.
//!
//! Times of day and a steady clock flow in. Nothing is over because the time of day jumped: while this process runs, the steady clock has
//! to agree; of the time before, when only the time of day was noted, it has to say the same for a day. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Seconds since 1970 at the begin of 2020: a clock that shows less is not set.
const SET_SINCE: u64 = 1_577_836_800;
/// For how long the time of day has to say that a time is over which began before this process.
const AGREED: Duration = Duration::from_secs(86_400);
/// By how much both clocks may differ.
const SLACK: Duration = Duration::from_secs(60);

/// The same moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Seconds since 1970.
    pub unix: u64,
    /// On the steady clock.
    pub at: Instant,
}

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self { unix: super::unix_now(), at: Instant::now() }
    }
}

/// What is known of the times that run.
#[derive(Clone, Debug)]
pub struct Retention<K> {
    seen: BTreeMap<K, Seen>,
}

/// When a time was first seen, and what the time of day said.
#[derive(Clone, Copy, Debug)]
struct Seen {
    until: u64,
    at: Instant,
    /// What was left of it then.
    left: Duration,
    /// Whether that is known: it began in this process, or was not over.
    is_known: bool,
}

/// Whether a time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It goes on.
    No,
    /// It is over.
    Yes,
    /// The time of day jumped: it goes on until this time, in seconds since 1970.
    Until(u64),
}

impl<K> Default for Retention<K> {
    fn default() -> Self {
        Self { seen: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Retention<K> {
    /// The time of this one begins now, and lasts until then.
    pub fn begin(&mut self, key: &K, until: u64, now: Moment) {
        let left = Duration::from_secs(until.saturating_sub(now.unix));
        self.seen.insert(key.clone(), Seen { until, at: now.at, left, is_known: true });
    }

    /// Whether the time of this one is over, which lasts until then, in seconds since 1970, and has this length when it begins.
    pub fn due(&mut self, key: &K, until: u64, length: u64, now: Moment) -> Due {
        if now.unix < SET_SINCE {
            return Due::No;
        }
        if until < SET_SINCE {
            // It began while the clock was not set.
            return self.goes_on(key, Duration::from_secs(length), now);
        }
        let left = Duration::from_secs(until.saturating_sub(now.unix));
        let seen = match self.seen.get(key).filter(|seen| seen.until == until) {
            Some(seen) => *seen,
            None => {
                let seen = Seen { until, at: now.at, left, is_known: !left.is_zero() };
                self.seen.insert(key.clone(), seen);
                seen
            }
        };
        let passed = now.at.saturating_duration_since(seen.at);
        match (seen.is_known, left.is_zero()) {
            // The clock has been set back since.
            (false, false) => {
                self.seen.insert(key.clone(), Seen { until, at: now.at, left, is_known: true });
                Due::No
            }
            (false, true) if passed >= AGREED => Due::Yes,
            (true, true) if passed + SLACK >= seen.left => Due::Yes,
            (true, true) => self.goes_on(key, seen.left - passed, now),
            (_, _) => Due::No,
        }
    }

    /// It goes on for so long.
    fn goes_on(&mut self, key: &K, left: Duration, now: Moment) -> Due {
        let until = now.unix.saturating_add(left.as_secs());
        self.seen.insert(key.clone(), Seen { until, at: now.at, left, is_known: true });
        Due::Until(until)
    }

    /// Forgets all but these.
    pub fn retain(&mut self, is_kept: impl Fn(&K) -> bool) {
        self.seen.retain(|key, _| is_kept(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;
    /// In 2026.
    const NOW: u64 = 1_780_000_000;

    /// Looks at a time of 30 days, at these times of day and after so many seconds on the steady clock.
    fn looks(until: u64, looks: &[(u64, u64)]) -> Vec<Due> {
        let (mut retention, start) = (Retention::default(), Instant::now());
        let mut until = until;
        let look = |(unix, passed): &(u64, u64)| {
            let now = Moment { unix: *unix, at: start + Duration::from_secs(*passed) };
            let due = retention.due(&"a", until, 30 * DAY, now);
            if let Due::Until(later) = due {
                until = later;
            }
            due
        };
        looks.iter().map(look).collect()
    }

    #[test]
    fn what_runs_out_while_the_process_runs_is_over_at_its_end() {
        let until = NOW + 30 * DAY;
        let found = looks(until, &[(NOW, 0), (until - 100, 30 * DAY - 100), (until, 30 * DAY)]);
        assert_eq!(found, [Due::No, Due::No, Due::Yes]);
    }

    #[test]
    fn what_is_kept_for_no_time_is_over_at_once() {
        let (mut retention, at) = (Retention::default(), Instant::now());
        let now = Moment { unix: NOW, at };
        retention.begin(&"a", NOW, now);
        assert_eq!(retention.due(&"a", NOW, 30 * DAY, now), Due::Yes);
        retention.retain(|_| false);
        assert_eq!(retention.due(&"a", NOW, 30 * DAY, now), Due::No, "nothing is known of it");
    }

    #[test]
    fn a_clock_that_jumps_ahead_ends_nothing() {
        let until = NOW + 30 * DAY;
        let later = NOW + 5000 * DAY;
        let found = looks(
            until,
            &[(NOW, 0), (later, DAY), (later + 28 * DAY, 29 * DAY), (later + 29 * DAY, 30 * DAY)],
        );
        assert_eq!(found, [Due::No, Due::Until(later + 29 * DAY), Due::No, Due::Yes]);
    }

    #[test]
    fn what_was_over_at_the_start_is_over_a_day_later() {
        let found = looks(NOW - 5, &[(NOW, 0), (NOW + DAY - 1, DAY - 1), (NOW + DAY, DAY)]);
        assert_eq!(found, [Due::No, Due::No, Due::Yes]);
        // A clock that was ahead at the boot and is set back.
        let ahead = NOW + 5000 * DAY;
        let found = looks(
            NOW + 9 * DAY,
            &[(ahead, 0), (NOW, 60), (NOW + 8 * DAY, 8 * DAY), (NOW + 9 * DAY, 9 * DAY + 60)],
        );
        assert_eq!(found, [Due::No, Due::No, Due::No, Due::Yes]);
    }

    #[test]
    fn a_clock_that_is_not_set_counts_for_nothing() {
        // It began in 1970, and goes on from when the clock is set.
        let end = NOW + 30 * DAY;
        let found =
            looks(30 * DAY, &[(5, 0), (40 * DAY, DAY), (NOW, DAY), (end - 1, 31 * DAY - 1), (end, 31 * DAY)]);
        assert_eq!(found, [Due::No, Due::No, Due::Until(end), Due::No, Due::Yes]);
        // The clock is not set at the boot: the real time is seen first when it is.
        let found = looks(NOW + DAY, &[(5, 0), (NOW, 60), (NOW + DAY, DAY + 60)]);
        assert_eq!(found, [Due::No, Due::No, Due::Yes]);
    }
}
