//! Zones of the document: counted as they change, listed as asked.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

use crate::control::{self, Selection, ZoneCounts, ZoneFilter, ZoneGroup, ZoneStatus, one_line};
use crate::publish::{Fault, Report, ZoneReport, ZoneState};
use crate::wire::Name;

use super::clock::unix;
use super::other::OtherAlarm;
use super::signatures::{self, Expiries};

/// The most zones of a page: more are found by a walk.
const MOST_WELL: usize = 100;

/// The most faults of one zone in the document.
const MOST_FAULTS: usize = 3;

/// The zones that are not well, by what they have in common.
type Groups = BTreeMap<(bool, u8, Option<Kind>), ZoneGroup>;

/// The zones of the report, counted; kept up to date by what changes.
#[derive(Default)]
pub(super) struct ZoneTable {
    report: Arc<Report>,
    required: Arc<[Name]>,
    /// When the process began: a zone without a better time stands so since then.
    started: u64,
    counts: ZoneCounts,
    /// The zones that are not well.
    bad: BTreeSet<Name>,
    /// The same, grouped.
    groups: Groups,
    /// When the signatures of zones expire.
    expiries: Expiries,
    walks: u64,
}

/// Which kind of fault; zones with the same one are told together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind(u64);

impl Kind {
    fn of(fault: &Fault) -> Self {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let kind: Discriminant<Fault> = discriminant(fault);
        let mut hasher = DefaultHasher::new();
        kind.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// One zone of the report, or one that is required and that the report does not hold.
#[derive(Clone, Copy)]
struct Entry<'a> {
    name: &'a Name,
    zone: Option<&'a ZoneReport>,
    settled: bool,
}

impl Entry<'_> {
    fn state(&self) -> control::ZoneState {
        match self.zone.map(|zone| zone.state) {
            None if self.settled => control::ZoneState::Refused,
            None | Some(ZoneState::Waiting) => control::ZoneState::Loading,
            Some(ZoneState::Serving) => control::ZoneState::Served,
            Some(ZoneState::Kept) => control::ZoneState::Kept,
            Some(ZoneState::Refused) => control::ZoneState::Refused,
        }
    }

    fn is_well(&self) -> bool {
        self.zone.is_some_and(|zone| zone.state == ZoneState::Serving && zone.faults.is_empty())
    }

    fn since(&self, started: u64) -> u64 {
        self.zone.map_or(started, |zone| unix(zone.since))
    }

    /// The first faults in words.
    fn faults(&self) -> Vec<String> {
        let Some(zone) = self.zone else { return vec!["required, but no source holds it".to_owned()] };
        let told = zone.faults.iter().take(MOST_FAULTS).map(|fault| self.fault_text(zone, fault));
        let more = zone.faults.len().saturating_sub(MOST_FAULTS);
        told.chain((more > 0).then(|| format!("and {more} more"))).collect()
    }

    /// With the command that lets the version pass, if one does.
    fn fault_text(&self, zone: &ZoneReport, fault: &Fault) -> String {
        const COMMAND: &str = "anyns zone accept";
        let text = one_line(&fault.to_string());
        match (fault, zone.refused_serial) {
            (Fault::Refused { .. }, Some(serial)) if !text.contains(COMMAND) => {
                one_line(&format!("{COMMAND} {} {serial} accepts it: {text}", self.name))
            }
            _ => text,
        }
    }

    fn status(&self, is_required: bool, started: u64) -> ZoneStatus {
        ZoneStatus {
            name: self.name.to_string(),
            state: self.state(),
            required: is_required,
            serial: self.zone.and_then(|zone| zone.serial).map(|serial| serial.0),
            records: self.zone.map_or(0, |zone| zone.records as u64),
            source: self.zone.map_or_else(String::new, |zone| zone.source.display().to_string()),
            since: self.since(started),
            signatures: self.zone.and_then(signatures::status),
            faults: self.faults(),
        }
    }
}

