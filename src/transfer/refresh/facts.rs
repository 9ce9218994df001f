//! What others ask of the state machine, and what they tell it, beside the events.

use std::time::{Duration, Instant};

use super::settings::Bounds;
use super::status::Status;
use super::{Action, Now, Refresh};

/// Over how long the zones of a primary that was silent are asked for again.
const WAKE_SPREAD: Duration = Duration::from_secs(30);

impl Refresh {
    /// The facts.
    pub fn status(&self, now: Now) -> Status {
        // One that no primary has any more is nobody's concern.
        let refused = self.refused.last_of(self.seen.all());
        Status {
            serial: self.served.map(|soa| soa.serial),
            phase: self.phase(),
            due: self.due,
            checked: self.checked,
            expires: self.expires(),
            stale_since: self.stale_since(now),
            failing_since: self.failing_since,
            failures: self.failures,
            seen: self.seen.all().to_vec(),
            behind: self.behind_now(),
            silent: self.silent(now),
            contradiction: self.lineage.contradiction(),
            refused,
            refused_since: refused.and_then(|_| self.refused.since()),
        }
    }

    /// Whether the last attempts brought a version, or the word that there is none.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Whether a NOTIFY began what is under way.
    pub fn is_hinted(&self) -> bool {
        self.is_hinted
    }

    /// Whether a version is served.
    pub fn is_served(&self) -> bool {
        self.served.is_some()
    }

    /// How many attempts in a row have failed.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether a version is served, or an attempt to get one has failed.
    pub fn is_tried(&self) -> bool {
        self.served.is_some() || self.is_failing()
    }

    /// Other bounds from the next time on.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Begins a round by the timer.
    pub(super) fn look_by_timer(&mut self, now: Now) -> Option<Action> {
        self.newer.look_by_timer(now);
        self.begin_round()
    }

    /// A primary that was silent has answered, or time has passed that no timer has counted: it is asked within half a minute, if nothing is
    /// under way.
    pub fn wake_soon(&mut self, now: Now) {
        let soon = now.instant + WAKE_SPREAD.mul_f64(self.rng.f64());
        self.due = self.due.min(soon);
    }

    /// The host was suspended for so long, which no timer has counted: what is served is so much older, and NOTIFYs may have come meanwhile.
    pub fn was_suspended(&mut self, time: Duration, now: Now) {
        // A timer does not reach back behind the start of the host.
        let sooner = |at: Instant| at.checked_sub(time).unwrap_or(now.instant);
        self.expires = self.expires.map(sooner);
        self.confirmed_at = self.confirmed_at.map(sooner);
        self.confirmed_until = self.confirmed_until.map(sooner);
        self.wake_soon(now);
        if self.is_expired(now) {
            self.due = now.instant;
        }
    }
}
