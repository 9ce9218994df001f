//! A zone that includes files on other file systems is checked with a group of its own, which waits for these; it holds up no other zone.
//!
//! Part of [`crate::publish::work::zone::steps`]. Where the files are is known without asking their file systems.

use crate::publish::fault::Fault;
use crate::publish::source::SourceKey;
use crate::publish::source::scan::Found;
use crate::publish::work::zone::check_context::GivenBack;
use crate::publish::work::zone::entry::Entry;
use crate::publish::work::zone::steps::CheckRun;

impl CheckRun<'_> {
    /// Whether the files that the zone included when it was last read may be asked now. If not, all is done: the check is given back for
    /// another group, or these files do not answer.
    pub(in crate::publish) fn may_ask_included(&mut self, entry: &mut Entry, found: &Found) -> bool {
        entry.includes_in = None;
        if entry.files.included().next().is_none() {
            return true;
        }
        let mut files = self.context.mounts.beside_file(&found.path);
        entry.files.included().for_each(|included| drop(files.meet(included)));
        let Some(group) = files.group() else { return true };
        entry.includes_in = Some(Box::new(group.clone()));
        if files.are_in(self.group) {
            return true;
        }
        match self.context.unseen.is_silent(&group) {
            true => self.without_included(entry, found),
            false => *self.given_back = Some(GivenBack::Elsewhere(group)),
        }
        false
    }

    /// Files that it includes do not answer. What stands is what it has, as long as its own file says nothing new; that may include them no
    /// longer.
    fn without_included(&mut self, entry: &mut Entry, found: &Found) {
        if entry.header.is_some() && entry.files.has_zone_file(&found.path) {
            return self.unseen(entry);
        }
        let known = (std::mem::take(&mut entry.files), entry.files_are_accepted);
        let group = entry.includes_in.clone();
        self.read_and_judge(entry, found);
        if self.given_back.is_some() {
            return;
        }
        if entry.files.path.is_none() {
            // It still includes them.
            (entry.files, entry.files_are_accepted) = known;
            entry.includes_in = group;
        }
        self.restore(entry);
    }

    /// A reading ended at a file that it may not ask.
    pub(in crate::publish) fn elsewhere(&mut self, entry: &mut Entry, found: &Found, group: &SourceKey) {
        if !self.context.unseen.is_silent(group) {
            *self.given_back = Some(GivenBack::Elsewhere(group.clone()));
            return;
        }
        let silent = group.path().unwrap_or(&found.root).display();
        let error = format!("it includes a file on {silent}, which does not answer");
        entry.includes_in = Some(Box::new(group.clone()));
        (entry.read, entry.denied) = (false, None);
        entry.verdict = Some(Box::new(Fault::Unreadable { path: found.path.to_path_buf(), error }));
    }
}
