//! The TSIG record of a message, found and written (RFC 8945 section 4.2).

use crate::wire::octets::{FlatName, HEADER, RECORD_FIXED, put_u16, skip_name, u16_at, u32_at};
use crate::wire::{CLASS_ANY, Name, RecordType};

use super::algorithm::Algorithm;
use super::fault::TsigFault;

/// Where ARCOUNT stands in a header.
const ARCOUNT: usize = 10;
/// Octets of what stands in the RDATA before the MAC: time, fudge, MAC size.
const BEFORE_MAC: usize = 10;

/// A TSIG record, as it stands in a message.
#[derive(Debug)]
pub(super) struct Found<'m> {
    /// Where the record begins.
    pub(super) start: usize,
    /// The key's name.
    pub(super) key: Name,
    /// The algorithm, if it is one of ours.
    pub(super) algorithm: Option<Algorithm>,
    /// The algorithm's name as it came, in lower case.
    pub(super) algorithm_name: Vec<u8>,
    /// Seconds since 1970, 48 bits.
    pub(super) time: u64,
    pub(super) fudge: u16,
    pub(super) mac: &'m [u8],
    pub(super) original_id: u16,
    pub(super) error: u16,
    pub(super) other: &'m [u8],
}

/// The TSIG record of a message; `None` if it has none. It must be the last record (RFC 8945 section 5.1).
pub(super) fn find(message: &[u8]) -> Result<Option<Found<'_>>, TsigFault> {
    let Some(start) = last_record(message)? else { return Ok(None) };
    read(message, start).ok_or(TsigFault::Malformed).map(Some)
}

/// Where the last record of the additional section begins, if it is a TSIG record.
fn last_record(message: &[u8]) -> Result<Option<usize>, TsigFault> {
    let malformed = TsigFault::Malformed;
    let count = |at| u16_at(message, at).map(u32::from);
    let counts = (count(4), count(6), count(8), count(ARCOUNT));
    let (Some(questions), Some(answers), Some(authorities), Some(additionals)) = counts else {
        return Err(malformed);
    };
    let mut at = HEADER;
    for _ in 0..questions {
        at = skip_name(message, at).ok_or(TsigFault::Malformed)? + 4;
    }
    if at > message.len() {
        return Err(malformed);
    }
    let records = answers + authorities + additionals;
    for index in 1..=records {
        let start = at;
        let fixed = skip_name(message, at).ok_or(TsigFault::Malformed)?;
        let record_type = u16_at(message, fixed).ok_or(TsigFault::Malformed)?;
        at = fixed + RECORD_FIXED + usize::from(u16_at(message, fixed + 8).ok_or(TsigFault::Malformed)?);
        if at > message.len() {
            return Err(malformed);
        }
        if record_type == RecordType::TSIG.0 {
            let is_last = index == records && additionals > 0 && at == message.len();
            return if is_last { Ok(Some(start)) } else { Err(malformed) };
        }
    }
    Ok(None)
}

fn read(message: &[u8], start: usize) -> Option<Found<'_>> {
    let (mut key, mut algorithm) = (FlatName::ROOT, FlatName::ROOT);
    let fixed = key.read(message, start).ok()?;
    // The MAC covers neither as they came: it is made with what they must be (section 4.2).
    if u16_at(message, fixed + 2)? != CLASS_ANY || u32_at(message, fixed + 4)? != 0 {
        return None;
    }
    // The name of the algorithm is not compressed, because its reader would then have to follow pointers.
    let at = algorithm.read(message, fixed + RECORD_FIXED).ok()?;
    if at != fixed + RECORD_FIXED + algorithm.as_wire().len() {
        return None;
    }
    let high = u64::from(u16_at(message, at)?);
    let time = high << 32 | u64::from(u16_at(message, at + 2)?) << 16 | u64::from(u16_at(message, at + 4)?);
    let mac = at + BEFORE_MAC;
    let behind = mac + usize::from(u16_at(message, mac - 2)?);
    let other = behind + 6;
    let end = other + usize::from(u16_at(message, other - 2)?);
    if end != message.len() {
        return None;
    }
    let lower = algorithm.lower();
    Some(Found {
        start,
        key: key.to_name().to_lowercase(),
        algorithm: Algorithm::from_wire(lower.as_wire()),
        algorithm_name: lower.as_wire().to_vec(),
        time,
        fudge: u16_at(message, at + 6)?,
        mac: message.get(mac..behind)?,
        original_id: u16_at(message, behind)?,
        error: u16_at(message, behind + 2)?,
        other: message.get(other..end)?,
    })
}

/// What a TSIG record says beside its MAC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    pub(super) key: &'a Name,
    /// In wire form.
    pub(super) algorithm: &'a [u8],
    pub(super) time: u64,
    pub(super) fudge: u16,
    pub(super) error: u16,
    pub(super) other: &'a [u8],
}

/// Appends a TSIG record to a message. Its ID is the original one.
pub(super) fn append(message: &mut Vec<u8>, fields: &Fields<'_>, mac: &[u8]) {
    let id = u16_at(message, 0).unwrap_or_default();
    let rdata = fields.algorithm.len() + BEFORE_MAC + mac.len() + 6 + fields.other.len();
    message.extend_from_slice(fields.key.as_wire());
    message.extend_from_slice(&RecordType::TSIG.0.to_be_bytes());
    message.extend_from_slice(&CLASS_ANY.to_be_bytes());
    message.extend_from_slice(&[0; 4]);
    // A name, a MAC and two short fields: far below 65,536.
    message.extend_from_slice(&(rdata as u16).to_be_bytes());
    message.extend_from_slice(fields.algorithm);
    message.extend_from_slice(&time_octets(fields.time));
    message.extend_from_slice(&fields.fudge.to_be_bytes());
    message.extend_from_slice(&(mac.len() as u16).to_be_bytes());
    message.extend_from_slice(mac);
    message.extend_from_slice(&id.to_be_bytes());
    message.extend_from_slice(&fields.error.to_be_bytes());
    message.extend_from_slice(&(fields.other.len() as u16).to_be_bytes());
    message.extend_from_slice(fields.other);
    let count = u16_at(message, ARCOUNT).unwrap_or_default().wrapping_add(1);
    put_u16(message, ARCOUNT, count);
}

/// The 48 bits of a time.
pub(super) fn time_octets(time: u64) -> [u8; 6] {
    let [_, _, octets @ ..] = time.to_be_bytes();
    octets
}
