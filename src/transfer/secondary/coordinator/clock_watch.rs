//! Notices that the clock was set: what is kept by it must be kept anew.

use std::time::Duration;

use crate::transfer::refresh::Now;

/// A clock that is slewed differs by less.
const LEAST_STEP: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(in crate::transfer::secondary) struct ClockWatch(Now);

impl ClockWatch {
    pub(in crate::transfer::secondary) fn new(now: Now) -> Self {
        Self(now)
    }

    /// Whether the clock was set since it was last looked at.
    pub(in crate::transfer::secondary) fn has_stepped(&mut self, now: Now) -> bool {
        let Self(before) = std::mem::replace(self, Self(now));
        let by_timer = now.instant.saturating_duration_since(before.instant);
        let (early, late) = (by_timer.saturating_sub(LEAST_STEP), by_timer + LEAST_STEP);
        // Also a clock that went backwards: how far, and what it should have gone forwards.
        match now.wall.duration_since(before.wall) {
            Ok(by_clock) => by_clock < early || by_clock > late,
            Err(back) => back.duration() + by_timer > LEAST_STEP,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Instant, SystemTime};

    #[test]
    fn a_step_forwards_or_backwards_is_seen_once_and_a_pause_is_none() {
        let second = Duration::from_secs(1);
        let mut now = Now { instant: Instant::now(), wall: SystemTime::now() };
        let mut watch = ClockWatch::new(now);
        let mut seen = Vec::new();
        for (by_timer, by_clock) in [(1, 1), (600, 600), (600, 603), (1, 86_400), (1, 1)] {
            now = Now { instant: now.instant + by_timer * second, wall: now.wall + by_clock * second };
            seen.push(watch.has_stepped(now));
        }
        now = Now { wall: SystemTime::UNIX_EPOCH, ..now };
        seen.extend([watch.has_stepped(now), watch.has_stepped(now)]);
        assert_eq!(seen, [false, false, false, true, false, true, false]);
        // A clock that is slewed backwards between two looks, and one that is set while nobody looks.
        let mut now = Now { instant: now.instant, wall: now.wall + 600 * second };
        assert!(watch.has_stepped(now));
        for (by_timer, back, expected) in [(0, 1, false), (4, 1, false), (6, 1, true), (0, 6, true)] {
            now = Now { instant: now.instant + by_timer * second, wall: now.wall - back * second };
            assert_eq!(watch.has_stepped(now), expected, "{by_timer} {back}");
        }
    }
}
