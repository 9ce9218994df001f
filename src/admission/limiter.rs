//! The limiter that all workers share, and each worker's part of it.
//!
//! # Why tokens are taken in advance
//!
//! The limit is a number of queries a second for a prefix, in the whole process. The kernel spreads a prefix over the
//! workers by address and port. Simpler designs have these faults:
//! - A shared cell for each query is exact, but all workers then write one cache line for each query of a busy prefix.
//! - A table for each worker with the rate divided by their number refuses a client that uses one port, hence one worker,
//!   long before its limit. Undivided it multiplies the limit by the workers.
//! - Choosing the worker by the prefix (a reuseport program) is exact and shares nothing, but a prefix without a limit, for
//!   example a load balancer's, would get one core only.
//! - Counting one query of n refuses a burst of some prefixes early; which ones depends on chance.
//!
//! So the cells are shared, and a worker takes from them for several queries at once: at first for one, then for an
//! eighth of what the prefix took here so far, at most [`MOST_TOKENS`], and for all workers together at most an eighth of
//! the burst. What an entry loses when another prefix takes its place is so at most an eighth of what it used: a flood that pushes
//! a prefix out of a worker's table all the time costs it no more than that. A busy prefix writes a shared line once
//! in 64 queries. Never more is answered than the rate and the burst allow, but for tokens that were paid for earlier: an
//! eighth of the burst at most. A refused prefix is refused without looking at the shared cells until they can let it in.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use governor::Quota;
use ipnet::IpNet;

use super::prefix::Prefixes;
use super::table::{Place, Table, Taker};
use super::{Mode, Settings, SettingsError};

/// Entries of a worker's table, a power of two: 128 KiB, so that it stays in the core's second-level cache. A prefix that
/// shares its entry with another pays for each query in the shared cells, as if there were no such table.
const ENTRIES: usize = 1 << 12;

/// Tokens taken at once at most: beyond this the shared write is spread thin enough.
const MOST_TOKENS: u32 = 64;

/// What may be taken at once, as a part of what was used, and by all workers together, as a part of the burst.
const ADVANCE: u32 = 8;

/// What becomes of a query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admission {
    /// Answer it.
    #[default]
    Answer,
    /// Over the limit; answer it empty with TC set.
    Slip,
    /// Over the limit; no answer.
    Drop,
    /// Over the limit, in dry-run mode: answer it and count it.
    WouldLimit,
}

/// What all workers share. [`Limiter::worker`] makes the part that checks.
#[derive(Debug)]
pub struct Limiter {
    table: Table,
    quota: Quota,
    seed: [u64; 4],
    start: Instant,
    dry_run: bool,
    slip: u32,
    prefixes: Prefixes,
    exempt: Box<[IpNet]>,
}

impl Limiter {
    /// A limiter with these settings and a random seed; `None` if they say off. `start` is the earliest time
    /// that will be passed to [`WorkerLimiter::set_time`]. Fails if a setting is out of its range.
    pub fn new(settings: &Settings, start: Instant) -> Result<Option<Self>, SettingsError> {
        settings.check()?;
        if settings.mode == Mode::Off {
            return Ok(None);
        }
        Ok(Some(Self {
            table: Table::new(settings.table_slots.next_power_of_two()),
            quota: Quota::per_second(settings.queries_per_second).allow_burst(settings.burst),
            seed: random_seed(),
            start,
            dry_run: settings.mode == Mode::DryRun,
            slip: settings.slip,
            prefixes: Prefixes::new(settings.ipv4_prefix_length, settings.ipv6_prefix_length),
            exempt: settings.exempt.iter().copied().collect(),
        }))
    }

    /// The part of one of `workers` workers, at least one. Allocates its table.
    pub fn worker(self: &Arc<Self>, workers: usize) -> WorkerLimiter {
        let workers = u32::try_from(workers).unwrap_or(u32::MAX).max(1);
        let most = (self.quota.burst_size().get() / ADVANCE / workers).clamp(1, MOST_TOKENS);
        let entries = vec![PrefixEntry::default(); ENTRIES].into_boxed_slice();
        let taker = self.table.taker(self.quota);
        WorkerLimiter { shared: self.clone(), taker, entries, most, now: 0 }
    }

    /// Octets of memory that the shared tables and the tables of this many workers take, whatever the queries are.
    pub fn memory(&self, workers: usize) -> usize {
        self.table.slots() * 2 * size_of::<u64>() + workers * ENTRIES * size_of::<PrefixEntry>()
    }

