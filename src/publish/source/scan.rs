//! Finds the zone files, and what must be watched to hear of any change to them.
//!
//! Configured sources flow in; zones with their files, faults, and a [`WatchSet`] flow out. Reads directories and
//! links, never a file's content.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, FileType};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sys::files::look_and_open;
use crate::wire::Name;

use crate::publish::fault::{Fault, SourceFault, SourceWarning};
use crate::publish::settings::{Settings, SingleZone};
use crate::publish::source::key::sources;
use crate::publish::source::mounts::Mounts;
use crate::publish::source::unseen::Unseen;
use crate::publish::source::watch_set::WatchSet;
use crate::publish::source::{SourceKey, ZoneSource};

/// Subdirectories below a configured directory; deeper is a mistake or an attack, not a layout.
const MAX_DEPTH: usize = 16;
/// Directory entries looked at in one pass: ten times the largest fleet known, and a bound on a mistaken `/`.
const MAX_ENTRIES: usize = 10_000_000;

/// From so many named files in one directory on, the directory is read instead of asking for each file.
const MANY: usize = 16;

/// What one pass over the sources found.
#[derive(Debug, Default)]
pub(in crate::publish) struct Scan {
    /// The zones in canonical order, each with its file or what is wrong with it.
    pub(in crate::publish) zones: Vec<(Name, Found)>,
    /// What is wrong beside any one zone.
    pub(in crate::publish) faults: Vec<SourceFault>,
    /// What is odd and no fault.
    pub(in crate::publish) warnings: Vec<SourceWarning>,
    /// The directories below a source that could not be read, and why. Whether that matters depends on the zones in them.
    pub(in crate::publish) unread: Vec<(PathBuf, String)>,
    /// What to watch.
    pub(in crate::publish) watch: WatchSet,
    /// Whether a source could not be read whole, so that a zone not found here may be there all the same.
    pub(in crate::publish) partial: bool,
    /// The directories that could not be read.
    pub(in crate::publish) unseen: Unseen,
    /// What of the source is on other file systems, which was not looked at.
    pub(in crate::publish) mounted: BTreeMap<PathBuf, Mounted>,
    /// The directories that hold files of the source: without links, and as the source names them.
    pub(in crate::publish) directories: BTreeMap<PathBuf, PathBuf>,
    /// The file system that a configured directory is on.
    pub(in crate::publish) device: Option<u64>,
    entries: usize,
}

/// What leads from a source to another file system.
#[derive(Debug, Default)]
pub(in crate::publish) struct Mounted {
    files: Vec<(Name, Arc<Path>)>,
    folders: Vec<PathBuf>,
}

/// Where a zone is.
#[derive(Clone, Debug)]
pub(in crate::publish) struct Found {
    /// The source that has it.
    pub(in crate::publish) key: SourceKey,
    /// The configured source.
    pub(in crate::publish) root: Arc<Path>,
    /// Its file.
    pub(in crate::publish) path: Arc<Path>,
    /// Why that file cannot be taken.
    pub(in crate::publish) fault: Option<Box<Fault>>,
}

impl Found {
    /// Whether there is no file where the config says.
    pub(in crate::publish) fn is_missing(&self) -> bool {
        matches!(self.fault.as_deref(), Some(Fault::Missing { .. }))
    }
}

/// Looks at every configured source. `at` is told each directory before it is read.
pub(in crate::publish) fn scan(settings: &Settings, at: &dyn Fn(&Path)) -> Scan {
    let mut all = Scan::default();
    let mut todo = sources(settings);
    todo.reverse();
    while let Some(source) = todo.pop() {
        let mut scan = scan_source(&source, at);
        todo.extend(scan.take_mounted(&source.key));
        let Scan { zones, faults, warnings, unread, unseen, partial, .. } = scan;
        all.zones.extend(zones);
        faults.into_iter().for_each(|fault| all.fault(fault));
        all.warnings.extend(warnings);
        all.unread.extend(unread);
        all.unseen.add_all(&unseen);
        all.partial |= partial;
    }
    all.sort();
    let is_found = |zone: &Name| all.zones.binary_search_by(|(name, _)| name.cmp(zone)).is_ok();
    let without_file: Vec<SourceFault> = zones_without_file(settings, is_found).collect();
    without_file.into_iter().for_each(|fault| all.fault(fault));
    all
}

