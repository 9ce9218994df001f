//! Which version of each zone is served, and which of them the others have: a zone comes, changes, begins anew, or goes.
//!
//! A version is told by its serial and by when it was accepted. A zone that went back and reaches the released serial again is on trial, and so
//! is every other content. The same content that is accepted again is the same version.
//! What counts of what is known of one that comes is in [`super::known`].

use std::sync::Arc;
use std::time::Instant;

use crate::publish::Report;
use crate::transfer::canary::{CanaryVersion, CanaryZone, Release};
use crate::wire::Name;
use crate::zone::Zone;

use super::known::{ComingZone, KnownRelease, past};
use super::task::CanaryTask;

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
        let coming = ComingZone::new(of_zone, version);
        if self.entries.zones.get(name).is_some_and(|entry| entry.number != coming.number) {
            // It has gone meanwhile, and has come back, or this one is another zone of the name.
            self.put_away(name);
        }
        if !self.entries.zones.contains_key(name) {
            self.enter(group, name, &coming, now);
        }
        let Some(entry) = self.entries.zones.get_mut(name) else { return };
        let known = self.context.versions.zone(name).filter(|known| known.serial() == served.serial());
        let versions = [
            (entry.machine.released_version(), known.as_ref()),
            (entry.machine.newest_version(), entry.offered.as_ref()),
        ];
        if let Some(before) = known_as((version, &served), versions) {
            entry.machine.identify(before, version);
        }
        entry.machine.offered(version, now);
        if version.is(entry.machine.released_version()) {
            entry.offered = None;
            let is_news = entry.missing.take().is_some();
            if known.is_none() {
                self.context.versions.put(served);
            }
            if is_news {
                self.tell_secondaries(name);
            }
        } else {
            entry.offered = Some(served);
        }
        self.settle(name, now);
    }

    /// A zone that this group covers from now on.
    fn enter(&mut self, group: usize, name: &Name, coming: &ComingZone, now: Instant) {
        let Some(settings) = self.groups.get(group) else { return };
        // A zone that came later is new.
        let is_unknown = self.unknown.as_ref().is_none_or(|unknown| unknown.contains(name));
        let missing = self.missing.filter(|_| is_unknown);
        self.uncovered.remove(name);
        let row = self.kept.remove(name);
        let away = self.away.take(name, now);
        let known = row.or(away);
        let (kept, why) = coming.counting(known, missing);
        if let Some(known) = known.filter(|known| !coming.is_of(known)) {
            tracing::info!(zone = %name, released = %known.kept.serial, "the zone began anew: what was released before does not count");
        }
        let is_missing = !self.context.versions.has(name, kept.serial);
        let machine =
            CanaryZone::new(settings.rules, settings.secondaries.len(), (past(&kept), coming.newest), now);
        self.entries.add(name.clone(), (group, machine), is_missing.then_some(now));
        if let Some(entry) = self.entries.zones.get_mut(name) {
            (entry.number, entry.row) = (coming.number, row.map(|row| row.kept));
            entry.stopped = why.map(str::to_owned);
        }
    }

    /// A zone that is there no more. What is kept of it stays: it comes back to it if it comes back.
    fn set_aside(&mut self, name: &Name) {
        self.forget_uncovered(name);
        self.put_away(name);
    }

    fn put_away(&mut self, name: &Name) {
        let is_unknown = self.note_unread(name);
        let before = self.take_out(name).or_else(|| self.kept.remove(name));
        if let Some(known) = before.filter(|_| !is_unknown) {
            self.away.add(name.clone(), known, Instant::now());
        }
    }

    /// Ends the work on a zone.
    pub(super) fn take_out(&mut self, name: &Name) -> Option<KnownRelease> {
        let known = self.entries.zones.get(name)?.known();
        self.entries.remove(name);
        self.context.versions.change(|released| {
            released.zones.remove_mut(name);
        });
        self.released.remove(name);
        Some(known)
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

/// As which of these the version that is served was known before: it is one by its time or, because the same content was accepted again, by
/// its content.
pub(super) fn known_as(
    (version, served): (CanaryVersion, &Arc<Zone>),
    versions: [(CanaryVersion, Option<&Arc<Zone>>); 2],
) -> Option<CanaryVersion> {
    let by_time = versions.iter().find(|(known, _)| known.is(version));
    let has_its_content = |(known, zone): &&(CanaryVersion, Option<&Arc<Zone>>)| {
        known.serial == version.serial && zone.is_some_and(|zone| has_same_content(zone, served))
    };
    by_time.or_else(|| versions.iter().find(has_its_content)).map(|(known, _)| *known)
}

/// Whether two versions with one serial have the same records.
fn has_same_content(one: &Arc<Zone>, other: &Arc<Zone>) -> bool {
    Arc::ptr_eq(one, other) || other.exact_difference(one, 0).is_some_and(|difference| difference.is_empty())
}
