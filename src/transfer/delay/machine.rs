//! The state machine of one zone: which versions wait, until when, and why not longer.
//!
//! ```text
//!               a version comes                  its time has come, or an order
//!   (nothing) -------------------> Waiting -----------------------------------> Releasing up to one of them
//!       ^                           ^ |  ^                                        |   |
//!       |                           | '--' another version comes                  |   |
//!       |                           '------------ not served: again later --------|---'
//!       '------------------------------------ served, and nothing is left --------'
//! ```
//!
//! Versions, facts and the time flow in, what to do next flows out. No I/O, no clock of its own. The delay is counted on the timer, so
//! that a clock that is set changes nothing; the expiry of signatures is a matter of the clock, as it is for resolvers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use crate::transfer::refresh::Now;
use crate::wire::Serial;

use super::settings::DelayRules;

/// Versions that come within this part of the delay wait together. So a zone that changes each second has some thirty entries, and a
/// version is late by a thirtieth of the delay at most.
const GRAINS: u32 = 32;
/// Entries of a zone at most: those of the grains, as many again that may not wait with others, and no more.
pub(super) const MAX_ZONE_ENTRIES: usize = 64;
/// Since when a version was known before a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// When it was first seen.
    pub seen: SystemTime,
    /// How long it has waited.
    pub waited: Duration,
    /// Whether an operator ordered that it is served at once: it waits for the end of a hold alone.
    pub is_ordered: bool,
    /// Which primary gave it; `None` where that was not kept.
    pub primary: Option<SocketAddr>,
}

/// What limits a wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether an operator holds the zone.
    pub is_held: bool,
    /// When the first signature of the version that is served expires; `None` if it is not signed, or that is not known yet.
    pub expires: Option<SystemTime>,
}

/// Why a version is served, or will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its delay is over.
    Delay,
    /// It has other keys, and a rollover must not break.
    Keys,
    /// Signatures of the version before it expire.
    Signatures,
    /// An operator ordered it.
    Ordered,
}

impl Why {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Delay => "its delay is over",
            Self::Keys => {
                "its DNSKEY, CDS or CDNSKEY records are other ones, and a key rollover must not break"
            }
            Self::Signatures => "signatures of the version before it expire soon",
            Self::Ordered => "an operator ordered it",
        }
    }
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextRelease {
    /// No version waits.
    Nothing,
    /// So many versions, the oldest first, are to be served now, as one step.
    Release(usize, Why),
    /// Nothing before this time; why then.
    Wait(Instant, Why),
    /// Nothing until the operator ends the hold.
    Held,
    /// The version was not taken; it is tried again then.
    NotTaken(Instant),
    /// A release goes on.
    Releasing,
}

/// Where a version belongs that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    /// Behind all others.
    New,
    /// In the place of the newest, with what that one changed.
    Last,
}

/// One entry.
#[derive(Clone, Copy, Debug)]
struct DelayedItem {
    serial: Serial,
    /// When the first version in it was first seen.
    seen: SystemTime,
    /// When the entry was made: others join for a while.
    opened: Instant,
    /// When the delay of its newest version is over.
    ends: Instant,
    /// When it must be served for its keys.
    keys: Option<Instant>,
    /// Whether others may join.
    is_alone: bool,
}

/// One zone.
#[derive(Debug)]
pub struct DelayedZone {
    rules: DelayRules,
    items: VecDeque<DelayedItem>,
    facts: Facts,
    /// Up to this serial all is to be served now.
    ordered: Option<Serial>,
    /// How many are being served.
    releasing: Option<usize>,
    /// Why the last attempt failed, and when it is tried again.
    failed: Option<(Instant, String)>,
}

impl DelayedZone {
    /// Without a version that waits.
    pub fn new(rules: DelayRules) -> Self {
        Self {
            rules,
            items: VecDeque::new(),
            facts: Facts::default(),
            ordered: None,
            releasing: None,
            failed: None,
        }
    }

    /// A version came. Where it belongs among those that wait; `has_other_keys`: than the version before it.
    pub fn arrived(
        &mut self,
        serial: Serial,
        has_other_keys: bool,
        remembered: Option<Remembered>,
        now: Now,
    ) -> Insertion {
        let seen = remembered.map_or(now.wall, |it| it.seen.min(now.wall));
        let waited = remembered.map_or(Duration::ZERO, |it| it.waited);
        let DelayRules { delay, key_delay, .. } = self.rules;
        let item = DelayedItem {
            serial,
            seen,
            opened: now.instant,
            ends: now.instant + delay.saturating_sub(waited),
            keys: has_other_keys.then(|| now.instant + key_delay.min(delay).saturating_sub(waited)),
            is_alone: has_other_keys || remembered.is_some(),
        };
        // What is judged now may be better than what was not taken.
        self.failed = None;
        if remembered.is_some_and(|it| it.is_ordered) {
            self.ordered = Some(serial);
        }
        let (count, busy) = (self.items.len(), self.releasing.unwrap_or(0));
        let ordered = self.ordered;
        // What is being served, or was ordered, stays what it is.
        let is_open = |last: &&mut DelayedItem| count > busy && ordered != Some(last.serial);
        if let Some(last) = self.items.back_mut().filter(is_open) {
            let is_near = now.instant.saturating_duration_since(last.opened) < delay / GRAINS;
            if count >= MAX_ZONE_ENTRIES || (is_near && !last.is_alone && !item.is_alone) {
                let keys = [last.keys, item.keys].into_iter().flatten().min();
                *last = DelayedItem { seen: last.seen, opened: last.opened, keys, ..item };
                return Insertion::Last;
            }
        }
        self.items.push_back(item);
        Insertion::New
    }

