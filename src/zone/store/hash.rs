//! Hashes of names, label by label from the root down, so that a name's hash is a step away from its parent's.
//!
//! One hash serves every zone and every ancestor: the snapshot finds the zone with it, the zone the name. Seeded once
//! per process, so that nobody who writes a zone can make its names collide.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use crate::wire::Name;

/// Odd numbers without a pattern: the fractional digits of the golden ratio and of the square root of 2.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
const CLOSE: u64 = 0x6a09_e667_f3bc_c909;

/// The hash of a name, whatever its case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::zone) struct NameHash(u64);

impl NameHash {
    /// That of the root.
    pub(in crate::zone) fn root() -> Self {
        static SEED: OnceLock<u64> = OnceLock::new();
        Self(*SEED.get_or_init(|| RandomState::new().hash_one(0_u8)))
    }

    /// That of an absolute name, in any case.
    pub(in crate::zone) fn of(name: &Name) -> Self {
        let wire = name.as_wire().to_ascii_lowercase();
        Self::root().below_all(wire.strip_suffix(&[0]).unwrap_or(&[]))
    }

    /// That of the name one label below, the label in any case.
    pub(in crate::zone) fn below(self, label: &[u8]) -> Self {
        self.step(label, lower)
    }

    /// The same, the label in lower case.
    #[inline]
    pub(in crate::zone) fn below_lower(self, label: &[u8]) -> Self {
        self.step(label, |word| word)
    }

    #[inline]
    fn step(self, label: &[u8], lower: impl Fn(u64) -> u64) -> Self {
        let (words, _) = label.as_chunks::<8>();
        let mut hash = self.0;
        for word in words {
            hash = mix(hash ^ lower(u64::from_le_bytes(*word)), STEP);
        }
        // The length tells labels apart whose last octets look alike.
        Self(mix(hash ^ lower(last_word(label)), CLOSE ^ label.len() as u64))
    }

    /// That of the name which is left in wire form without its apex, below this name.
    pub(in crate::zone) fn below_all(self, relative: &[u8]) -> Self {
        let mut starts = [0_u8; 128];
        let (mut position, mut labels) = (0, 0);
        while let (Some(length), Some(start)) = (relative.get(position), starts.get_mut(labels)) {
            *start = position as u8;
            position += 1 + usize::from(*length);
            labels += 1;
        }
        starts.iter().take(labels).rev().fold(self, |hash, start| {
            let rest = relative.get(usize::from(*start)..).unwrap_or(&[]);
            let length = rest.first().copied().map_or(0, usize::from);
            hash.below(rest.get(1..=length).unwrap_or(&[]))
        })
    }

    /// All of it, for tables beyond the zone.
    pub(in crate::zone) fn key(self) -> u64 {
        self.0
    }

    /// 32 bits that tell names apart in an index.
    pub(in crate::zone) fn tag(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// The last octets of a label: eight that may overlap the words before, or all of a shorter one.
fn last_word(label: &[u8]) -> u64 {
    if let Some(word) = label.last_chunk::<8>() {
        return u64::from_le_bytes(*word);
    }
    if let (Some(first), Some(last)) = (label.first_chunk::<4>(), label.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last));
    }
    label.iter().fold(0, |word, octet| word << 8 | u64::from(*octet))
}

/// Eight octets with ASCII letters in lower case: an octet from `A` to `Z` is one that carries into its highest bit when
/// what is missing from `A` to 128 is added, and does not when what is missing from behind `Z` is.
fn lower(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let low = word & (ONES * 0x7f);
    let (from_a, past_z) = (low + ONES * (0x80 - b'A' as u64), low + ONES * (0x7f - b'Z' as u64));
    let upper = (from_a ^ past_z) & !word & (ONES * 0x80);
    word | upper >> 2
}

/// Both halves of the product: every bit of one factor has a say in many of the result.
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn step_by_step_is_all_at_once(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..6)) {
            let mut relative = Vec::new();
            for label in labels.iter().rev() {
                relative.push(label.len() as u8);
                relative.extend(label);
            }
            let apex = NameHash::root().below(b"example");
            let steps = labels.iter().fold(apex, |hash, label| hash.below(label));
            prop_assert_eq!(apex.below_all(&relative), steps);
            let any_case = labels.iter().fold(apex, |hash, label| hash.below(&label.to_ascii_uppercase()));
            let lower = labels.iter().fold(apex, |hash, label| hash.below(&label.to_ascii_lowercase()));
            prop_assert_eq!(any_case, lower);
            let known = labels.iter().fold(apex, |hash, label| hash.below_lower(&label.to_ascii_lowercase()));
            prop_assert_eq!(known, lower);
        }
    }

    #[test]
    fn lower_case_is_that_of_each_octet() {
        for octet in 0..=255_u8 {
            let word = [octet, 0xff, octet, b'@', octet, b'Z', 0, octet];
            assert_eq!(
                lower(u64::from_le_bytes(word)).to_le_bytes(),
                word.map(|octet| octet.to_ascii_lowercase())
            );
        }
    }

    #[test]
    fn neighbours_spread_over_all_tags() {
        let apex = NameHash::root().below(b"example");
        let mut tags: Vec<u32> =
            (0..10_000).map(|number| apex.below(format!("n{number}").as_bytes()).tag()).collect();
        tags.sort_unstable();
        tags.dedup();
        // 10,000 of 2^32: a pair that collides comes up once in 86 runs, ten such pairs never.
        assert!(tags.len() > 9_990, "{}", tags.len());
        let pages = 16;
        for page in 0..pages {
            let in_page = tags.iter().filter(|tag| (u64::from(**tag) * pages) >> 32 == page).count();
            assert!((450..800).contains(&in_page), "{in_page} of 10,000 in one of 16");
        }
    }
}
