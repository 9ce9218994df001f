//! What is known of zone files that no source has: a file that is gone, and one of whose directory nothing is known.
//!
//! What the looks at the sources found flows in, [`FileAway`](crate::publish::work::zone::file_away::FileAway)s of entries flow out. A
//! directory that cannot be read, has gone itself, or is the empty place of a mount tells nothing of the files that were in it.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use crate::publish::work::core::Core;

impl Core {
    /// Notes it after a look at all sources.
    pub(in crate::publish) fn note_files_away(&mut self) {
        let (now, unseen) = (Instant::now(), self.sources.unseen());
        let Self { zones, sources, configured, reporting, .. } = self;
        let settings = &configured.settings;
        let directories: OnceCell<HashSet<&Path>> = OnceCell::new();
        for (name, entry) in zones.iter_mut().filter(|(_, entry)| entry.found.is_none()) {
            let before = entry.file();
            if configured.comes_from_primaries(name, entry) || settings.databases.contains(name) {
                // Of a member a file may have been there just now, and its catalog may be told of that still.
                entry.away.take_if(|away| !entry.is_member || away.is_long_gone(now));
            } else if let Some(away) = entry.miss_file(now) {
                let is_there = |directory: &Path| {
                    directories.get_or_init(|| sources.directories.named().collect()).contains(directory)
                };
                let is_known = settings.covers(name, &away.root)
                    && !unseen.has(&away.path)
                    && !sources.is_bare(&away.root)
                    && away.path.parent().is_some_and(is_there);
                away.looked(is_known, now);
            }
            if entry.file() != before {
                reporting.news.insert(name.clone());
            }
        }
    }
}
