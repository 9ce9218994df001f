//! The OPT record of responses outside of the query path: to NOTIFY, UPDATE, SOA queries and transfers (RFC 6891).

use super::octets::{put_u16, u16_at};
use super::query::Query;

/// An OPT record: EDNS version 0, no options, and a UDP payload that no usual path fragments (1232 octets, RFC 9715).
pub const PLAIN_OPT: [u8; 11] = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];

/// The octet of [`PLAIN_OPT`] with the upper eight bits of the RCODE (section 6.1.3).
pub const UPPER_RCODE: usize = 5;

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
