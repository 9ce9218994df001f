//! What is watched, and what was heard of it and not looked at yet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

use crate::publish::source::SourceKey;
use crate::publish::source::watch::Watch;
use crate::wire::Name;

/// What is watched, and what was heard of it.
pub(in crate::publish) struct Watching {
    pub(in crate::publish) watch: Watch,
    pub(in crate::publish) heard: HeardChanges,
    /// The files that zones include, as they are watched: those of each group of zones.
    pub(in crate::publish) included: BTreeMap<SourceKey, Vec<PathBuf>>,
    /// Whether a zone may include other files than before.
    pub(in crate::publish) has_new_includes: bool,
    /// Zones whose file waits for its writer, and when they are tried again.
    pub(in crate::publish) postponed: BTreeSet<Name>,
    pub(in crate::publish) retry_postponed: Instant,
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
            retry_postponed: now,
        }
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
