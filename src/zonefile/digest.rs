//! One number for the content of a zone, whatever its file looks like.

use sha2::{Digest, Sha256};

use crate::wire::{Name, RecordType};
use crate::zone::Zone;

/// Octets that are hashed at once: the hash does best with many, and these stay in the first cache. A small zone has fewer.
const BLOCK: usize = 16 * 1024;
/// Octets that a record takes here, roughly.
const RECORD_ROOM: usize = 64;
/// What stands before an owner, and before a record of the owner that came last.
const OWNER: u8 = 1;
const RECORD: u8 = 0;

/// SHA-256 over the records in canonical order, so independent of their order in the file, and of the SOA's serial;
/// owner names count in lower case (RFC 4343), once for all their records, RDATA as it is.
pub fn digest(zone: &Zone) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(zone.origin().to_lowercase().as_wire());
    let room = zone.record_count().saturating_mul(RECORD_ROOM).min(2 * BLOCK);
    let (mut block, mut last) = (Vec::with_capacity(room), Vec::with_capacity(Name::MAX_OCTETS));
    zone.for_each_record(|owner, record_type, ttl, rdata| {
        if !last.eq_ignore_ascii_case(owner) {
            last.clear();
            last.extend_from_slice(owner);
            block.push(OWNER);
            block.extend(owner.iter().map(u8::to_ascii_lowercase));
        }
        block.push(RECORD);
        block.extend_from_slice(&record_type.0.to_be_bytes());
        block.extend_from_slice(&ttl.to_be_bytes());
        // At most 65,535 octets.
        block.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        block.extend_from_slice(rdata);
        if record_type == RecordType::SOA {
            clear_serial(&mut block);
        }
        if block.len() >= BLOCK {
            hash.update(&block);
            block.clear();
        }
    });
    hash.update(&block);
    hash.finalize().into()
}

/// The serial is the first of the five numbers that end the RDATA (RFC 1035 section 3.3.13).
fn clear_serial(record: &mut [u8]) {
    let Some(start) = record.len().checked_sub(20) else { return };
    if let Some(serial) = record.get_mut(start..start + 4) {
        serial.fill(0);
    }
}
