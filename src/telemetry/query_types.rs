//! Queries by QTYPE: a bounded number of counters, whatever clients ask for.
//!
//! A client may ask for 65,536 types. Those below 67, which hold nearly all that are in use, and some above have a counter of their
//! own; all others share one.

/// Types from here on have no counter of their own, but for [`HIGH`].
const LOW: u16 = 67;

/// Types above that are asked for: SPF, IXFR, AXFR, ANY, URI, CAA.
const HIGH: [u16; 6] = [99, 251, 252, 255, 256, 257];

/// Counters of types: those whose number is low, those of the list of higher ones, the others.
pub const QUERY_TYPES: usize = LOW as usize + HIGH.len() + 1;

/// The counter of this type.
pub fn slot_of_type(qtype: u16) -> usize {
    if qtype < LOW {
        return usize::from(qtype);
    }
    let high = match qtype {
        99 => 0,
        251 => 1,
        252 => 2,
        255 => 3,
        256 => 4,
        257 => 5,
        _ => HIGH.len(),
    };
    usize::from(LOW) + high
}

/// The type that a counter is for; `None` for the one that the others share.
pub fn type_of_slot(slot: usize) -> Option<u16> {
    match slot.checked_sub(usize::from(LOW)) {
        None => u16::try_from(slot).ok(),
        Some(high) => HIGH.get(high).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_counter_or_the_shared_one() {
        for qtype in 0..=u16::MAX {
            let slot = slot_of_type(qtype);
            assert!(slot < QUERY_TYPES);
            match type_of_slot(slot) {
                Some(of_slot) => assert_eq!(of_slot, qtype),
                None => assert_eq!(slot, QUERY_TYPES - 1, "{qtype}"),
            }
        }
        assert_eq!((0..QUERY_TYPES).filter(|slot| type_of_slot(*slot).is_none()).count(), 1);
    }
}