impl ZoneTable {
    /// Takes another report: looks at the zones that changed, or at all of them if other zones are required or those that changed
    /// are not known.
    pub(super) fn refresh(&mut self, report: &Arc<Report>, required: &Arc<[Name]>, started: u64) {
        let is_same = Arc::ptr_eq(&self.report, report) && Arc::ptr_eq(&self.required, required);
        if self.walks > 0 && is_same {
            return;
        }
        let follows =
            self.walks > 0 && Arc::ptr_eq(&self.required, required) && self.report.settled == report.settled;
        let changed = report.changed_since(self.report.changes()).filter(|_| follows);
        let Some(changed) = changed else { return self.walk_all(report, required, started) };
        let changed: BTreeSet<Name> = changed.cloned().collect();
        let before = std::mem::replace(&mut self.report, report.clone());
        let mut is_concerned = false;
        for name in changed {
            is_concerned |= self.bad.contains(&name);
            self.count(&name, before.zones.get(&name).map(Arc::as_ref), before.settled, false);
            self.count(&name, report.zones.get(&name).map(Arc::as_ref), report.settled, true);
            is_concerned |= self.bad.contains(&name);
        }
        if is_concerned {
            self.groups = self.grouped();
        }
    }

    fn walk_all(&mut self, report: &Arc<Report>, required: &Arc<[Name]>, started: u64) {
        let walks = self.walks + 1;
        *self =
            Self { report: report.clone(), required: required.clone(), started, walks, ..Self::default() };
        for entry in entries(report, required) {
            self.count(entry.name, entry.zone, entry.settled, true);
        }
        self.groups = self.grouped();
    }

    /// Counts a zone in, or out again. One that the report does not hold counts only if it is required.
    fn count(&mut self, name: &Name, zone: Option<&ZoneReport>, settled: bool, is_in: bool) {
        if zone.is_none() && !self.required.contains(name) {
            return;
        }
        let entry = Entry { name, zone, settled };
        let add = |count: &mut u64| *count = if is_in { *count + 1 } else { count.saturating_sub(1) };
        add(&mut self.counts.total);
        add(match entry.state() {
            control::ZoneState::Loading => &mut self.counts.loading,
            control::ZoneState::Served => &mut self.counts.served,
            control::ZoneState::Kept => &mut self.counts.kept,
            control::ZoneState::Refused => &mut self.counts.refused,
        });
        if !entry.is_well() {
            add(&mut self.counts.not_well);
            match is_in {
                true => drop(self.bad.insert(name.clone())),
                false => drop(self.bad.remove(name)),
            }
        }
        match is_in {
            true => self.expiries.add(name, zone),
            false => self.expiries.remove(name, zone),
        }
    }

    /// What is to be told of signatures that expire, at this moment.
    pub(super) fn signature_alarms(&self, now: u64) -> Vec<OtherAlarm> {
        self.expiries.alarms(now)
    }

    /// The zones that are not well, those with the same cause together; required ones first, then those that are not served.
    pub(super) fn groups(&self) -> Vec<ZoneGroup> {
        self.groups.values().rev().cloned().collect()
    }

    fn grouped(&self) -> Groups {
        let wanted: BTreeSet<&Name> = self.required.iter().collect();
        let mut groups = Groups::new();
        for entry in self.bad.iter().filter_map(|name| self.entry(name)) {
            group(&mut groups, &entry, wanted.contains(entry.name), self.started);
        }
        groups
    }

    /// The first zones that are well.
    fn well(&self, most: usize) -> impl Iterator<Item = &Name> {
        self.report.zones.keys().filter(|name| !self.bad.contains(*name)).take(most)
    }

