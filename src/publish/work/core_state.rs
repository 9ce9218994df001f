//! What the state directory means for all zones: what it holds at the start, what could not be kept, what has been kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::wire::{Name, Serial};

use crate::publish::fault::{Fault, SourceFault};
use crate::publish::state::database::DatabaseError;
use crate::publish::state::directory::{StateDirectory, StateError};
use crate::publish::state::store::Store;
use crate::publish::state::store::reading::{Damaged, KeptError};
use crate::publish::state::version::record::Seen;
use crate::publish::state::version::step::StepOrigin;
use crate::publish::state::version::step_source::StepSource;
use crate::publish::state::writer::StateWriter;
use crate::publish::state::writer::ready::Version;
use crate::publish::state::writer::rows::ZoneRows;
use crate::publish::work::core::Core;
use crate::publish::work::zone::entry::{Entry, WorkState};

/// How long it is waited for a state directory that is opened again.
const PATIENCE: Duration = Duration::from_secs(1);
/// At the end of the process what is not kept yet may take this long: an init system waits longer before it kills.
const KEEP_AT_END: Duration = Duration::from_secs(20);

impl Core {
    /// Notes which zones the state directory holds.
    pub(in crate::publish) fn list_state(&mut self) {
        let state = self.keeping.state.clone();
        let Some(store) = state.store() else { return };
        let path = store.directory().to_path_buf();
        let (kept, damaged) = match store.list() {
            Ok(listed) => listed,
            Err(error) => {
                self.keeping.state =
                    Arc::new(StateDirectory::Unwritable { store: None, error: StateError::new(error) });
                return;
            }
        };
        tracing::debug!(directory = %path.display(), zones = kept.len(), "the state directory is open");
        self.keeping.read_members();
        self.keeping.read_removed();
        self.keeping.read_serials();
        if self.zones.is_empty() {
            // At the start: one pass over all of them, sorted.
            let entries = kept
                .into_iter()
                .filter_map(|zone| self.keeping.stored_entry(&zone).map(|entry| (zone, entry)));
            let entries: BTreeMap<Name, Entry> = entries.collect();
            self.zones = entries;
        } else {
            self.list_beside_served(store, kept);
        }
        self.enter_members();
        self.alarm_of_damage(damaged);
        self.alarm_of_unread(store);
        self.keeping.history.follow(state.database());
    }

    /// Notes what is kept of zones, some of which are served: the directory could not be read when they were loaded.
    fn list_beside_served(&mut self, store: &Store, kept: BTreeSet<Name>) {
        for zone in kept {
            let Some(stored) = self.keeping.stored_entry(&zone) else { continue };
            let served = self.zones.get(&zone).and_then(|entry| entry.header.clone());
            let Some(served) = served else {
                match self.zones.get_mut(&zone) {
                    Some(entry) => entry.begin_again(stored),
                    None => drop(self.zones.insert(zone, stored)),
                }
                continue;
            };
            // It was served from its file before this directory could be read. What is kept goes on from there, or is
            // older.
            let kept = store.look(&zone).ok().flatten().map(|kept| kept.header);
            let (serial, serials) = (served.standing.serial, &self.keeping.serials);
            let newer = kept.as_ref().is_some_and(|kept| {
                kept.standing.serial.is_after(serial) && !served.standing.has_differences()
            });
            if newer {
                let tail = store.tail(&zone).ok().flatten();
                serials.return_to_kept(&zone, serial, tail.as_ref());
            } else if kept.is_some_and(|kept| kept.has_content_of(&served)) {
                serials.is_kept_as(&zone, serial);
            }
            match self.zones.get_mut(&zone) {
                Some(entry) if newer => entry.begin_again(stored),
                Some(entry) => entry.durable = false,
                None => {}
            }
        }
    }

    /// The serial of a zone that is in service.
    pub(in crate::publish) fn served_serial(&self, zone: &Name) -> Option<Serial> {
        self.publication.published.load().zone(zone).map(|zone| zone.serial())
    }

    fn alarm_of_damage(&mut self, damaged: Vec<Damaged>) {
        for (path, error) in damaged {
            let fault = match error {
                KeptError::Database(DatabaseError::Replaced) => SourceFault::StateReplaced { path },
                error => SourceFault::State { path, error: error.to_string() },
            };
            tracing::error!("{fault}");
            self.reporting.alarm(fault);
        }
    }

