//! Rates of many sources in fixed memory: what comes from anywhere must not make a table grow.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

thread_local! {
    /// The time of what is being judged.
    static NOW: Cell<u64> = const { Cell::new(0) };
}

#[derive(Clone, Debug, Default)]
struct JudgedClock;

impl Clock for JudgedClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        NOW.get().into()
    }
}

type Cells = Box<[RateLimiter<NotKeyed, InMemoryState, JudgedClock, NoOpMiddleware<Nanos>>]>;

/// One rate for each source; sources share cells by a seeded hash, so that two rarely share one and nobody can choose to.
#[derive(Debug)]
pub struct SourceLimits {
    start: Instant,
    cells: Cells,
    seed: RandomState,
}

impl SourceLimits {
    /// The same rate for each source, in so many cells.
    pub fn new(quota: Quota, cells: usize, start: Instant) -> Self {
        let cell = || RateLimiter::direct_with_clock(quota, JudgedClock);
        Self { start, cells: (0..cells.max(1)).map(|_| cell()).collect(), seed: RandomState::new() }
    }

    /// Takes one more of this source, or says after how long to try again. Takes no lock.
    pub fn wait(&self, source: IpAddr, now: Instant) -> Option<Duration> {
        let since = now.saturating_duration_since(self.start).as_nanos();
        NOW.set(u64::try_from(since).unwrap_or(u64::MAX / 4));
        let at = self.seed.hash_one(source) as usize % self.cells.len();
        let refused = self.cells.get(at)?.check().err()?;
        Some(refused.wait_time_from(JudgedClock.now()))
    }
}

/// The network that a source counts as where its address is not proven: one host has as many IPv6 addresses as it likes in a /64.
pub fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}
