//! Names of a version put, replaced and removed: the next version, which shares what is not touched.
//!
//! Keeps what nodes know of their children true, makes empty non-terminals and takes them away again. Puts and removes the
//! nodes of an NSEC3 chain, too, but does not know what a chain must be: that is for [`crate::zone::version::relink`].

use std::cmp::Ordering;

use crate::wire::Name;

use crate::zone::record::entry::Entry;
use crate::zone::record::key::Key;
use crate::zone::record::nsec3::{Hash, tag};
use crate::zone::store::blocks::{Exhausted, NodeId};
use crate::zone::store::compiled::{Denial, NodeRef, Zone};
use crate::zone::store::hash::NameHash;
use crate::zone::store::node::{self, CHILDREN, FLAGS, Node, flag};

/// Nodes that one change moves out of wasteful blocks at most: some milliseconds.
const MOST_MOVED: usize = 16_384;

/// A version that is being made from another one.
pub(in crate::zone) struct Editor {
    zone: Zone,
    scratch: Vec<u8>,
}

/// A name without its apex: as written, and what finds it.
struct Target<'n> {
    owner: &'n [u8],
    lower: [u8; Name::MAX_OCTETS],
    hash: NameHash,
}

impl Editor {
    /// Begins with everything that `base` has.
    pub(in crate::zone) fn new(base: &Zone) -> Self {
        Self { zone: base.clone(), scratch: Vec::new() }
    }

    /// The version as it is now.
    pub(in crate::zone) fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The next version; moves nodes together if too much lies idle.
    pub(in crate::zone) fn finish(mut self) -> Result<Zone, Exhausted> {
        self.zone.store.close();
        let mut left = MOST_MOVED;
        for number in self.zone.store.wasteful() {
            for id in self.zone.store.nodes_of(number) {
                if left > 0 && self.is_live(id) {
                    self.copy(id)?;
                    left -= 1;
                }
            }
        }
        self.zone.store.close();
        Ok(self.zone)
    }

