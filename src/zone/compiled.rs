//! The compiled zone: flat arrays in canonical order, no allocation per name or record.

use crate::wire::{Name, RecordType, Serial};

use super::nsec3::Parameters;
use super::{Record, ZoneFault, ZoneWarning};

/// No node: the parent of the apex, the wildcard of a node that has none.
pub(super) const NO_NODE: u32 = u32::MAX;

/// One compiled, immutable zone.
///
/// Nodes stand in canonical order, empty non-terminals among them; each knows its parent, so that an ancestor is
/// found by going up, never by a search. Owners are kept without the apex, RDATA as in a message but for
/// compression. NSEC3 records stand behind the names, the chain first, in the order of the hashes, which are their
/// keys. A node takes 28 octets plus its name twice (as written, and as sorting key), an RRset 12, a record its
/// RDATA and 2.
#[derive(Debug)]
pub struct Zone {
    pub(super) origin: Name,
    pub(super) nodes: Vec<Node>,
    pub(super) sets: Vec<SetHead>,
    pub(super) keys: Vec<u8>,
    pub(super) names: Vec<u8>,
    pub(super) rdata: Vec<u8>,
    /// How many of the nodes are names; NSEC3 owners follow.
    pub(super) name_count: usize,
    pub(super) denial: Denial,
    serial: Serial,
    negative_ttl: u32,
    record_count: usize,
    warnings: Vec<ZoneWarning>,
}

/// What proves that something does not exist.
#[derive(Debug, Default)]
pub(super) enum Denial {
    /// Nothing does.
    #[default]
    Unsigned,
    /// The NSEC records of the names (RFC 4034 section 4).
    Nsec,
    /// A chain of NSEC3 records (RFC 5155).
    Nsec3(Chain),
}

/// A whole NSEC3 chain.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) parameters: Parameters,
    /// How many records it has; their nodes follow the names.
    pub(super) length: usize,
    /// For each name the node of its NSEC3 record, [`NO_NODE`] for names without: below cuts, and where opt-out
    /// leaves them out. So a name that exists is never hashed for an answer.
    pub(super) of_names: Vec<u32>,
}

/// One name; what ends where the next node's begins has no length of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// Where its key begins in `keys`.
    pub(super) key: u32,
    /// Where its owner's labels below the apex begin in `names`.
    pub(super) name: u32,
    /// Its first RRset in `sets`.
    pub(super) first_set: u32,
    /// The node one label up.
    pub(super) parent: u32,
    /// The highest delegation point at or above it, or DNAME above it, which answers in its place.
    pub(super) cover: u32,
    /// Its child `*`.
    pub(super) wildcard: u32,
    /// Labels below the apex.
    pub(super) labels: u8,
    pub(super) has_dname: bool,
}

/// One RRset; its RDATA ends where the next one's begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct SetHead {
    pub(super) record_type: RecordType,
    /// The type that RRSIGs cover, 0 for other types.
    pub(super) covered: RecordType,
    pub(super) ttl: u32,
    pub(super) rdata: u32,
}

/// One name of a zone.
#[derive(Clone, Copy, Debug)]
pub struct NodeRef<'z> {
    pub(super) zone: &'z Zone,
    pub(super) index: u32,
}

/// One RRset of a zone.
#[derive(Clone, Copy, Debug)]
pub struct RrSet<'z> {
    /// The type of its records.
    pub record_type: RecordType,
    /// The type that is signed, if these are RRSIGs; otherwise 0.
    pub covered: RecordType,
    /// The TTL of all its records, in seconds.
    pub ttl: u32,
    octets: &'z [u8],
}

impl Zone {
    pub(super) fn empty(origin: Name, serial: Serial, negative_ttl: u32) -> Self {
        Self {
            origin,
            nodes: Vec::new(),
            sets: Vec::new(),
            keys: Vec::new(),
            names: Vec::new(),
            rdata: Vec::new(),
            name_count: 0,
            denial: Denial::Unsigned,
            serial,
            negative_ttl,
            record_count: 0,
            warnings: Vec::new(),
        }
    }

    /// Gives back what the arrays do not need; refuses what offsets of 32 bits cannot reach.
    pub(super) fn closed(
        mut self,
        record_count: usize,
        warnings: Vec<ZoneWarning>,
    ) -> Result<Self, ZoneFault> {
        let limit = u32::MAX as usize;
        if self.names.len() > limit || self.keys.len() > limit || self.rdata.len() > limit {
            return Err(ZoneFault::TooLarge { origin: self.origin });
        }
        self.nodes.shrink_to_fit();
        self.sets.shrink_to_fit();
        self.keys.shrink_to_fit();
        self.names.shrink_to_fit();
        self.rdata.shrink_to_fit();
        self.record_count = record_count;
        self.warnings = warnings;
        Ok(self)
    }

    /// The apex.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// The serial in the SOA record.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// The TTL in seconds of a negative answer: the lower of the SOA's TTL and its MINIMUM (RFC 2308 section 3).
    pub fn negative_ttl(&self) -> u32 {
        self.negative_ttl
    }

    /// How many records.
    pub fn record_count(&self) -> usize {
        self.record_count
    }

    /// What was odd about the records; at most 100.
    pub fn warnings(&self) -> &[ZoneWarning] {
        &self.warnings
    }

