//! The configured sources of zone files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::publish::settings::Settings;
use crate::wire::Name;

/// What tells one source from the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::publish) enum SourceKey {
    /// The zones that the configuration names one by one and that have their files in this directory.
    Files(Arc<Path>),
    /// A configured directory.
    Directory(Arc<Path>),
    /// No source: zones whose file is not where it was.
    None,
}

impl SourceKey {
    /// The directory, if there is one.
    pub(in crate::publish) fn path(&self) -> Option<&Path> {
        match self {
            Self::Files(path) | Self::Directory(path) => Some(path),
            Self::None => None,
        }
    }
}

/// A configured source.
#[derive(Clone, Debug)]
pub(in crate::publish) struct ZoneSource {
    /// What tells it from the others.
    pub(in crate::publish) key: SourceKey,
    /// The zones that are named one by one, with their files.
    pub(in crate::publish) files: Arc<[(Name, PathBuf)]>,
}

/// The sources of these settings: named files come before directories, these in the order of the configuration.
pub(in crate::publish) fn sources(settings: &Settings) -> Vec<ZoneSource> {
    let mut named: BTreeMap<&Path, Vec<(Name, PathBuf)>> = BTreeMap::new();
    for zone in &settings.zones {
        let Some(file) = &zone.file else { continue };
        let directory = file.parent().unwrap_or(file);
        named.entry(directory).or_default().push((zone.name.clone(), file.clone()));
    }
    let files = |(path, files): (&Path, Vec<_>)| ZoneSource {
        key: SourceKey::Files(path.into()),
        files: files.into(),
    };
    let directory =
        |path: &PathBuf| ZoneSource { key: SourceKey::Directory(path.as_path().into()), files: Arc::new([]) };
    named.into_iter().map(files).chain(settings.directories.iter().map(directory)).collect()
}
