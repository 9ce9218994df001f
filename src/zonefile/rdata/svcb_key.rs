//! The keys of service parameters (RFC 9460 section 2.1, IANA "Service Parameter Keys").

use crate::zonefile::number::decimal;
use crate::zonefile::rdata::format::text;

/// IANA "Service Parameter Keys (SvcParamKeys)", by number.
const KEYS: [&str; 12] = [
    "mandatory",
    "alpn",
    "no-default-alpn",
    "port",
    "ipv4hint",
    "ech",
    "ipv6hint",
    "dohpath",
    "ohttp",
    "tls-supported-groups",
    "docpath",
    "pvd",
];

/// A key's number.
pub(super) fn key(text: &[u8]) -> Option<u16> {
    named_key(text).or_else(|| numbered_key(text))
}

/// The number of a key that has a name.
pub(super) fn named_key(text: &[u8]) -> Option<u16> {
    u16::try_from(KEYS.iter().position(|name| name.as_bytes() == text)?).ok()
}

/// `keyNNNNN`, without leading zeros (RFC 9460 section 2.1).
pub(super) fn numbered_key(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"key").filter(|digits| *digits == b"0" || !digits.starts_with(b"0"))?;
    u16::try_from(decimal(digits, 65_534)?).ok()
}

/// A key's name.
pub(super) fn write_key(key: u16, out: &mut Vec<u8>) {
    match KEYS.get(usize::from(key)) {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => text(format_args!("key{key}"), out),
    }
}
