//! Whether the DS records of a zone, in a zone above it that is served here too, match one of its keys (RFC 4035 section 5.2).
//!
//! Two versions flow in, a word flows out. Costs a digest for each DS and key of the same tag. Only warns: either zone may be the one that
//! is late, and both are served.

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384};

use crate::wire::{LookupName, RecordType};
use crate::zone::{Snapshot, Zone};

/// Octets of DS RDATA in front of the digest: key tag, algorithm, digest type (RFC 4034 section 5.1).
const HEAD: usize = 4;
/// The digest types (IANA "Digest Algorithms"). Others are not judged.
const SHA1: u8 = 1;
const SHA256: u8 = 2;
const SHA384: u8 = 4;

/// The zone above, if its DS records match no key of the zone, so that validating resolvers call the zone bogus.
pub(in crate::publish) fn broken_above<'s>(served: &'s Snapshot, zone: &Zone) -> Option<&'s Zone> {
    // The root has nothing above it.
    let removed = usize::from(!zone.origin().is_root());
    let above = served.closest_zone(&LookupName::from(zone.origin()), removed).filter(|_| removed > 0)?;
    let delegation = above.find(&LookupName::from(zone.origin()))?;
    let set = delegation.set(RecordType::DS)?;
    // One that is not known may be the one that counts.
    let is_known = set.rdata().all(|ds| ds.get(3).is_some_and(|kind| [SHA1, SHA256, SHA384].contains(kind)));
    (is_known && !set.rdata().any(|ds| matches_a_key(ds, zone))).then_some(above)
}

fn matches_a_key(ds: &[u8], zone: &Zone) -> bool {
    let Some((head, digest)) = ds.split_first_chunk::<HEAD>() else { return false };
    let [_, _, algorithm, kind] = *head;
    let owner = zone.origin().to_lowercase();
    let keys = zone.apex().set(RecordType::DNSKEY);
    let mut keys = keys.iter().flat_map(|set| set.rdata());
    keys.any(|key| {
        let octets = [owner.as_wire(), key].concat();
        let made = match kind {
            SHA1 => Sha1::digest(octets).to_vec(),
            SHA256 => Sha256::digest(octets).to_vec(),
            _ => Sha384::digest(octets).to_vec(),
        };
        // The algorithm is the fourth octet of a key (RFC 4034 section 2.1).
        key.get(3) == Some(&algorithm) && made == digest
    })
}
