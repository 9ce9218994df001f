//! Accepting TCP connections in one system call (Linux). A listener in, a connection that never blocks and its source out.

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

#[cfg(test)]
mod tests {
    use std::io::Read;

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
}
