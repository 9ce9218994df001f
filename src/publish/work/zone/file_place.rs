//! Where a zone's file is: sources find it, and lose it.

use std::path::Path;
use std::time::Instant;

use crate::publish::accept::Provenance;
use crate::publish::report::FilePresence;
use crate::publish::source::SourceKey;
use crate::publish::source::scan::Found;
use crate::publish::state::version::header::Header;
use crate::publish::work::zone::entry::Entry;
use crate::publish::work::zone::file_away::FileAway;

impl Entry {
    /// A source has its file.
    pub(in crate::publish) fn find(&mut self, found: Found, rank: impl Fn(&SourceKey) -> (bool, usize)) {
        self.away = None;
        let is_known = self.found.as_ref().is_none_or(|known| known.key == found.key);
        if is_known {
            self.found = Some(found);
            return;
        }
        let Some(known) = self.found.take() else { return };
        let (first, second) =
            if rank(&known.key) <= rank(&found.key) { (known, found) } else { (found, known) };
        (self.found, self.rival) = (Some(first), Some(Box::new(second)));
    }

    /// Whether this source is known to have this file of it.
    pub(in crate::publish) fn is_found_at(&self, key: &SourceKey, path: &Path) -> bool {
        let is_it = |found: &Found| found.key == *key && *found.path == *path;
        self.found.as_ref().is_some_and(is_it) || self.rival.as_deref().is_some_and(is_it)
    }

    /// Takes the file of another source, if there is one, in the place of this one's; says whether it does.
    pub(in crate::publish) fn prefer_rival(&mut self, key: &SourceKey) -> bool {
        let (Some(found), Some(rival)) = (&mut self.found, &mut self.rival) else { return false };
        let is_other = found.key == *key && rival.key != *key;
        if is_other {
            std::mem::swap(found, rival);
        }
        is_other
    }

    /// A source has no file of it.
    pub(in crate::publish) fn lose(&mut self, key: &SourceKey) {
        if self.rival.as_ref().is_some_and(|rival| rival.key == *key) {
            self.rival = None;
        }
        if let Some(lost) = self.found.take_if(|found| found.key == *key) {
            self.found = self.rival.take().map(|rival| *rival);
            if self.found.is_none() {
                self.away = Some(Box::new(FileAway::new(lost.root, lost.path, Instant::now())));
            }
        }
    }

    /// No source has its file: it is missed from now on if the version that stands came from one, or is missed already.
    pub(in crate::publish) fn miss_file(&mut self, now: Instant) -> Option<&mut FileAway> {
        if self.away.is_none()
            && let Some(header) = &self.header
            && let Provenance::File { root, path, .. } = &header.provenance
        {
            self.away = Some(Box::new(FileAway::new(root.clone(), path.clone(), now)));
        }
        self.away.as_deref_mut()
    }

    /// Where its file is.
    pub(in crate::publish) fn file(&self) -> FilePresence {
        let is_of_file = |header: &Header| matches!(header.provenance, Provenance::File { .. });
        match (&self.found, &self.away) {
            (Some(_), _) if self.header.as_deref().is_some_and(is_of_file) => FilePresence::There,
            (Some(_), _) => FilePresence::Unused,
            (None, Some(away)) => away.presence(),
            (None, None) => FilePresence::None,
        }
    }
}
