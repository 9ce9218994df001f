//! Why some records are no zone, and what a zone may hold but rarely should.

use crate::wire::{Name, RdataError, RecordType};

use super::Place;

/// Why some records are no zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZoneFault {
    /// No SOA at the apex (RFC 1035 section 5.2).
    #[error("the zone {origin} has no SOA record at its apex")]
    NoSoa {
        /// The zone.
        origin: Name,
    },
    /// No NS at the apex (RFC 1034 section 4.2.1).
    #[error("the zone {origin} has no NS record at its apex")]
    NoApexNs {
        /// The zone.
        origin: Name,
    },
    /// A second, different SOA (RFC 1035 section 5.2).
    #[error("{owner} has a second SOA record; a zone has exactly one")]
    SecondSoa {
        /// The record's owner.
        owner: Name,
        /// Where it stands.
        place: Place,
    },
    /// An SOA below the apex.
    #[error("{owner} has an SOA record; only the apex {origin} may have one")]
    SoaNotAtApex {
        /// The record's owner.
        owner: Name,
        /// The zone.
        origin: Name,
        /// Where it stands.
        place: Place,
    },
    /// A record whose owner is not in the zone (RFC 1035 section 5.2).
    #[error("{owner} is outside the zone {origin}")]
    OutOfZone {
        /// The record's owner.
        owner: Name,
        /// The zone.
        origin: Name,
        /// Where it stands.
        place: Place,
    },
    /// A CNAME and something else (RFC 1034 section 3.6.2, RFC 2181 section 10.1); RRSIG and NSEC may stand beside it
    /// (RFC 4035 section 2.5).
    #[error("{owner} has a CNAME record and {other} records; a CNAME stands alone")]
    CnameAndOther {
        /// The owner of both.
        owner: Name,
        /// The type beside the CNAME.
        other: RecordType,
        /// Where the later of the two stands.
        place: Place,
    },
    /// Two different CNAMEs (RFC 2181 section 10.1).
    #[error("{owner} has a second CNAME record; an alias has one canonical name")]
    SecondCname {
        /// The record's owner.
        owner: Name,
        /// Where the second one stands.
        place: Place,
    },
    /// Two different DNAMEs (RFC 6672 section 2.4).
    #[error("{owner} has a second DNAME record; a name has one at most")]
    SecondDname {
        /// The record's owner.
        owner: Name,
        /// Where the second one stands.
        place: Place,
    },
    /// A name below a DNAME (RFC 6672 section 2.4).
    #[error("{owner} is below {dname}, which has a DNAME record; no record may be below it")]
    BelowDname {
        /// The record's owner.
        owner: Name,
        /// The DNAME's owner.
        dname: Name,
        /// Where the record stands.
        place: Place,
    },
    /// A DNAME beside an NS that is not the apex's (RFC 6672 section 2.3).
    #[error("{owner} has NS and DNAME records; only at the apex may both stand")]
    DnameAtCut {
        /// The owner of both.
        owner: Name,
        /// Where the DNAME stands.
        place: Place,
    },
    /// A type that is only for messages and questions (RFC 6895 section 3.1).
    #[error("{owner} has a record of type {record_type}, which no zone may hold")]
    MetaType {
        /// The record's owner.
        owner: Name,
        /// Its type.
        record_type: RecordType,
        /// Where it stands.
        place: Place,
    },
    /// RDATA that its type does not allow.
    #[error("{owner} has a malformed {record_type} record: {problem}")]
    MalformedRdata {
        /// The record's owner.
        owner: Name,
        /// Its type.
        record_type: RecordType,
        /// What is wrong with it.
        problem: RdataError,
        /// Where it stands.
        place: Place,
    },
    /// A TTL with the highest bit set (RFC 2181 section 8).
    #[error("{owner} has a TTL of {ttl}; 2147483647 is the most")]
    TtlTooLarge {
        /// The record's owner.
        owner: Name,
        /// Its TTL in seconds.
        ttl: u32,
        /// Where it stands.
        place: Place,
    },
    /// More octets of names and RDATA than offsets of 32 bits can reach.
    #[error("the zone {origin} has more than 4294967295 octets of names or RDATA")]
    TooLarge {
        /// The zone.
        origin: Name,
    },
}

impl ZoneFault {
    /// Where the faulty record stands, for a fault of one record.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::NoSoa { .. } | Self::NoApexNs { .. } | Self::TooLarge { .. } => None,
            Self::SecondSoa { place, .. }
            | Self::SoaNotAtApex { place, .. }
            | Self::OutOfZone { place, .. }
            | Self::CnameAndOther { place, .. }
            | Self::SecondCname { place, .. }
            | Self::SecondDname { place, .. }
            | Self::BelowDname { place, .. }
            | Self::DnameAtCut { place, .. }
            | Self::MetaType { place, .. }
            | Self::MalformedRdata { place, .. }
            | Self::TtlTooLarge { place, .. } => Some(*place),
        }
    }
}

/// What a zone may hold but rarely should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZoneWarning {
    /// TTLs that differ within an RRset; the lowest is used (RFC 2181 section 5.2).
    #[error("the {record_type} records of {owner} have different TTLs; {lowest} is used for all")]
    TtlsDiffer {
        /// The RRset's owner.
        owner: Name,
        /// The RRset's type.
        record_type: RecordType,
        /// The TTL that is used, in seconds.
        lowest: u32,
        /// Where a record with another TTL stands.
        place: Place,
    },
    /// NS at a wildcard. RFC 4592 section 4.2 discourages it and leaves it undefined. The zone is taken, as NSD 4.6
    /// and Knot DNS 3.2 do (BIND 9.18 refuses it): it is no reason to lose the rest. A name that the wildcard matches
    /// gets a referral with that name as its owner (section 3.3.2). Knot DNS leaves the asterisk as the owner,
    /// which no resolver can use; NSD says NODATA with AA, a claim to names that were given away.
    #[error("{owner} has NS records; delegations by wildcard are discouraged (RFC 4592 section 4.2)")]
    WildcardNs {
        /// The record's owner.
        owner: Name,
        /// Where it stands.
        place: Place,
    },
}

impl ZoneWarning {
    /// Where the record stands.
    pub fn place(&self) -> Place {
        match self {
            Self::TtlsDiffer { place, .. } | Self::WildcardNs { place, .. } => *place,
        }
    }
}
