//! Well-known services (RFC 1035 section 3.4.2; obsolete, RFC 1123 section 2.2): an address, a protocol, ports.

use crate::zonefile::fault::Flaw;
use crate::zonefile::fields::Fields;
use crate::zonefile::rdata::format::{ipv4 as take_ipv4, text};
use crate::zonefile::rdata::layout::Field;
use crate::zonefile::rdata::parse::{ipv4, u8_from, u16_from};
use crate::zonefile::rdata::wire::Wire;

const PROTOCOL: &str = "tcp, udp or a protocol number from 0 to 255";
const PORT: &str = "a port from 0 to 65535 or one of ftp ssh telnet smtp domain http pop3 imap https";

/// The names that old files use; others have to be numbers, because the host's list of services is not the zone's.
const NAMES: &[(&str, u16)] = &[
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("time", 37),
    ("domain", 53),
    ("finger", 79),
    ("http", 80),
    ("pop3", 110),
    ("nntp", 119),
    ("ntp", 123),
    ("imap", 143),
    ("snmp", 161),
    ("https", 443),
];

/// Reads the whole RDATA.
pub(super) fn read(fields: &mut Fields<'_, '_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    out.extend_from_slice(&fields.parsed(Field::Ipv4.expectation(), ipv4)?.octets());
    out.push(fields.parsed(PROTOCOL, protocol)?);
    let mut bits = Vec::new();
    while fields.peek().is_some() {
        let port = fields.parsed(PORT, port)?;
        let octet = usize::from(port / 8);
        if bits.len() <= octet {
            bits.resize(octet + 1, 0_u8);
        }
        if let Some(bits) = bits.get_mut(octet) {
            *bits |= 0x80 >> (port % 8);
        }
    }
    out.extend_from_slice(&bits);
    Ok(())
}

fn protocol(text: &[u8]) -> Option<u8> {
    match () {
        () if text.eq_ignore_ascii_case(b"tcp") => Some(6),
        () if text.eq_ignore_ascii_case(b"udp") => Some(17),
        () => u8_from(text),
    }
}

fn port(text: &[u8]) -> Option<u16> {
    let known = NAMES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name.as_bytes()));
    known.map(|(_, port)| *port).or_else(|| u16_from(text))
}

/// Writes the whole RDATA, numbers only.
pub(super) fn write(wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    text(take_ipv4(wire)?, out);
    out.push(b' ');
    text(wire.u8()?, out);
    let bits = wire.all();
    if bits.len() > 8_192 || bits.last() == Some(&0) {
        return None;
    }
    for (index, octet) in bits.iter().enumerate() {
        for bit in (0..8).filter(|bit| octet & (0x80 >> bit) != 0) {
            text(format_args!(" {}", index * 8 + bit), out);
        }
    }
    Some(())
}