/// The zones that the configuration names, and that no source has.
pub(in crate::publish) fn zones_without_file(
    settings: &Settings,
    is_found: impl Fn(&Name) -> bool,
) -> impl Iterator<Item = SourceFault> {
    let has_none = |zone: &&SingleZone| {
        let is_elsewhere =
            [&settings.transferred, &settings.databases].iter().any(|set| set.contains(&zone.name));
        zone.file.is_none() && !is_elsewhere
    };
    let without_file = settings.zones.iter().filter(has_none);
    without_file
        .filter(move |zone| !is_found(&zone.name))
        .map(|zone| SourceFault::NoFile { zone: zone.name.clone() })
}

/// Looks at one source. `at` is told each directory before it is read: its disk may not answer.
pub(in crate::publish) fn scan_source(source: &ZoneSource, at: &dyn Fn(&Path)) -> Scan {
    let mut scan = Scan::default();
    match &source.key {
        SourceKey::Files(directory) => scan.named_files(directory, source, at),
        SourceKey::Directory(directory) => {
            at(directory);
            scan.watch.trace(directory);
            let mounts = Mounts::beside(&without_links(directory));
            let mut walk =
                Walk { key: &source.key, root: directory.clone(), mounts, visited: HashSet::new(), at };
            scan.directory(&mut walk, directory, 0);
        }
        SourceKey::Mounted(directory, _) => scan.mounted(directory, source, at),
        SourceKey::MountedFiles(..) => scan.mounted_files(source, at),
        SourceKey::Included(..) => ask(source, at),
        SourceKey::None => {}
    }
    scan.sort();
    scan
}

/// Asks for files that are included, to find out whether their file systems answer.
fn ask(source: &ZoneSource, at: &dyn Fn(&Path)) {
    for folder in source.folders.iter() {
        at(folder);
        // Of a network file system, what is in it; of a file, this host remembers what it is.
        drop(fs::read_dir(folder).map(|mut entries| entries.next().is_some()));
    }
    for (_, file) in source.files.iter() {
        at(file);
        drop(look_and_open(file));
    }
}

/// A pass over one directory source.
struct Walk<'a> {
    key: &'a SourceKey,
    root: Arc<Path>,
    /// The file systems that are looked at as sources of their own.
    mounts: Mounts,
    at: &'a dyn Fn(&Path),
    /// Device and inode of the directories seen, so that a link to one's own parent ends.
    visited: HashSet<(u64, u64)>,
}

impl Walk<'_> {
    /// The other file system that an entry of a directory leads to.
    fn mount_of(&self, entry: &Path, kind: FileType) -> Option<PathBuf> {
        match kind {
            kind if kind.is_symlink() => self.mounts.on_the_way(entry),
            kind if kind.is_dir() && self.mounts.has(entry) => Some(entry.to_path_buf()),
            _ => None,
        }
    }
}

