//! Batches of UDP datagrams (Linux): one `recvmmsg` takes many, one `sendmmsg` answers them.
//!
//! Each datagram comes with the address it was sent to; its reply leaves from that address, also where the socket is
//! bound to a wildcard, IPv4, IPv6 or both. A reply goes to the peer's address as it came, so the scope of an IPv6
//! link-local peer is kept. All memory is allocated by [`Batch::new`]. Never blocks, never allocates after `new`.
//!
//! What else the kernel offers was measured, and nothing of it is worth its price: `tests/bench/NOTES.md`.

mod arrival;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use arrival::{CONTROL, Control, Seen};

pub use arrival::{Arrival, DATAGRAM, DatagramFault, Origin};

/// Datagrams in a batch: past this the cost of the system call is spread thin enough, and the batch still fits the
/// second-level cache.
pub const BATCH: usize = 64;

/// Octets that a reply may be made in: the room that the answer path asks for.
pub const REPLY_ROOM: usize = 65_535;

/// Octets of replies in a batch, beside the room of the last one: the largest UDP payload ceiling for each.
const ARENA: usize = BATCH * DATAGRAM + REPLY_ROOM;

/// Octets between two buffers. Queries are short, and with the buffers 4096 octets apart the first lines of all would share
/// one set of the first-level cache, which holds a dozen.
const GAP: usize = 64;

/// Where one datagram is put.
#[derive(Clone, Copy)]
#[repr(C)]
struct Buffer {
    octets: [u8; DATAGRAM],
    _gap: [u8; GAP],
}

/// The datagrams of a batch, in the order in which they came.
#[derive(Clone, Copy)]
pub struct Arrivals<'a> {
    headers: &'a [libc::mmsghdr],
    buffers: &'a [Buffer],
    seen: &'a [Seen],
}

impl<'a> Arrivals<'a> {
    /// How many.
    pub fn count(&self) -> usize {
        self.seen.len()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Arrival<'a>> + use<'a> {
        let arrived = self.headers.iter().zip(self.buffers).zip(self.seen);
        arrived.map(|((header, buffer), seen)| seen.arrival(header, &buffer.octets))
    }

    /// The same, this many at a time, the last time perhaps fewer.
    pub fn groups(&self, size: usize) -> impl Iterator<Item = Arrivals<'a>> + use<'a> {
        let groups = self.headers.chunks(size).zip(self.buffers.chunks(size)).zip(self.seen.chunks(size));
        groups.map(|((headers, buffers), seen)| Arrivals { headers, buffers, seen })
    }
}

/// The replies of a batch. They are sent from where they were made: close together, without a copy.
#[derive(Debug)]
pub struct Replies<'a> {
    arena: &'a mut [u8],
    parts: &'a mut [libc::iovec],
    headers: &'a mut [libc::mmsghdr],
    count: &'a mut usize,
    /// Octets of the arena that hold replies.
    filled: usize,
}

impl Replies<'_> {
    /// Lets `write` put the reply to a datagram of this batch in [`REPLY_ROOM`] octets. It returns the reply's length, 0 for no
    /// reply; what it returns for a datagram with a fault is not sent.
    pub fn write(&mut self, arrival: &Arrival<'_>, write: impl FnOnce(&mut [u8]) -> usize) {
        let Some(room) = self.arena.get_mut(self.filled..self.filled + REPLY_ROOM) else { return };
        let length = write(room);
        if length == 0 || length > DATAGRAM || arrival.fault.is_some() {
            return;
        }
        let (Some(part), Some(reply)) = (self.parts.get_mut(*self.count), self.headers.get_mut(*self.count))
        else {
            return;
        };
        *part = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: length };
        reply.msg_hdr = arrival.header.msg_hdr;
        reply.msg_hdr.msg_iov = std::ptr::from_mut(part);
        reply.msg_hdr.msg_flags = 0;
        *self.count += 1;
        self.filled += length;
    }
}

/// What became of the replies of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Replies that the kernel took: IPv4, IPv6.
    pub sent: [usize; 2],
    /// Replies that it had no route for: IPv4, IPv6.
    pub without_route: [usize; 2],
    /// Replies that it refused for the moment: no buffer, or filtered.
    pub pressed: usize,
    /// Replies that it refused for another reason, such as their length.
    pub refused: usize,
}