    /// Gives a name these records, in canonical order; none make it an empty non-terminal.
    pub(in crate::zone) fn put(&mut self, owner: &[u8], records: &[Entry<'_>]) -> Result<(), Exhausted> {
        let target = self.target(owner);
        let known = self.find(&target).map(|node| (node.place, node.node.children(), node.node.flags()));
        self.scratch.clear();
        node::write(&mut self.scratch, owner, records, self.zone.has_hash_room());
        self.zone.record_count += records.len();
        let Some((old, children, flags)) = known else {
            let id = self.zone.store.push(&self.scratch)?;
            self.zone.index.insert(target.hash.tag(), id);
            let key = Key::of_relative(owner);
            let (order, store) = (&mut self.zone.order, &self.zone.store);
            order.insert(id, |place| compare(store.node(place), &key));
            return self.adopt(owner);
        };
        self.zone.record_count -= records_of(self.zone.store.node(old));
        // Whether an NSEC3 record belongs to it is noted when the chain is what it will be.
        set_derived(&mut self.scratch, children, flags & flag::WILDCARD);
        let id = self.zone.store.push(&self.scratch)?;
        self.exchange(&target, old, id);
        Ok(())
    }

    /// Takes a name's records away, and the name with them, unless it has names below it.
    pub(in crate::zone) fn remove(&mut self, owner: &[u8]) -> Result<(), Exhausted> {
        let target = self.target(owner);
        let Some(node) = self.find(&target) else { return Ok(()) };
        if node.node.children() > 0 || owner.is_empty() {
            let owner = node.node.owner().to_vec();
            return self.put(&owner, &[]);
        }
        let (old, records) = (node.place, records_of(node.node));
        self.zone.record_count -= records;
        self.zone.index.remove(target.hash.tag(), old);
        let key = Key::of_relative(owner);
        let store = &self.zone.store;
        if let Some(position) = self.zone.order.at_or_before(|place| compare(store.node(place), &key)) {
            self.zone.order.remove(position);
        }
        self.zone.store.forget(old);
        self.disown(owner)
    }

    /// Gives a hash of the NSEC3 chain these records, in canonical order.
    pub(in crate::zone) fn put_hashed(
        &mut self,
        hash: &Hash,
        records: &[Entry<'_>],
    ) -> Result<(), Exhausted> {
        let Some(first) = records.first() else { return Ok(()) };
        self.scratch.clear();
        node::write(&mut self.scratch, self.zone.relative_owner(first), records, true);
        let id = self.zone.store.push(&self.scratch)?;
        self.zone.store.note_hash(id, Some(hash));
        self.zone.record_count += records.len();
        if let Some(old) = self.zone.member(hash).map(|node| node.place) {
            self.zone.record_count -= records_of(self.zone.store.node(old));
            self.exchange_hashed(hash, old, id);
            return Ok(());
        }
        let Zone { denial: Denial::Nsec3(chain), store, .. } = &mut self.zone else { return Ok(()) };
        chain.index.insert(tag(hash), id);
        chain.order.insert(id, |place| store.node(place).hash().cmp(&Some(hash)));
        Ok(())
    }

    /// Takes a hash out of the NSEC3 chain.
    pub(in crate::zone) fn remove_hashed(&mut self, hash: &Hash) {
        let Some(old) = self.zone.member(hash).map(|node| node.place) else { return };
        self.zone.record_count -= records_of(self.zone.store.node(old));
        let Zone { denial: Denial::Nsec3(chain), store, .. } = &mut self.zone else { return };
        chain.index.remove(tag(hash), old);
        if let Some(at) = chain.order.at_or_before(|place| store.node(place).hash().cmp(&Some(hash))) {
            chain.order.remove(at);
        }
        store.forget(old);
    }

    /// Notes whether an NSEC3 record belongs to a name, and its hash.
    pub(in crate::zone) fn set_hash(&mut self, id: NodeId, hash: Option<&Hash>) -> Result<(), Exhausted> {
        if self.zone.store.node(id).hash() == hash || self.zone.store.note_hash(id, hash) {
            return Ok(());
        }
        let new = self.copy(id)?;
        self.zone.store.note_hash(new, hash);
        Ok(())
    }

    /// Tells the name above that it has one more child; it comes to be, if it was not there.
    fn adopt(&mut self, owner: &[u8]) -> Result<(), Exhausted> {
        let Some(above) = parent(owner) else { return Ok(()) };
        let target = self.target(above);
        if self.find(&target).is_none() {
            self.put(above, &[])?;
        }
        let Some(id) = self.find(&target).map(|node| node.place) else { return Ok(()) };
        let wildcard = if owner.starts_with(b"\x01*") { flag::WILDCARD } else { 0 };
        let node = self.zone.store.node(id);
        self.derive(id, node.children() + 1, node.flags() | wildcard)
    }

    /// Tells the name above that it has one child less; if that was all it had, it goes too.
    fn disown(&mut self, owner: &[u8]) -> Result<(), Exhausted> {
        let Some(above) = parent(owner) else { return Ok(()) };
        let Some(node) = self.find(&self.target(above)) else { return Ok(()) };
        let (id, children, empty) =
            (node.place, node.node.children().saturating_sub(1), node.node.set_count() == 0);
        let gone = if owner.starts_with(b"\x01*") { flag::WILDCARD } else { 0 };
        let flags = node.node.flags() & !gone;
        self.derive(id, children, flags)?;
        if children == 0 && empty && !above.is_empty() { self.remove(above) } else { Ok(()) }
    }

    /// Notes what follows for a node from its children: in place, if no other version has it.
    fn derive(&mut self, id: NodeId, children: u32, flags: u8) -> Result<(), Exhausted> {
        let store = &mut self.zone.store;
        if store.patch(id, CHILDREN, &children.to_le_bytes()) && store.patch(id, FLAGS, &[flags]) {
            return Ok(());
        }
        let new = self.copy(id)?;
        self.zone.store.patch(new, CHILDREN, &children.to_le_bytes());
        self.zone.store.patch(new, FLAGS, &[flags]);
        Ok(())
    }

    /// Puts a copy of a node in its place.
    fn copy(&mut self, id: NodeId) -> Result<NodeId, Exhausted> {
        let node = self.zone.store.node(id);
        let (octets, owner, hash) = (node.octets().to_vec(), node.owner().to_vec(), node.hash().copied());
        let new = self.zone.store.push(&octets)?;
        match hash.filter(|hash| self.is_member(id, hash)) {
            Some(hash) => self.exchange_hashed(&hash, id, new),
            None => self.exchange(&self.target(&owner), id, new),
        }
        Ok(new)
    }

    /// Puts the node `new` where `old` was.
    fn exchange(&mut self, target: &Target<'_>, old: NodeId, new: NodeId) {
        let key = Key::of_relative(target.owner);
        let store = &self.zone.store;
        if let Some(position) = self.zone.order.at_or_before(|place| compare(store.node(place), &key)) {
            self.zone.order.replace(position, new);
        }
        self.zone.index.replace(target.hash.tag(), old, new);
        self.zone.store.forget(old);
        if self.zone.apex == old {
            self.zone.apex = new;
        }
    }

    /// Puts the node `new` of the NSEC3 chain where `old` was.
    fn exchange_hashed(&mut self, hash: &Hash, old: NodeId, new: NodeId) {
        let Zone { denial: Denial::Nsec3(chain), store, .. } = &mut self.zone else { return };
        if let Some(at) = chain.order.at_or_before(|place| store.node(place).hash().cmp(&Some(hash))) {
            chain.order.replace(at, new);
        }
        chain.index.replace(tag(hash), old, new);
        store.forget(old);
    }

    fn is_live(&self, id: NodeId) -> bool {
        let node = self.zone.store.node(id);
        let target = self.target(node.owner());
        self.find(&target).is_some_and(|node| node.place == id)
            || node.hash().is_some_and(|hash| self.is_member(id, hash))
    }

    /// Whether a node is the one of the NSEC3 chain with this hash.
    fn is_member(&self, id: NodeId, hash: &Hash) -> bool {
        self.zone.member(hash).is_some_and(|member| member.place == id)
    }

    fn target<'n>(&self, owner: &'n [u8]) -> Target<'n> {
        let mut lower = [0; Name::MAX_OCTETS];
        for (place, octet) in lower.iter_mut().zip(owner) {
            *place = octet.to_ascii_lowercase();
        }
        let hash = self.zone.apex_hash.below_all(lower.get(..owner.len()).unwrap_or(&[]));
        Target { owner, lower, hash }
    }

