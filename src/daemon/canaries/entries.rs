//! The zones under canaries: a state machine each, when each is due, and how many stand how.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rpds::RedBlackTreeMapSync;

use crate::config::CanaryGroup;
use crate::publish::KeptRelease;
use crate::transfer::canary::{CanaryState, CanaryVersion, CanaryZone};
use crate::wire::Name;
use crate::zone::Zone;

use super::facts::{CanaryFact, WaitingZone};
use super::known::KnownRelease;

/// The first pause before the released version is made again from the history; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// What doubling never exceeds: the history is read each time.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A zone that is due again at once waits so long: what it is due for could not be done.
const LEAST_TURN: Duration = Duration::from_millis(50);

/// One zone.
#[derive(Debug)]
pub(super) struct CanaryEntry {
    /// The index of its group.
    pub(super) group: usize,
    pub(super) machine: CanaryZone,
    /// Tells answers to questions of an earlier group from those of this one.
    pub(super) generation: u64,
    /// Which of the zones of its name it is, as the report numbers them.
    pub(super) number: u64,
    /// The newest version, while it is on trial.
    pub(super) offered: Option<Arc<Zone>>,
    /// The version for the others is not there; `None`: it is.
    pub(super) missing: Option<MissingVersion>,
    /// Why it was halted without an order: a canary became unhealthy.
    pub(super) stopped: Option<String>,
    /// What the state directory has of it, or is to have.
    pub(super) row: Option<KeptRelease>,
    armed: Option<Instant>,
    /// What counts it.
    counted: Option<Counted>,
}

/// The version for the others is to be made again from the history.
#[derive(Clone, Copy, Debug)]
pub(super) struct MissingVersion {
    /// When; `None` while it is its turn.
    pub(super) at: Option<Instant>,
    /// How long it is put off if that fails.
    pause: Duration,
}

/// What counts a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    group: usize,
    state: CanaryState,
    is_withheld: bool,
    is_stopped: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) zones: BTreeMap<Name, CanaryEntry>,
    timers: BTreeSet<(Instant, Name)>,
    states: BTreeMap<(usize, CanaryState), BTreeSet<Name>>,
    withheld: BTreeMap<usize, BTreeSet<Name>>,
    stopped: BTreeMap<usize, BTreeSet<Name>>,
    /// The zones of which something is to be told.
    pub(super) waiting: RedBlackTreeMapSync<Name, WaitingZone>,
    /// How often that has changed, in the life of the process.
    pub(super) changes: u64,
    generation: u64,
}

impl CanaryEntry {
    /// When something is to be done.
    fn due(&self) -> Option<Instant> {
        self.machine.due().into_iter().chain(self.missing.and_then(|missing| missing.at)).min()
    }

    /// What is kept of it over a restart.
    pub(super) fn kept(&self) -> KeptRelease {
        let (is_halted, is_unhealthy) = (self.machine.is_halted(), self.stopped.is_some());
        KeptRelease { is_halted, is_unhealthy, ..self.kept_with(self.machine.released_version()) }
    }

    /// The same, for when the zone comes again.
    pub(super) fn known(&self) -> KnownRelease {
        KnownRelease { kept: self.kept(), number: self.number }
    }

    /// What is kept of it once the others have this version.
    pub(super) fn kept_with(&self, released: CanaryVersion) -> KeptRelease {
        let highest = self.machine.highest_beside(released);
        KeptRelease {
            accepted_at: released.accepted_at,
            highest: highest.map(|it| (it.serial, it.accepted_at)),
            ..KeptRelease::running(released.serial)
        }
    }

    /// The version for the others was not to be had; it is tried again.
    pub(super) fn try_later(&mut self, now: Instant) {
        let pause = self.missing.map_or(FIRST_PAUSE, |missing| (missing.pause * 2).min(LONGEST_PAUSE));
        self.missing = Some(MissingVersion { at: Some(now + pause), pause });
    }

    /// Whether it is time to make the version for the others again; then it is its turn.
    pub(super) fn take_turn(&mut self, now: Instant) -> bool {
        let missing = self.missing.as_mut().filter(|missing| missing.at.is_some_and(|at| at <= now));
        missing.is_some_and(|missing| missing.at.take().is_some())
    }

    fn waiting(&self, group: &CanaryGroup, now: Instant) -> WaitingZone {
        let lacking = group.secondaries.iter().zip(self.machine.serving());
        let lacking = lacking.filter(|(_, serves)| !serves).map(|(secondary, _)| secondary.address);
        WaitingZone {
            group: self.group,
            state: self.machine.state(now),
            released: self.machine.released(),
            is_withheld: self.missing.is_some(),
            stopped: self.stopped.clone(),
            since: self.machine.since(),
            lacking: if self.machine.since().is_some() { lacking.collect() } else { Vec::new() },
        }
    }
}

