//! OSI addresses (RFC 1706 section 6): `0x`, then hexadecimal in which dots mean nothing.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// Reads one address of at least one octet.
pub(super) fn parse(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X"))?;
    let digits: Vec<u8> = digits.iter().copied().filter(|octet| *octet != b'.').collect();
    HEXLOWER_PERMISSIVE.decode(&digits).ok().filter(|address| !address.is_empty())
}

/// Writes one address without dots.
pub(super) fn write(address: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"0x");
    out.extend_from_slice(HEXLOWER.encode(address).as_bytes());
}