    fn alarm_of_unread(&mut self, store: &Store) {
        if let Some(error) = store.unread() {
            tracing::error!(directory = %store.directory().display(), error, "what the state directory holds cannot be read; nothing was moved");
        }
    }

    /// Notes of which zones something was lost with the whole database, so that a restart knows it of no others. The first load is over.
    pub(in crate::publish) fn keep_losses(&self) {
        let Some(writer) = self.keeping.state.writer().filter(|writer| writer.store().losses().all()) else {
            return;
        };
        let is_lost = |name: &Name, entry: &Entry| {
            entry.lost || (self.configured.makes_serials(name) && !(entry.serving && entry.durable))
        };
        let lost = self.zones.iter().filter(|(name, entry)| is_lost(name, entry));
        writer.keep_rows_soon(ZoneRows::Lost(lost.map(|(name, _)| name.clone()).collect()));
    }

    /// The database was set aside or is gone: what is served is kept anew.
    fn keep_anew(&mut self) {
        let Some(damaged) = self.keeping.state.store().and_then(Store::take_lost) else { return };
        self.alarm_of_damage(damaged);
        // One that is being checked may get a newer version, which is kept already: the older one must not come after it.
        let is_checked = |entry: &Entry| matches!(entry.work, WorkState::Running | WorkState::RunningAgain);
        self.zones.values_mut().for_each(|entry| entry.durable = false);
        let serving = self.zones.iter().filter(|(_, entry)| entry.serving);
        let (after_check, now): (Vec<_>, Vec<_>) = serving.partition(|(_, entry)| is_checked(entry));
        let names = |zones: Vec<(&Name, &Entry)>| zones.into_iter().map(|(name, _)| name.clone()).collect();
        (self.keeping.after_check, self.keeping.unkept) = (names(after_check), names(now));
        self.keeping.keep_all_members();
        if let Some(writer) = self.keeping.state.writer() {
            writer.keep_rows_soon(ZoneRows::KnownReleases);
        }
        self.keep_again();
    }

    /// Keeps a zone anew that was being checked when the database was lost.
    pub(in crate::publish) fn keep_after_check(&mut self, name: &Name) {
        if self.keeping.after_check.remove(name)
            && let Some(entry) = self.zones.get_mut(name)
        {
            entry.durable = false;
            self.keeping.unkept.insert(name.clone());
            self.keep_again();
        }
    }

    /// Tries to open a state directory that could not be written; whether it can be read or written now. Waits for it no longer than
    /// [`PATIENCE`].
    pub(in crate::publish) fn open_state_again(&mut self) -> bool {
        let StateDirectory::Unwritable { store, .. } = &*self.keeping.state else { return false };
        let store = store.clone();
        let listed = store.as_ref().is_some_and(|store| store.unread().is_none());
        let was_pending = self.keeping.opener.is_pending();
        let opened = match store {
            // What was read there, the ends of the steps among it, stays known. A check that goes on reads from it, too.
            Some(store) => self.keeping.opener.open_to_write(store, PATIENCE),
            None => self.keeping.opener.open(PATIENCE),
        };
        let Some(opened) = opened else {
            if !was_pending {
                tracing::warn!("the state directory does not answer");
            }
            return false;
        };
        self.context = None;
        let opened = opened
            .unwrap_or_else(|why| StateDirectory::Unwritable { store: None, error: StateError::new(why) });
        self.keeping.state = Arc::new(opened);
        let is_read = !listed && self.keeping.state.unread().is_none();
        if is_read {
            // Nothing was known of what the directory holds. A look that goes on has passed some of these zones already.
            let next_look = self.reporting.reloads + u64::from(self.looks.round.is_some());
            self.keeping.taken_in_by = Some(next_look);
            self.zones.values_mut().for_each(|entry| entry.durable = false);
            self.list_state();
            // Also where it can be read only: which zones are held is known by now.
            self.list_holds_again();
        }
        self.keeping.history.follow(self.keeping.state.database());
        if is_read || self.keeping.told.current().is_none() {
            // Who hears of it finds the zones of which something is kept in the report.
            self.publication.flush();
            self.report_all();
            self.keeping.tell();
        }
        let Some(writer) = self.keeping.state.writer() else { return is_read };
        if self.reporting.settled {
            writer.begin();
        }
        tracing::info!("the state directory can be written: what is served is kept again");
        writer.keep_rows_soon(ZoneRows::Serials(None));
        if !is_read {
            self.list_holds_again();
        }
        let unkept = self.zones.iter().filter(|(_, entry)| entry.is_to_keep());
        self.keeping.unkept = unkept.map(|(name, _)| name.clone()).collect();
        true
    }

