//! Options of sockets that neither std nor socket2 offers (Linux). A socket in, a changed socket out; never reads or
//! writes data.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Asks for the destination address of each datagram: `IP_PKTINFO`, and on an IPv6 socket `IPV6_RECVPKTINFO`, which
/// covers IPv4 there too (RFC 3542 section 6.1; IPv4 comes v4-mapped).
pub fn receive_destination(socket: impl AsFd, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        set_option(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
    } else {
        set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
    }
}

/// What becomes of a datagram that is longer than some link on its way. The path MTU is not discovered in either case, nor a
/// message about it believed (RFC 9715 section 3.1 and its appendix C): such a message may be forged, and for an anycast
/// address it may reach another POP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragmentation {
    /// DF is set: it is lost there, and cannot be sent if it is longer than the interface's own MTU. The kernel need not
    /// choose an identification for it, a counter that all cores share.
    Never,
    /// It is sent in fragments, or taken apart on its way (IPv4).
    Allowed,
}

/// Says so of what a UDP socket sends.
pub fn set_fragmentation(socket: impl AsFd, ipv6: bool, fragmentation: Fragmentation) -> io::Result<()> {
    let socket = socket.as_fd();
    let (ipv4_mode, ipv6_mode) = match fragmentation {
        Fragmentation::Never => (libc::IP_PMTUDISC_PROBE, libc::IPV6_PMTUDISC_PROBE),
        Fragmentation::Allowed => (libc::IP_PMTUDISC_OMIT, libc::IPV6_PMTUDISC_OMIT),
    };
    if ipv6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, ipv6_mode)?;
    }
    // A dual-stack socket sends IPv4 as well. On an IPv6-only socket the option changes nothing.
    set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, ipv4_mode)
}

/// Asks for a receive buffer of this many octets, past `net.core.rmem_max` if the process has CAP_NET_ADMIN and up
/// to it otherwise. The kernel doubles the number to pay for its own overhead.
pub fn set_receive_buffer(socket: impl AsFd, octets: i32) -> io::Result<()> {
    let socket = socket.as_fd();
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, octets)
        .or_else(|_| set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, octets))
}

/// What a socket holds and what it has dropped (`SO_MEMINFO`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Octets of memory that data waiting to be read occupies, the kernel's overhead included; 0 when nothing waits.
    pub waiting: u64,
    /// Octets of memory that it may occupy.
    pub buffer: u64,
    /// Datagrams dropped since the socket was made; of a listener, connections that could not be queued.
    pub drops: u64,
}

/// Asks a socket for its memory and its drops (Linux 4.12).
pub fn memory(socket: impl AsFd) -> io::Result<Memory> {
    // The kernel writes SK_MEMINFO_VARS numbers, now 9; more room than that is asked for by no kernel.
    const NUMBERS: usize = 16;
    let mut numbers = [0u32; NUMBERS];
    let mut length = size_of_val(&numbers) as libc::socklen_t;
    // SAFETY: the pointer is to `length` writable octets that live until the call returns; the fd is open.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            numbers.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SK_MEMINFO_RMEM_ALLOC, SK_MEMINFO_RCVBUF, SK_MEMINFO_DROPS (linux/sock_diag.h).
    let [waiting, buffer, _, _, _, _, _, _, drops, ..] = numbers.map(u64::from);
    Ok(Memory { waiting, buffer, drops })
}

/// Connections that wait to be accepted from a listener, and how many may (`TCP_INFO`).
pub fn accept_queue(listener: &std::net::TcpListener) -> io::Result<(u32, u32)> {
    // SAFETY: `tcp_info` is a C structure of integers, for which all bits zero is a value.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the pointer is to `length` writable octets that live until the call returns; the fd is open.
    let result = unsafe {
        libc::getsockopt(
            listener.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    // Of a listener the kernel tells its backlog in these two fields (tcp_get_info in net/ipv4/tcp.c).
    if result == 0 { Ok((info.tcpi_unacked, info.tcpi_sacked)) } else { Err(io::Error::last_os_error()) }
}

fn set_option(socket: BorrowedFd<'_>, level: i32, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the pointer is to an `i32` that lives until the call returns, and its size is passed; the fd is open.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn memory_grows_with_what_waits_and_is_zero_after_reading() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(memory(&receiver).unwrap().waiting, 0);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.send_to(b"waits", receiver.local_addr().unwrap()).unwrap();
        // On loopback the datagram is queued before send_to returns.
        assert!(memory(&receiver).unwrap().waiting >= 5);
        receiver.recv(&mut [0; 16]).unwrap();
        assert_eq!(memory(&receiver).unwrap().waiting, 0);
    }

    #[test]
    fn a_full_buffer_drops_and_says_how_many() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        set_receive_buffer(&receiver, 1 << 12).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..100 {
            sender.send_to(&[0; 512], receiver.local_addr().unwrap()).unwrap();
        }
        let memory = memory(&receiver).unwrap();
        let mut taken = 0;
        receiver.set_nonblocking(true).unwrap();
        while receiver.recv(&mut [0; 512]).is_ok() {
            taken += 1;
        }
        assert_eq!(memory.drops, 100 - taken, "{memory:?}");
        assert!(memory.drops > 0 && memory.waiting > memory.buffer / 2, "{memory:?}");
    }

    #[test]
    fn a_listener_tells_its_backlog() {
        use socket2::{Domain, Socket, Type};
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
        socket.listen(2).unwrap();
        let listener = std::net::TcpListener::from(socket);
        assert_eq!(accept_queue(&listener).unwrap(), (0, 2));
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(accept_queue(&listener).unwrap(), (1, 2));
        listener.accept().unwrap();
        assert_eq!(accept_queue(&listener).unwrap(), (0, 2));
    }

    #[test]
    fn options_are_accepted_by_both_families() {
        for (address, ipv6) in [("127.0.0.1:0", false), ("[::1]:0", true)] {
            let socket = UdpSocket::bind(address).unwrap();
            receive_destination(&socket, ipv6).unwrap();
            for fragmentation in [Fragmentation::Never, Fragmentation::Allowed] {
                set_fragmentation(&socket, ipv6, fragmentation).unwrap();
            }
            set_receive_buffer(&socket, 1 << 16).unwrap();
        }
    }

    /// Read from the header of the packet itself, by a raw socket (tests run as root).
    #[test]
    fn df_is_set_on_what_may_never_be_fragmented() {
        use socket2::{Domain, Protocol, Socket, Type};
        use std::io::Read;

        let mut raw =
            Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)).expect("a raw socket, as root");
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let target = receiver.local_addr().unwrap();
        for (fragmentation, df) in [(Fragmentation::Never, true), (Fragmentation::Allowed, false)] {
            let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
            set_fragmentation(&sender, false, fragmentation).unwrap();
            sender.send_to(b"packet", target).unwrap();
            let port = sender.local_addr().unwrap().port().to_be_bytes();
            let mut packet = [0; 2048];
            // Others send over loopback, too.
            while packet[20..22] != port {
                assert!(raw.read(&mut packet).unwrap() >= 28, "two headers");
            }
            assert_eq!(packet[6] & 0x40 != 0, df, "{fragmentation:?}");
        }
    }
}
