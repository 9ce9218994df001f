//! Looking ahead: asks the cache for what answers of a batch will need, before the first of them is made.
//!
//! In a zone that no cache holds, each answer waits twice for memory: for a line of the index, then for the node. A batch
//! waits for all of its lines at once, and then for all of its nodes. Changes no answer; costs some 40 ns a query, so only
//! zones are looked into whose index has more than one page.

use crate::sys::prefetch::{LINE, read, read_slice};
use crate::wire::Name;

use super::hash::NameHash;
use super::{Snapshot, Zone};

/// What was asked for; to be followed once the other queries of the batch have asked.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'s> {
    zone: &'s Zone,
    /// The tags of the name one label below the apex, where cuts mostly are, and of the whole name.
    tags: [u32; 2],
}

impl Snapshot {
    /// Asks for the lines of the index in which QNAME, in wire form and any case, is found if it exists. `None` if nothing
    /// is gained: no zone holds the name, or a small one.
    pub fn ahead(&self, name: &[u8]) -> Option<Ahead<'_>> {
        if !self.has_large_zones() {
            return None;
        }
        let mut starts = [0_u8; Name::MAX_OCTETS / 2 + 1];
        let (mut labels, mut position) = (0, 0);
        while let Some(&length @ 1..=63) = name.get(position) {
            *starts.get_mut(labels)? = position as u8;
            labels += 1;
            position += 1 + usize::from(length);
        }
        let (mut hash, mut found, mut first) = (NameHash::root(), None, true);
        let mut tags = [0; 2];
        for start in starts.get(..labels)?.iter().rev() {
            let rest = name.get(usize::from(*start)..position + 1)?;
            let (length, label) = rest.split_first()?;
            hash = hash.below(label.get(..usize::from(*length))?);
            if let Some(zone) = self.zone_with(hash, rest) {
                (found, first) = (Some(zone), true);
            } else if std::mem::take(&mut first) {
                tags[0] = hash.tag();
            }
        }
        let zone = found.filter(|zone| zone.index.is_paged())?;
        tags[1] = hash.tag();
        let ahead = Ahead { zone, tags };
        ahead.lines().for_each(read);
        Some(ahead)
    }
}

impl Ahead<'_> {
    /// Asks for the nodes that those lines lead to: their heads and what stands next.
    pub fn follow(&self) {
        for tag in self.tags {
            if let Some(id) = self.zone.index.find(tag).next() {
                let octets = self.zone.store.after(id);
                read_slice(octets, 0);
                read_slice(octets, LINE);
            }
        }
    }

    fn lines(&self) -> impl Iterator<Item = &u64> {
        self.tags.iter().filter_map(|tag| self.zone.index.line(*tag).first())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::wire::RecordType;
    use crate::zone::{Place, RecordBatch, ZoneBuilder};

    fn zone(origin: &str, names: u32) -> Arc<Zone> {
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
        Arc::new(builder.finish().unwrap())
    }

    #[test]
    fn it_asks_for_what_the_lookup_will_find() {
        let snapshot = Snapshot::default().with_changes([zone("large.", 5000), zone("small.", 10)], &[]);
        let name = |text: &str| text.parse::<Name>().unwrap();
        let ahead = snapshot.ahead(name("N4999.LARGE.").as_wire()).unwrap();
        assert_eq!(ahead.tags[0], ahead.tags[1]);
        let found: Vec<_> =
            ahead.zone.index.find(ahead.tags[1]).map(|id| ahead.zone.node(id).owner()).collect();
        assert_eq!(found, [name("n4999.large.")]);
        ahead.follow();
        let below = snapshot.ahead(name("x.y.n7.large.").as_wire()).unwrap();
        assert!(
            below.zone.index.find(below.tags[0]).any(|id| below.zone.node(id).owner() == name("n7.large."))
        );
        for other in ["n1.small.", "elsewhere.", "."] {
            assert!(snapshot.ahead(name(other).as_wire()).is_none(), "{other}");
        }
        assert!(snapshot.ahead(b"").is_none() && snapshot.ahead(b"\x3fcut").is_none());
    }
}
