//! What NOTIFYs tell of a newer version that has not come.

use std::time::{Duration, Instant};

use crate::wire::Serial;

use super::Now;

/// See the module. It counts until that version is served, or was looked for once more: a NOTIFY may be false.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NewerHint {
    /// Whether a newer version was told of.
    is_told: bool,
    /// The latest serial that was told.
    serial: Option<Serial>,
    /// Whether a NOTIFY without a serial came while something was under way, which may bring an older version.
    is_later: bool,
    /// When the version is looked for once more.
    look_at: Option<Instant>,
}

impl NewerHint {
    /// A NOTIFY came; `is_idle`: while nothing was under way.
    pub(super) fn note(&mut self, hint: Option<Serial>, served: Option<Serial>, is_idle: bool) {
        match hint {
            None => (self.is_told, self.is_later) = (true, self.is_later || !is_idle),
            Some(hint) if served.is_none_or(|served| hint.is_after(served)) => {
                self.is_told = true;
                self.serial = self.serial.filter(|told| told.is_after(hint)).or(Some(hint));
            }
            // It takes back nothing that another one told.
            Some(_) => {}
        }
    }

    /// A transfer has brought the version with this serial, which may be older than the one that was told of.
    pub(super) fn came(&mut self, serial: Serial) {
        self.serial = self.serial.filter(|told| told.is_after(serial));
        self.is_told = std::mem::take(&mut self.is_later) || self.serial.is_some();
        self.look_at = self.look_at.filter(|_| self.is_told);
    }

    /// When the version is looked for once more, if it has not come: so long after it was missed first. A cache before the primary, or one that
    /// loads, may not know yet what its NOTIFY told.
    pub(super) fn look_again(&mut self, now: Now, after: Duration) -> Option<Instant> {
        self.is_told.then(|| *self.look_at.get_or_insert(now.instant + after))
    }

    /// A round of the timer begins. It is the last that looks for the version, once the time for that has come.
    pub(super) fn look_by_timer(&mut self, now: Now) {
        if self.look_at.is_some_and(|at| at <= now.instant) {
            *self = Self::default();
        }
    }
}
