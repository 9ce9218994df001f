//! A record made ready at load: its names that end in the zone's apex end in pointers to the apex of the question.
//!
//! In an answer whose QNAME is at or below the apex it is copied whole; only the pointers are filled in.

use super::{CLASS_IN, Name, RecordType, compressible, name_length};

/// Octets in front of the RDATA: the pointer of the owner, type, class, TTL and length.
const HEAD: usize = 12;

/// A record whose owner is the apex.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(super) octets: Box<[u8]>,
    /// Where in `octets` pointers to the apex stand; the first is the owner.
    pub(super) pointers: Box<[u16]>,
}

impl Prepared {
    /// Makes the record ready; `None` if a pointer would not pay: at the root, and if the RDATA is not what its type has.
    pub fn new(apex: &Name, record_type: RecordType, ttl: u32, rdata: &[u8]) -> Option<Self> {
        if apex.is_root() {
            return None;
        }
        let mut octets = Vec::with_capacity(HEAD + rdata.len());
        // Its owner, and as a rule one or two names.
        let mut pointers = Vec::with_capacity(3);
        octets.extend_from_slice(&[0; 2]);
        pointers.push(0);
        octets.extend_from_slice(&record_type.0.to_be_bytes());
        octets.extend_from_slice(&CLASS_IN.to_be_bytes());
        octets.extend_from_slice(&ttl.to_be_bytes());
        octets.extend_from_slice(&[0; 2]);
        let start = octets.len();
        let mut rest = rdata;
        if let Some(names) = compressible(record_type) {
            let (before, after) = rest.split_at_checked(names.before)?;
            octets.extend_from_slice(before);
            rest = after;
            for _ in 0..names.names {
                let (name, after) = rest.split_at_checked(name_length(rest).ok()?)?;
                push_name(&mut octets, &mut pointers, name, apex.as_wire());
                rest = after;
            }
        }
        octets.extend_from_slice(rest);
        let length = u16::try_from(octets.len() - start).ok()?;
        octets.get_mut(start - 2..start)?.copy_from_slice(&length.to_be_bytes());
        Some(Self { octets: octets.into(), pointers: pointers.into() })
    }
}

/// Adds a name, with room for a pointer in place of the apex.
fn push_name(octets: &mut Vec<u8>, pointers: &mut Vec<u16>, name: &[u8], apex: &[u8]) {
    let mut position = 0;
    while let Some(rest) = name.get(position..).filter(|rest| rest.len() >= apex.len()) {
        if rest.eq_ignore_ascii_case(apex) {
            octets.extend_from_slice(name.get(..position).unwrap_or(&[]));
            // RDATA has at most 65,535 octets.
            pointers.push(octets.len() as u16);
            return octets.extend_from_slice(&[0; 2]);
        }
        position += 1 + rest.first().copied().map_or(0, usize::from);
    }
    octets.extend_from_slice(name);
}
