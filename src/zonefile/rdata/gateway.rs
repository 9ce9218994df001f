//! Gateways of IPSECKEY (RFC 4025 section 3) and relays of AMTRELAY (RFC 8777 section 4): both are nothing, an IPv4
//! address, an IPv6 address or a name, as a number before them says.

use crate::zonefile::fault::Flaw;
use crate::zonefile::fields::Fields;
use crate::zonefile::rdata::format;
use crate::zonefile::rdata::layout::Field;
use crate::zonefile::rdata::parse::{ipv4, ipv6, u8_from};
use crate::zonefile::rdata::wire::Wire;

const KIND: &str = "0 (none), 1 (IPv4), 2 (IPv6) or 3 (a name)";
const NOTHING: &str = "`.`, because there is no gateway";

/// Reads gateway type, algorithm and gateway.
pub(super) fn read_ipseckey(fields: &mut Fields<'_, '_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let kind = fields.parsed(KIND, kind)?;
    let algorithm = fields.parsed(Field::U8.expectation(), u8_from)?;
    out.extend_from_slice(&[kind, algorithm]);
    read_address(kind, fields, out)
}

/// Reads discovery-optional flag, relay type and relay.
pub(super) fn read_amtrelay(fields: &mut Fields<'_, '_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let discovery = fields
        .parsed("the discovery-optional flag, 0 or 1", |text| u8_from(text).filter(|flag| *flag <= 1))?;
    let kind = fields.parsed(KIND, kind)?;
    out.push(discovery << 7 | kind);
    read_address(kind, fields, out)
}

fn kind(text: &[u8]) -> Option<u8> {
    u8_from(text).filter(|kind| *kind <= 3)
}

fn read_address(kind: u8, fields: &mut Fields<'_, '_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    match kind {
        0 => fields.parsed(NOTHING, |text| (text == b".").then_some(()))?,
        1 => out.extend_from_slice(&fields.parsed(Field::Ipv4.expectation(), ipv4)?.octets()),
        2 => out.extend_from_slice(&fields.parsed(Field::Ipv6.expectation(), ipv6)?.octets()),
        _ => fields.name(Field::Name.expectation(), out)?,
    }
    Ok(())
}

/// Writes what [`read_ipseckey`] reads.
pub(super) fn write_ipseckey(wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    let (kind, algorithm) = (wire.u8()?, wire.u8()?);
    format::text(format_args!("{kind} {algorithm} "), out);
    write_address(kind, wire, out)
}

/// Writes what [`read_amtrelay`] reads.
pub(super) fn write_amtrelay(wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    let octet = wire.u8()?;
    format::text(format_args!("{} {} ", octet >> 7, octet & 0x7f), out);
    write_address(octet & 0x7f, wire, out)
}

fn write_address(kind: u8, wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    match kind {
        0 => out.push(b'.'),
        1 => format::text(format::ipv4(wire)?, out),
        2 => format::text(format::ipv6(wire)?, out),
        3 => format::name(wire.name()?, out),
        _ => return None,
    }
    Some(())
}
