//! What a check of a zone has to do with the state directory: what that holds is looked up, served, and added to.
//!
//! Part of [`crate::publish::work::zone::steps`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::unix_now;
use crate::publish::accept::{Digest, Provenance};
use crate::publish::fault::{Fault, SourceFault, one_line};
use crate::publish::settings::SerialRule;
use crate::publish::source::scan::Found;
use crate::publish::state::database::DatabaseError;
use crate::publish::state::store::reading::{DamagedSteps, KeptError, Loaded, of_looked};
use crate::publish::state::version::header::Header;
use crate::publish::state::version::record::Seen;
use crate::publish::state::version::step::StepOrigin;
use crate::publish::state::version::step_source::StepSource;
use crate::publish::state::writer::ready::Version;
use crate::publish::work::zone::entry::{Entry, MOST_UNREAD};
use crate::publish::work::zone::steps::CheckRun;
use crate::wire::Serial;
use crate::zone::Zone;

/// Serials are raised by the seconds since 2020-01-01.
const RAISED_SINCE: u64 = 1_577_836_800;
/// A serial that is raised by less comes after (RFC 1982 section 3.1).
const MOST_RAISE: u32 = 1 << 31;

impl CheckRun<'_> {
    /// Learns what the state directory has of the zone, once. Of a zone that is in no file that is asked again with the next check if
    /// the system fails: what is kept is the zone, and nothing else may take its place.
    pub(in crate::publish) fn look_into_state(&mut self, entry: &mut Entry) {
        if let Some(error) = self.context.state.unread() {
            return self.state_is_unread(entry, error);
        }
        let Some(store) = self.context.state.store() else { return };
        if !std::mem::take(&mut entry.stored) {
            // One that is configured when the first load is over is new.
            entry.lost |= self.context.first && entry.header.is_none() && store.losses().all();
            return;
        }
        match store.look(self.name) {
            // Also where the directory could not be read before.
            Ok(None) => entry.lost = store.losses().all(),
            // Its own fault says that, if it matters.
            Err((_, KeptError::Lost)) => entry.lost = true,
            Ok(Some(found)) => {
                entry.lost = false;
                self.alarm_of_steps(found.damage, &found.header);
                self.looked = found.value;
                entry.kept_version = Some((found.header.standing.serial, found.header.accepted_at));
                entry.header = Some(Arc::new(found.header));
                entry.durable = true;
                let terms = self.terms();
                if let Some(seen) = found.seen.filter(|seen| seen.terms == terms) {
                    (entry.files, entry.files_are_accepted) = (seen.files, true);
                }
            }
            Err((path, error)) => {
                entry.stored = self.is_unread(entry, &path, &error);
                if !entry.stored {
                    self.lose(entry, path, &error);
                }
            }
        }
        if !entry.stored {
            // Nothing is kept of it, so it waits for nothing.
            entry.unread = 0;
        }
    }

    /// The whole directory cannot be read. A zone that lives there waits for it, and one whose serials are made here does for a while: it
    /// would have to begin with one that is raised.
    fn state_is_unread(&self, entry: &mut Entry, error: String) {
        if entry.serving || entry.header.is_some() {
            return;
        }
        entry.lost = true;
        if self.is_database() || (self.rule == SerialRule::Bump && entry.unread < MOST_UNREAD) {
            (entry.stored, entry.unread) = (true, entry.unread.saturating_add(1));
            let path = self.context.settings.state_directory.clone().unwrap_or_default();
            entry.misplaced = Some(Box::new(Fault::Unreadable { path, error }));
        }
    }

    /// What is kept of it is damaged, and set aside.
    fn lose(&mut self, entry: &mut Entry, path: PathBuf, error: &KeptError) {
        entry.lost = true;
        self.alarm(SourceFault::State { path, error: format!("of {}: {error}", self.name) });
    }

    /// Whether the zone lives in the state directory.
    pub(in crate::publish) fn is_database(&self) -> bool {
        self.context.settings.databases.contains(self.name)
    }

    /// By how much the serial of the next version is raised if it is the first one: where serials are made here and what was served is
    /// lost, what is served must come after that. There was less than one change a second, so that the clock is after all of them.
    pub(in crate::publish) fn raise(&self, entry: &Entry) -> u32 {
        let makes_serials = self.rule == SerialRule::Bump || self.is_database();
        let seconds = unix_now().saturating_sub(RAISED_SINCE) % u64::from(MOST_RAISE);
        if entry.lost && makes_serials { u32::try_from(seconds).unwrap_or_default() } else { 0 }
    }

    /// Whether what is kept of a zone that is in no file could not be read, and may be read later: then that is its fault.
    fn is_unread(&self, entry: &mut Entry, path: &Path, error: &KeptError) -> bool {
        let is_in_no_file = self.is_transferred(entry) || self.is_database();
        let is_unread = is_in_no_file && matches!(error, KeptError::Database(DatabaseError::Io(_)));
        if is_unread {
            entry.unread = entry.unread.saturating_add(1);
            let (path, error) = (path.to_path_buf(), error.to_string());
            entry.misplaced = Some(Box::new(Fault::Unreadable { path, error }));
        }
        is_unread
    }

    /// Whether primaries give the zone.
    pub(in crate::publish) fn is_transferred(&self, entry: &Entry) -> bool {
        entry.is_member || self.context.settings.transferred.contains(self.name)
    }

    /// Whether the file and what it includes are as they were when an earlier process read them, and gave what the state directory
    /// holds: then that is served, and no file is read.
    pub(in crate::publish) fn is_still_standing(&mut self, entry: &mut Entry, found: &Found) -> bool {
        let Some(header) = entry.header.clone().filter(|_| entry.files_are_accepted && !entry.serving) else {
            return false;
        };
        let Provenance::File { root, path, .. } = &header.provenance else { return false };
        if *root != found.root || *path != found.path || !entry.files.still_hold(&found.path) {
            return false;
        }
        self.restore(entry);
        entry.read = entry.serving;
        // What is served may be in no file, which nobody else finds out where the file is not read.
        let led_on = |header: &&Arc<Header>| header.standing.has_differences();
        if let Some(header) = entry.header.clone().as_ref().filter(led_on)
            && entry.serving
        {
            self.note_updates(entry, header.standing.serial);
        }
        entry.serving
    }

    /// By which rules its files are judged.
    pub(in crate::publish) fn terms(&self) -> Digest {
        self.context.settings.terms(self.rule, self.context.modes.of(self.name))
    }

    /// The files of the version that stands, for the state directory.
    pub(in crate::publish) fn seen(&self, entry: &Entry) -> Option<Arc<Seen>> {
        Seen::new(&entry.files, self.terms()).filter(|_| entry.files_are_accepted)
    }

    /// A version for the state directory; `before` it another one was served.
    pub(in crate::publish) fn version(
        &self,
        entry: &Entry,
        (header, zone): (Arc<Header>, Arc<Zone>),
        origin: StepOrigin,
        before: Option<(Digest, Arc<Zone>)>,
    ) -> Version {
        let source = StepSource::of_whole(&header.provenance).filter(|_| origin == StepOrigin::Transfer);
        let serials = self.context.serials.of(self.name);
        Version { header, zone, origin, source, before, seen: self.seen(entry), serials }
    }

    /// Notes that a version with this serial is to replace the one before, if there is one; whether a run of serials ends with that.
    pub(in crate::publish) fn note_serial(&self, before: Option<&Header>, next: Serial) -> bool {
        let before = before.map(Header::serial_and_age);
        let has_ended = self.context.serials.publish(self.name, before, next);
        if let Some((left, _)) = before.filter(|(left, _)| has_ended && !next.is_after(*left)) {
            tracing::warn!(zone = %self.name, serial = %next, %left, "the serial does not come after the one before: until it does, secondaries get the zone whole, no differences");
        }
        has_ended
    }

    /// Notes that these files gave the version that stands; says whether the state directory is to know them.
    pub(in crate::publish) fn stand(&mut self, entry: &mut Entry, provenance: &Provenance) -> bool {
        if matches!(provenance, Provenance::Transfer { .. }) {
            entry.files_are_accepted = false;
            return false;
        }
        let known = std::mem::replace(&mut entry.files_are_accepted, true) && self.files_are_known;
        !known && entry.files.settled.is_some()
    }

    /// Serves the version in the state directory if nothing is served yet; a damaged one is forgotten.
    pub(in crate::publish) fn restore(&mut self, entry: &mut Entry) {
        let (false, Some(header), Some(store)) =
            (entry.serving, entry.header.clone(), self.context.state.store())
        else {
            return;
        };
        let looked = self.looked.take().and_then(|value| of_looked(&value, self.name));
        match looked.map_or_else(|| store.load(self.name), Ok) {
            Ok(Loaded { zone, header: found, tolerated, damage }) => {
                self.alarm_of_steps(damage, &found);
                // What is wrong with its file says the verdict already; what a primary has is served in any case.
                let is_told = entry.verdict.is_none() && !self.is_transferred(entry);
                if let Some(problem) = tolerated.filter(|_| is_told) {
                    entry.notice = Some(Box::new(Fault::RefusedToday { problem: one_line(&problem) }));
                }
                // What is known beside the file, its digest or where the source is now, stays.
                let header = if found.chain == header.chain { header } else { Arc::new(found) };
                self.serve(entry, header, Arc::new(zone));
            }
            Err((path, error)) => {
                if self.is_unread(entry, &path, &error) {
                    return;
                }
                (entry.header, entry.durable) = (None, false);
                self.lose(entry, path, &error);
            }
        }
    }

    pub(in crate::publish) fn alarm_of_steps(&mut self, damage: Option<DamagedSteps>, header: &Header) {
        if let Some((path, error)) = damage {
            let (error, zone, serial) = (error.to_string(), self.name.clone(), header.standing.serial);
            self.alarm(SourceFault::Journal { path, error, zone, serial });
        }
    }
}
