//! The versions that the publisher refused, against what is served.

use std::time::SystemTime;

use crate::wire::Serial;

/// The serials of these versions: none is transferred again until something else is served, or an operator says so.
#[derive(Clone, Debug, Default)]
pub(super) struct RefusedVersions {
    /// The last one that was refused stands last.
    serials: Vec<Serial>,
    since: Option<SystemTime>,
}

impl RefusedVersions {
    /// Another one. At most as many are known as there are primaries, because each has one version.
    pub(super) fn add(&mut self, serial: Serial, primaries: usize, now: SystemTime) {
        self.since.get_or_insert(now);
        self.serials.retain(|known| *known != serial);
        self.serials.push(serial);
        let surplus = self.serials.len().saturating_sub(primaries.max(1));
        self.serials.drain(..surplus);
    }

    pub(super) fn contains(&self, serial: Serial) -> bool {
        self.serials.contains(&serial)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.serials.is_empty()
    }

    /// The one that was refused last of those that primaries have.
    pub(super) fn last_of(&self, told: &[Option<Serial>]) -> Option<Serial> {
        self.serials.iter().rev().find(|serial| told.contains(&Some(**serial))).copied()
    }

    /// When the first of them was refused.
    pub(super) fn since(&self) -> Option<SystemTime> {
        self.since
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
