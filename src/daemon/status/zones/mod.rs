//! Zones of the document: counted as they change, listed as asked.

pub(in crate::daemon::status) mod busy_zones;
mod groups;
mod signatures;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::clock::unix_seconds;
use crate::control::{self, Selection, ServedZone, ZoneCounts, ZoneFilter, ZoneGroup, ZoneStatus, one_line};
use crate::publish::{Fault, Refused, Report, ZoneReport, ZoneState};
use crate::telemetry::{BUCKETS, bucket, serial_digest};
use crate::wire::Name;
use crate::zone::Expiry;

use crate::daemon::required::RequiredZones;
use crate::daemon::status::other::OtherAlarm;
use crate::daemon::status::zones::groups::{FaultKind, GroupKey, GroupLine, Groups};
use crate::daemon::status::zones::signatures::Expiries;

/// The most zones of a page: more are found by a walk.
const MOST_WELL: usize = 100;

/// The most faults of one zone in the document.
const MOST_FAULTS: usize = 3;

/// The zones of the report, counted; kept up to date by what changes.
#[derive(Default)]
pub(in crate::daemon::status) struct ZoneTable {
    report: Arc<Report>,
    required: RequiredZones,
    /// When the process began: a zone without a better time stands so since then.
    started: u64,
    counts: ZoneCounts,
    /// The zones of the report that are not well, and those that are required and not in the report.
    bad: BTreeSet<Name>,
    absent: BTreeSet<Name>,
    /// Both, by what they have in common.
    groups: Groups,
    /// When the signatures of zones expire.
    expiries: Expiries,
    /// By bucket, the sum of the digests of serials; empty before the first zone.
    digests: Vec<u64>,
    /// Whether a report was walked.
    is_filled: bool,
    /// Zones that were looked at so far.
    #[cfg(test)]
    visits: u64,
}

/// One zone of the report, or one that is required and that the report does not hold.
#[derive(Clone, Copy)]
struct ListedZone<'a> {
    name: &'a Name,
    zone: Option<&'a ZoneReport>,
    settled: bool,
}

impl ListedZone<'_> {
    fn state(&self) -> control::ZoneState {
        match self.zone.map(|zone| zone.state) {
            None if self.settled => control::ZoneState::Refused,
            None | Some(ZoneState::Waiting) => control::ZoneState::Loading,
            Some(ZoneState::Serving | ZoneState::Kept) if self.is_expired() => control::ZoneState::Expired,
            Some(ZoneState::Serving) => control::ZoneState::Served,
            Some(ZoneState::Kept) => control::ZoneState::Kept,
            Some(ZoneState::Refused) => control::ZoneState::Refused,
        }
    }

    /// Whether it is answered SERVFAIL for its age.
    fn is_expired(&self) -> bool {
        self.zone.is_some_and(|zone| zone.expiry == Expiry::Expired)
    }

    fn is_well(&self) -> bool {
        self.zone.is_some_and(is_well)
    }

    /// Since when it stands so; what is wrong with one that is held and otherwise well began with the hold.
    fn since(&self, started: u64) -> u64 {
        let Some(zone) = self.zone else { return started };
        let held = match zone.faults.first() {
            Some(Fault::Held { since, .. }) if self.state() == control::ZoneState::Served => Some(*since),
            _ => None,
        };
        unix_seconds(held.unwrap_or(zone.since))
    }

    /// With which zones it is told together, if it is not well.
    fn group(&self, is_required: bool) -> GroupKey {
        let fault = self.zone.and_then(|zone| match zone.expiry {
            Expiry::Current => zone.faults.first().map(FaultKind::of),
            Expiry::Stale | Expiry::Expired => Some(FaultKind::EXPIRED),
        });
        GroupKey { is_required, state: self.state() as u8, fault }
    }

    /// The first faults in words.
    fn faults(&self) -> Vec<String> {
        let Some(zone) = self.zone else { return vec!["required, but no source holds it".to_owned()] };
        let expired = match zone.expiry {
            Expiry::Current => None,
            Expiry::Stale => {
                Some("expired, and served as stale: no primary has confirmed it in time".to_owned())
            }
            Expiry::Expired => Some("no primary has confirmed it in time".to_owned()),
        };
        let told = zone.faults.iter().take(MOST_FAULTS).map(|fault| self.fault_text(zone, fault));
        let more = zone.faults.len().saturating_sub(MOST_FAULTS);
        expired.into_iter().chain(told).chain((more > 0).then(|| format!("and {more} more"))).collect()
    }

    /// With the command that lets the version pass, if one does.
    fn fault_text(&self, zone: &ZoneReport, fault: &Fault) -> String {
        const COMMAND: &str = "anyns zone accept";
        // Other content under the serial that is served: no secondary would take it, so that the serial must be raised.
        if let Fault::Refused { path, refused: refused @ Refused::SameSerial { .. }, .. } = fault {
            return one_line(&format!("{}: {refused}", path.display()));
        }
        let text = one_line(&fault.to_string());
        match (fault, zone.refused_serial) {
            (Fault::Refused { .. } | Fault::RefusedOffer { .. }, Some(serial)) if !text.contains(COMMAND) => {
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
            source_serial: self.zone.and_then(|zone| zone.source_serial).map(|serial| serial.0),
            refused_serial: self.zone.and_then(|zone| zone.refused_serial).map(|serial| serial.0),
            is_held: self.zone.is_some_and(|zone| zone.faults.iter().any(is_hold)),
            records: self.zone.map_or(0, |zone| zone.records as u64),
            source: self.zone.map_or_else(String::new, |zone| zone.source.display().to_string()),
            since: self.since(started),
            signatures: self.zone.and_then(signatures::status),
            faults: self.faults(),
            ..ZoneStatus::default()
        }
    }
}

