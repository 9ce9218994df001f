//! Bits of the header's second 16-bit word (RFC 1035 section 4.1.1, RFC 4035 section 3.1.6).

/// This message is a response.
pub const QR: u16 = 0x8000;
/// Authoritative answer.
pub const AA: u16 = 0x0400;
/// Truncated.
pub const TC: u16 = 0x0200;
/// Recursion desired.
pub const RD: u16 = 0x0100;
/// Checking disabled.
pub const CD: u16 = 0x0010;
/// The opcode's four bits; [`opcode`](super::opcode) names their values.
pub const OPCODE: u16 = 0x7800;
