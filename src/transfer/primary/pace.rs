//! How slowly a secondary may take a transfer. No I/O.

use std::time::{Duration, Instant};

use super::settings::PrimarySettings;

/// What a secondary does that ends its transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PaceFault {
    /// Too little was taken.
    #[error("the client takes less than {0} octets a second")]
    Slow(u64),
    /// It takes too long, however fast.
    #[error("the transfer takes longer than {} s", .0.as_secs())]
    Long(Duration),
}

/// The pace of one transfer: only the time counts in which the client is waited for.
#[derive(Debug)]
pub(super) struct SendPace {
    least_rate: u64,
    window: Duration,
    longest: Duration,
    begun: Instant,
    /// Octets and time of the window.
    octets: u64,
    waited: Duration,
}

impl SendPace {
    pub(super) fn new(settings: &PrimarySettings, begun: Instant) -> Self {
        let PrimarySettings { least_rate, rate_window: window, longest, .. } = *settings;
        Self { least_rate, window, longest, begun, octets: 0, waited: Duration::ZERO }
    }

    /// One more message was taken.
    pub(super) fn sent(&mut self, octets: usize, waited: Duration, now: Instant) -> Result<(), PaceFault> {
        if now.saturating_duration_since(self.begun) > self.longest {
            return Err(PaceFault::Long(self.longest));
        }
        self.octets += octets as u64;
        self.waited += waited;
        if self.waited >= self.window {
            if self.octets < self.least_rate.saturating_mul(self.waited.as_secs()) {
                return Err(PaceFault::Slow(self.least_rate));
            }
            (self.octets, self.waited) = (0, Duration::ZERO);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_time_that_the_client_takes_counts_and_the_whole_time() {
        let start = Instant::now();
        let settings = PrimarySettings {
            least_rate: 1000,
            rate_window: 10 * SECOND,
            longest: 3600 * SECOND,
            ..PrimarySettings::default()
        };
        let pace = || SendPace::new(&settings, start);
        // A message in 9 s, which is less than it may take for one.
        let mut slow = pace();
        assert_eq!(slow.sent(8000, 9 * SECOND, start + 9 * SECOND), Ok(()));
        assert_eq!(slow.sent(8000, 9 * SECOND, start + 18 * SECOND), Err(PaceFault::Slow(1000)));
        let mut fast = pace();
        for _ in 0..100 {
            assert_eq!(fast.sent(9000, 9 * SECOND, start + 3600 * SECOND), Ok(()));
        }
        assert_eq!(fast.sent(9000, 9 * SECOND, start + 3601 * SECOND), Err(PaceFault::Long(3600 * SECOND)));
        // What this server does itself does not count.
        let mut busy = pace();
        assert_eq!(busy.sent(1, SECOND, start + 1000 * SECOND), Ok(()));
    }
}
