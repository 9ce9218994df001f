//! What a version has otherwise than the one before it.

use super::entry::Entry;
use super::nsec3::Hash;

/// What the next version has otherwise.
#[derive(Debug, Default)]
pub(super) struct Amendment<'b> {
    /// All records of each name that gets others, sorted.
    pub(super) names: Vec<Entry<'b>>,
    /// Names without records from now on, without the apex.
    pub(super) names_gone: Vec<&'b [u8]>,
    /// All NSEC3 records, and their signatures, of each hashed owner that gets others, sorted.
    pub(super) hashed: Vec<Entry<'b>>,
    /// Hashes without an NSEC3 record from now on.
    pub(super) hashed_gone: Vec<Hash>,
}
