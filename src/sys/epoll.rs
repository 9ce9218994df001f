//! Waiting for many sockets at once (Linux, epoll): sockets with tokens in, the tokens of those that are ready out.
//!
//! Level-triggered: a socket is told of again as long as something waits in it, so that nothing is lost by taking only
//! part. Never reads or writes data.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// What a socket is waited for. An error or a hang-up is always told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read or accept.
    Read,
    /// Room to write.
    Write,
}

/// An epoll instance and room for what it tells.
#[derive(Debug)]
pub struct Epoll {
    descriptor: OwnedFd,
    events: Vec<libc::epoll_event>,
    ready: usize,
}

impl Epoll {
    /// An instance that reports at most this many sockets at a time, at least one.
    pub fn new(most: usize) -> io::Result<Self> {
        // SAFETY: the call takes no pointer.
        let descriptor = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just made it, and nothing else has it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(Self { descriptor, events: vec![libc::epoll_event { events: 0, u64: 0 }; most.max(1)], ready: 0 })
    }

    /// Waits for this socket too. The kernel forgets it when its last descriptor is closed.
    pub fn add(&self, socket: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, socket.as_fd().as_raw_fd(), token, events(interest))
    }

    /// Waits for something else in this socket, which was added before.
    pub fn change(&self, socket: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, socket.as_fd().as_raw_fd(), token, events(interest))
    }

    /// Waits for this socket no more.
    pub fn remove(&self, socket: impl AsFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, socket.as_fd().as_raw_fd(), 0, 0)
    }

    /// Waits until a socket is ready or this much time has gone (rounded down to milliseconds). An interrupted wait is
    /// over. What the wait before told is forgotten, also if this one fails.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        self.ready = 0;
        let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let most = i32::try_from(self.events.len()).unwrap_or(i32::MAX);
        // SAFETY: the pointer and the number are of one vector of `epoll_event`, borrowed mutably.
        let ready = unsafe {
            libc::epoll_wait(self.descriptor.as_raw_fd(), self.events.as_mut_ptr(), most, milliseconds)
        };
        match usize::try_from(ready) {
            Ok(ready) => self.ready = ready,
            Err(_) => {
                let error = io::Error::last_os_error();
                return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
            }
        }
        Ok(())
    }

    /// The token of the n-th socket that the last wait found ready, from 0.
    pub fn token(&self, index: usize) -> Option<u64> {
        self.events.get(..self.ready)?.get(index).map(|event| event.u64)
    }

    fn control(&self, operation: i32, socket: RawFd, token: u64, events: u32) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64: token };
        // SAFETY: the pointer is to an `epoll_event` that lives until the call returns. A descriptor that is not open, or none
        // to wait for, is an error.
        let result =
            unsafe { libc::epoll_ctl(self.descriptor.as_raw_fd(), operation, socket, &raw mut event) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

fn events(interest: Interest) -> u32 {
    (match interest {
        Interest::Read => libc::EPOLLIN,
        Interest::Write => libc::EPOLLOUT,
    }) as u32
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    fn ready(epoll: &mut Epoll, timeout: Duration) -> Vec<u64> {
        epoll.wait(timeout).unwrap();
        (0..).map_while(|index| epoll.token(index)).collect()
    }

    #[test]
    fn a_socket_is_told_of_as_long_as_something_waits_and_it_is_waited_for() {
        let mut epoll = Epoll::new(8).unwrap();
        let sockets = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
        for (token, socket) in sockets.iter().enumerate() {
            epoll.add(socket, token as u64, Interest::Read).unwrap();
        }
        assert!(ready(&mut epoll, Duration::ZERO).is_empty());
        sockets[0].send_to(b"waits", sockets[1].local_addr().unwrap()).unwrap();
        assert_eq!(ready(&mut epoll, Duration::from_secs(10)), [1]);
        assert_eq!(ready(&mut epoll, Duration::ZERO), [1], "level-triggered");
        epoll.change(&sockets[0], 7, Interest::Write).unwrap();
        let mut both = ready(&mut epoll, Duration::ZERO);
        both.sort_unstable();
        assert_eq!(both, [1, 7]);
        epoll.remove(&sockets[1]).unwrap();
        assert_eq!(ready(&mut epoll, Duration::ZERO), [7]);
        assert!(epoll.remove(&sockets[1]).is_err());
    }
}
