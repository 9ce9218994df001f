//! Which primaries have what is served, as far as it is proven: serials alone do not say so.
//!
//! Two primaries that were edited apart have other content under one serial, and differences that one of them gives from that serial on
//! make a mixture with the content of the other one. So who gave what is served is known, and who was compared with it. All that is
//! known holds for the version that is served, and for no other: two primaries that agree may part at the next one.

use std::time::{Duration, Instant};

use crate::wire::Serial;

/// After a comparison that found the same content, of whichever version: a day; it doubles from one of those to the next, up to eight days. So
/// zones that change each day and whose primaries have agreed for long cost each of them one whole transfer in eight days.
const SAME_AGAIN: Duration = Duration::from_secs(86_400);
const MOST_SAME_AGAIN: Duration = Duration::from_secs(8 * 86_400);
/// After one that found other content, or that failed: an hour, so that the alarm ends soon after the reason has, and a primary that
/// refuses transfers is not asked all the time.
const OTHER_AGAIN: Duration = Duration::from_secs(3600);
/// The same after one without a result: it doubles from one of those to the next, up to a day. So a zone that always changes meanwhile, and a
/// primary that always refuses, cost little. Of a zone that is too large it is as after one that found the same, unless the primary is known
/// to have other content: then an alarm waits for its end.
const MOST_AGAIN: Duration = Duration::from_secs(86_400);
/// The same where another version is served since then, which may have ended it; and after a version that changed meanwhile.
const CHANGED_AGAIN: Duration = Duration::from_secs(60);

/// What is known of the content of one primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    #[default]
    Unknown,
    /// Nothing was kept of the version that is served, by a build that knew nothing of this: then each primary is believed to have it until
    /// one has given a version or was compared. Otherwise each zone would come whole once after an upgrade.
    Believed,
    /// It gave what is served, or it was compared and has the same content.
    Same,
    /// It had other content than was served under this serial. So it stays until a comparison, or a transfer, says that it has what is
    /// served: later serials of it follow from that content.
    Other(Serial),
}

/// What a comparison of a primary with what is served has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same content under the same serial.
    Same,
    /// Other content under the same serial.
    Other,
    /// The same, and the one that gave what is served has not that content either: it is what is served that differs.
    NobodyHas,
    /// One of both has another serial by now.
    Moved,
    /// The zone did not come.
    Failed,
    /// It is too large to be compared.
    TooLarge,
}

/// Two primaries that have other content under one serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// Whose content is served; `None` where that is no primary any more.
    pub giver: Option<usize>,
    /// Who has other content.
    pub other: usize,
    /// Under which serial that was found.
    pub serial: Serial,
}

/// A primary that is to be compared with what is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueComparison {
    /// Not before this time.
    pub at: Instant,
    /// Its index.
    pub primary: usize,
    /// Who gave what is served, if that is another primary: one that has other content is told only when this one has it still.
    pub giver: Option<usize>,
    /// The serial that it told, and that is served.
    pub serial: Serial,
    /// A number of the version that is served.
    pub version: u64,
}

/// When a newer version is transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransferTurn {
    Now,
    /// Others may have it, and have what is served, too: they are asked first, and may answer until then.
    AfterOthers(Instant),
    Later(Instant),
}

/// What was so when a transfer began.
#[derive(Clone, Copy, Debug)]
pub(super) struct BeforeTransfer {
    /// What was served.
    pub(super) serial: Option<Serial>,
    /// Whether the primary, or one that has come up to what was served, may have had another version under a serial that was served.
    pub(super) was_another: bool,
}

/// The primary that gave what is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Giver {
    pub(super) primary: usize,
    /// It has had every version that was served from this one on.
    pub(super) since: Serial,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Lineage {
    standings: Vec<Standing>,
    giver: Option<Giver>,
    /// Counts the versions that are served.
    version: u64,
    /// When each may be compared next.
    compare_at: Vec<Instant>,
    /// How many comparisons of each in a row had no result.
    fruitless: Vec<u32>,
    /// How many of each since the last one with a result found the zone too large.
    too_large: Vec<u32>,
    /// How many of each in a row have found the same content.
    agreed: Vec<u32>,
    /// A time that is over.
    began: Instant,
}

impl Lineage {
    pub(super) fn new(primaries: usize, now: Instant) -> Self {
        Self {
            standings: vec![Standing::Unknown; primaries],
            giver: None,
            version: 0,
            compare_at: vec![now; primaries],
            fruitless: vec![0; primaries],
            too_large: vec![0; primaries],
            agreed: vec![0; primaries],
            began: now,
        }
    }

    /// Nothing was kept.
    pub(super) fn believe_all(&mut self) {
        (0..self.standings.len()).for_each(|primary| self.believe(primary));
    }

    /// The same of one of which nothing else is known.
    pub(super) fn believe(&mut self, primary: usize) {
        if self.of(primary) == Standing::Unknown {
            self.set(primary, Standing::Believed);
        }
    }

