//! What the publisher says about itself: facts for health and policy, and for the operator.

use std::fmt;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rpds::{ListSync, RedBlackTreeMapSync};

use crate::wire::{Name, Serial};
use crate::zone::Expiry;

use crate::publish::fault::{Fault, SourceFault};
use crate::publish::verify::Signatures;

/// How a zone stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneState {
    /// Not read yet; only while the first load goes on.
    Waiting,
    /// The newest version is in service.
    Serving,
    /// An older version is in service; [`ZoneReport::faults`] says why.
    Kept,
    /// Nothing is in service; [`ZoneReport::faults`] says why.
    Refused,
}

/// Where a zone's file is, as far as the configured sources tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilePresence {
    /// No source has one, and none is missed.
    #[default]
    None,
    /// A source has one, and what is served came from a file.
    There,
    /// A source has one of which nothing is served: it is broken, or was refused, and what is served is of a primary.
    Unused,
    /// It was there, and no source has it since then; one that was there before a restart, since the sources were first looked at.
    Gone(Instant),
    /// It was there, and nothing is known of it: its directory cannot be read, does not answer, or has gone itself.
    Unknown,
}

impl FilePresence {
    /// Whether the zone is one of a file, also while that is away.
    pub fn is_expected(self) -> bool {
        self != Self::None
    }
}

/// One zone.
#[derive(Clone, Debug)]
pub struct ZoneReport {
    /// How it stands.
    pub state: ZoneState,
    /// When it began to stand so; a new version that is served like the one before begins nothing.
    pub since: SystemTime,
    /// The serial that is served.
    pub serial: Option<Serial>,
    /// The serial that its file gave last, if that is another one: it was raised here, or differences led on from it.
    pub source_serial: Option<Serial>,
    /// How many records are served.
    pub records: usize,
    /// Where the version that is served came from: its file, or in words; or the file that should be served.
    pub source: Arc<Path>,
    /// Where its zone file is.
    pub file: FilePresence,
    /// When the version that is served was accepted.
    pub accepted_at: Option<SystemTime>,
    /// Whether the version that is served survives a restart without its source: it is in the state directory. That
    /// comes soon after it is served; see [`Report::unkept`].
    pub durable: bool,
    /// What the state directory had of the zone when it came, with the start or later, and when that was accepted: what was served before.
    pub kept_version: Option<(Serial, SystemTime)>,
    /// Which of the zones of this name it is: one that left and came back has another number, and so has one that began anew; a later one
    /// has a higher number. Not kept over a restart.
    pub number: u64,
    /// Whether another zone had this name before, in this process: what was known of that one says nothing of this one.
    pub is_another: bool,
    /// The serial of a version that was refused and that [`accept`](crate::publish::PublisherHandle::accept) would let pass.
    pub refused_serial: Option<Serial>,
    /// The signatures of the version that is served, if it is signed and was looked at.
    pub signatures: Option<Signatures>,
    /// Whether what is served may still be believed: a fact about a zone that comes from primaries.
    pub expiry: Expiry,
    /// Whether it is a catalog zone: secondaries get it, and it is not answered from.
    pub is_catalog: bool,
    /// Whether new versions of it come from primaries, by the configuration or a catalog.
    pub is_from_primaries: bool,
    /// What is wrong, each one line of bounded length, four at most; empty while all is well.
    pub faults: Vec<Fault>,
}

/// Whether changes are heard at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WatchState {
    /// Yes.
    #[default]
    Ok,
    /// Not all of them: the rest is found at the next regular look.
    Degraded {
        /// Why.
        reason: String,
    },
}

/// How far a look at all zones is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Zones that were looked at, whatever came of it.
    pub zones: usize,
    /// All zones that were found.
    pub of: usize,
    /// How long it has taken.
    pub elapsed: Duration,
    /// Octets read of the large file that is in work, and how many it has.
    pub file: Option<(u64, u64)>,
    /// How long it will still take, if it goes on as it did.
    pub remaining: Option<Duration>,
}

impl fmt::Display for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elapsed = self.elapsed.as_secs_f64();
        write!(formatter, "looked at {} of {} zones in {elapsed:.1} s", self.zones, self.of)?;
        if let Some((read, of)) = self.file {
            write!(formatter, ", read {} of {} MB of a large one", read / 1_000_000, of / 1_000_000)?;
        }
        self.remaining
            .map_or(Ok(()), |left| write!(formatter, ", about {:.0} s left", left.as_secs_f64().ceil()))
    }
}

/// Names of changed zones that a report remembers; who has missed more walks all zones once.
const MOST_CHANGES: usize = 256;

/// Zones by name, in canonical order; a copy shares what is the same.
pub type ReportedZones = RedBlackTreeMapSync<Name, Arc<ZoneReport>>;

