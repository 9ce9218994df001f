//! Which directories must be watched, and which of their entries matter.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::publish::source::links::follow;

/// Directories to watch; every path in it is free of links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::publish) struct WatchSet {
    /// Directories in which everything matters but dot-names.
    whole: BTreeSet<PathBuf>,
    /// Directories in which the named entries matter: parts of a configured path, links, included files.
    entries: BTreeMap<PathBuf, BTreeSet<Arc<OsStr>>>,
}

impl WatchSet {
    /// Everything in `directory` matters.
    pub(in crate::publish) fn directory(&mut self, directory: &Path) {
        self.whole.insert(directory.to_path_buf());
    }

    /// These entries of a directory matter, all without links. Many cost least in order.
    pub(in crate::publish) fn entries<'n>(
        &mut self,
        directory: &Path,
        names: impl IntoIterator<Item = &'n OsStr>,
    ) {
        let mut names: BTreeSet<Arc<OsStr>> = names.into_iter().map(Arc::from).collect();
        if !names.is_empty() {
            self.entries.entry(directory.to_path_buf()).or_default().append(&mut names);
        }
    }

    /// Every step from `/` to `path` matters, links and their targets included, as far as there is anything: what
    /// is missing will appear in a directory that is watched then. `path` is absolute.
    pub(in crate::publish) fn trace(&mut self, path: &Path) {
        follow(path, |directory, name| {
            self.entries.entry(directory.to_path_buf()).or_default().insert(name.into());
            ControlFlow::Continue(())
        });
    }

    /// Whether `path` is named as an entry of its directory.
    pub(in crate::publish) fn has_entry(&self, path: &Path) -> bool {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return false };
        self.entries.get(directory).is_some_and(|names| names.contains(name))
    }

    /// Every directory to watch.
    pub(in crate::publish) fn directories(&self) -> BTreeSet<&Path> {
        self.whole.iter().map(PathBuf::as_path).chain(self.entries.keys().map(PathBuf::as_path)).collect()
    }
}

/// The sets of all sources together. Each directory and entry counts how many sources name it.
#[derive(Debug, Default)]
pub(in crate::publish) struct MergedSet {
    whole: BTreeMap<PathBuf, usize>,
    entries: BTreeMap<PathBuf, BTreeMap<Arc<OsStr>, usize>>,
}

impl MergedSet {
    /// Adds the set of a source.
    pub(in crate::publish) fn add(&mut self, set: &WatchSet) {
        for directory in &set.whole {
            *self.whole.entry(directory.clone()).or_default() += 1;
        }
        for (directory, names) in &set.entries {
            let known = self.entries.entry(directory.clone()).or_default();
            if known.is_empty() {
                *known = names.iter().map(|name| (name.clone(), 1)).collect();
                continue;
            }
            names.iter().for_each(|name| *known.entry(name.clone()).or_default() += 1);
        }
    }

    /// Takes the set of a source out.
    pub(in crate::publish) fn remove(&mut self, set: &WatchSet) {
        for directory in &set.whole {
            release(&mut self.whole, directory);
        }
        for (directory, names) in &set.entries {
            let Some(known) = self.entries.get_mut(directory) else { continue };
            names.iter().for_each(|name| release(known, name));
            if known.is_empty() {
                self.entries.remove(directory);
            }
        }
    }

    /// Whether `path` is one of the directories to watch.
    pub(in crate::publish) fn is_watched(&self, path: &Path) -> bool {
        self.whole.contains_key(path) || self.entries.contains_key(path)
    }

    /// Whether everything in this directory matters.
    pub(in crate::publish) fn is_whole(&self, directory: &Path) -> bool {
        self.whole.contains_key(directory)
    }

    /// Whether `path` is named as an entry of its directory: a part of a configured path, a link, an included file.
    pub(in crate::publish) fn is_entry(&self, path: &Path) -> bool {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return false };
        self.entries.get(directory).is_some_and(|names| names.contains_key(name))
    }

    /// Whether a change of `path` matters.
    pub(in crate::publish) fn matters(&self, path: &Path) -> bool {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return false };
        self.is_entry(path) || self.is_whole(path) || (self.is_whole(directory) && !is_dot_name(name))
    }
}

/// Takes one off a count, which goes when it is 0.
fn release<K: Ord + ?Sized, O: Ord + std::borrow::Borrow<K>>(counts: &mut BTreeMap<O, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn is_dot_name(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_trace_names_every_link_on_the_way() {
        let directory = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(directory.path()).unwrap();
        fs::create_dir_all(base.join("releases/2")).unwrap();
        symlink("releases/2", base.join("current")).unwrap();
        symlink(base.join("current"), base.join("zones")).unwrap();
        let (mut traced, mut set) = (WatchSet::default(), MergedSet::default());
        traced.trace(&base.join("zones/a.zone"));
        set.add(&traced);
        for path in ["zones", "current", "releases", "releases/2", "releases/2/a.zone"] {
            assert!(set.matters(&base.join(path)), "{path}");
        }
        assert!(!set.matters(&base.join("other")));
        assert!(!set.matters(&base.join("releases/2/b.zone")));
        let mut whole = WatchSet::default();
        whole.directory(&base.join("releases/2"));
        set.add(&whole);
        set.add(&whole);
        set.remove(&whole);
        assert!(set.matters(&base.join("releases/2/b.zone")));
        assert!(set.matters(&base.join("releases/2")));
        assert!(!set.matters(&base.join("releases/2/.b.zone.swp")));
        set.remove(&whole);
        assert!(!set.matters(&base.join("releases/2/b.zone")));
        set.remove(&traced);
        assert!(!set.is_watched(Path::new("/")), "nothing is left: {set:?}");
    }

    #[test]
    fn a_circle_of_links_ends() {
        let directory = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(directory.path()).unwrap();
        symlink("b", base.join("a")).unwrap();
        symlink("a", base.join("b")).unwrap();
        let (mut traced, mut set) = (WatchSet::default(), MergedSet::default());
        traced.trace(&base.join("a/x.zone"));
        set.add(&traced);
        assert!(set.matters(&base.join("a")) && set.matters(&base.join("b")));
    }
}
