//! The versions of one zone that wait: the state machine, and what each entry holds.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::publish::{Difference, Force};
use crate::transfer::refresh::Now;
use crate::transfer::secondary::{InstallGate, Origin, Sink, SinkError};
use crate::wire::{Name, RecordType, Serial};
use crate::zone::{Owners, Zone};

use super::machine::{DelayedZone, Insertion, Remembered, Why};
use super::settings::DelayRules;

/// A version that came.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) zone: Arc<Zone>,
    /// Where it differs from the version before it; `None` if it came whole.
    pub(super) owners: Option<Owners>,
    pub(super) primary: SocketAddr,
    /// Whether it is the first one of another zone under the name, so that its serial says nothing, or of another history.
    pub(super) force: Force,
    pub(super) has_other_keys: bool,
    pub(super) remembered: Option<Remembered>,
}

/// One zone. Versions share what is the same in them, so each costs what it changes.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) machine: DelayedZone,
    versions: VecDeque<Version>,
    /// The version that was served when the first of them came.
    base: Serial,
    /// Closed once the zone, or one of its versions, is forgotten: no step of that time is served any more.
    gate: Arc<InstallGate>,
    /// Whether nothing of it is served for a while.
    is_paused: bool,
}

/// Versions that are to be served as one step.
#[derive(Debug)]
pub(super) struct DueStep {
    pub(super) name: Name,
    pub(super) zone: Arc<Zone>,
    owners: Option<Owners>,
    base: Serial,
    primary: SocketAddr,
    force: Force,
    gate: Arc<InstallGate>,
    pub(super) why: Why,
}

impl Queue {
    /// Of a zone of which this version is served; its steps are served through that gate.
    pub(super) fn new(rules: DelayRules, base: Serial, gate: Arc<InstallGate>) -> Self {
        let (machine, versions) = (DelayedZone::new(rules), VecDeque::new());
        Self { machine, versions, base, gate, is_paused: false }
    }

    /// Through which its steps are served.
    pub(super) fn gate(&self) -> Arc<InstallGate> {
        self.gate.clone()
    }

    /// No step that has begun is served any more, but for one that is passing the gate now, which is returned; the next ones have another.
    fn end_steps(&mut self) -> Arc<InstallGate> {
        let next = Arc::new(self.gate.next());
        let gate = std::mem::replace(&mut self.gate, next);
        gate.close();
        gate
    }

    /// Nothing is served until it [goes on](Self::go_on), but for what is passing the gate that is returned.
    pub(super) fn pause(&mut self) -> Arc<InstallGate> {
        self.is_paused = true;
        self.end_steps()
    }

    /// What was begun before the pause begins anew.
    pub(super) fn go_on(&mut self) {
        self.is_paused = false;
        let count = self.machine.count();
        let keys = self.versions.iter().map(|version| Some(version.has_other_keys)).take(count);
        self.machine.retain(&keys.collect::<Vec<_>>());
    }

    /// Forgets the versions that none of these servers gave; whether there was one. What follows one of them is that to what was before it.
    pub(super) fn keep_of(&mut self, primaries: &[SocketAddr], served: Option<&Zone>) -> bool {
        if self.versions.iter().all(|version| primaries.contains(&version.primary)) {
            return false;
        }
        self.end_steps();
        let mut entries = Vec::with_capacity(self.versions.len());
        let mut gone: Option<(Option<Owners>, Force)> = None;
        for mut version in std::mem::take(&mut self.versions) {
            if let Some((owners, force)) = gone.take() {
                version.owners = union(owners, version.owners.as_ref());
                version.force = version.force.max(force);
            }
            if primaries.contains(&version.primary) {
                let before = self.versions.back().map(|it: &Version| &*it.zone).or(served);
                version.has_other_keys = before.is_none_or(|before| has_other_keys(before, &version.zone));
                entries.push(Some(version.has_other_keys));
                self.versions.push_back(version);
            } else {
                entries.push(None);
                gone = Some((version.owners, version.force));
            }
        }
        self.machine.retain(&entries);
        true
    }

    /// What is to be remembered of each version over a restart.
    pub(super) fn remembered(&self, now: Now) -> Vec<(Serial, Remembered)> {
        let versions = self.machine.remembered(now).zip(&self.versions);
        let with_primary =
            versions.map(|((serial, it), of)| (serial, Remembered { primary: Some(of.primary), ..it }));
        with_primary.collect()
    }

    /// The newest version that waits.
    pub(super) fn tip(&self) -> Option<&Arc<Zone>> {
        self.versions.back().map(|version| &version.zone)
    }

