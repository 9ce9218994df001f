//! The PROXY protocol, version 2: the first octets of a connection in, the client's address out (HAProxy's
//! `proxy-protocol.txt`, section 2.2). Pure; at most [`MAX_HEADER`] octets are ever looked at.
//!
//! A load balancer writes this header before the client's octets, so that limits meet the client and not the balancer.
//! Any client that can connect could write one too: so it is read from listed load balancers only, and they must send it.
//! Version 1 is text, is older, and is refused.
//!
//! Read here, not by a library: some fields at fixed places, from the octets that have come so far, without allocating.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What every header begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Octets before the addresses: signature, version and command, family and protocol, length.
const FIXED: usize = 16;

/// Octets of the longest header taken. Addresses need 36; what follows are extensions (TLVs), of which the usual ones
/// (a connection ID, the TLS version and name) fit many times.
const MAX_HEADER: usize = FIXED + 2048;

/// Who the connection is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A client and the address that it asked, by the load balancer.
    Client { client: SocketAddr, asked: SocketAddr },
    /// The load balancer itself (`LOCAL`: its health check), or a client without an address of the internet (`UNSPEC`).
    Balancer,
}

/// Why a header is refused; the connection is reset then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProxyFault {
    /// No signature of version 2.
    #[error("the connection does not begin with a PROXY protocol header of version 2")]
    Signature,
    /// Another version, or a command other than LOCAL and PROXY.
    #[error("version and command {0:#04x}; 0x20 and 0x21 are known")]
    Command(u8),
    /// Another protocol than TCP, or a Unix socket.
    #[error("family and protocol {0:#04x}; 0x11 (TCP over IPv4) and 0x21 (TCP over IPv6) are served")]
    Family(u8),
    /// The addresses end early.
    #[error("{0} octets of addresses are too few for their family")]
    Short(usize),
    /// Longer than [`MAX_HEADER`].
    #[error("a header of {0} octets; {MAX_HEADER} are the most")]
    Long(usize),
}

/// Reads the header. `Ok(None)`: more octets must come. Otherwise the origin, and the octets that the header takes.
pub(super) fn read(input: &[u8]) -> Result<Option<(Origin, usize)>, ProxyFault> {
    let known = input.len().min(SIGNATURE.len());
    if input.get(..known) != SIGNATURE.get(..known) {
        return Err(ProxyFault::Signature);
    }
    let Some((fixed, rest)) = input.split_first_chunk::<FIXED>() else { return Ok(None) };
    let [.., command, family, high, low] = *fixed;
    let octets = usize::from(u16::from_be_bytes([high, low]));
    if FIXED + octets > MAX_HEADER {
        return Err(ProxyFault::Long(FIXED + octets));
    }
    let Some(addresses) = rest.get(..octets) else { return Ok(None) };
    let origin = match (command, family) {
        (0x20, _) | (0x21, 0x00) => Origin::Balancer,
        (0x21, 0x11) => ipv4(addresses).ok_or(ProxyFault::Short(octets))?,
        (0x21, 0x21) => ipv6(addresses).ok_or(ProxyFault::Short(octets))?,
        (0x21, family) => return Err(ProxyFault::Family(family)),
        (command, _) => return Err(ProxyFault::Command(command)),
    };
    Ok(Some((origin, FIXED + octets)))
}

/// Octets of the whole header, as far as the octets that have come can say.
pub(super) fn length(input: &[u8]) -> usize {
    match input.first_chunk::<FIXED>() {
        Some([.., high, low]) => FIXED + usize::from(u16::from_be_bytes([*high, *low])),
        None => FIXED,
    }
}

/// Source and destination address, source and destination port.
fn ipv4(addresses: &[u8]) -> Option<Origin> {
    let (source, rest) = addresses.split_first_chunk::<4>()?;
    let (destination, ports) = rest.split_first_chunk::<4>()?;
    between(Ipv4Addr::from(*source).into(), Ipv4Addr::from(*destination).into(), ports)
}

