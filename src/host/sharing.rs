//! Sockets of other processes that take part of our queries: bound to our address and port, which `SO_REUSEPORT` allows, or to one
//! address that our wildcard would serve. Pure.

use std::fmt;
use std::net::SocketAddr;

use crate::sys::proc_net::Entry;

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

/// Those of the host's sockets over one transport that share an address of ours.
pub(super) fn sharing(own: &[OwnSocket], is_tcp: bool, host: &[Entry]) -> Vec<SharingSocket> {
    let of_transport = || own.iter().filter(|socket| socket.is_tcp == is_tcp);
    let is_own = |entry: &&Entry| of_transport().any(|socket| socket.inode == entry.inode);
    let shares = |entry: &&Entry| of_transport().any(|socket| covers(socket.address, entry.local));
    // A socket without an inode is held by no process any more.
    let others = host.iter().filter(|entry| entry.inode != 0 && !is_own(entry)).filter(shares);
    others.map(|entry| SharingSocket { address: entry.local, is_tcp, inode: entry.inode }).collect()
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

    #[test]
    fn real_sockets_that_share_a_port_are_told_from_our_own() {
        use std::os::fd::OwnedFd;
        use std::os::unix::fs::MetadataExt;

        use socket2::{Domain, Socket, Type};

        let bind = |kind: Type, address: SocketAddr| {
            let socket = Socket::new(Domain::IPV4, kind, None).unwrap();
            socket.set_reuse_port(true).unwrap();
            socket.bind(&address.into()).unwrap();
            if kind == Type::STREAM {
                socket.listen(1).unwrap();
            }
            socket
        };
        let inode = |socket: &Socket| {
            std::fs::File::from(OwnedFd::from(socket.try_clone().unwrap())).metadata().unwrap().ino()
        };
        for kind in [Type::DGRAM, Type::STREAM] {
            let is_tcp = kind == Type::STREAM;
            let read = || {
                if is_tcp {
                    crate::sys::proc_net::tcp_listeners()
                } else {
                    crate::sys::proc_net::udp_sockets()
                }
            };
            let ours = bind(kind, "127.0.0.1:0".parse().unwrap());
            let address = ours.local_addr().unwrap().as_socket().unwrap();
            let own = [OwnSocket { address, is_tcp, inode: inode(&ours) }];
            assert_eq!(sharing(&own, is_tcp, &read().unwrap()), []);
            let theirs = bind(kind, address);
            let expected = SharingSocket { address, is_tcp, inode: inode(&theirs) };
            assert_eq!(sharing(&own, is_tcp, &read().unwrap()), [expected]);
            assert_eq!(sharing(&own, !is_tcp, &read().unwrap()), [], "the other transport");
            drop(theirs);
            assert_eq!(sharing(&own, is_tcp, &read().unwrap()), []);
        }
    }
}
