//! The configured sources of zone files.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::publish::settings::Settings;
use crate::wire::Name;

/// What tells one source from the others.
#[derive(Clone, Debug)]
pub(in crate::publish) enum SourceKey {
    /// The zones that the configuration names one by one and that have their files in this directory.
    Files(Arc<Path>),
    /// A configured directory.
    Directory(Arc<Path>),
    /// No source: zones whose file is not where it was.
    None,
}

impl SourceKey {
    fn sort_key(&self) -> (u8, &[u8]) {
        match self {
            Self::Files(path) => (0, path.as_os_str().as_encoded_bytes()),
            Self::Directory(path) => (1, path.as_os_str().as_encoded_bytes()),
            Self::None => (2, &[]),
        }
    }

    /// The directory, if there is one.
    pub(in crate::publish) fn path(&self) -> Option<&Path> {
        match self {
            Self::Files(path) | Self::Directory(path) => Some(path),
            Self::None => None,
        }
    }
}

/// By octets, which takes less than by the parts of the path: each check of a zone looks up its source. The paths of the settings are
/// absolute and have no `.` ([`Settings::absolute`]).
impl Ord for SourceKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sort_key().cmp(&other.sort_key())
    }
}

impl PartialOrd for SourceKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SourceKey {
    fn eq(&self, other: &Self) -> bool {
        self.sort_key() == other.sort_key()
    }
}

impl Eq for SourceKey {}

/// A configured source.
#[derive(Clone, Debug)]
pub(in crate::publish) struct ZoneSource {
    /// What tells it from the others.
    pub(in crate::publish) key: SourceKey,
    /// The zones that are named one by one, with their files, in the order of the files' octets. Several zones may share a file.
    pub(in crate::publish) files: NamedFiles,
}

/// Zones and their files, in the order of the files' octets.
pub(in crate::publish) type NamedFiles = Arc<[(Name, Arc<Path>)]>;

/// The sources of these settings: named files come before directories, these in the order of the configuration.
pub(in crate::publish) fn sources(settings: &Settings) -> Vec<ZoneSource> {
    // By octets, not by the parts of a path: there may be 100,000.
    let mut named: HashMap<&OsStr, Vec<(Name, Arc<Path>)>> = HashMap::new();
    for zone in &settings.zones {
        let Some(file) = &zone.file else { continue };
        let directory = file.parent().unwrap_or(file);
        named.entry(directory.as_os_str()).or_default().push((zone.name.clone(), file.clone()));
    }
    let mut named: Vec<(&OsStr, Vec<(Name, Arc<Path>)>)> = named.into_iter().collect();
    named.sort_by_key(|(directory, _)| *directory);
    let files = |(directory, mut files): (&OsStr, Vec<(Name, Arc<Path>)>)| {
        files.sort_by(|(_, a), (_, b)| a.as_os_str().cmp(b.as_os_str()));
        ZoneSource { key: SourceKey::Files(Path::new(directory).into()), files: files.into() }
    };
    let directory =
        |path: &PathBuf| ZoneSource { key: SourceKey::Directory(path.as_path().into()), files: Arc::new([]) };
    named.into_iter().map(files).chain(settings.directories.iter().map(directory)).collect()
}
