//! The files that zones include: they are watched, and zones that include files on other file systems are groups of their own, so that
//! no other zone waits for these.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::publish::source::key::NamedFile;
use crate::publish::source::{SourceKey, ZoneSource};
use crate::publish::work::core::Core;
use crate::publish::work::jobs::job::Task;
use crate::publish::work::queue::Lane;
use crate::wire::Name;

/// Of so many files it is asked whether their file system answers: it is one, and so are most often the files.
const MOST_ASKED: usize = 16;

impl Core {
    /// A source, or a group of zones that include files on other file systems, with what is to be asked to find out whether it answers.
    pub(in crate::publish) fn source(&self, key: &SourceKey) -> Option<ZoneSource> {
        let SourceKey::Included(_, points) = key else { return self.sources.get(key).cloned() };
        let of_it = || self.zones.iter().filter(|(_, entry)| entry.includes_in.as_deref() == Some(key));
        let files = of_it().flat_map(|(name, entry)| {
            let file = |path: &Path| -> NamedFile { (name.clone(), path.into()) };
            entry.files.included().map(file).collect::<Vec<_>>()
        });
        let files = files.take(MOST_ASKED).collect();
        of_it()
            .next()
            .map(|_| ZoneSource { folders: points.clone(), ..ZoneSource::of_files(key.clone(), files) })
    }

    /// These zones were to be checked with a group that does not answer: their own files are looked at.
    pub(in crate::publish) fn check_without_included(
        &mut self,
        key: &SourceKey,
        names: impl IntoIterator<Item = Name>,
    ) {
        if !matches!(key, SourceKey::Included(..)) {
            return;
        }
        for name in names {
            match self.push(&name, false) {
                true => self.await_zone(&name),
                false => self.check_without_source(&[name]),
            }
        }
    }

    /// A zone has left this group, if it was in one. One that has no zone any more is no fault, also if it does not answer.
    pub(in crate::publish) fn has_left(&mut self, group: Option<Box<SourceKey>>) {
        let Some(group) = group else { return };
        self.watching.has_new_includes = true;
        if self.board.queue.is_stalled(&group) && self.source(&group).is_none() {
            self.board.queue.recover(&group);
            self.sources.recover(&group);
            self.context = None;
            self.report_all();
        }
    }

    /// A group answers again: its files were perhaps not watched meanwhile.
    pub(in crate::publish) fn watch_again(&mut self, key: &SourceKey) {
        self.watching.included.remove(key);
        self.watching.has_new_includes |= matches!(key, SourceKey::Included(..));
    }

    /// Watches the files that zones include; a change since they were read is seen by comparing.
    pub(in crate::publish) fn watch_includes(&mut self) {
        if !std::mem::take(&mut self.watching.has_new_includes) || !self.configured.watches() {
            return;
        }
        let mut groups: BTreeMap<SourceKey, Vec<PathBuf>> = BTreeMap::new();
        for entry in self.zones.values() {
            let mut included = entry.files.included().map(ToOwned::to_owned).peekable();
            if included.peek().is_some() {
                let group = entry.includes_in.as_deref().cloned().unwrap_or(SourceKey::None);
                groups.entry(group).or_default().extend(included);
            }
        }
        for files in groups.values_mut() {
            files.sort();
            files.dedup();
        }
        let context = self.context();
        let before = std::mem::take(&mut self.watching.included);
        for key in before.keys().filter(|key| !groups.contains_key(key)) {
            self.board.give((Lane::General, SourceKey::None), context.clone(), Task::Unwatch(key.clone()));
        }
        // What does not answer is watched when it does.
        groups.retain(|key, _| !self.board.queue.is_stalled(key));
        for (key, files) in groups.iter().filter(|(key, files)| before.get(*key) != Some(*files)) {
            let task = Task::Includes(Some(files.clone()));
            self.board.give((Lane::General, key.clone()), context.clone(), task);
        }
        self.watching.included = groups;
    }
}
