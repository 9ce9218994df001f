//! Which version of each zone is served, and which of them the others have: a zone comes, changes, begins anew, or goes.
//!
//! A version is told by its serial and by when it was accepted. A zone that went back and reaches the released serial again is on trial, and so
//! is every other content. One that begins anew, of which nothing is kept, has nothing to do with what was released before.

use std::sync::Arc;
use std::time::Instant;

use crate::publish::{KeptRelease, MissingReleases, Report, ZoneReport};
use crate::transfer::canary::{CanaryVersion, CanaryZone, Release};
use crate::wire::{Name, Serial};
use crate::zone::Zone;

use super::task::CanaryTask;

/// Why a zone is halted that was halted by health before a restart.
const STOPPED_BEFORE: &str =
    "a canary became unhealthy before the hub was started again; the log of that time tells why";
/// Why a zone is halted of which it is not known what was released.
pub(super) const UNKNOWN_BEFORE: &str =
    "the state directory does not tell which version was released before the hub was started again";

impl CanaryTask {
    /// Looks at one zone: which version of it is served, and who may have it.
    pub(super) fn check_zone(&mut self, name: &Name, report: &Report) {
        let text = name.to_string();
        let group = self.groups.iter().position(|group| group.covers(&text));
        let Some(of_zone) = report.zones.get(name) else { return self.set_aside(name) };
        let Some(group) = group else { return self.forget(name) };
        let Some(served) = self.context.published.load().zone(name).cloned() else { return };
        if of_zone.serial != Some(served.serial()) {
            // What is told of another version says nothing of this one; the report of this one comes soon.
            return;
        }
        let now = Instant::now();
        let version = CanaryVersion { serial: served.serial(), accepted_at: of_zone.accepted_at };
        if self.entries.zones.get(name).is_some_and(|entry| entry.number != of_zone.number) {
            self.begin_again(name, of_zone.kept_serial.is_some());
        }
        if !self.entries.zones.contains_key(name) {
            // Without a state directory nothing is kept of any zone. What comes from primaries is not kept when it leaves.
            let stays_halted = !of_zone.file.is_expected() || !report.keeps();
            self.enter(group, (&served, version), (of_zone, stays_halted), now);
        }
        let Some(entry) = self.entries.zones.get_mut(name) else { return };
        let released = entry.machine.released_version();
        let known = self.context.versions.zone(name).filter(|known| known.serial() == served.serial());
        let is_looked_at = entry.offered.as_ref().is_some_and(|offered| Arc::ptr_eq(offered, &served));
        let has_its_content = || known.as_ref().is_some_and(|known| has_same_content(known, &served));
        if version.is(released) || (released.serial == version.serial && !is_looked_at && has_its_content()) {
            let is_news = entry.missing.take().is_some();
            entry.machine.identify_released(version);
            entry.machine.offered(version, now);
            entry.offered = None;
            if released.accepted_at != version.accepted_at {
                self.unkept.insert(name.clone(), Some(entry.kept()));
            }
            if known.is_none() {
                self.context.versions.put(served);
            }
            if is_news {
                self.tell_secondaries(name);
            }
        } else {
            entry.machine.offered(version, now);
            entry.offered = Some(served);
        }
        self.entries.settle(name, &self.groups, now);
    }

    /// Another zone has the name of one that was there, or the same one was gone and has come back: then something was kept of it.
    fn begin_again(&mut self, name: &Name, is_same: bool) {
        let Some(kept) = self.take_out(name) else { return };
        if is_same {
            return self.away.add(name.clone(), kept, Instant::now());
        }
        tracing::info!(zone = %name, released = %kept.serial, "the zone began anew: what was released before does not count");
        self.away.take(name, Instant::now());
        self.unkept.remove(name);
        if let Some(unknown) = &mut self.unknown {
            unknown.remove(name);
        }
    }

