//! Why an update is not done, and the RCODE that says so (RFC 2136 section 2.2).

use std::net::SocketAddr;

use crate::publish::{ApplyError, Refused};
use crate::transfer::tsig::TsigFault;
use crate::wire::{Name, RecordType, rcode};

use super::message::{MessageFault, Section};

/// Why an update is not done. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum UpdateFault {
    /// The message cannot be read.
    #[error(transparent)]
    Message(#[from] MessageFault),
    /// The signature is not accepted.
    #[error(transparent)]
    Tsig(#[from] TsigFault),
    /// The message is not signed.
    #[error("an update of {zone} must be signed with a key that its [[zone]] names under update")]
    NotSigned {
        /// The zone.
        zone: Name,
    },
    /// No such zone.
    #[error("{zone} is not served here")]
    NoZone {
        /// The zone.
        zone: Name,
    },
    /// The zone takes updates, and is not served now.
    #[error("{zone} is not served now: see its status")]
    NotServed {
        /// The zone.
        zone: Name,
    },
    /// The zone comes from a primary: the update must go there.
    #[error("{zone} comes from its primary: send the update there, to {}", addresses(hubs))]
    Secondary {
        /// The zone.
        zone: Name,
        /// Its primaries.
        hubs: Vec<SocketAddr>,
    },
    /// The zone takes no updates.
    #[error("{zone} comes from a file and takes no updates: give its [[zone]] the list update")]
    FileBacked {
        /// The zone.
        zone: Name,
    },
    /// The zone is signed, and nothing here could sign what changes.
    #[error("{zone} is signed, and this server does not sign: change it where it is signed")]
    SignedZone {
        /// The zone.
        zone: Name,
    },
    /// The key may not change that.
    #[error("the key {key} may not change {record_type} records of {owner}: see update in its [[zone]]")]
    NotAllowed {
        /// The key.
        key: Name,
        /// The owner.
        owner: Name,
        /// The type; ANY for all of them.
        record_type: RecordType,
    },
    /// The key may change nothing of the zone.
    #[error("the key {key} may change nothing of {zone}: see update in its [[zone]]")]
    OtherKey {
        /// The key.
        key: Name,
        /// The zone.
        zone: Name,
    },
    /// A type that only a signer may change.
    #[error("{record_type} records belong to a signer, which this server is not; {owner} is left as it was")]
    SignerType {
        /// The owner.
        owner: Name,
        /// The type.
        record_type: RecordType,
    },
    /// A record whose class, type, TTL and length do not go together (sections 3.2 and 3.4.1).
    #[error(
        "record {record} of the {section} section, {record_type} of {owner}, has a class, TTL, type and length that mean nothing \
         together"
    )]
    Form {
        /// Where.
        section: Section,
        /// Its number, from 1.
        record: usize,
        /// The owner.
        owner: Name,
        /// The type.
        record_type: RecordType,
    },
    /// A record whose owner is not in the zone.
    #[error("{owner}, in the {section} section, is not in {zone}")]
    NotZone {
        /// Where.
        section: Section,
        /// The owner.
        owner: Name,
        /// The zone.
        zone: Name,
    },
    /// A name that must be in use is not (section 2.4.4).
    #[error("prerequisite: {owner} has no records")]
    NameNotInUse {
        /// The name.
        owner: Name,
    },
    /// A name that must not be in use is (section 2.4.5).
    #[error("prerequisite: {owner} has records")]
    NameInUse {
        /// The name.
        owner: Name,
    },
    /// An RRset that must exist does not, or has other records (sections 2.4.1 and 2.4.2).
    #[error("prerequisite: {owner} does not have the {record_type} records that it must have")]
    NoRrset {
        /// The owner.
        owner: Name,
        /// The type.
        record_type: RecordType,
    },
    /// An RRset that must not exist does (section 2.4.3).
    #[error("prerequisite: {owner} has {record_type} records")]
    RrsetExists {
        /// The owner.
        owner: Name,
        /// The type.
        record_type: RecordType,
    },
    /// Another version of EDNS than 0 (RFC 6891 section 6.1.3).
    #[error("EDNS version {0} is not known")]
    EdnsVersion(u8),
    /// The names that it is about have too many records.
    #[error("the names of the update have more than {most} records: split it into several")]
    TooLarge {
        /// How many are looked at.
        most: usize,
    },
    /// A record that no message of a transfer can hold, so that no secondary would get the zone any more.
    #[error(
        "a record of {owner} of type {record_type} with {octets} octets of RDATA fits no message of a transfer"
    )]
    NoTransfer {
        /// The owner.
        owner: Name,
        /// The type.
        record_type: RecordType,
        /// Octets of its RDATA.
        octets: usize,
    },
    /// An RRset that no response can hold: whoever asks for it would get none of it.
    #[error(
        "the {record_type} records of {owner} would fit into no response: with header and question they exceed 65535 octets"
    )]
    NoResponse {
        /// The owner.
        owner: Name,
        /// The type.
        record_type: RecordType,
    },
    /// The publisher did not take it.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl UpdateFault {
    /// The RCODE that says it; `None` where nothing is sent back.
    pub fn rcode(&self) -> Option<u8> {
        Some(match self {
            Self::Message(MessageFault::NotUpdate) => return None,
            Self::Message(MessageFault::OtherClass(_)) | Self::NoZone { .. } => rcode::NOTAUTH,
            Self::Message(_) | Self::Form { .. } => rcode::FORMERR,
            // Its response is made by the part that verifies.
            Self::Tsig(_) => rcode::NOTAUTH,
            Self::NotSigned { .. }
            | Self::Secondary { .. }
            | Self::FileBacked { .. }
            | Self::SignedZone { .. }
            | Self::NotAllowed { .. }
            | Self::OtherKey { .. }
            | Self::SignerType { .. }
            | Self::NoTransfer { .. }
            | Self::NoResponse { .. }
            | Self::TooLarge { .. } => rcode::REFUSED,
            Self::NotServed { .. } => rcode::SERVFAIL,
            Self::EdnsVersion(_) => rcode::BADVERS as u8,
            Self::NotZone { .. } => rcode::NOTZONE,
            Self::NameNotInUse { .. } => rcode::NXDOMAIN,
            Self::NameInUse { .. } => rcode::YXDOMAIN,
            Self::NoRrset { .. } => rcode::NXRRSET,
            Self::RrsetExists { .. } => rcode::YXRRSET,
            Self::Apply(error) => of_publisher(error),
        })
    }

    /// Whether it is what a prerequisite is for: the client asked, and was answered.
    pub fn is_prerequisite(&self) -> bool {
        use UpdateFault::{NameInUse, NameNotInUse, NoRrset, RrsetExists};
        matches!(self, NameNotInUse { .. } | NameInUse { .. } | NoRrset { .. } | RrsetExists { .. })
    }
}

