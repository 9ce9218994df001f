//! The compiled zone: what a version of a zone is made of, and how its names and RRsets are read.

use crate::wire::{Name, Prepared, RecordType, Serial};

use crate::zone::Record;
use crate::zone::ZoneWarning;
use crate::zone::record::nsec3::Parameters;
use crate::zone::store::blocks::{NodeId, Store};
use crate::zone::store::digest::DigestCell;
use crate::zone::store::hash::NameHash;
use crate::zone::store::index::Index;
use crate::zone::store::node::{Node, SetHead, flag};
use crate::zone::store::order::Order;

/// One compiled, immutable version of a zone.
///
/// Every name is a node, empty non-terminals too: one piece of memory with the owner, the heads of its RRsets and
/// their RDATA (`zone::node`). The nodes lie in blocks (`zone::store`); a hash table finds them
/// (`zone::index`), a list has them in canonical order (`zone::order`). No node refers to another, so the next
/// version shares all blocks and pages that its changes do not touch.
///
/// Going down from the apex label by label, a lookup costs a cache line of the table and one of a node for each label,
/// nearly whatever the size of the zone. `tests/bench/NOTES.md` has the figures, also of other structures.
#[derive(Clone, Debug)]
pub struct Zone {
    pub(in crate::zone) origin: Name,
    pub(in crate::zone) apex: NodeId,
    pub(in crate::zone) apex_labels: usize,
    pub(in crate::zone) apex_hash: NameHash,
    pub(in crate::zone) store: Store,
    pub(in crate::zone) index: Index,
    /// All names.
    pub(in crate::zone) order: Order,
    pub(in crate::zone) denial: Denial,
    /// Owners of NSEC3 records that are of no chain that is served: kept, never asked for.
    pub(in crate::zone) others: Order,
    pub(in crate::zone) serial: Serial,
    pub(in crate::zone) negative_ttl: u32,
    /// The SOA record of negative answers.
    pub(in crate::zone) negative_soa: Option<Prepared>,
    pub(in crate::zone) record_count: usize,
    pub(in crate::zone) warnings: Box<[ZoneWarning]>,
    /// The digest of the content, once it is made.
    pub(in crate::zone) digest: DigestCell,
}

/// What proves that something does not exist.
#[derive(Clone, Debug, Default)]
pub(in crate::zone) enum Denial {
    /// Nothing does.
    #[default]
    Unsigned,
    /// The NSEC records of the names (RFC 4034 section 4).
    Nsec,
    /// A chain of NSEC3 records (RFC 5155).
    Nsec3(Box<Chain>),
}

/// A whole NSEC3 chain. The nodes of names know their hashes, so a name that exists is never hashed for an answer.
#[derive(Clone, Debug)]
pub(in crate::zone) struct Chain {
    pub(in crate::zone) parameters: Parameters,
    /// Its nodes in the order of their hashes.
    pub(in crate::zone) order: Order,
    /// Its nodes by their hashes, of which the first 32 bits are the tag.
    pub(in crate::zone) index: Index,
}

/// One name of a zone.
#[derive(Clone, Copy, Debug)]
pub struct NodeRef<'z> {
    pub(in crate::zone) zone: &'z Zone,
    pub(in crate::zone) place: NodeId,
    pub(in crate::zone) node: Node<'z>,
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

/// The number that stands for a zone of this name while this process runs. Two names share one by chance only, once in 10^19.
pub fn apex_key(origin: &Name) -> u64 {
    NameHash::of(origin).key()
}

impl Zone {
    /// Gives back what only writing needed.
    pub(in crate::zone) fn closed(mut self, record_count: usize, warnings: Vec<ZoneWarning>) -> Self {
        self.store.shrink();
        self.record_count = record_count;
        self.warnings = warnings.into();
        self
    }

    /// The apex.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// A number that stands for the apex while this process runs: that of its name ([`apex_key`]). Costs nothing.
    pub fn apex_key(&self) -> u64 {
        self.apex_hash.key()
    }

    /// The serial in the SOA record.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// The TTL in seconds of a negative answer: the lower of the SOA's TTL and its MINIMUM (RFC 2308 section 3).
    pub fn negative_ttl(&self) -> u32 {
        self.negative_ttl
    }

    /// The SOA record with that TTL, ready for answers to names of the zone.
    pub fn negative_soa(&self) -> Option<&Prepared> {
        self.negative_soa.as_ref()
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
        self.node(self.apex)
    }

