//! What is known of zones that are not there, for as long as it may be of use: a zone that leaves the configuration for one reload comes
//! back to the version that was released, and a halted one is halted still.
//!
//! Pure: no I/O; the state directory has the same, and forgets it with the data of the zone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::publish::KEPT_ASIDE;
use crate::wire::Name;

use super::known::KnownRelease;

/// For how long: as long as the publisher keeps the data of a zone that left the configuration.
const KEPT: Duration = Duration::from_secs(KEPT_ASIDE);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct AwayReleases {
    zones: BTreeMap<Name, (KnownRelease, Instant)>,
    /// The same by the time when each left: the old ones go, so that there are never more than left in that time.
    by_time: BTreeSet<(Instant, Name)>,
}

impl AwayReleases {
    pub(super) fn is_empty(&self) -> bool {
        self.zones.is_empty()
    }

    /// A zone is there no more.
    pub(super) fn add(&mut self, name: Name, known: KnownRelease, now: Instant) {
        self.drop_old(now);
        if let Some((_, since)) = self.zones.insert(name.clone(), (known, now)) {
            self.by_time.remove(&(since, name.clone()));
        }
        self.by_time.insert((now, name));
    }

    /// It is there again.
    pub(super) fn take(&mut self, name: &Name, now: Instant) -> Option<KnownRelease> {
        self.drop_old(now);
        let (known, since) = self.zones.remove(name)?;
        self.by_time.remove(&(since, name.clone()));
        Some(known)
    }

    fn drop_old(&mut self, now: Instant) {
        while let Some((since, _)) = self.by_time.first()
            && now.saturating_duration_since(*since) >= KEPT
            && let Some((_, name)) = self.by_time.pop_first()
        {
            self.zones.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::KeptRelease;
    use crate::wire::Serial;

    #[test]
    fn a_zone_comes_back_to_what_was_released_within_its_time() {
        let (mut away, now) = (AwayReleases::default(), Instant::now());
        let name = |text: &str| text.parse::<Name>().unwrap();
        let kept = |serial| KnownRelease { kept: KeptRelease::running(Serial(serial)), number: 1 };
        away.add(name("one."), kept(1), now);
        away.add(name("two."), kept(2), now);
        let later = now + Duration::from_secs(1);
        away.add(name("two."), kept(3), later);
        assert_eq!(away.take(&name("One."), now + KEPT - Duration::from_secs(1)), Some(kept(1)));
        assert_eq!(away.take(&name("one."), now), None);
        away.add(name("one."), kept(1), now);
        // The time of the second began anew when it left again.
        assert_eq!(away.take(&name("one."), now + KEPT), None);
        assert_eq!(away.take(&name("two."), now + KEPT), Some(kept(3)));
        assert!(away.is_empty() && away.by_time.is_empty());
    }
}
