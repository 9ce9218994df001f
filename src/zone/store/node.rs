//! One name of a zone in memory: a head, the heads of its RRsets, the owner, the RDATA, in one piece.
//!
//! ```text
//! length 4 | children 4 | flags 1 | owner length 1 | RRsets 2      octets, numbers in little-endian order
//! (type 2 | covered 2 | TTL 4 | end of its RDATA 4) for each RRset
//! owner without the apex, in the case of the first record that named it
//! NSEC3 hash 20, in zones that deny with NSEC3
//! (RDLENGTH 2 | RDATA) for each record, RRset after RRset
//! ```
//!
//! Written by [`write`], read through [`Node`], changed in place only before it is published.

use crate::wire::RecordType;

use crate::zone::record::entry::Entry;
use crate::zone::record::nsec3::{HASH, Hash};

/// Octets of the head, and of that of an RRset.
pub(in crate::zone) const HEAD: usize = 12;
const SET_HEAD: usize = 12;
/// Nodes begin at multiples of this many octets.
pub(in crate::zone) const ALIGNMENT: usize = 4;

/// What a node's flags say.
pub(in crate::zone) mod flag {
    /// NS records below the apex.
    pub(in crate::zone) const CUT: u8 = 1;
    /// A DNAME record.
    pub(in crate::zone) const DNAME: u8 = 2;
    /// A child `*`.
    pub(in crate::zone) const WILDCARD: u8 = 4;
    /// The owner has no upper-case letter.
    pub(in crate::zone) const LOWER: u8 = 8;
    /// Room for an NSEC3 hash.
    pub(in crate::zone) const HASH_ROOM: u8 = 16;
    /// The hash is there: an NSEC3 record belongs to the name.
    pub(in crate::zone) const HASHED: u8 = 32;
    /// What follows from a node's children or its place in a chain, not from its records.
    pub(in crate::zone) const DERIVED: u8 = WILDCARD | HASHED;
}

/// Where in a node these stand.
pub(in crate::zone) const CHILDREN: usize = 4;
pub(in crate::zone) const FLAGS: usize = 8;

/// A node's octets.
#[derive(Clone, Copy, Debug)]
pub(in crate::zone) struct Node<'z> {
    octets: &'z [u8],
}

/// One RRset's head.
#[derive(Clone, Copy, Debug)]
pub(in crate::zone) struct SetHead {
    pub(in crate::zone) record_type: RecordType,
    pub(in crate::zone) covered: RecordType,
    pub(in crate::zone) ttl: u32,
    /// Where its RDATA is, from the start of the first RRset's.
    pub(in crate::zone) start: usize,
    pub(in crate::zone) end: usize,
}

impl<'z> Node<'z> {
    /// The node that `octets` begin with.
    pub(in crate::zone) fn at(octets: &'z [u8]) -> Self {
        let length = u32_at(octets, 0) as usize;
        Self { octets: octets.get(..length).unwrap_or(&[]) }
    }

