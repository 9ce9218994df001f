//! The queries of a secondary: SOA, AXFR (RFC 5936 section 2.1), IXFR (RFC 1995 section 3).

use crate::wire::octets::HEADER;
use crate::wire::{CLASS_IN, Name, RecordType, Serial, append_opt_with, option};

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The zone.
    pub zone: Name,
    /// The ID of the query.
    pub id: u16,
    /// SOA, AXFR or IXFR.
    pub record_type: RecordType,
}

impl Asked {
    /// The query with an empty EXPIRE option: how long the version may be served that the primary has (RFC 7314 section 5).
    pub fn query_with_expire(&self, from: Option<Serial>) -> Vec<u8> {
        let mut message = self.query(from);
        append_opt_with(&mut message, option::EXPIRE, &[]);
        message
    }

    /// The query; an IXFR query says in its authority section from which serial on (RFC 1995 section 3).
    pub fn query(&self, from: Option<Serial>) -> Vec<u8> {
        let mut message = Vec::with_capacity(HEADER + 2 * self.zone.as_wire().len() + 64);
        message.extend_from_slice(&self.id.to_be_bytes());
        message.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, u8::from(from.is_some()), 0, 0]);
        message.extend_from_slice(self.zone.as_wire());
        message.extend_from_slice(&self.record_type.0.to_be_bytes());
        message.extend_from_slice(&CLASS_IN.to_be_bytes());
        if let Some(Serial(from)) = from {
            // The question's name; both names of the SOA record are the root, and nobody reads more than the serial.
            message.extend_from_slice(&[0xc0, HEADER as u8]);
            message.extend_from_slice(&RecordType::SOA.0.to_be_bytes());
            message.extend_from_slice(&CLASS_IN.to_be_bytes());
            message.extend_from_slice(&[0, 0, 0, 0, 0, 22, 0, 0]);
            message.extend_from_slice(&from.to_be_bytes());
            message.extend_from_slice(&[0; 16]);
        }
        message
    }
}
