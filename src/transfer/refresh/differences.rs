//! From which primaries differences are taken, and what is done with a newer version that only others have.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::publish::{Force, KeptGiver, KeptLineage, KeptStanding};
use crate::transfer::message::Soa;
use crate::wire::Serial;

use super::lineage::{BeforeTransfer, Comparison, DueComparison, Giver, Standing, TransferTurn};
use super::refused::RefusedTransfer;
use super::status::Phase;
use super::{Action, Now, Refresh, Transferred};

/// How long a newer version may be missing at the primaries that have what is served before it comes whole from another one: two servers
/// that follow one hub get a version a second or two apart, in either order.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two whole transfers because the serial of a primary went backwards REFRESH passes, or this time where that is longer: several
/// servers behind one address, of which one lags, look so at each version. A primary that was put back costs one transfer.
const MOST_FORK_PAUSE: Duration = Duration::from_secs(3600);
/// The same before a newer version of another primary, whose serial did not go backwards: it comes whole, too, once the other one has come
/// up to what is served, and its versions must not be held back by the other one for long.
const LEAST_FORK_PAUSE: Duration = Duration::from_secs(60);

impl Refresh {
    /// What is so before a transfer from this one.
    pub(super) fn before_transfer(&self, primary: usize) -> BeforeTransfer {
        BeforeTransfer {
            serial: self.served.map(|soa| soa.serial),
            was_another: self.is_forked(primary) || self.has_come_up(),
        }
    }

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

    /// Does what is to be done about the newer versions of these primaries, the freshest first. One that may not come yet holds back no
    /// version of another one.
    pub(super) fn take_newer(
        &mut self,
        mut primaries: Vec<usize>,
        (others, has_giver): (Vec<usize>, bool),
        now: Now,
    ) -> Option<Action> {
        let pauses = primaries.iter().filter_map(|primary| self.fork_pause(*primary, now));
        let until = pauses.min();
        primaries.retain(|primary| self.fork_pause(*primary, now).is_none());
        let Some(first) = primaries.first().copied() else { return self.put_off(until?, now) };
        match self.turn_of(first, (&others, has_giver), now) {
            TransferTurn::Now => {
                primaries.remove(0);
                let (told, served) = (self.seen.of(first), self.served.map(|soa| soa.serial));
                self.transfer(first, served, (Some(primaries).filter(|_| others.is_empty()), told))
            }
            TransferTurn::AfterOthers(until) => self.ask_more(others, Some(until)),
            TransferTurn::Later(until) => self.put_off(until, now),
        }
    }

