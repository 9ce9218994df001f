//! Notices time that no timer has counted, because the host was suspended, and that the clock was set: what is kept by it must be kept anew.

use std::time::Duration;

use crate::transfer::refresh::Now;

/// A clock that is slewed differs by less.
const LEAST_STEP: Duration = Duration::from_secs(5);

/// What has happened to the time since it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transfer::secondary) enum ClockStep {
    /// The host was suspended for so long.
    Suspended(Duration),
    /// The clock went forwards: it was wrong, or no timer has counted the time because a virtual machine was paused, which nothing tells apart.
    Forwards,
    /// The clock went backwards.
    Backwards,
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(in crate::transfer::secondary) struct ClockWatch {
    seen: Now,
    /// For how long the host was suspended before, as far as that is known.
    suspended: Option<Duration>,
}

impl ClockWatch {
    /// `suspended`: for how long the host was suspended since its start, as far as that is known.
    pub(in crate::transfer::secondary) fn new(now: Now, suspended: Option<Duration>) -> Self {
        Self { seen: now, suspended }
    }

    /// What has happened since it was last looked at; `None`: both clocks went on alike.
    pub(in crate::transfer::secondary) fn look(
        &mut self,
        now: Now,
        suspended: Option<Duration>,
    ) -> Option<ClockStep> {
        let before = std::mem::replace(&mut self.seen, now);
        let known = self.suspended;
        self.suspended = suspended.or(known);
        let slept = suspended.zip(known).map(|(now, before)| now.saturating_sub(before));
        if let Some(slept) = slept.filter(|slept| *slept > LEAST_STEP) {
            return Some(ClockStep::Suspended(slept));
        }
        let by_timer = now.instant.saturating_duration_since(before.instant);
        match now.wall.duration_since(before.wall) {
            Ok(by_clock) if by_clock > by_timer + LEAST_STEP => Some(ClockStep::Forwards),
            Ok(by_clock) if by_clock < by_timer.saturating_sub(LEAST_STEP) => Some(ClockStep::Backwards),
            Ok(_) => None,
            // How far, and what it should have gone forwards.
            Err(back) => (back.duration() + by_timer > LEAST_STEP).then_some(ClockStep::Backwards),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Instant, SystemTime};

    use ClockStep::{Backwards, Forwards, Suspended};

    #[test]
    fn a_step_forwards_or_backwards_is_seen_once_and_a_pause_of_the_process_is_none() {
        let second = Duration::from_secs(1);
        let mut now = Now { instant: Instant::now(), wall: SystemTime::now() };
        let mut watch = ClockWatch::new(now, None);
        let mut seen = Vec::new();
        for (by_timer, by_clock) in [(1, 1), (600, 600), (600, 603), (1, 86_400), (1, 1)] {
            now = Now { instant: now.instant + by_timer * second, wall: now.wall + by_clock * second };
            seen.push(watch.look(now, None));
        }
        now = Now { wall: SystemTime::UNIX_EPOCH, ..now };
        seen.extend([watch.look(now, None), watch.look(now, None)]);
        assert_eq!(seen, [None, None, None, Some(Forwards), None, Some(Backwards), None]);
        // A clock that is slewed backwards between two looks, and one that is set while nobody looks.
        let mut now = Now { instant: now.instant, wall: now.wall + 600 * second };
        assert_eq!(watch.look(now, None), Some(Forwards));
        for (by_timer, back, expected) in
            [(0, 1, None), (4, 1, None), (6, 1, Some(Backwards)), (0, 6, Some(Backwards))]
        {
            now = Now { instant: now.instant + by_timer * second, wall: now.wall - back * second };
            assert_eq!(watch.look(now, None), expected, "{by_timer} {back}");
        }
    }

    #[test]
    fn a_host_that_was_suspended_says_for_how_long_whatever_its_clock_says() {
        let second = Duration::from_secs(1);
        let mut now = Now { instant: Instant::now(), wall: SystemTime::now() };
        // It was suspended before, too.
        let mut watch = ClockWatch::new(now, Some(1000 * second));
        for (by_clock, suspended, expected) in [
            (1, Some(1000), None),
            (1, Some(1001), None),
            (3601, Some(4601), Some(Suspended(3600 * second))),
            (1, Some(4601), None),
            // The clock is set later, or was not running either.
            (1, Some(8201), Some(Suspended(3600 * second))),
            (3601, Some(8201), Some(Forwards)),
            // What cannot be read is seen with the next look.
            (1, None, None),
            (1, Some(8301), Some(Suspended(100 * second))),
        ] {
            now = Now { instant: now.instant + second, wall: now.wall + by_clock * second };
            let suspended = suspended.map(|seconds| seconds * second);
            assert_eq!(watch.look(now, suspended), expected, "{by_clock} {suspended:?}");
        }
        // Where it is told from now on, what was before is no news.
        let mut watch = ClockWatch::new(now, None);
        assert_eq!(watch.look(now, Some(1000 * second)), None);
    }
}