    /// Whether what is served is not in the history of a version that waits.
    pub(super) fn is_forked(&self) -> bool {
        self.versions.iter().any(|version| version.force == Force::Forked)
    }

    pub(super) fn push(&mut self, version: Version, now: Now) {
        let (serial, keys) = (version.zone.serial(), version.has_other_keys);
        match (self.machine.arrived(serial, keys, version.remembered, now), self.versions.back_mut()) {
            (Insertion::Last, Some(last)) => {
                let owners = union(last.owners.take(), version.owners.as_ref());
                let force = last.force.max(version.force);
                let has_other_keys = last.has_other_keys || version.has_other_keys;
                *last = Version { owners, force, has_other_keys, ..version };
            }
            _ => self.versions.push_back(version),
        }
    }

    /// So many versions, the oldest first, are being served from now on.
    pub(super) fn begin(&mut self, name: &Name, count: usize, why: Why) -> Option<DueStep> {
        if self.is_paused {
            return None;
        }
        let last = self.versions.get(count.checked_sub(1)?)?;
        let owners = self.versions.iter().take(count).map(|version| version.owners.as_ref());
        let mut all = Some(Owners::default());
        for owners in owners {
            all = union(all, owners);
        }
        let force = self.versions.iter().take(count).map(|version| version.force).max().unwrap_or_default();
        self.machine.begin(count);
        let (zone, primary) = (last.zone.clone(), last.primary);
        let (name, base, gate) = (name.clone(), self.base, self.gate.clone());
        Some(DueStep { name, zone, owners: all, base, primary, force, gate, why })
    }

    /// They are served.
    pub(super) fn released(&mut self, serial: Serial) {
        let before = self.machine.count();
        self.machine.released();
        let gone = before.saturating_sub(self.machine.count());
        self.versions.drain(..gone.min(self.versions.len()));
        self.base = serial;
    }
}

/// The owners of both; `None` if one of them is not known.
fn union(one: Option<Owners>, other: Option<&Owners>) -> Option<Owners> {
    let mut one = one?;
    one.extend(other?);
    Some(one)
}

impl DueStep {
    /// Whether this queue began it.
    pub(super) fn is_of(&self, queue: &Queue) -> bool {
        Arc::ptr_eq(&self.gate, &queue.gate)
    }

    /// Puts the last of the versions into service: by the difference to what is served where that is known, else whole.
    pub(super) fn serve(&self, sink: &dyn Sink) -> Result<(), SinkError> {
        let gone = || Err(SinkError::Failed("the zone was removed, or begins anew".into()));
        self.gate.pass(|| self.install(sink)).unwrap_or_else(gone)
    }

    fn install(&self, sink: &dyn Sink) -> Result<(), SinkError> {
        let origin = Origin { primary: self.primary, force: self.force };
        let Some(served) = sink.served(&self.name) else {
            return Err(SinkError::Failed("no version is served any more".into()));
        };
        let serial = self.zone.serial();
        let may_come = match self.force {
            Force::No => serial.is_after(served.serial()),
            Force::Forked => serial == served.serial() || serial.is_after(served.serial()),
            Force::Anew | Force::Order => true,
        };
        if !may_come {
            // Another way led there: an order.
            return Ok(());
        }
        if let Some(owners) = self.owners.as_ref().filter(|_| served.serial() == self.base) {
            let (deleted, added) = self.zone.difference_from(&served, owners);
            let (from, to) = (served.serial(), self.zone.serial());
            match sink.differences(&self.name, vec![Difference { from, to, deleted, added }], origin) {
                // Something else is served than what they were to: the whole version helps.
                Err(SinkError::NotFitting(_) | SinkError::Diverged(..)) => {}
                other => return other,
            }
        }
        sink.whole(Zone::clone(&self.zone), origin)
    }
}

/// Whether two versions have other keys at their apex, or tell the parent of others (RFC 7344).
pub(super) fn has_other_keys(one: &Zone, other: &Zone) -> bool {
    let records = |zone: &Zone, record_type: RecordType| {
        let set = zone.apex().set(record_type);
        let mut records: Vec<Vec<u8>> = set.iter().flat_map(|set| set.rdata()).map(<[u8]>::to_vec).collect();
        records.sort();
        records
    };
    [RecordType::DNSKEY, RecordType::CDS, RecordType::CDNSKEY]
        .into_iter()
        .any(|record_type| records(one, record_type) != records(other, record_type))
}
