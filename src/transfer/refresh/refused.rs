//! The versions that the publisher refused, against what is served.

use std::time::SystemTime;

use crate::wire::Serial;

use super::lineage::BeforeTransfer;

/// How a version came that was refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct RefusedTransfer {
    /// The index of the primary that gave it.
    pub(super) primary: usize,
    /// Whether it came whole.
    pub(super) whole: bool,
    /// What was so when the transfer began.
    pub(super) before: BeforeTransfer,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
struct RefusedVersion {
    serial: Serial,
    /// `None` where several primaries gave a version of that serial, so that it is not known here which of them can be accepted, and where it
    /// is no zone.
    by: Option<RefusedTransfer>,
}

/// These versions: none is transferred again until something else is served, or an operator says so.
#[derive(Clone, Debug, Default)]
pub(super) struct RefusedVersions {
    /// The last one that was refused stands last.
    versions: Vec<RefusedVersion>,
    since: Option<SystemTime>,
}

impl RefusedVersions {
    /// Another one. At most as many are known as there are primaries, because each has one version.
    pub(super) fn add(
        &mut self,
        (serial, by): (Serial, Option<RefusedTransfer>),
        primaries: usize,
        now: SystemTime,
    ) {
        self.since.get_or_insert(now);
        let known = self.versions.iter().position(|known| known.serial == serial);
        let known = known.map(|known| self.versions.remove(known));
        let of = |by: Option<RefusedTransfer>| by.map(|by| by.primary);
        let is_only = known.is_none_or(|known| of(known.by) == of(by));
        self.versions.push(RefusedVersion { serial, by: by.filter(|_| is_only) });
        let surplus = self.versions.len().saturating_sub(primaries.max(1));
        self.versions.drain(..surplus);
    }

    /// How the version with this serial came, if one primary alone gave one.
    pub(super) fn given(&self, serial: Serial) -> Option<RefusedTransfer> {
        self.versions.iter().find(|known| known.serial == serial)?.by
    }

    pub(super) fn contains(&self, serial: Serial) -> bool {
        self.versions.iter().any(|known| known.serial == serial)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// The one that was refused last of those that primaries have.
    pub(super) fn last_of(&self, told: &[Option<Serial>]) -> Option<Serial> {
        let serials = self.versions.iter().rev().map(|known| known.serial);
        serials.into_iter().find(|serial| told.contains(&Some(*serial)))
    }

    /// When the first of them was refused.
    pub(super) fn since(&self) -> Option<SystemTime> {
        self.since
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
