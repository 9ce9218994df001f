//! Presentation format in, wire form out: one branch for each kind of field.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::from_utf8;

use data_encoding::{BASE32HEX_NOPAD, BASE64, HEXLOWER_PERMISSIVE};

use crate::wire::RecordType;

use super::super::fault::Flaw;
use super::super::fields::Fields;
use super::super::number::{decimal, period, time};
use super::layout::Field;
use super::{apl, bitmap, gateway, hip, historic, loc, nsap, svcb, wks};

/// Reads one field and appends its wire form.
pub(super) fn field(field: Field, fields: &mut Fields<'_, '_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let expected = field.expectation();
    match field {
        Field::U8 => out.push(fields.parsed(expected, u8_from)?),
        Field::U16 => out.extend_from_slice(&fields.parsed(expected, u16_from)?.to_be_bytes()),
        Field::U32 => out.extend_from_slice(&fields.parsed(expected, u32_from)?.to_be_bytes()),
        Field::U64 => {
            out.extend_from_slice(&fields.parsed(expected, |text| decimal(text, u64::MAX))?.to_be_bytes())
        }
        Field::Period => out.extend_from_slice(&fields.parsed(expected, period)?.to_be_bytes()),
        Field::Time => out.extend_from_slice(&fields.parsed(expected, time)?.to_be_bytes()),
        Field::Ipv4 => out.extend_from_slice(&fields.parsed(expected, ipv4)?.octets()),
        Field::Ipv6 => out.extend_from_slice(&fields.parsed(expected, ipv6)?.octets()),
        Field::Name => fields.name(expected, out)?,
        Field::Text => fields.short_characters(expected, out)?,
        Field::OptionalText => {
            if fields.peek().is_some() {
                fields.short_characters(expected, out)?;
            }
        }
        Field::Texts => {
            fields.short_characters(expected, out)?;
            while fields.peek().is_some() {
                fields.short_characters(expected, out)?;
            }
        }
        Field::Rest => fields.characters(expected, out)?,
        Field::Tag => push_counted(&fields.parsed(expected, tag)?, out),
        Field::Hex => joined(fields, expected, out, |text| HEXLOWER_PERMISSIVE.decode(text).ok())?,
        Field::Base64 => joined(fields, expected, out, |text| BASE64.decode(text).ok())?,
        Field::OptionalBase64 => {
            if fields.peek().is_some() {
                joined(fields, expected, out, |text| BASE64.decode(text).ok())?;
            }
        }
        Field::DashBase64 => joined(fields, expected, out, |text| match text {
            b"-" => Some(Vec::new()),
            _ => BASE64.decode(text).ok(),
        })?,
        Field::Salt => push_counted(&fields.parsed(expected, salt)?, out),
        Field::Hash => push_counted(&fields.parsed(expected, hash)?, out),
        Field::Types => bitmap::read(fields, expected, out)?,
        Field::Type => out.extend_from_slice(&fields.parsed(expected, record_type)?.0.to_be_bytes()),
        Field::Algorithm => {
            out.push(fields.parsed(expected, |text| coded(text, ALGORITHMS).or_else(|| u8_from(text)))?)
        }
        Field::Certificate => {
            let code =
                fields.parsed(expected, |text| coded(text, CERTIFICATES).or_else(|| u16_from(text)))?;
            out.extend_from_slice(&code.to_be_bytes());
        }
        Field::Scheme => {
            out.push(fields.parsed(expected, |text| coded(text, SCHEMES).or_else(|| u8_from(text)))?)
        }
        Field::Node64 => out.extend_from_slice(&fields.parsed(expected, node64)?),
        Field::Eui(octets) => {
            out.extend_from_slice(&fields.parsed(expected, |text| eui(text, octets.into()))?)
        }
        Field::SvcParams => svcb::read(fields, expected, out)?,
        Field::Prefixes => apl::read(fields, expected, out)?,
        Field::Location => loc::read(fields, out)?,
        Field::Nsap => out.extend_from_slice(&fields.parsed(expected, nsap::parse)?),
        Field::Services => wks::read(fields, out)?,
        Field::Gateway => gateway::read_ipseckey(fields, out)?,
        Field::Relay => gateway::read_amtrelay(fields, out)?,
        Field::HostIdentity => hip::read(fields, out)?,
        Field::A6 => historic::read_a6(fields, out)?,
        Field::Atm => out.extend_from_slice(&fields.parsed(expected, historic::parse_atma)?),
        Field::NxtTypes => historic::read_nxt(fields, expected, out)?,
    }
    Ok(())
}

/// A type's mnemonic or `TYPE123`; the frequent ones without a walk through the registry.
pub(in super::super) fn record_type(text: &[u8]) -> Option<RecordType> {
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

fn u32_from(text: &[u8]) -> Option<u32> {
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

fn tag(text: &[u8]) -> Option<Vec<u8>> {
    let fits = (1..=255).contains(&text.len()) && text.iter().all(u8::is_ascii_alphanumeric);
    fits.then(|| text.to_vec())
}

fn salt(text: &[u8]) -> Option<Vec<u8>> {
    if text == b"-" {
        return Some(Vec::new());
    }
    HEXLOWER_PERMISSIVE.decode(text).ok().filter(|salt| (1..=255).contains(&salt.len()))
}

fn hash(text: &[u8]) -> Option<Vec<u8>> {
    BASE32HEX_NOPAD.decode(&text.to_ascii_uppercase()).ok().filter(|hash| (1..=255).contains(&hash.len()))
}

fn node64(text: &[u8]) -> Option<[u8; 8]> {
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

fn eui(text: &[u8], octets: usize) -> Option<Vec<u8>> {
    let parts = text.split(|octet| *octet == b'-');
    let address: Option<Vec<u8>> = parts
        .map(|part| {
            HEXLOWER_PERMISSIVE.decode(part).ok().filter(|decoded| decoded.len() == 1)?.first().copied()
        })
        .collect();
    address.filter(|address| address.len() == octets)
}

fn coded<T: Copy>(text: &[u8], table: &[(&str, T)]) -> Option<T> {
    table.iter().find(|(mnemonic, _)| text.eq_ignore_ascii_case(mnemonic.as_bytes())).map(|(_, code)| *code)
}

/// IANA "DNS Security Algorithm Numbers".
const ALGORITHMS: &[(&str, u8)] = &[
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
const CERTIFICATES: &[(&str, u16)] = &[
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
const SCHEMES: &[(&str, u8)] = &[("NOTIFY", 1)];
