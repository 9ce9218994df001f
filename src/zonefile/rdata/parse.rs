//! What fields are made of, out of the presentation format.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::from_utf8;

use data_encoding::{BASE32HEX_NOPAD, HEXLOWER_PERMISSIVE};

use crate::wire::RecordType;

use crate::zonefile::fault::Flaw;
use crate::zonefile::fields::Fields;
use crate::zonefile::number::decimal;

/// A type's mnemonic or `TYPE123`; the frequent ones without a walk through the registry.
pub(in crate::zonefile) fn record_type(text: &[u8]) -> Option<RecordType> {
    Some(match text {
        b"A" => RecordType::A,
        b"NS" => RecordType::NS,
        b"AAAA" => RecordType::AAAA,
        b"RRSIG" => RecordType::RRSIG,
        b"NSEC3" => RecordType::NSEC3,
        b"NSEC" => RecordType::NSEC,
        b"DS" => RecordType::DS,
        b"MX" => RecordType::MX,
        b"TXT" => RecordType::TXT,
        b"CNAME" => RecordType::CNAME,
        b"PTR" => RecordType::PTR,
        b"SRV" => RecordType::SRV,
        _ => return RecordType::from_text(from_utf8(text).ok()?),
    })
}

pub(super) fn u8_from(text: &[u8]) -> Option<u8> {
    u8::try_from(decimal(text, 255)?).ok()
}

pub(super) fn u16_from(text: &[u8]) -> Option<u16> {
    u16::try_from(decimal(text, 65_535)?).ok()
}

pub(super) fn u32_from(text: &[u8]) -> Option<u32> {
    u32::try_from(decimal(text, u64::from(u32::MAX))?).ok()
}

pub(super) fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    from_utf8(text).ok()?.parse().ok()
}

pub(super) fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    from_utf8(text).ok()?.parse().ok()
}

/// Appends at most 255 octets after their number.
pub(super) fn push_counted(octets: &[u8], out: &mut Vec<u8>) {
    let octets = octets.get(..255).unwrap_or(octets);
    out.push(octets.len() as u8);
    out.extend_from_slice(octets);
}

/// Decodes the joined rest of the entry.
pub(super) fn joined(
    fields: &mut Fields<'_, '_>,
    expected: &'static str,
    out: &mut Vec<u8>,
    decode: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Result<(), Flaw> {
    let (token, text) = fields.joined(expected)?;
    let octets = decode(&text).ok_or_else(|| token.unexpected(expected))?;
    out.extend_from_slice(&octets);
    Ok(())
}

pub(super) fn tag(text: &[u8]) -> Option<Vec<u8>> {
    let fits = (1..=255).contains(&text.len()) && text.iter().all(u8::is_ascii_alphanumeric);
    fits.then(|| text.to_vec())
}

pub(super) fn salt(text: &[u8]) -> Option<Vec<u8>> {
    if text == b"-" {
        return Some(Vec::new());
    }
    HEXLOWER_PERMISSIVE.decode(text).ok().filter(|salt| (1..=255).contains(&salt.len()))
}

pub(super) fn hash(text: &[u8]) -> Option<Vec<u8>> {
    BASE32HEX_NOPAD.decode(&text.to_ascii_uppercase()).ok().filter(|hash| (1..=255).contains(&hash.len()))
}

pub(super) fn node64(text: &[u8]) -> Option<[u8; 8]> {
    let mut node = [0; 8];
    let mut groups = text.split(|octet| *octet == b':');
    for pair in node.chunks_exact_mut(2) {
        let group = groups.next().filter(|group| (1..=4).contains(&group.len()))?;
        if !group.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        pair.copy_from_slice(&u16::from_str_radix(from_utf8(group).ok()?, 16).ok()?.to_be_bytes());
    }
    groups.next().is_none().then_some(node)
}

pub(super) fn eui(text: &[u8], octets: usize) -> Option<Vec<u8>> {
    let parts = text.split(|octet| *octet == b'-');
    let address: Option<Vec<u8>> = parts
        .map(|part| {
            HEXLOWER_PERMISSIVE.decode(part).ok().filter(|decoded| decoded.len() == 1)?.first().copied()
        })
        .collect();
    address.filter(|address| address.len() == octets)
}

pub(super) fn coded<T: Copy>(text: &[u8], table: &[(&str, T)]) -> Option<T> {
    table.iter().find(|(mnemonic, _)| text.eq_ignore_ascii_case(mnemonic.as_bytes())).map(|(_, code)| *code)
}

/// IANA "DNS Security Algorithm Numbers".
pub(super) const ALGORITHMS: &[(&str, u8)] = &[
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("RSASHA1", 5),
    ("DSA-NSEC3-SHA1", 6),
    ("NSEC3DSA", 6),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("NSEC3RSASHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECC-GOST", 12),
    ("ECCGOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("SM2SM3", 17),
    ("ECC-GOST12", 23),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

/// RFC 4398 section 2.1.
pub(super) const CERTIFICATES: &[(&str, u16)] = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

/// RFC 9859 section 2.1.
pub(super) const SCHEMES: &[(&str, u8)] = &[("NOTIFY", 1)];
