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
/// Where a catalog says up to which serial its operator accepted many removals: a property of ours (section 4.5).
pub(super) const ACCEPTED: [&[u8]; 3] = [b"accepted", b"anyns", b"ext"];

/// Where a catalog says that removals wait for an operator: a property of ours.
pub(super) const WAITS: [&[u8]; 3] = [b"waits", b"anyns", b"ext"];

/// Below this, by its first label, a catalog says in which version a zone was removed: a property of ours.
pub(super) const REMOVED: [&[u8]; 3] = [b"removed", b"anyns", b"ext"];

/// A zone that is to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedMember {
    /// The zone.
    pub name: Name,
    /// What makes its node unique; at most 63 octets: [`label_of`], or what it has already.
    pub label: Box<[u8]>,
    /// The groups that it is in; at most 255 octets of each count.
    pub groups: Vec<Box<[u8]>>,
    /// The catalog that may take it over (section 4.4.1).
    pub new_owner: Option<Name>,
}

/// The label of a zone that is listed now: it comes from the name, so that a producer that has lost its memory gives the same. A zone that
/// was removed, in the version with this serial, may be another one now, and has another label (section 5.4).
pub fn label_of(member: &Name, removed: Option<Serial>) -> Box<[u8]> {
    let mut hash = Sha256::new_with_prefix(member.to_lowercase().as_wire());
    if let Some(Serial(serial)) = removed {
        hash.update(serial.to_be_bytes());
    }
    let label = BASE32HEX_NOPAD.encode(hash.finalize().get(..LABEL_OCTETS).unwrap_or_default());
    label.to_ascii_lowercase().into_bytes().into()
}

/// The records of a catalog zone of version 2 with these members.
///
/// # Errors
/// The name of the catalog leaves no room for the names of its members.
pub fn catalog_records(
    catalog: &Name,
    serial: Serial,
    members: &[ListedMember],
) -> Result<RecordBatch, NameError> {
    let mut batch = RecordBatch::new(catalog);
    soa_into(&mut batch, serial);
    push(&mut batch, catalog, RecordType::NS, b"\x07invalid\0");
    push(&mut batch, &Name::from_text(b"version", catalog)?, RecordType::TXT, b"\x012");
    members.iter().try_for_each(|member| member_into(&mut batch, member))?;
    Ok(batch)
}

/// Adds the SOA record of a catalog with this serial.
pub fn soa_into(batch: &mut RecordBatch, serial: Serial) {
    let invalid: &[u8] = b"\x07invalid\0";
    let numbers = [&[serial.0][..], &TIMERS].concat();
    let numbers: Vec<u8> = numbers.into_iter().flat_map(u32::to_be_bytes).collect();
    let catalog = batch.origin().clone();
    push(batch, &catalog, RecordType::SOA, &[invalid, invalid, &numbers].concat());
}

/// Adds the records of a member.
///
/// # Errors
/// The name of the catalog leaves no room for it.
pub fn member_into(batch: &mut RecordBatch, member: &ListedMember) -> Result<(), NameError> {
    let zones =
        [&[member.label.len() as u8], &*member.label, b"\x05zones", batch.origin().as_wire()].concat();
    let node = Name::from_wire(&zones)?;
    push(batch, &node, RecordType::PTR, member.name.as_wire());
    if let Some(owner) = &member.new_owner {
        push(batch, &Name::from_text(b"coo", &node)?, RecordType::PTR, owner.as_wire());
    }
    let group = Name::from_text(b"group", &node)?;
    for text in &member.groups {
        let text = text.get(..text.len().min(255)).unwrap_or_default();
        push(batch, &group, RecordType::TXT, &[&[text.len() as u8], text].concat());
    }
    Ok(())
}

/// Adds that many removals were accepted, the last time in the version with this serial.
///
/// # Errors
/// The name of the catalog leaves no room for it.
pub fn accepted_into(batch: &mut RecordBatch, serial: Serial) -> Result<(), NameError> {
    let owner = Name::from_text(ACCEPTED.join(&b"."[..]).as_slice(), &batch.origin().clone())?;
    let text = serial.0.to_string();
    push(batch, &owner, RecordType::TXT, &[&[text.len() as u8], text.as_bytes()].concat());
    Ok(())
}

/// Adds that the zone with this first label was removed in the version with this serial: a property of ours. Left out where the name of the
/// catalog leaves no room: then the zone has its first label when it is listed again.
pub fn removed_into(batch: &mut RecordBatch, label: &[u8], serial: Serial) {
    let path = [&[label][..], &REMOVED].concat().join(&b"."[..]);
    let Ok(owner) = Name::from_text(&path, &batch.origin().clone()) else { return };
    let text = serial.0.to_string();
    push(batch, &owner, RecordType::TXT, &[&[text.len() as u8], text.as_bytes()].concat());
}

/// Adds that removals wait for an operator. Left out where the name of the catalog leaves no room: then what waits is not known after a
/// restart.
pub fn waits_into(batch: &mut RecordBatch) {
    let Ok(owner) = Name::from_text(&WAITS.join(&b"."[..]), &batch.origin().clone()) else { return };
    push(batch, &owner, RecordType::TXT, b"\x011");
}

fn push(batch: &mut RecordBatch, owner: &Name, record_type: RecordType, rdata: &[u8]) {
    batch.push(owner.as_wire(), record_type, TTL, rdata, Place::default());
}