    /// All of it.
    pub(in crate::zone) fn octets(self) -> &'z [u8] {
        self.octets
    }

    /// How many names are one label below it.
    pub(in crate::zone) fn children(self) -> u32 {
        u32_at(self.octets, CHILDREN)
    }

    /// See [`flag`].
    pub(in crate::zone) fn flags(self) -> u8 {
        self.octets.get(FLAGS).copied().unwrap_or(0)
    }

    pub(in crate::zone) fn has(self, flag: u8) -> bool {
        self.flags() & flag != 0
    }

    /// The owner without the apex, as written; empty at the apex.
    pub(in crate::zone) fn owner(self) -> &'z [u8] {
        let start = HEAD + self.set_count() * SET_HEAD;
        self.octets.get(start..start + self.owner_length()).unwrap_or(&[])
    }

    /// Whether the owner is this one, given without the apex and in lower case.
    pub(in crate::zone) fn is(self, lower: &[u8]) -> bool {
        let owner = self.owner();
        if self.has(flag::LOWER) { owner == lower } else { owner.eq_ignore_ascii_case(lower) }
    }

    /// How many RRsets.
    pub(in crate::zone) fn set_count(self) -> usize {
        self.octets.get(10..12).and_then(|octets| octets.try_into().ok()).map_or(0, u16::from_le_bytes).into()
    }

    /// The RRset at this index.
    pub(in crate::zone) fn set(self, index: usize) -> Option<SetHead> {
        let at = HEAD + index * SET_HEAD;
        let head: &[u8; SET_HEAD] = self.octets.get(at..at + SET_HEAD)?.try_into().ok()?;
        let [t0, t1, c0, c1, l0, l1, l2, l3, e0, e1, e2, e3] = *head;
        // The end of the one before is the last number of its head.
        let start = if index == 0 { 0 } else { u32_at(self.octets, at - 4) as usize };
        Some(SetHead {
            record_type: RecordType(u16::from_le_bytes([t0, t1])),
            covered: RecordType(u16::from_le_bytes([c0, c1])),
            ttl: u32::from_le_bytes([l0, l1, l2, l3]),
            start,
            end: u32::from_le_bytes([e0, e1, e2, e3]) as usize,
        })
    }

    /// The RDATA of an RRset, each with its length in front.
    pub(in crate::zone) fn rdata(self, set: &SetHead) -> &'z [u8] {
        let start = self.rdata_start();
        self.octets.get(start + set.start..start + set.end).unwrap_or(&[])
    }

    /// The NSEC3 hash of the owner, if an NSEC3 record belongs to it.
    pub(in crate::zone) fn hash(self) -> Option<&'z Hash> {
        if !self.has(flag::HASHED) {
            return None;
        }
        self.octets.get(self.hash_start()..)?.first_chunk()
    }

    /// Where the hash stands or would stand.
    pub(in crate::zone) fn hash_start(self) -> usize {
        HEAD + self.set_count() * SET_HEAD + self.owner_length()
    }

    /// Whether both hold the same records under the same spelling of the owner.
    pub(in crate::zone) fn has_records_of(self, other: Node<'_>) -> bool {
        let same_head = self.flags() & !flag::DERIVED == other.flags() & !flag::DERIVED
            && self.octets.get(FLAGS + 1..HEAD) == other.octets.get(FLAGS + 1..HEAD);
        if !same_head {
            return false;
        }
        let (hash, rdata) = (self.hash_start(), self.rdata_start());
        self.octets.get(HEAD..hash) == other.octets.get(HEAD..hash)
            && self.octets.get(rdata..) == other.octets.get(rdata..)
    }

    fn owner_length(self) -> usize {
        self.octets.get(9).copied().map_or(0, usize::from)
    }

    fn rdata_start(self) -> usize {
        self.hash_start() + if self.has(flag::HASH_ROOM) { HASH } else { 0 }
    }
}

/// Writes a node behind `out`: its owner without the apex, and its records in canonical order, none for an empty
/// non-terminal. It has no children yet.
pub(in crate::zone) fn write(out: &mut Vec<u8>, owner: &[u8], records: &[Entry<'_>], hash_room: bool) {
    let start = out.len();
    let mut flags = if owner.iter().any(u8::is_ascii_uppercase) { 0 } else { flag::LOWER };
    for record in records {
        match record.record_type {
            RecordType::NS if !owner.is_empty() => flags |= flag::CUT,
            RecordType::DNAME => flags |= flag::DNAME,
            _ => {}
        }
    }
    flags |= if hash_room { flag::HASH_ROOM } else { 0 };
    let sets = records.chunk_by(Entry::is_of_set);
    out.extend_from_slice(&[0; FLAGS]);
    out.extend_from_slice(&[flags, owner.len() as u8]);
    // At most 65,536 types twice over cannot be: types and what they cover are 16 bits, and RRSIG covers the rest.
    out.extend_from_slice(&(sets.clone().count() as u16).to_le_bytes());
    let mut end = 0_u64;
    for set in sets.clone() {
        let Some(first) = set.first() else { continue };
        let ttl = set.iter().map(|record| record.ttl).min().unwrap_or(0);
        // What is past the end of the numbers is refused by the store.
        end += set.iter().map(|record| 2 + record.rdata().len() as u64).sum::<u64>();
        out.extend_from_slice(&first.record_type.0.to_le_bytes());
        out.extend_from_slice(&first.covered().0.to_le_bytes());
        out.extend_from_slice(&ttl.to_le_bytes());
        out.extend_from_slice(&(end as u32).to_le_bytes());
    }
    out.extend_from_slice(owner);
    if hash_room {
        out.extend_from_slice(&[0; HASH]);
    }
    for record in records {
        // At most 65,535 octets, which the check has seen to.
        out.extend_from_slice(&(record.rdata().len() as u16).to_be_bytes());
        out.extend_from_slice(record.rdata());
    }
    let length = (out.len() - start).next_multiple_of(ALIGNMENT);
    out.resize(start + length, 0);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&(length as u32).to_le_bytes());
    }
}

/// A little-endian number; 0 past the end.
fn u32_at(octets: &[u8], at: usize) -> u32 {
    octets.get(at..at + 4).and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_le_bytes)
}