/// Whether it says that an operator holds the zone.
fn is_hold(fault: &Fault) -> bool {
    matches!(fault, Fault::Held { .. })
}

impl ZoneTable {
    /// Takes another report: looks at the zones that changed, or at all of them if other zones are required or those that changed
    /// are not known.
    pub(in crate::daemon::status) fn refresh(
        &mut self,
        report: &Arc<Report>,
        required: &RequiredZones,
        started: u64,
    ) {
        let is_same = Arc::ptr_eq(&self.report, report) && Arc::ptr_eq(&self.required, required);
        if self.is_filled && is_same {
            return;
        }
        let follows =
            self.is_filled && Arc::ptr_eq(&self.required, required) && self.report.settled == report.settled;
        let changed = report.changed_since(self.report.changes()).filter(|_| follows);
        let Some(changed) = changed else { return self.walk_all(report, required, started) };
        let changed: BTreeSet<Name> = changed.cloned().collect();
        let before = std::mem::replace(&mut self.report, report.clone());
        for name in changed {
            self.count(&name, before.zones.get(&name).map(Arc::as_ref), before.settled, false);
            self.count(&name, report.zones.get(&name).map(Arc::as_ref), report.settled, true);
        }
    }

    fn walk_all(&mut self, report: &Arc<Report>, required: &RequiredZones, started: u64) {
        let table = Self {
            report: report.clone(),
            required: required.clone(),
            started,
            is_filled: true,
            ..Self::default()
        };
        #[cfg(test)]
        let table = Self { visits: self.visits, ..table };
        *self = table;
        for entry in entries(report, required) {
            self.count(entry.name, entry.zone, entry.settled, true);
        }
    }

    /// Counts a zone in, or out again. One that the report does not hold counts only if it is required.
    fn count(&mut self, name: &Name, zone: Option<&ZoneReport>, settled: bool, is_in: bool) {
        #[cfg(test)]
        {
            self.visits += 1;
        }
        let is_required = self.required.contains(name);
        if zone.is_none() && !is_required {
            return;
        }
        let entry = ListedZone { name, zone, settled };
        self.count_serial(name, zone, is_in);
        let add = |count: &mut u64| *count = if is_in { *count + 1 } else { count.saturating_sub(1) };
        add(&mut self.counts.total);
        add(match entry.state() {
            control::ZoneState::Loading => &mut self.counts.loading,
            control::ZoneState::Served => &mut self.counts.served,
            control::ZoneState::Kept => &mut self.counts.kept,
            control::ZoneState::Refused => &mut self.counts.refused,
            control::ZoneState::Expired => &mut self.counts.expired,
        });
        if !entry.is_well() {
            add(&mut self.counts.not_well);
            let (key, since) = (entry.group(is_required), entry.since(self.started));
            let names = if zone.is_some() { &mut self.bad } else { &mut self.absent };
            match is_in {
                true => {
                    names.insert(name.clone());
                    self.groups.add(key, name, since);
                }
                false => {
                    names.remove(name);
                    self.groups.remove(key, name, since);
                }
            }
        }
        match is_in {
            true => self.expiries.add(name, zone),
            false => self.expiries.remove(name, zone),
        }
    }

    fn count_serial(&mut self, name: &Name, zone: Option<&ZoneReport>, is_in: bool) {
        self.digests.resize(BUCKETS, 0);
        let (name, serial) = (name.to_string(), zone.and_then(|zone| zone.serial));
        let digest = serial_digest(&name, serial.map(|serial| serial.0));
        if let Some(sum) = self.digests.get_mut(usize::from(bucket(&name))) {
            *sum = if is_in { sum.wrapping_add(digest) } else { sum.wrapping_sub(digest) };
        }
    }

    /// By bucket, what tells whether two POPs serve the same serials.
    pub(in crate::daemon::status) fn digests(&self) -> &[u64] {
        &self.digests
    }

