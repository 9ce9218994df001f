//! One number for the content of a zone, whatever its file looks like.

use sha2::{Digest, Sha256};

use crate::wire::RecordType;
use crate::zone::Zone;

/// SHA-256 over the records, independent of their order and of the SOA's serial; owner names count in lower case
/// (RFC 4343), RDATA as it is.
///
/// Each record is hashed by itself and the hashes are added modulo 2^256, so nothing is sorted or kept. A sum can be
/// made to collide on purpose with much work; this tells a changed zone from an unchanged one, no friend from foe.
pub(super) fn digest(zone: &Zone) -> [u8; 32] {
    let mut sum = [0_u64; 4];
    let mut buffer = Vec::new();
    for record in zone.records() {
        buffer.clear();
        buffer.extend(record.owner.as_wire().iter().map(u8::to_ascii_lowercase));
        buffer.extend_from_slice(&record.record_type.0.to_be_bytes());
        buffer.extend_from_slice(&record.ttl.to_be_bytes());
        buffer.extend_from_slice(&record.rdata);
        if record.record_type == RecordType::SOA {
            clear_serial(&mut buffer);
        }
        add(&mut sum, &Sha256::digest(&buffer));
    }
    let mut whole = Sha256::new();
    whole.update(zone.origin().to_lowercase().as_wire());
    for limb in sum {
        whole.update(limb.to_be_bytes());
    }
    whole.finalize().into()
}

/// The serial is the first of the five numbers that end the RDATA (RFC 1035 section 3.3.13).
fn clear_serial(record: &mut [u8]) {
    let Some(start) = record.len().checked_sub(20) else { return };
    if let Some(serial) = record.get_mut(start..start + 4) {
        serial.fill(0);
    }
}

fn add(sum: &mut [u64; 4], hash: &[u8]) {
    let mut carry = false;
    for (limb, octets) in sum.iter_mut().zip(hash.chunks_exact(8)) {
        let addend = octets.try_into().map_or(0, u64::from_le_bytes);
        let (low, first) = limb.overflowing_add(addend);
        let (low, second) = low.overflowing_add(u64::from(carry));
        *limb = low;
        carry = first || second;
    }
}
