//! Sorted records in, a compiled zone out: a node for each name and each empty non-terminal.

use crate::wire::{Name, Prepared, RecordType, Serial};

use crate::zone::ZoneFault;
use crate::zone::record::entry::Entry;
use crate::zone::record::key;
use crate::zone::store::blocks::{Exhausted, NodeId, Store};
use crate::zone::store::compiled::{Denial, Zone};
use crate::zone::store::digest::DigestCell;
use crate::zone::store::hash::NameHash;
use crate::zone::store::index::Index;
use crate::zone::store::node::{self, CHILDREN, FLAGS, flag};
use crate::zone::store::order::Order;

/// Octets of most nodes, at most.
const NODE_ROOM: usize = 256;

/// Compiles records that are sorted by key, type and RDATA, and checked; `hash_room`: each node gets room for an NSEC3
/// hash.
pub(in crate::zone) fn compile(
    origin: Name,
    entries: &[Entry<'_>],
    hash_room: bool,
) -> Result<Zone, ZoneFault> {
    let mut compiler = Compiler::new(&origin, hash_room);
    for records in entries.chunk_by(Entry::is_beside) {
        if compiler.name(records) == Err(Exhausted) {
            return Err(ZoneFault::TooLarge { origin });
        }
    }
    compiler.finish(origin)
}

/// The serial of an SOA record, and the TTL of negative answers: the lower of its own and its MINIMUM field (RFC 2308
/// section 3).
pub(in crate::zone) fn of_soa(rdata: &[u8], ttl: u32) -> (Serial, u32) {
    let number = |back: usize| {
        let at = rdata.len().saturating_sub(back);
        rdata.get(at..at + 4).and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_be_bytes)
    };
    (Serial(number(20)), ttl.min(number(4)))
}

/// Makes a zone, name by name.
#[derive(Debug)]
pub(in crate::zone) struct Compiler {
    apex_octets: usize,
    apex_hash: NameHash,
    hash_room: bool,
    store: Store,
    places: Vec<NodeId>,
    tags: Vec<(u32, NodeId)>,
    /// The nodes from the apex down to the last one.
    path: Vec<TreeLevel>,
    /// The key of the last one.
    key: Vec<u8>,
    scratch: Vec<u8>,
    records: usize,
}

/// A node on the way down, whose children are still coming.
#[derive(Debug)]
struct TreeLevel {
    place: NodeId,
    hash: NameHash,
    children: u32,
    wildcard: bool,
}

impl Compiler {
    /// Nothing yet; `hash_room`: each node gets room for an NSEC3 hash.
    pub(in crate::zone) fn new(origin: &Name, hash_room: bool) -> Self {
        Self {
            apex_octets: origin.as_wire().len(),
            apex_hash: NameHash::of(origin),
            hash_room,
            store: Store::default(),
            places: Vec::new(),
            tags: Vec::new(),
            path: Vec::new(),
            key: Vec::new(),
            scratch: Vec::with_capacity(NODE_ROOM),
            records: 0,
        }
    }

    /// Adds the node of these records, and the empty non-terminals above it that are not there yet. They are sorted by type and
    /// RDATA, and come behind all names before them.
    pub(in crate::zone) fn name(&mut self, records: &[Entry<'_>]) -> Result<(), Exhausted> {
        let Some(first) = records.first() else { return Ok(()) };
        self.records += records.len();
        let (key, depth) = (first.key(), key::labels(first.key()));
        let known = if self.path.is_empty() { 0 } else { 1 + key::shared_labels(&self.key, key) };
        self.ascend(known);
        let owner = first.owner();
        let owner = owner.get(..owner.len().saturating_sub(self.apex_octets)).unwrap_or(&[]);
        let mut end = (0..known.saturating_sub(1)).fold(0, |end, _| key::label_end(key, end));
        for level in known..=depth {
            let start = end;
            end = if level == 0 { 0 } else { key::label_end(key, end) };
            let records = if level == depth { records } else { &[] };
            self.node(key.get(start..end).unwrap_or(&[]), ancestor(owner, depth - level), records)?;
        }
        self.key.clear();
        self.key.extend_from_slice(key);
        Ok(())
    }

    /// Adds one node below the end of the path; `label` as keys have it.
    fn node(&mut self, label: &[u8], owner: &[u8], records: &[Entry<'_>]) -> Result<(), Exhausted> {
        let hash = match self.path.last_mut() {
            None => self.apex_hash,
            Some(above) => {
                above.children += 1;
                above.wildcard |= label == b"*\0";
                key::with_label(label, |label| above.hash.below(label))
            }
        };
        self.scratch.clear();
        node::write(&mut self.scratch, owner, records, self.hash_room);
        let place = self.store.push(&self.scratch)?;
        self.places.push(place);
        self.tags.push((hash.tag(), place));
        self.path.push(TreeLevel { place, hash, children: 0, wildcard: false });
        Ok(())
    }

    /// The zone, without a chain.
    pub(in crate::zone) fn finish(mut self, origin: Name) -> Result<Zone, ZoneFault> {
        self.ascend(0);
        let Self { apex_hash, store, places, tags, records, .. } = self;
        let mut zone = Zone {
            apex: places.first().copied().unwrap_or(NodeId(0)),
            apex_labels: origin.label_count(),
            origin,
            apex_hash,
            store,
            index: Index::build(tags.into_iter()),
            order: Order::build(&places),
            denial: Denial::Unsigned,
            others: Order::default(),
            serial: Serial(0),
            negative_ttl: 0,
            negative_soa: None,
            record_count: records,
            warnings: Box::default(),
            digest: DigestCell::default(),
        };
        let soa = zone.apex().set(RecordType::SOA);
        let Some((ttl, rdata)) = soa.and_then(|set| Some((set.ttl, set.rdata().next()?))) else {
            return Err(ZoneFault::NoSoa { origin: zone.origin });
        };
        let (serial, negative_ttl) = of_soa(rdata, ttl);
        let negative_soa = Prepared::new(&zone.origin, RecordType::SOA, negative_ttl, rdata);
        (zone.serial, zone.negative_ttl, zone.negative_soa) = (serial, negative_ttl, negative_soa);
        Ok(zone)
    }

    /// Leaves all but the first `kept` nodes of the path; their children are known now.
    fn ascend(&mut self, kept: usize) {
        while self.path.len() > kept {
            let Some(left) = self.path.pop().filter(|left| left.children > 0) else { continue };
            self.store.patch(left.place, CHILDREN, &left.children.to_le_bytes());
            if left.wildcard {
                let flags = self.store.node(left.place).flags() | flag::WILDCARD;
                self.store.patch(left.place, FLAGS, &[flags]);
            }
        }
    }
}

/// The name without its leftmost `removed` labels.
fn ancestor(name: &[u8], removed: usize) -> &[u8] {
    let mut rest = name;
    for _ in 0..removed {
        let label = rest.first().copied().map_or(0, usize::from);
        rest = rest.get(1 + label..).unwrap_or(&[]);
    }
    rest
}