    fn find(&self, target: &Target<'_>) -> Option<NodeRef<'_>> {
        self.zone.at(target.hash, target.lower.get(..target.owner.len()).unwrap_or(&[]))
    }
}

/// How many records a node has.
fn records_of(node: Node<'_>) -> usize {
    let sets = (0..node.set_count()).filter_map(|index| node.set(index));
    sets.map(|set| {
        let (mut rest, mut count) = (node.rdata(&set), 0);
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            rest = after.get(usize::from(u16::from_be_bytes(*length))..).unwrap_or(&[]);
            count += 1;
        }
        count
    })
    .sum()
}

/// How a node stands to a key.
fn compare(node: Node<'_>, key: &Key) -> Ordering {
    Key::of_relative(node.owner()).as_octets().cmp(key.as_octets())
}

/// Notes how many children a node has, and adds flags that follow from them.
fn set_derived(octets: &mut [u8], children: u32, flags: u8) {
    octets.get_mut(CHILDREN..FLAGS).unwrap_or_default().copy_from_slice(&children.to_le_bytes());
    octets.get_mut(FLAGS).into_iter().for_each(|place| *place |= flags);
}

/// The name one label up; `None` for the apex.
fn parent(owner: &[u8]) -> Option<&[u8]> {
    owner.get(1 + usize::from(*owner.first()?)..)
}
