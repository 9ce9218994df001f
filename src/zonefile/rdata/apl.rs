//! Address prefix lists (RFC 3123).

use crate::zonefile::fault::Flaw;
use crate::zonefile::fields::Fields;
use crate::zonefile::rdata::format::text;
use crate::zonefile::rdata::parse::{ipv4, ipv6, u8_from};
use crate::zonefile::rdata::wire::Wire;

/// Reads items to the end of the entry; an empty list is allowed (RFC 3123 section 5).
pub(super) fn read(
    fields: &mut Fields<'_, '_>,
    expected: &'static str,
    out: &mut Vec<u8>,
) -> Result<(), Flaw> {
    while fields.peek().is_some() {
        let item = fields.parsed(expected, item)?;
        out.extend_from_slice(&item);
    }
    Ok(())
}

/// `[!]family:address/prefix`; trailing zero octets of the address are left out (RFC 3123 section 4).
fn item(text: &[u8]) -> Option<Vec<u8>> {
    let (negation, text) = match text.strip_prefix(b"!") {
        Some(text) => (0x80_u8, text),
        None => (0, text),
    };
    let (family, text) = split_once(text, b':')?;
    let (address, prefix) = split_once(text, b'/')?;
    let prefix = u8_from(prefix)?;
    let (family, bits, octets) = match family {
        b"1" => (1_u8, 32, ipv4(address)?.octets().to_vec()),
        b"2" => (2, 128, ipv6(address)?.octets().to_vec()),
        _ => return None,
    };
    if prefix > bits {
        return None;
    }
    let used = octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
    let mut item = vec![0, family, prefix, negation | used as u8];
    item.extend_from_slice(octets.get(..used)?);
    Some(item)
}

fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|octet| *octet == separator)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Whether octets are items of any address families; what is known of a family holds (RFC 3123 section 4).
pub(super) fn is_list(rdata: &[u8]) -> bool {
    let mut wire = Wire { rest: rdata };
    while !wire.rest.is_empty() {
        let (Some(family), Some(prefix), Some(flags)) = (wire.u16(), wire.u8(), wire.u8()) else {
            return false;
        };
        let Some(address) = wire.take(usize::from(flags & 0x7f)) else { return false };
        let fits = match family {
            1 => prefix <= 32 && address.len() <= 4,
            2 => prefix <= 128 && address.len() <= 16,
            _ => true,
        };
        if !fits || address.last() == Some(&0) {
            return false;
        }
    }
    true
}

/// Writes each item after a blank; `None` also for an address family that has no text form.
pub(super) fn write(wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    while !wire.rest.is_empty() {
        let (family, prefix, flags) = (wire.u16()?, wire.u8()?, wire.u8()?);
        let address = wire.take(usize::from(flags & 0x7f))?;
        if address.last() == Some(&0) {
            return None;
        }
        out.push(b' ');
        if flags & 0x80 != 0 {
            out.push(b'!');
        }
        match family {
            1 if prefix <= 32 => {
                text(format_args!("1:{}/{prefix}", std::net::Ipv4Addr::from(padded(address)?)), out)
            }
            2 if prefix <= 128 => {
                text(format_args!("2:{}/{prefix}", std::net::Ipv6Addr::from(padded(address)?)), out)
            }
            _ => return None,
        }
    }
    Some(())
}

fn padded<const N: usize>(address: &[u8]) -> Option<[u8; N]> {
    let mut octets = [0; N];
    octets.get_mut(..address.len())?.copy_from_slice(address);
    Some(octets)
}
