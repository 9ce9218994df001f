//! How the targets of NOTIFYs take them: counts of each target, and the zones of which it takes none.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Instant;

use crate::telemetry::locked;
use crate::transfer::notify::TargetStatus;
use crate::wire::Name;

/// Zones whose NOTIFYs a target does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// How many.
    pub zones: usize,
    /// The one of which this is known for longest.
    pub first: Name,
    /// Since when.
    pub since: Instant,
}

/// Targets that are told apart: with five samples each a scrape stays small. The others are told as one sum.
pub const MOST_TOLD_APART: usize = 100;

/// All targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllTargets {
    /// Those that are configured and were sent a NOTIFY, by address.
    pub each: Vec<TargetFacts>,
    /// What those counted that were not told apart and are configured no more: so their sum never falls.
    pub gone: NotifyCounts,
}

/// NOTIFYs by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotifyCounts {
    /// Those that were taken.
    pub taken: u64,
    /// Those that were answered with an error.
    pub refused: u64,
    /// Those that were not answered in time.
    pub unanswered: u64,
}

impl std::ops::AddAssign for NotifyCounts {
    fn add_assign(&mut self, other: Self) {
        self.taken += other.taken;
        self.refused += other.refused;
        self.unanswered += other.unanswered;
    }
}

/// What is known of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetFacts {
    /// Where it is.
    pub address: SocketAddr,
    /// Whether it is told apart as long as it is configured: one of the first [`MOST_TOLD_APART`].
    pub is_told_apart: bool,
    /// Its NOTIFYs.
    pub counts: NotifyCounts,
    /// Zones whose last NOTIFY was answered with an error.
    pub refusing: Option<NotTaken>,
    /// The RCODE of the last error.
    pub rcode: u8,
    /// Zones whose NOTIFYs it has not answered since its last answer.
    pub silent: Option<NotTaken>,
}

/// All targets; clones are the same table. It has an entry for each target that a NOTIFY was sent to and that is configured still.
#[derive(Clone, Debug, Default)]
pub struct TargetTable {
    targets: Arc<Mutex<Targets>>,
}

#[derive(Debug, Default)]
struct Targets {
    entries: BTreeMap<SocketAddr, TargetEntry>,
    gone: NotifyCounts,
}

#[derive(Debug, Default)]
struct TargetEntry {
    is_told_apart: bool,
    counts: NotifyCounts,
    refusing: ZonesByTime,
    rcode: u8,
    silent: ZonesByTime,
}

/// Zones, and since when each is here.
#[derive(Debug, Default)]
struct ZonesByTime {
    since: HashMap<Name, Instant>,
    order: BTreeSet<(Instant, Name)>,
}

impl ZonesByTime {
    fn set(&mut self, zone: &Name, since: Option<Instant>) {
        if self.since.get(zone).copied() == since {
            return;
        }
        if let Some(before) = self.since.remove(zone) {
            self.order.remove(&(before, zone.clone()));
        }
        if let Some(since) = since {
            self.since.insert(zone.clone(), since);
            self.order.insert((since, zone.clone()));
        }
    }

    fn facts(&self) -> Option<NotTaken> {
        let (since, first) = self.order.first()?;
        Some(NotTaken { zones: self.order.len(), first: first.clone(), since: *since })
    }
}

impl TargetTable {
    /// A NOTIFY was sent, or answered: what is known of the zone and the target now.
    pub(super) fn note(&self, zone: &Name, status: &TargetStatus) {
        let Targets { entries, .. } = &mut *locked(&self.targets);
        let has_place = || entries.values().filter(|entry| entry.is_told_apart).count() < MOST_TOLD_APART;
        let is_told_apart = entries.contains_key(&status.target.address) || has_place();
        let new = || TargetEntry { is_told_apart, ..TargetEntry::default() };
        let entry = entries.entry(status.target.address).or_insert_with(new);
        entry.silent.set(zone, status.unanswered);
        entry.refusing.set(zone, status.refused.map(|(_, since)| since));
        if let Some((rcode, _)) = status.refused {
            entry.rcode = rcode;
        }
    }