    /// The node of the apex.
    pub fn apex(&self) -> NodeRef<'_> {
        NodeRef { zone: self, index: 0 }
    }

    /// Every record, in canonical order of owners, the SOA first; NSEC3 records and their signatures last.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let nodes = (0..self.nodes.len() as u32).map(|index| NodeRef { zone: self, index });
        nodes.flat_map(|node| {
            let owner = node.owner();
            node.sets().flat_map(move |set| {
                let owner = owner.clone();
                set.rdata().map(move |rdata| Record {
                    owner: owner.clone(),
                    record_type: set.record_type,
                    ttl: set.ttl,
                    rdata: rdata.into(),
                })
            })
        })
    }

    /// Shows every record: owner in absolute wire form, type, TTL in seconds, uncompressed RDATA; in the order of
    /// [`Zone::records`], without an allocation per record.
    pub fn for_each_record(&self, mut show: impl FnMut(&[u8], RecordType, u32, &[u8])) {
        let mut buffer = [0; Name::MAX_OCTETS];
        for node in (0..self.nodes.len() as u32).map(|index| NodeRef { zone: self, index }) {
            let owner = node.owner_into(&mut buffer);
            for set in node.sets() {
                set.rdata().for_each(|rdata| show(owner, set.record_type, set.ttl, rdata));
            }
        }
    }

    pub(super) fn node(&self, index: u32) -> Option<NodeRef<'_>> {
        ((index as usize) < self.nodes.len()).then_some(NodeRef { zone: self, index })
    }

    pub(super) fn key(&self, index: usize) -> &[u8] {
        let start = self.nodes.get(index).map_or(self.keys.len(), |node| node.key as usize);
        let end = self.nodes.get(index + 1).map_or(self.keys.len(), |node| node.key as usize);
        self.keys.get(start..end).unwrap_or(&[])
    }

    fn set(&self, index: usize) -> Option<RrSet<'_>> {
        let head = self.sets.get(index)?;
        let end = self.sets.get(index + 1).map_or(self.rdata.len(), |next| next.rdata as usize);
        let octets = self.rdata.get(head.rdata as usize..end)?;
        Some(RrSet { record_type: head.record_type, covered: head.covered, ttl: head.ttl, octets })
    }
}

impl<'z> NodeRef<'z> {
    /// Whether both are the same name of the same zone.
    pub fn is_same(self, other: NodeRef<'_>) -> bool {
        self.index == other.index && std::ptr::eq(self.zone, other.zone)
    }

    /// The zone that it is in.
    pub fn zone(self) -> &'z Zone {
        self.zone
    }

    /// The owner name, in the case of the first record that named it; allocates.
    pub fn owner(self) -> Name {
        let mut buffer = [0; Name::MAX_OCTETS];
        Name::from_wire(self.owner_into(&mut buffer)).unwrap_or_else(|_| Name::root())
    }

    /// The owner name in wire form, written into `buffer`.
    pub fn owner_into(self, buffer: &mut [u8; Name::MAX_OCTETS]) -> &[u8] {
        let nodes = &self.zone.nodes;
        let start = nodes.get(self.index as usize).map_or(0, |node| node.name as usize);
        let end = nodes.get(self.index as usize + 1).map_or(self.zone.names.len(), |node| node.name as usize);
        let front = self.zone.names.get(start..end).unwrap_or(&[]);
        let apex = self.zone.origin.as_wire();
        let length = front.len() + apex.len();
        for (place, octet) in buffer.iter_mut().zip(front.iter().chain(apex)) {
            *place = *octet;
        }
        buffer.get(..length).unwrap_or(&[0])
    }

    /// The name one label up; `None` for the apex.
    pub fn parent(self) -> Option<Self> {
        self.inner().and_then(|node| self.zone.node(node.parent))
    }

    /// How many labels the owner has below the apex.
    pub fn labels_below_apex(self) -> usize {
        self.inner().map_or(0, |node| usize::from(node.labels))
    }

    /// Whether the zone is cut here: NS records below the apex (RFC 1034 section 4.2.1), nothing cut above it.
    pub fn is_cut(self) -> bool {
        self.inner().is_some_and(|node| node.cover == self.index)
    }

    /// Whether a DNAME stands here.
    pub fn has_dname(self) -> bool {
        self.inner().is_some_and(|node| node.has_dname)
    }

    /// Its RRsets, ordered by type (the SOA first); none at an empty non-terminal.
    pub fn sets(self) -> impl Iterator<Item = RrSet<'z>> {
        let nodes = &self.zone.nodes;
        let start = nodes.get(self.index as usize).map_or(0, |node| node.first_set as usize);
        let next = nodes.get(self.index as usize + 1);
        let end = next.map_or(self.zone.sets.len(), |node| node.first_set as usize);
        (start..end).filter_map(move |index| self.zone.set(index))
    }

    /// The RRset of this type; for RRSIG the first of them.
    pub fn set(self, record_type: RecordType) -> Option<RrSet<'z>> {
        self.sets().find(|set| set.record_type == record_type)
    }

    /// The RRSIGs that cover this type.
    pub fn signatures(self, covered: RecordType) -> Option<RrSet<'z>> {
        self.sets().find(|set| set.record_type == RecordType::RRSIG && set.covered == covered)
    }

    pub(super) fn inner(self) -> Option<&'z Node> {
        self.zone.nodes.get(self.index as usize)
    }
}

impl<'z> RrSet<'z> {
    /// The RDATA of each record, in canonical order (RFC 4034 section 6.3), uncompressed.
    pub fn rdata(self) -> impl Iterator<Item = &'z [u8]> {
        let mut rest = self.octets;
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (rdata, next) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            rest = next;
            Some(rdata)
        })
    }
}