/// What the publisher refuses is REFUSED: the same update would be refused again. RDATA that can never be right is FORMERR. What passes by itself
/// or by an operator's order is SERVFAIL, as is a fault of this server: the client may try again.
fn of_publisher(error: &ApplyError) -> u8 {
    use crate::publish::ProgramFault::{Failed, TooLong};
    match error {
        ApplyError::Value { .. } => rcode::FORMERR,
        ApplyError::Refused {
            refused: Refused::Held { .. } | Refused::Program(Failed { .. } | TooLong { .. }),
            ..
        } => rcode::SERVFAIL,
        ApplyError::Unfit { .. } | ApplyError::Refused { .. } => rcode::REFUSED,
        _ => rcode::SERVFAIL,
    }
}

fn addresses(hubs: &[SocketAddr]) -> String {
    let hubs: Vec<String> = hubs.iter().map(ToString::to_string).collect();
    hubs.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::ProgramFault;
    use crate::wire::Serial;

    #[test]
    fn what_would_be_refused_again_is_refused_and_what_passes_is_tried_again() {
        let zone: Name = "example.".parse().unwrap();
        let program = String::from("/bin/judge");
        let lacks = Refused::LacksRecord { owner: zone.clone(), record_type: RecordType::A };
        let digest =
            Refused::Zonemd(crate::zone::DigestFault::OtherSerial { found: Serial(1), serial: Serial(2) });
        let no = ProgramFault::SaysNo { program: program.clone(), status: "1".into(), text: "no".into() };
        let long = ProgramFault::TooLong { program, limit: std::time::Duration::from_secs(1) };
        let held = Refused::Held { zone: zone.clone(), reason: String::new() };
        for (refused, rcode) in [
            (lacks, rcode::REFUSED),
            (digest, rcode::REFUSED),
            (Refused::Program(no), rcode::REFUSED),
            (Refused::Program(long), rcode::SERVFAIL),
            (held, rcode::SERVFAIL),
        ] {
            let error = ApplyError::Refused { zone: zone.clone(), from: Serial(1), to: Serial(2), refused };
            let fault = UpdateFault::from(error);
            assert_eq!(fault.rcode(), Some(rcode), "{fault}");
            assert!(!fault.to_string().contains("transfer the zone"), "{fault}");
        }
    }
}