    /// When the version of a primary is transferred, the freshest one; `others` were not asked, and `has_giver` says whether one has answered
    /// that has what is served.
    fn turn_of(&mut self, primary: usize, (others, has_giver): (&[usize], bool), now: Now) -> TransferTurn {
        if self.force_of(primary) != Force::No || self.gives_differences(primary) {
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

    /// Until when this one's version is not transferred whole again because a serial went backwards.
    pub(super) fn fork_pause(&self, primary: usize, now: Now) -> Option<Instant> {
        if self.force_of(primary) != Force::Forked {
            return None;
        }
        let most = if self.is_forked(primary) { MOST_FORK_PAUSE } else { LEAST_FORK_PAUSE };
        let until = self.forked_whole_at? + most.min(self.refresh_of(self.served?));
        (now.instant < until).then_some(until)
    }

    /// An order waits for no pause. One for all zones, or because a key changed, has none compared whose primaries agreed.
    pub(super) fn note_order(&mut self) {
        self.forked_whole_at = None;
        self.lineage.try_again();
    }

    /// An operator has named this zone.
    pub fn compare_soon(&mut self) {
        self.lineage.compare_soon();
    }

    /// A primary gave differences that do not fit what is served under that serial.
    pub fn parted(&mut self, now: Now) {
        self.lineage.parted(now.instant);
    }

    /// The version that is served now, where it is one that was refused when a primary gave it: somebody has accepted it.
    pub(super) fn accepted(&self, served: Option<Soa>) -> Option<(Soa, RefusedTransfer)> {
        let soa = served.filter(|_| !matches!(self.phase(), Phase::Transferring { .. }))?;
        Some((soa, self.refused.given(soa.serial)?))
    }

    /// Versions that waited are forgotten, and this is served, as it was before they came: who has it is not known any more, and who has other
    /// content, or whose serial went backwards, was known beside another version.
    pub fn fell_back(&mut self, now: Now, served: Option<Soa>) {
        self.refused.clear();
        self.serves(now, served);
        self.lineage.clear();
        self.seen.set_all_forked(false);
        self.behind = None;
    }

    /// What is served has changed, or is gone. The publisher may tell so before the transfer that brought it has ended.
    pub(super) fn note_served(&mut self, is_served: bool) {
        match (is_served, self.phase()) {
            (true, Phase::Transferring { .. }) => self.is_unexplained = true,
            (true, _) => self.lineage.served_otherwise(),
            (false, _) => {
                self.lineage.clear();
                self.seen.set_all_forked(false);
            }
        }
    }

    /// A transfer has ended. One that brought no version does not explain what is served meanwhile.
    pub(super) fn note_end(&mut self, end: Transferred) {
        let is_unexplained = std::mem::take(&mut self.is_unexplained);
        if is_unexplained && !matches!(end, Transferred::Served(_)) {
            self.lineage.served_otherwise();
        }
    }

    /// This primary gave the version that is in service now.
    pub(super) fn note_given(
        &mut self,
        now: Now,
        (primary, whole, before): (usize, bool, BeforeTransfer),
        soa: Soa,
    ) {
        self.seen.note(primary, soa.serial);
        self.served = Some(soa);
        if whole && before.was_another {
            // What is served is in its history, and in that of all who have that.
            self.seen.set_all_forked(false);
            self.forked_whole_at = Some(now.instant);
            self.lineage.parted(now.instant);
        }
        self.lineage.gave(primary, soa.serial, (whole, before.serial), now.instant);
    }

    /// Which primary is to be compared with what is served next; none while a round goes on, which may change that.
    pub fn comparison(&self) -> Option<DueComparison> {
        let serial = self.served.filter(|_| self.phase() == Phase::Idle)?.serial;
        let tells_served = |it: &usize| {
            self.seen.of(*it) == Some(serial) && !self.may_be_another(*it) && !self.seen.is_silent(*it)
        };
        let tell_served = (0..self.seen.count()).filter(tells_served);
        let (at, primary) = self.lineage.next_comparison(tell_served)?;
        let giver = self.lineage.giver().map(|giver| giver.primary).filter(|giver| *giver != primary);
        Some(DueComparison { at, primary, giver, serial, version: self.lineage.version() })
    }

    /// What a comparison has found.
    pub fn compared(&mut self, of: DueComparison, found: Comparison, now: Now) {
        self.lineage.compared(of, found, now.instant);
        self.take_whole_if_nobodys(now);
    }

    /// Where each primary has other content under the serial that is served, what is served is in the history of none of them: the next
    /// round takes it whole from one of them.
    fn take_whole_if_nobodys(&mut self, now: Now) {
        if self.lineage.is_nobodys() {
            self.seen.set_all_forked(true);
            self.wake_soon(now);
        }
    }

    /// A NOTIFY says that a primary has what is served: whether it is asked, because it had other content and had not told that serial.
    /// Then it can be compared soon, and the alarm ends soon after the repair.
    pub(super) fn may_be_repaired(&self, primary: Option<usize>, hint: Serial) -> bool {
        primary.is_some_and(|primary| {
            matches!(self.lineage.of(primary), Standing::Other(_)) && self.seen.of(primary) != Some(hint)
        })
    }

    /// Of which primaries nothing was kept, so that they are believed to have what is served.
    pub fn believed(&self, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
        let is_believed =
            |(primary, _): &(usize, &SocketAddr)| self.lineage.of(*primary) == Standing::Believed;
        addresses.iter().enumerate().filter(is_believed).map(|(_, address)| *address).collect()
    }

    /// With other primaries those that stay are believed still.
    pub fn restore_belief(&mut self, believed: &[SocketAddr], addresses: &[SocketAddr]) {
        let stay = addresses.iter().enumerate().filter(|(_, address)| believed.contains(address));
        stay.for_each(|(primary, _)| self.lineage.believe(primary));
    }

    /// What is kept over a restart of who has what is served, by the addresses of the primaries.
    pub fn kept_lineage(&self, addresses: &[SocketAddr]) -> Option<KeptLineage> {
        self.served?;
        let Some(served) = self.explained() else { return Some(KeptLineage::default()) };
        let giver = self.lineage.giver().and_then(|giver| {
            let primary = *addresses.get(giver.primary)?;
            Some(KeptGiver { primary, since: giver.since, until: served })
        });
        let other = self.lineage.kept_other().and_then(|(primary, standing)| {
            let (is_same, serial) = match standing {
                Standing::Same => (true, served),
                Standing::Other(serial) => (false, serial),
                Standing::Unknown | Standing::Believed => return None,
            };
            Some(KeptStanding { primary: *addresses.get(primary)?, is_same, serial })
        });
        let is_known = giver.is_some() || other.is_some() || !self.lineage.believes_all();
        is_known.then_some(KeptLineage { giver, other })
    }

    /// That was kept; a primary that is listed no more counts no more.
    pub fn restore_lineage(&mut self, kept: KeptLineage, addresses: &[SocketAddr]) {
        let Some(served) = self.served.map(|soa| soa.serial) else { return };
        let index = |address: SocketAddr| {
            // Two of one address, which differ in their keys, may have other contents.
            let mut with = addresses.iter().enumerate().filter(|(_, it)| **it == address);
            with.next().filter(|_| with.next().is_none()).map(|(primary, _)| primary)
        };
        let giver = kept.giver.and_then(|KeptGiver { primary, since, until }| {
            // What is served may be older than what was kept of it, where versions wait; and newer, because it was in service a little before
            // that could be kept: then another one may have given it, if there is another one.
            let has_given = !since.is_after(served) && (!served.is_after(until) || addresses.len() == 1);
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
        if self.lineage.is_nobodys() {
            self.seen.set_all_forked(true);
        }
    }
}
