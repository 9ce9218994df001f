//! What is known of a zone file that no source has and that should be there. Pure.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::publish::report::FilePresence;

/// How long a zone file must be gone before a catalog that lists the zone has the zone: longer than a deploy or a mount that comes back
/// takes, and long enough for an operator to see the alarm of a deploy that failed half-way.
pub const FILE_GONE: Duration = Duration::from_secs(600);

/// See the module.
#[derive(Clone, Debug)]
pub(in crate::publish) struct FileAway {
    /// The configured source that had it.
    pub(in crate::publish) root: Arc<Path>,
    /// Where it was.
    pub(in crate::publish) path: Arc<Path>,
    /// Since when it is gone; where nothing is known of it, since it was last there.
    since: Instant,
    /// Whether nothing is known of it: its directory cannot be read, or has gone itself.
    is_unknown: bool,
    /// Whether it left together with the file system that it is on: what is in the empty directory of a mount says nothing.
    pub(in crate::publish) is_unmounted: bool,
}

impl FileAway {
    /// It is gone from now on, as far as is known.
    pub(in crate::publish) fn new(root: Arc<Path>, path: Arc<Path>, now: Instant) -> Self {
        Self { root, path, since: now, is_unknown: false, is_unmounted: false }
    }

    /// Takes whether its directory was looked through. The time for which it is gone begins when it was.
    pub(in crate::publish) fn looked(&mut self, is_known: bool, now: Instant) {
        if is_known && self.is_unknown {
            self.since = now;
        }
        self.is_unknown = !is_known;
    }

    /// Whether it is gone for so long that it is not missed.
    pub(in crate::publish) fn is_long_gone(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= FILE_GONE
    }

    /// What is said of it.
    pub(in crate::publish) fn presence(&self) -> FilePresence {
        match self.is_unknown || self.is_unmounted {
            true => FilePresence::Unknown,
            false => FilePresence::Gone(self.since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_which_nothing_was_known_is_gone_from_the_look_on_that_tells_it() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut away = FileAway::new(Path::new("/z").into(), Path::new("/z/a.zone").into(), start);
        assert_eq!(away.presence(), FilePresence::Gone(start));
        away.looked(true, at(5));
        assert_eq!(away.presence(), FilePresence::Gone(start));
        away.looked(false, at(10));
        assert_eq!(away.presence(), FilePresence::Unknown);
        away.looked(true, at(700));
        assert_eq!((away.presence(), away.is_long_gone(at(1299))), (FilePresence::Gone(at(700)), false));
        assert!(away.is_long_gone(at(1300)));
        away.is_unmounted = true;
        assert_eq!(away.presence(), FilePresence::Unknown);
    }
}
