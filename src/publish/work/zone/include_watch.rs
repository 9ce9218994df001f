//! Which files a reading may include: those on the file systems for which its thread may wait.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::publish::source::SourceKey;
use crate::publish::source::mounts::{FileMounts, MountTable};
use crate::telemetry::locked;

/// What one reading includes.
pub(in crate::publish) struct IncludeWatch<'a> {
    mounts: &'a MountTable,
    /// The zone file.
    path: &'a Path,
    /// The zones that it is read with.
    group: &'a SourceKey,
    met: Mutex<Met>,
}

/// What was met so far.
#[derive(Default)]
struct Met {
    /// `None` while nothing was included.
    files: Option<FileMounts>,
    is_refused: bool,
}

impl<'a> IncludeWatch<'a> {
    /// A reading of this zone file.
    pub(in crate::publish) fn new(mounts: &'a MountTable, path: &'a Path, group: &'a SourceKey) -> Self {
        Self { mounts, path, group, met: Mutex::default() }
    }

    /// Whether this file may be opened.
    pub(in crate::publish) fn may_include(&self, included: &Path) -> bool {
        let mut met = locked(&self.met);
        let files = met.files.get_or_insert_with(|| self.mounts.beside_file(self.path));
        let may_include = files.meet(included).is_none_or(|mount| self.group.includes_from(&mount));
        met.is_refused |= !may_include;
        may_include
    }

    /// The group that the zone belongs to, as far as its files were read, and whether one of them was refused. Then it is the group in which
    /// they are read again, which may wait for all that this one may: what the zone included before is asked there, too, and a zone
    /// whose files move from one file system to another is not given back again and again.
    pub(in crate::publish) fn end(self) -> (Option<SourceKey>, bool) {
        let met = self.met.into_inner().unwrap_or_else(PoisonError::into_inner);
        let group = met.files.and_then(|files| match met.is_refused {
            true => files.group_with(self.group),
            false => files.group(),
        });
        (group, met.is_refused)
    }
}