    /// Every record, in canonical order of owners, the SOA first; NSEC3 records and their signatures last.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        self.nodes().flat_map(|node| {
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
        for node in self.nodes() {
            let owner = node.owner_into(&mut buffer);
            for set in node.sets() {
                set.rdata().for_each(|rdata| show(owner, set.record_type, set.ttl, rdata));
            }
        }
    }

    /// All nodes: the names in canonical order, then the owners of NSEC3 records.
    pub fn nodes(&self) -> impl Iterator<Item = NodeRef<'_>> {
        let (names, others) = (self.order.iter(), self.others.iter());
        names.map(|place| self.node(place)).chain(self.members()).chain(others.map(|place| self.node(place)))
    }

    /// The nodes of the NSEC3 chain that is served, in the order of their hashes.
    pub(in crate::zone) fn members(&self) -> impl Iterator<Item = NodeRef<'_>> {
        let chain = match &self.denial {
            Denial::Nsec3(chain) => Some(chain.order.iter()),
            Denial::Unsigned | Denial::Nsec => None,
        };
        chain.into_iter().flatten().map(|place| self.node(place))
    }

    /// Whether its names have room for NSEC3 hashes.
    pub(in crate::zone) fn has_hash_room(&self) -> bool {
        matches!(self.denial, Denial::Nsec3(_))
    }

    pub(in crate::zone) fn node(&self, place: NodeId) -> NodeRef<'_> {
        NodeRef { zone: self, place, node: self.store.node(place) }
    }
}

impl<'z> NodeRef<'z> {
    /// Whether both are the same name of the same zone.
    pub fn is_same(self, other: NodeRef<'_>) -> bool {
        self.place == other.place && std::ptr::eq(self.zone, other.zone)
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
        let (front, apex) = (self.node.owner(), self.zone.origin.as_wire());
        let length = front.len() + apex.len();
        if let Some((place, rest)) = buffer.split_at_mut_checked(front.len())
            && let Some(end) = rest.get_mut(..apex.len())
        {
            place.copy_from_slice(front);
            end.copy_from_slice(apex);
        }
        buffer.get(..length).unwrap_or(&[0])
    }

    /// The name one label up; `None` for the apex.
    pub fn parent(self) -> Option<Self> {
        let owner = self.node.owner();
        let length = usize::from(*owner.first()?);
        let mut buffer = [0; Name::MAX_OCTETS];
        let above = owner.get(1 + length..)?;
        let lower = buffer.get_mut(..above.len())?;
        lower.copy_from_slice(above);
        lower.make_ascii_lowercase();
        self.zone.at(self.zone.apex_hash.below_all(lower), lower)
    }

    /// How many labels the owner has below the apex.
    pub fn labels_below_apex(self) -> usize {
        let mut rest = self.node.owner();
        let mut labels = 0;
        while let Some((&length, after)) = rest.split_first() {
            rest = after.get(usize::from(length)..).unwrap_or(&[]);
            labels += 1;
        }
        labels
    }

    /// Whether the zone is cut here: NS records below the apex (RFC 1034 section 4.2.1).
    pub fn is_cut(self) -> bool {
        self.node.has(flag::CUT)
    }

    /// Whether a DNAME stands here.
    pub fn has_dname(self) -> bool {
        self.node.has(flag::DNAME)
    }

    /// Its RRsets, ordered by type (the SOA first); none at an empty non-terminal.
    pub fn sets(self) -> impl Iterator<Item = RrSet<'z>> {
        let node = self.node;
        (0..node.set_count())
            .filter_map(move |index| node.set(index))
            .map(move |head| RrSet::new(node, &head))
    }

    /// The RRset of this type; for RRSIG the first of them.
    pub fn set(self, record_type: RecordType) -> Option<RrSet<'z>> {
        self.head(|head| head.record_type == record_type)
    }

    /// The RRSIGs that cover this type.
    pub fn signatures(self, covered: RecordType) -> Option<RrSet<'z>> {
        self.head(|head| head.record_type == RecordType::RRSIG && head.covered == covered)
    }

    fn head(self, wanted: impl Fn(&SetHead) -> bool) -> Option<RrSet<'z>> {
        let node = self.node;
        let head = (0..node.set_count()).filter_map(|index| node.set(index)).find(wanted)?;
        Some(RrSet::new(node, &head))
    }

    /// Whether `other` is an ancestor of it.
    pub(in crate::zone) fn is_below(self, other: NodeRef<'_>) -> bool {
        let (mine, above) = (self.node.owner(), other.node.owner());
        let Some(start) = mine.len().checked_sub(above.len()).filter(|start| *start > 0) else {
            return false;
        };
        let mut position = 0;
        while position < start {
            position += 1 + mine.get(position).copied().map_or(0, usize::from);
        }
        position == start && mine.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(above))
    }
}

impl<'z> RrSet<'z> {
    fn new(node: Node<'z>, head: &SetHead) -> Self {
        Self { record_type: head.record_type, covered: head.covered, ttl: head.ttl, octets: node.rdata(head) }
    }

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
