//! Until when what is served may be served, by what primaries say of it (RFC 1034 section 4.3.5, RFC 7314 section 5).
//!
//! | the answer | of the version that is served | the transfer of a version that goes into service |
//! | --- | --- | --- |
//! | has no EXPIRE option | EXPIRE from now on | EXPIRE from now on |
//! | says SOA EXPIRE, as the origin does | the same | the same |
//! | says another number | as long as that, if it has not longer already | as long as that |
//!
//! What an SOA response of the same round said is no word on a version that goes into service: it may have been about the one before.
//! What no primary has confirmed yet, and of which nothing was kept, counts as a version that goes into service.
//! Never longer than EXPIRE, whatever a primary says. Of several primaries that confirm it in one round the longest time counts.

use std::time::{Duration, Instant};

use crate::transfer::message::{Soa, TimeLeft};

use super::{Now, Refresh};

/// The shortest time between two looks at a version of which little is left: a primary of which little was left, too, has heard its own
/// primary meanwhile, and each halving of what is left costs one query.
const LEAST_LOOK: Duration = Duration::from_secs(5);

impl Refresh {
    /// How long the version may be served of which this primary tells next, where it says so.
    pub fn note_time_left(&mut self, primary: usize, left: Option<TimeLeft>) {
        if left.is_some() {
            self.seen.note_left(primary, left);
        }
    }

    /// What this primary says of the version that it has just given, with the transfer itself. Its SOA response may have been about the
    /// version before: it counts no more.
    pub fn note_time_left_of_given(&mut self, primary: usize, left: Option<TimeLeft>) {
        self.seen.note_left(primary, left);
    }

    /// Another round begins: what was said before counts no more.
    pub(super) fn forget_words(&mut self) {
        self.confirmed_until = None;
        self.seen.forget_left();
    }

    /// This primary says that what is served is the newest, or has a newer version that has no place here.
    pub(super) fn confirmed_by(&mut self, primary: usize, now: Now) {
        let until = self.served.and_then(|soa| self.until_by(primary, soa, now));
        self.confirmed_until = self.confirmed_until.max(until);
    }

    /// This primary gave what is served from now on: what was known of the version before says nothing of it.
    pub(super) fn begins_by(&mut self, primary: usize, now: Now) {
        (self.expires, self.confirmed_until) = (None, None);
        self.confirmed_by(primary, now);
    }

    /// Puts the expiry off as the primaries of this round have said, if one has.
    pub(super) fn extend(&mut self, now: Now) {
        let Some((soa, until)) = self.served.zip(self.confirmed_until.take()) else { return };
        if self.expires.is_some() && self.checked.is_none() && until <= now.instant {
            // A hub that does not know its own age yet says that nothing is left: no word on the age of this one.
            return;
        }
        let most = now.instant.checked_add(self.expire_of(soa));
        // Until a primary has confirmed it, the timer is a guess.
        let before = self.expires.filter(|_| self.checked.is_some());
        self.expires = before.max(Some(until)).min(most);
        (self.checked, self.confirmed_at) = (Some(now.wall), Some(now.instant));
    }

    /// How long after a look that found nothing newer the next one is due: REFRESH; earlier where what is served would expire before a
    /// look after that one, so that a primary that is confirmed itself meanwhile is heard in time. Of one that says that nothing is left,
    /// RETRY.
    pub(super) fn next_look(&self, soa: Soa, now: Now) -> Duration {
        let (refresh, retry) = (self.refresh_of(soa), self.retry_of(soa));
        let left = self.expires.map_or(Duration::MAX, |at| at.saturating_duration_since(now.instant));
        match left {
            Duration::ZERO => retry,
            left if left < refresh.saturating_add(retry) => {
                (left / 2).max(retry.min(LEAST_LOOK)).min(refresh)
            }
            _ => refresh,
        }
    }

    /// Until when what is served may be served by what this primary has said.
    fn until_by(&self, primary: usize, soa: Soa, now: Now) -> Option<Instant> {
        let expire = self.expire_of(soa);
        match self.seen.left(primary) {
            Some(TimeLeft { left, asked }) if left != soa.expire => asked.checked_add(left.min(expire)),
            // EXPIRE of its SOA record, which may be shorter than what counts here.
            Some(_) | None => now.instant.checked_add(expire),
        }
    }
}
