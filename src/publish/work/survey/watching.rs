//! What is watched, and what was heard of it and not looked at yet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::publish::source::SourceKey;
use crate::publish::source::watch::Watch;
use crate::wire::Name;

/// When a file that somebody was writing is tried again, if its end was not heard.
const BUSY_RETRY: Duration = Duration::from_millis(500);

/// What is watched, and what was heard of it.
pub(in crate::publish) struct Watching {
    pub(in crate::publish) watch: Watch,
    pub(in crate::publish) heard: HeardChanges,
    /// The files that zones include, as they are watched: those of each group of zones.
    pub(in crate::publish) included: BTreeMap<SourceKey, Vec<PathBuf>>,
    /// Whether a zone may include other files than before.
    pub(in crate::publish) has_new_includes: bool,
    /// Zones whose file waits for its writer, and when they are tried again.
    postponed: BTreeSet<Name>,
    retry_at: Instant,
}

impl Watching {
    /// Nothing was heard yet.
    pub(in crate::publish) fn new(watch: Watch, now: Instant) -> Self {
        Self {
            watch,
            heard: HeardChanges::default(),
            included: BTreeMap::new(),
            has_new_includes: false,
            postponed: BTreeSet::new(),
            retry_at: now,
        }
    }

    /// Notes a zone whose file waits for its writer.
    pub(in crate::publish) fn postpone(&mut self, zone: &Name) {
        if self.postponed.is_empty() {
            self.retry_at = Instant::now() + BUSY_RETRY;
        }
        self.postponed.insert(zone.clone());
    }

    /// The zones whose file waited for its writer.
    pub(in crate::publish) fn take_postponed(&mut self) -> BTreeSet<Name> {
        std::mem::take(&mut self.postponed)
    }

    /// When zones are to be tried again, if some wait.
    pub(in crate::publish) fn retry_at(&self) -> Option<Instant> {
        (!self.postponed.is_empty()).then_some(self.retry_at)
    }
}

/// What was heard and is looked at when the burst is over.
#[derive(Debug, Default)]
pub(in crate::publish) struct HeardChanges {
    /// Everything is to be looked at.
    pub(in crate::publish) everything: bool,
    /// Because the system lost notifications.
    pub(in crate::publish) overflowed: bool,
    /// Files that were being written.
    pub(in crate::publish) files: BTreeSet<PathBuf>,
    /// Whether something came that the publisher's loop does not know of: soon to be looked at, or later.
    pub(in crate::publish) soon: bool,
    pub(in crate::publish) later: bool,
}

impl HeardChanges {
    /// Everything is to be looked at soon.
    pub(in crate::publish) fn look_at_all(&mut self) {
        (self.everything, self.soon) = (true, true);
    }

    /// Whether something is to be looked at soon, or later, since it was last asked.
    pub(in crate::publish) fn take_news(&mut self) -> (bool, bool) {
        (std::mem::take(&mut self.soon), std::mem::take(&mut self.later))
    }
}
