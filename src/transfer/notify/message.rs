//! The NOTIFY message and its response (RFC 1996 sections 3.5 to 4.7).

use crate::wire::octets::{FlatName, HEADER, RECORD_FIXED, put_u16, u16_at, u32_at};
use crate::wire::rcode::{FORMERR, NOTIMP};
use crate::wire::{CLASS_IN, Name, RecordType, Serial, append_opt, edns_version, flag, opcode};

/// The flags with the opcode NOTIFY.
const NOTIFY: u16 = opcode::to_flags(opcode::NOTIFY);

/// A NOTIFY that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// Its ID.
    pub id: u16,
    /// The zone, in the case it came in.
    pub zone: Name,
    /// The serial in its answer section, if there is one: a hint (section 3.7).
    pub hint: Option<Serial>,
    /// The EDNS version, if it has an OPT record (RFC 6891 section 6.1.1: then its response has one).
    pub edns_version: Option<u8>,
}

/// Why a message is no NOTIFY that can be acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotifyFault {
    /// A response, another opcode, or shorter than a header: nothing is sent back.
    #[error("the message is no NOTIFY")]
    NotNotify,
    /// The question cannot be read, or there is not exactly one.
    #[error("the NOTIFY has no question that can be read")]
    BadQuestion,
    /// Another type or class than SOA and IN (section 3.1 leaves others for later).
    #[error("the NOTIFY is about type {0}; SOA alone is known")]
    OtherType(RecordType),
}

impl NotifyFault {
    /// The RCODE that answers it; `None` where nothing is sent back.
    pub fn rcode(self) -> Option<u8> {
        match self {
            Self::NotNotify => None,
            Self::BadQuestion => Some(FORMERR),
            Self::OtherType(_) => Some(NOTIMP),
        }
    }
}

impl Notify {
    /// Whether a message is a request with the opcode NOTIFY.
    pub fn is_notify(message: &[u8]) -> bool {
        opcode::of_request(message) == Some(opcode::NOTIFY)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// It is no NOTIFY for an SOA record.
    pub fn read(message: &[u8]) -> Result<Self, NotifyFault> {
        if !Self::is_notify(message) {
            return Err(NotifyFault::NotNotify);
        }
        let mut name = FlatName::ROOT;
        let questions = u16_at(message, 4).filter(|count| *count == 1);
        let behind = questions.and_then(|_| name.read(message, HEADER).ok());
        let behind = behind.ok_or(NotifyFault::BadQuestion)?;
        let word = |at| u16_at(message, at).ok_or(NotifyFault::BadQuestion);
        let (record_type, class) = (RecordType(word(behind)?), word(behind + 2)?);
        if record_type != RecordType::SOA || class != CLASS_IN {
            return Err(NotifyFault::OtherType(record_type));
        }
        let id = u16_at(message, 0).unwrap_or_default();
        let (zone, hint) = (name.to_name(), hint(message, behind + 4, &name));
        Ok(Self { id, zone, hint, edns_version: edns_version(message) })
    }

    /// The response (section 4.7).
    pub fn response(&self, rcode: u8) -> Vec<u8> {
        let flags = flag::QR | flag::AA | NOTIFY | u16::from(rcode & 0xf);
        let mut response = question(self.id, flags, &self.zone);
        if self.edns_version.is_some() {
            append_opt(&mut response, rcode.into());
        }
        response
    }
}

/// The serial in the first record of the answer section; an answer section that cannot be read is not there.
pub(in crate::transfer) fn hint(message: &[u8], at: usize, zone: &FlatName) -> Option<Serial> {
    if u16_at(message, 6)? == 0 {
        return None;
    }
    let (mut owner, mut name) = (FlatName::ROOT, FlatName::ROOT);
    let fixed = owner.read(message, at).ok()?;
    let is_soa =
        u16_at(message, fixed)? == RecordType::SOA.0 && owner.as_wire().eq_ignore_ascii_case(zone.as_wire());
    let second = name.read(message, fixed + RECORD_FIXED).ok()?;
    let serial = name.read(message, second).ok()?;
    is_soa.then_some(Serial(u32_at(message, serial)?))
}

/// A NOTIFY for a zone, with its SOA record in the answer section (section 3.7).
pub fn request(id: u16, zone: &Name, (ttl, rdata): (u32, &[u8])) -> Vec<u8> {
    let mut message = question(id, flag::AA | NOTIFY, zone);
    // An SOA record has two names and five numbers: its length fits.
    let Ok(length) = u16::try_from(rdata.len()) else { return message };
    put_u16(&mut message, 6, 1);
    message.extend_from_slice(&[0xc0, HEADER as u8]);
    message.extend_from_slice(&RecordType::SOA.0.to_be_bytes());
    message.extend_from_slice(&CLASS_IN.to_be_bytes());
    message.extend_from_slice(&ttl.to_be_bytes());
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(rdata);
    message
}

/// A NOTIFY for a zone, with an empty answer section: who gets it asks its primaries.
pub fn request_without_soa(id: u16, zone: &Name) -> Vec<u8> {
    question(id, flag::AA | NOTIFY, zone)
}

/// The RCODE of the response to a NOTIFY with this ID; `None` if it is another message.
pub fn read_answer(message: &[u8], id: u16) -> Option<u8> {
    let flags = u16_at(message, 2).filter(|_| message.len() >= HEADER)?;
    let is_answer = flags & flag::QR != 0 && flags & flag::OPCODE == NOTIFY;
    (is_answer && u16_at(message, 0) == Some(id)).then_some((flags & 0xf) as u8)
}

fn question(id: u16, flags: u16, zone: &Name) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend_from_slice(&flags.to_be_bytes());
    message.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    message.extend_from_slice(zone.as_wire());
    message.extend_from_slice(&RecordType::SOA.0.to_be_bytes());
    message.extend_from_slice(&CLASS_IN.to_be_bytes());
    message
}
