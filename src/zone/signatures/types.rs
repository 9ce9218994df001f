//! Type bit maps of NSEC and NSEC3 records (RFC 4034 section 4.1.2, RFC 5155 section 3.2.1) beside the types that are there.

use crate::wire::{RecordType, name_length};
use crate::zone::store::compiled::NodeRef;

use crate::zone::signatures::fault::Problem;

/// What is wrong with the bit map that a name has; `denial` is the type of the record it is in.
pub(super) fn faults(node: NodeRef<'_>, denial: RecordType) -> Vec<Problem> {
    let Some(map) = map_of(node, denial) else { return Vec::new() };
    // An NSEC record in a zone that denies with NSEC3 is of no use and in no bit map of its chain.
    let counts = |of: &RecordType| denial == RecordType::NSEC || *of != RecordType::NSEC;
    let left_out = node.sets().map(|set| set.record_type).filter(|of| is_listed(node, *of)).filter(counts);
    let left_out = left_out.filter(|of| !has(map, *of)).map(|of| Problem::TypeLeftOut(denial, of));
    let is_there = |of: &RecordType| is_listed(node, *of) && node.set(*of).is_some();
    let not_there = listed(map).filter(|of| !is_there(of)).filter(counts);
    let mut faults: Vec<Problem> = left_out.collect();
    // The RRSIG records are several sets.
    faults.dedup();
    faults.extend(not_there.map(|of| Problem::TypeNotThere(denial, of)));
    faults
}

/// The bit map of the record that speaks for a name, if there is one.
fn map_of(node: NodeRef<'_>, denial: RecordType) -> Option<&[u8]> {
    if denial == RecordType::NSEC {
        let rdata = node.set(RecordType::NSEC)?.rdata().next()?;
        return rdata.get(name_length(rdata).ok()?..);
    }
    map_of_nsec3(node.zone().nsec3_of(node)?.set(RecordType::NSEC3)?.rdata().next()?)
}

/// The bit map of NSEC3 RDATA.
pub(super) fn map_of_nsec3(rdata: &[u8]) -> Option<&[u8]> {
    let (salt, rest) = rdata.get(4..)?.split_first()?;
    let (next, rest) = rest.get(usize::from(*salt)..)?.split_first()?;
    rest.get(usize::from(*next)..)
}

/// Whether a type that is at a name belongs into its bit map: at a delegation only what this side of the cut has (RFC 4035
/// section 2.3).
fn is_listed(node: NodeRef<'_>, record_type: RecordType) -> bool {
    const AT_CUT: [RecordType; 4] = [RecordType::NS, RecordType::DS, RecordType::NSEC, RecordType::RRSIG];
    !node.is_cut() || AT_CUT.contains(&record_type)
}

/// The types of a bit map, as far as it is one.
fn listed(map: &[u8]) -> impl Iterator<Item = RecordType> {
    windows(map).flat_map(|(window, bits)| {
        let set = (0..bits.len() * 8)
            .filter(|bit| bits.get(bit / 8).is_some_and(|octet| octet & 0x80 >> (bit % 8) != 0));
        set.map(move |bit| RecordType(u16::from(window) << 8 | bit as u16))
    })
}

fn has(map: &[u8], record_type: RecordType) -> bool {
    let [window, bit] = record_type.0.to_be_bytes();
    let mut own = windows(map).filter(|(number, _)| *number == window);
    let octet = own.find_map(|(_, bits)| bits.get(usize::from(bit) / 8));
    octet.is_some_and(|octet| octet & 0x80 >> (bit % 8) != 0)
}

/// The windows of a bit map, as far as they are well-formed.
fn windows(map: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = map;
    std::iter::from_fn(move || {
        let [window, length, after @ ..] = rest else { return None };
        // At most 32 octets, so that no bit is of the next window.
        let (bits, next) = after.split_at_checked(usize::from(*length)).filter(|_| *length <= 32)?;
        rest = next;
        Some((*window, bits))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_maps_are_read_as_rfc4034_section_4_3_writes_them() {
        let map = b"\x00\x06\x40\x01\x00\x00\x00\x03\x04\x1b\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x20";
        let types = [RecordType::A, RecordType::MX, RecordType::RRSIG, RecordType::NSEC, RecordType(1234)];
        assert_eq!(listed(map).collect::<Vec<_>>(), types);
        assert!(
            types.iter().all(|of| has(map, *of)) && !has(map, RecordType::NS) && !has(map, RecordType(5000))
        );
        assert_eq!(listed(b"\0\x21").count() + listed(b"\0\x02\x40").count() + listed(b"\0").count(), 0);
        assert_eq!(map_of_nsec3(b"\x01\0\0\0\x01s\x02hh\0\x01\x40"), Some(&b"\0\x01\x40"[..]));
        assert_eq!(map_of_nsec3(b"\x01\0\0\0\x09s"), None);
    }
}
