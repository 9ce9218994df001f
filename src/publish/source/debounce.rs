//! Makes one reload of a burst of changes. Pure: `now` is an argument.

use std::time::{Duration, Instant};

/// A burst is over when nothing was heard for this long: longer than the gaps of a `git checkout` or an `rsync`,
/// shorter than anybody notices.
pub(in crate::publish) const QUIET: Duration = Duration::from_millis(50);
/// A burst without end is read this late at the latest.
pub(in crate::publish) const LATEST: Duration = Duration::from_secs(1);

/// When to look again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::publish) struct Debounce {
    first: Option<Instant>,
    due: Option<Instant>,
}

impl Debounce {
    /// Something changed: look when it is quiet.
    pub(in crate::publish) fn changed(&mut self, now: Instant) {
        let latest = *self.first.get_or_insert(now) + LATEST;
        self.due = Some((now + QUIET).min(latest));
    }

    /// Something is changing and the end will be heard: look at the latest, sooner only if something else comes.
    pub(in crate::publish) fn changing(&mut self, now: Instant) {
        let latest = *self.first.get_or_insert(now) + LATEST;
        self.due.get_or_insert(latest);
    }

    /// When to look; `None` while there is no reason to.
    pub(in crate::publish) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// It was looked.
    pub(in crate::publish) fn done(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_one_look_and_an_endless_one_is_looked_at_in_time() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut debounce = Debounce::default();
        assert_eq!(debounce.due(), None);
        debounce.changed(at(0));
        assert_eq!(debounce.due(), Some(at(50)));
        debounce.changed(at(40));
        assert_eq!(debounce.due(), Some(at(90)));
        debounce.changing(at(50));
        assert_eq!(debounce.due(), Some(at(90)));
        debounce.changed(at(980));
        assert_eq!(debounce.due(), Some(at(1000)));
        debounce.done();
        assert_eq!(debounce.due(), None);
        debounce.changing(at(2000));
        assert_eq!(debounce.due(), Some(at(3000)));
        debounce.changing(at(2500));
        assert_eq!(debounce.due(), Some(at(3000)));
        debounce.changed(at(2600));
        assert_eq!(debounce.due(), Some(at(2650)));
    }
}
