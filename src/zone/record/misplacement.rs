//! Why a record is of no use where it stands.

/// Why a record is of no use where it stands; displayed behind "NAME has a TYPE record".
///
/// All of these are warnings. BIND 9.18, Knot DNS 3.2 and NSD 4.6 take them all, so zones that hold them exist, and what else
/// such a zone holds is right. What these servers do not agree on is decided by the section: a DS record at the apex and types
/// beside a CNAME are faults ([`ZoneFault`](crate::zone::ZoneFault)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misplacement {
    /// A type that only the apex has.
    #[error("below the apex, where nothing looks for it ({0})")]
    BelowApex(
        /// The section that says so.
        &'static str,
    ),
    /// A DS record at a name that delegates nothing.
    #[error("but no NS record; only a delegation has DS records (RFC 4035 section 2.4)")]
    WithoutDelegation,
    /// A type of the child zone beside the NS records of a delegation. DS, NSEC, their signatures and glue may stand there.
    #[error(
        "beside the NS records of a delegation; it is data of the other zone and never answered (RFC 4035 section 2.6)"
    )]
    AtDelegation,
    /// Anything but glue below a delegation, NSEC records and signatures among it.
    #[error(
        "below a delegation; only glue may be there, without NSEC or RRSIG (RFC 4035 sections 2.2 and 2.3)"
    )]
    BelowDelegation,
    /// A signature of the NS or address records at a delegation.
    #[error("of records at a delegation that must not be signed (RFC 4035 section 2.2)")]
    SignsDelegation,
    /// A signature of signatures.
    #[error("of RRSIG records, which must not be signed (RFC 4035 section 2.2)")]
    SignsSignatures,
    /// A signature of a type that the name does not have.
    #[error("of a type that the name does not have (RFC 4035 section 2.2)")]
    SignsNothing,
    /// A signature with another number of labels than the owner.
    #[error("whose number of labels is not that of the name (RFC 4035 section 2.2)")]
    SignedLabels,
    /// A signature whose signer is not the zone.
    #[error("whose signer is not the zone (RFC 4035 section 2.2)")]
    OtherSigner,
    /// An NSEC record whose bitmap does not list the types of its owner.
    #[error("that lists other types than the name has (RFC 4035 section 2.3)")]
    OtherTypes,
    /// An NSEC record at a name without other records.
    #[error("and nothing that it could speak of; an empty name has none (RFC 4035 section 2.3)")]
    NsecAlone,
}
