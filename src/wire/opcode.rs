//! What a message asks for (IANA "DNS OpCodes"): four bits of the header's flags (RFC 1035 section 4.1.1).

use super::flag;
use super::octets::{HEADER, u16_at};

/// A query (RFC 1035 section 4.1.1).
pub const QUERY: u8 = 0;
/// A zone has changed (RFC 1996 section 3.1).
pub const NOTIFY: u8 = 4;
/// A zone is to be changed (RFC 2136 section 1.3).
pub const UPDATE: u8 = 5;

/// Where the four bits stand in the flags.
const SHIFT: u32 = 11;

/// The opcode in these flags.
pub const fn of_flags(flags: u16) -> u8 {
    ((flags & flag::OPCODE) >> SHIFT) as u8
}

/// The flags that have this opcode and nothing else.
pub const fn to_flags(opcode: u8) -> u16 {
    (opcode as u16) << SHIFT & flag::OPCODE
}

/// The opcode of a request; `None` if the message is a response, or shorter than a header.
pub fn of_request(message: &[u8]) -> Option<u8> {
    let flags = u16_at(message, 2).filter(|flags| message.len() >= HEADER && flags & flag::QR == 0)?;
    Some(of_flags(flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_opcode_has_its_bits() {
        for opcode in 0..16 {
            assert_eq!(of_flags(to_flags(opcode)), opcode);
            assert_eq!(to_flags(opcode) & !flag::OPCODE, 0);
            assert_eq!(of_flags(to_flags(opcode) | !flag::OPCODE), opcode);
        }
        // RFC 1996 section 3.5, RFC 2136 section 2.2.
        assert_eq!([QUERY, NOTIFY, UPDATE].map(to_flags), [0, 0x2000, 0x2800]);
    }

    #[test]
    fn only_a_whole_header_of_a_request_has_one() {
        let header = |flags: u16| [&[0, 1][..], &flags.to_be_bytes(), &[0; 8]].concat();
        assert_eq!(of_request(&header(to_flags(UPDATE) | flag::RD)), Some(UPDATE));
        assert_eq!(of_request(&header(to_flags(UPDATE) | flag::QR)), None);
        assert_eq!(of_request(&header(0)[..HEADER - 1]), None);
        assert_eq!(of_request(&[]), None);
    }
}
