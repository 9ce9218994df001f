//! Faults of the records of a zone.

use crate::wire::{Name, RdataError, RecordType};

use crate::zone::Place;

/// Why some records are not a valid zone.
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
    /// A DS record at the apex (RFC 4035 section 2.4): it is the parent's, so the zone would answer for another one.
    #[error(
        "{owner} has a DS record at the apex of its own zone; only the parent zone has it (RFC 4035 section 2.4)"
    )]
    DsAtApex {
        /// The zone.
        owner: Name,
        /// Where it stands.
        place: Place,
    },
    /// A request to delete the DS records beside another CDS or CDNSKEY record (RFC 8078 section 4). BIND refuses it; Knot and
    /// NSD take it.
    #[error(
        "{owner} has a {record_type} record that asks for deletion beside others; it stands alone (RFC 8078 section 4)"
    )]
    DeleteNotAlone {
        /// The zone.
        owner: Name,
        /// CDS or CDNSKEY.
        record_type: RecordType,
        /// Where the last record of the set stands.
        place: Place,
    },
    /// A CNAME and something else (RFC 1034 section 3.6.2, RFC 2181 section 10.1). RRSIG, NSEC and KEY may stand beside it
    /// (RFC 4035 section 2.5); BIND takes these and SIG, NSD RRSIG, NSEC and SIG, Knot RRSIG and NSEC.
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
    /// A difference deletes a record that is not there (RFC 1995 section 4): it is to another version.
    #[error("{owner} has no such {record_type} record to delete; the difference is to another version")]
    NotThere {
        /// The owner that was named.
        owner: Name,
        /// The type that was named.
        record_type: RecordType,
        /// Where it was named.
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
    /// A name with authoritative records but no NSEC record, in a zone that denies with NSEC (RFC 4035 section 2.3).
    #[error("{owner} has no NSEC record, though the zone's apex has one")]
    NsecMissing {
        /// The name.
        owner: Name,
        /// Where its first record stands.
        place: Place,
    },
    /// Two NSEC records at a name (RFC 4035 section 2.3).
    #[error("{owner} has a second NSEC record; a name has one at most")]
    SecondNsec {
        /// The name.
        owner: Name,
        /// Where its first NSEC record stands.
        place: Place,
    },
    /// An NSEC record that does not name the next name (RFC 4034 section 4.1.1).
    #[error("the NSEC record of {owner} says that {named} is the next name, but that is {next}")]
    NsecChainBroken {
        /// The NSEC record's owner.
        owner: Name,
        /// The name it says.
        named: Name,
        /// The next name with authoritative records in canonical order; after the last one the apex.
        next: Name,
        /// Where it stands.
        place: Place,
    },
    /// NSEC3PARAM without NSEC3 records of these parameters (RFC 5155 section 4).
    #[error("the zone {origin} has an NSEC3PARAM record, but no NSEC3 records with its parameters")]
    NoNsec3 {
        /// The zone.
        origin: Name,
    },
    /// NSEC3PARAM with more iterations than any validator takes (RFC 9276 section 3.2).
    #[error(
        "the NSEC3PARAM record of {owner} has {iterations} iterations; {most} are the most, and 0 are right"
    )]
    TooManyIterations {
        /// The zone.
        owner: Name,
        /// Its iterations.
        iterations: u16,
        /// How many are taken.
        most: u16,
        /// Where it stands.
        place: Place,
    },
    /// Two NSEC3 records with the same owner and parameters (RFC 5155 section 7.1).
    #[error(
        "{owner} has a second NSEC3 record with the same parameters; two names have this hash, or the chain is wrong"
    )]
    SecondNsec3 {
        /// The hashed owner name.
        owner: Name,
        /// Where the second one stands.
        place: Place,
    },
    /// An NSEC3 record whose owner is no hash below the apex (RFC 5155 section 3).
    #[error("{owner} has an NSEC3 record, but is not 32 digits of base 32hex in front of {origin}")]
    Nsec3Owner {
        /// The record's owner.
        owner: Name,
        /// The zone.
        origin: Name,
        /// Where it stands.
        place: Place,
    },
    /// An NSEC3 record that does not name the next hash (RFC 5155 section 3.1.7).
    #[error("the NSEC3 record of {owner} says that {named} is the next hash, but that is {next}")]
    Nsec3ChainBroken {
        /// The hashed owner name.
        owner: Name,
        /// The hash it says, in base 32hex.
        named: String,
        /// The next hash of the chain, in base 32hex; after the last one the first.
        next: String,
        /// Where it stands.
        place: Place,
    },
    /// A name without an NSEC3 record, in a zone that denies with NSEC3 (RFC 5155 section 7.1).
    #[error("{owner} has no NSEC3 record; its owner would be {hash}")]
    Nsec3Missing {
        /// The name.
        owner: Name,
        /// Its hash in base 32hex.
        hash: String,
        /// Where its first record stands, or for an empty non-terminal that of the name below it.
        place: Place,
    },
    /// Two names with the same hash (RFC 5155 section 7.1).
    #[error("{owner} and {other} have the same NSEC3 hash; sign the zone with another salt")]
    HashCollision {
        /// One name.
        owner: Name,
        /// The other.
        other: Name,
        /// Where the first record of `owner` stands.
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
    /// Whether a difference with this fault was made to other content than it was applied to. Any other fault is of what it leads to.
    pub fn is_of_other_content(&self) -> bool {
        matches!(self, Self::NotThere { .. })
    }

    /// Whether it is of which types may stand where: answering does not depend on it, so a version that an earlier build
    /// accepted can be served all the same.
    pub(in crate::zone) fn is_of_placement(&self) -> bool {
        matches!(
            self,
            Self::DsAtApex { .. }
                | Self::DeleteNotAlone { .. }
                | Self::CnameAndOther { .. }
                | Self::BelowDname { .. }
                | Self::DnameAtCut { .. }
        )
    }

    /// The owner of the record, for a fault of what stands where.
    pub(in crate::zone) fn owner(&self) -> Option<&Name> {
        match self {
            Self::DsAtApex { owner, .. }
            | Self::DeleteNotAlone { owner, .. }
            | Self::CnameAndOther { owner, .. }
            | Self::BelowDname { owner, .. }
            | Self::DnameAtCut { owner, .. } => Some(owner),
            _ => None,
        }
    }

    /// Where the faulty record stands, for a fault of one record.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::NoSoa { .. } | Self::NoApexNs { .. } | Self::NoNsec3 { .. } | Self::TooLarge { .. } => None,
            Self::SecondSoa { place, .. }
            | Self::SoaNotAtApex { place, .. }
            | Self::OutOfZone { place, .. }
            | Self::DsAtApex { place, .. }
            | Self::DeleteNotAlone { place, .. }
            | Self::CnameAndOther { place, .. }
            | Self::SecondCname { place, .. }
            | Self::SecondDname { place, .. }
            | Self::BelowDname { place, .. }
            | Self::DnameAtCut { place, .. }
            | Self::NotThere { place, .. }
            | Self::MetaType { place, .. }
            | Self::MalformedRdata { place, .. }
            | Self::TtlTooLarge { place, .. }
            | Self::NsecMissing { place, .. }
            | Self::SecondNsec { place, .. }
            | Self::NsecChainBroken { place, .. }
            | Self::TooManyIterations { place, .. }
            | Self::SecondNsec3 { place, .. }
            | Self::Nsec3Owner { place, .. }
            | Self::Nsec3ChainBroken { place, .. }
            | Self::Nsec3Missing { place, .. }
            | Self::HashCollision { place, .. } => Some(*place),
        }
    }
}