    /// What became of a NOTIFY: the RCODE of its answer, or none.
    pub(super) fn count(&self, address: SocketAddr, rcode: Option<u8>) {
        let mut targets = locked(&self.targets);
        let Some(entry) = targets.entries.get_mut(&address) else { return };
        let count = match rcode {
            Some(0) => &mut entry.counts.taken,
            Some(_) => &mut entry.counts.refused,
            None => &mut entry.counts.unanswered,
        };
        *count += 1;
    }

    /// A zone is not told of to a target any more.
    pub(super) fn forget(&self, zone: &Name, address: SocketAddr) {
        if let Some(entry) = locked(&self.targets).entries.get_mut(&address) {
            entry.silent.set(zone, None);
            entry.refusing.set(zone, None);
        }
    }

    /// Forgets the targets for which this does not hold.
    pub(super) fn retain(&self, is_configured: impl Fn(&SocketAddr) -> bool) {
        let Targets { entries, gone } = &mut *locked(&self.targets);
        entries.retain(|address, entry| {
            let stays = is_configured(address);
            if !stays && !entry.is_told_apart {
                *gone += entry.counts;
            }
            stays
        });
    }

    /// All targets; `None` if somebody notes something at this moment. Never blocks.
    pub fn facts(&self) -> Option<AllTargets> {
        let facts = |(address, entry): (&SocketAddr, &TargetEntry)| TargetFacts {
            address: *address,
            is_told_apart: entry.is_told_apart,
            counts: entry.counts,
            refusing: entry.refusing.facts(),
            rcode: entry.rcode,
            silent: entry.silent.facts(),
        };
        self.read(|targets| AllTargets {
            each: targets.entries.iter().map(facts).collect(),
            gone: targets.gone,
        })
    }

    /// The targets that do not take the NOTIFYs of a zone: since when each refuses them, and since when it does not answer them. Empty, too, if
    /// somebody notes something at this moment. Never blocks.
    pub fn of(&self, zone: &Name) -> Vec<(SocketAddr, Option<Instant>, Option<Instant>)> {
        let of_target = |(address, entry): (&SocketAddr, &TargetEntry)| {
            let since = |zones: &ZonesByTime| zones.since.get(zone).copied();
            let (refusing, silent) = (since(&entry.refusing), since(&entry.silent));
            refusing.or(silent).map(|_| (*address, refusing, silent))
        };
        self.read(|targets| targets.entries.iter().filter_map(of_target).collect()).unwrap_or_default()
    }

    fn read<T>(&self, read: impl FnOnce(&Targets) -> T) -> Option<T> {
        match self.targets.try_lock() {
            Ok(targets) => Some(read(&targets)),
            Err(TryLockError::Poisoned(targets)) => Some(read(&targets.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::notify::Target;

    #[test]
    fn the_sum_of_targets_that_are_not_told_apart_neither_falls_nor_jumps() {
        let table = TargetTable::default();
        let address = |last: usize| SocketAddr::from(([192, 0, 2, last as u8], 53));
        let note = |last: usize| {
            let target = Target { address: address(last), key: None };
            let (acknowledged, pending, given_up) = (None, None, None);
            let status =
                TargetStatus { target, acknowledged, pending, given_up, refused: None, unanswered: None };
            table.note(&"a.example.".parse().unwrap(), &status);
            table.count(address(last), Some(0));
        };
        let told = || {
            let AllTargets { each, mut gone } = table.facts().unwrap();
            let (apart, others): (Vec<_>, Vec<_>) = each.into_iter().partition(|it| it.is_told_apart);
            others.iter().for_each(|other| gone += other.counts);
            (apart.iter().map(|it| it.address).collect::<Vec<_>>(), gone.taken)
        };
        // One more than are told apart; then two that stand before all others.
        (2..=MOST_TOLD_APART + 2).for_each(note);
        let first: Vec<SocketAddr> = (2..MOST_TOLD_APART + 2).map(address).collect();
        assert_eq!(told(), (first.clone(), 1));
        (0..2).for_each(note);
        assert_eq!(told(), (first.clone(), 3));
        // One of the first goes, and one of the others: none of those that stay has another place.
        table.retain(|it| *it != address(2) && *it != address(0));
        assert_eq!(told(), (first[1..].to_vec(), 3));
        // A new one may have the place.
        note(200);
        assert_eq!(told(), ([&first[1..], &[address(200)]].concat(), 3));
    }
}
