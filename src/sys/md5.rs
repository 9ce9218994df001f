//! The TCP MD5 signature option (RFC 2385).

use std::io;
use std::net::IpAddr;

use socket2::Socket;

/// Demands and gives signatures with `key` (1 to 80 octets) on what `socket` exchanges with `peer`, whatever its port.
/// On a listening socket: on the connections it accepts from there.
///
/// # Errors
/// An unusable key, a kernel without the option, or a platform other than Linux.
#[cfg(native)]
pub fn set_key(socket: &Socket, peer: IpAddr, key: &[u8]) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    /// `struct tcp_md5sig` of linux/tcp.h.
    #[repr(C)]
    struct TcpMd5Sig {
        /// `struct sockaddr_storage`, which socket2 wraps transparently.
        address: socket2::SockAddrStorage,
        flags: u8,
        prefix_length: u8,
        key_length: u16,
        interface_index: i32,
        key: [u8; libc::TCP_MD5SIG_MAXKEYLEN],
    }

    let refuse = || io::Error::new(io::ErrorKind::InvalidInput, "a TCP MD5 key must have 1 to 80 octets");
    let key_length = u16::try_from(key.len()).map_err(|_| refuse())?;
    let mut padded = [0; libc::TCP_MD5SIG_MAXKEYLEN];
    padded.get_mut(..key.len()).filter(|place| !place.is_empty()).ok_or_else(refuse)?.copy_from_slice(key);
    // Dual-stack mapping is off on our sockets, so the peer's family is the socket's.
    let address = socket2::SockAddr::from(std::net::SocketAddr::new(peer, 0));
    let option = TcpMd5Sig {
        address: address.as_storage(),
        flags: 0,
        prefix_length: 0,
        key_length,
        interface_index: 0,
        key: padded,
    };
    set(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_MD5SIG, &option)
}

/// Only Linux has the option in this form.
///
/// # Errors
/// Always.
#[cfg(not(native))]
pub fn set_key(_: &Socket, _: IpAddr, _: &[u8]) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "TCP MD5 (RFC 2385) needs Linux"))
}

/// `setsockopt` with a value of the option's own type.
#[cfg(native)]
pub(super) fn set<T>(descriptor: i32, level: i32, name: i32, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the pointer and the length describe `value`, which outlives the call; the kernel only reads it.
    let result =
        unsafe { libc::setsockopt(descriptor, level, name, std::ptr::from_ref(value).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
