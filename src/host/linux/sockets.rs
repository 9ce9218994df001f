//! The listening sockets of all processes of the host, from `/proc`. Changes nothing.

use std::io;

use crate::host::sharing::HostSocket;
use crate::sys::proc_net;

/// The UDP sockets that are not connected.
pub(in crate::host) fn udp_sockets() -> io::Result<Vec<HostSocket>> {
    proc_net::udp_sockets().map(host_sockets)
}

/// The TCP listeners.
pub(in crate::host) fn tcp_listeners() -> io::Result<Vec<HostSocket>> {
    proc_net::tcp_listeners().map(host_sockets)
}

fn host_sockets(entries: Vec<proc_net::SocketEntry>) -> Vec<HostSocket> {
    entries.into_iter().map(|entry| HostSocket { address: entry.local, inode: entry.inode }).collect()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::host::sharing::{OwnSocket, SharingSocket, sharing};

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
                if is_tcp { tcp_listeners() } else { udp_sockets() }
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
