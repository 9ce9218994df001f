//! What takes versions in the place of the publisher, and lets them wait.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Notify;

use crate::publish::{Difference, Force};
use crate::sys::pending::Pending;
use crate::telemetry::locked;
use crate::transfer::refresh::{Now, Saved};
use crate::transfer::secondary::{InstallGate, Origin, Sink, SinkError};
use crate::wire::{Name, Serial};
use crate::zone::{Expiry, Owners, Zone, ZoneFault};

use super::kept::{self, Kept};
use super::machine::{NextRelease, Remembered};
use super::queue::{Queue, Version, has_other_keys};
use super::settings::DelaySettings;

/// How long a start waits for the disk of the file of what waited.
const START_PATIENCE: Duration = Duration::from_secs(2);

/// The versions that wait, of all zones. Fetched versions flow in as into any [`Sink`]; [`DelayTask`](super::DelayTask) serves them.
pub struct DelayedVersions {
    pub(super) settings: DelaySettings,
    pub(super) inner: Arc<dyn Sink>,
    state: Mutex<WaitingZones>,
    /// Wakes the task.
    pub(super) changed: Notify,
    /// Locked while what waits is kept: one writer at a time, and the last one writes what there is then.
    keeping: Mutex<()>,
}

/// Locked for a look-up or a change of one zone, never while a version is made or served.
#[derive(Default)]
pub(super) struct WaitingZones {
    pub(super) zones: BTreeMap<Name, Queue>,
    /// Versions that waited before a restart and have not come again, and when that was read.
    remembered: Kept,
    read_at: Option<Instant>,
    /// Of each zone that comes from primaries, which: a version that another one gave does not wait, also where it was on its way.
    sources: BTreeMap<Name, Box<[SocketAddr]>>,
    /// Of zones of which nothing waits any more, the gate that something may be passing still.
    gates: BTreeMap<Name, Arc<InstallGate>>,
    /// Whether what is kept is another one than what there is.
    pub(super) is_unkept: bool,
}

/// What waits of one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The newest version.
    pub newest: Serial,
    /// How many steps it will take.
    pub steps: usize,
    /// When the oldest was first seen.
    pub since: SystemTime,
    /// When the next is served; `None` if that does not depend on the time.
    pub until: Option<SystemTime>,
    /// Why then, or why not, in words.
    pub why: String,
}

/// What came of an order to catch up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaughtUp {
    /// The zone.
    pub zone: Name,
    /// The version that is served now, or when the hold ends.
    pub serial: Serial,
    /// Whether an operator holds the zone.
    pub is_held: bool,
}

pub(super) fn now() -> Now {
    Now { instant: Instant::now(), wall: SystemTime::now() }
}

