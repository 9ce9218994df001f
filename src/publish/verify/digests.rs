//! Whose digest is to be made next: [`Zone::make_digest`](crate::zone::Zone::make_digest), behind the serving.
//!
//! Names of changed zones flow in, the name of the next one flows out. Reads no clock. A zone whose digest takes long waits in
//! proportion before it is made again, so that a large zone that changes each second does not keep a core busy.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::wire::Name;

/// A digest that took less may be made again at once.
const QUICK: Duration = Duration::from_millis(20);
/// The others at most for one part in so many of the time.
const SHARE: u32 = 20;

/// The zones whose digest is not that of what is served.
#[derive(Debug, Default)]
pub(super) struct Digests {
    due: BTreeSet<Name>,
    /// Zones whose digest took long, and when it may be made again.
    rests: BTreeMap<Name, Instant>,
}

impl Digests {
    /// Another version of a zone is served, or none.
    pub(super) fn changed(&mut self, zone: &Name, is_served: bool) {
        if is_served {
            self.due.insert(zone.clone());
        } else {
            self.due.remove(zone);
            self.rests.remove(zone);
        }
    }

    /// Takes the next zone.
    pub(super) fn next(&mut self, now: Instant) -> Option<Name> {
        let rests = |zone: &Name| self.rests.get(zone).is_some_and(|until| *until > now);
        let zone = self.due.iter().find(|zone| !rests(zone))?.clone();
        self.due.take(&zone)
    }

    /// The digest of a zone was made, and took so long.
    pub(super) fn made(&mut self, zone: Name, took: Duration, now: Instant) {
        match took > QUICK {
            true => drop(self.rests.insert(zone, now + took * SHARE)),
            false => drop(self.rests.remove(&zone)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_that_takes_long_is_made_seldom() {
        let (mut digests, now) = (Digests::default(), Instant::now());
        let [quick, slow]: [Name; 2] = ["quick.", "slow."].map(|it| it.parse().unwrap());
        digests.changed(&quick, true);
        digests.changed(&slow, true);
        assert_eq!(digests.next(now), Some(quick.clone()));
        assert_eq!((digests.next(now), digests.next(now)), (Some(slow.clone()), None));
        digests.made(quick.clone(), Duration::from_millis(1), now);
        digests.made(slow.clone(), Duration::from_secs(2), now);
        digests.changed(&slow, true);
        digests.changed(&quick, true);
        assert_eq!((digests.next(now), digests.next(now)), (Some(quick), None));
        assert_eq!(digests.next(now + Duration::from_secs(41)), Some(slow.clone()));
        digests.changed(&slow, true);
        digests.changed(&slow, false);
        assert_eq!(digests.next(now + Duration::from_secs(99)), None);
    }
}
