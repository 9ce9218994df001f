//! Sockets of other processes that take part of our queries: bound to our address and port, which `SO_REUSEPORT` allows, or to one
//! address that our wildcard would serve. Pure.

use std::fmt;
use std::net::SocketAddr;

/// A listening socket of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnSocket {
    /// Where it listens.
    pub address: SocketAddr,
    /// TCP, or else UDP.
    pub is_tcp: bool,
    /// Its inode.
    pub inode: u64,
}

/// A socket of another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SharingSocket {
    /// Where it listens.
    pub address: SocketAddr,
    /// TCP, or else UDP.
    pub is_tcp: bool,
    /// Its inode, by which `ss -e` or `/proc/*/fd` tells whose it is.
    pub inode: u64,
}

impl fmt::Display for SharingSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = if self.is_tcp { "tcp" } else { "udp" };
        write!(f, "{}/{transport} (inode {})", self.address, self.inode)
    }
}

/// A socket of any process of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HostSocket {
    /// Where it is bound.
    pub(super) address: SocketAddr,
    /// Its inode; 0 for one that no process holds.
    pub(super) inode: u64,
}

/// Those of the host's sockets over one transport that share an address of ours.
pub(super) fn sharing(own: &[OwnSocket], is_tcp: bool, host: &[HostSocket]) -> Vec<SharingSocket> {
    let of_transport = || own.iter().filter(|socket| socket.is_tcp == is_tcp);
    let is_own = |other: &&HostSocket| of_transport().any(|socket| socket.inode == other.inode);
    let shares = |other: &&HostSocket| of_transport().any(|socket| covers(socket.address, other.address));
    // A socket without an inode is held by no process any more.
    let others = host.iter().filter(|socket| socket.inode != 0 && !is_own(socket)).filter(shares);
    others.map(|socket| SharingSocket { address: socket.address, is_tcp, inode: socket.inode }).collect()
}

/// Whether a socket bound to `other` takes queries that come to `own`. A wildcard of another process takes none of those to an
/// address that is bound itself.
fn covers(own: SocketAddr, other: SocketAddr) -> bool {
    let wildcard = own.ip().is_unspecified() && (own.is_ipv6() || other.is_ipv4());
    own.port() == other.port() && (own.ip() == other.ip() || wildcard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_covers_its_address_and_a_wildcard_those_of_its_family() {
        for (own, other, covered) in [
            ("192.0.2.1:53", "192.0.2.1:53", true),
            ("192.0.2.1:53", "192.0.2.1:54", false),
            ("192.0.2.1:53", "192.0.2.2:53", false),
            ("192.0.2.1:53", "0.0.0.0:53", false),
            ("0.0.0.0:53", "192.0.2.2:53", true),
            ("0.0.0.0:53", "[2001:db8::1]:53", false),
            ("[::]:53", "192.0.2.2:53", true),
            ("[2001:db8::1]:53", "[2001:db8::1]:53", true),
        ] {
            assert_eq!(covers(own.parse().unwrap(), other.parse().unwrap()), covered, "{own} {other}");
        }
    }
}