impl DelayedVersions {
    /// Nothing waits yet; what was kept of a time before a restart counts when the versions come again.
    pub fn new(settings: DelaySettings, inner: Arc<dyn Sink>) -> Self {
        let now = now();
        let place = settings.directory.clone();
        // The disk may not answer.
        let reading = Pending::start("delay-file", move || kept::read(&place, now.wall), || {});
        let read =
            reading.map(|reading| reading.wait(START_PATIENCE).unwrap_or(Err(ErrorKind::TimedOut.into())));
        let remembered = read.flatten().unwrap_or_else(|error| {
            let directory = settings.directory.display();
            tracing::error!(%error, %directory, "cannot read since when versions wait: they wait from the beginning");
            Kept::new()
        });
        let state = WaitingZones { remembered, read_at: Some(now.instant), ..WaitingZones::default() };
        Self { settings, inner, state: Mutex::new(state), changed: Notify::new(), keeping: Mutex::default() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, WaitingZones> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits of a zone.
    pub fn waiting(&self, zone: &Name) -> Option<Waiting> {
        let now = now();
        let state = self.lock();
        let machine = &state.zones.get(zone)?.machine;
        let next = machine.next(now);
        let at = |at: Instant| now.wall + at.saturating_duration_since(now.instant);
        let (until, why) = match next {
            NextRelease::Nothing => return None,
            NextRelease::Release(_, why) => (Some(now.wall), why.words().to_owned()),
            NextRelease::Wait(until, why) => (Some(at(until)), why.words().to_owned()),
            NextRelease::Held => (None, "the zone is held".to_owned()),
            NextRelease::Releasing => (Some(now.wall), "it is being put into service".to_owned()),
            NextRelease::NotTaken(again) => {
                let fault = machine.fault().unwrap_or_default();
                (Some(at(again)), format!("it was not taken, and is tried again then: {fault}"))
            }
        };
        Some(Waiting {
            newest: machine.newest()?,
            steps: machine.count(),
            since: machine.since()?,
            until,
            why,
        })
    }

    /// How long versions wait.
    pub fn delay(&self) -> Duration {
        self.settings.rules.delay
    }

    /// Of how many zones versions wait.
    pub fn count(&self) -> usize {
        self.lock().zones.len()
    }

    /// Lets all that waits of a zone, or of all zones, be served at once; what will be served. A zone that is held stays as it is, and goes to
    /// that version when the hold ends, without those before it.
    pub fn catch_up(&self, zone: Option<&Name>) -> Vec<CaughtUp> {
        let mut caught = Vec::new();
        let mut state = self.lock();
        let chosen = state.zones.iter_mut().filter(|(name, _)| zone.is_none_or(|zone| zone == *name));
        for (name, queue) in chosen {
            let is_held = queue.machine.is_held();
            if let Some(serial) = queue.machine.catch_up() {
                caught.push(CaughtUp { zone: name.clone(), serial, is_held });
            }
        }
        state.is_unkept |= !caught.is_empty();
        drop(state);
        self.changed.notify_one();
        caught
    }

    /// Keeps what waits, and what is ordered, over a restart. Waits for the disk.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep_waiting(&self) -> io::Result<()> {
        let _keeping = locked(&self.keeping);
        let now = now();
        let kept = {
            let mut state = self.lock();
            state.is_unkept = false;
            state.to_keep(now)
        };
        kept::write(&self.settings.directory, &kept, now.wall)
    }

    fn tip(&self, zone: &Name) -> Option<Arc<Zone>> {
        self.lock().zones.get(zone)?.tip().cloned()
    }

    /// Forgets what waits of a zone.
    fn clear(&self, zone: &Name) {
        self.lock().clear(zone);
    }

    /// When this version of a primary was first seen before a restart. Another primary may have another version under its serial.
    fn remembered(&self, zone: &Name, serial: Serial, primary: SocketAddr) -> Option<Remembered> {
        let state = self.lock();
        // Of an older build it is not known who gave it.
        let is_it = |it: &Remembered| it.primary.is_none_or(|before| before == primary);
        let found = state.remembered.get(zone)?.iter().find(|(one, it)| *one == serial && is_it(it));
        let since = state.read_at.map_or_else(Default::default, |at| at.elapsed());
        found.map(|(_, it)| Remembered { waited: it.waited + since, ..*it })
    }

    fn push(&self, name: &Name, base: Serial, versions: Vec<Version>) -> Result<(), SinkError> {
        let now = now();
        let mut state = self.lock();
        let is_other = |from: &[SocketAddr]| versions.iter().any(|version| !from.contains(&version.primary));
        if state.sources.get(name).is_some_and(|from| is_other(from)) {
            return Err(SinkError::Failed("who gave it is no primary of the zone any more".into()));
        }
        // The versions that waited before a restart have come again, or newer ones in their place.
        state.remembered.remove(name);
        let rules = self.settings.rules;
        let gate = state.gates.remove(name).map_or_else(Arc::default, |gate| Arc::new(gate.next()));
        let queue = state.zones.entry(name.clone()).or_insert_with(|| Queue::new(rules, base, gate));
        for version in versions {
            let serial = version.zone.serial();
            tracing::info!(zone = %name, %serial, served = %base, delay = ?rules.delay, "a version waits: this is a last-resort POP");
            queue.push(version, now);
        }
        state.is_unkept = true;
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Puts a version into service in the place of all that waits; that stays where the version is not served.
    fn serve_instead(&self, zone: Zone, origin: Origin) -> Result<(), SinkError> {
        let name = zone.origin().clone();
        let passing = self.lock().pause(&name);
        let mut paused = PausedZone { versions: self, name: Some(&name) };
        if let Some(gate) = passing {
            gate.close_and_wait();
        }
        self.inner.whole(zone, origin)?;
        paused.name = None;
        self.clear(&name);
        Ok(())
    }
}

/// What waits of a zone goes on when this is dropped, also by a panic.
struct PausedZone<'a> {
    versions: &'a DelayedVersions,
    name: Option<&'a Name>,
}

impl Drop for PausedZone<'_> {
    fn drop(&mut self) {
        let Some(name) = self.name else { return };
        if let Some(queue) = self.versions.lock().zones.get_mut(name) {
            queue.go_on();
        }
        self.versions.changed.notify_one();
    }
}

