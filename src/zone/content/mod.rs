//! The digest of a zone's content (RFC 8976 section 3.3.1, scheme SIMPLE), and whether the zone's own ZONEMD records fit it.
//!
//! A zone flows in, a digest or a named fault flows out. A digest costs a pass over all records, so that it is made behind the
//! serving ([`Zone::make_digest`]), or while a version is judged that has ZONEMD records, and stays with its version. Never on the
//! way to service where the zone says nothing of a digest, never in the query path.
//!
//! Why this form and no sum of a hash for each record, which a difference could keep up to date: other servers and tools make the
//! same one (`ldns-zone-digest`, a ZONEMD record), so that an operator can compare any two of them; and who writes the records cannot
//! make two contents with one digest, which a sum permits. It costs 48 octets a zone.

mod simple;
mod zonemd;

pub use zonemd::{DigestCheck, DigestFault};

use crate::zone::ContentDigest;
use crate::zone::store::compiled::Zone;

impl Zone {
    /// The digest of the content, if somebody has made it.
    pub fn content_digest(&self) -> Option<&ContentDigest> {
        self.digest.get()
    }

    /// Makes the digest, which stays with this version; `None` if `goes_on`, which is asked often, returns false.
    pub fn make_digest(&self, goes_on: impl FnMut() -> bool) -> Option<&ContentDigest> {
        if self.digest.get().is_none() {
            let made = simple::digest::<sha2::Sha384>(self, goes_on)?;
            self.digest.set(made.as_slice().try_into().ok()?);
        }
        self.digest.get()
    }
}
