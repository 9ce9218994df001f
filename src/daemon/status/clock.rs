//! Moments of the monotonic clock as Unix seconds, as of one moment.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy)]
pub(super) struct Clock {
    unix: u64,
    instant: Instant,
}

impl Clock {
    pub(super) fn now() -> Self {
        Self { unix: unix(SystemTime::now()), instant: Instant::now() }
    }

    /// Now, in Unix seconds.
    pub(super) fn unix(&self) -> u64 {
        self.unix
    }

    /// Now, of the monotonic clock.
    pub(super) fn instant(&self) -> Instant {
        self.instant
    }

    pub(super) fn of(&self, moment: Instant) -> u64 {
        self.unix.saturating_sub(self.instant.saturating_duration_since(moment).as_secs())
    }

    /// How long it still takes until a moment, in whole seconds, those that have begun counted.
    pub(super) fn seconds_until(&self, moment: Instant) -> u64 {
        moment.saturating_duration_since(self.instant).as_millis().div_ceil(1000) as u64
    }
}

pub(super) fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