    fn is_exempt(&self, source: IpAddr) -> bool {
        self.exempt.iter().any(|prefix| prefix.contains(&source))
    }

    /// The hash of a prefix: two folded multiplications with a secret seed, much cheaper than SipHash. No client
    /// sees a hash, so one that wants two prefixes to collide can only guess.
    fn hash(&self, key: u128) -> u64 {
        let [a, b, c, d] = self.seed;
        fold(fold(key as u64 ^ a, (key >> 64) as u64 ^ b) ^ c, d)
    }
}

/// Both halves of the product.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Seeded from the operating system. Odd, so that none of them is 0.
fn random_seed() -> [u64; 4] {
    let random = RandomState::new();
    [0u8, 1, 2, 3].map(|number| random.hash_one(number) | 1)
}

/// What a worker knows of a prefix.
#[derive(Clone, Copy, Debug, Default)]
struct PrefixEntry {
    /// The hash of the prefix.
    hash: u64,
    /// The shared cells refuse it before this time.
    not_before: u64,
    /// Queries paid for in the shared cells and not asked yet.
    tokens: u32,
    /// Queries paid for since the prefix has this entry.
    taken: u32,
    /// Queries refused; of a prefix that had the entry before as well, so that pushing a prefix out does not keep it from
    /// its slip.
    refused: u32,
}

/// One worker's part of the limiter. Checks without writing what other workers read, nearly always.
#[derive(Debug)]
pub struct WorkerLimiter {
    shared: Arc<Limiter>,
    taker: Taker,
    entries: Box<[PrefixEntry]>,
    /// Tokens taken at once at most.
    most: u32,
    /// Nanoseconds since the limiter's start.
    now: u64,
}

impl WorkerLimiter {
    /// Whether it is a part of this limiter.
    pub(super) fn is_of(&self, limiter: Option<&Arc<Limiter>>) -> bool {
        limiter.is_some_and(|limiter| Arc::ptr_eq(limiter, &self.shared))
    }

    /// Says the time of the checks that follow: once for a batch of queries is good enough.
    pub fn set_time(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.shared.start).as_nanos();
        self.now = u64::try_from(elapsed).unwrap_or(u64::MAX);
        self.taker.set_time(self.now);
    }

    /// Counts one query of this source, and says what becomes of it. A v4-mapped IPv6 source is the IPv4 one.
    pub fn check(&mut self, source: IpAddr) -> Admission {
        let source = source.to_canonical();
        if self.shared.is_exempt(source) {
            return Admission::Answer;
        }
        let hash = self.shared.hash(self.shared.prefixes.of(source));
        // The top bits: the low ones of both halves are the shared place.
        let index = (hash >> 52) as usize % ENTRIES;
        let Some(entry) = self.entries.get_mut(index) else { return Admission::Answer };
        if entry.hash != hash {
            *entry = PrefixEntry { hash, refused: entry.refused, ..PrefixEntry::default() };
        }
        if entry.tokens > 0 {
            entry.tokens -= 1;
            return Admission::Answer;
        }
        if self.now >= entry.not_before && entry.refill(&self.taker, self.shared.table.slots(), self.most) {
            return Admission::Answer;
        }
        if self.shared.dry_run {
            return Admission::WouldLimit;
        }
        entry.refused = entry.refused.wrapping_add(1);
        let slip = self.shared.slip;
        if slip != 0 && entry.refused.is_multiple_of(slip) { Admission::Slip } else { Admission::Drop }
    }
}

impl PrefixEntry {
    /// Pays for this query and, if the cells give it, for some to come. Returns whether this one is paid for.
    fn refill(&mut self, taker: &Taker, slots: usize, most: u32) -> bool {
        let place = Place::new(self.hash, slots);
        let mut wanted = (1 + self.taken / ADVANCE).min(most);
        loop {
            match taker.take(place, NonZeroU32::new(wanted).unwrap_or(NonZeroU32::MIN)) {
                Ok(()) => {
                    self.taken = self.taken.saturating_add(wanted);
                    self.tokens = wanted - 1;
                    return true;
                }
                Err(_) if wanted > 1 => wanted = 1,
                Err(not_before) => {
                    self.not_before = not_before;
                    return false;
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "../../tests/unit/admission/limiter.rs"]
mod tests;
