//! Which zones have different serials. Pure.

use std::collections::BTreeMap;

use super::summary::ZoneDifference;
use crate::control::BUCKETS;

/// The buckets whose digests differ. A POP without digests (an older anyns, or one that has just begun) is left out.
pub(super) fn differing_buckets(digests: &[&[u64]]) -> Vec<u8> {
    let known: Vec<&[u64]> = digests.iter().copied().filter(|digests| digests.len() == BUCKETS).collect();
    let Some((first, others)) = known.split_first() else { return Vec::new() };
    let differs = |bucket: &u8| {
        let at = |digests: &[u64]| digests.get(usize::from(*bucket)).copied();
        others.iter().any(|other| at(other) != at(first))
    };
    (0..=u8::MAX).filter(differs).collect()
}

/// The zones whose serials differ, by name; `listings` has the serials of some buckets by POP.
pub(super) fn differences(
    listings: &[(String, Vec<(String, u32)>)],
    most: usize,
) -> (Vec<ZoneDifference>, bool) {
    let mut zones: BTreeMap<String, Vec<Option<u32>>> = BTreeMap::new();
    for (index, (_, serials)) in listings.iter().enumerate() {
        for (zone, serial) in serials {
            let row = zones.entry(zone.to_ascii_lowercase()).or_insert_with(|| vec![None; listings.len()]);
            if let Some(place) = row.get_mut(index) {
                *place = Some(*serial);
            }
        }
    }
    zones.retain(|_, row| row.iter().any(|serial| Some(serial) != row.first()));
    let is_cut = zones.len() > most;
    let named = |(zone, row): (String, Vec<Option<u32>>)| ZoneDifference {
        zone,
        serials: listings.iter().map(|(pop, _)| pop.clone()).zip(row).collect(),
    };
    (zones.into_iter().take(most).map(named).collect(), is_cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_that_differ_are_found_and_a_pop_without_digests_is_left_out() {
        let same = vec![7; BUCKETS];
        let mut other = same.clone();
        other[3] = 8;
        other[255] = 9;
        assert!(differing_buckets(&[]).is_empty());
        assert!(differing_buckets(&[&same, &same, &[]]).is_empty());
        assert_eq!(differing_buckets(&[&same, &[], &other, &same]), [3, 255]);
    }

    #[test]
    fn zones_with_other_serials_and_zones_that_one_pop_lacks_are_named() {
        let listing = |pop: &str, serials: &[(&str, u32)]| {
            (pop.to_owned(), serials.iter().map(|(zone, serial)| ((*zone).to_owned(), *serial)).collect())
        };
        let listings = [
            listing("ams1", &[("a.", 1), ("b.", 2), ("c.", 3)]),
            listing("fra1", &[("A.", 1), ("b.", 1), ("d.", 3)]),
        ];
        let (found, is_cut) = differences(&listings, 2);
        let row = |zone: &str, ams, fra| ZoneDifference {
            zone: zone.into(),
            serials: vec![("ams1".into(), ams), ("fra1".into(), fra)],
        };
        assert_eq!((found, is_cut), (vec![row("b.", Some(2), Some(1)), row("c.", Some(3), None)], true));
    }
}
