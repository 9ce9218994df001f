//! The OPT record outside of the query path: in responses to NOTIFY, UPDATE, SOA queries and transfers, and in what is asked of primaries
//! (RFC 6891).

use super::RecordType;
use super::octets::{HEADER, RECORD_FIXED, put_u16, skip_name, u16_at};
use super::query::Query;

/// An OPT record: EDNS version 0, no options, and a UDP payload that no usual path fragments (1232 octets, RFC 9715).
pub const PLAIN_OPT: [u8; 11] = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];

/// The octet of [`PLAIN_OPT`] with the upper eight bits of the RCODE (section 6.1.3).
pub const UPPER_RCODE: usize = 5;

/// Octets of an option beside what is in it: its code and its length (section 6.1.2).
pub const OPTION_HEADER: usize = 4;

/// The EDNS version of a request; `None` if it has no OPT record that can be read.
pub fn edns_version(request: &[u8]) -> Option<u8> {
    Some(Query::parse(request)?.edns?.version)
}

/// Appends an OPT record with the upper bits of an RCODE to a response that is not signed yet. A response to a request with an OPT record has
/// one, and no other has (section 6.1.1).
pub fn append_opt(response: &mut Vec<u8>, rcode: u16) {
    let mut record = PLAIN_OPT;
    if let Some(octet) = record.get_mut(UPPER_RCODE) {
        *octet = (rcode >> 4) as u8;
    }
    response.extend_from_slice(&record);
    let count = u16_at(response, 10).unwrap_or_default();
    put_u16(response, 10, count.saturating_add(1));
}

/// The same for a message without an error, with one option in the record: its code, and what is in it, at most 65,531 octets.
pub fn append_opt_with(message: &mut Vec<u8>, code: u16, octets: &[u8]) {
    let at = message.len() + PLAIN_OPT.len() - 2;
    append_opt(message, 0);
    message.extend_from_slice(&code.to_be_bytes());
    message.extend_from_slice(&(octets.len() as u16).to_be_bytes());
    message.extend_from_slice(octets);
    put_u16(message, at, (OPTION_HEADER + octets.len()) as u16);
}

/// What is in the first option with this code, in the first OPT record of a message, whether it is a query or a response; `None` without
/// one that can be read. Reads each octet at most once and follows no pointer.
pub fn option_of(message: &[u8], code: u16) -> Option<&[u8]> {
    let mut at = HEADER;
    for _ in 0..u16_at(message, 4)? {
        at = skip_name(message, at)? + 4;
    }
    for _ in 0..u32::from(u16_at(message, 6)?) + u32::from(u16_at(message, 8)?) {
        at = record_at(message, at)?.1;
    }
    for _ in 0..u16_at(message, 10)? {
        let (fixed, end) = record_at(message, at)?;
        if u16_at(message, fixed)? == RecordType::OPT.0 {
            return option_in(message.get(fixed + RECORD_FIXED..end)?, code);
        }
        at = end;
    }
    None
}

/// Where the type of the record at a position stands, and where the record ends.
fn record_at(message: &[u8], at: usize) -> Option<(usize, usize)> {
    let fixed = skip_name(message, at)?;
    let end = fixed + RECORD_FIXED + usize::from(u16_at(message, fixed + RECORD_FIXED - 2)?);
    Some((fixed, end)).filter(|_| end <= message.len())
}

fn option_in(mut options: &[u8], code: u16) -> Option<&[u8]> {
    loop {
        let (found, length) = (u16_at(options, 0)?, usize::from(u16_at(options, 2)?));
        let (octets, rest) = options.get(OPTION_HEADER..)?.split_at_checked(length)?;
        if found == code {
            return Some(octets);
        }
        options = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A response with one question, an answer, an authority record, and a record before OPT.
    fn response() -> Vec<u8> {
        let mut message = b"\0\x07\x84\0\0\x01\0\x01\0\x01\0\x01\x01a\0\0\x06\0\x01".to_vec();
        for _ in 0..3 {
            message.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01");
        }
        message
    }

    #[test]
    fn an_option_is_found_behind_the_other_records_and_a_cut_message_has_none() {
        let mut message = response();
        assert_eq!(option_of(&message, 9), None, "no OPT record");
        append_opt_with(&mut message, 9, b"abcd");
        assert_eq!(message[10..12], [0, 2]);
        assert_eq!(option_of(&message, 9), Some(&b"abcd"[..]));
        assert_eq!(option_of(&message, 10), None);
        for octets in 0..message.len() {
            assert_eq!(option_of(&message[..octets], 9), None, "{octets}");
        }
        // Behind another one, and empty; of two the first counts.
        let mut two = response();
        append_opt_with(&mut two, 3, b"x\0\x09\0\0\0\x09\0\x01z");
        let length = two.len();
        two[length - 10..length - 9].copy_from_slice(&[1]);
        two[length - 12..length - 10].copy_from_slice(&[0, 1]);
        assert_eq!((option_of(&two, 3), option_of(&two, 9)), (Some(&[1][..]), Some(&[][..])));
        // And in front of a signature.
        message.extend(b"\x01k\0\0\xfa\0\xff\0\0\0\0\0\0");
        message[11] = 3;
        assert_eq!(option_of(&message, 9), Some(&b"abcd"[..]));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..120), code in any::<u16>()) {
            let _ = option_of(&octets, code);
        }
    }
}
