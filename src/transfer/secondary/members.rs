//! Zones that catalogs list: secondary zones that come and go beside those of the configuration.
//!
//! Changes flow in, zones of the coordinator and lists of who may send NOTIFY flow out. A change costs what it changes. A zone that
//! the configuration names is the configuration's. Never reads a catalog.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::transfer::refresh::Saved;
use crate::wire::Name;
use crate::zone::Expiry;

use crate::transfer::secondary::coordinator::entry::ZoneEntry;
use crate::transfer::secondary::coordinator::{Coordinator, Event, now};
use crate::transfer::secondary::fetch::install_gate::InstallGate;
use crate::transfer::secondary::handle::{SecondaryError, SecondaryHandle, check_zones};
use crate::transfer::secondary::settings::{MemberZones, PrimariesDiffer};

/// Zones out of service whose timers are kept: as many as catalogs keep data of. Beyond it those that went first are forgotten.
const MOST_SAVED: usize = 100_000;
/// Zones that are forgotten together, because all are looked through for them.
const FORGOTTEN: usize = MOST_SAVED / 10;

impl SecondaryHandle {
    /// Adds, changes and removes zones that catalogs list; in force when this returns, and counted among those that are awaited. Then
    /// nothing that was begun for a removed zone goes into service any more.
    ///
    /// # Errors
    /// A zone names a key that is not there, and nothing has changed; or the thread has ended.
    pub async fn change_members(&self, changes: MemberZones) -> Result<(), SecondaryError> {
        check_zones(&changes.set, &self.access().keys)?;
        self.change_access(|access| access.change_members(&changes));
        let (reply, done) = oneshot::channel();
        self.send(Event::Members(Box::new(changes), reply)).await?;
        done.await.map_err(|_| SecondaryError::Ended)
    }
}

impl Coordinator {
    /// Takes zones that catalogs list; those that are gone, with the gates of what was begun for them.
    pub(super) fn change_members(&mut self, changes: MemberZones) -> Vec<(Name, Arc<InstallGate>)> {
        self.take_kept();
        let MemberZones { removed, set, elsewhere } = changes;
        let gone: BTreeSet<Name> = removed.into_iter().filter(|zone| self.members.remove(zone)).collect();
        let closed = self.remove_zones(&gone);
        self.forget_confirmations(elsewhere.into_iter().filter(|zone| gone.contains(zone)));
        let (mut elsewhere, mut otherwise) = (BTreeSet::new(), Vec::new());
        for zone in set {
            let name = zone.name.clone();
            if self.configured.contains(&name) {
                continue;
            }
            if self.members.insert(name.clone()) {
                self.awaited.add_member(name.clone());
            }
            let of = (self.settings.bounds, self.next_generation());
            self.forget_waiting_of_others(&zone);
            match self.zones.get_mut(&name) {
                Some(entry) => {
                    match entry.change(zone, &HashSet::new(), of, now()) {
                        PrimariesDiffer::Not => {}
                        PrimariesDiffer::InCredentials => otherwise.push(name.clone()),
                        PrimariesDiffer::InAddresses => drop(elsewhere.insert(name.clone())),
                    }
                    self.settle(&name);
                }
                None => self.add_zone(zone),
            }
        }
        if !elsewhere.is_empty() {
            self.jobs.forget(&elsewhere);
        }
        self.ask_again(otherwise);
        // At a start the first ones are all that were members before.
        self.forget_strange_timers();
        self.awaited.tell();
        closed
    }

    /// Forgets the timers of zones that went first, if so many are kept.
    fn make_room_for_timers(&mut self, most: usize) {
        if self.kept_aside.len() < most {
            return;
        }
        for zone in first_gone(&self.kept_aside, &self.saved, FORGOTTEN) {
            self.saved.remove(&zone);
            self.kept_aside.remove(&zone);
            self.outward.note_timers(&zone, Instant::now());
        }
    }

    /// Zones come from primaries no more: closes the gates of what was begun for them.
    pub(super) fn remove_zones(&mut self, gone: &BTreeSet<Name>) -> Vec<(Name, Arc<InstallGate>)> {
        let mut closed = Vec::new();
        if gone.is_empty() {
            return closed;
        }
        self.jobs.forget(gone);
        for zone in gone {
            if let Some(entry) = self.zones.remove(zone) {
                // Another one of the name may come before what passes the gate has passed.
                self.sink.only_from(zone, &[]);
                // Its data may come back, and is as old then as it is.
                if let Some(saved) = entry.save(now()) {
                    self.make_room_for_timers(MOST_SAVED);
                    self.saved.insert(zone.clone(), saved);
                    self.kept_aside.insert(zone.clone());
                }
                let ZoneEntry { armed, gate, .. } = entry;
                if let Some(armed) = armed {
                    self.timers.remove(&(armed, zone.clone()));
                }
                self.comparisons.note(zone, None);
                self.comparisons.stop(zone);
                gate.close();
                closed.push((zone.clone(), gate));
            }
            self.expire_times.note(zone, None);
            self.awaited.settled(zone);
            tracing::info!(%zone, "the zone comes from primaries no more");
            self.outward.note_withdrawn(zone);
            self.outward.note(zone);
            self.outward.note_timers(zone, Instant::now());
        }
        closed
    }

    /// Forgets when primaries confirmed these zones, which are removed and are served here by another way.
    pub(super) fn forget_confirmations(&mut self, zones: impl IntoIterator<Item = Name>) {
        for zone in zones {
            self.saved.remove(&zone);
            self.kept_aside.remove(&zone);
            self.outward.note_timers(&zone, Instant::now());
            self.outward.note_expiry(&zone, Expiry::Current, Instant::now());
        }
    }
}

/// So many of the zones that are out of service, those first that went first, or whose timers are not known.
fn first_gone(kept_aside: &HashSet<Name>, saved: &HashMap<Name, Saved>, count: usize) -> Vec<Name> {
    let when = |zone: &Name| saved.get(zone).map(|saved| saved.saved);
    let mut zones: Vec<(Option<u64>, &Name)> = kept_aside.iter().map(|zone| (when(zone), zone)).collect();
    zones.sort_unstable();
    zones.into_iter().take(count).map(|(_, zone)| zone.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timers_of_the_zones_that_went_first_make_room() {
        let name = |zone: u64| format!("z{zone}.").parse::<Name>().unwrap();
        let timers = |saved| Saved { saved, ..Saved::default() };
        let saved: HashMap<Name, Saved> = (1..=4).map(|zone| (name(zone), timers(10 - zone))).collect();
        // The first one is in service, and of the last one nothing is known.
        let kept_aside: HashSet<Name> = (2..=5).map(name).collect();
        assert_eq!(first_gone(&kept_aside, &saved, 3), [name(5), name(4), name(3)]);
        assert_eq!(first_gone(&kept_aside, &saved, 9).len(), 4);
    }
}
