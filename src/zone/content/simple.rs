//! The records of a zone in the order and form that a digest is made of (RFC 8976 section 3.3.1).

use sha2::Digest;
use sha2::digest::Output;

use crate::wire::{CLASS_IN, Name, RecordType, canonical_rdata};

use crate::zone::record::key::Key;
use crate::zone::store::compiled::{NodeRef, RrSet, Zone};

/// Octets that are hashed at once: the hash does best with many, and these stay in the first cache.
const BLOCK: usize = 16 * 1024;

/// The digest; `None` if `goes_on`, which is asked for each name, returns false.
pub(super) fn digest<D: Digest>(zone: &Zone, mut goes_on: impl FnMut() -> bool) -> Option<Output<D>> {
    let mut hash = D::new();
    let mut block = Vec::with_capacity(2 * BLOCK);
    let mut buffer = [0; Name::MAX_OCTETS];
    for node in in_order(zone) {
        if !goes_on() {
            return None;
        }
        let is_apex = node.is_same(zone.apex());
        let mut sets: Vec<RrSet<'_>> = node.sets().filter(|set| !is_apex || !is_left_out(*set)).collect();
        // At the apex the SOA record stands first in the zone; here types count as numbers. Signatures are one set.
        sets.sort_by_key(|set| set.record_type);
        let length = node.owner_into(&mut buffer).len();
        let owner = buffer.get_mut(..length)?;
        owner.make_ascii_lowercase();
        sets.iter().for_each(|set| write(&mut block, owner, *set));
        if block.len() >= BLOCK {
            hash.update(&block);
            block.clear();
        }
    }
    hash.update(&block);
    Some(hash.finalize())
}

/// The ZONEMD records of the apex, and what signs them.
fn is_left_out(set: RrSet<'_>) -> bool {
    set.record_type == RecordType::ZONEMD
        || set.record_type == RecordType::RRSIG && set.covered == RecordType::ZONEMD
}

fn write(block: &mut Vec<u8>, owner: &[u8], set: RrSet<'_>) {
    for rdata in set.rdata() {
        let lowered = canonical_rdata(set.record_type, rdata);
        let rdata = lowered.as_deref().unwrap_or(rdata);
        block.extend_from_slice(owner);
        block.extend_from_slice(&set.record_type.0.to_be_bytes());
        block.extend_from_slice(&CLASS_IN.to_be_bytes());
        block.extend_from_slice(&set.ttl.to_be_bytes());
        // RDLENGTH has 16 bits, and no RDATA is longer.
        block.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        block.extend_from_slice(rdata);
    }
}

/// All nodes in canonical order (RFC 4034 section 6.1): the owners of NSEC3 records, which the zone keeps apart, among the names.
fn in_order(zone: &Zone) -> Box<dyn Iterator<Item = NodeRef<'_>> + '_> {
    let names = zone.order.iter().map(|place| zone.node(place));
    let hashed = zone.members().chain(zone.others.iter().map(|place| zone.node(place)));
    let mut hashed: Vec<NodeRef<'_>> = hashed.collect();
    if hashed.is_empty() {
        return Box::new(names);
    }
    let key = |node: &NodeRef<'_>| Key::of_relative(node.node.owner()).as_octets().to_vec();
    hashed.sort_by_cached_key(key);
    let (mut names, mut hashed) = (names.peekable(), hashed.into_iter().peekable());
    Box::new(std::iter::from_fn(move || match (names.peek(), hashed.peek()) {
        (Some(name), Some(other)) if key(other) < key(name) => hashed.next(),
        (Some(_), _) => names.next(),
        (None, _) => hashed.next(),
    }))
}
