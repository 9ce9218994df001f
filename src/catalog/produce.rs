//! A list of zones as a catalog zone (RFC 9432 section 4).

use data_encoding::BASE32HEX_NOPAD;
use sha2::{Digest as _, Sha256};

use crate::wire::{Name, NameError, RecordType, Serial};
use crate::zone::{Place, RecordBatch};

/// The TTL of all records: consumers read the zone whole, resolvers do not ask for it (section 3 proposes 0).
const TTL: u32 = 0;
/// Octets of a member's hash in its label: 160 bits, so that no two members of a million share one.
const LABEL_OCTETS: usize = 20;
/// REFRESH, RETRY, EXPIRE and MINIMUM: NOTIFY brings changes at once, the list is valid for two weeks without its producer.
const TIMERS: [u32; 4] = [3600, 600, 1_209_600, 0];

/// A zone that is to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedMember {
    /// The zone.
    pub name: Name,
    /// The groups that it is in; at most 255 octets of each count.
    pub groups: Vec<Box<[u8]>>,
}

/// The records of a catalog zone of version 2 with these members. A member's label comes from its name, so it stays the same.
///
/// # Errors
/// The name of the catalog leaves no room for the names of its members.
pub fn catalog_records(
    catalog: &Name,
    serial: Serial,
    members: &[ListedMember],
) -> Result<RecordBatch, NameError> {
    let mut batch = RecordBatch::new(catalog);
    let mut push = |owner: &Name, record_type, rdata: &[u8]| {
        batch.push(owner.as_wire(), record_type, TTL, rdata, Place::default());
    };
    let invalid: &[u8] = b"\x07invalid\0";
    let numbers = [&[serial.0][..], &TIMERS].concat();
    let numbers: Vec<u8> = numbers.into_iter().flat_map(u32::to_be_bytes).collect();
    push(catalog, RecordType::SOA, &[invalid, invalid, &numbers].concat());
    push(catalog, RecordType::NS, invalid);
    push(&Name::from_text(b"version", catalog)?, RecordType::TXT, b"\x012");
    for member in members {
        let node = node_of(&member.name, catalog)?;
        push(&node, RecordType::PTR, member.name.as_wire());
        let group = Name::from_text(b"group", &node)?;
        for text in &member.groups {
            let text = text.get(..text.len().min(255)).unwrap_or_default();
            push(&group, RecordType::TXT, &[&[text.len() as u8], text].concat());
        }
    }
    Ok(batch)
}

fn node_of(member: &Name, catalog: &Name) -> Result<Name, NameError> {
    let hash = Sha256::digest(member.to_lowercase().as_wire());
    let label = BASE32HEX_NOPAD.encode(hash.get(..LABEL_OCTETS).unwrap_or_default()).to_ascii_lowercase();
    Name::from_text(format!("{label}.zones").as_bytes(), catalog)
}
