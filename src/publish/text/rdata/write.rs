//! Wire form in, presentation format out; `None` where the octets do not have the layout.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::{BASE32HEX_NOPAD, BASE64, HEXLOWER, HEXUPPER};

use crate::wire::RecordType;

use super::super::number::write_time;
use super::layout::Field;
use super::wire::Wire;
use super::{apl, bitmap, gateway, hip, historic, loc, nsap, svcb, wks};

/// Writes all fields with blanks between them; the RDATA must end with the last field.
pub(super) fn fields(layout: &[Field], rdata: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut wire = Wire { rest: rdata };
    for (index, &field) in layout.iter().enumerate() {
        let before = out.len();
        // Lists write the blank before each of their members.
        let is_list = matches!(
            field,
            Field::Types | Field::NxtTypes | Field::SvcParams | Field::Texts | Field::Prefixes
        );
        if index > 0 && !is_list {
            out.push(b' ');
        }
        let start = out.len();
        write_field(field, &mut wire, out)?;
        if out.len() == start {
            out.truncate(before);
        } else if index == 0 && is_list {
            out.remove(start);
        }
    }
    wire.rest.is_empty().then_some(())
}

fn write_field(field: Field, wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    match field {
        Field::U8 | Field::Algorithm => text(wire.u8()?, out),
        Field::U16 | Field::Certificate => text(wire.u16()?, out),
        Field::U32 | Field::Period => text(wire.u32()?, out),
        Field::U64 => text(wire.u64()?, out),
        Field::Time => write_time(wire.u32()?, out),
        Field::Ipv4 => text(ipv4(wire)?, out),
        Field::Ipv6 => text(ipv6(wire)?, out),
        Field::Name => name(wire.name()?, out),
        Field::Text => quoted(wire.counted()?, out),
        Field::OptionalText => {
            if !wire.rest.is_empty() {
                quoted(wire.counted()?, out);
            }
        }
        Field::Texts => texts(wire, out)?,
        Field::Rest => quoted(wire.all(), out),
        Field::Tag => {
            let tag = wire.counted()?;
            let fits = !tag.is_empty() && tag.iter().all(u8::is_ascii_alphanumeric);
            out.extend_from_slice(fits.then_some(tag)?);
        }
        Field::Hex => out.extend_from_slice(HEXUPPER.encode(some(wire.all())?).as_bytes()),
        Field::Base64 => out.extend_from_slice(BASE64.encode(some(wire.all())?).as_bytes()),
        Field::OptionalBase64 => out.extend_from_slice(BASE64.encode(wire.all()).as_bytes()),
        Field::DashBase64 => match wire.all() {
            [] => out.push(b'-'),
            octets => out.extend_from_slice(BASE64.encode(octets).as_bytes()),
        },
        Field::Salt => match wire.counted()? {
            [] => out.push(b'-'),
            salt => out.extend_from_slice(HEXUPPER.encode(salt).as_bytes()),
        },
        Field::Hash => out.extend_from_slice(BASE32HEX_NOPAD.encode(some(wire.counted()?)?).as_bytes()),
        Field::Types => bitmap::write(wire, out)?,
        Field::Type => text(RecordType(wire.u16()?), out),
        Field::Scheme => match wire.u8()? {
            1 => out.extend_from_slice(b"NOTIFY"),
            scheme => text(scheme, out),
        },
        Field::Node64 => groups(wire.take(8)?, 2, b':', out),
        Field::Eui(octets) => groups(wire.take(octets.into())?, 1, b'-', out),
        Field::SvcParams => svcb::write(wire, out)?,
        Field::Prefixes => apl::write(wire, out)?,
        Field::Location => loc::write(wire, out)?,
        Field::Nsap => nsap::write(some(wire.all())?, out),
        Field::Services => wks::write(wire, out)?,
        Field::Gateway => gateway::write_ipseckey(wire, out)?,
        Field::Relay => gateway::write_amtrelay(wire, out)?,
        Field::HostIdentity => hip::write(wire, out)?,
        Field::A6 => historic::write_a6(wire, out)?,
        Field::Atm => historic::write_atma(wire, out)?,
        Field::NxtTypes => historic::write_nxt(wire, out)?,
    }
    Some(())
}

/// A domain name with its last dot, escaped as [`crate::wire::Name`] displays it.
pub(in super::super) fn name(wire: &[u8], out: &mut Vec<u8>) {
    if wire == [0] {
        out.push(b'.');
        return;
    }
    let mut rest = wire;
    while let Some((&length, after)) = rest.split_first() {
        let Some((label, next)) = after.split_at_checked(usize::from(length)).filter(|_| length > 0) else {
            return;
        };
        for &octet in label {
            match octet {
                b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                    out.extend_from_slice(&[b'\\', octet])
                }
                0x21..=0x7e => out.push(octet),
                _ => decimal_escape(octet, out),
            }
        }
        out.push(b'.');
        rest = next;
    }
}

/// A character-string in quotes.
pub(super) fn quoted(octets: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &octet in octets {
        match octet {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', octet]),
            0x20..=0x7e => out.push(octet),
            _ => decimal_escape(octet, out),
        }
    }
    out.push(b'"');
}

fn decimal_escape(octet: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'\\', b'0' + octet / 100, b'0' + octet / 10 % 10, b'0' + octet % 10]);
}

/// Appends anything that has a text form.
pub(super) fn text(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    // A vector takes everything.
    let _ = write!(out, "{value}");
}

pub(super) fn ipv4(wire: &mut Wire<'_>) -> Option<Ipv4Addr> {
    wire.u32().map(Ipv4Addr::from_bits)
}

pub(super) fn ipv6(wire: &mut Wire<'_>) -> Option<Ipv6Addr> {
    let octets: [u8; 16] = wire.take(16)?.try_into().ok()?;
    Some(octets.into())
}

/// Refuses nothing at all.
pub(super) fn some(octets: &[u8]) -> Option<&[u8]> {
    (!octets.is_empty()).then_some(octets)
}

fn texts(wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    some(wire.rest)?;
    while !wire.rest.is_empty() {
        out.push(b' ');
        quoted(wire.counted()?, out);
    }
    Some(())
}

fn groups(octets: &[u8], size: usize, separator: u8, out: &mut Vec<u8>) {
    for (index, group) in octets.chunks(size).enumerate() {
        if index > 0 {
            out.push(separator);
        }
        out.extend_from_slice(HEXLOWER.encode(group).as_bytes());
    }
}
