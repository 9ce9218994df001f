//! A day in UTC.

use std::time::{Duration, SystemTime};

use crate::clock::{rfc3339, since_1970, unix_seconds};

/// Seconds of a day; UTC in Unix time has no leap seconds.
const SECONDS: u64 = 86_400;

/// A day in UTC, as the number of days since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(u64);

impl Day {
    /// The day of a moment; the first one for moments before 1970.
    pub(super) fn of(moment: SystemTime) -> Self {
        Self(unix_seconds(moment) / SECONDS)
    }

    /// How long this day goes on after a moment of it.
    pub(super) fn rest(self, moment: SystemTime) -> Duration {
        Duration::from_secs((self.0 + 1) * SECONDS).saturating_sub(since_1970(moment))
    }

    /// Its first second as RFC 3339 has it, such as `2026-11-29T00:00:00Z`.
    pub(super) fn start(self) -> String {
        rfc3339(self.0.saturating_mul(SECONDS))
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_day_ends_at_midnight() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let day = Day::of(at(951_868_799));
        assert_eq!(
            (day.start().as_str(), day.rest(at(951_868_799))),
            ("2000-02-29T00:00:00Z", Duration::from_secs(1))
        );
        assert_eq!(Day::of(at(951_868_800)).start(), "2000-03-01T00:00:00Z");
        assert_eq!(day.rest(at(951_868_800)), Duration::ZERO);
        assert_eq!(Day::of(UNIX_EPOCH - Duration::from_secs(1)), Day(0));
    }
}
