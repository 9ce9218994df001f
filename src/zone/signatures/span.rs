//! Until when the signatures of a zone are valid: kept up to date from one version to the next, in a bounded room.
//!
//! A fact, never a verdict: an expired signature takes no zone and no route out of service.

use std::collections::BTreeMap;

use crate::wire::RecordType;
use crate::zone::store::compiled::NodeRef;

use crate::zone::signatures::rrsig::{Rrsig, moment};

/// The most that a signer may leave before it has plainly failed: the common signers sign again with three to seven days left of
/// two weeks (BIND 5 d, OpenDNSSEC 3 d), Knot DNS with a tenth of the validity and the largest TTL.
const SOON: u64 = 2 * 86_400;
/// Of signatures that live shorter, this part of the whole validity.
const SOON_PART: u64 = 10;
/// Different moments that are kept. A signer renews the soonest first; when all of them are renewed, all signatures are looked at
/// again.
const MAX_MOMENTS: usize = 1024;

/// When all signatures of a zone are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// When the first of them expires, in seconds since 1970.
    pub expires: u64,
    /// When the validity of that one began.
    pub began: u64,
    /// When the last of them begins to be valid.
    pub begins: u64,
}

/// How far the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Far enough.
    Well,
    /// One or more are not valid yet.
    Early,
    /// So near that a renewal is late.
    Soon,
    /// Past.
    Expired,
}

impl Validity {
    /// How it stands at this moment.
    pub fn stage(self, now: u64) -> Stage {
        match now {
            _ if now > self.expires => Stage::Expired,
            _ if now < self.begins => Stage::Early,
            _ if now >= self.late() => Stage::Soon,
            _ => Stage::Well,
        }
    }

    /// From when on a renewal is late: two days before the end, or a tenth of the validity if that is less.
    pub fn late(self) -> u64 {
        let whole = self.expires.saturating_sub(self.began);
        self.expires.saturating_sub(SOON.min(whole / SOON_PART))
    }
}

/// The moments of all signatures of a version.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    /// Moments of 32 bits are those nearest to this one.
    near: u64,
    /// With the latest beginning of those that expire then.
    expirations: Least<u64>,
    /// Counted down from the last moment there is.
    inceptions: Least<()>,
}

impl Spans {
    pub(super) fn new(near: u64) -> Self {
        Self { near, expirations: Least::default(), inceptions: Least::default() }
    }

    /// Takes the signatures of a name.
    pub(super) fn add(&mut self, node: NodeRef<'_>) {
        for (expires, begins) in moments(node, self.near) {
            self.expirations.add(expires, begins);
            self.inceptions.add(u64::MAX - begins, ());
        }
    }

    /// Gives back the signatures of a name as it was before.
    pub(super) fn remove(&mut self, node: NodeRef<'_>) {
        for (expires, begins) in moments(node, self.near) {
            self.expirations.remove(expires);
            self.inceptions.remove(u64::MAX - begins);
        }
    }

    /// Whether all signatures must be looked at again.
    pub(super) fn is_exhausted(&self) -> bool {
        self.expirations.is_exhausted() || self.inceptions.is_exhausted()
    }

    /// What they have in common; `None` without any signature.
    pub(super) fn validity(&self) -> Option<Validity> {
        let (expires, began) = self.expirations.first()?;
        let (begins, ()) = self.inceptions.first()?;
        Some(Validity { expires, began, begins: u64::MAX - begins })
    }
}

/// When each signature of a name expires and begins.
fn moments(node: NodeRef<'_>, near: u64) -> impl Iterator<Item = (u64, u64)> {
    let sets = node.sets().filter(|set| set.record_type == RecordType::RRSIG);
    let all = sets.flat_map(|set| set.rdata()).filter_map(Rrsig::read);
    all.map(move |one| (moment(one.expiration, near), moment(one.inception, near)))
}

/// The least of many numbers, each with how often it is there.
#[derive(Clone, Debug)]
struct Least<T> {
    counts: BTreeMap<u64, (u64, T)>,
    /// From this number on none is kept.
    beyond: Option<u64>,
}

impl<T> Default for Least<T> {
    fn default() -> Self {
        Self { counts: BTreeMap::new(), beyond: None }
    }
}

impl<T: Ord + Copy> Least<T> {
    fn add(&mut self, number: u64, value: T) {
        if self.beyond.is_some_and(|beyond| number >= beyond) {
            return;
        }
        let (count, greatest) = self.counts.entry(number).or_insert((0, value));
        *count += 1;
        *greatest = value.max(*greatest);
        if self.counts.len() > MAX_MOMENTS {
            self.beyond = self.counts.pop_last().map(|(number, _)| number);
        }
    }

    fn remove(&mut self, number: u64) {
        let Some((count, _)) = self.counts.get_mut(&number) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.counts.remove(&number);
        }
    }

    fn first(&self) -> Option<(u64, T)> {
        self.counts.first_key_value().map(|(number, (_, value))| (*number, *value))
    }

    fn is_exhausted(&self) -> bool {
        self.counts.is_empty() && self.beyond.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_end_is_near_with_two_days_or_a_tenth_left() {
        const DAY: u64 = 86_400;
        let two_weeks = Validity { began: 100 * DAY, begins: 100 * DAY, expires: 114 * DAY };
        let long = Validity { expires: 160 * DAY, ..two_weeks };
        for (validity, now, stage) in [
            (two_weeks, 99 * DAY, Stage::Early),
            (two_weeks, 100 * DAY, Stage::Well),
            (two_weeks, 112 * DAY, Stage::Well),
            (two_weeks, 113 * DAY, Stage::Soon),
            (two_weeks, 114 * DAY - 1, Stage::Soon),
            (two_weeks, 114 * DAY, Stage::Soon),
            (two_weeks, 114 * DAY + 1, Stage::Expired),
            (long, 158 * DAY - 1, Stage::Well),
            (long, 158 * DAY, Stage::Soon),
            (Validity { begins: 120 * DAY, ..two_weeks }, 115 * DAY, Stage::Expired),
        ] {
            assert_eq!(validity.stage(now), stage, "{validity:?} {now}");
        }
    }

    proptest! {
        /// Against all numbers, sorted.
        #[test]
        fn the_least_is_known_or_known_to_be_unknown(
            first in prop::collection::vec(0..3000_u64, 0..3000),
            changes in prop::collection::vec((any::<bool>(), 0..3000_u64), 0..2000),
        ) {
            let (mut all, mut least) = (first.clone(), Least::default());
            first.iter().for_each(|number| least.add(*number, ()));
            for (add, number) in changes {
                if add {
                    all.push(number);
                    least.add(number, ());
                } else {
                    // The soonest go first, as when a signer renews them.
                    let Some(at) = all.iter().enumerate().min_by_key(|(_, number)| **number).map(|(at, _)| at) else { continue };
                    least.remove(all.swap_remove(at));
                }
                if !least.is_exhausted() {
                    prop_assert_eq!(least.first().map(|(number, ())| number), all.iter().min().copied());
                }
                prop_assert!(least.counts.len() <= MAX_MOMENTS);
            }
        }
    }
}