impl Scan {
    /// The files of zones that are named one by one, all in one directory. Of many the directory is read once, and nothing is asked
    /// of each file.
    fn named_files(&mut self, directory: &Path, source: &ZoneSource, at: &dyn Fn(&Path)) {
        at(directory);
        let listed =
            (source.files.len() >= MANY).then(|| listing(directory, source.files.len()).ok()).flatten();
        if let (Some((real, _)), Some((_, first))) = (&listed, source.files.first()) {
            self.watch.trace(first);
            self.directories.insert(real.clone(), directory.to_path_buf());
        }
        let mut mounts = None;
        let mut watched = Vec::with_capacity(source.files.len());
        for (zone, file) in source.files.iter() {
            let name = file.file_name().unwrap_or_default();
            let seen = listed.as_ref().and_then(|(_, kinds)| kinds.get(name).copied());
            if seen.map_or_else(|| file.is_symlink(), |kind| kind.is_symlink()) {
                let mounts = mounts.get_or_insert_with(|| Mounts::beside(&without_links(directory)));
                if let Some(mount) = mounts.on_the_way(file) {
                    self.mounted.entry(mount).or_default().files.push((zone.clone(), file.clone()));
                    continue;
                }
            }
            match seen.filter(|kind| !kind.is_symlink()) {
                Some(_) => watched.push(name),
                None => {
                    at(file);
                    self.watch.trace(file);
                }
            }
            self.file(zone.clone(), (&source.key, file), file.clone(), seen, true);
        }
        if let Some((real, _)) = &listed {
            self.watch.entries(real, watched);
        }
        if listed.is_none()
            && let Ok(real) = fs::canonicalize(directory)
        {
            self.directories.insert(real, directory.to_path_buf());
        }
    }

    /// What of a directory is on another file system.
    fn mounted(&mut self, root: &Arc<Path>, source: &ZoneSource, at: &dyn Fn(&Path)) {
        let key = &source.key;
        for (zone, file) in source.files.iter() {
            at(file);
            self.watch.trace(file);
            self.file(zone.clone(), (key, root), file.clone(), None, false);
        }
        let mounts = Mounts::default();
        let mut walk = Walk { key, root: root.clone(), mounts, visited: HashSet::new(), at };
        for folder in source.folders.iter() {
            at(folder);
            self.watch.trace(folder);
            match fs::metadata(folder) {
                Ok(status) if status.is_dir() => self.directory(&mut walk, folder, 1),
                // A link to a file, or to nothing.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.unread(folder, error.to_string()),
            }
        }
    }

    /// What of the files that the configuration names is on another file system.
    fn mounted_files(&mut self, source: &ZoneSource, at: &dyn Fn(&Path)) {
        for (zone, file) in source.files.iter() {
            at(file);
            self.watch.trace(file);
            self.file(zone.clone(), (&source.key, file), file.clone(), None, true);
        }
    }

    /// The sources that what is on other file systems makes.
    pub(in crate::publish) fn take_mounted(&mut self, key: &SourceKey) -> Vec<ZoneSource> {
        let key = |mount: PathBuf| match key {
            SourceKey::Directory(directory) => SourceKey::Mounted(directory.clone(), mount.into()),
            SourceKey::Files(directory) => SourceKey::MountedFiles(directory.clone(), mount.into()),
            SourceKey::Mounted(..)
            | SourceKey::MountedFiles(..)
            | SourceKey::Included(..)
            | SourceKey::None => SourceKey::None,
        };
        let source = |(mount, mounted): (PathBuf, Mounted)| ZoneSource {
            folders: mounted.folders.into(),
            ..ZoneSource::of_files(key(mount), mounted.files)
        };
        std::mem::take(&mut self.mounted).into_iter().map(source).collect()
    }

    fn directory(&mut self, walk: &mut Walk<'_>, directory: &Path, depth: usize) {
        match self.try_directory(walk, directory, depth) {
            Ok(()) => {}
            Err(error) if depth > 0 => self.unread(directory, error.to_string()),
            Err(error) => self.unseen(directory, error.to_string()),
        }
    }

    /// Notes a directory below a source that cannot be read.
    fn unread(&mut self, directory: &Path, error: String) {
        if self.unseen.add(directory) && self.unread.len() < SourceFault::MAX_REPORTED {
            self.unread.push((directory.to_path_buf(), error));
        }
    }

    /// Notes a directory that cannot be read: one fault, however many zones have their files in it.
    fn unseen(&mut self, directory: &Path, error: String) {
        self.partial = true;
        if self.unseen.add(directory) {
            self.fault(SourceFault::Directory { path: directory.to_path_buf(), error });
        }
    }

