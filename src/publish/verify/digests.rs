//! Whose digest is to be made next: [`Zone::make_digest`](crate::zone::Zone::make_digest), behind the serving.
//!
//! Names of changed zones flow in, the name of the next one flows out. Reads no clock. A zone whose digest takes long waits in
//! proportion before it is made again, so that a large zone that changes each second does not keep a core busy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::telemetry::{ContentSums, ContentTable};
use crate::wire::Name;
use crate::zone::Zone;

/// A digest that took less may be made again at once.
const QUICK: Duration = Duration::from_millis(20);
/// The others at most for one part in so many of the time.
const SHARE: u32 = 20;

/// The zones whose digest is not that of what is served, and the sums over those of the others.
#[derive(Debug, Default)]
pub(super) struct Digests {
    due: BTreeSet<Name>,
    contents: ContentTable,
    /// Zones whose digest took long, and when it may be made again.
    rests: BTreeMap<Name, Instant>,
}

impl Digests {
    /// The sums go there.
    pub(super) fn new(sums: Arc<ContentSums>) -> Self {
        Self { contents: ContentTable::new(sums), ..Self::default() }
    }

    /// Every zone may be another one, or gone: each that is served is told again.
    pub(super) fn begin_again(&mut self) {
        self.due.clear();
        self.contents.clear();
    }

    /// Another version of a zone is served, or none.
    pub(super) fn changed(&mut self, name: &Name, served: Option<&Zone>) {
        self.note(name, served);
        if served.is_some_and(|zone| zone.content_digest().is_none()) {
            self.due.insert(name.clone());
        } else {
            self.due.remove(name);
        }
        if served.is_none() {
            self.rests.remove(name);
        }
    }

    /// Takes what is known of the content of a zone into the sums.
    fn note(&mut self, name: &Name, served: Option<&Zone>) {
        let content = served.and_then(|zone| Some((zone.serial().0, zone.content_digest()?.as_slice())));
        self.contents.set(&name.to_string(), content);
    }

    /// Takes the next zone.
    pub(super) fn next(&mut self, now: Instant) -> Option<Name> {
        let rests = |zone: &Name| self.rests.get(zone).is_some_and(|until| *until > now);
        let zone = self.due.iter().find(|zone| !rests(zone))?.clone();
        self.due.take(&zone)
    }

    /// The digest of a zone was made, and took so long.
    pub(super) fn made(&mut self, name: Name, zone: &Zone, took: Duration, now: Instant) {
        self.note(&name, Some(zone));
        match took > QUICK {
            true => drop(self.rests.insert(name, now + took * SHARE)),
            false => drop(self.rests.remove(&name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::serial_digest;
    use crate::wire::RecordType;
    use crate::zone::{Place, Record, ZoneBuilder};

    fn zone(name: &str) -> (Name, Zone) {
        let origin: Name = name.parse().unwrap();
        let mut builder = ZoneBuilder::new(origin.clone());
        let mut push = |record_type, rdata: &[u8]| {
            let record = Record { owner: origin.clone(), record_type, ttl: 60, rdata: rdata.into() };
            builder.push(record, Place::default());
        };
        // MNAME and RNAME are the root; then come the serial and four times.
        push(RecordType::SOA, &[&[0, 0, 0, 0, 0, 1][..], &[0; 16]].concat());
        push(RecordType::NS, b"\x02ns\0");
        (origin, builder.finish().unwrap())
    }

    #[test]
    fn a_digest_that_takes_long_is_made_seldom() {
        let (mut digests, now) = (Digests::default(), Instant::now());
        let [(quick, its_zone), (slow, its)] = ["quick.", "slow."].map(zone);
        digests.changed(&quick, Some(&its_zone));
        digests.changed(&slow, Some(&its));
        assert_eq!(digests.next(now), Some(quick.clone()));
        assert_eq!((digests.next(now), digests.next(now)), (Some(slow.clone()), None));
        digests.made(quick.clone(), &its_zone, Duration::from_millis(1), now);
        digests.made(slow.clone(), &its, Duration::from_secs(2), now);
        digests.changed(&slow, Some(&its));
        digests.changed(&quick, Some(&its_zone));
        assert_eq!((digests.next(now), digests.next(now)), (Some(quick), None));
        assert_eq!(digests.next(now + Duration::from_secs(41)), Some(slow.clone()));
        digests.changed(&slow, Some(&its));
        digests.changed(&slow, None);
        assert_eq!(digests.next(now + Duration::from_secs(99)), None);
    }

    #[test]
    fn the_sums_hold_what_is_served_and_has_a_digest() {
        let sums = Arc::new(ContentSums::default());
        let mut digests = Digests::new(sums.clone());
        let (name, served) = zone("example.");
        let counted = || sums.serials().into_iter().fold(0, u64::wrapping_add);
        let whole = serial_digest("example.", Some(1));
        digests.changed(&name, Some(&served));
        assert_eq!(counted(), 0, "its digest is not made");
        served.make_digest(|| true).unwrap();
        digests.made(name.clone(), &served, Duration::ZERO, Instant::now());
        assert_eq!(counted(), whole);
        digests.changed(&name, Some(&zone("example.").1));
        assert_eq!(counted(), 0, "another version");
        digests.changed(&name, Some(&served));
        assert_eq!(
            (counted(), digests.next(Instant::now())),
            (whole, None),
            "a version whose digest is there"
        );
        digests.begin_again();
        assert_eq!(counted(), 0);
        digests.changed(&name, Some(&served));
        digests.changed(&name, None);
        assert_eq!((counted(), sums.contents().into_iter().fold(0, u64::wrapping_add)), (0, 0));
    }
}