    /// Goes on with a state directory that answers again, or can be read.
    pub(in crate::publish) fn take_opened_state(&mut self) {
        if self.open_state_again() {
            self.keep_again();
            self.check_all();
        }
    }

    /// Tries again to keep what could not be kept.
    pub(in crate::publish) fn keep_again(&mut self) {
        // A header and its zone belong together: what is to be served must be.
        self.publication.flush();
        let Some(writer) = self.keeping.state.writer() else { return };
        let (served, modes) = (self.publication.published.load(), self.publication.verify.modes());
        for name in std::mem::take(&mut self.keeping.unkept) {
            let Some(entry) = self.zones.get(&name).filter(|entry| entry.is_to_keep()) else { continue };
            if let (Some(header), Some(zone)) = (entry.header.clone(), served.zone(&name)) {
                let origin = header.origin();
                let source =
                    StepSource::of_whole(&header.provenance).filter(|_| origin == StepOrigin::Transfer);
                let terms = self.configured.settings.terms(self.configured.rule_of(&name), modes.of(&name));
                let seen = Seen::new(&entry.files, terms).filter(|_| entry.files_are_accepted);
                let (zone, serials) = (zone.clone(), self.keeping.serials.of(&name));
                writer.keep(Version { header, zone, origin, source, before: None, seen, serials });
            }
        }
    }

    /// Takes in what became of the versions that were to be kept.
    pub(in crate::publish) fn take_kept(&mut self) {
        let state = self.keeping.state.clone();
        let has_news = |writer: &&StateWriter| writer.has_outcomes() || writer.store().is_lost();
        let Some(writer) = state.writer().filter(has_news) else { return };
        for (zone, error) in writer.remaining() {
            let fault = SourceFault::StateRemains { zone, error };
            tracing::error!("{fault}");
            self.reporting.alarm(fault);
        }
        for outcome in writer.outcomes() {
            let name = outcome.version.zone.origin();
            // Only if it is still the version that stands: of a newer one there will be another outcome.
            let stands = |entry: &&mut Entry| entry.chain() == Some(outcome.version.header.chain);
            let Some(entry) = self.zones.get_mut(name).filter(stands) else { continue };
            let is_to_keep = entry.is_to_keep();
            match outcome.result {
                Ok(()) => (entry.durable, entry.durability) = (true, None),
                Err(error) if !entry.durable => {
                    let fault = Fault::ServedNotDurable { error };
                    if entry.durability.is_none() {
                        tracing::warn!(zone = %name, "{fault}");
                    }
                    entry.durability = Some(Box::new(fault));
                    self.keeping.unkept.insert(name.clone());
                }
                Err(_) if is_to_keep => drop(self.keeping.unkept.insert(name.clone())),
                // The older copy says another path; it does no harm.
                Err(_) => {}
            }
            self.reporting.kept.insert(name.clone());
        }
        self.keep_anew();
    }

    /// Lets it be said which zones were kept: when all are, and now and then while others wait.
    pub(in crate::publish) fn report_kept(&mut self, now: Instant) {
        let Some(due) = self.reporting.kept_due() else { return };
        if due <= now || self.keeping.state.writer().is_none_or(StateWriter::is_idle) {
            self.reporting.news.append(&mut self.reporting.kept);
        }
    }

    /// Keeps what is not kept yet, within a bound of time, and gives the state directory back.
    pub(in crate::publish) fn finish(&mut self) {
        self.take_results();
        self.publication.flush();
        if let StateDirectory::Kept(writer) = &*self.keeping.state {
            writer.finish(KEEP_AT_END);
        }
        // A thread that does not come back may hold the directory.
        if let Some(store) = self.keeping.state.store() {
            store.close();
        }
    }
}
