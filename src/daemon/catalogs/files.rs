//! Zone files of zones that catalogs list: while a file is served, the zone is no member.
//!
//! The publisher's report flows in; members that files hold, and versions of catalogs that are to be looked at again, flow out. A file that
//! is gone for a moment gives nothing away: the catalog has the zone when the file has been gone for [`FILE_GONE`], or when the publisher knows
//! the zone no more, because an operator removed it or its directory left the configuration. While nothing is known of a file, because its
//! directory cannot be read or has gone itself, the zone stays with the file. No I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use crate::catalog::{CatalogZone, Conflict};
use crate::clock::Moment;
use crate::publish::{FILE_GONE, FilePresence, Report};
use crate::wire::Name;

use super::following::{Following, MemberOrders};

impl Following {
    /// Looks which zones that catalogs list are held by a zone file by now, or no more, at the cost of what has changed in the report.
    pub(super) fn look_for_files(&mut self, report: &Report, now: Moment) -> Option<MemberOrders> {
        let clashing = self.clashing();
        let changed = self.looked_at.and_then(|seen| report.changed_since(seen));
        let names: BTreeSet<Name> = match changed {
            Some(names) => names.cloned().collect(),
            None => self.owners.keys().chain(clashing.keys()).cloned().collect(),
        };
        self.looked_at = Some(report.changes());
        let mut taken = Vec::new();
        for name in names {
            let file = report.zones.get(&name).map(|zone| zone.file);
            match (file, clashing.get(&name)) {
                (Some(file @ (FilePresence::There | FilePresence::Unused)), _) => {
                    self.free.remove(&name);
                    // A broken file that comes for a member takes nothing from its catalog.
                    let is_held = file == FilePresence::There && self.owners.contains_key(&name);
                    if is_held && !self.held_back.contains(&name) {
                        taken.push(name.clone());
                    }
                }
                (None, Some(catalog)) => self.give(&name, catalog),
                _ => {}
            }
            self.note_away(&name, file.filter(|_| clashing.contains_key(&name)));
        }
        self.look_at_new_clashes(report);
        self.give_the_gone(&clashing, now.at);
        (!taken.is_empty()).then(|| self.leave_to_files(report, &taken, now.unix))
    }

