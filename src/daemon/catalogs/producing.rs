//! A catalog that is made here: which zones it lists, and the versions that lead from one list to the next. No I/O.
//!
//! Zones that are served flow in, a whole first version or a difference flows out. Zones that are configured and not served stay
//! listed: a zone that is refused here is no reason to take it from the secondaries. Many that go at once wait for an operator.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::catalog::{CatalogZone, ListedMember, accepted_into, catalog_records, member_into, soa_into};
use crate::config::ProducedCatalog;
use crate::publish::{Difference, Fault, Report};
use crate::wire::{Name, NameError, Serial};
use crate::zone::{RecordBatch, Zone, ZoneBuilder};

use super::facts::{CatalogFact, HeldRemovals};

/// See the module.
#[derive(Debug)]
pub(super) struct Producing {
    pub(super) settings: ProducedCatalog,
    /// What the version that is served lists; `None` before it was looked at.
    listed: Option<Listed>,
    held: Option<HeldRemovals>,
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
    members: BTreeMap<Name, ListedMember>,
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
        Self { settings, listed: None, held: None, seen: None, retry_at: None, fault: None }
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
                members: read
                    .members
                    .into_iter()
                    .map(|(name, member)| {
                        let (groups, new_owner) = (member.groups, member.new_owner);
                        (name.clone(), ListedMember { name, groups, new_owner })
                    })
                    .collect(),
            }
        }));
    }

    /// The next version, if the list has changed; `unix_time` becomes the first serial. `accepts`: the serial after which removals
    /// that wait were accepted.
    ///
    /// # Errors
    /// There can be none.
    pub(super) fn next(
        &mut self,
        report: &Report,
        accepts: Option<Serial>,
        unix_time: u64,
    ) -> Result<Option<Produced>, ProduceError> {
        let Some(listed) = &self.listed else { return Ok(None) };
        if accepts.is_none() && !self.may_differ(report, listed) {
            return Ok(None);
        }
        let mut wanted = self.wanted(report, listed);
        let gone: Vec<&Name> = listed.members.keys().filter(|name| !wanted.contains_key(*name)).collect();
        let is_accepted = accepts.is_some() && accepts == self.held();
        let is_much = self.settings.limit.is_exceeded(gone.len(), listed.members.len());
        self.held = None;
        if let (true, false, Some(first), Some(serial)) = (is_much, is_accepted, gone.first(), listed.serial)
        {
            self.held = Some(HeldRemovals { serial, count: gone.len(), first: (*first).clone() });
            let stay = gone.iter().filter_map(|name| listed.members.get_key_value(*name));
            wanted.extend(stay.map(|(name, member)| (name.clone(), member.clone())));
        }
        self.seen = Some(report.changes());
        self.fault = None;
        if listed.serial.is_some() && wanted == listed.members {
            return Ok(None);
        }
        // RFC 1982: one more; the first is a time, so that it is later than any of a state directory that was lost.
        let serial =
            listed.serial.map_or(Serial(unix_time as u32), |serial| Serial(serial.0.wrapping_add(1)));
        let accepted = if is_much && is_accepted { Some(serial) } else { listed.accepted };
        let next = Listed { serial: Some(serial), accepted, members: wanted };
        let version = match listed.serial {
            None => NewVersion::Whole(Box::new(whole(&self.settings.name, serial, &next)?)),
            Some(from) => {
                let difference = difference(&self.settings.name, (from, serial), listed, &next)?;
                NewVersion::Difference(Box::new(difference))
            }
        };
        Ok(Some(Produced { version, next }))
    }

    /// The version is served.
    pub(super) fn served(&mut self, produced: Listing) {
        // What waits, waits under the serial of the version that is served.
        if let (Some(held), Some(serial)) = (&mut self.held, produced.0.serial) {
            held.serial = serial;
        }
        (self.listed, self.retry_at, self.fault) = (Some(produced.0), None, None);
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
                // One that comes back ends a removal that waits.
                true => zone.is_none() || self.held.is_some(),
                false => comes && self.settings.lists(&name.to_string()),
            }
        })
    }

    /// What is to be listed.
    fn wanted(&self, report: &Report, listed: &Listed) -> BTreeMap<Name, ListedMember> {
        let mut wanted = BTreeMap::new();
        for (name, zone) in report.zones.iter().filter(|(_, zone)| !zone.is_catalog) {
            let text = name.to_string();
            let is_there = zone.is_served() || listed.members.contains_key(name);
            if is_there && self.settings.lists(&text) {
                let groups = self.settings.groups_of(&text);
                let new_owner = self.settings.hand_over.get(name).cloned();
                wanted.insert(
                    name.clone(),
                    ListedMember { name: name.clone(), groups: sorted(groups), new_owner },
                );
            }
        }
        wanted
    }
}

/// What is listed when a version is served.
#[derive(Debug)]
pub(super) struct Listing(Listed);

impl Produced {
    pub(super) fn split(self) -> (NewVersion, Listing) {
        (self.version, Listing(self.next))
    }
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