    /// Takes other facts. The end of a hold lets what was not taken be tried at once.
    pub fn tell(&mut self, facts: Facts) {
        if self.facts.is_held != facts.is_held {
            self.failed = None;
        }
        self.facts = facts;
    }

    /// All that waits now is to be served at once, as one step; the serial of the newest, if one waits.
    pub fn catch_up(&mut self) -> Option<Serial> {
        self.ordered = self.items.back().map(|item| item.serial);
        self.failed = None;
        self.ordered
    }

    /// Whether an operator holds the zone.
    pub fn is_held(&self) -> bool {
        self.facts.is_held
    }

    /// What is to be done next.
    pub fn next(&self, now: Now) -> NextRelease {
        if self.releasing.is_some() {
            return NextRelease::Releasing;
        }
        if self.items.is_empty() {
            return NextRelease::Nothing;
        }
        if self.facts.is_held {
            return NextRelease::Held;
        }
        if let Some((at, _)) = self.failed.as_ref().filter(|(at, _)| *at > now.instant) {
            return NextRelease::NotTaken(*at);
        }
        let is_ordered = |item: &DelayedItem| self.ordered == Some(item.serial);
        if let Some(last) = self.items.iter().rposition(is_ordered) {
            return NextRelease::Release(last + 1, Why::Ordered);
        }
        let over = |at: Instant| at <= now.instant;
        let delay = self.items.iter().rposition(|item| over(item.ends)).map(|last| (last + 1, Why::Delay));
        let keys = self.items.iter().rposition(|item| item.keys.is_some_and(over));
        let keys = keys.map(|last| (last + 1, Why::Keys));
        let signatures = self.signatures_at(now);
        // One after the other: the next one's signatures may last.
        let one = signatures.filter(|at| over(*at)).map(|_| (1, Why::Signatures));
        if let Some((count, why)) = [one, keys, delay].into_iter().flatten().max_by_key(|(count, _)| *count) {
            return NextRelease::Release(count, why);
        }
        let delays = self.items.iter().map(|item| (item.ends, Why::Delay));
        let keys = self.items.iter().filter_map(|item| Some((item.keys?, Why::Keys)));
        let all = delays.chain(keys).chain(signatures.map(|at| (at, Why::Signatures)));
        all.min_by_key(|(at, _)| *at).map_or(NextRelease::Nothing, |(at, why)| NextRelease::Wait(at, why))
    }

    /// When the signatures of what is served are so old that the next version has to come.
    fn signatures_at(&self, now: Now) -> Option<Instant> {
        let left = self.facts.expires?.duration_since(now.wall).unwrap_or_default();
        now.instant.checked_add(left.saturating_sub(self.rules.signature_margin))
    }

    /// So many versions are being served.
    pub fn begin(&mut self, count: usize) {
        self.releasing = Some(count.min(self.items.len()));
    }

    /// They are served. What was known of signatures was of another version.
    pub fn released(&mut self) {
        let count = self.releasing.take().unwrap_or(0).min(self.items.len());
        if self.items.drain(..count).any(|item| self.ordered == Some(item.serial)) {
            self.ordered = None;
        }
        (self.failed, self.facts.expires) = (None, None);
    }

    /// They are not served, for this reason; it is tried again after a pause.
    pub fn not_taken(&mut self, reason: String, pause: Duration, now: Now) {
        self.releasing = None;
        self.failed = Some((now.instant + pause, reason));
    }

    /// Why the oldest version that waits was not taken, if it was tried.
    pub fn fault(&self) -> Option<&str> {
        self.failed.as_ref().map(|(_, reason)| reason.as_str())
    }

    /// Some entries are to be served no more: those of which nothing is said; of the others it is, whether they have other keys than the
    /// version before them now. What is being served is nothing to the others.
    pub fn retain(&mut self, entries: &[Option<bool>]) {
        let DelayRules { delay, key_delay, .. } = self.rules;
        let ordered =
            self.ordered.and_then(|serial| self.items.iter().position(|item| item.serial == serial));
        (self.ordered, self.releasing, self.failed) = (None, None, None);
        let items = std::mem::take(&mut self.items).into_iter().enumerate();
        for ((index, mut item), has_other_keys) in items.zip(entries) {
            let Some(has_other_keys) = *has_other_keys else { continue };
            let by_keys = || item.ends.checked_sub(delay - key_delay.min(delay)).unwrap_or(item.opened);
            item.keys = has_other_keys.then(|| item.keys.unwrap_or_else(by_keys));
            // What was ordered is all up to one of them.
            if ordered.is_some_and(|ordered| index <= ordered) {
                self.ordered = Some(item.serial);
            }
            self.items.push_back(item);
        }
    }

    /// How many entries wait.
    pub fn count(&self) -> usize {
        self.items.len()
    }

    /// Since when the oldest version waits.
    pub fn since(&self) -> Option<SystemTime> {
        self.items.front().map(|item| item.seen)
    }

    /// The newest version that waits.
    pub fn newest(&self) -> Option<Serial> {
        self.items.back().map(|item| item.serial)
    }

    /// What is to be remembered over a restart: of each entry the serial, when it was first seen, how long it has waited, and whether
    /// it is ordered; not who gave it.
    pub fn remembered(&self, now: Now) -> impl Iterator<Item = (Serial, Remembered)> {
        let waited = move |item: &DelayedItem| {
            let left = item.ends.saturating_duration_since(now.instant);
            self.rules.delay.saturating_sub(left)
        };
        self.items.iter().map(move |item| {
            let is_ordered = self.ordered == Some(item.serial);
            (item.serial, Remembered { seen: item.seen, waited: waited(item), is_ordered, primary: None })
        })
    }
}
