//! What a validator would say of a signature, named; the text is for the operator.

use std::fmt;

use crate::clock::rfc3339;
use crate::wire::{Name, RecordType};

use crate::zone::signatures::keys::Unusable;
use crate::zone::signatures::rrsig::Algorithm;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Wrong whatever the time is: validators take the RRset for forged, or the zone breaks a rule that they may insist on.
    Wrong,
    /// Wrong at this moment alone: expired, or not yet valid.
    Time,
    /// Odd; validators accept the RRset, or do not look at what is odd.
    Note,
}

/// What is wrong with the signatures of one RRset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureFault {
    /// The owner of the RRset.
    pub owner: Name,
    /// Its type.
    pub record_type: RecordType,
    /// What is wrong.
    pub problem: Problem,
    /// How bad that is here: a signature that no key verifies does no harm beside one that is good.
    pub level: Level,
}

/// The kinds of what can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// An RRset of a signed zone without an RRSIG (RFC 4035 section 2.2).
    #[error("the RRset is not signed; sign it")]
    Unsigned,
    /// The RRset is not what was signed, or the signature is not of the key (RFC 4035 section 5.3.3).
    #[error("the signature by key {key_tag} ({algorithm}) does not match the RRset; sign it again")]
    Mismatch {
        /// The key's tag.
        key_tag: u16,
        /// The key's algorithm.
        algorithm: Algorithm,
    },
    /// No zone key has this tag and algorithm (RFC 4035 section 5.3.1).
    #[error("the signature is by key {key_tag} ({algorithm}), which is not in the DNSKEY RRset")]
    NoKey {
        /// The tag.
        key_tag: u16,
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// The key is revoked (RFC 5011 section 2.1).
    #[error("the signature is by key {key_tag} ({algorithm}), which is revoked")]
    Revoked {
        /// The tag.
        key_tag: u16,
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// The key cannot be used.
    #[error("the signature by key {key_tag} ({algorithm}) cannot be verified: {reason}")]
    Unusable {
        /// The tag.
        key_tag: u16,
        /// The algorithm.
        algorithm: Algorithm,
        /// Why.
        reason: Unusable,
    },
    /// It has expired.
    #[error("the signature by key {key_tag} expired at {}; sign it again", rfc3339(*.at))]
    Expired {
        /// The tag.
        key_tag: u16,
        /// Seconds since 1970.
        at: u64,
    },
    /// It is not valid yet.
    #[error("the signature by key {key_tag} is valid from {} only", rfc3339(*.at))]
    Early {
        /// The tag.
        key_tag: u16,
        /// Seconds since 1970.
        at: u64,
    },
    /// The signer is not the zone (RFC 4035 section 5.3.1).
    #[error("the signature by key {key_tag} names {signer} as its signer; the zone's name is right")]
    Signer {
        /// The tag.
        key_tag: u16,
        /// Who is named.
        signer: Name,
    },
    /// The labels field is not the owner's number of labels (RFC 4034 section 3.1.3).
    #[error("the signature by key {key_tag} says {labels} labels; {right} is right")]
    Labels {
        /// The tag.
        key_tag: u16,
        /// What it says.
        labels: u8,
        /// The owner's labels without the root and a leading `*`.
        right: u8,
    },
    /// The original TTL is not the RRset's (RFC 4035 section 2.2).
    #[error("the signature by key {key_tag} says an original TTL of {original}, and the RRset's is {ttl}")]
    OriginalTtl {
        /// The tag.
        key_tag: u16,
        /// What it says, in seconds.
        original: u32,
        /// The RRset's, in seconds.
        ttl: u32,
    },
    /// The RRSIG record has not all of its fields.
    #[error("the RRSIG record is malformed")]
    Malformed,
    /// More signatures than are verified.
    #[error("the RRset has {count} signatures, of which only {verified} were verified")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many were verified.
        verified: usize,
    },
    /// No signature by an algorithm of the DNSKEY RRset (RFC 4035 section 2.2; validators must not insist, RFC 6840
    /// section 5.11).
    #[error("no signature by {0}, which the DNSKEY RRset lists")]
    NoSignatureBy(Algorithm),
    /// Signatures of an RRset that is not there, or that is no authoritative data.
    #[error("signatures of an RRset that is not there, or not this zone's to sign; take them out")]
    Orphan,
    /// The type bit map of the NSEC or NSEC3 record denies a type that is there (RFC 4034 section 4.1.2).
    #[error("the type bit map of the {0} record leaves out {1}, which is there")]
    TypeLeftOut(RecordType, RecordType),
    /// The type bit map of the NSEC or NSEC3 record has a type that is not there.
    #[error("the type bit map of the {0} record has {1}, which is not there")]
    TypeNotThere(RecordType, RecordType),
    /// A key of the DNSKEY RRset is revoked.
    #[error("key {key_tag} ({algorithm}) is revoked (RFC 5011)")]
    RevokedKey {
        /// The tag.
        key_tag: u16,
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// Nothing can be verified with a key of the DNSKEY RRset.
    #[error("key {key_tag} ({algorithm}): {reason}")]
    UnusableKey {
        /// The tag.
        key_tag: u16,
        /// The algorithm.
        algorithm: Algorithm,
        /// Why.
        reason: Unusable,
    },
    /// A key without the Zone Key flag, or of another protocol (RFC 4034 section 2.1).
    #[error("key {key_tag} ({algorithm}) is no zone key: nothing is verified with it")]
    NoZoneKey {
        /// The tag.
        key_tag: u16,
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// A key of an algorithm that is being given up (RFC 9905).
    #[error("key {key_tag} is of {algorithm}; move to ECDSAP256SHA256 (RFC 9905)")]
    Deprecated {
        /// The tag.
        key_tag: u16,
        /// The algorithm.
        algorithm: Algorithm,
    },
}

impl fmt::Display for SignatureFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}: {}", self.owner, self.record_type, self.problem)
    }
}
