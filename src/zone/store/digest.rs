//! Where a version keeps the digest of its content (`zone::content` makes it).

use std::sync::OnceLock;

/// SHA-384 over the records of a zone in canonical form and order, the SOA record with its serial, without the ZONEMD records of the
/// apex and their signatures (RFC 8976 section 3.3.1).
pub type ContentDigest = [u8; 48];

/// The digest of a version, once it is made. A copy of a version begins without one, because it may become another version.
#[derive(Debug, Default)]
pub(in crate::zone) struct DigestCell(OnceLock<Box<ContentDigest>>);

impl DigestCell {
    pub(in crate::zone) fn get(&self) -> Option<&ContentDigest> {
        self.0.get().map(Box::as_ref)
    }

    /// Of two that were made at one time the first counts: they are the same.
    pub(in crate::zone) fn set(&self, digest: ContentDigest) {
        let _ = self.0.set(Box::new(digest));
    }
}

impl Clone for DigestCell {
    fn clone(&self) -> Self {
        Self::default()
    }
}
