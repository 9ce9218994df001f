//! Looking ahead: asks the cache for what answers of a batch will need, before the first of them is made.
//!
//! In a zone that no cache holds, each answer waits twice for memory: for a line of the index, then for the node. A batch
//! waits for all of its lines at once, and then for all of its nodes. Changes no answer; only zones whose index has more
//! than one page are looked into.

use crate::sys::prefetch::{LINE, read, read_slice};
use crate::wire::LookupName;

use crate::zone::Lookup;
use crate::zone::Zone;
use crate::zone::store::hash::NameHash;

/// What was asked for; to be followed once the other queries of the batch have asked.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'s> {
    zone: &'s Zone,
    /// That of the name one label below the apex, where cuts mostly are.
    first: NameHash,
    /// That of the whole name.
    whole: NameHash,
}

impl Zone {
    /// Asks for the lines of the index in which this name, which must be at or below the apex, is found if it exists.
    /// `None` if nothing is gained, because the zone is small or the name the apex.
    pub fn ahead(&self, name: &LookupName) -> Option<Ahead<'_>> {
        if !self.index.is_paged() {
            return None;
        }
        let mut labels = name.labels_upwards(self.apex_labels).map(|(label, _)| label);
        let first = self.apex_hash.below_lower(labels.next()?);
        let whole = labels.fold(first, |hash, label| hash.below_lower(label));
        let ahead = Ahead { zone: self, first, whole };
        ahead.lines().for_each(read);
        Some(ahead)
    }
}

impl<'s> Ahead<'s> {
    /// Asks for the nodes that those lines lead to: their heads and what stands next.
    pub fn follow(&self) {
        for tag in self.different_tags() {
            if let Some(id) = self.zone.index.find(tag, Some) {
                let octets = self.zone.store.after(id);
                read_slice(octets, 0);
                read_slice(octets, LINE);
            }
        }
    }

    /// Looks up the name that it was made for ([`Zone::lookup`]).
    pub fn lookup(&self, name: &LookupName) -> Lookup<'s> {
        self.zone.lookup_below(name, Some(self.first))
    }

    fn lines(&self) -> impl Iterator<Item = &[u64; 8]> {
        self.different_tags().filter_map(|tag| self.zone.index.line(tag))
    }

    fn different_tags(&self) -> impl Iterator<Item = u32> {
        let other = (self.first != self.whole).then_some(self.first);
        std::iter::once(self.whole).chain(other).map(NameHash::tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Name, RecordType};
    use crate::zone::{Place, RecordBatch, ZoneBuilder};

    fn zone(origin: &str, names: u32) -> Zone {
        let origin: Name = origin.parse().unwrap();
        let mut batch = RecordBatch::new(&origin);
        batch.push(origin.as_wire(), RecordType::SOA, 60, &[0; 22], Place::default());
        batch.push(origin.as_wire(), RecordType::NS, 60, b"\0", Place::default());
        for number in 0..names {
            let owner: Name = format!("n{number}.{origin}").parse().unwrap();
            batch.push(owner.as_wire(), RecordType::A, 60, &[0; 4], Place::default());
        }
        let mut builder = ZoneBuilder::new(origin);
        builder.add(batch);
        builder.finish().unwrap()
    }

    #[test]
    fn it_asks_for_what_the_lookup_will_find() {
        let (large, small) = (zone("large.", 5000), zone("small.", 10));
        let name = |text: &str| text.parse::<Name>().unwrap();
        let lookup = |text: &str| LookupName::from(&name(text));
        let ahead = large.ahead(&lookup("N4999.LARGE.")).unwrap();
        assert_eq!(ahead.first, ahead.whole);
        let found = ahead.zone.index.find(ahead.whole.tag(), |id| Some(ahead.zone.node(id).owner()));
        assert_eq!(found, Some(name("n4999.large.")));
        ahead.follow();
        assert!(matches!(ahead.lookup(&lookup("n4999.large.")), Lookup::Exact(_)));
        let below = large.ahead(&lookup("x.y.n7.large.")).unwrap();
        assert!(
            below.zone.index.find(below.first.tag(), |id| Some(below.zone.node(id).owner()))
                == Some(name("n7.large."))
        );
        assert!(matches!(below.lookup(&lookup("x.y.n7.large.")), Lookup::Missing(_)));
        assert!(small.ahead(&lookup("n1.small.")).is_none());
        assert!(large.ahead(&lookup("large.")).is_none());
    }
}