    /// When [`look_for_files`](Self::look_for_files) is due although the report is the same.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let gone = |file: &FilePresence| match file {
            FilePresence::Gone(since) => Some(*since + FILE_GONE),
            _ => None,
        };
        self.away.values().filter_map(gone).min()
    }

    /// Looks where the files are of zones that are new among the clashes.
    pub(super) fn look_at_new_clashes(&mut self, report: &Report) {
        for name in std::mem::take(&mut self.new_clashes) {
            self.note_away(&name, report.zones.get(&name).map(|zone| zone.file));
        }
    }

    /// The reload is over for which members waited whose zone the configuration named a file for: those of which there is a file still stay
    /// with it, the others come from their primaries.
    pub(super) fn end_reload(&mut self, report: &Report, now: u64) -> Option<MemberOrders> {
        if self.held_back.is_empty() {
            return None;
        }
        let waited = std::mem::take(&mut self.held_back);
        let is_there =
            |name: &Name| report.zones.get(name).is_some_and(|zone| zone.file == FilePresence::There);
        let (taken, come): (Vec<Name>, Vec<Name>) =
            waited.into_iter().filter(|name| self.owners.contains_key(name)).partition(is_there);
        let mut orders = match taken.is_empty() {
            true => MemberOrders::default(),
            false => self.leave_to_files(report, &taken, now),
        };
        let members = self.membership.members();
        orders.transfer.set.extend(come.iter().filter_map(|name| Some(self.zone(name, members.get(name)?))));
        Some(orders)
    }

    /// The zones that the configuration or a file has, by a catalog that lists each.
    fn clashing(&self) -> BTreeMap<Name, Name> {
        let clashing = self.conflicts.iter().filter(|it| it.owner.is_none());
        clashing.map(|it| (it.member.clone(), it.catalog.clone())).collect()
    }

    /// Notes where the file of a zone is that clashes; `None` for one that does not.
    fn note_away(&mut self, name: &Name, file: Option<FilePresence>) {
        let is_away = |file: &FilePresence| matches!(file, FilePresence::Gone(_) | FilePresence::Unknown);
        let before = match file.filter(is_away) {
            Some(file) => self.away.insert(name.clone(), file),
            None => self.away.remove(name),
        };
        // What is said of the clash is another thing now.
        self.changes += u64::from(before != file.filter(is_away));
    }

    /// A catalog may have this zone: its version is looked at again.
    fn give(&mut self, name: &Name, catalog: &Name) {
        if !self.configured.contains(name) {
            self.seen.remove(catalog);
            self.free.insert(name.clone());
        }
    }

    /// Catalogs may have the zones whose files have been gone for long.
    fn give_the_gone(&mut self, clashing: &BTreeMap<Name, Name>, now: Instant) {
        let is_long_gone = |file: &FilePresence| match file {
            FilePresence::Gone(since) => now.saturating_duration_since(*since) >= FILE_GONE,
            _ => false,
        };
        let gone: Vec<Name> =
            self.away.iter().filter(|(_, file)| is_long_gone(file)).map(|(name, _)| name.clone()).collect();
        for name in gone {
            self.note_away(&name, None);
            if let Some(catalog) = clashing.get(&name) {
                let minutes = FILE_GONE.as_secs() / 60;
                tracing::warn!(zone = %name, %catalog, minutes, "the zone file is gone for long: the catalog has the zone");
                self.give(&name, catalog);
            }
        }
        self.away.retain(|name, _| clashing.contains_key(name));
    }

    /// Zones that files hold are members of their catalogs no more.
    fn leave_to_files(&mut self, report: &Report, taken: &[Name], now: u64) -> MemberOrders {
        self.changes += 1;
        for name in taken {
            if let Some(catalog) = self.owners.get(name) {
                tracing::error!(zone = %name, %catalog, "a zone file holds a zone that a catalog lists: the file is served, and the zone is not transferred any more");
            }
            self.owners.remove_mut(name);
        }
        let mut configured = self.without_files(report, &BTreeSet::new(), None);
        configured.extend(taken.iter().cloned());
        self.membership.set_configured(configured);
        let limits = self.catalogs.iter().map(|catalog| (catalog.name.clone(), catalog.limit)).collect();
        let changes = self.membership.reconfigure(limits);
        let mut orders = self.orders(changes, now, |_| 0);
        self.look_at_new_clashes(report);
        orders.publish.to_files.extend(taken.iter().cloned());
        orders.transfer.removed.extend(taken.iter().cloned());
        orders.transfer.elsewhere.extend(taken.iter().cloned());
        orders
    }

    /// The zones that no catalog may have: the configuration names them, or a file holds them. What the configuration named until now
    /// is free.
    pub(super) fn without_files(
        &self,
        report: &Report,
        old: &BTreeSet<Name>,
        version: Option<&CatalogZone>,
    ) -> BTreeSet<Name> {
        let mut configured = BTreeSet::clone(&self.configured);
        let versions = self.catalogs.iter().filter_map(|catalog| self.membership.version(&catalog.name));
        let names = versions.map(Arc::as_ref).chain(version).flat_map(|version| version.members.keys());
        let is_foreign = |name: &&Name| {
            let is_known = self.owners.contains_key(*name) || self.free.contains(*name);
            report.zones.contains_key(*name) && !is_known && !old.contains(*name)
        };
        configured.extend(names.filter(is_foreign).cloned());
        configured
    }

    /// Why a zone is not taken from a catalog, in words.
    pub(super) fn clash(&self, conflict: &Conflict) -> String {
        let member = &conflict.member;
        if let Some(owner) = &conflict.owner {
            return format!("{member} is a member of the catalog {owner}, which has it");
        }
        match self.away.get(member) {
            Some(FilePresence::Gone(_)) => format!(
                "{member} is in a zone file that is gone; the catalog has the zone when that has been so for {} minutes, or at once after: \
                 anyns zone remove {member}",
                FILE_GONE.as_secs() / 60
            ),
            Some(_) => format!(
                "{member} is in a zone file whose directory cannot be read, is empty or has gone; the catalog has the zone after: anyns zone \
                 remove {member}"
            ),
            None if member.is_root() => "the root zone is no member of a catalog".to_owned(),
            None => format!("{member} is in the configuration or in a zone file"),
        }
    }
}

#[cfg(test)]
#[path = "../../../tests/unit/daemon/catalog_files.rs"]
mod tests;
