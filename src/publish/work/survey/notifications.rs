//! From notifications to zones: a file that is whole again is read at once, what is not clear leads to a look at everything.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::publish::source::SourceKey;
use crate::publish::source::scan::Found;
use crate::publish::source::watch::WatchEvents;
use crate::publish::work::core::Core;
use crate::publish::work::jobs::job::Task;
use crate::publish::work::queue::Lane;
use crate::wire::Name;

/// With more zones than this a look at a source beside those at all zones costs too much to come with each burst of changes.
const MOST_BESIDE: usize = 20_000;

impl Core {
    /// Takes what was heard.
    pub(in crate::publish) fn hear(&mut self, heard: WatchEvents) {
        if heard.changed || heard.overflowed {
            self.watching.heard.look_at_all();
            self.watching.heard.overflowed |= heard.overflowed;
        }
        for path in &heard.files {
            if !self.check_file(path) {
                self.watching.heard.look_at_all();
                self.survey_at_once(path);
            }
        }
        self.watching.heard.soon |= heard.created;
        self.watching.heard.later |= !heard.written.is_empty();
        self.watching.heard.files.extend(heard.written);
        if !heard.unclear.is_empty() {
            self.find_out(heard.unclear.into_iter().collect());
        }
    }

    /// A burst of changes is over.
    pub(in crate::publish) fn check_heard(&mut self) {
        let files = std::mem::take(&mut self.watching.heard.files);
        if !self.watching.heard.everything {
            self.watching.heard.everything = files.iter().any(|path| !self.check_file(path));
        }
        if std::mem::take(&mut self.watching.heard.everything) {
            self.survey_beside_round();
            self.check_all();
        }
        self.go_on();
    }

    /// What is whole again is no file of a zone: a link on the way to sources, which leads elsewhere now. These are looked at before the
    /// burst of changes is over, as long as that takes little of the time; all zones are looked at when it is. Zones that are gone are
    /// left to that.
    fn survey_at_once(&mut self, path: &Path) {
        let now = Instant::now();
        if !self.may_survey_beside() || self.looks.early.due() > now {
            return;
        }
        for key in self.watching.watch.sources_over(path) {
            if self.sources.get(&key).is_some() && !self.board.queue.is_stalled(&key) {
                self.board.queue.push_survey(&key);
                self.looks.early.pay(now, self.sources.cost(&key));
            }
        }
    }

    /// While a look at all zones goes on, the next one waits for its largest zone. What is new meanwhile, such as a folder that a link was
    /// switched to, does not: each source that this look is done with is looked at beside it. Zones that are gone are left to the next one.
    fn survey_beside_round(&mut self) {
        if self.looks.round.is_none() || !self.may_survey_beside() {
            return;
        }
        let keys = self.sources.list().iter().map(|source| &source.key);
        let is_due = |key: &&SourceKey| !self.looks.awaits(key) && !self.board.queue.is_stalled(key);
        let due: Vec<SourceKey> = keys.filter(is_due).cloned().collect();
        due.iter().for_each(|key| self.board.queue.push_survey(key));
    }

    /// Whether single sources may be looked at beside the looks at all zones.
    fn may_survey_beside(&self) -> bool {
        self.reporting.settled && self.zones.len() <= MOST_BESIDE
    }

    /// Checks the zones whose file this is. False if it is not sure which ones, or whether another file counts as well.
    fn check_file(&mut self, path: &Path) -> bool {
        let zones = self.sources.directories.zones_at(path);
        let mut is_sure = !zones.is_empty();
        for (name, found) in zones {
            is_sure &= self.check_found(&name, found);
        }
        is_sure
    }

    /// Checks a zone whose file was found. False if it is not sure whether another file counts as well.
    fn check_found(&mut self, name: &Name, found: Found) -> bool {
        match self.zones.get_mut(name) {
            None if self.configured.settings.zones.iter().any(|zone| zone.file.is_none()) => return false,
            None => {
                self.sources.add_zone(&found.key, name);
                self.entry_or_new(name).found = Some(found);
            }
            Some(entry) => {
                let is_there = |known: &Found| known.path == found.path && known.key == found.key;
                if entry.rival.is_some() || !entry.found.as_ref().is_some_and(is_there) {
                    return false;
                }
            }
        }
        self.push(name, true);
        true
    }

    fn find_out(&mut self, paths: Vec<PathBuf>) {
        let context = self.context();
        self.board.give((Lane::General, SourceKey::None), context, Task::Unclear(paths));
    }
}
