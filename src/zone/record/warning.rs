//! What a zone may hold but rarely should.

use crate::wire::{Name, RecordType};

use crate::zone::Misplacement;
use crate::zone::Place;
use crate::zone::ZoneFault;

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
    /// A fault of a version that was accepted before, by a build that did not know this rule: it is served all the same, because a
    /// new rule must not take away what was served. A new version is refused for it. Or one of a version that a primary has.
    #[error("{problem}; a zone file would be refused for that")]
    RefusedToday {
        /// What would be wrong.
        problem: Box<ZoneFault>,
    },
    /// A record that is of no use where it stands.
    #[error("{owner} has a {record_type} record {problem}")]
    Misplaced {
        /// The record's owner.
        owner: Name,
        /// Its type.
        record_type: RecordType,
        /// Why.
        problem: Misplacement,
        /// Where it stands.
        place: Place,
    },
    /// An RRset that no answer can hold (RFC 1035 section 4.2.2: the length of a message has 16 bits).
    #[error(
        "the {record_type} records of {owner} fit into no message: with header and question they exceed 65535 octets"
    )]
    RrsetTooLarge {
        /// The RRset's owner.
        owner: Name,
        /// The RRset's type.
        record_type: RecordType,
        /// Where its first record stands.
        place: Place,
    },
    /// A TXT record that still has the text of the example zones (RFC 7534 section 3.5: it tells whose node answers).
    #[error(
        "the TXT record of {owner} still says \"Example Organization\"; put your own name and place there"
    )]
    ExampleText {
        /// The record's owner.
        owner: Name,
        /// Where it stands.
        place: Place,
    },
    /// A name that ends with the zone's name twice, as `www.example.com` without the dot at its end becomes in a zone file (RFC 1035
    /// section 5.1).
    #[error("{repeated} ends with the zone's name twice: is a dot missing at the end of a name?")]
    RepeatedOrigin {
        /// The record's owner.
        owner: Name,
        /// The name, which is the owner or stands in its RDATA.
        repeated: Name,
        /// Where it stands.
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
    /// DNSKEY and signatures, but neither NSEC nor NSEC3: validators take every negative answer for forged.
    #[error("the zone {origin} is signed but has neither NSEC nor NSEC3 records; it cannot deny anything")]
    DeniesNothing {
        /// The zone.
        origin: Name,
        /// Where its first record stands.
        place: Place,
    },
    /// NSEC records in a zone whose apex has none (RFC 4035 section 2.3).
    #[error("{owner} has an NSEC record, but the zone's apex has none; answers deny nothing with it")]
    UnusedNsec {
        /// The first such owner.
        owner: Name,
        /// Where it stands.
        place: Place,
    },
    /// NSEC3 records that no NSEC3PARAM speaks of, or of a chain that is not the one served (RFC 5155 section 4).
    #[error("the NSEC3 record of {owner} is not of the chain that is served")]
    UnusedNsec3 {
        /// The first such owner.
        owner: Name,
        /// Where it stands.
        place: Place,
    },
    /// An NSEC3 record that is the hash of no name, maybe of one that was removed. Names with this hash cannot be
    /// denied.
    #[error("the NSEC3 record of {owner} is that of no name in the zone")]
    OrphanNsec3 {
        /// The first such owner.
        owner: Name,
        /// Where it stands.
        place: Place,
    },
    /// NSEC3PARAM that every server must ignore (RFC 5155 sections 4.1.1 and 4.1.2).
    #[error(
        "the NSEC3PARAM record of {owner} has an unknown algorithm or flags and is ignored; 1 and 0 are right"
    )]
    IgnoredNsec3Param {
        /// The zone.
        owner: Name,
        /// Where it stands.
        place: Place,
    },
    /// NSEC3PARAM whose chain is broken, beside another one whose chain is whole.
    #[error("one of several NSEC3 chains is broken and not used: {problem}")]
    UnusedNsec3Param {
        /// What is wrong with it.
        problem: Box<ZoneFault>,
    },
    /// NSEC3 with iterations or salt, which cost and protect nothing (RFC 9276 section 3.1).
    #[error(
        "the NSEC3 records of {owner} have {iterations} iterations and {salt} octets of salt; 0 and none are right"
    )]
    CostlyNsec3 {
        /// The zone.
        owner: Name,
        /// Additional iterations.
        iterations: u16,
        /// Octets of salt.
        salt: usize,
        /// Where the NSEC3PARAM record stands.
        place: Place,
    },
}

impl ZoneWarning {
    /// The name that it is of; `None` if it is of a chain.
    pub(in crate::zone) fn owner(&self) -> Option<&Name> {
        match self {
            Self::TtlsDiffer { owner, .. }
            | Self::Misplaced { owner, .. }
            | Self::RrsetTooLarge { owner, .. }
            | Self::ExampleText { owner, .. }
            | Self::RepeatedOrigin { owner, .. }
            | Self::WildcardNs { owner, .. }
            | Self::UnusedNsec { owner, .. }
            | Self::UnusedNsec3 { owner, .. }
            | Self::OrphanNsec3 { owner, .. } => Some(owner),
            Self::RefusedToday { problem } => problem.owner(),
            Self::DeniesNothing { .. }
            | Self::IgnoredNsec3Param { .. }
            | Self::CostlyNsec3 { .. }
            | Self::UnusedNsec3Param { .. } => None,
        }
    }

    /// Whether it is of the chains as a whole: only all records tell whether it still is so, and where.
    pub(in crate::zone) fn needs_all_records(&self) -> bool {
        matches!(
            self,
            Self::UnusedNsec { .. }
                | Self::UnusedNsec3 { .. }
                | Self::OrphanNsec3 { .. }
                | Self::UnusedNsec3Param { .. }
        )
    }

    /// Whether it is of a name below a delegation: whether it still is so depends on another name.
    pub(in crate::zone) fn is_below_delegation(&self) -> bool {
        matches!(self, Self::Misplaced { problem: Misplacement::BelowDelegation, .. })
    }

    /// Whether it is of how the apex says that the zone denies.
    pub(in crate::zone) fn is_of_apex(&self) -> bool {
        matches!(self, Self::DeniesNothing { .. } | Self::IgnoredNsec3Param { .. } | Self::CostlyNsec3 { .. })
    }

    /// Where the record stands.
    pub fn place(&self) -> Place {
        match self {
            Self::UnusedNsec3Param { problem } | Self::RefusedToday { problem } => {
                problem.place().unwrap_or_default()
            }
            Self::TtlsDiffer { place, .. }
            | Self::Misplaced { place, .. }
            | Self::RrsetTooLarge { place, .. }
            | Self::ExampleText { place, .. }
            | Self::RepeatedOrigin { place, .. }
            | Self::WildcardNs { place, .. }
            | Self::DeniesNothing { place, .. }
            | Self::UnusedNsec { place, .. }
            | Self::UnusedNsec3 { place, .. }
            | Self::OrphanNsec3 { place, .. }
            | Self::IgnoredNsec3Param { place, .. }
            | Self::CostlyNsec3 { place, .. } => *place,
        }
    }
}
