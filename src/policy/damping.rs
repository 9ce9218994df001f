//! Down fast, up slowly: the memory of one prefix's withdrawals.
//!
//! RFC 2439 in spirit: each withdrawal doubles the time that facts must be good before the next announcement, each
//! quiet `decay` of announcement halves it. Never blocks a withdrawal.

use std::time::{Duration, Instant};

use super::settings::Settings;

/// Doublings beyond this change nothing: 2^31 times the shortest hold is longer than any `hold-max`.
const MOST_DOUBLINGS: u32 = 31;

/// The memory of one prefix.
#[derive(Clone, Debug)]
pub(super) struct Damping {
    /// Withdrawals not forgotten yet.
    withdrawals: u32,
    /// Since when facts are good without a break; `None` while they are not.
    good_since: Option<Instant>,
    /// When the present announcement began, moved forward by each forgotten withdrawal.
    announced_since: Option<Instant>,
}

impl Damping {
    pub(super) fn new() -> Self {
        Self { withdrawals: 0, good_since: None, announced_since: None }
    }

    /// Whether health lets the prefix be announced.
    pub(super) fn is_announced(&self) -> bool {
        self.announced_since.is_some()
    }

    /// Facts are good: announces when they have been for the whole hold. Gives the end of the hold while it runs.
    pub(super) fn good(&mut self, settings: &Settings, now: Instant) -> Option<Instant> {
        let good_since = *self.good_since.get_or_insert(now);
        if self.is_announced() {
            self.forget(settings, now);
            return None;
        }
        let over = good_since + self.hold(settings);
        if now < over {
            return Some(over);
        }
        self.announced_since = Some(now);
        None
    }

    /// Facts are not good, but no reason to withdraw: the hold starts over, an announcement stands.
    pub(super) fn not_good(&mut self) {
        self.good_since = None;
    }

    /// A fault: withdraws at once; a withdrawal of something announced is remembered.
    pub(super) fn fault(&mut self, settings: &Settings, now: Instant) {
        self.good_since = None;
        if self.is_announced() {
            self.forget(settings, now);
            self.announced_since = None;
            self.withdrawals = (self.withdrawals + 1).min(MOST_DOUBLINGS);
        }
    }

    /// How long facts must be good before the next announcement.
    fn hold(&self, settings: &Settings) -> Duration {
        match self.withdrawals.checked_sub(1) {
            None => settings.hold_initial,
            Some(doublings) => settings.hold.saturating_mul(1 << doublings).min(settings.hold_max),
        }
    }

    /// Forgets one withdrawal per `decay` of announcement. Never all of them: a prefix that was withdrawn once waits
    /// `hold` ever after; `hold-initial` is for the start alone.
    fn forget(&mut self, settings: &Settings, now: Instant) {
        let Some(since) = self.announced_since.as_mut() else { return };
        while self.withdrawals > 1 && now.saturating_duration_since(*since) >= settings.decay {
            *since += settings.decay;
            self.withdrawals -= 1;
        }
    }
}
