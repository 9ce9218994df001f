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
    /// What of a configured directory is on another file system, which links lead to or which is mounted below it: the directory and the
    /// mount point. It is a source of its own, so that the zones of the directory do not wait for it.
    Mounted(Arc<Path>, Arc<Path>),
    /// The same of files that the configuration names one by one: the directory of the links, and the mount point.
    MountedFiles(Arc<Path>, Arc<Path>),
    /// No source of files but a group of zones, whichever sources these are of: those that include files on other file systems than their
    /// own, by these mount points; with the text by which these are named. They wait for these file systems, and no other zone does.
    Included(Arc<Path>, Arc<[PathBuf]>),
    /// No source: zones whose file is not where it was.
    None,
}

impl SourceKey {
    fn sort_key(&self) -> (u8, &[u8], &[u8]) {
        match self {
            Self::Files(path) => (0, octets(path), &[]),
            Self::Directory(path) => (1, octets(path), &[]),
            Self::Mounted(path, mount) => (2, octets(path), octets(mount)),
            Self::MountedFiles(path, mount) => (3, octets(path), octets(mount)),
            Self::Included(name, _) => (4, octets(name), &[]),
            Self::None => (5, &[], &[]),
        }
    }

    /// The directory, if there is one.
    pub(in crate::publish) fn path(&self) -> Option<&Path> {
        match self {
            Self::Files(path)
            | Self::Directory(path)
            | Self::Mounted(_, path)
            | Self::MountedFiles(_, path)
            | Self::Included(path, _) => Some(path),
            Self::None => None,
        }
    }

    /// Whether it is the group of zones that include files on other file systems, this one among them.
    pub(in crate::publish) fn includes_from(&self, mount: &Path) -> bool {
        matches!(self, Self::Included(_, points) if points.iter().any(|point| point == mount))
    }
}

fn octets(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
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

/// A source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::publish) struct ZoneSource {
    /// What tells it from the others.
    pub(in crate::publish) key: SourceKey,
    /// The zones that are named one by one, with their files, in the order of the files' octets. Several zones may share a file.
    pub(in crate::publish) files: NamedFiles,
    /// The folders in which zones are looked for; of what is on another file system.
    pub(in crate::publish) folders: Arc<[PathBuf]>,
}

impl ZoneSource {
    /// Zones that are named one by one.
    pub(in crate::publish) fn of_files(key: SourceKey, mut files: Vec<NamedFile>) -> Self {
        files.sort_by(|(_, a), (_, b)| a.as_os_str().cmp(b.as_os_str()));
        Self { key, files: files.into(), folders: Arc::new([]) }
    }
}

/// A zone and its file.
pub(in crate::publish) type NamedFile = (Name, Arc<Path>);

/// Zones and their files, in the order of the files' octets.
pub(in crate::publish) type NamedFiles = Arc<[NamedFile]>;

/// The sources of these settings: named files come before directories, these in the order of the configuration.
pub(in crate::publish) fn sources(settings: &Settings) -> Vec<ZoneSource> {
    // By octets, not by the parts of a path: there may be 100,000.
    let mut named: HashMap<&OsStr, Vec<NamedFile>> = HashMap::new();
    for zone in settings.zones.iter() {
        let Some(file) = &zone.file else { continue };
        let directory = file.parent().unwrap_or(file);
        named.entry(directory.as_os_str()).or_default().push((zone.name.clone(), file.clone()));
    }
    let mut named: Vec<(&OsStr, Vec<NamedFile>)> = named.into_iter().collect();
    named.sort_by_key(|(directory, _)| *directory);
    let files = |(directory, files): (&OsStr, Vec<NamedFile>)| {
        ZoneSource::of_files(SourceKey::Files(Path::new(directory).into()), files)
    };
    let directory =
        |path: &PathBuf| ZoneSource::of_files(SourceKey::Directory(path.as_path().into()), Vec::new());
    named.into_iter().map(files).chain(settings.directories.iter().map(directory)).collect()
}
