//! What proves that something does not exist: NSEC by the order of names, NSEC3 by the order of hashes.
//!
//! The query path asks here for single records; which of them an answer needs is for `answer` to say. A name that
//! exists is never hashed, and at most one hash is computed per call, of at most 151 rounds.

use crate::wire::{LookupName, Name, RecordType};

use crate::zone::read::lookup::Lookup;
use crate::zone::record::key::Key;
use crate::zone::record::nsec3::{Hash, tag};
use crate::zone::store::compiled::{Chain, Denial, NodeRef, Zone};
use crate::zone::store::order::Position;

/// What a zone denies with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denies {
    /// Nothing: the zone is not signed, or not so that anything is denied.
    WithNothing,
    /// NSEC records (RFC 4035 section 3.1.3).
    WithNsec,
    /// NSEC3 records (RFC 5155 section 7.2).
    WithNsec3,
}

/// The hash of a name that does not exist is that of one that does: nothing can prove it (RFC 5155 section 7.2.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hash of a name that does not exist is that of one that does")]
pub struct Collision;

impl Zone {
    /// What it denies with.
    pub fn denies(&self) -> Denies {
        match self.denial {
            Denial::Unsigned => Denies::WithNothing,
            Denial::Nsec => Denies::WithNsec,
            Denial::Nsec3(_) => Denies::WithNsec3,
        }
    }

    /// The owner of the NSEC record that matches the name or covers it: the last in canonical order that is not
    /// behind it. `None` unless the zone denies with NSEC.
    pub fn nsec(&self, name: &LookupName) -> Option<NodeRef<'_>> {
        if !matches!(self.denial, Denial::Nsec) {
            return None;
        }
        let key = Key::new(name, self.apex_labels);
        let key = key.as_octets();
        let mut position = self.last_name(|other| other.cmp(key))?;
        // What has no NSEC stands below a cut, which has one, or is an empty non-terminal, whose predecessor has
        // one, is its own parent, or stands below a cut: at most as many steps as a name has labels, and one.
        for _ in 0..Name::MAX_OCTETS {
            let node = self.node(self.order.get(position)?);
            if let Some(owner) = [Some(node), self.cover(node)].into_iter().flatten().find(has_nsec) {
                return Some(owner);
            }
            position = self.order.before(position)?;
        }
        None
    }

    /// The cut or DNAME above a node; a cut itself, if none is above it.
    pub(in crate::zone) fn cover<'z>(&'z self, node: NodeRef<'z>) -> Option<NodeRef<'z>> {
        let mut buffer = [0; Name::MAX_OCTETS];
        let name = LookupName::from_wire_prefix(node.owner_into(&mut buffer)).ok()?;
        match self.lookup(&name) {
            Lookup::Cut { node, .. } | Lookup::Dname(node) => Some(node),
            _ => None,
        }
    }

    /// The NSEC3 record that matches this name of the zone. `None` if opt-out leaves it out (RFC 5155 section 6), or
    /// unless the zone denies with NSEC3.
    pub fn nsec3_of(&self, name: NodeRef<'_>) -> Option<NodeRef<'_>> {
        let Denial::Nsec3(chain) = &self.denial else { return None };
        self.member_of(chain, name.node.hash()?)
    }

    /// The NSEC3 record with this hash.
    pub(in crate::zone) fn member_of(&self, chain: &Chain, hash: &Hash) -> Option<NodeRef<'_>> {
        chain.index.find(tag(hash), |id| Some(self.node(id)).filter(|node| node.node.hash() == Some(hash)))
    }

    /// The NSEC3 record that covers a name that is not in the zone, given in lower-case wire form.
    /// `None` unless the zone denies with NSEC3.
    pub fn nsec3_covering(&self, name: &[u8]) -> Result<Option<NodeRef<'_>>, Collision> {
        let Denial::Nsec3(chain) = &self.denial else { return Ok(None) };
        let hash = chain.parameters.hash(name);
        match self.nsec3_at_or_before(chain, &hash) {
            Some((_, true)) => Err(Collision),
            Some((node, false)) => Ok(Some(node)),
            None => Ok(None),
        }
    }

    /// The NSEC3 record with this hash, or the one before it, the last one before the first; whether it is this hash.
    pub(in crate::zone) fn nsec3_at_or_before(
        &self,
        chain: &Chain,
        hash: &Hash,
    ) -> Option<(NodeRef<'_>, bool)> {
        let found = self.position_at_or_before(chain, hash).or(chain.order.last())?;
        let node = self.node(chain.order.get(found)?);
        Some((node, node.node.hash() == Some(hash)))
    }

    /// Where in the chain this hash is, or the one before it.
    pub(in crate::zone) fn position_at_or_before(&self, chain: &Chain, hash: &Hash) -> Option<Position> {
        chain.order.at_or_before(|place| self.node(place).node.hash().cmp(&Some(hash)))
    }

    /// The hash at a position of the chain.
    pub(in crate::zone) fn hash_at(&self, chain: &Chain, at: Position) -> Option<&Hash> {
        chain.order.get(at).and_then(|place| self.node(place).node.hash())
    }
}

fn has_nsec(node: &NodeRef<'_>) -> bool {
    node.set(RecordType::NSEC).is_some()
}
