//! Where nodes are kept: append-only blocks that versions of a zone share.
//!
//! A [`NodeId`] says where a node is; it stays valid for as long as any version refers to it. Blocks are filled by one
//! version and never changed once they are shared. Small zones have one block of their size, large ones blocks of one
//! huge page.

use crate::sys::memory::{Block, HUGE_PAGE, Shared};

use crate::zone::record::nsec3::Hash;
use crate::zone::store::node::{ALIGNMENT, FLAGS, Node, flag};

/// A place's low bits say where in a block, in units of [`ALIGNMENT`]; the others say which block.
const OFFSET_BITS: u32 = (HUGE_PAGE / ALIGNMENT).trailing_zeros();
/// Blocks of fewer octets than this come from small changes; of more than this many, one is made.
const SMALL: usize = HUGE_PAGE / 8;
const MOST_SMALL: usize = 32;
/// The most blocks: 8,192 of 2 MiB are 16 GiB.
const MOST_BLOCKS: usize = 1 << (u32::BITS - OFFSET_BITS);

/// Where a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::zone) struct NodeId(pub(in crate::zone) u32);

/// The nodes of one version, and of those that it came from.
#[derive(Clone, Debug, Default)]
pub(in crate::zone) struct Store {
    /// One that was emptied holds nothing, and its number is used again.
    blocks: Vec<Shared>,
    used: Vec<Used>,
    /// What is not yet in a block: the nodes of a small zone, or of a small change.
    open: Vec<u8>,
    /// The number that the open ones' block will have.
    open_number: usize,
    /// Octets of open nodes that are referred to no more.
    open_dead: u32,
}

/// Octets of a block that hold nodes, and of those nodes that this version refers to.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    octets: u32,
    live: u32,
}

/// The most octets of a node: its numbers have 32 bits.
const MOST_OCTETS: usize = 1 << 31;

/// The store cannot address more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::zone) struct Exhausted;

impl Store {
    /// Adds a node's octets, a multiple of [`ALIGNMENT`].
    pub(in crate::zone) fn push(&mut self, node: &[u8]) -> Result<NodeId, Exhausted> {
        if !self.open.is_empty() && self.open.len() + node.len() > HUGE_PAGE {
            self.close();
        }
        if self.open.is_empty() {
            let empty = self.used.iter().position(|used| used.octets == 0);
            self.open_number = empty.unwrap_or(self.blocks.len());
        }
        if self.open_number >= MOST_BLOCKS || node.len() > MOST_OCTETS {
            return Err(Exhausted);
        }
        let offset = self.open.len() / ALIGNMENT;
        self.open.extend_from_slice(node);
        Ok(NodeId((self.open_number as u32) << OFFSET_BITS | offset as u32))
    }

