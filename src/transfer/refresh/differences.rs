//! From which primaries differences are taken, and what is done with a newer version that only others have.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::publish::{Force, KeptGiver, KeptLineage, KeptStanding};
use crate::transfer::message::Soa;

use super::lineage::{Comparison, DueComparison, Giver, Standing, TransferTurn};
use super::status::Phase;
use super::{Now, Refresh};

/// How long a newer version may be missing at the primaries that have what is served before it comes whole from another one: two servers
/// that follow one hub get a version a second or two apart, in either order.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two whole transfers because the serial of a primary went backwards REFRESH passes, or this time where that is longer: several
/// servers behind one address, of which one lags, look so at each version. A primary that was put back costs one transfer.
const MOST_FORK_PAUSE: Duration = Duration::from_secs(3600);

impl Refresh {
    /// Whether the version of a primary is wanted whatever its serial.
    pub(super) fn force_of(&self, primary: usize) -> Force {
        match (self.is_forced, self.is_listed_again) {
            (true, _) => Force::Order,
            (false, true) => Force::Anew,
            (false, false) if self.is_forked(primary) || self.has_come_up() => Force::Forked,
            (false, false) => Force::No,
        }
    }

    /// Whether a primary has what is served, so that its differences make no mixture of two zones.
    pub(super) fn gives_differences(&self, primary: usize) -> bool {
        self.served.is_none() || (self.force_of(primary) == Force::No && self.lineage.has_served(primary))
    }

    /// How long the others may still answer after this one has told of a newer version.
    pub(super) fn grace_after(&self, primary: usize) -> Duration {
        match self.gives_differences(primary) || !self.lineage.has_any() {
            true => self.bounds.grace,
            false => PATIENCE,
        }
    }

    /// When the version of a primary is transferred, the freshest one; `others` were not asked, and `has_giver` says whether one has answered
    /// that has what is served.
    pub(super) fn turn_of(
        &mut self,
        primary: usize,
        (others, has_giver): (&[usize], bool),
        now: Now,
    ) -> TransferTurn {
        match self.force_of(primary) {
            Force::Forked => return self.fork_pause(now).map_or(TransferTurn::Now, TransferTurn::Later),
            Force::Anew | Force::Order => return TransferTurn::Now,
            Force::No => {}
        }
        if self.gives_differences(primary) {
            return TransferTurn::Now;
        }
        if others.iter().any(|other| self.lineage.has_served(*other)) {
            return TransferTurn::AfterOthers(now.instant + PATIENCE);
        }
        let until = *self.waits_since.get_or_insert(now.instant) + PATIENCE;
        match has_giver && now.instant < until {
            true => TransferTurn::Later(until),
            false => TransferTurn::Now,
        }
    }

    /// Until when nothing is transferred whole again because a serial went backwards.
    pub(super) fn fork_pause(&self, now: Now) -> Option<Instant> {
        if self.is_forced || self.is_listed_again {
            return None;
        }
        let until = self.forked_whole_at? + MOST_FORK_PAUSE.min(self.refresh_of(self.served?));
        (now.instant < until).then_some(until)
    }

    /// An operator's order waits for no pause.
    pub(super) fn note_order(&mut self) {
        self.forked_whole_at = None;
        self.lineage.compare_soon();
    }

    /// This primary gave the version that is in service now.
    pub(super) fn note_given(&mut self, now: Now, (primary, whole): (usize, bool), soa: Soa) {
        let was_another = self.is_forked(primary) || self.has_come_up();
        let before = self.served.map(|soa| soa.serial);
        self.seen.note(primary, soa.serial);
        self.served = Some(soa);
        if whole && was_another {
            // What is served is in its history, and in that of all who have that.
            self.seen.set_all_forked(false);
            self.forked_whole_at = Some(now.instant);
        }
        self.lineage.gave(primary, soa.serial, (whole, before), now.instant);
    }

    /// Which primary is to be compared with what is served next; none while a round goes on, which may change that.
    pub fn comparison(&self) -> Option<DueComparison> {
        let serial = self.served.filter(|_| self.phase() == Phase::Idle)?.serial;
        let tell_served = (0..self.seen.count())
            .filter(|it| self.seen.of(*it) == Some(serial) && !self.may_be_another(*it));
        let (at, primary) = self.lineage.next_comparison(tell_served)?;
        Some(DueComparison { at, primary, serial, version: self.lineage.version() })
    }

    /// What a comparison has found.
    pub fn compared(&mut self, of: DueComparison, found: Comparison, now: Now) {
        self.lineage.compared(of.primary, (of.version, of.serial), found, now.instant);
    }

    /// What is kept over a restart of who has what is served, by the addresses of the primaries.
    pub fn kept_lineage(&self, addresses: &[SocketAddr]) -> Option<KeptLineage> {
        let served = self.served?.serial;
        let giver = self.lineage.giver().and_then(|giver| {
            let primary = *addresses.get(giver.primary)?;
            Some(KeptGiver { primary, since: giver.since })
        });
        let other = self.lineage.kept_other().and_then(|(primary, standing)| {
            let (is_same, serial) = match standing {
                Standing::Same => (true, served),
                Standing::Other(serial) => (false, serial),
                Standing::Unknown => return None,
            };
            Some(KeptStanding { primary: *addresses.get(primary)?, is_same, serial })
        });
        let is_known = giver.is_some() || other.is_some() || !self.lineage.believes_all();
        is_known.then_some(KeptLineage { giver, other })
    }

    /// That was kept; a primary that is listed no more counts no more.
    pub fn restore_lineage(&mut self, kept: KeptLineage, addresses: &[SocketAddr]) {
        let Some(served) = self.served.map(|soa| soa.serial) else { return };
        let index = |address: SocketAddr| addresses.iter().position(|it| *it == address);
        let giver = kept.giver.and_then(|KeptGiver { primary, since }| {
            // What is served may be older than what was kept of it, where versions wait, and newer, because each change of the giver is kept at
            // once, and what it gives after that a little later.
            let has_given = !since.is_after(served);
            index(primary).filter(|_| has_given).map(|primary| Giver { primary, since })
        });
        let other = kept.other.and_then(|KeptStanding { primary, is_same, serial }| {
            let standing = match is_same {
                true if serial == served => Standing::Same,
                true => return None,
                false => Standing::Other(serial),
            };
            Some((index(primary)?, standing))
        });
        self.lineage.restore(giver, other);
    }
}
