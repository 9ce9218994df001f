//! Versions with the serial that is served that may be others: of a zone that is listed again, and of a primary whose serial went
//! backwards.

use crate::wire::Serial;

use super::asking::Asking;
use super::status::Behind;
use super::told::{Another, ToldSerials};
use super::{Now, Refresh};

impl Refresh {
    /// It was out of service, and what was kept of it is served: its primaries may have another zone of this name now, whose serial has
    /// nothing to do with that one. They are asked at once.
    pub fn set_listed_again(&mut self, now: Now) {
        self.is_listed_again = self.served.is_some();
        self.due = now.instant;
    }

    /// A primary tells this serial. One that told a newer one, and has an older one than the served now, was put back, also where
    /// another primary has what is served.
    pub(super) fn note_told(&mut self, primary: usize, serial: Serial) {
        self.seen.note(primary, serial);
        let is_older = self.served.is_some_and(|served| served.serial.is_after(serial));
        if is_older && self.seen.has_fallen(primary) {
            self.set_forked(primary);
        }
    }

    /// It is proven that these had an older version after the one that is served.
    pub(super) fn note_forked(&mut self, primary: usize, others: impl Iterator<Item = usize>) {
        self.set_forked(primary);
        others.for_each(|other| self.set_forked(other));
    }

    /// Also over a restart: then it has not given what is served.
    fn set_forked(&mut self, primary: usize) {
        self.seen.set_forked(primary);
        self.lineage.forget(primary);
    }

    /// Whether what is served is not in the history of this primary.
    pub(super) fn is_forked(&self, primary: usize) -> bool {
        self.served.is_some() && self.seen.is_forked(primary)
    }

    /// Whether that is so of the server that sent a NOTIFY; of one that is no primary: of any of them.
    pub(super) fn may_be_forked(&self, primary: Option<usize>) -> bool {
        primary.map_or_else(|| self.seen.is_any_forked(), |primary| self.is_forked(primary))
    }

    /// Whether the serials of this primary may be those of another zone, or of other versions.
    pub(super) fn may_be_another(&self, primary: usize) -> bool {
        self.is_listed_again || self.is_forked(primary)
    }

    /// Whether a primary in whose history what is served is not has come up to its serial: then the others may have its versions by now, under
    /// serials that they had before.
    pub(super) fn has_come_up(&self) -> bool {
        let Some(served) = self.served.map(|soa| soa.serial) else { return false };
        let is_there = |told: Serial| !served.is_after(told);
        (0..self.seen.count()).any(|it| self.seen.is_forked(it) && self.seen.of(it).is_some_and(is_there))
    }

    /// Whether one who has the serial that is served may have another version under it.
    pub(super) fn another_under(&self, asking: &Asking, served: Option<Serial>) -> Option<Another> {
        let first = asking.with(served).into_iter().find(|it| self.may_be_another(*it))?;
        // It may have told another serial since it was asked.
        let told = self.seen.of(first).or(served);
        match told.is_some_and(|told| self.refused.contains(told)) {
            false => Some(Another::Wanted(first)),
            true if self.is_listed_again => None,
            true => Some(Another::Refused),
        }
    }

    /// Those of the primaries that may have something that is wanted.
    pub(super) fn without_refused(&self, mut primaries: Vec<usize>) -> Vec<usize> {
        primaries.retain(|primary| self.seen.of(*primary).is_none_or(|serial| self.is_wanted(serial)));
        primaries
    }

    /// Other primaries: where what is served was not in the history of one of the old ones, it may be in that of none of the new ones.
    pub(super) fn change_told(&mut self, primaries: usize) {
        let is_forked = self.seen.is_any_forked();
        self.seen = ToldSerials::new(primaries);
        self.seen.set_all_forked(is_forked);
        self.behind = self.behind.filter(|_| is_forked).map(|behind| Behind { primary: 0, ..behind });
    }

    /// The primary that is behind, with what it told last.
    pub(super) fn behind_now(&self) -> Option<Behind> {
        let behind = self.behind?;
        Some(Behind { serial: self.seen.of(behind.primary).unwrap_or(behind.serial), ..behind })
    }

    /// What is kept over a restart: the serial of a primary in whose history what is served is not, while no other has that.
    pub(super) fn forked(&self) -> Option<u32> {
        self.behind_now().filter(|behind| behind.is_proven).map(|behind| behind.serial.0)
    }

    /// That was kept. Which of the primaries it was does not matter: each may have another address since then.
    pub(super) fn restore_forked(&mut self, forked: Option<u32>) {
        let Some(serial) = forked else { return };
        self.behind = Some(Behind { primary: 0, serial: Serial(serial), is_proven: true });
        self.seen.set_all_forked(true);
    }
}
