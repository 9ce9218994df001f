//! What a check of a zone has to do with the state directory: what that holds is looked up, served, and added to.
//!
//! Part of [`crate::publish::work::zone_steps`].

use std::path::Path;
use std::sync::Arc;

use crate::publish::accept::{Digest, Provenance};
use crate::publish::fault::{Fault, SourceFault, one_line};
use crate::publish::source::scan::Found;
use crate::publish::state::database::DatabaseError;
use crate::publish::state::header::Header;
use crate::publish::state::reading::{DamagedSteps, KeptError, Loaded};
use crate::publish::state::ready::Version;
use crate::publish::state::record::Seen;
use crate::publish::state::step::StepOrigin;
use crate::publish::work::entry::Entry;
use crate::publish::work::zone_steps::CheckRun;
use crate::zone::Zone;

impl CheckRun<'_> {
    /// Learns what the state directory has of the zone, once. Of a zone that is in no file that is asked again with the next check if
    /// the system fails: what is kept is the zone, and nothing else may take its place.
    pub(in crate::publish) fn look_into_state(&mut self, entry: &mut Entry) {
        if !std::mem::take(&mut entry.stored) {
            return;
        }
        let Some(store) = self.context.state.store() else { return };
        match store.look(self.name) {
            Ok(None) => {}
            Ok(Some(found)) => {
                self.alarm_of_steps(found.damage, &found.header);
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
                    self.alarm(SourceFault::State { path, error: error.to_string() });
                }
            }
        }
    }

    /// Whether what is kept of a zone that is in no file could not be read, and may be read later: then that is its fault.
    fn is_unread(&self, entry: &mut Entry, path: &Path, error: &KeptError) -> bool {
        let is_in_no_file = self.is_transferred(entry) || self.context.settings.databases.contains(self.name);
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
        Version { header, zone, origin, before, seen: self.seen(entry) }
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
        match store.load(self.name) {
            Ok(Loaded { zone, header: found, tolerated, damage }) => {
                self.alarm_of_steps(damage, &found);
                // What is wrong with its file says the verdict already.
                if let Some(problem) = tolerated.filter(|_| entry.verdict.is_none()) {
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
                self.alarm(SourceFault::State { path, error: error.to_string() });
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