/// Everything the publisher knows, at one moment. A copy of which one zone is changed costs the same however many zones there
/// are.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Whether every zone is loaded, restored or refused with a reason. Once true it stays true.
    pub settled: bool,
    /// Every zone that is configured, found or still served; changed by [`put`](Self::put) and [`take_out`](Self::take_out).
    pub zones: ReportedZones,
    /// How many zones are served in a version that is not yet in the state directory; 0 without such a directory.
    pub unkept: usize,
    /// How far a look is that takes long.
    pub progress: Option<Progress>,
    /// What is wrong beside any one zone.
    pub faults: Vec<SourceFault>,
    /// Whether changes are heard at once.
    pub watch: WatchState,
    /// Looks at all sources so far, whatever the reason.
    pub reloads: u64,
    /// Looks that were due to a full queue of the watcher.
    pub rescans: u64,
    /// Whether the publisher's task has ended; what is published stays published.
    pub stopped: bool,
    /// Whether there is a state directory to keep versions in.
    pub(super) keeps: bool,
    served: usize,
    /// How often a zone came into service or left it.
    served_changes: u64,
    not_durable: usize,
    faulty: usize,
    /// How many changes of zones there were, and the names of the last ones.
    changes: u64,
    last_changed: ListSync<Name>,
    /// The ones before those, as many as there may be: both together have [`MOST_CHANGES`] at least once there were so many.
    changed_before: ListSync<Name>,
}

impl ZoneReport {
    /// Whether the zone is in service.
    pub fn is_served(&self) -> bool {
        matches!(self.state, ZoneState::Serving | ZoneState::Kept)
    }

    /// Whether names in it are answered from it: it is in service, has not expired, and is no catalog.
    pub fn is_answered(&self) -> bool {
        self.is_served() && !self.is_catalog && self.expiry != Expiry::Expired
    }

    /// Whether it counts among the zones in service: not a catalog.
    fn counts(&self) -> bool {
        self.is_served() && !self.is_catalog
    }

    fn is_unkept(&self) -> bool {
        self.is_served() && !self.durable
    }
}

impl Report {
    /// Whether what is accepted is kept in a state directory.
    pub fn keeps(&self) -> bool {
        self.keeps
    }

    /// How many zones are in service, catalogs aside.
    pub fn served(&self) -> usize {
        self.served
    }

    /// The zone that comes after this one in canonical order, or the first of all, of those that are answered from.
    pub fn served_after(&self, zone: Option<&Name>) -> Option<&Name> {
        if self.served == 0 {
            return None;
        }
        let start = zone.map_or(Bound::Unbounded, Bound::Excluded);
        let mut zones = self.zones.range((start, Bound::Unbounded));
        zones.find(|(_, zone)| zone.is_answered()).map(|(name, _)| name)
    }

    /// How often a zone came into service, left it, expired or was confirmed again: while this is the same, so are they.
    pub fn served_changes(&self) -> u64 {
        self.served_changes
    }

    /// How many zones have a fault.
    pub fn faulty(&self) -> usize {
        self.faulty
    }

    /// Whether names in this zone are answered from it.
    pub fn answers(&self, zone: &Name) -> bool {
        self.zones.get(zone).is_some_and(|zone| zone.is_answered())
    }

    /// Whether this zone is in service, expired or not: an expiry is a fact, never a reason to withdraw.
    pub fn serves(&self, zone: &Name) -> bool {
        self.zones.get(zone).is_some_and(|zone| zone.is_served())
    }

    /// Replaces what is said of a zone.
    pub fn put(&mut self, name: Name, zone: impl Into<Arc<ZoneReport>>) {
        let zone = zone.into();
        // The first report takes all zones in order: one comparison tells that a name is new.
        let is_new = self.zones.last().is_none_or(|(last, _)| *last < name);
        let was_answered = !is_new && self.forget(&name);
        self.faulty += usize::from(!zone.faults.is_empty());
        self.not_durable += usize::from(zone.is_unkept());
        self.served += usize::from(zone.counts());
        self.served_changes += u64::from(was_answered != zone.is_answered());
        self.note_change(&name);
        self.zones.insert_mut(name, zone);
    }

    /// Says nothing of a zone any more.
    pub fn take_out(&mut self, name: &Name) {
        self.served_changes += u64::from(self.forget(name));
        if self.zones.remove_mut(name) {
            self.note_change(name);
        }
    }

    /// The zones that changed since there were so many changes, the last one first; `None` if they are not known any more. Costs what
    /// there were changes.
    pub fn changed_since(&self, changes: u64) -> Option<impl Iterator<Item = &Name>> {
        let missed = usize::try_from(self.changes.checked_sub(changes)?).ok()?;
        let known = self.last_changed.len() + self.changed_before.len();
        let last = || self.last_changed.iter().chain(self.changed_before.iter());
        (missed <= known.min(MOST_CHANGES)).then(|| last().take(missed))
    }

    /// How many changes of zones there were.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Takes a zone out of all counts; whether it was answered from.
    fn forget(&mut self, name: &Name) -> bool {
        let Some(before) = self.zones.get(name) else { return false };
        self.faulty -= usize::from(!before.faults.is_empty());
        self.not_durable -= usize::from(before.is_unkept());
        self.served -= usize::from(before.counts());
        before.is_answered()
    }

    fn note_change(&mut self, name: &Name) {
        self.unkept = if self.keeps { self.not_durable } else { 0 };
        self.changes += 1;
        self.last_changed.push_front_mut(name.clone());
        if self.last_changed.len() == MOST_CHANGES {
            self.changed_before = std::mem::take(&mut self.last_changed);
        }
    }
}

impl FromIterator<(Name, ZoneReport)> for Report {
    fn from_iter<I: IntoIterator<Item = (Name, ZoneReport)>>(zones: I) -> Self {
        let mut report = Self { settled: true, keeps: true, ..Self::default() };
        zones.into_iter().for_each(|(name, zone)| report.put(name, zone));
        report
    }
}

#[cfg(test)]
#[path = "../../tests/unit/publish/report.rs"]
mod tests;
