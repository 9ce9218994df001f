//! What a version has otherwise than the one before it.

use crate::zone::record::entry::Entry;
use crate::zone::record::nsec3::Hash;

/// What the next version has otherwise.
#[derive(Debug, Default)]
pub(in crate::zone) struct Amendment<'b> {
    /// All records of each name that gets others, sorted.
    pub(in crate::zone) names: Vec<Entry<'b>>,
    /// Names without records from now on, without the apex.
    pub(in crate::zone) names_gone: Vec<&'b [u8]>,
    /// All NSEC3 records, and their signatures, of each hashed owner that gets others, sorted.
    pub(in crate::zone) hashed: Vec<Entry<'b>>,
    /// Hashes without an NSEC3 record from now on.
    pub(in crate::zone) hashed_gone: Vec<Hash>,
}