impl WaitingZones {
    /// Forgets what waits of a zone.
    fn clear(&mut self, zone: &Name) {
        let is_known = self.zones.remove(zone).is_some() | self.remembered.remove(zone).is_some();
        self.is_unkept |= is_known;
    }

    /// Whether a zone comes from primaries.
    fn is_followed(&self, zone: &Name) -> bool {
        self.sources.get(zone).is_some_and(|from| !from.is_empty())
    }

    /// Nothing that waits of a zone is served for a while, but for what is passing the gate that is returned, also where nothing waits any more.
    fn pause(&mut self, zone: &Name) -> Option<Arc<InstallGate>> {
        if let Some(queue) = self.zones.get_mut(zone) {
            return Some(queue.pause());
        }
        let gate = self.gates.get_mut(zone)?;
        let next = Arc::new(gate.next());
        Some(std::mem::replace(gate, next))
    }

    /// What is to be kept over a restart.
    fn to_keep(&self, now: Now) -> Kept {
        let since =
            self.read_at.map_or_else(Default::default, |at| now.instant.saturating_duration_since(at));
        let mut kept = self.remembered.clone();
        for it in kept.values_mut().flatten() {
            it.1.waited += since;
        }
        let zones = self.zones.iter();
        kept.extend(zones.map(|(name, queue)| (name.clone(), queue.remembered(now))));
        kept
    }

    /// Whether versions wait, or did before a restart.
    pub(super) fn has_some(&self) -> bool {
        !self.zones.is_empty() || !self.remembered.is_empty()
    }
}

impl Sink for DelayedVersions {
    /// The newest version that waits: what comes next is asked for from there on.
    fn served(&self, zone: &Name) -> Option<Arc<Zone>> {
        self.tip(zone).or_else(|| self.inner.served(zone))
    }

    fn wants_again(&self, zone: &Name) -> bool {
        self.lock().remembered.contains_key(zone)
    }

    fn forget(&self, zone: &Name) {
        let gate = {
            let mut state = self.lock();
            if state.is_followed(zone) {
                // It is here again, and what waits is of now.
                return;
            }
            state.sources.remove(zone);
            let before = state.gates.remove(zone);
            state.zones.get(zone).map(Queue::gate).or(before)
        };
        self.clear(zone);
        if let Some(gate) = gate {
            gate.close_and_wait();
        }
    }

    fn only_from(&self, zone: &Name, primaries: &[SocketAddr]) -> bool {
        let served = self.inner.served(zone);
        let mut guard = self.lock();
        let state = &mut *guard;
        state.sources.insert(zone.clone(), primaries.into());
        let mut is_other_tip = false;
        if let Some(queue) = state.zones.get_mut(zone) {
            let tip = queue.tip().cloned();
            if queue.keep_of(primaries, served.as_deref()) {
                let is_tip = |now: &Arc<Zone>| tip.as_ref().is_some_and(|tip| Arc::ptr_eq(tip, now));
                is_other_tip = !queue.tip().is_some_and(is_tip);
                let (left, newest) = (queue.machine.count(), queue.machine.newest());
                tracing::warn!(%zone, left, ?newest, "versions that waited are forgotten: who gave them is no primary of the zone any more");
                state.is_unkept = true;
                if left == 0
                    && let Some(queue) = state.zones.remove(zone)
                {
                    state.gates.insert(zone.clone(), queue.gate());
                }
            }
        }
        if let Some(kept) = state.remembered.get_mut(zone) {
            let before = kept.len();
            // Of an older build it is not known who gave it.
            let is_unknown_kept = !primaries.is_empty();
            let stays = |primary: SocketAddr| primaries.contains(&primary);
            kept.retain(|(_, it)| it.primary.map_or(is_unknown_kept, stays));
            state.is_unkept |= kept.len() < before;
            if kept.is_empty() {
                state.remembered.remove(zone);
            }
        }
        drop(guard);
        self.changed.notify_one();
        is_other_tip
    }