    fn try_directory(&mut self, walk: &mut Walk<'_>, directory: &Path, depth: usize) -> io::Result<()> {
        (walk.at)(directory);
        let real = fs::canonicalize(directory)?;
        let status = fs::metadata(&real)?;
        if !walk.visited.insert((status.dev(), status.ino())) {
            return Ok(());
        }
        if depth == 0 {
            self.device = Some(status.dev());
        }
        self.watch.directory(&real);
        self.directories.insert(real.clone(), directory.to_path_buf());
        let mut names = Vec::new();
        for entry in fs::read_dir(&real)? {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(io::Error::other(format!("more than {MAX_ENTRIES} directory entries")));
            }
            let entry = entry?;
            names.push((entry.file_name(), entry.file_type()?));
        }
        names.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, kind) in names {
            let bytes = name.as_encoded_bytes();
            if bytes.starts_with(b".") {
                continue;
            }
            let path = directory.join(&name);
            if is_conflict_copy(bytes) {
                if self.warnings.len() < SourceFault::MAX_REPORTED {
                    self.warnings.push(SourceWarning::Copy { path });
                }
                continue;
            }
            let origin = bytes.strip_suffix(b".zone");
            if let Some(mount) = walk.mount_of(&real.join(&name), kind) {
                self.leads_to(mount, origin, path);
                continue;
            }
            if kind.is_symlink() && (origin.is_some() || path.is_dir()) {
                self.watch.trace(&path);
            }
            match origin {
                Some(origin) => self.named_file((walk.key, &walk.root), origin, path.into(), kind),
                None if kind.is_dir() || (kind.is_symlink() && path.is_dir()) => {
                    self.deeper(walk, &path, depth);
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Notes what leads to another file system, and asks nothing of that. What has no name of a zone file may be a folder.
    fn leads_to(&mut self, mount: PathBuf, origin: Option<&[u8]>, path: PathBuf) {
        let origin = origin.map(|origin| Name::from_text(origin, &Name::root()));
        match origin {
            Some(Err(error)) => self.fault(SourceFault::FileName { path, error }),
            Some(Ok(origin)) => self.mounted.entry(mount).or_default().files.push((origin, path.into())),
            None => self.mounted.entry(mount).or_default().folders.push(path),
        }
    }

    fn deeper(&mut self, walk: &mut Walk<'_>, directory: &Path, depth: usize) {
        if depth < MAX_DEPTH {
            return self.directory(walk, directory, depth + 1);
        }
        self.unread(directory, format!("deeper than {MAX_DEPTH} directories"));
    }

    fn named_file(
        &mut self,
        place: (&SourceKey, &Arc<Path>),
        origin: &[u8],
        path: Arc<Path>,
        kind: FileType,
    ) {
        match Name::from_text(origin, &Name::root()) {
            Ok(origin) => self.file(origin, place, path, Some(kind), false),
            Err(error) => self.fault(SourceFault::FileName { path: path.to_path_buf(), error }),
        }
    }

    /// `seen` is what the directory says of it, which spares a look at the file itself; `named`: the config names
    /// this file, so its absence is a fault.
    fn file(
        &mut self,
        origin: Name,
        (key, root): (&SourceKey, &Arc<Path>),
        path: Arc<Path>,
        seen: Option<FileType>,
        named: bool,
    ) {
        let seen = seen.filter(|kind| !kind.is_symlink());
        let fault = match seen.map_or_else(|| fs::metadata(&path).map(|status| status.file_type()), Ok) {
            Ok(kind) if kind.is_file() => None,
            Ok(found) => Some(Fault::NotRegular { path: path.to_path_buf(), kind: kind(found) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
                if !named {
                    return;
                }
                self.look_above(&path);
                Some(Fault::Missing { path: path.to_path_buf() })
            }
            Err(error) => Some(Fault::Unreadable { path: path.to_path_buf(), error: error.to_string() }),
        };
        let found = Found { key: key.clone(), root: root.clone(), path, fault: fault.map(Box::new) };
        self.zones.push((origin, found));
    }

    /// Finds out whether a file that is not there is missing, or the whole directory that the config says.
    fn look_above(&mut self, path: &Path) {
        let Some(directory) = path.parent().filter(|directory| !self.unseen.is_one(directory)) else {
            return;
        };
        if let Err(error) = fs::metadata(directory) {
            self.unseen(directory, error.to_string());
        }
    }

    /// Sorts the zones, and makes one of those that were found twice.
    fn sort(&mut self) {
        // Stable: of two files the one found first is named first. A directory of siblings comes sorted.
        self.zones.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.zones.dedup_by(|(again, second), (name, first)| {
            if again == name && !same_file(&first.path, &second.path) {
                let paths = [first.path.to_path_buf(), second.path.to_path_buf()];
                first.fault = Some(Box::new(Fault::TwoFiles { paths }));
            }
            again == name
        });
    }

    fn fault(&mut self, fault: SourceFault) {
        if self.faults.len() < SourceFault::MAX_REPORTED {
            self.faults.push(fault);
        }
    }
}

/// Whether a file has a name that tools give to the copy which lost when two wrote at once ("x (conflicted copy).zone",
/// "x.sync-conflict-20260101-120000-ABCDEFG.zone", "x_conflict-20260101-120000.zone", "x.Conflict.zone"), to a duplicate ("x -
/// Copy.zone", "x (1).zone"), or to the sides of a merge ("x_LOCAL_1234.zone"): no zone is called so. A space or a parenthesis in a
/// zone's name is written as `\032`, `\040` or `\041`.
fn is_conflict_copy(name: &[u8]) -> bool {
    let Some(name) = name.strip_suffix(b".zone") else { return false };
    let has = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
    name.iter().any(|octet| matches!(octet, b' ' | b'(' | b')'))
        || has(b".sync-conflict-")
        || has(b"_conflict-")
        || name.ends_with(b".Conflict")
        || is_side_of_merge(name)
}

/// Whether a name is one that `git mergetool` gives to the sides of a conflict: `_LOCAL_` and a number at the end.
fn is_side_of_merge(name: &[u8]) -> bool {
    let digits = name.iter().rev().take_while(|octet| octet.is_ascii_digit()).count();
    let stem = name.get(..name.len() - digits).unwrap_or_default();
    let sides = [&b"_BACKUP_"[..], b"_BASE_", b"_LOCAL_", b"_REMOTE_"];
    digits > 0 && sides.into_iter().any(|side| stem.ends_with(side))
}

/// A directory without links, as far as there is one.
fn without_links(directory: &Path) -> PathBuf {
    fs::canonicalize(directory).unwrap_or_else(|_| directory.to_path_buf())
}

/// A directory without links, and what is in it, with room for so many entries.
fn listing(directory: &Path, room: usize) -> io::Result<(PathBuf, HashMap<OsString, FileType>)> {
    let real = fs::canonicalize(directory)?;
    let mut kinds = HashMap::with_capacity(room);
    for entry in fs::read_dir(&real)?.take(MAX_ENTRIES) {
        let entry = entry?;
        kinds.insert(entry.file_name(), entry.file_type()?);
    }
    Ok((real, kinds))
}

/// Looks at the file of a zone that a notification was about. `None`: it is no regular file, so that the whole source must be
/// looked at.
pub(in crate::publish) fn find_again(found: &Found) -> Option<Found> {
    let status = fs::symlink_metadata(&found.path).ok()?;
    status.is_file().then(|| Found { fault: None, ..found.clone() })
}

pub(in crate::publish) fn same_file(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

fn kind(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_block_device() => "a block device",
        kind if kind.is_char_device() => "a character device",
        _ => "no regular file",
    }
}