impl Entries {
    /// A zone that was not there, or belonged to another group.
    pub(super) fn add(
        &mut self,
        name: Name,
        (group, machine): (usize, CanaryZone),
        missing: Option<Instant>,
    ) {
        self.remove(&name);
        self.generation += 1;
        let missing = missing.map(|at| MissingVersion { at: Some(at), pause: FIRST_PAUSE });
        let entry = CanaryEntry {
            group,
            machine,
            generation: self.generation,
            number: 0,
            offered: None,
            missing,
            stopped: None,
            row: None,
            armed: None,
            counted: None,
        };
        self.zones.insert(name, entry);
    }

    /// Whether the zone was there.
    pub(super) fn remove(&mut self, name: &Name) -> bool {
        let Some(entry) = self.zones.remove(name) else { return false };
        if let Some(armed) = entry.armed {
            self.timers.remove(&(armed, name.clone()));
        }
        self.uncount(name, entry.counted);
        self.changes += u64::from(self.waiting.remove_mut(name));
        true
    }

    /// Gives all zones away and begins without one.
    pub(super) fn take(&mut self) -> BTreeMap<Name, CanaryEntry> {
        let fresh = Self { changes: self.changes + 1, generation: self.generation, ..Self::default() };
        std::mem::replace(self, fresh).zones
    }

    /// After each change of a zone: when it is due, and how it counts.
    pub(super) fn settle(&mut self, name: &Name, groups: &Arc<[CanaryGroup]>, now: Instant) {
        let Some(entry) = self.zones.get_mut(name) else { return };
        let due = entry.due().map(|due| if due > now { due } else { now + LEAST_TURN });
        if due != entry.armed {
            if let Some(armed) = entry.armed {
                self.timers.remove(&(armed, name.clone()));
            }
            self.timers.extend(due.map(|due| (due, name.clone())));
            entry.armed = due;
        }
        let (state, is_withheld) = (entry.machine.state(now), entry.missing.is_some());
        match (state, is_withheld, groups.get(entry.group)) {
            (CanaryState::Released, false, _) | (_, _, None) => {
                self.changes += u64::from(self.waiting.remove_mut(name));
            }
            (_, _, Some(group)) => {
                let waiting = entry.waiting(group, now);
                if self.waiting.get(name) != Some(&waiting) {
                    self.waiting.insert_mut(name.clone(), waiting);
                    self.changes += 1;
                }
            }
        }
        let is_stopped = entry.stopped.is_some();
        let counted = Some(Counted { group: entry.group, state, is_withheld, is_stopped });
        let before = std::mem::replace(&mut entry.counted, counted);
        if before != counted {
            self.uncount(name, before);
            self.count(name, counted);
        }
    }

    fn count(&mut self, name: &Name, counted: Option<Counted>) {
        let Some(Counted { group, state, is_withheld, is_stopped }) = counted else { return };
        self.states.entry((group, state)).or_default().insert(name.clone());
        if is_withheld {
            self.withheld.entry(group).or_default().insert(name.clone());
        }
        if is_stopped {
            self.stopped.entry(group).or_default().insert(name.clone());
        }
    }

    fn uncount(&mut self, name: &Name, counted: Option<Counted>) {
        let Some(Counted { group, state, .. }) = counted else { return };
        let of_state = self.states.get_mut(&(group, state));
        let others = [self.withheld.get_mut(&group), self.stopped.get_mut(&group)];
        for names in others.into_iter().chain([of_state]).flatten() {
            names.remove(name);
        }
    }

    /// The next zone that is due.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<Name> {
        self.timers.first().filter(|(at, _)| *at <= now)?;
        let (_, name) = self.timers.pop_first()?;
        if let Some(entry) = self.zones.get_mut(&name) {
            entry.armed = None;
        }
        Some(name)
    }

    /// When the next zone is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Whether a version of a zone of this group waits.
    pub(super) fn waits(&self, group: usize) -> bool {
        let states = [CanaryState::Trial, CanaryState::Overdue];
        states.iter().any(|state| self.states.get(&(group, *state)).is_some_and(|names| !names.is_empty()))
    }

    /// The counts of a group, without what is known of its secondaries.
    pub(super) fn fact(&self, index: usize, group: &CanaryGroup) -> CanaryFact {
        let of_state = |state| self.states.get(&(index, state));
        let (withheld, stopped) = (self.withheld.get(&index), self.stopped.get(&index));
        let halted = of_state(CanaryState::Halted).into_iter().flatten();
        let mut by_order = halted.filter(|name| stopped.is_none_or(|stopped| !stopped.contains(*name)));
        let why = |name: &Name| self.zones.get(name)?.stopped.clone().map(|why| (name.clone(), why));
        CanaryFact {
            name: group.name.clone(),
            counts: CanaryFact::STATES.map(|state| of_state(state).map_or(0, BTreeSet::len)),
            first_overdue: of_state(CanaryState::Overdue).and_then(BTreeSet::first).cloned(),
            withheld: withheld.map_or(0, BTreeSet::len),
            first_withheld: withheld.and_then(BTreeSet::first).cloned(),
            stopped: stopped.map_or(0, BTreeSet::len),
            first_stopped: stopped.and_then(BTreeSet::first).and_then(why),
            first_halted: by_order.next().cloned(),
            secondaries: Vec::new(),
        }
    }
}
