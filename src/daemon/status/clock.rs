//! Moments of the monotonic clock as Unix seconds.
//!
//! Both clocks are read together once: a moment is the same second in every document. Only when the time of day was set are they
//! read together again.

use std::time::{Duration, Instant, SystemTime};

use crate::clock::since_1970;

/// By how much the time of day may part from the monotonic clock before it counts as set.
const SET: Duration = Duration::from_millis(500);

/// Both clocks at the same moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchor {
    instant: Instant,
    /// Since 1970.
    unix: Duration,
}

impl Anchor {
    pub(super) fn now() -> Self {
        Self { instant: Instant::now(), unix: since_1970(SystemTime::now()) }
    }

    /// The time of day of a moment, if it was not set since.
    fn of(&self, moment: Instant) -> Duration {
        match moment.checked_duration_since(self.instant) {
            Some(later) => self.unix.saturating_add(later),
            None => self.unix.saturating_sub(self.instant.saturating_duration_since(moment)),
        }
    }

    /// The clock as of now.
    pub(super) fn clock(&mut self) -> Clock {
        self.clock_at(Self::now())
    }

    fn clock_at(&mut self, now: Self) -> Clock {
        if self.of(now.instant).abs_diff(now.unix) > SET {
            *self = now;
        }
        Clock { anchor: *self, now }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Clock {
    anchor: Anchor,
    now: Anchor,
}

impl Clock {
    /// Now, in Unix seconds.
    pub(super) fn unix(&self) -> u64 {
        self.of(self.now.instant)
    }

    /// Now, of the monotonic clock.
    pub(super) fn instant(&self) -> Instant {
        self.now.instant
    }

    pub(super) fn of(&self, moment: Instant) -> u64 {
        self.anchor.of(moment).as_secs()
    }

    /// How long it still takes until a moment, in whole seconds, those that have begun counted.
    pub(super) fn seconds_until(&self, moment: Instant) -> u64 {
        moment.saturating_duration_since(self.now.instant).as_millis().div_ceil(1000) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_same_second_in_every_document_until_the_time_of_day_is_set() {
        let milliseconds = Duration::from_millis;
        let start = Instant::now();
        let at = |elapsed: u64, unix: u64| Anchor {
            instant: start + milliseconds(elapsed),
            unix: milliseconds(unix),
        };
        let mut anchor = at(0, 5_000_900);
        let moment = start + milliseconds(50);
        for elapsed in (0..3000).step_by(7) {
            // The time of day is a little off at each reading.
            let clock = anchor.clock_at(at(elapsed, 5_000_900 + elapsed + elapsed % 3));
            assert_eq!((clock.of(moment), clock.of(start)), (5_000, 5_000), "after {elapsed} ms");
            assert_eq!(clock.unix(), (5_000_900 + elapsed) / 1000);
        }
        let clock = anchor.clock_at(at(3000, 9_000_000));
        assert_eq!((clock.unix(), clock.of(moment)), (9_000, 8_997));
    }
}