    /// The first version of a zone is served at once, because nothing would be served without it, and so is one that an operator ordered.
    fn whole(&self, zone: Zone, origin: Origin) -> Result<(), SinkError> {
        let name = zone.origin().clone();
        let Some(served) = self.inner.served(&name).filter(|_| origin.force != Force::Order) else {
            return self.serve_instead(zone, origin);
        };
        let before = self.tip(&name).unwrap_or_else(|| served.clone());
        let is_same =
            || before.serial() == zone.serial() && before.make_digest(|| true) == zone.make_digest(|| true);
        if origin.force != Force::No && is_same() {
            return Ok(());
        }
        let version = Version {
            force: origin.force,
            has_other_keys: has_other_keys(&before, &zone),
            remembered: self.remembered(&name, zone.serial(), origin.primary),
            zone: Arc::new(zone),
            owners: None,
            primary: origin.primary,
        };
        self.push(&name, served.serial(), vec![version])
    }

    fn differences(
        &self,
        name: &Name,
        differences: Vec<Difference>,
        origin: Origin,
    ) -> Result<(), SinkError> {
        let served = self.inner.served(name);
        let served = served.ok_or_else(|| SinkError::NotFitting("no version is served".into()))?;
        let first = self.tip(name).unwrap_or_else(|| served.clone());
        let (mut at, mut before, mut owners) = (first.clone(), first, Owners::default());
        let (mut versions, count) = (Vec::new(), differences.len());
        for (index, Difference { from, to, deleted, added }) in differences.into_iter().enumerate() {
            if from != at.serial() {
                let text =
                    format!("the difference is to {from}, and the newest version here is {}", at.serial());
                return Err(SinkError::NotFitting(text.into()));
            }
            owners.add(&deleted);
            owners.add(&added);
            let next = at.with_received_changes(deleted, added);
            let next = next.map_err(|faults| {
                let first = faults.first().map(ToString::to_string).unwrap_or_default();
                let text = format!("{from} to {to}: {first}");
                match faults.iter().any(ZoneFault::is_of_other_content) {
                    true => SinkError::Diverged(from, text.into()),
                    false => SinkError::NotFitting(text.into()),
                }
            })?;
            if next.serial() != to {
                return Err(SinkError::NotFitting(
                    format!("it leads to {}, not to {to}", next.serial()).into(),
                ));
            }
            at = Arc::new(next);
            let remembered = self.remembered(name, to, origin.primary);
            // Versions that waited before a restart wait for themselves again; of others that came together the last counts.
            if remembered.is_some() || index + 1 == count {
                versions.push(Version {
                    force: Force::No,
                    has_other_keys: has_other_keys(&before, &at),
                    remembered,
                    zone: at.clone(),
                    owners: Some(std::mem::take(&mut owners)),
                    primary: origin.primary,
                });
                before = at.clone();
            }
        }
        if versions.is_empty() { Ok(()) } else { self.push(name, served.serial(), versions) }
    }

    fn expiry(&self, zones: Vec<(Name, Expiry)>) -> Result<(), SinkError> {
        self.inner.expiry(zones)
    }

    fn withdrawn(&self, zones: Vec<Name>) -> Result<(), SinkError> {
        self.inner.withdrawn(zones)
    }

    fn keep(&self, mut timers: Vec<(Name, Option<Saved>)>) -> Result<(), SinkError> {
        // After a restart it is asked for from what is served on.
        for (zone, timers) in &mut timers {
            let is_forked = self.lock().zones.get(zone).is_some_and(Queue::is_forked);
            if let (Some(timers), Some(tip), true) = (timers, self.tip(zone), is_forked) {
                timers.forked.get_or_insert(tip.serial().0);
            }
        }
        // Of a zone that comes from primaries no more nothing waits. It may come from some again since that was told.
        for (zone, _) in timers.iter().filter(|(_, timers)| timers.is_none()) {
            let mut state = self.lock();
            if !state.is_followed(zone) {
                state.clear(zone);
            }
        }
        self.inner.keep(timers)
    }
}
