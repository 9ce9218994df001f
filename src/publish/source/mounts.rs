//! Which paths lead to another file system: what hangs there must not keep the zones beside it.
//!
//! The mount points of this process flow in (`/proc/self/mountinfo`, proc(5)), a path and the mount point on its way flow out. Asks nothing
//! of the other file system, which may not answer. Where there is no such file, no path leads elsewhere.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::publish::source::SourceKey;
use crate::publish::source::links::follow;
use crate::telemetry::locked;

/// How long the mount points that were read are taken for those of now. A file system that is mounted meanwhile, and hangs at once, holds
/// up the zones beside it until their source is looked at again.
const FRESH: Duration = Duration::from_secs(1);

/// The mount points beside and below a directory; those that it is in itself are left out.
#[derive(Debug, Default)]
pub(in crate::publish) struct Mounts {
    points: BTreeSet<PathBuf>,
}

impl Mounts {
    /// The mount points as they are now, but for those that hold this directory, which has no links.
    pub(in crate::publish) fn beside(directory: &Path) -> Self {
        let text = fs::read("/proc/self/mountinfo").unwrap_or_default();
        Self::read(&text, directory)
    }

    /// All mount points as they are now.
    fn all() -> Self {
        Self::beside(Path::new("/"))
    }

    fn read(text: &[u8], directory: &Path) -> Self {
        let points = text.split(|octet| *octet == b'\n').filter_map(|line| {
            let field = line.split(|octet| *octet == b' ').nth(4)?;
            Some(PathBuf::from(OsString::from_vec(unescaped(field))))
        });
        Self { points: points.filter(|point| !directory.starts_with(point)).collect() }
    }

    /// Whether this path, which has no links, is a mount point.
    pub(in crate::publish) fn has(&self, path: &Path) -> bool {
        self.points.contains(path)
    }

    /// The first of the mount points on the way along a path, links and their targets included. `path` is absolute.
    pub(in crate::publish) fn on_the_way(&self, path: &Path) -> Option<PathBuf> {
        self.first_beyond(&BTreeSet::new(), path)
    }

