//! From the path of a notification to the zone whose file it is about.
//!
//! Directories that surveys found flow in, paths flow in, a zone flows out, or that the whole source must be looked at. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::publish::source::SourceKey;
use crate::publish::source::key::{NamedFiles, ZoneSource};
use crate::publish::source::scan::Found;
use crate::wire::Name;

/// The directories of all sources.
#[derive(Debug, Default)]
pub(in crate::publish) struct Directories {
    /// By source, the directories without links and as the source names them.
    by_source: BTreeMap<SourceKey, BTreeMap<PathBuf, PathBuf>>,
    /// By directory without links, the sources that have it.
    by_path: HashMap<PathBuf, Vec<SourceKey>>,
    /// The zones of named files, by the file as the configuration names it.
    named: BTreeMap<SourceKey, NamedFiles>,
}

impl Directories {
    /// Takes the configured sources; what is known of others is forgotten.
    pub(in crate::publish) fn configure(&mut self, sources: &[ZoneSource]) {
        let configured: BTreeSet<&SourceKey> = sources.iter().map(|source| &source.key).collect();
        let gone: Vec<SourceKey> =
            self.by_source.keys().filter(|key| !configured.contains(key)).cloned().collect();
        gone.iter().for_each(|key| self.set(key, BTreeMap::new()));
        self.named = sources.iter().map(|source| (source.key.clone(), source.files.clone())).collect();
    }

    /// Takes the directories that a survey found.
    pub(in crate::publish) fn set(&mut self, key: &SourceKey, directories: BTreeMap<PathBuf, PathBuf>) {
        for path in self.by_source.remove(key).unwrap_or_default().keys() {
            let Some(keys) = self.by_path.get_mut(path) else { continue };
            keys.retain(|other| other != key);
            if keys.is_empty() {
                self.by_path.remove(path);
            }
        }
        for path in directories.keys() {
            self.by_path.entry(path.clone()).or_default().push(key.clone());
        }
        if !directories.is_empty() {
            self.by_source.insert(key.clone(), directories);
        }
    }

    /// The directories of all sources, as these name them.
    pub(in crate::publish) fn named(&self) -> impl Iterator<Item = &Path> {
        self.by_source.values().flat_map(BTreeMap::values).map(PathBuf::as_path)
    }

    /// The zones whose file this is, and where it is; none if that is not sure.
    pub(in crate::publish) fn zones_at(&self, path: &Path) -> Vec<(Name, Found)> {
        self.sure_zones_at(path).unwrap_or_default()
    }

    fn sure_zones_at(&self, path: &Path) -> Option<Vec<(Name, Found)>> {
        let (directory, file) = (path.parent()?, path.file_name()?);
        let [key] = self.by_path.get(directory)?.as_slice() else { return None };
        let path: Arc<Path> = self.by_source.get(key)?.get(directory)?.join(file).into();
        let found = |root: &Arc<Path>, path: &Arc<Path>| Found {
            key: key.clone(),
            root: root.clone(),
            path: path.clone(),
            fault: None,
        };
        match key {
            SourceKey::Directory(root) | SourceKey::Mounted(root, _) => {
                Some(vec![(zone_name(file)?, found(root, &path))])
            }
            SourceKey::Files(_) => {
                let files = files_at(self.named.get(key)?, &path).iter();
                Some(files.map(|(name, path)| (name.clone(), found(path, path))).collect())
            }
            SourceKey::MountedFiles(..) | SourceKey::Included(..) | SourceKey::None => None,
        }
    }
}

/// The zones of this file.
fn files_at<'a>(files: &'a NamedFiles, path: &Path) -> &'a [(Name, Arc<Path>)] {
    let from = files.partition_point(|(_, file)| file.as_os_str() < path.as_os_str());
    let after = files.partition_point(|(_, file)| file.as_os_str() <= path.as_os_str());
    files.get(from..after).unwrap_or_default()
}

/// The zone that a file's name says.
fn zone_name(file: &OsStr) -> Option<Name> {
    let octets = file.as_encoded_bytes();
    let origin = octets.strip_suffix(b".zone").filter(|_| !octets.starts_with(b"."))?;
    Name::from_text(origin, &Name::root()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<PathBuf, PathBuf> {
        pairs.iter().map(|(real, path)| (real.into(), path.into())).collect()
    }

    #[test]
    fn a_path_leads_to_its_zone_unless_two_sources_have_it() {
        let mut directories = Directories::default();
        let key = |path: &str| SourceKey::Directory(Path::new(path).into());
        directories.set(&key("/zones"), map(&[("/data/1", "/zones"), ("/data/1/sub", "/zones/sub")]));
        let at = |directories: &Directories, path: &str| {
            let zones = directories.zones_at(Path::new(path));
            zones
                .into_iter()
                .map(|(name, found)| (name.to_string(), found.path.to_path_buf()))
                .collect::<Vec<_>>()
        };
        let found = |name: &str, path: &str| vec![(name.to_owned(), PathBuf::from(path))];
        assert_eq!(at(&directories, "/data/1/a.example.zone"), found("a.example.", "/zones/a.example.zone"));
        assert_eq!(at(&directories, "/data/1/sub/b.zone"), found("b.", "/zones/sub/b.zone"));
        for path in ["/data/1/a.example", "/data/1/.a.zone", "/data/2/a.zone", "/"] {
            assert_eq!(at(&directories, path), [], "{path}");
        }
        directories.set(&key("/other"), map(&[("/data/1", "/other")]));
        assert_eq!(at(&directories, "/data/1/a.example.zone"), [], "both have it");
        directories.set(&key("/other"), BTreeMap::new());
        assert_eq!(at(&directories, "/data/1/a.example.zone"), found("a.example.", "/zones/a.example.zone"));
    }

    #[test]
    fn a_named_file_leads_to_its_zones() {
        let mut directories = Directories::default();
        let key = SourceKey::Files(Path::new("/etc/zones").into());
        let file = |name: &str, path: &str| (name.parse().unwrap(), Path::new(path).into());
        let files = [
            file("example.", "/etc/zones/db.example"),
            file("a.parked.", "/etc/zones/db.parked"),
            file("b.parked.", "/etc/zones/db.parked"),
        ];
        directories.configure(&[ZoneSource::of_files(key.clone(), files.into())]);
        directories.set(&key, map(&[("/private/zones", "/etc/zones")]));
        let at = |directories: &Directories, path: &str| {
            let zones = directories.zones_at(Path::new(path));
            zones.into_iter().map(|(name, found)| (name.to_string(), found.root)).collect::<Vec<_>>()
        };
        let zone = |name: &str, path: &str| (name.to_owned(), Arc::from(Path::new(path)));
        assert_eq!(
            at(&directories, "/private/zones/db.example"),
            [zone("example.", "/etc/zones/db.example")]
        );
        let parked = ["a.parked.", "b.parked."].map(|name| zone(name, "/etc/zones/db.parked"));
        assert_eq!(at(&directories, "/private/zones/db.parked"), parked, "both have this file");
        assert_eq!(at(&directories, "/private/zones/db.other"), []);
        directories.configure(&[]);
        assert_eq!(at(&directories, "/private/zones/db.example"), []);
    }
}
