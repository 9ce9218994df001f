//! Packets with a source address of the test's choice, sent over raw sockets: floods with spoofed sources.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// The protocol number of UDP and TCP, and where their checksum is.
const UDP: (u8, usize) = (17, 6);
const TCP: (u8, usize) = (6, 16);
/// IPPROTO_RAW: the packet comes with its IP header.
const RAW: i32 = 255;

/// Sends whole IP packets to one destination.
pub struct RawSocket {
    socket: Socket,
    to: SockAddr,
    destination: IpAddr,
}

impl RawSocket {
    /// A raw socket in the namespace of the calling thread.
    pub fn new(destination: IpAddr) -> Self {
        let domain = if destination.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(RAW))).expect("a raw socket");
        Self { socket, to: SocketAddr::new(destination, 0).into(), destination }
    }

    /// Sends a TCP segment that asks for a connection to port 53.
    pub fn send_syn(&self, source: IpAddr, port: u16) {
        let mut segment = Vec::with_capacity(20);
        segment.extend_from_slice(&port.to_be_bytes());
        segment.extend_from_slice(&53u16.to_be_bytes());
        segment.extend_from_slice(&fastrand::u32(..).to_be_bytes());
        segment.extend_from_slice(&[0; 4]);
        // Data offset of five words, SYN, a window.
        segment.extend_from_slice(&[0x50, 0x02, 0x72, 0x10, 0, 0, 0, 0]);
        self.send(source, TCP, segment);
    }

    /// Sends a DNS message over UDP to port 53.
    pub fn send_query(&self, source: IpAddr, port: u16, message: &[u8]) {
        let length = u16::try_from(8 + message.len()).expect("a query is short");
        let mut datagram = Vec::with_capacity(length.into());
        datagram.extend_from_slice(&port.to_be_bytes());
        datagram.extend_from_slice(&53u16.to_be_bytes());
        datagram.extend_from_slice(&length.to_be_bytes());
        datagram.extend_from_slice(&[0, 0]);
        datagram.extend_from_slice(message);
        self.send(source, UDP, datagram);
    }

    fn send(&self, source: IpAddr, (protocol, checksum_at): (u8, usize), mut payload: Vec<u8>) {
        let length = u16::try_from(payload.len()).expect("a packet is short");
        let (header, addresses) = match (source, self.destination) {
            (IpAddr::V4(from), IpAddr::V4(to)) => (header4(from, to, protocol, length), octets4(from, to)),
            (IpAddr::V6(from), IpAddr::V6(to)) => (header6(from, to, protocol, length), octets6(from, to)),
            _ => panic!("{source} and {} are of one family", self.destination),
        };
        let pseudo = [&addresses[..], &[0, protocol], &length.to_be_bytes()].concat();
        let sum = !folded(sum(&pseudo) + sum(&payload));
        // Zero means "no checksum" in UDP (RFC 768).
        payload[checksum_at..checksum_at + 2]
            .copy_from_slice(&(if sum == 0 { 0xffff } else { sum }).to_be_bytes());
        // A full queue on the way is what a flood is about.
        let _ = self.socket.send_to(&[header, payload].concat(), &self.to);
    }
}

/// The kernel fills in the identification and the checksum of the header.
fn header4(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, length: u16) -> Vec<u8> {
    let start = [&[0x45, 0][..], &(20 + length).to_be_bytes(), &[0, 0, 0x40, 0, 64, protocol, 0, 0]].concat();
    [start, octets4(from, to)].concat()
}

fn header6(from: Ipv6Addr, to: Ipv6Addr, protocol: u8, length: u16) -> Vec<u8> {
    let start = [&[0x60, 0, 0, 0][..], &length.to_be_bytes(), &[protocol, 64]].concat();
    [start, octets6(from, to)].concat()
}

fn octets4(from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    [from.octets(), to.octets()].concat()
}

fn octets6(from: Ipv6Addr, to: Ipv6Addr) -> Vec<u8> {
    [from.octets(), to.octets()].concat()
}

/// The sum of 16-bit words of the Internet checksum (RFC 1071), not yet folded.
fn sum(octets: &[u8]) -> u32 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or_default());
    octets.chunks(2).map(word).sum()
}

fn folded(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