    /// The first of the mount points on the way along a path that is none of these.
    fn first_beyond(&self, known: &BTreeSet<PathBuf>, path: &Path) -> Option<PathBuf> {
        if self.points.is_empty() {
            return None;
        }
        let mut found = None;
        follow(path, |directory, name| {
            found = Some(directory.join(name)).filter(|at| self.has(at) && !known.contains(at));
            if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found
    }

    /// All mount points on the way along a path, links and their targets included. Asks each of these file systems for links.
    fn passed(&self, path: &Path) -> BTreeSet<PathBuf> {
        let mut passed = BTreeSet::new();
        if !self.points.is_empty() {
            follow(path, |directory, name| {
                passed.extend(Some(directory.join(name)).filter(|at| self.has(at)));
                ControlFlow::Continue(())
            });
        }
        passed
    }
}

/// The mount points of this process, as they are now or were a moment ago.
#[derive(Debug, Default)]
pub(in crate::publish) struct MountTable(Mutex<Option<(Instant, Arc<Mounts>)>>);

impl MountTable {
    fn mounts(&self) -> Arc<Mounts> {
        let mut known = locked(&self.0);
        if let Some((_, mounts)) = known.as_ref().filter(|(read, _)| read.elapsed() < FRESH) {
            return mounts.clone();
        }
        let mounts = Arc::new(Mounts::all());
        *known = Some((Instant::now(), mounts.clone()));
        mounts
    }

    /// Which of the files that a zone includes are on other file systems than the zone file at `path`.
    pub(in crate::publish) fn beside_file(&self, path: &Path) -> FileMounts {
        let mounts = self.mounts();
        FileMounts { own: mounts.passed(path), mounts, met: BTreeSet::new() }
    }
}

/// The mount points on the way to a zone file, and those on the way to files that it includes.
#[derive(Debug)]
pub(in crate::publish) struct FileMounts {
    mounts: Arc<Mounts>,
    own: BTreeSet<PathBuf>,
    /// The other ones that lead to files which are included.
    met: BTreeSet<PathBuf>,
}

impl FileMounts {
    /// Notes a file that is included; the other file system that it is on, of which nothing is asked.
    pub(in crate::publish) fn meet(&mut self, included: &Path) -> Option<PathBuf> {
        let mount = self.mounts.first_beyond(&self.own, included)?;
        self.met.insert(mount.clone());
        Some(mount)
    }

    /// Whether a thread of this group may wait for each of the file systems that were met.
    pub(in crate::publish) fn are_in(&self, group: &SourceKey) -> bool {
        self.met.iter().all(|mount| group.includes_from(mount))
    }

    /// The group of zones that include files on these file systems; `None` if there is no other than that of the zone file.
    pub(in crate::publish) fn group(&self) -> Option<SourceKey> {
        group_of(&self.met)
    }

    /// The same, on these file systems and on those of another group.
    pub(in crate::publish) fn group_with(&self, other: &SourceKey) -> Option<SourceKey> {
        let mut points = self.met.clone();
        if let SourceKey::Included(_, others) = other {
            points.extend(others.iter().cloned());
        }
        group_of(&points)
    }
}

fn group_of(points: &BTreeSet<PathBuf>) -> Option<SourceKey> {
    let mut others = points.iter();
    let mut name = others.next()?.clone().into_os_string();
    for other in others {
        name.push(" or ");
        name.push(other);
    }
    Some(SourceKey::Included(PathBuf::from(name).into(), points.iter().cloned().collect()))
}

/// A field of the file: space, tab, line feed and backslash stand there as `\` and three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let escaped = match (first, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            _ => None,
        };
        octets.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_to_another_mount_leads_there_and_one_within_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(directory.path()).unwrap();
        let text = format!(
            "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:9 / {base}/far\\040away rw shared:1 - fuse x rw\n3 1 0:8 / {base} rw - tmpfs x rw\n",
            base = base.display()
        );
        let mounts = Mounts::read(text.as_bytes(), &base.join("zones"));
        fs::create_dir(base.join("zones")).unwrap();
        let link = |target: &str, name: &str| symlink(target, base.join("zones").join(name)).unwrap();
        link("../far away/a.zone", "a.zone");
        link("../hop/b.zone", "b.zone");
        link("../near/c.zone", "c.zone");
        link("e.zone", "d.zone");
        link("d.zone", "e.zone");
        symlink("far away", base.join("hop")).unwrap();
        let at = |name: &str| mounts.on_the_way(&base.join("zones").join(name));
        let far = Some(base.join("far away"));
        assert_eq!([at("a.zone"), at("b.zone")], [far.clone(), far]);
        assert_eq!([at("c.zone"), at("d.zone"), at("f.zone")], [None, None, None]);
        assert!(mounts.has(&base.join("far away")) && !mounts.has(&base));
    }

    #[test]
    fn a_file_that_is_included_is_elsewhere_unless_the_zone_file_is_there_too() {
        let directory = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(directory.path()).unwrap();
        for folder in ["zones", "far", "near"] {
            fs::create_dir(base.join(folder)).unwrap();
        }
        symlink("../far/a", base.join("zones/link")).unwrap();
        let line = |point: &str| format!("1 0 0:9 / {}/{point} rw - fuse x rw\n", base.display());
        let text = [line("far"), line("near")].concat();
        let mounts = Arc::new(Mounts::read(text.as_bytes(), Path::new("/")));
        let met = |zone: &str, included: &[&str]| {
            let own = mounts.passed(&base.join(zone));
            let mut files = FileMounts { mounts: mounts.clone(), own, met: BTreeSet::new() };
            let of = |file: &&str| files.meet(&base.join(file));
            let met: Vec<_> = included.iter().filter_map(of).collect();
            (met, files.group().and_then(|key| key.path().map(Path::to_path_buf)))
        };
        let far = base.join("far");
        let one = Some(far.clone());
        assert_eq!(met("zones/z", &["zones/b", "far/b"]), (vec![far.clone()], one.clone()));
        assert_eq!(met("zones/z", &["zones/link"]), (vec![far.clone()], one));
        assert_eq!(met("zones/z", &["zones/b"]), (vec![], None));
        assert_eq!(met("far/z", &["far/b", "zones/b", "zones/link"]), (vec![], None));
        let both = PathBuf::from(format!("{} or {}", far.display(), base.join("near").display()));
        assert_eq!(met("zones/z", &["near/b", "far/b"]), (vec![base.join("near"), far], Some(both)));
    }
}
