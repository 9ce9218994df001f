//! Zones in buckets by the hash of their names, and by bucket a sum over what is served: two POPs that serve the same have the same sums.
//!
//! The hash is the same in every POP and in every version of anyns. It finds differences and protects from nobody, so its key is zero.

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use siphasher::sip::SipHasher24;

/// Into how many buckets zones are put by their names. Two POPs with 300,000 zones that differ in one of them compare 256 numbers and
/// then some 1,200 serials.
pub const BUCKETS: usize = 256;

/// The bucket of a zone.
#[must_use]
pub fn bucket(name: &str) -> u8 {
    bucket_of(hash(name, &[]))
}

/// The hash of a zone with this serial; `None`: it is not served.
#[must_use]
pub fn serial_digest(name: &str, serial: Option<u32>) -> u64 {
    serial.map_or(0, |serial| hash(name, &serial.to_be_bytes()))
}

fn bucket_of(hash: u64) -> u8 {
    let [first, ..] = hash.to_be_bytes();
    first
}

/// Of a name without regard to case, and of what follows it.
fn hash(name: &str, more: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new();
    match name.bytes().any(|octet| octet.is_ascii_uppercase()) {
        false => hasher.write(name.as_bytes()),
        true => hasher.write(name.to_ascii_lowercase().as_bytes()),
    }
    if !more.is_empty() {
        hasher.write_u8(0);
        hasher.write(more);
    }
    hasher.finish()
}

/// By bucket, what is served there. One thread writes; others read at any time, and may see a change of a zone by half: it is whole soon.
#[derive(Debug)]
pub struct ContentSums {
    buckets: Vec<ContentSum>,
}

#[derive(Debug, Default)]
struct ContentSum {
    contents: AtomicU64,
    serials: AtomicU64,
}

/// What a zone adds to the sums of its bucket; zero while its content is not known.
#[derive(Clone, Copy, Debug, Default)]
struct Added {
    content: u64,
    serial: u64,
}

impl Default for ContentSums {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| ContentSum::default()).collect() }
    }
}

impl ContentSums {
    /// By bucket, the sum over the contents that are known.
    #[must_use]
    pub fn contents(&self) -> Vec<u64> {
        self.buckets.iter().map(|bucket| bucket.contents.load(Relaxed)).collect()
    }

    /// By bucket, the sum of the digests of serials ([`serial_digest`]) of the zones whose contents are known: where it is that of all
    /// zones that are served, none is missing.
    #[must_use]
    pub fn serials(&self) -> Vec<u64> {
        self.buckets.iter().map(|bucket| bucket.serials.load(Relaxed)).collect()
    }

    fn change(&self, bucket: u8, before: Added, now: Added) {
        let Some(place) = self.buckets.get(usize::from(bucket)) else { return };
        let step = |sum: &AtomicU64, before: u64, now: u64| {
            sum.store(sum.load(Relaxed).wrapping_sub(before).wrapping_add(now), Relaxed);
        };
        step(&place.contents, before.content, now.content);
        step(&place.serials, before.serial, now.serial);
    }
}

/// Keeps the sums: remembers what each zone added, by the hash of its name.
#[derive(Debug, Default)]
pub struct ContentTable {
    added: HashMap<u64, Added>,
    sums: Arc<ContentSums>,
}

impl ContentTable {
    /// Keeps these sums, which others read.
    #[must_use]
    pub fn new(sums: Arc<ContentSums>) -> Self {
        Self { added: HashMap::new(), sums }
    }

    /// The zone is served under this serial with the content of this digest; `None`: it is not served, or the digest is not made.
    pub fn set(&mut self, name: &str, content: Option<(u32, &[u8])>) {
        let key = hash(name, &[]);
        let now = content.map(|(serial, digest)| Added {
            content: hash(name, digest),
            serial: serial_digest(name, Some(serial)),
        });
        let before = match now {
            Some(now) => self.added.insert(key, now),
            None => self.added.remove(&key),
        };
        self.sums.change(bucket_of(key), before.unwrap_or_default(), now.unwrap_or_default());
    }

    /// Nothing is known of any zone.
    pub fn clear(&mut self) {
        for (key, before) in self.added.drain() {
            self.sums.change(bucket_of(key), before, Added::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXED: (u8, u64) = (250, 961_820_786_242_823_727);

    #[test]
    fn digests_tell_serials_apart_and_letters_of_names_not() {
        assert_eq!(serial_digest("A.example.", Some(1)), serial_digest("a.EXAMPLE.", Some(1)));
        assert_ne!(serial_digest("a.example.", Some(1)), serial_digest("a.example.", Some(2)));
        assert_ne!(serial_digest("a.example.", Some(1)), serial_digest("b.example.", Some(1)));
        assert_eq!(serial_digest("a.example.", None), 0);
        assert_eq!(bucket("A.example."), bucket("a.example."));
        // Fixed: POPs of different versions compare them.
        assert_eq!((bucket("example.org."), serial_digest("example.org.", Some(7))), FIXED);
    }

    #[test]
    fn sums_depend_on_what_is_served_and_not_on_how_it_came() {
        let after = |steps: &[(&str, Option<u8>)]| {
            let sums = Arc::new(ContentSums::default());
            let mut table = ContentTable::new(sums.clone());
            for (name, digest) in steps {
                let digest = digest.map(|digest| [digest; 48]);
                table.set(name, digest.as_ref().map(|digest| (7, digest.as_slice())));
            }
            let all = (sums.contents(), sums.serials());
            table.clear();
            assert_eq!((sums.contents(), sums.serials()), (vec![0; BUCKETS], vec![0; BUCKETS]));
            all
        };
        let plain = after(&[("a.", Some(1)), ("b.", Some(2))]);
        let detour =
            [("B.", Some(1)), ("c.", Some(1)), ("b.", Some(2)), ("A.", None), ("a.", Some(1)), ("c.", None)];
        assert_eq!(after(&detour), plain);
        let other = after(&[("a.", Some(1)), ("b.", Some(3))]);
        let differing: Vec<usize> = (0..BUCKETS).filter(|at| plain.0[*at] != other.0[*at]).collect();
        assert_eq!((differing, &other.1), (vec![usize::from(bucket("b."))], &plain.1));
        let mut serials = vec![0_u64; BUCKETS];
        for name in ["a.", "b."] {
            let sum = &mut serials[usize::from(bucket(name))];
            *sum = sum.wrapping_add(serial_digest(name, Some(7)));
        }
        assert_eq!(plain.1, serials, "the same as of all that is served");
        assert_ne!(after(&[("a.", Some(1)), ("b.", None)]).1, serials, "one is missing");
    }
}
