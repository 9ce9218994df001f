//! The least TTL or hop limit that a connection takes (GTSM, RFC 5082).

use std::io;

use socket2::Socket;

/// Drops what arrives on `socket` with a TTL (`ipv6`: a hop limit) below `least`.
///
/// # Errors
/// A kernel without the option, or a platform other than Linux.
#[cfg(native)]
pub fn set(socket: &Socket, ipv6: bool, least: u8) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    let value = libc::c_int::from(least);
    let (level, name) = match ipv6 {
        true => (libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT),
        false => (libc::IPPROTO_IP, libc::IP_MINTTL),
    };
    super::md5::set(socket.as_raw_fd(), level, name, &value)
}

/// Only Linux has the option in this form.
///
/// # Errors
/// Always.
#[cfg(not(native))]
pub fn set(_: &Socket, _: bool, _: u8) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "GTSM (RFC 5082) needs Linux"))
}
