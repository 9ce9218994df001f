//! Sorted records in, a compiled zone out: nodes in canonical order, empty non-terminals added, cuts marked.

use crate::wire::{Name, RecordType, Serial, name_length};

use super::ZoneFault;
use super::batch::Entry;
use super::compiled::{NO_NODE, Node, SetHead, Zone};
use super::key;

/// Compiles records that are sorted by key, type and RDATA, and checked.
pub(super) fn compile(origin: Name, entries: &[Entry<'_>]) -> Result<Zone, ZoneFault> {
    let apex = entries.iter().find(|entry| entry.record_type == RecordType::SOA);
    let Some(soa) = apex else { return Err(ZoneFault::NoSoa { origin }) };
    let tail = |back: usize| {
        let at = soa.rdata().len().saturating_sub(back);
        soa.rdata().get(at..at + 4).and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_be_bytes)
    };
    let (serial, minimum) = (Serial(tail(20)), tail(4));
    // RFC 2308 section 3: the lower of the SOA's own TTL and its MINIMUM field.
    let negative_ttl = soa.ttl.min(minimum);
    let mut compiler = Compiler { zone: Zone::empty(origin, serial, negative_ttl), path: Vec::new() };
    for node in entries.chunk_by(Entry::is_beside) {
        compiler.node(node);
    }
    compiler.zone.name_count = compiler.zone.nodes.len();
    Ok(compiler.zone)
}

struct Compiler {
    zone: Zone,
    /// The node at each depth on the way to the last one, and where its key ends.
    path: Vec<u32>,
}

impl Compiler {
    /// Adds the node of these records, and the empty non-terminals above it that are not there yet.
    fn node(&mut self, records: &[Entry<'_>]) {
        let Some(first) = records.first() else { return };
        let (key, depth) = (first.key(), key::labels(first.key()));
        let last = self.zone.nodes.last().map(|node| node.key as usize);
        let known =
            last.map_or(0, |start| 1 + key::shared_labels(self.zone.keys.get(start..).unwrap_or(&[]), key));
        self.path.truncate(known);
        let mut end = (0..known.saturating_sub(1)).fold(0, |end, _| key::label_end(key, end));
        for level in known..=depth {
            end = if level == 0 { 0 } else { key::label_end(key, end) };
            let owner = ancestor(first.owner(), depth - level);
            self.add(key.get(..end).unwrap_or(key), owner, level == depth && has(records, RecordType::NS));
            if level == depth && has(records, RecordType::DNAME) {
                self.set_flag(|node| node.has_dname = true);
            }
        }
        self.zone.push_sets(records);
    }

    /// Adds one node below the end of the path.
    fn add(&mut self, key: &[u8], owner: &[u8], has_ns: bool) {
        let zone = &mut self.zone;
        let index = zone.nodes.len() as u32;
        let parent = self.path.last().copied().unwrap_or(NO_NODE);
        let above = zone.nodes.get(parent as usize);
        let cover = match above {
            Some(above) if above.cover != NO_NODE => above.cover,
            Some(above) if above.has_dname => parent,
            Some(_) if has_ns => index,
            _ => NO_NODE,
        };
        zone.nodes.push(Node {
            key: zone.keys.len() as u32,
            name: zone.names.len() as u32,
            first_set: zone.sets.len() as u32,
            parent,
            cover,
            wildcard: NO_NODE,
            labels: self.path.len() as u8,
            has_dname: false,
        });
        zone.keys.extend_from_slice(key);
        let kept = owner.len().saturating_sub(zone.origin.as_wire().len());
        zone.names.extend_from_slice(owner.get(..kept).unwrap_or(&[]));
        if owner.starts_with(b"\x01*")
            && let Some(above) = zone.nodes.get_mut(parent as usize)
        {
            above.wildcard = index;
        }
        self.path.push(index);
    }

    fn set_flag(&mut self, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.zone.nodes.last_mut() {
            change(node);
        }
    }
}

impl Zone {
    /// Adds the RRsets of the last node.
    pub(super) fn push_sets(&mut self, records: &[Entry<'_>]) {
        let sets = records.chunk_by(Entry::is_of_set);
        for set in sets {
            let Some(first) = set.first() else { continue };
            self.sets.push(SetHead {
                record_type: first.record_type,
                covered: first.covered(),
                ttl: set.iter().map(|record| record.ttl).min().unwrap_or(0),
                rdata: self.rdata.len() as u32,
            });
            for record in set {
                // At most 65,535 octets, which the check has seen to.
                self.rdata.extend_from_slice(&(record.rdata().len() as u16).to_be_bytes());
                self.rdata.extend_from_slice(record.rdata());
            }
        }
    }
}

fn has(records: &[Entry<'_>], wanted: RecordType) -> bool {
    records.iter().any(|record| record.record_type == wanted)
}

/// The name without its leftmost `removed` labels.
fn ancestor(name: &[u8], removed: usize) -> &[u8] {
    let mut rest = name;
    for _ in 0..removed {
        let label = rest.first().copied().map_or(0, usize::from);
        rest = rest.get(1 + label..).unwrap_or(&[0]);
    }
    debug_assert_eq!(name_length(rest), Ok(rest.len()));
    rest
}
