//! What the presentation format of fields is made of.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::HEXLOWER;

use crate::zonefile::rdata::wire::Wire;

/// A domain name with its last dot, escaped as [`crate::wire::Name`] displays it.
pub(in crate::zonefile) fn name(wire: &[u8], out: &mut Vec<u8>) {
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

pub(super) fn decimal_escape(octet: u8, out: &mut Vec<u8>) {
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

pub(super) fn texts(wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    some(wire.rest)?;
    while !wire.rest.is_empty() {
        out.push(b' ');
        quoted(wire.counted()?, out);
    }
    Some(())
}

pub(super) fn groups(octets: &[u8], size: usize, separator: u8, out: &mut Vec<u8>) {
    for (index, group) in octets.chunks(size).enumerate() {
        if index > 0 {
            out.push(separator);
        }
        out.extend_from_slice(HEXLOWER.encode(group).as_bytes());
    }
}
