//! TCP connections (Linux): accepted in one system call, a listener in, a connection that never blocks and its source out;
//! and what the kernel still holds of one.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};

use socket2::SockAddr;

/// Accepts a connection, non-blocking and closed on exec, where std needs two calls more for that. An IPv4 source of a
/// dual-stack listener is v4-mapped. Fails as accept(2) does, with errors of the new connection among them.
pub fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: `try_init` passes pointers to an address and its length that live until the closure returns; the kernel
    // writes an address of at most that length, and its length.
    let (stream, source) = unsafe {
        SockAddr::try_init(|address, length| {
            match libc::accept4(listener.as_raw_fd(), address.cast(), length, flags) {
                -1 => Err(io::Error::last_os_error()),
                stream => Ok(TcpStream::from_raw_fd(stream)),
            }
        })
    }?;
    let source = source.as_socket().ok_or(io::ErrorKind::InvalidData)?;
    Ok((stream, source))
}

/// Octets that have arrived and were not read yet (FIONREAD).
pub fn unread(stream: &TcpStream) -> io::Result<usize> {
    octets(stream, libc::FIONREAD)
}

/// Octets that were written and that the peer has not acknowledged yet (SIOCOUTQ, tcp(7)); the end counts for one once our
/// side is shut.
pub fn unacknowledged(stream: &TcpStream) -> io::Result<usize> {
    // SIOCOUTQ is another name for it (linux/sockios.h).
    octets(stream, libc::TIOCOUTQ)
}

/// What a request says that tells a number of octets.
fn octets(stream: &TcpStream, request: libc::Ioctl) -> io::Result<usize> {
    let mut octets: libc::c_int = 0;
    // SAFETY: both requests write one `int` through the pointer, which is to one that lives until the call returns.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), request, &raw mut octets) };
    if result == 0 { Ok(usize::try_from(octets).unwrap_or(0)) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_connection_comes_with_its_source_and_does_not_block() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut stream, source) = accept(&listener).unwrap();
            assert_eq!(source, client.local_addr().unwrap());
            assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            listener.set_nonblocking(true).unwrap();
            assert_eq!(accept(&listener).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn the_kernel_says_what_it_holds_of_a_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = accept(&listener).unwrap();
        assert_eq!((unread(&stream).unwrap(), unacknowledged(&stream).unwrap()), (0, 0));
        client.write_all(b"twelve octet").unwrap();
        while unread(&stream).unwrap() < 12 {
            std::thread::yield_now();
        }
        stream.read_exact(&mut [0; 5]).unwrap();
        assert_eq!(unread(&stream).unwrap(), 7);
        // More than the other side takes.
        let written: usize = std::iter::from_fn(|| stream.write(&[0; 1 << 16]).ok()).sum();
        assert!((1..=written).contains(&unacknowledged(&stream).unwrap()));
    }
}
