//! One record on its way into a zone.

use crate::wire::{Name, RecordType};

/// A record of class IN as a zone source delivers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The owner name, in the case the source gave it.
    pub owner: Name,
    /// The type.
    pub record_type: RecordType,
    /// The TTL in seconds, 0 to 2^31 - 1 (RFC 2181 section 8).
    pub ttl: u32,
    /// The RDATA in uncompressed wire form, names in the case the source gave them; at most 65,535 octets.
    pub rdata: Box<[u8]>,
}

/// Where a record came from, so that a fault found later can be shown at its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Index into the source's list of files (the zone file is 0, its `$INCLUDE`s follow).
    pub file: u32,
    /// Line, from 1; 0 where the source has no lines.
    pub line: u32,
    /// Column in octets, from 1; 0 where the source has no columns.
    pub column: u32,
}