    /// A zone that this group covers from now on. `stays_halted`: whether a halt stays though nothing was kept of the zone.
    fn enter(
        &mut self,
        group: usize,
        (served, newest): (&Arc<Zone>, CanaryVersion),
        (of_zone, stays_halted): (&ZoneReport, bool),
        now: Instant,
    ) {
        let Some(settings) = self.groups.get(group) else { return };
        // What was served before the zone came, with the start or later.
        let (name, before) = (served.origin().clone(), of_zone.kept_serial);
        // A zone that came later is new.
        let is_unknown = self.unknown.as_ref().is_none_or(|unknown| unknown.contains(&name));
        let missing = self.missing.filter(|_| is_unknown);
        self.uncovered.remove(&name);
        let known = self.kept.remove(&name);
        // Of a zone that comes back and of which nothing was kept, what was released is nowhere to be had: it is another zone.
        let is_same = |kept: &KeptRelease| {
            before.is_some() || (kept.is_halted && stays_halted) || released_version(kept).is(newest)
        };
        let away = self.away.take(&name, now).filter(is_same);
        let known = known.or(away);
        let is_known = missing.is_none() || known.is_some();
        let kept = match known {
            Some(kept) if !kept.is_uncovered() => kept,
            // Nothing counts as released, not what is served either, until an order says so.
            None if let Some(missing) = missing => {
                let serial = Serial(newest.serial.0.wrapping_sub(1));
                let kept =
                    KeptRelease { is_halted: true, is_unhealthy: true, ..KeptRelease::running(serial) };
                if missing == MissingReleases::Lost {
                    self.unkept.insert(name.clone(), Some(kept));
                }
                kept
            }
            // What was served when no group covered it is what all have.
            _ => {
                let serial = before.unwrap_or(newest.serial);
                let accepted_at = newest.accepted_at.filter(|_| serial == newest.serial);
                let kept = KeptRelease { accepted_at, ..KeptRelease::running(serial) };
                self.unkept.insert(name.clone(), Some(kept));
                kept
            }
        };
        let stopped = if is_known { STOPPED_BEFORE } else { UNKNOWN_BEFORE };
        let is_missing = !self.context.versions.has(&name, kept.serial);
        let (members, versions) = (settings.secondaries.len(), (released_version(&kept), newest));
        let machine = CanaryZone::new(settings.rules, members, versions, kept.is_halted, now);
        self.entries.add(name.clone(), (group, machine), is_missing.then_some(now));
        if let Some(entry) = self.entries.zones.get_mut(&name) {
            entry.number = of_zone.number;
            entry.stopped = kept.is_unhealthy.then(|| stopped.to_owned());
        }
    }

    /// A zone that is there no more. What is kept of it stays: it comes back to it if it comes back.
    fn set_aside(&mut self, name: &Name) {
        self.forget_uncovered(name);
        let is_unknown = self.note_unread(name);
        let before = self.take_out(name).or_else(|| self.kept.remove(name));
        if let Some(kept) = before.filter(|_| !is_unknown) {
            self.away.add(name.clone(), kept, Instant::now());
        }
    }

    /// Ends the work on a zone.
    pub(super) fn take_out(&mut self, name: &Name) -> Option<KeptRelease> {
        let kept = self.entries.zones.get(name)?.kept();
        self.entries.remove(name);
        self.context.versions.change(|released| {
            released.zones.remove_mut(name);
        });
        self.released.remove(name);
        Some(kept)
    }

    /// Notes a version that is to go to the others, unless another one is served meanwhile.
    pub(super) fn take_release(&mut self, name: &Name, release: Option<Release>) {
        let Some(Release { serial, reason }) = release else { return };
        let served = self.context.published.load().zone(name).cloned();
        let entry = self.entries.zones.get(name);
        let offered = entry.and_then(|entry| Some((entry.offered.clone()?, entry.machine.newest_version())));
        match served.zip(offered) {
            Some((served, (offered, version)))
                if Arc::ptr_eq(&served, &offered) && served.serial() == serial =>
            {
                self.released.insert(name.clone(), (served, version, reason));
            }
            _ => self.check_zone(name, &self.report.load()),
        }
    }

    /// Which version this one is that is served, as far as it is told.
    pub(super) fn version_of(&self, served: &Zone) -> CanaryVersion {
        let (report, serial) = (self.report.load(), served.serial());
        let of_zone = report.zones.get(served.origin()).filter(|zone| zone.serial == Some(serial));
        CanaryVersion { serial, accepted_at: of_zone.and_then(|zone| zone.accepted_at) }
    }
}

fn released_version(kept: &KeptRelease) -> CanaryVersion {
    CanaryVersion { serial: kept.serial, accepted_at: kept.accepted_at }
}

/// Whether two versions with one serial have the same records.
fn has_same_content(one: &Arc<Zone>, other: &Arc<Zone>) -> bool {
    Arc::ptr_eq(one, other) || other.exact_difference(one, 0).is_some_and(|difference| difference.is_empty())
}
