//! A share of the time for work that may come again and again: a few pieces of it in a row do not wait, more do. Pure: `now` is an argument.

use std::time::{Duration, Instant};

/// So much of the time is given in advance.
const ADVANCE: Duration = Duration::from_millis(50);

/// When the work has had no more than its share of the time.
#[derive(Clone, Copy, Debug)]
pub(in crate::publish) struct TimeShare {
    /// The work takes CPU time for at most one part in so many of the time.
    parts: u32,
    paid: Instant,
}

impl TimeShare {
    /// One part in so many of the time, of which nothing was used.
    pub(in crate::publish) fn new(parts: u32, now: Instant) -> Self {
        Self { parts, paid: now }
    }

    /// When the next piece may begin.
    pub(in crate::publish) fn due(&self) -> Instant {
        self.paid.checked_sub(ADVANCE).unwrap_or(self.paid)
    }

    /// A piece that began at `start` took so much CPU time. One that begins at once, whatever it costs, delays the others by no more
    /// than the last of them.
    pub(in crate::publish) fn pay(&mut self, start: Instant, took: Duration) {
        self.paid = self.paid.clamp(start, start + ADVANCE) + took * self.parts;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many pieces, one each millisecond, have to wait when each takes so long.
    fn waiting(pieces: u32, took: Duration) -> u32 {
        let mut at = Instant::now();
        let mut share = TimeShare::new(20, at);
        let mut waiting = 0;
        for _ in 0..pieces {
            at += Duration::from_millis(1);
            waiting += u32::from(share.due() > at);
            share.pay(at, took);
        }
        waiting
    }

    #[test]
    fn a_few_pieces_in_a_row_do_not_wait_and_many_that_cost_more_than_their_share_do() {
        assert_eq!(waiting(10_000, Duration::from_micros(50)), 0);
        assert_eq!(waiting(40, Duration::from_micros(100)), 0);
        assert!(waiting(1_000, Duration::from_micros(100)) > 900);
        // A first snapshot of many zones.
        assert_eq!(waiting(2, Duration::from_millis(20)), 1);
    }

    #[test]
    fn what_begins_at_once_delays_the_others_by_its_own_share_alone() {
        let start = Instant::now();
        let mut share = TimeShare::new(20, start + Duration::from_secs(60));
        share.pay(start, Duration::from_millis(1));
        assert_eq!(share.due(), start + Duration::from_millis(20));
    }
}
