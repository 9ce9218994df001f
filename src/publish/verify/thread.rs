//! The thread `verify` (1x): a slice of time for each zone in turn, at the lowest priority.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::unix_now;
use crate::sys::priority::yield_to_all;
use crate::telemetry::{Beat, Pause, note_panic, panic_message};
use crate::wire::Name;
use crate::zone::Zone;
use crate::zone::signatures::Following;

use crate::publish::fault::one_line;
use crate::publish::settings::Dnssec;
use crate::publish::verify::digests::Digests;
use crate::publish::verify::outcome::Signatures;
use crate::publish::verify::queue::Shared;
use crate::telemetry::pulse::{Place, WAIT, Work};

/// How often the thread says that it is there while it has nothing to do.
const IDLE: Duration = Duration::from_millis(500);
/// How long one zone has the thread.
const SLICE: Duration = Duration::from_millis(20);
/// How often outcomes are sent while there is work; at once when there is none.
const SEND: Duration = Duration::from_secs(1);
/// Zones that are verified at the same time: what one of them holds of an older version is given up when it changes.
const MOST_ACTIVE: usize = 4;
/// Names of a zone after which the thread says that it is there.
const STEP: u32 = 1024;
/// Zones of fewer records are verified whole again when they change, so nothing of them is kept.
const SMALL: usize = 10_000;

/// Runs until the publisher stops.
pub(super) fn run(shared: &Shared, beat: &Beat) {
    yield_to_all();
    let place = shared.pulse.place(Work::Verify);
    let mut verifying = Verifying::new(shared, place);
    let mut pause = Pause::default();
    while !shared.is_stopped() {
        let begun = Instant::now();
        let turn = catch_unwind(AssertUnwindSafe(|| verifying.turn()));
        if let Err(panic) = turn {
            let wait = pause.next(begun.elapsed());
            note_panic(beat, panic.as_ref(), wait);
            verifying.give_up(panic_message(panic.as_ref()));
            verifying.rest(wait);
        }
    }
}

struct Verifying<'s> {
    shared: &'s Shared,
    place: Place,
    /// Zones that are looked at or verified, and large ones that are.
    zones: BTreeMap<Name, Following>,
    /// Those of them that are not verified to the end.
    active: VecDeque<Name>,
    /// Zones to begin with.
    waiting: BTreeSet<Name>,
    /// Zones of which something was told.
    signed: BTreeSet<Name>,
    digests: Digests,
    /// What is to be told, the newest of each zone.
    told: BTreeMap<Name, Option<Box<Signatures>>>,
    sent: Instant,
    /// The zone that is worked on.
    at: Option<Name>,
}

impl<'s> Verifying<'s> {
    fn new(shared: &'s Shared, place: Place) -> Self {
        Self {
            shared,
            place,
            zones: BTreeMap::new(),
            active: VecDeque::new(),
            waiting: BTreeSet::new(),
            signed: BTreeSet::new(),
            digests: Digests::new(shared.contents.clone()),
            told: BTreeMap::new(),
            sent: Instant::now(),
            at: None,
        }
    }

    fn turn(&mut self) {
        self.place.step(None);
        self.take_changes();
        if self.active.len() < MOST_ACTIVE
            && let Some(name) = self.waiting.pop_first()
        {
            self.look(&name);
        }
        match self.active.pop_front() {
            Some(name) => self.verify(name),
            None if self.waiting.is_empty() => {
                self.send();
                if !self.make_digest() && !self.shared.has_changes() {
                    std::thread::park_timeout(IDLE);
                }
            }
            None => {}
        }
        if self.sent.elapsed() >= SEND {
            self.tell_progress();
            self.send();
        }
    }

    fn take_changes(&mut self) {
        let mut changed: BTreeSet<Name> = std::iter::from_fn(|| self.shared.next()).collect();
        if self.shared.take_all() {
            self.digests.begin_again();
            let published = self.shared.published.load();
            changed.extend(published.zones().map(|zone| zone.origin().clone()));
            changed.extend(self.zones.keys().cloned());
        }
        for name in changed {
            // One that holds an older version goes over to the newer one at once.
            match self.zones.contains_key(&name) {
                true => self.look(&name),
                false => drop(self.waiting.insert(name)),
            }
        }
    }

