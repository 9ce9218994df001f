//! How many SOA queries leave in a second, in total and to each primary.
//!
//! The total gives the turn, and whoever of those that wait may have a query takes it. So nobody loses a place of its own limit to a total that is
//! reached, and those that ask in turn have equal shares.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

type Limiter = RateLimiter<NotKeyed, InMemoryState, PacerClock, NoOpMiddleware<Nanos>>;

/// Says when a query may leave. Holds one limiter for each primary that was ever configured: as many as the config names.
#[derive(Debug)]
pub struct Pacer {
    start: Instant,
    per_primary: NonZeroU32,
    total: Limiter,
    /// Whether the total has let a query leave that none has taken yet, because the limits of those that asked were reached.
    has_turn: bool,
    primaries: HashMap<SocketAddr, Limiter>,
}

/// The time of the query that is being judged.
#[derive(Clone, Debug, Default)]
struct PacerClock(Cell<u64>);

impl Clock for PacerClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.get().into()
    }
}

/// A limiter that lets a tenth of a second's queries leave together: more, and the first second after a pause would have twice as many
/// as the settings say.
fn limiter(per_second: NonZeroU32) -> Limiter {
    let burst = NonZeroU32::new(per_second.get() / 10).unwrap_or(NonZeroU32::MIN);
    RateLimiter::direct_with_clock(Quota::per_second(per_second).allow_burst(burst), PacerClock::default())
}

impl Pacer {
    /// So many a second in total, and to each.
    pub fn new(total: NonZeroU32, per_primary: NonZeroU32, now: Instant) -> Self {
        Self { start: now, per_primary, total: limiter(total), has_turn: false, primaries: HashMap::new() }
    }

    /// Takes one query to this primary; if it may not leave yet, how long it must wait.
    pub fn take(&mut self, primary: SocketAddr, now: Instant) -> Result<(), Duration> {
        let since = now.saturating_duration_since(self.start).as_nanos();
        let now = u64::try_from(since).unwrap_or(u64::MAX / 4);
        if !self.has_turn {
            check(&self.total, now)?;
            self.has_turn = true;
        }
        check(self.primaries.entry(primary).or_insert_with(|| limiter(self.per_primary)), now)?;
        self.has_turn = false;
        Ok(())
    }
}

/// Takes one of a limit; if there is none, how long it takes until there is.
fn check(limiter: &Limiter, now: u64) -> Result<(), Duration> {
    limiter.clock().0.set(now);
    limiter
        .check()
        .map_err(|refused| Duration::from_nanos(refused.earliest_possible().as_u64().saturating_sub(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    fn primary(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 53))
    }

    #[test]
    fn queries_are_counted_in_total_and_for_each_primary() {
        let now = Instant::now();
        let mut pacer = Pacer::new(number(50), number(20), now);
        let take = |pacer: &mut Pacer, last, now| pacer.take(primary(last), now).is_ok();
        let sent: Vec<bool> = (0..3).map(|_| take(&mut pacer, 1, now)).collect();
        assert_eq!(sent, [true, true, false]);
        assert_eq!([2, 2, 3, 3].map(|last| take(&mut pacer, last, now)), [true, true, true, false]);
        let wait = pacer.take(primary(9), now).unwrap_err();
        assert!(wait <= Duration::from_millis(20), "{wait:?}");
        assert!(take(&mut pacer, 9, now + wait));
    }

    #[test]
    fn no_second_has_more_than_a_tenth_beyond_the_limit() {
        let start = Instant::now();
        let mut pacer = Pacer::new(number(400), number(400), start);
        // A pause of an hour saves nothing up.
        let begin = start + Duration::from_secs(3600);
        let times = (0..3000_u64).map(|step| begin + Duration::from_millis(step));
        let sent: Vec<Instant> = times
            .flat_map(|at| {
                std::iter::from_fn(|| pacer.take(primary(1), at).ok().map(|()| at)).collect::<Vec<_>>()
            })
            .collect();
        let in_second_from = |from: &Instant| {
            sent.iter().filter(|at| *at >= from && **at - *from < Duration::from_secs(1)).count()
        };
        let most = sent.iter().map(in_second_from).max().unwrap();
        assert!((400..=440).contains(&most), "{most}");
    }
}
