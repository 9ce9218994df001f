//! How long to wait before the next attempt to connect. Pure: randomness and time are arguments.

use std::time::{Duration, Instant};

/// Waits that double from [`Backoff::SHORTEST`] to [`Backoff::LONGEST`], each shortened by up to a quarter, the jitter
/// of RFC 4271 section 10. A session that lasted [`Backoff::PROOF`] starts over from the shortest.
///
/// The times are far below RFC 4271's suggested 120 s: a POP whose router came back must not wait minutes for its
/// route, and one attempt in ten seconds costs a router nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after the first failure.
    pub const SHORTEST: Duration = Duration::from_millis(200);
    /// What doubling never exceeds.
    pub const LONGEST: Duration = Duration::from_secs(10);
    /// A session that lasted this long was no failure: it is longer than the longest wait, so that a neighbor that
    /// resets every session still gets growing waits.
    pub const PROOF: Duration = Duration::from_secs(15);

    /// The wait before the next attempt; `random` is from 0 to 1. `established` is when the session that just ended
    /// had come up, if it had.
    pub fn next(&mut self, established: Option<Instant>, now: Instant, random: f64) -> Duration {
        if established.is_some_and(|since| now.saturating_duration_since(since) >= Self::PROOF) {
            self.failures = 0;
        }
        let doubled = Self::SHORTEST.saturating_mul(1 << self.failures.min(16)).min(Self::LONGEST);
        self.failures = self.failures.saturating_add(1);
        jittered(doubled, random)
    }
}

/// `time` shortened by up to a quarter (RFC 4271 section 10); `random` is from 0 to 1.
pub(super) fn jittered(time: Duration, random: f64) -> Duration {
    time.mul_f64(1.0 - 0.25 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_double_to_the_longest_and_start_over_after_a_session_that_stood() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        let mut next = |established| backoff.next(established, now + Backoff::PROOF, 0.0).as_millis();
        for expected in [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000] {
            assert_eq!(next(None), expected);
        }
        assert_eq!(
            next(Some(now + Duration::from_millis(1))),
            10_000,
            "a session of less than PROOF is a failure"
        );
        assert_eq!(next(Some(now)), 200);
    }

    proptest! {
        #[test]
        fn jitter_takes_at_most_a_quarter(millis in 0u64..1_000_000, random in -1.0f64..2.0) {
            let time = Duration::from_millis(millis);
            let jittered = jittered(time, random);
            prop_assert!(jittered <= time && jittered >= time.mul_f64(0.749_999));
        }
    }
}
