//! An UPDATE message, read (RFC 2136 section 2).

use std::fmt;

use crate::wire::octets::{BadName, FlatName, HEADER, RECORD_FIXED, copy_rdata, u16_at, u32_at};
use crate::wire::{
    CLASS_ANY, CLASS_IN, Name, RdataError, RecordType, append_opt, check_rdata, edns_version, flag, opcode,
};

/// An UPDATE message. Its additional section is not looked at, but for the signature, which is verified before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateMessage {
    /// Its ID.
    pub id: u16,
    /// The zone that is to be changed.
    pub zone: Name,
    /// What must hold (section 2.4), in the order of the message.
    pub prerequisites: Vec<UpdateRecord>,
    /// What is to be changed (section 2.5), in the order of the message.
    pub changes: Vec<UpdateRecord>,
}

/// One record of the prerequisite section or of the update section. Its class says what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateRecord {
    /// The owner.
    pub owner: Name,
    /// IN, ANY or NONE; another one is a fault that is found later.
    pub class: u16,
    /// The type.
    pub record_type: RecordType,
    /// The TTL in seconds.
    pub ttl: u32,
    /// Uncompressed; right for the type, or empty.
    pub rdata: Box<[u8]>,
}

/// A section of an UPDATE message that holds records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What must hold.
    Prerequisite,
    /// What is to be changed.
    Update,
}

impl fmt::Display for Section {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Prerequisite => "prerequisite",
            Self::Update => "update",
        })
    }
}

/// Why octets are not a valid UPDATE message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageFault {
    /// A response, another opcode, or shorter than a header: nothing is sent back.
    #[error("the message is no UPDATE")]
    NotUpdate,
    /// Not exactly one zone, or its type is not SOA (section 3.1.1).
    #[error("the zone section does not name one zone with type SOA")]
    ZoneSection,
    /// A class that this server has no zones of (section 3.1.2).
    #[error("the zone has class {0}; this server has zones of class IN alone")]
    OtherClass(u16),
    /// A record that ends early.
    #[error("record {record} of the {section} section runs past the end of the message")]
    Short {
        /// Where.
        section: Section,
        /// Its number, from 1.
        record: u16,
    },
    /// Not a valid name.
    #[error("record {record} of the {section} section: {fault}")]
    BadName {
        /// Where.
        section: Section,
        /// Its number, from 1.
        record: u16,
        /// What is wrong.
        fault: BadName,
    },
    /// RDATA that the type does not allow.
    #[error("record {record} of the {section} section: {fault}")]
    BadRdata {
        /// Where.
        section: Section,
        /// Its number, from 1.
        record: u16,
        /// What is wrong.
        fault: RdataError,
    },
}

impl UpdateMessage {
    /// Whether a message is a request with the opcode UPDATE.
    pub fn is_update(message: &[u8]) -> bool {
        opcode::of_request(message) == Some(opcode::UPDATE)
    }

    /// The zone that a message is about, and where its zone section ends: enough to know whether more of it is to be read.
    ///
    /// # Errors
    /// Not an UPDATE, or its zone section is invalid.
    pub fn zone(message: &[u8]) -> Result<(Name, usize), MessageFault> {
        if !Self::is_update(message) {
            return Err(MessageFault::NotUpdate);
        }
        let mut name = FlatName::ROOT;
        let zones = u16_at(message, 4).filter(|count| *count == 1);
        let behind = zones.and_then(|_| name.read(message, HEADER).ok());
        let behind = behind.ok_or(MessageFault::ZoneSection)?;
        let word = |at| u16_at(message, at).ok_or(MessageFault::ZoneSection);
        let (record_type, class) = (RecordType(word(behind)?), word(behind + 2)?);
        if record_type != RecordType::SOA {
            return Err(MessageFault::ZoneSection);
        }
        if class != CLASS_IN {
            return Err(MessageFault::OtherClass(class));
        }
        Ok((name.to_name(), behind + 4))
    }

    /// Reads a message.
    ///
    /// # Errors
    /// The first part of it that cannot be read.
    pub fn read(message: &[u8]) -> Result<Self, MessageFault> {
        let (zone, mut at) = Self::zone(message)?;
        let count = |at| u16_at(message, at).unwrap_or_default();
        let prerequisites = read_section(message, &mut at, Section::Prerequisite, count(6))?;
        let changes = read_section(message, &mut at, Section::Update, count(8))?;
        Ok(Self { id: count(0), zone, prerequisites, changes })
    }

    /// A response to a message: its ID, its opcode, its zone section if that can be read, and an RCODE (section 3.8).
    pub fn response(message: &[u8], rcode: u8) -> Vec<u8> {
        let zone = match Self::zone(message) {
            Ok((_, end)) => message.get(HEADER..end).unwrap_or_default(),
            Err(_) => &[],
        };
        let flags = flag::QR | opcode::to_flags(opcode::UPDATE) | u16::from(rcode & 0xf);
        let mut response = message.get(..2).unwrap_or(&[0, 0]).to_vec();
        response.extend_from_slice(&flags.to_be_bytes());
        response.extend_from_slice(&[0, u8::from(!zone.is_empty()), 0, 0, 0, 0, 0, 0]);
        response.extend_from_slice(zone);
        // RFC 6891 section 6.1.1: a response to a request with an OPT record has one.
        if edns_version(message).is_some() {
            append_opt(&mut response, rcode.into());
        }
        response
    }
}

fn read_section(
    message: &[u8],
    at: &mut usize,
    section: Section,
    count: u16,
) -> Result<Vec<UpdateRecord>, MessageFault> {
    // Not more than the octets hold: the count is the client's word.
    let mut records = Vec::with_capacity(usize::from(count).min(message.len() / LEAST_RECORD));
    let mut name = FlatName::ROOT;
    for record in 1..=count {
        let short = || MessageFault::Short { section, record };
        let bad_name = |fault| MessageFault::BadName { section, record, fault };
        let fixed = name.read(message, *at).map_err(bad_name)?;
        let owner = name.to_name();
        let word = |at| u16_at(message, at).ok_or_else(short);
        let (record_type, class) = (RecordType(word(fixed)?), word(fixed + 2)?);
        let ttl = u32_at(message, fixed + 4).ok_or_else(short)?;
        let start = fixed + RECORD_FIXED;
        let end = start + usize::from(word(fixed + 8)?);
        if end > message.len() {
            return Err(short());
        }
        let mut rdata = Vec::with_capacity(end - start);
        // What is to be deleted, or is only to be there, has no RDATA (sections 2.4 and 2.5).
        if start < end {
            copy_rdata((message, start, end), record_type, &mut name, &mut rdata).map_err(bad_name)?;
        }
        // RDATA of a record of class ANY is a fault of its own.
        if class != CLASS_ANY && !(class == CLASS_NONE && rdata.is_empty()) {
            let bad_rdata = |fault| MessageFault::BadRdata { section, record, fault };
            check_rdata(record_type, &rdata).map_err(bad_rdata)?;
        }
        records.push(UpdateRecord { owner, class, record_type, ttl, rdata: rdata.into() });
        *at = end;
    }
    Ok(records)
}

/// Class NONE (RFC 2136 section 1.3).
pub(super) const CLASS_NONE: u16 = 254;

/// Octets that a record takes at least: a name of one octet, type, class, TTL and the length of the RDATA.
const LEAST_RECORD: usize = 11;
