//! A catalog that is made here: which zones it lists, and the versions that lead from one list to the next. No I/O.
//!
//! Zones that are served flow in, a whole first version or a difference flows out. Zones that are configured and not served stay
//! listed: a zone that is refused here is no reason to take it from the secondaries. Many that go at once, or within an hour, wait for an
//! operator. A zone that was removed and is listed again has another label: it may be another zone, so the secondaries begin it anew (RFC
//! 9432 section 5.4). So has one that stayed listed and began anew: it was gone, because its removal waited or the catalog was held, and
//! nothing was kept when it came back; or another catalog has it begin anew. That is known over a restart by what the publisher notes when
//! it forgets a zone. Labels, when zones were removed, and that removals wait, stand in the catalog itself, so that a restart, or a standby
//! that takes over, knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use crate::catalog::{
    CatalogZone, ListedMember, RecentRemovals, accepted_into, catalog_records, label_of, member_into,
    removed_into, soa_into, waits_into,
};
use crate::config::ProducedCatalog;
use crate::publish::{Difference, Fault, Report};
use crate::wire::{Name, NameError, Serial};
use crate::zone::{RecordBatch, Zone, ZoneBuilder};

use super::facts::{CatalogFact, HeldRemovals};

/// Zones that were removed of which that is remembered: more than an operator removes while secondaries keep the data of them. The
/// oldest are forgotten.
const MOST_REMOVED: usize = 10_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Producing {
    pub(super) settings: ProducedCatalog,
    /// What the version that is served lists; `None` before it was looked at.
    listed: Option<Listed>,
    held: Option<HeldRemovals>,
    /// The zones that wait for an operator before they go.
    waiting: BTreeSet<Name>,
    /// The listed zones that were gone at some time since the version that is served.
    left: BTreeSet<Name>,
    /// The changes of the report that `left` knows.
    left_seen: Option<u64>,
    /// The highest number of a zone that was looked at for `left`.
    last_number: u64,
    /// The zones of which all that was kept was forgotten, as the last process knew it, and that are listed as they were before that.
    anew: BTreeSet<Name>,
    /// The zones that are listed as they are by now, or not listed any more, since this was last asked.
    said: BTreeSet<Name>,
    /// Those that went within the last hour.
    recent: RecentRemovals,
    /// The changes of the report that were looked at.
    seen: Option<u64>,
    /// When it is tried again to serve a version that could not be served.
    pub(super) retry_at: Option<Instant>,
    pub(super) fault: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Listed {
    /// `None`: there is no version yet.
    serial: Option<Serial>,
    accepted: Option<Serial>,
    /// Whether removals wait.
    waits: bool,
    members: BTreeMap<Name, ListedMember>,
    /// The serials of the versions in which zones were removed last, by the first label of each.
    removed: BTreeMap<Box<[u8]>, Serial>,
}

/// A version that is to be served.
#[derive(Debug)]
pub(super) enum NewVersion {
    Whole(Box<Zone>),
    Difference(Box<Difference>),
}

/// A version, and what is listed when it is served.
#[derive(Debug)]
pub(super) struct Produced {
    pub(super) version: NewVersion,
    next: Listed,
    /// Who goes, and whether an operator wanted that.
    gone: Vec<Name>,
    is_accepted: bool,
}

/// Why there is no version.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProduceError {
    /// The name is too long.
    #[error("the name of the catalog leaves no room for its members: choose a shorter one")]
    Name(#[from] NameError),
    /// The records are no zone.
    #[error("its records are no zone: {0}")]
    Zone(String),
}

impl Producing {
    pub(super) fn new(settings: ProducedCatalog) -> Self {
        Self {
            settings,
            listed: None,
            held: None,
            waiting: BTreeSet::new(),
            left: BTreeSet::new(),
            left_seen: None,
            last_number: 0,
            anew: BTreeSet::new(),
            said: BTreeSet::new(),
            recent: RecentRemovals::default(),
            seen: None,
            retry_at: None,
            fault: None,
        }
    }

    /// Takes other settings; what is listed stays until it is looked at again.
    pub(super) fn configure(&mut self, settings: ProducedCatalog) {
        (self.settings, self.seen, self.retry_at) = (settings, None, None);
    }

    /// Whether an operator holds the catalog, so that no other version of it is served: told as its fault. The end of the hold changes the report.
    pub(super) fn is_held_by_operator(&mut self, report: &Report) -> bool {
        let zone = report.zones.get(&self.settings.name);
        let hold = zone.and_then(|zone| zone.faults.iter().find(|fault| matches!(fault, Fault::Held { .. })));
        if let Some(hold) = hold {
            self.failed(format!("it {hold}"));
        }
        hold.is_some()
    }

    /// What the version lists that is served, if that is not known.
    pub(super) fn restore(&mut self, served: Option<&Arc<Zone>>) {
        if self.listed.is_some() {
            return;
        }
        let read = served.and_then(|zone| CatalogZone::read(zone).ok());
        self.listed = Some(read.map_or_else(Listed::default, |read| {
            Listed {
                serial: Some(read.serial),
                accepted: read.accepted,
                waits: read.waits,
                removed: read.removed,
                members: read
                    .members
                    .into_iter()
                    .map(|(name, member)| {
                        let (label, groups, new_owner) = (member.label, member.groups, member.new_owner);
                        (name.clone(), ListedMember { name, label, groups, new_owner })
                    })
                    .collect(),
            }
        }));
    }

    /// Notes which listed zones are gone. To be called at each change of the report, also while no version can be made.
    pub(super) fn note_left(&mut self, report: &Report) {
        let Some(listed) = &self.listed else { return };
        if listed.serial.is_some() {
            let (stay, others) = std::mem::take(&mut self.anew)
                .into_iter()
                .partition(|name| listed.members.contains_key(name));
            self.anew = stay;
            self.said.extend(others);
        }
        // One that is there may be another one already.
        let (last, mut newest) = (self.left_seen.map(|_| self.last_number), self.last_number);
        let mut is_gone = |name: &&Name| {
            let number = report.zones.get(*name).map(|zone| zone.number);
            newest = number.map_or(newest, |number| newest.max(number));
            let is_other = number.is_none_or(|number| last.is_some_and(|last| number > last));
            is_other && listed.members.contains_key(*name)
        };
        match self.left_seen.and_then(|seen| report.changed_since(seen)) {
            Some(changed) => self.left.extend(changed.filter(|name| is_gone(name)).cloned()),
            None => {
                self.left.extend(report.zones.keys().filter(|name| is_gone(name)).cloned());
                self.left.extend(listed.members.keys().filter(|name| is_gone(name)).cloned());
            }
        }
        (self.left_seen, self.last_number) = (Some(report.changes()), newest);
    }

    /// All that was kept of these was forgotten, as the last process knew it.
    pub(super) fn begin_anew(&mut self, names: &BTreeSet<Name>) {
        self.anew.extend(names.iter().cloned());
    }

    /// Whether it is still to be said of a zone that it began anew.
    pub(super) fn has_to_say(&self, name: &Name) -> bool {
        self.anew.contains(name) || self.left.contains(name)
    }

    /// The zones of which nothing is to be said any more, since this was last asked.
    pub(super) fn take_said(&mut self) -> BTreeSet<Name> {
        std::mem::take(&mut self.said)
    }

    /// Whether a zone that is listed has begun anew.
    fn has_begun_anew(&self, report: &Report, name: &Name) -> bool {
        let served = report.zones.get(name).filter(|zone| zone.is_served());
        served.is_some_and(|zone| {
            self.anew.contains(name) || (self.left.contains(name) && zone.kept_version.is_none())
        })
    }

    /// The next version, if the list has changed, by now; `unix_time` becomes the first serial. `accepts`: the serial after which removals
    /// that wait were accepted.
    ///
    /// # Errors
    /// There can be none.
    pub(super) fn next(
        &mut self,
        report: &Report,
        accepts: Option<Serial>,
        (now, unix_time): (Instant, u64),
    ) -> Result<Option<Produced>, ProduceError> {
        let Some(listed) = &self.listed else { return Ok(None) };
        if accepts.is_none() && !self.may_differ(report, listed) {
            return Ok(None);
        }
        // RFC 1982: one more; the first is a time, so that it is later than any of a state directory that was lost.
        let serial =
            listed.serial.map_or(Serial(unix_time as u32), |serial| Serial(serial.0.wrapping_add(1)));
        let mut wanted = self.wanted(report, listed, serial);
        let gone = listed.members.keys().filter(|name| !wanted.contains_key(*name));
        let mut gone: Vec<Name> = gone.cloned().collect();
        let is_accepted = accepts.is_some() && accepts == self.held();
        self.recent.set_time(now);
        let waiting = self.to_hold(&gone, listed);
        self.held = None;
        let was_held = listed.serial.is_some() && !waiting.is_empty();
        self.waiting = if is_accepted || !was_held { BTreeSet::new() } else { waiting };
        if let (Some(first), Some(serial)) = (self.waiting.first(), listed.serial) {
            self.held = Some(HeldRemovals { serial, count: self.waiting.len(), first: first.clone() });
            let stay = self.waiting.iter().filter_map(|name| listed.members.get_key_value(name));
            wanted.extend(stay.map(|(name, member)| (name.clone(), member.clone())));
            gone.retain(|name| !self.waiting.contains(name));
        }
        self.seen = Some(report.changes());
        self.fault = None;
        let waits = !self.waiting.is_empty();
        if listed.serial.is_some() && wanted == listed.members && waits == listed.waits {
            return Ok(None);
        }
        let is_accepted = was_held && is_accepted;
        let accepted = if is_accepted { Some(serial) } else { listed.accepted };
        let removed = removed(listed, &wanted, (&gone, serial));
        let next = Listed { serial: Some(serial), accepted, waits, members: wanted, removed };
        let version = match listed.serial {
            None => NewVersion::Whole(Box::new(whole(&self.settings.name, serial, &next)?)),
            Some(from) => {
                let difference = difference(&self.settings.name, (from, serial), listed, &next)?;
                NewVersion::Difference(Box::new(difference))
            }
        };
        Ok(Some(Produced { version, next, gone, is_accepted }))
    }

    /// Which of the zones that are listed and are not to be any more wait for an operator: those that wait already, and all of them where
    /// they are many, at once or within an hour. After a restart nobody knows which of them waited: all do, if any did.
    fn to_hold(&self, gone: &[Name], listed: &Listed) -> BTreeSet<Name> {
        let waits = |name: &&Name| self.waiting.contains(*name);
        let waiting: BTreeSet<Name> = gone.iter().filter(waits).cloned().collect();
        let (waited, listed) = (listed.waits && self.waiting.is_empty(), listed.members.len());
        let (fresh, recent) = (gone.len() - waiting.len(), self.recent.count(&self.settings.name));
        let limit = self.settings.limit;
        let is_much = fresh > 0 && limit.is_much(fresh + recent, listed + recent);
        let is_known = !waited || limit.percent >= 100;
        match !is_known || is_much || limit.is_exceeded(gone.len(), listed) {
            true => gone.iter().cloned().collect(),
            false => waiting,
        }
    }

    /// The version is served.
    pub(super) fn served(&mut self, produced: Listing) {
        let Listing { listed, gone, is_accepted } = produced;
        // What waits, waits under the serial of the version that is served.
        if let (Some(held), Some(serial)) = (&mut self.held, listed.serial) {
            held.serial = serial;
        }
        self.recent.note(&self.settings.name, &gone, is_accepted);
        let before = self.listed.take().unwrap_or_default();
        for name in listed.members.keys().filter(|name| !before.members.contains_key(*name)) {
            self.recent.is_back(name);
            if before.serial.is_some() {
                self.said.insert(name.clone());
            }
        }
        // One that waits, or is not served yet, is listed as it was: it may still be another one.
        let label = |of: &Listed, name: &Name| of.members.get(name).map(|member| member.label.clone());
        let is_as_it_was = |name: &Name| {
            let now = label(&listed, name);
            now.is_some() && now == label(&before, name)
        };
        for all in [&mut self.left, &mut self.anew] {
            let (stay, said) = std::mem::take(all).into_iter().partition(|name| is_as_it_was(name));
            *all = stay;
            self.said.extend(said);
        }
        (self.listed, self.retry_at, self.fault) = (Some(listed), None, None);
    }

    /// It is not served: it is tried again.
    pub(super) fn failed(&mut self, fault: String) {
        (self.seen, self.fault) = (None, Some(fault));
    }

    /// The serial after which removals wait.
    pub(super) fn held(&self) -> Option<Serial> {
        self.held.as_ref().map(|held| held.serial)
    }

    pub(super) fn fact(&self) -> CatalogFact {
        let listed = self.listed.as_ref();
        CatalogFact {
            name: self.settings.name.clone(),
            is_produced: true,
            serial: listed.and_then(|listed| listed.serial),
            members: listed.map_or(0, |listed| listed.members.len()),
            awaited: 0,
            held: self.held.clone(),
            removed: 0,
            clashes: 0,
            first_clash: None,
            fault: self.fault.clone(),
        }
    }

    /// Whether a zone of the report that changed comes or goes.
    fn may_differ(&self, report: &Report, listed: &Listed) -> bool {
        let changed = self.seen.and_then(|seen| report.changed_since(seen));
        let Some(mut changed) = changed.filter(|_| listed.serial.is_some()) else { return true };
        changed.any(|name| {
            let zone = report.zones.get(name);
            let comes = zone.is_some_and(|zone| zone.is_served() && !zone.is_catalog);
            match listed.members.contains_key(name) {
                // One that comes back ends a removal that waits, or is another one.
                true => zone.is_none() || self.held.is_some() || self.has_begun_anew(report, name),
                false => comes && self.settings.lists(&name.to_string()),
            }
        })
    }

    /// What is to be listed in the version with this serial.
    fn wanted(&self, report: &Report, listed: &Listed, serial: Serial) -> BTreeMap<Name, ListedMember> {
        let mut wanted = BTreeMap::new();
        for (name, zone) in report.zones.iter().filter(|(_, zone)| !zone.is_catalog) {
            let text = name.to_string();
            let is_there = zone.is_served() || listed.members.contains_key(name);
            if is_there && self.settings.lists(&text) {
                let groups = self.settings.groups_of(&text);
                let new_owner = self.settings.hand_over.get(name).cloned();
                let label = match self.has_begun_anew(report, name) {
                    true => label_of(name, Some(serial)),
                    false => listed.label(name),
                };
                wanted.insert(
                    name.clone(),
                    ListedMember { name: name.clone(), label, groups: sorted(groups), new_owner },
                );
            }
        }
        wanted
    }
}

impl Listed {
    /// The label of a zone: the one that it has, or that of one that is listed from now on.
    fn label(&self, name: &Name) -> Box<[u8]> {
        let first = || label_of(name, None);
        let new = || label_of(name, self.removed.get(&first()).copied());
        self.members.get(name).map_or_else(new, |member| member.label.clone())
    }
}

/// What is listed when a version is served.
#[derive(Debug)]
pub(super) struct Listing {
    listed: Listed,
    gone: Vec<Name>,
    is_accepted: bool,
}

impl Produced {
    pub(super) fn split(self) -> (NewVersion, Listing) {
        let Self { version, next: listed, gone, is_accepted } = self;
        (version, Listing { listed, gone, is_accepted })
    }
}

/// Which zones were removed, when these go and those are listed: one that is listed says so by its label.
fn removed(
    listed: &Listed,
    wanted: &BTreeMap<Name, ListedMember>,
    (gone, serial): (&[Name], Serial),
) -> BTreeMap<Box<[u8]>, Serial> {
    let mut removed = listed.removed.clone();
    for name in wanted.keys().filter(|name| !listed.members.contains_key(*name)) {
        removed.remove(&label_of(name, None));
    }
    removed.extend(gone.iter().map(|name| (label_of(name, None), serial)));
    let surplus = removed.len().saturating_sub(MOST_REMOVED);
    if surplus > 0 {
        let age = |of: Serial| serial.0.wrapping_sub(of.0);
        let mut oldest: Vec<(u32, Box<[u8]>)> =
            removed.iter().map(|(label, of)| (age(*of), label.clone())).collect();
        oldest.sort_unstable_by(|one, other| other.cmp(one));
        for (_, label) in oldest.iter().take(surplus) {
            removed.remove(label);
        }
    }
    removed
}

/// As a catalog that is read has them.
fn sorted(mut groups: Vec<Box<[u8]>>) -> Vec<Box<[u8]>> {
    groups.sort();
    groups.dedup();
    groups
}

fn whole(catalog: &Name, serial: Serial, next: &Listed) -> Result<Zone, ProduceError> {
    let members: Vec<ListedMember> = next.members.values().cloned().collect();
    let mut builder = ZoneBuilder::new(catalog.clone());
    builder.add(catalog_records(catalog, serial, &members)?);
    builder.finish().map_err(|faults| {
        ProduceError::Zone(faults.first().map_or_else(|| "no fault is told".to_owned(), ToString::to_string))
    })
}

fn difference(
    catalog: &Name,
    (from, to): (Serial, Serial),
    listed: &Listed,
    next: &Listed,
) -> Result<Difference, ProduceError> {
    let (mut deleted, mut added) = (RecordBatch::new(catalog), RecordBatch::new(catalog));
    soa_into(&mut deleted, from);
    soa_into(&mut added, to);
    if listed.accepted != next.accepted {
        listed.accepted.map_or(Ok(()), |serial| accepted_into(&mut deleted, serial))?;
        next.accepted.map_or(Ok(()), |serial| accepted_into(&mut added, serial))?;
    }
    if listed.waits != next.waits {
        waits_into(if next.waits { &mut added } else { &mut deleted });
    }
    let new = |from: &Listed, than: &Listed, to: &mut RecordBatch| {
        for (label, serial) in &from.removed {
            if than.removed.get(label) != Some(serial) {
                removed_into(to, label, *serial);
            }
        }
    };
    new(listed, next, &mut deleted);
    new(next, listed, &mut added);
    let others =
        |from: &BTreeMap<Name, ListedMember>, than: &BTreeMap<Name, ListedMember>, to: &mut RecordBatch| {
            let differs = |member: &&ListedMember| than.get(&member.name) != Some(*member);
            from.values().filter(differs).try_for_each(|member| member_into(to, member))
        };
    others(&listed.members, &next.members, &mut deleted)?;
    others(&next.members, &listed.members, &mut added)?;
    Ok(Difference { from, to, deleted, added })
}

#[cfg(test)]
#[path = "../../../tests/unit/daemon/producing.rs"]
mod tests;
