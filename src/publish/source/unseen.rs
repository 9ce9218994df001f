//! Of which files nothing is known, because a directory cannot be read or a source does not answer. Pure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::publish::source::{SourceKey, ZoneSource};

/// Directories that could not be read, and sources that do not answer: nothing is known of the files in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::publish) struct Unseen {
    directories: BTreeSet<PathBuf>,
    silent: BTreeSet<SourceKey>,
}

impl Unseen {
    /// Adds a directory; whether it is new.
    pub(in crate::publish) fn add(&mut self, directory: &Path) -> bool {
        self.directories.insert(directory.to_path_buf())
    }

    /// Whether this directory is one of them.
    pub(in crate::publish) fn is_one(&self, directory: &Path) -> bool {
        self.directories.contains(directory)
    }

    /// Adds others.
    pub(in crate::publish) fn add_all(&mut self, other: &Self) {
        self.directories.extend(other.directories.iter().cloned());
        self.silent.extend(other.silent.iter().cloned());
    }

    /// Adds a source that does not answer, with the folders by which its zones are named.
    pub(in crate::publish) fn add_silent(&mut self, source: &ZoneSource) {
        self.directories.extend(source.key.path().map(Path::to_path_buf));
        self.directories.extend(source.folders.iter().cloned());
        self.silent.insert(source.key.clone());
    }

    /// Adds a group of zones whose included files are on a file system that does not answer.
    pub(in crate::publish) fn add_silent_group(&mut self, key: &SourceKey) {
        self.silent.insert(key.clone());
    }

    /// Whether this one does not answer.
    pub(in crate::publish) fn is_silent(&self, key: &SourceKey) -> bool {
        self.silent.contains(key)
    }

    /// Whether nothing is known of this file of a source.
    pub(in crate::publish) fn hides(&self, key: &SourceKey, path: &Path) -> bool {
        self.is_silent(key) || self.has(path)
    }

    /// Whether the path is in one of them.
    pub(in crate::publish) fn has(&self, path: &Path) -> bool {
        !self.directories.is_empty()
            && path.ancestors().skip(1).any(|directory| self.directories.contains(directory))
    }
}
