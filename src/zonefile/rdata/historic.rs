//! Formats that nobody makes any more and that zone files may still have: A6 (RFC 2874 section 3.1), ATMA (ATM Forum
//! AF-DANS-0152.000) and NXT's bitmap (RFC 2535 section 5.2).

use std::net::Ipv6Addr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use crate::wire::RecordType;

use crate::zonefile::fault::Flaw;
use crate::zonefile::fields::Fields;
use crate::zonefile::rdata::format;
use crate::zonefile::rdata::layout::Field;
use crate::zonefile::rdata::parse::{ipv6, record_type, u8_from};
use crate::zonefile::rdata::wire::Wire;

/// Bits of an IPv6 address.
const ADDRESS_BITS: u8 = 128;
/// ATMA's formats: an ATM end system address, and a number of E.164 in ASCII.
const END_SYSTEM: u8 = 0;
const E164: u8 = 1;
/// NXT's bitmap has types below 128; the bit of type 0 says that it is none of ours.
const NXT_TYPES: u16 = 128;

/// Reads A6: how many bits another name has, the other bits as an address, that name.
pub(super) fn read_a6(fields: &mut Fields<'_, '_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let bits = fields
        .parsed("a prefix length from 0 to 128", |text| u8_from(text).filter(|bits| *bits <= ADDRESS_BITS))?;
    out.push(bits);
    if bits < ADDRESS_BITS {
        let expected = "an IPv6 address whose bits in front of the prefix length are 0";
        let address =
            fields.parsed(expected, |text| ipv6(text).filter(|address| prefix(*address, bits) == 0))?;
        out.extend_from_slice(address.octets().get(usize::from(bits / 8)..).unwrap_or_default());
    }
    if bits > 0 {
        fields.name(Field::Name.expectation(), out)?;
    }
    Ok(())
}

/// Writes what [`read_a6`] reads.
pub(super) fn write_a6(wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    let bits = wire.u8().filter(|bits| *bits <= ADDRESS_BITS)?;
    format::text(bits, out);
    if bits < ADDRESS_BITS {
        let first = usize::from(bits / 8);
        let mut octets = [0; 16];
        octets.get_mut(first..)?.copy_from_slice(wire.take(16 - first)?);
        let address = Ipv6Addr::from(octets);
        (prefix(address, bits) == 0).then_some(())?;
        format::text(format_args!(" {address}"), out);
    }
    if bits > 0 {
        out.push(b' ');
        format::name(wire.name()?, out);
    }
    Some(())
}

/// The first `bits` bits of an address, at most 127 of them.
fn prefix(address: Ipv6Addr, bits: u8) -> u128 {
    address.to_bits().checked_shr(u32::from(ADDRESS_BITS - bits)).unwrap_or(0)
}

/// Reads ATMA: `+` and digits, or hexadecimal; dots mean nothing.
pub(super) fn parse_atma(text: &[u8]) -> Option<Vec<u8>> {
    let (format, text) = text.strip_prefix(b"+").map_or((END_SYSTEM, text), |digits| (E164, digits));
    let digits: Vec<u8> = text.iter().copied().filter(|octet| *octet != b'.').collect();
    let address = match format {
        E164 => digits.iter().all(u8::is_ascii_digit).then_some(digits)?,
        _ => HEXLOWER_PERMISSIVE.decode(&digits).ok()?,
    };
    (!address.is_empty()).then(|| [&[format], address.as_slice()].concat())
}

/// Writes what [`parse_atma`] reads, without dots.
pub(super) fn write_atma(wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    let format = wire.u8()?;
    let address = format::some(wire.all())?;
    match format {
        END_SYSTEM => out.extend_from_slice(HEXLOWER.encode(address).as_bytes()),
        E164 if address.iter().all(u8::is_ascii_digit) => {
            out.push(b'+');
            out.extend_from_slice(address);
        }
        _ => return None,
    }
    Some(())
}

/// Reads NXT's types to the end of the entry.
pub(super) fn read_nxt(
    fields: &mut Fields<'_, '_>,
    expected: &'static str,
    out: &mut Vec<u8>,
) -> Result<(), Flaw> {
    let mut bits = 0_u128;
    while fields.peek().is_some() {
        let taken = fields
            .parsed(expected, |text| record_type(text).filter(|taken| (1..NXT_TYPES).contains(&taken.0)))?;
        bits |= bit(taken);
    }
    let octets = bits.to_be_bytes();
    let used = octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
    out.extend_from_slice(octets.get(..used).unwrap_or_default());
    Ok(())
}

/// Writes the mnemonics, each after a blank; `None` for a bitmap that RFC 2535 does not allow.
pub(super) fn write_nxt(wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    let used = wire.all();
    let mut octets = [0; 16];
    octets.get_mut(..used.len())?.copy_from_slice(used);
    let bits = u128::from_be_bytes(octets);
    if bits & bit(RecordType(0)) != 0 || used.last() == Some(&0) {
        return None;
    }
    for taken in (1..NXT_TYPES).map(RecordType).filter(|taken| bits & bit(*taken) != 0) {
        format::text(format_args!(" {taken}"), out);
    }
    Some(())
}

/// The bit of a type below 128.
fn bit(record_type: RecordType) -> u128 {
    1_u128.checked_shl(u32::from(NXT_TYPES - 1).saturating_sub(record_type.0.into())).unwrap_or(0)
}
