//! The answer to an SOA query (RFC 1034 section 4.3.5).

use crate::wire::octets::u16_at;
use crate::wire::{RecordType, flag};

use super::fault::TransferFault;
use super::query::Asked;
use super::records::{Record, Records};
use super::soa::Soa;

/// What a primary says when it is asked for the SOA record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoaAnswer {
    /// It serves this version.
    Serves(Soa),
    /// Too long for UDP: ask over TCP.
    Truncated,
    /// It does not serve the zone, because the answer is not authoritative: a referral, or a resolver's.
    NotAuthoritative,
}

/// Reads the answer to an SOA query.
///
/// # Errors
/// It is no answer to that query, or an error.
pub fn read_soa_answer(message: &[u8], asked: &Asked) -> Result<SoaAnswer, TransferFault> {
    let flags = u16_at(message, 2).unwrap_or_default();
    let mut records = match Records::open(message, 1, asked) {
        Err(TransferFault::Truncated) => return Ok(SoaAnswer::Truncated),
        other => other?,
    };
    if flags & flag::AA == 0 {
        return Ok(SoaAnswer::NotAuthoritative);
    }
    let mut record = Record::new();
    while records.next_into(&mut record)? {
        let is_apex = record.owner.as_wire().eq_ignore_ascii_case(asked.zone.as_wire());
        if record.record_type == RecordType::SOA && is_apex {
            return Soa::from_rdata(&record.rdata).map(SoaAnswer::Serves).ok_or(TransferFault::BadSoa);
        }
    }
    Ok(SoaAnswer::NotAuthoritative)
}