impl Sent {
    /// Replies that left.
    pub fn left(&self) -> usize {
        self.sent.iter().sum()
    }

    /// Replies that did not leave.
    pub fn failed(&self) -> usize {
        self.without_route.iter().sum::<usize>() + self.pressed + self.refused
    }
}

/// Whether an error of a send says that there is no route to the peer: none at all, or one of the kinds that discard
/// (unreachable; blackhole: EINVAL; prohibit: EACCES). A filter says EPERM.
pub fn is_without_route(error: &io::Error) -> bool {
    let codes = [libc::ENETUNREACH, libc::EHOSTUNREACH, libc::EINVAL, libc::EACCES];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// Whether an error of a send passes: no buffer, no memory, a queue that is full, a filter (nftables limits rates by EPERM).
fn is_pressure(error: &io::Error) -> bool {
    let codes = [libc::ENOBUFS, libc::EAGAIN, libc::EPERM, libc::ENOMEM];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// The memory of one worker's datagrams.
pub struct Batch {
    buffers: Vec<Buffer>,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    /// One for each buffer; the headers point to them.
    _parts: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    seen: Vec<Seen>,
    arena: Vec<u8>,
    reply_parts: Vec<libc::iovec>,
    reply_headers: Vec<libc::mmsghdr>,
    received: usize,
    replies: usize,
    /// How many of `headers`, from the first, the last call changed.
    used: usize,
    /// What `headers` are set up for.
    origin: Origin,
}

// SAFETY: the raw pointers in the headers point into the vectors beside them, whose memory does not move with the batch;
// they are followed only inside the system calls made through `&mut self`.
unsafe impl Send for Batch {}

impl Batch {
    /// Allocates the batch: about 600 KiB.
    pub fn new() -> Self {
        // SAFETY: these are C structures of integers and pointers, for which all bits zero is a value.
        let (name, header) =
            unsafe { (std::mem::zeroed::<libc::sockaddr_storage>(), std::mem::zeroed::<libc::mmsghdr>()) };
        let nothing = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        let mut buffers = vec![Buffer { octets: [0; DATAGRAM], _gap: [0; GAP] }; BATCH];
        let mut names = vec![name; BATCH];
        let part = |buffer: &mut Buffer| libc::iovec {
            iov_base: buffer.octets.as_mut_ptr().cast(),
            iov_len: DATAGRAM,
        };
        let mut parts: Vec<libc::iovec> = buffers.iter_mut().map(part).collect();
        let mut headers = vec![header; BATCH];
        for ((header, part), name) in headers.iter_mut().zip(&mut parts).zip(&mut names) {
            header.msg_hdr.msg_name = std::ptr::from_mut(name).cast();
            header.msg_hdr.msg_iov = std::ptr::from_mut(part);
            header.msg_hdr.msg_iovlen = 1;
        }
        Self {
            buffers,
            names,
            controls: vec![Control([0; CONTROL]); BATCH],
            _parts: parts,
            headers,
            seen: vec![Seen::default(); BATCH],
            arena: vec![0; ARENA],
            reply_parts: vec![nothing; BATCH],
            reply_headers: vec![header; BATCH],
            received: 0,
            replies: 0,
            used: BATCH,
            origin: Origin::Bound,
        }
    }

    /// Takes what waits, at most [`BATCH`] datagrams, without blocking; what was in the batch before is gone.
    /// Returns how many. Fails with `WouldBlock` if none waits.
    pub fn receive(&mut self, socket: impl AsFd, origin: Origin) -> io::Result<usize> {
        self.received = 0;
        self.replies = 0;
        self.prepare(origin);
        // SAFETY: each of the BATCH headers points to a name and a part of its own (`new`) and to a control buffer of its
        // own or to none (`prepare`), with their true sizes, all alive, never moved, because the vectors never grow, and not
        // otherwise borrowed while `self` is borrowed mutably.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_fd().as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(count) else {
            // A failed call may have touched the first header.
            self.used = 1;
            return Err(io::Error::last_os_error());
        };
        self.received = count.min(BATCH);
        self.used = BATCH.min(self.received + 1);
        let arrived = self.headers.iter().zip(&self.names).zip(&mut self.controls).zip(&mut self.seen);
        for (((header, name), control), seen) in arrived.take(self.received) {
            *seen = Seen::read(header, name, control, origin);
        }
        Ok(self.received)
    }

    /// How many datagrams the last call took.
    pub fn received(&self) -> usize {
        self.received
    }

    /// The datagrams, and the replies to them, none so far.
    pub fn parts(&mut self) -> (Arrivals<'_>, Replies<'_>) {
        self.replies = 0;
        let arrivals = Arrivals {
            headers: self.headers.get(..self.received).unwrap_or_default(),
            buffers: self.buffers.get(..self.received).unwrap_or_default(),
            seen: self.seen.get(..self.received).unwrap_or_default(),
        };
        let replies = Replies {
            arena: &mut self.arena,
            parts: &mut self.reply_parts,
            headers: &mut self.reply_headers,
            count: &mut self.replies,
            filled: 0,
        };
        (arrivals, replies)
    }

    /// Sends the replies. Each one that the kernel refuses is counted and left out. Fails only if the socket is
    /// not one any more; the replies left then are lost.
    pub fn send(&mut self, socket: impl AsFd) -> io::Result<Sent> {
        let socket = socket.as_fd();
        let mut outcome = Sent::default();
        let mut next = 0;
        while next < self.replies {
            match self.send_from(socket, next) {
                Ok(sent) => {
                    let ipv6 = self.ipv6_replies(next, sent);
                    outcome.sent[0] += sent - ipv6;
                    outcome.sent[1] += ipv6;
                    next += sent;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_lost(&error) => return Err(error),
                Err(error) => {
                    if is_without_route(&error) {
                        outcome.without_route[self.ipv6_replies(next, 1)] += 1;
                    } else if is_pressure(&error) {
                        outcome.pressed += 1;
                    } else {
                        outcome.refused += 1;
                    }
                    next += 1;
                }
            }
        }
        self.replies = 0;
        Ok(outcome)
    }

    /// How many of this many replies from `first` on are IPv6. All replies of a socket are of one family, but for a wildcard
    /// of IPv6 that serves IPv4 too; only such a socket's replies are looked at one by one.
    fn ipv6_replies(&self, first: usize, count: usize) -> usize {
        let all = self.reply_headers.get(first..first + count).unwrap_or_default();
        let is_ipv6 = |header: &libc::mmsghdr| {
            let name = header.msg_hdr.msg_name.cast::<libc::sockaddr_storage>();
            // SAFETY: `Replies::write` copied the pointer from a header of `headers`, which points to a name of `names`:
            // alive, aligned, never moved, and written to by no one while `self` is borrowed.
            arrival::is_ipv6(unsafe { &*name })
        };
        match all.first() {
            Some(header) if header.msg_hdr.msg_namelen as usize == size_of::<libc::sockaddr_in>() => 0,
            Some(_) if self.origin == Origin::Bound => all.len(),
            _ => all.iter().filter(|header| is_ipv6(header)).count(),
        }
    }

    fn send_from(&mut self, socket: BorrowedFd<'_>, next: usize) -> io::Result<usize> {
        let Some(headers) = self.reply_headers.get_mut(next..self.replies) else { return Ok(0) };
        // SAFETY: each header was filled by `Replies::write` after the last `receive`: its name and control buffer are
        // those the kernel filled, its part lies in the arena, and none of them was freed or moved since, because the
        // vectors never grow.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                headers.len() as libc::c_uint,
                libc::MSG_DONTWAIT,
            )
        };
        match usize::try_from(sent) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(sent) => Ok(sent),
            Err(_) => Err(io::Error::last_os_error()),
        }
    }

    /// Sets up again what the last call changed in the headers.
    fn prepare(&mut self, origin: Origin) {
        if self.origin != origin {
            (self.origin, self.used) = (origin, BATCH);
        }
        for (header, control) in self.headers.iter_mut().zip(&mut self.controls).take(self.used) {
            let header = &mut header.msg_hdr;
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_flags = 0;
            (header.msg_control, header.msg_controllen) = match origin {
                Origin::Told => (control.0.as_mut_ptr().cast(), CONTROL as _),
                Origin::Bound => (std::ptr::null_mut(), 0),
            };
        }
        self.used = 0;
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Batch").field("received", &self.received).finish_non_exhaustive()
    }
}

/// Whether an error of a socket call says that the socket is gone, rather than that one datagram had bad luck.
pub fn is_lost(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBADF | libc::ENOTSOCK | libc::EFAULT | libc::EOPNOTSUPP))
}