    /// Takes the version of a zone that is served now.
    fn look(&mut self, name: &Name) {
        self.at = Some(name.clone());
        let known = self.zones.remove(name);
        let was_active = known.as_ref().is_some_and(|known| !known.is_done());
        let served = self.shared.published.load().zone(name).cloned();
        self.digests.changed(name, served.as_deref());
        let verifies = self.shared.modes.load().of(name) != Dnssec::Off;
        let following = served.and_then(|zone| follow(known, zone, verifies));
        self.at = None;
        let Some(following) = following else {
            self.active.retain(|active| active != name);
            // Of most zones there never was anything to tell.
            if self.signed.remove(name) {
                self.told.insert(name.clone(), None);
            }
            return;
        };
        if !following.is_done() && !was_active {
            self.active.push_back(name.clone());
        }
        self.told.insert(name.clone(), Some(told(&following)));
        self.signed.insert(name.clone());
        self.keep(name.clone(), following);
    }

    /// Gives a zone its slice.
    fn verify(&mut self, name: Name) {
        let Some(mut following) = self.zones.remove(&name) else { return };
        self.at = Some(name.clone());
        let end = Instant::now() + SLICE;
        let is_done = following.step(|| {
            self.place.step(None);
            Instant::now() < end && !self.shared.has_changes()
        });
        self.at = None;
        match is_done {
            true => drop(self.told.insert(name.clone(), Some(told(&following)))),
            false => self.active.push_back(name.clone()),
        }
        self.keep(name, following);
    }

    /// Makes the digest of a zone's content; false if none is due.
    fn make_digest(&mut self) -> bool {
        let Some(name) = self.digests.next(Instant::now()) else { return false };
        let Some(zone) = self.shared.published.load().zone(&name).cloned() else { return true };
        self.at = Some(name.clone());
        let (begun, mut names) = (Instant::now(), 0_u32);
        zone.make_digest(|| {
            names = names.wrapping_add(1);
            if names.is_multiple_of(STEP) {
                self.place.step(None);
            }
            !self.shared.is_stopped()
        });
        self.at = None;
        self.digests.made(name, &zone, begun.elapsed(), Instant::now());
        true
    }

    fn keep(&mut self, name: Name, following: Following) {
        if !following.is_done() || following.zone().record_count() > SMALL {
            self.zones.insert(name, following);
        }
    }

    fn tell_progress(&mut self) {
        for name in &self.active {
            if let Some(following) = self.zones.get(name) {
                self.told.insert(name.clone(), Some(told(following)));
            }
        }
    }

    /// Hands over what is to be told, as far as there is room.
    fn send(&mut self) {
        self.sent = Instant::now();
        if self.told.is_empty() {
            return;
        }
        while let Some(outcome) = self.told.pop_first() {
            if let Err((name, signatures)) = self.shared.outcomes.push(outcome) {
                self.told.insert(name, signatures);
                break;
            }
        }
        self.shared.wake.notify_one();
    }

    /// The zone that was worked on panicked: it is left alone until it changes.
    fn give_up(&mut self, reason: &str) {
        let Some(name) = self.at.take() else { return };
        self.zones.remove(&name);
        self.active.retain(|active| *active != name);
        let reason = one_line(reason);
        tracing::error!(zone = %name, reason, "verifying signatures panicked; the zone is served");
        let served = self.shared.published.load();
        let failed = served.zone(&name).map(|zone| {
            Box::new(Signatures { serial: zone.serial(), verdict: Default::default(), failed: Some(reason) })
        });
        self.signed.insert(name.clone());
        self.told.insert(name, failed);
    }

    /// Pauses after a panic, with signs of life.
    fn rest(&self, wait: Duration) {
        let mut left = wait;
        while !left.is_zero() && !self.shared.is_stopped() {
            let part = left.min(WAIT);
            self.place.step(None);
            std::thread::park_timeout(part);
            left -= part;
        }
    }
}

/// What is known of a zone's signatures.
fn told(following: &Following) -> Box<Signatures> {
    let (serial, verdict) = (following.zone().serial(), following.verdict());
    Box::new(Signatures { serial, verdict, failed: None })
}

/// The zone whose verification panics.
#[cfg(test)]
pub(in crate::publish) static PANICS: std::sync::Mutex<Option<Name>> = std::sync::Mutex::new(None);

fn follow(known: Option<Following>, zone: Arc<Zone>, verifies: bool) -> Option<Following> {
    #[cfg(test)]
    assert!(!PANICS.lock().is_ok_and(|name| name.as_ref() == Some(zone.origin())), "a test made it so");
    let now = unix_now();
    match known {
        Some(known) => known.advance(zone, verifies, now),
        None => Following::new(zone, verifies, now),
    }
}
