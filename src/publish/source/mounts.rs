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

use crate::publish::source::links::follow;

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
        if self.points.is_empty() {
            return None;
        }
        let mut found = None;
        follow(path, |directory, name| {
            found = Some(directory.join(name)).filter(|at| self.has(at));
            if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found
    }
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
}