fn ipv6(addresses: &[u8]) -> Option<Origin> {
    let (source, rest) = addresses.split_first_chunk::<16>()?;
    let (destination, ports) = rest.split_first_chunk::<16>()?;
    between(Ipv6Addr::from(*source).into(), Ipv6Addr::from(*destination).into(), ports)
}

fn between(source: IpAddr, destination: IpAddr, ports: &[u8]) -> Option<Origin> {
    let [from_high, from_low, to_high, to_low] = *ports.first_chunk::<4>()?;
    Some(Origin::Client {
        client: SocketAddr::new(source, u16::from_be_bytes([from_high, from_low])),
        asked: SocketAddr::new(destination, u16::from_be_bytes([to_high, to_low])),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = (addresses.len() as u16).to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, addresses].concat()
    }

    fn four() -> Vec<u8> {
        vec![192, 0, 2, 7, 198, 51, 100, 1, 0x30, 0x39, 0, 53]
    }

    #[test]
    fn a_header_names_the_client_or_the_balancer() {
        let client = |client: &str, asked: &str| Origin::Client {
            client: client.parse().unwrap(),
            asked: asked.parse().unwrap(),
        };
        let mut six = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7).octets().to_vec();
        six.extend(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x53).octets());
        six.extend([0, 80, 0, 53]);
        let extended = [four(), vec![4, 0, 1, 0]].concat();
        for (octets, origin) in [
            (header(0x21, 0x11, &four()), client("192.0.2.7:12345", "198.51.100.1:53")),
            (header(0x21, 0x11, &extended), client("192.0.2.7:12345", "198.51.100.1:53")),
            (header(0x21, 0x21, &six), client("[2001:db8::7]:80", "[2001:db8::53]:53")),
            (header(0x20, 0x00, &[]), Origin::Balancer),
            (header(0x20, 0x11, &four()), Origin::Balancer),
            (header(0x21, 0x00, &[1, 2, 3]), Origin::Balancer),
        ] {
            assert_eq!(read(&octets), Ok(Some((origin, octets.len()))), "{octets:?}");
            let more = [&octets[..], b"\0\x1d"].concat();
            assert_eq!(read(&more), Ok(Some((origin, octets.len()))), "what follows is the client's");
            for cut in 0..octets.len() {
                assert_eq!(read(&octets[..cut]), Ok(None), "cut at {cut}");
                assert_eq!(length(&octets[..cut]), if cut < FIXED { FIXED } else { octets.len() });
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused_at_the_first_octet_that_says_so() {
        let mut long = header(0x21, 0x11, &four());
        long[14] = 0xff;
        for (octets, fault) in [
            (vec![0], ProxyFault::Signature),
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 1 53\r\n".to_vec(), ProxyFault::Signature),
            (b"\r\n\r\n\0\r\nQUIX".to_vec(), ProxyFault::Signature),
            (header(0x11, 0x11, &four()), ProxyFault::Command(0x11)),
            (header(0x22, 0x11, &four()), ProxyFault::Command(0x22)),
            (header(0x21, 0x12, &four()), ProxyFault::Family(0x12)),
            (header(0x21, 0x31, &[0; 216]), ProxyFault::Family(0x31)),
            (header(0x21, 0x11, &four()[..11]), ProxyFault::Short(11)),
            (header(0x21, 0x21, &four()), ProxyFault::Short(12)),
            (long, ProxyFault::Long(FIXED + 0xff0c)),
        ] {
            assert_eq!(read(&octets), Err(fault), "{octets:?}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_refused_or_waited_for(tail in proptest::collection::vec(any::<u8>(), 0..3000)) {
            for input in [&tail[..], &[&SIGNATURE[..], &tail].concat()] {
                match read(input) {
                    Ok(Some((_, octets))) => prop_assert!(octets <= input.len() && octets <= MAX_HEADER),
                    Ok(None) => prop_assert!(input.len() < MAX_HEADER),
                    Err(_) => {}
                }
            }
        }
    }
}