    /// The zones that were asked for, those that are not well first where not all are listed; and the counts.
    pub(super) fn select(&self, selection: &Selection) -> (Vec<ZoneStatus>, ZoneCounts) {
        let mut counts = self.counts.clone();
        let most = selection.most.unwrap_or(usize::MAX);
        let listed: Vec<Entry<'_>> = match &selection.zones {
            ZoneFilter::All if most <= MOST_WELL => {
                (counts.matched, counts.matched_not_well) = (counts.total, counts.not_well);
                self.bad
                    .iter()
                    .chain(self.well(most))
                    .take(most)
                    .filter_map(|name| self.entry(name))
                    .collect()
            }
            ZoneFilter::Name(name) => {
                let found: Vec<_> =
                    name.parse().ok().and_then(|name| self.entry_of(&name)).into_iter().collect();
                counts.matched = found.len() as u64;
                counts.matched_not_well = found.iter().filter(|entry| !entry.is_well()).count() as u64;
                found
            }
            filter => self.walk(filter, most, &mut counts),
        };
        let wanted: BTreeSet<&Name> = self.required.iter().collect();
        let status = |entry: &Entry<'_>| entry.status(wanted.contains(entry.name), self.started);
        (listed.iter().map(status).collect(), counts)
    }

    fn walk(&self, filter: &ZoneFilter, most: usize, counts: &mut ZoneCounts) -> Vec<Entry<'_>> {
        let takes = |entry: &Entry<'_>| match filter {
            ZoneFilter::All => true,
            ZoneFilter::Bad => !entry.is_well(),
            _ => filter.takes(&entry.name.to_string(), entry.is_well()),
        };
        let (mut bad, mut well) = (Vec::new(), Vec::new());
        let mut all = Vec::new();
        for entry in entries(&self.report, &self.required).filter(takes) {
            counts.matched += 1;
            let is_well = entry.is_well();
            counts.matched_not_well += u64::from(!is_well);
            let list = match (most, is_well) {
                (usize::MAX, _) => &mut all,
                (_, true) => &mut well,
                (_, false) => &mut bad,
            };
            if list.len() < most {
                list.push(entry);
            }
        }
        all.extend(bad.into_iter().chain(well).take(most));
        all
    }

    /// A name of the report or of the required zones.
    fn entry<'a>(&'a self, name: &'a Name) -> Option<Entry<'a>> {
        let zone = self.report.zones.get(name).map(Arc::as_ref);
        Some(Entry { name, zone, settled: self.report.settled })
    }

    /// The same for a name that somebody asks for.
    fn entry_of(&self, name: &Name) -> Option<Entry<'_>> {
        let settled = self.report.settled;
        let known = self.report.zones.get_key_value(name);
        let absent = || self.required.iter().find(|required| *required == name);
        match known {
            Some((name, zone)) => Some(Entry { name, zone: Some(zone), settled }),
            None => absent().map(|name| Entry { name, zone: None, settled }),
        }
    }
}

/// Every zone of the report, then those that are required and are not in it.
fn entries<'a>(report: &'a Report, required: &'a [Name]) -> impl Iterator<Item = Entry<'a>> {
    let settled = report.settled;
    let known =
        report.zones.iter().map(move |(name, zone)| Entry { name, zone: Some(zone.as_ref()), settled });
    let absent = required.iter().filter(|name| !report.zones.contains_key(*name));
    known.chain(absent.map(move |name| Entry { name, zone: None, settled }))
}

/// Adds one zone that is not well to its group.
fn group(groups: &mut Groups, entry: &Entry<'_>, required: bool, started: u64) {
    let state = entry.state();
    let fault = entry.zone.and_then(|zone| zone.faults.first());
    let since = entry.since(started);
    let group = groups.entry((required, state as u8, fault.map(Kind::of))).or_insert_with(|| ZoneGroup {
        state,
        required,
        count: 0,
        first: entry.name.to_string(),
        fault: entry.faults().into_iter().next(),
        since,
    });
    group.count += 1;
    group.since = group.since.min(since);
}

#[cfg(test)]
#[path = "../../../tests/unit/daemon/status/zones.rs"]
pub(super) mod tests;
