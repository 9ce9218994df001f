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

/// What is known of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetFacts {
    /// Where it is.
    pub address: SocketAddr,
    /// NOTIFYs that it has taken.
    pub taken: u64,
    /// Those that it answered with an error.
    pub refused: u64,
    /// Those that it has not answered in time.
    pub unanswered: u64,
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
    targets: Arc<Mutex<BTreeMap<SocketAddr, TargetEntry>>>,
}

#[derive(Debug, Default)]
struct TargetEntry {
    taken: u64,
    refused: u64,
    unanswered: u64,
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
        let mut targets = locked(&self.targets);
        let entry = targets.entry(status.target.address).or_default();
        entry.silent.set(zone, status.unanswered);
        entry.refusing.set(zone, status.refused.map(|(_, since)| since));
        if let Some((rcode, _)) = status.refused {
            entry.rcode = rcode;
        }
    }

    /// What became of a NOTIFY: the RCODE of its answer, or none.
    pub(super) fn count(&self, address: SocketAddr, rcode: Option<u8>) {
        let mut targets = locked(&self.targets);
        let Some(entry) = targets.get_mut(&address) else { return };
        let count = match rcode {
            Some(0) => &mut entry.taken,
            Some(_) => &mut entry.refused,
            None => &mut entry.unanswered,
        };
        *count += 1;
    }

    /// A zone is not told of to a target any more.
    pub(super) fn forget(&self, zone: &Name, address: SocketAddr) {
        if let Some(entry) = locked(&self.targets).get_mut(&address) {
            entry.silent.set(zone, None);
            entry.refusing.set(zone, None);
        }
    }

    /// Forgets the targets for which this does not hold.
    pub(super) fn retain(&self, is_configured: impl Fn(&SocketAddr) -> bool) {
        locked(&self.targets).retain(|address, _| is_configured(address));
    }

    /// All targets, by address; `None` if somebody notes something at this moment. Never blocks.
    pub fn facts(&self) -> Option<Vec<TargetFacts>> {
        let facts = |(address, entry): (&SocketAddr, &TargetEntry)| TargetFacts {
            address: *address,
            taken: entry.taken,
            refused: entry.refused,
            unanswered: entry.unanswered,
            refusing: entry.refusing.facts(),
            rcode: entry.rcode,
            silent: entry.silent.facts(),
        };
        self.read(|targets| targets.iter().map(facts).collect())
    }

    /// The targets that do not take the NOTIFYs of a zone: since when each refuses them, and since when it does not answer them. Empty, too, if
    /// somebody notes something at this moment. Never blocks.
    pub fn of(&self, zone: &Name) -> Vec<(SocketAddr, Option<Instant>, Option<Instant>)> {
        let of_target = |(address, entry): (&SocketAddr, &TargetEntry)| {
            let since = |zones: &ZonesByTime| zones.since.get(zone).copied();
            (*address, since(&entry.refusing), since(&entry.silent))
        };
        let all = self.read(|targets| targets.iter().map(of_target).collect::<Vec<_>>());
        all.unwrap_or_default()
            .into_iter()
            .filter(|(_, refusing, silent)| refusing.or(*silent).is_some())
            .collect()
    }

    fn read<T>(&self, read: impl FnOnce(&BTreeMap<SocketAddr, TargetEntry>) -> T) -> Option<T> {
        match self.targets.try_lock() {
            Ok(targets) => Some(read(&targets)),
            Err(TryLockError::Poisoned(targets)) => Some(read(&targets.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}