    /// The zones in these buckets that are served, without their contents: a walk over all names.
    pub(in crate::daemon::status) fn serials(&self, buckets: &[u8]) -> Vec<(&Name, ServedZone)> {
        let served = self.report.zones.iter().filter_map(|(name, zone)| Some((name, zone.serial?)));
        let served = served.map(|(name, serial)| (name, name.to_string(), serial));
        let wanted = served.filter(|(_, text, _)| buckets.contains(&bucket(text)));
        wanted
            .map(|(name, text, serial)| (name, ServedZone { name: text, serial: serial.0, content: None }))
            .collect()
    }

    /// When the first signature of any zone expires.
    pub(in crate::daemon::status) fn earliest_expiry(&self) -> Option<u64> {
        self.expiries.earliest()
    }

    /// What is to be told of signatures that expire, at this moment.
    pub(in crate::daemon::status) fn signature_alarms(&self, now: u64) -> Vec<OtherAlarm> {
        self.expiries.alarms(now)
    }

    /// The zones that are not well, those with the same cause together; required ones first, then those that are not served.
    pub(in crate::daemon::status) fn groups(&self) -> Vec<ZoneGroup> {
        let group = |line: GroupLine<'_>| {
            let entry = self.entry(line.first);
            ZoneGroup {
                state: entry.state(),
                required: line.key.is_required,
                count: line.count,
                first: line.first.to_string(),
                fault: entry.faults().into_iter().next(),
                since: line.since,
            }
        };
        self.groups.lines().map(group).collect()
    }

    /// The zones that are not well: those of the report, then those that are not in it.
    fn not_well(&self) -> impl Iterator<Item = &Name> {
        self.bad.iter().chain(&self.absent)
    }

    /// The first zones without faults.
    fn well(&self, most: usize) -> impl Iterator<Item = &Name> {
        self.report.zones.keys().filter(|name| !self.bad.contains(*name)).take(most)
    }

    /// The zones that were asked for, those that are not well first where not all are listed; and the counts.
    pub(in crate::daemon::status) fn select(&self, selection: &Selection) -> (Vec<ZoneStatus>, ZoneCounts) {
        let mut counts = self.counts.clone();
        let most = selection.most.unwrap_or(usize::MAX);
        let listed: Vec<ListedZone<'_>> = match &selection.zones {
            ZoneFilter::All if most <= MOST_WELL => {
                (counts.matched, counts.matched_not_well) = (counts.total, counts.not_well);
                self.not_well().chain(self.well(most)).take(most).map(|name| self.entry(name)).collect()
            }
            ZoneFilter::Bad => {
                (counts.matched, counts.matched_not_well) = (counts.not_well, counts.not_well);
                self.not_well().take(most).map(|name| self.entry(name)).collect()
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
        let status = |entry: &ListedZone<'_>| entry.status(self.required.contains(entry.name), self.started);
        (listed.iter().map(status).collect(), counts)
    }

    fn walk(&self, filter: &ZoneFilter, most: usize, counts: &mut ZoneCounts) -> Vec<ListedZone<'_>> {
        let takes = |entry: &ListedZone<'_>| match filter {
            ZoneFilter::All => true,
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
    fn entry<'a>(&'a self, name: &'a Name) -> ListedZone<'a> {
        let zone = self.report.zones.get(name).map(Arc::as_ref);
        ListedZone { name, zone, settled: self.report.settled }
    }

    /// The same for a name that somebody asks for.
    fn entry_of(&self, name: &Name) -> Option<ListedZone<'_>> {
        let settled = self.report.settled;
        let known = self.report.zones.get_key_value(name);
        let absent = || self.required.get(name);
        match known {
            Some((name, zone)) => Some(ListedZone { name, zone: Some(zone), settled }),
            None => absent().map(|name| ListedZone { name, zone: None, settled }),
        }
    }
}

/// Whether a zone is served in its newest version, without faults, and has not expired.
pub(in crate::daemon::status) fn is_well(zone: &ZoneReport) -> bool {
    zone.state == ZoneState::Serving && zone.faults.is_empty() && zone.expiry == Expiry::Current
}

/// Every zone of the report, then those that are required and are not in it.
fn entries<'a>(report: &'a Report, required: &'a BTreeSet<Name>) -> impl Iterator<Item = ListedZone<'a>> {
    let settled = report.settled;
    let known =
        report.zones.iter().map(move |(name, zone)| ListedZone { name, zone: Some(zone.as_ref()), settled });
    let absent = required.iter().filter(|name| !report.zones.contains_key(*name));
    known.chain(absent.map(move |name| ListedZone { name, zone: None, settled }))
}

#[cfg(test)]
#[path = "../../../../tests/unit/daemon/status/zones.rs"]
pub(in crate::daemon::status) mod tests;