    /// Nobody is believed any more.
    fn believe_none(&mut self) {
        for standing in &mut self.standings {
            if *standing == Standing::Believed {
                *standing = Standing::Unknown;
            }
        }
    }

    /// Whether nothing is known at all.
    pub(super) fn believes_all(&self) -> bool {
        self.standings.iter().all(|standing| *standing == Standing::Believed)
    }

    /// Whether each primary has other content than is served.
    pub(super) fn is_nobodys(&self) -> bool {
        let is_other = |standing: &Standing| matches!(standing, Standing::Other(_));
        !self.standings.is_empty() && self.standings.iter().all(is_other)
    }

    pub(super) fn of(&self, primary: usize) -> Standing {
        self.standings.get(primary).copied().unwrap_or_default()
    }

    /// Whether this one has what is served, so that its differences fit.
    pub(super) fn has_served(&self, primary: usize) -> bool {
        matches!(self.of(primary), Standing::Same | Standing::Believed)
    }

    /// Whether that is so of any of them.
    pub(super) fn has_any(&self) -> bool {
        (0..self.standings.len()).any(|primary| self.has_served(primary))
    }

    pub(super) fn giver(&self) -> Option<Giver> {
        self.giver
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// This one gave the version that is served now, whole or as differences from the one `before`.
    pub(super) fn gave(
        &mut self,
        primary: usize,
        serial: Serial,
        (whole, before): (bool, Option<Serial>),
        now: Instant,
    ) {
        let parted = match (self.of(primary), self.giver) {
            // What is served from now on is of the other history: the giver until now has other content than that.
            (Standing::Other(serial), Some(giver)) if whole && giver.primary != primary => {
                Some((giver.primary, serial))
            }
            _ => None,
        };
        let was_proven = self.of(primary) == Standing::Same || self.standings.len() == 1;
        if whole && self.is_nobodys() {
            // That was of what was served, which no primary had.
            self.standings.fill(Standing::Unknown);
            self.compare_soon();
        }
        self.served_anew();
        if let Some((other, serial)) = parted {
            self.set(other, Standing::Other(serial));
        }
        self.set(primary, Standing::Same);
        let since = match (self.giver, before) {
            (Some(giver), _) if giver.primary == primary => giver.since,
            // One that is believed only has not been proven to have the version before; but where there is but one, nobody else gave it.
            (_, Some(before)) if !whole && was_proven => before,
            _ => serial,
        };
        self.giver = Some(Giver { primary, since });
        for ((standing, at), fruitless) in
            self.standings.iter().zip(&mut self.compare_at).zip(&self.fruitless)
        {
            if matches!(standing, Standing::Other(_)) {
                *at = (*at).min(now + doubled(CHANGED_AGAIN, *fruitless, MOST_AGAIN));
            }
        }
    }

    /// Another version is served than before: who had that one may not have this one.
    fn served_anew(&mut self) {
        self.version += 1;
        for standing in &mut self.standings {
            if matches!(standing, Standing::Same | Standing::Believed) {
                *standing = Standing::Unknown;
            }
        }
    }

    /// A version is served that no primary gave.
    pub(super) fn served_otherwise(&mut self) {
        self.served_anew();
        self.giver = None;
    }

    /// Nothing is served.
    pub(super) fn clear(&mut self) {
        self.served_otherwise();
        self.standings.fill(Standing::Unknown);
    }

    /// What this one gave is not in its history any more.
    pub(super) fn forget(&mut self, primary: usize) {
        if self.of(primary) == Standing::Same {
            self.set(primary, Standing::Unknown);
        }
        self.giver = self.giver.filter(|giver| giver.primary != primary);
        self.believe_none();
        self.agreed.fill(0);
    }

    /// It is proven that primaries have other content, or had: that they agreed before says nothing any more.
    pub(super) fn parted(&mut self, now: Instant) {
        self.agreed.fill(0);
        for at in &mut self.compare_at {
            *at = (*at).min(now + OTHER_AGAIN);
        }
    }

    /// A primary was compared with what is served.
    pub(super) fn compared(&mut self, of: DueComparison, found: Comparison, now: Instant) {
        let DueComparison { primary, serial, .. } = of;
        let found = if of.version == self.version { found } else { Comparison::Moved };
        let count = |counts: &[u32]| counts.get(primary).copied().unwrap_or(0);
        let (fruitless, agreed) = (count(&self.fruitless), count(&self.agreed));
        let too_large = count(&self.too_large);
        let has_result = !matches!(found, Comparison::Moved | Comparison::Failed | Comparison::TooLarge);
        let again = match found {
            Comparison::Same => {
                self.set(primary, Standing::Same);
                self.believe_none();
                self.giver.get_or_insert(Giver { primary, since: serial });
                doubled(SAME_AGAIN, agreed, MOST_SAME_AGAIN)
            }
            Comparison::Other | Comparison::NobodyHas => {
                self.set(primary, Standing::Other(serial));
                self.giver = self.giver.filter(|giver| giver.primary != primary);
                if let Some(giver) = self.giver.take_if(|_| found == Comparison::NobodyHas) {
                    self.set(giver.primary, Standing::Other(serial));
                    let same = self.standings.iter().position(|standing| *standing == Standing::Same);
                    self.giver = same.map(|primary| Giver { primary, since: serial });
                }
                OTHER_AGAIN
            }
            Comparison::Moved => doubled(CHANGED_AGAIN, fruitless, MOST_AGAIN),
            Comparison::Failed => doubled(OTHER_AGAIN, fruitless, MOST_AGAIN),
            Comparison::TooLarge if matches!(self.of(primary), Standing::Other(_)) => {
                doubled(OTHER_AGAIN, too_large, MOST_AGAIN)
            }
            Comparison::TooLarge => doubled(SAME_AGAIN, too_large, MOST_SAME_AGAIN),
        };
        if let Some(at) = self.compare_at.get_mut(primary) {
            *at = now + again;
        }
        if let Some(fruitless) = self.fruitless.get_mut(primary) {
            *fruitless = if has_result { 0 } else { fruitless.saturating_add(1) };
        }
        if let Some(too_large) = self.too_large.get_mut(primary) {
            match found {
                Comparison::TooLarge => *too_large = too_large.saturating_add(1),
                _ if has_result => *too_large = 0,
                _ => {}
            }
        }
        if let Some(agreed) = self.agreed.get_mut(primary).filter(|_| has_result) {
            *agreed = if found == Comparison::Same { agreed.saturating_add(1) } else { 0 };
        }
    }

    /// Of those primaries that tell the serial that is served: which is to be compared next, and when at the earliest.
    pub(super) fn next_comparison(
        &self,
        tell_served: impl Iterator<Item = usize>,
    ) -> Option<(Instant, usize)> {
        let is_wanted = |primary: &usize| match self.of(*primary) {
            Standing::Same => false,
            // Where there is but one, there is nobody whom it may contradict.
            Standing::Believed => self.standings.len() > 1,
            Standing::Unknown | Standing::Other(_) => true,
        };
        let wanted = tell_served.filter(is_wanted);
        wanted.filter_map(|primary| Some((*self.compare_at.get(primary)?, primary))).min()
    }

    /// An operator wants to know it now.
    pub(super) fn compare_soon(&mut self) {
        self.compare_at.fill(self.began);
        self.fruitless.fill(0);
        self.too_large.fill(0);
        self.agreed.fill(0);
    }

    /// What kept comparisons from a result may have ended. Primaries that agreed are left alone: this may be of all zones.
    pub(super) fn try_again(&mut self) {
        let counts = self.fruitless.iter().zip(&self.agreed);
        for (at, (fruitless, agreed)) in self.compare_at.iter_mut().zip(counts) {
            if *agreed == 0 || *fruitless > 0 {
                *at = self.began;
            }
        }
        self.fruitless.fill(0);
        self.too_large.fill(0);
    }

    /// Two that have other content under one serial. Where each of them has other content than is served, it is only what is served that differs.
    pub(super) fn contradiction(&self) -> Option<Contradiction> {
        let other = |(primary, standing): (usize, &Standing)| match standing {
            Standing::Other(serial) => Some((primary, *serial)),
            _ => None,
        };
        let (other, serial) =
            self.standings.iter().enumerate().find_map(other).filter(|_| !self.is_nobodys())?;
        Some(Contradiction { giver: self.giver.map(|giver| giver.primary), other, serial })
    }

    /// As it was kept: the giver, if there is one, and what is known of another one.
    pub(super) fn restore(&mut self, giver: Option<Giver>, other: Option<(usize, Standing)>) {
        self.believe_none();
        self.giver = giver;
        if let Some(giver) = giver {
            self.set(giver.primary, Standing::Same);
        }
        if let Some((primary, standing)) = other {
            self.set(primary, standing);
        }
    }

    /// What is kept beside the giver: the one with other content, or one with the same.
    pub(super) fn kept_other(&self) -> Option<(usize, Standing)> {
        let giver = self.giver.map(|giver| giver.primary);
        let others =
            || self.standings.iter().copied().enumerate().filter(|(primary, _)| Some(*primary) != giver);
        let parted = others().find(|(_, standing)| matches!(standing, Standing::Other(_)));
        parted.or_else(|| others().find(|(_, standing)| *standing == Standing::Same))
    }

    fn set(&mut self, primary: usize, standing: Standing) {
        if let Some(it) = self.standings.get_mut(primary) {
            *it = standing;
        }
    }
}

/// A pause after so many of the same kind before.
fn doubled(pause: Duration, before: u32, most: Duration) -> Duration {
    pause.saturating_mul(1 << before.min(16)).min(most)
}
