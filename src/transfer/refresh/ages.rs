//! How old what is served may become, and how old it is over restarts (RFC 1035 section 3.3.13).

use std::time::{Duration, Instant, SystemTime};

use crate::clock::{at_unix, unix_seconds};
use crate::publish::ZoneTimers as Saved;
use crate::transfer::message::Soa;

use super::Now;
use super::machine::{JITTER, Refresh};

/// After a start all zones ask within this time; the limits of queries a second hold beside it.
const MOST_SPREAD: Duration = Duration::from_secs(30);

impl Refresh {
    /// What survives a restart. Ages come from timers, because the clock may have been set since. Where a primary has said that less is left
    /// of its version than EXPIRE, the age of that stands beside the time when it said so.
    pub fn save(&self, now: Now) -> Saved {
        let wall = unix_seconds(now.wall);
        let wait = self.due.saturating_duration_since(now.instant);
        let since = self.served.zip(self.expires).map(|(soa, expires)| {
            let left = expires.saturating_duration_since(now.instant);
            let over = now.instant.saturating_duration_since(expires);
            let age = self.expire_of(soa).saturating_add(over).saturating_sub(left);
            wall.saturating_sub(age.as_secs())
        });
        let checked = self.checked.map(|checked| match self.confirmed_at {
            Some(at) => wall.saturating_sub(now.instant.saturating_duration_since(at).as_secs()),
            None => since.unwrap_or(unix_seconds(checked)),
        });
        let unconfirmed_since = since.filter(|since| checked.is_none_or(|checked| *since < checked));
        let due = wall.saturating_add(wait.as_secs());
        Saved {
            checked,
            unconfirmed_since,
            due,
            failures: self.failures,
            saved: wall,
            diverged: None,
            forked: self.forked(),
            lineage: None,
        }
    }

    /// Whether no primary has said for EXPIRE which version it has, or only that there is a newer one, which did not come
    /// (RFC 1034 section 4.3.5).
    pub fn is_expired(&self, now: Now) -> bool {
        self.served.is_some() && self.expires.is_some_and(|expires| expires <= now.instant)
    }

    /// When what is served expires, or has expired.
    pub fn expires(&self) -> Option<Instant> {
        self.expires.filter(|_| self.served.is_some())
    }

    /// The same, if a primary has confirmed what is served: otherwise it is a guess, and others must not build on it.
    pub fn confirmed_expiry(&self) -> Option<Instant> {
        self.expires().filter(|_| self.checked.is_some())
    }

    /// Goes on with a version that was kept. It asks soon, whenever it was to ask: a NOTIFY may have come while nobody listened.
    pub fn restore(&mut self, soa: Soa, saved: Saved, now: Now) {
        // Of a clock that went backwards nothing can be said but that no time has passed.
        let wall = unix_seconds(now.wall).max(saved.saved);
        // Without both, timers of a zone that had never come were kept, then it came, and the process ended before they were kept again.
        // The earlier one: see `save`.
        let since = saved.checked.into_iter().chain(saved.unconfirmed_since).min().unwrap_or(saved.saved);
        let age_of = |since| Duration::from_secs(wall.saturating_sub(since));
        let age = age_of(since);
        let expire = self.expire_of(soa);
        self.expires = match expire.checked_sub(age) {
            Some(left) => now.instant.checked_add(left),
            // Since when it has expired; a timer does not reach back behind the start of the host.
            None => now.instant.checked_sub(age - expire).or(Some(now.instant)),
        };
        self.checked = saved.checked.and_then(at_unix);
        self.confirmed_at = saved.checked.and_then(|checked| now.instant.checked_sub(age_of(checked)));
        self.restore_forked(saved.forked);
        self.is_unexplained = false;
        if saved.lineage.is_none() {
            self.lineage.believe_all();
        }
        // All zones start at once; no primary is to be asked about all of them at once. What has expired does not wait.
        let spread = self.refresh_of(soa).mul_f64(JITTER).min(MOST_SPREAD).mul_f64(self.rng.f64());
        self.due = if self.is_expired(now) { now.instant } else { now.instant + spread };
        self.failures = saved.failures;
        if saved.failures > 0 {
            let due = |checked| at_unix(checked)?.checked_add(soa.refresh);
            let last = saved.checked.or(saved.unconfirmed_since).and_then(due).unwrap_or(now.wall);
            self.failing_since = Some(last.min(now.wall));
        }
    }

    /// Since when no primary has been reached although REFRESH was over; `None` while one was, or before it is over.
    pub(super) fn stale_since(&self, now: Now) -> Option<SystemTime> {
        let (soa, expires) = (self.served?, self.expires?);
        let left = self.expire_of(soa).saturating_sub(self.refresh_of(soa));
        let began = expires.checked_sub(left).unwrap_or(expires);
        // A primary that has what is served from another one may have said that less is left.
        let confirmed = self.confirmed_at.map(|at| at + self.refresh_of(soa));
        let began = confirmed.map_or(began, |confirmed| confirmed.max(began));
        let age = now.instant.checked_duration_since(began).filter(|_| self.is_failing())?;
        now.wall.checked_sub(age)
    }

    /// A primary that has not answered for EXPIRE, although what is served is confirmed: by another one, which may have it from here.
    pub(super) fn silent(&self, now: Now) -> Option<(usize, SystemTime)> {
        let soa = self.served.filter(|_| self.stale_since(now).is_none())?;
        self.seen.silent_since(now.instant.checked_sub(self.expire_of(soa))?)
    }

    pub(super) fn refresh_of(&self, soa: Soa) -> Duration {
        // Bounds that cross each other: the lower one counts.
        soa.refresh.min(self.bounds.most_refresh).max(self.bounds.least_refresh)
    }

    pub(super) fn with_jitter(&mut self, wait: Duration) -> Duration {
        wait.mul_f64(1.0 - JITTER * self.rng.f64())
    }

    /// RETRY as it counts: the first pause after a failure.
    pub(super) fn retry_of(&self, soa: Soa) -> Duration {
        soa.retry.max(self.bounds.least_retry).min(self.most_retry_of(soa))
    }

    /// The longest pause after failures: never rarer than after a success.
    pub(super) fn most_retry_of(&self, soa: Soa) -> Duration {
        let least_retry = self.bounds.least_retry;
        self.bounds.most_retry.min(self.refresh_of(soa).max(least_retry))
    }

    /// EXPIRE; one that is shorter than the time until a second look would end a zone whose primary answers every time.
    pub(super) fn expire_of(&self, soa: Soa) -> Duration {
        soa.expire.max(self.refresh_of(soa).saturating_add(self.retry_of(soa)))
    }
}