    /// Moves what is open into a block, so that this version can be shared.
    pub(in crate::zone) fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let octets = self.open.len() as u32;
        let (block, used) = (
            Shared::new(Block::from_octets(&self.open)),
            Used { octets, live: octets.saturating_sub(self.open_dead) },
        );
        self.open.clear();
        self.open_dead = 0;
        match (self.blocks.get_mut(self.open_number), self.used.get_mut(self.open_number)) {
            (Some(place), Some(usage)) => (*place, *usage) = (block, used),
            _ => {
                self.blocks.push(block);
                self.used.push(used);
            }
        }
    }

    /// Gives back what was needed to write only.
    pub(in crate::zone) fn shrink(&mut self) {
        self.close();
        self.open = Vec::new();
        self.blocks.shrink_to_fit();
        self.used.shrink_to_fit();
    }

    /// The node with this number.
    pub(in crate::zone) fn node(&self, id: NodeId) -> Node<'_> {
        let octets = self.after(id);
        if octets.is_empty() {
            // Only while a version is written is one of its blocks not there.
            return Node::at(self.open.get(split(id).1..).unwrap_or(&[]));
        }
        Node::at(octets)
    }

    /// The memory in which a node begins, not looked at.
    pub(in crate::zone) fn after(&self, id: NodeId) -> &[u8] {
        let (number, offset) = split(id);
        self.blocks.get(number).and_then(|block| block.octets().get(offset..)).unwrap_or(&[])
    }

    /// More than the largest number of a node.
    pub(in crate::zone) fn places(&self) -> usize {
        let ends = self.blocks.iter().enumerate();
        let places = |octets: usize| octets / ALIGNMENT + 1;
        ends.map(|(number, block)| (number << OFFSET_BITS) + places(block.octets().len())).max().unwrap_or(0)
    }

    /// Changes octets of a node that no other version has yet; says whether that was so.
    pub(in crate::zone) fn patch(&mut self, id: NodeId, at: usize, octets: &[u8]) -> bool {
        let (number, offset) = split(id);
        let memory = match self.blocks.get_mut(number).filter(|block| !block.octets().is_empty()) {
            Some(block) => match block.octets_mut() {
                Some(octets) => octets,
                None => return false,
            },
            None => &mut self.open,
        };
        let Some(room) = memory.get_mut(offset + at..offset + at + octets.len()) else { return false };
        room.copy_from_slice(octets);
        true
    }

    /// Notes in a node that has room for it the hash of the NSEC3 record that belongs to it, or that none does; says whether
    /// the node could be changed, as [`Store::patch`].
    pub(in crate::zone) fn note_hash(&mut self, id: NodeId, hash: Option<&Hash>) -> bool {
        let node = self.node(id);
        let (at, flags) = (node.hash_start(), node.flags() & !flag::HASHED);
        match hash {
            Some(hash) => self.patch(id, at, hash) && self.patch(id, FLAGS, &[flags | flag::HASHED]),
            None => self.patch(id, FLAGS, &[flags]),
        }
    }

    /// Notes that this version no longer refers to a node; a block without any is given back.
    pub(in crate::zone) fn forget(&mut self, id: NodeId) {
        let length = self.node(id).octets().len() as u32;
        let (number, _) = split(id);
        if number == self.open_number && !self.open.is_empty() {
            self.open_dead += length;
            return;
        }
        let Some(used) = self.used.get_mut(number) else { return };
        used.live = used.live.saturating_sub(length);
        if used.live == 0
            && let Some(block) = self.blocks.get_mut(number)
        {
            (*block, *used) = (Shared::new(Block::zeroed(0)), Used::default());
        }
    }

    /// Octets in blocks, and how many of them are of nodes of this version.
    #[cfg(test)]
    pub(in crate::zone) fn usage(&self) -> (usize, usize) {
        let sum = |part: fn(&Used) -> u32| self.used.iter().map(|used| part(used) as usize).sum();
        (sum(|used| used.octets), sum(|used| used.live))
    }

    /// Blocks whose nodes should move: those of which more than half is unused, and the small ones if there are many.
    pub(in crate::zone) fn wasteful(&self) -> Vec<usize> {
        let small = |used: &Used| used.octets > 0 && (used.octets as usize) < SMALL;
        let many = self.used.iter().filter(|used| small(used)).count() > MOST_SMALL;
        let wasteful = |used: &Used| used.live * 2 < used.octets || (many && small(used));
        self.used.iter().enumerate().filter(|(_, used)| wasteful(used)).map(|(number, _)| number).collect()
    }

    /// The nodes that were ever in a block, with their numbers.
    pub(in crate::zone) fn nodes_of(&self, number: usize) -> Vec<NodeId> {
        let (mut ids, mut offset) = (Vec::new(), 0);
        let octets = self.used.get(number).map_or(0, |used| used.octets as usize);
        while offset < octets {
            let id = NodeId((number as u32) << OFFSET_BITS | (offset / ALIGNMENT) as u32);
            let length = self.node(id).octets().len();
            if length == 0 {
                break;
            }
            ids.push(id);
            offset += length;
        }
        ids
    }
}

/// The number of a node's block, and where in it the node begins.
fn split(id: NodeId) -> (usize, usize) {
    ((id.0 >> OFFSET_BITS) as usize, (id.0 & ((1 << OFFSET_BITS) - 1)) as usize * ALIGNMENT)
}
