//! A dnstap message in protobuf (dnstap.proto; the protobuf encoding document). Bytes in, bytes out.
//!
//! Not by prost: its messages own their octets, so each field would be copied into memory of its own before it is written. Here a
//! message takes one allocation, and the query and the response are copied from the sample.

use std::net::{IpAddr, SocketAddr};

use crate::clock::since_1970;
use crate::telemetry::{SampledMessage, TapTransport};

/// `Dnstap.Type.MESSAGE`.
const MESSAGE: u64 = 1;

/// `Message.Type`: what an authoritative server took, and what it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    AuthQuery = 1,
    AuthResponse = 2,
}

/// What stands in `Dnstap.extra` of a message between this POP and itself.
const OWN: &[u8] = b"own";

/// Writes the query or the response of a sample, said by `identity`; `is_own`: the client is this POP itself.
pub(super) fn write(
    sample: &SampledMessage,
    kind: Kind,
    (identity, is_own): (&str, bool),
    output: &mut Vec<u8>,
) {
    bytes(output, 1, identity.as_bytes());
    bytes(output, 2, concat!("anyns ", env!("CARGO_PKG_VERSION")).as_bytes());
    if is_own {
        bytes(output, 3, OWN);
    }
    let mut message = Vec::with_capacity(64 + sample.query().len() + sample.response().len());
    write_message(sample, kind, &mut message);
    bytes(output, 14, &message);
    number(output, 15, MESSAGE);
}

fn write_message(sample: &SampledMessage, kind: Kind, output: &mut Vec<u8>) {
    number(output, 1, kind as u64);
    number(output, 2, if sample.client.is_ipv4() { 1 } else { 2 });
    let protocol = match sample.transport {
        TapTransport::Udp => 1,
        TapTransport::Tcp => 2,
        TapTransport::Dot => 3,
        TapTransport::Doh => 4,
        TapTransport::Doq => 7,
    };
    number(output, 3, protocol);
    address(output, (4, 6), sample.client);
    // The family is that of both; a load balancer may name two.
    if let Some(server) = sample.server.filter(|server| server.is_ipv4() == sample.client.is_ipv4()) {
        address(output, (5, 7), server);
    }
    let since = since_1970(sample.at);
    let (time, text) = match kind {
        Kind::AuthQuery => ((8, 9), (10, sample.query())),
        Kind::AuthResponse => ((12, 13), (14, sample.response())),
    };
    number(output, time.0, since.as_secs());
    key(output, time.1, 5);
    output.extend_from_slice(&since.subsec_nanos().to_le_bytes());
    bytes(output, text.0, text.1);
}

fn address(output: &mut Vec<u8>, (address_field, port_field): (u32, u32), address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => bytes(output, address_field, &ip.octets()),
        IpAddr::V6(ip) => bytes(output, address_field, &ip.octets()),
    }
    if address.port() != 0 {
        number(output, port_field, address.port().into());
    }
}

/// A field's number and wire type: 0 a varint, 2 octets, 5 four octets.
fn key(output: &mut Vec<u8>, field: u32, wire_type: u32) {
    varint(output, u64::from(field << 3 | wire_type));
}

fn number(output: &mut Vec<u8>, field: u32, value: u64) {
    key(output, field, 0);
    varint(output, value);
}

fn bytes(output: &mut Vec<u8>, field: u32, value: &[u8]) {
    key(output, field, 2);
    varint(output, value.len() as u64);
    output.extend_from_slice(value);
}

/// Seven bits an octet, the lowest first; the highest bit says that more follow.
fn varint(output: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        output.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    output.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_addresses_are_of_the_family() {
        let tap = crate::telemetry::Tap::new(1);
        let client = SocketAddr::from(([192, 0, 2, 1], 0));
        for (server, is_told) in [("198.51.100.1:53", true), ("[2001:db8::53]:53", false)] {
            tap.take((&[0; 12], &[]), TapTransport::Tcp, (client, Some(server.parse().unwrap())));
            let mut output = Vec::new();
            assert!(tap.read(|sample| write_message(sample, Kind::AuthQuery, &mut output)));
            assert_eq!(output.get(..4), Some(&[0x08, 1, 0x10, 1][..]), "INET");
            let told = output.windows(6).any(|octets| octets == [0x2a, 4, 198, 51, 100, 1]);
            let other = output.windows(2).any(|octets| octets == [0x2a, 16]);
            assert_eq!((told, other), (is_told, false), "{server}");
        }
    }

    #[test]
    fn a_varint_has_seven_bits_an_octet() {
        for (value, octets) in [(0, &[0][..]), (127, &[127]), (128, &[0x80, 1]), (300, &[0xac, 2])] {
            let mut output = Vec::new();
            varint(&mut output, value);
            assert_eq!(output, octets);
        }
    }
}
