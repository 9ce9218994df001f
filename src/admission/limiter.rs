//! The limiter: a GCRA (governor) per prefix.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::AtomicU32;
use std::time::Instant;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::InMemoryState;
use governor::{Quota, RateLimiter};
use ipnet::IpNet;

use super::table::{Place, Refusals, Table};
use super::{Mode, Settings, SettingsError};

/// What becomes of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Answer it.
    Answer,
    /// Over the limit; answer it empty with TC set.
    Slip,
    /// Over the limit; no answer.
    Drop,
    /// Over the limit, in dry-run mode: answer it and count it.
    WouldLimit,
}

/// The limiter, shared by all workers.
#[derive(Debug)]
pub struct Limiter {
    cells: RateLimiter<Place, Table, CallersClock, NoOpMiddleware<Nanos>>,
    refusals: Refusals,
    seed: RandomState,
    start: Instant,
    dry_run: bool,
    slip: u32,
    ipv4_mask: u32,
    ipv6_mask: u128,
    exempt: Box<[IpNet]>,
}

impl Limiter {
    /// A limiter with these settings and a random seed; `None` if they say off. `start` is the earliest time
    /// that will be passed to [`Limiter::check`]. Fails if a setting is out of its range.
    pub fn new(settings: &Settings, start: Instant) -> Result<Option<Self>, SettingsError> {
        settings.check()?;
        if settings.mode == Mode::Off {
            return Ok(None);
        }
        let slots = settings.table_slots.next_power_of_two();
        let quota = Quota::per_second(settings.queries_per_second).allow_burst(settings.burst);
        NOW.set(0);
        Ok(Some(Self {
            cells: RateLimiter::new(quota, Table::new(slots), CallersClock),
            refusals: Refusals::new(slots),
            seed: RandomState::new(),
            start,
            dry_run: settings.mode == Mode::DryRun,
            slip: settings.slip,
            ipv4_mask: u32::MAX.checked_shl(32 - u32::from(settings.ipv4_prefix_length)).unwrap_or(0),
            ipv6_mask: u128::MAX.checked_shl(128 - u32::from(settings.ipv6_prefix_length)).unwrap_or(0),
            exempt: settings.exempt.iter().copied().collect(),
        }))
    }

    /// Counts one query of this source at this time, and says what becomes of it. A v4-mapped IPv6 source is the
    /// IPv4 one. A clock read once per batch of queries is good enough.
    pub fn check(&self, source: IpAddr, now: Instant) -> Verdict {
        let source = source.to_canonical();
        if self.exempt.iter().any(|prefix| prefix.contains(&source)) {
            return Verdict::Answer;
        }
        let place = Place::new(self.seed.hash_one(self.key(source)), self.refusals.slots());
        let elapsed = now.saturating_duration_since(self.start).as_nanos();
        NOW.set(u64::try_from(elapsed).unwrap_or(u64::MAX / 2));
        if self.cells.check_key(&place).is_ok() {
            return Verdict::Answer;
        }
        if self.dry_run {
            return Verdict::WouldLimit;
        }
        let refusals = self.refusals.count(place);
        if self.slip != 0 && refusals.is_multiple_of(self.slip) { Verdict::Slip } else { Verdict::Drop }
    }

    /// Octets of memory that the tables take, whatever is asked.
    pub fn memory(&self) -> usize {
        self.refusals.slots() * (2 * size_of::<InMemoryState>() + size_of::<AtomicU32>())
    }

    /// The prefix of a source. An IPv4 prefix is that of its v4-mapped address, which no IPv6 source has.
    fn key(&self, source: IpAddr) -> u128 {
        match source {
            IpAddr::V4(source) => {
                Ipv4Addr::from(u32::from(source) & self.ipv4_mask).to_ipv6_mapped().to_bits()
            }
            IpAddr::V6(source) => source.to_bits() & self.ipv6_mask,
        }
    }
}

thread_local! {
    /// Nanoseconds from the limiter's start to the query that this thread checks.
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// governor asks a clock for the time; this one says what the caller of [`Limiter::check`] passed.
#[derive(Clone, Copy, Debug)]
struct CallersClock;

impl Clock for CallersClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        NOW.get().into()
    }
}

#[cfg(test)]
mod tests;
