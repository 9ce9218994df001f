//! Batches of UDP datagrams (Linux): one `recvmmsg` takes many, one `sendmmsg` answers them.
//!
//! Each datagram comes with the address it was sent to; its reply leaves from that address, also where the socket is
//! bound to a wildcard, IPv4, IPv6 or both. A reply goes to the peer's address as it came, so the scope of an IPv6
//! link-local peer is kept. All memory is allocated by [`Batch::new`]. Never blocks but in [`Waiter::wait`], never allocates
//! after `new`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

/// Datagrams in a batch: past this the cost of the system call is spread thin enough, and the batch still fits the
/// second-level cache.
pub const BATCH: usize = 64;

/// Octets taken of one datagram; a query is a name of at most 255 octets and options. A longer one is
/// [`Fault::Truncated`].
pub const DATAGRAM: usize = 4096;

/// Octets that a reply may be made in: the room that the answer path asks for.
pub const REPLY_ROOM: usize = 65_535;

/// Octets of replies in a batch, beside the room of the last one: the largest UDP payload ceiling for each.
const ARENA: usize = BATCH * DATAGRAM + REPLY_ROOM;

/// Octets of control messages: one `in6_pktinfo` with its header takes 40, and nothing else is asked for.
const CONTROL: usize = 64;

/// Control messages, aligned as `cmsghdr` is.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// One datagram of a batch.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// Its octets.
    pub octets: &'a [u8],
    /// The address it says it comes from; IPv4 as IPv4, also on a dual-stack socket.
    pub source: IpAddr,
    /// What is wrong with it; such a datagram deserves no reply.
    pub fault: Option<Fault>,
}

/// Why a datagram deserves no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Longer than [`DATAGRAM`] octets; the rest is lost.
    Truncated,
    /// From port 0, from an unspecified, broadcast or multicast address: no reply can be sent there.
    Source,
    /// Sent to a broadcast or multicast address, or the destination is not known: no reply can leave from there.
    Destination,
}

/// What became of the replies of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Replies that the kernel took.
    pub sent: usize,
    /// Replies that it refused: no buffer, no route, too long, filtered.
    pub failed: usize,
}

/// The memory of one worker's datagrams.
pub struct Batch {
    octets: Vec<[u8; DATAGRAM]>,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    parts: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    arena: Vec<u8>,
    reply_parts: Vec<libc::iovec>,
    reply_headers: Vec<libc::mmsghdr>,
    received: usize,
    replies: usize,
    /// How many of `headers`, from the first, the last call changed.
    used: usize,
}

// SAFETY: the raw pointers in the headers point into the vectors beside them, which move with the batch; they are
// followed only inside the system calls made through `&mut self`.
unsafe impl Send for Batch {}

impl Batch {
    /// Allocates the batch: about 600 KiB.
    pub fn new() -> Self {
        // SAFETY: these are C structures of integers and pointers, for which all bits zero is a value.
        let (name, header) =
            unsafe { (std::mem::zeroed::<libc::sockaddr_storage>(), std::mem::zeroed::<libc::mmsghdr>()) };
        let part = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        Self {
            octets: vec![[0; DATAGRAM]; BATCH],
            names: vec![name; BATCH],
            controls: vec![Control([0; CONTROL]); BATCH],
            parts: vec![part; BATCH],
            headers: vec![header; BATCH],
            arena: vec![0; ARENA],
            reply_parts: vec![part; BATCH],
            reply_headers: vec![header; BATCH],
            received: 0,
            replies: 0,
            used: BATCH,
        }
    }

    /// Takes what waits, at most [`BATCH`] datagrams, without blocking; what was in the batch before is gone.
    /// Returns how many. Fails with `WouldBlock` if none waits.
    pub fn receive(&mut self, socket: impl AsFd) -> io::Result<usize> {
        self.received = 0;
        self.replies = 0;
        self.prepare();
        self.used = 0;
        // SAFETY: each of the BATCH headers points to a name, a part and a control buffer of its own, with their
        // true sizes (`prepare`), all alive and not otherwise borrowed while `self` is borrowed mutably.
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
        Ok(self.received)
    }

    /// Hands each datagram to `respond`, in order, with [`REPLY_ROOM`] octets to put the reply in. `respond` returns
    /// the reply's length, 0 for no reply; what it returns for a datagram with a fault is not sent.
    pub fn respond(&mut self, mut respond: impl FnMut(Arrival<'_>, &mut [u8]) -> usize) {
        self.replies = 0;
        let mut start = 0;
        let count = self.received;
        let arrivals = self.headers.iter().zip(&self.octets).zip(&self.names).zip(&mut self.controls);
        for (((header, octets), name), control) in arrivals.take(count) {
            let arrival = arrival(header, octets, name, control);
            let fault = arrival.fault;
            let Some(room) = self.arena.get_mut(start..start + REPLY_ROOM) else { return };
            let length = respond(arrival, room);
            if length == 0 || length > DATAGRAM || fault.is_some() {
                continue;
            }
            let (Some(part), Some(reply)) =
                (self.reply_parts.get_mut(self.replies), self.reply_headers.get_mut(self.replies))
            else {
                return;
            };
            *part = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: length };
            reply.msg_hdr = header.msg_hdr;
            reply.msg_hdr.msg_iov = std::ptr::from_mut(part);
            reply.msg_hdr.msg_iovlen = 1;
            reply.msg_hdr.msg_flags = 0;
            self.replies += 1;
            start += length;
        }
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
                    outcome.sent += sent;
                    next += sent;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_lost(&error) => return Err(error),
                Err(_) => {
                    outcome.failed += 1;
                    next += 1;
                }
            }
        }
        self.replies = 0;
        Ok(outcome)
    }

    fn send_from(&mut self, socket: BorrowedFd<'_>, next: usize) -> io::Result<usize> {
        let Some(headers) = self.reply_headers.get_mut(next..self.replies) else { return Ok(0) };
        // SAFETY: each header was filled by `respond` after the last `receive`: its name and control buffer are
        // those the kernel filled, its part lies in the arena, and none of them was freed or moved since, for the
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

    /// Sets up again the headers that the last call changed.
    fn prepare(&mut self) {
        let memory = self.octets.iter_mut().zip(&mut self.names).zip(&mut self.controls).zip(&mut self.parts);
        for (header, (((octets, name), control), part)) in self.headers.iter_mut().zip(memory).take(self.used)
        {
            *part = libc::iovec { iov_base: octets.as_mut_ptr().cast(), iov_len: DATAGRAM };
            header.msg_len = 0;
            header.msg_hdr.msg_name = std::ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_hdr.msg_iov = std::ptr::from_mut(part);
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL as _;
            header.msg_hdr.msg_flags = 0;
        }
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

/// Reads what the kernel said about one datagram, and makes its control message fit for the reply.
fn arrival<'a>(
    header: &libc::mmsghdr,
    octets: &'a [u8; DATAGRAM],
    name: &libc::sockaddr_storage,
    control: &mut Control,
) -> Arrival<'a> {
    let octets = octets.get(..header.msg_len as usize).unwrap_or_default();
    let (source, port) = source_of(name);
    let fault = if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
        Some(Fault::Truncated)
    } else if port == 0 || !is_peer(source) {
        Some(Fault::Source)
    } else if !turn_round(&header.msg_hdr, control) {
        Some(Fault::Destination)
    } else {
        None
    };
    Arrival { octets, source, fault }
}

/// The source's address and port; port 0 for a family that no UDP socket of ours has.
fn source_of(name: &libc::sockaddr_storage) -> (IpAddr, u16) {
    let pointer = std::ptr::from_ref(name);
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: `sockaddr_storage` is as large and as aligned as any `sockaddr`, the family says which, and
            // every bit pattern is a `sockaddr_in`.
            let name = unsafe { &*pointer.cast::<libc::sockaddr_in>() };
            (Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr)).into(), u16::from_be(name.sin_port))
        }
        libc::AF_INET6 => {
            // SAFETY: as above, for `sockaddr_in6`.
            let name = unsafe { &*pointer.cast::<libc::sockaddr_in6>() };
            (Ipv6Addr::from(name.sin6_addr.s6_addr).to_canonical(), u16::from_be(name.sin6_port))
        }
        _ => (Ipv4Addr::UNSPECIFIED.into(), 0),
    }
}

/// Whether a reply can be sent to this address.
fn is_peer(source: IpAddr) -> bool {
    let broadcast = matches!(source, IpAddr::V4(source) if source.is_broadcast());
    !(broadcast || source.is_unspecified() || source.is_multicast())
}

/// Turns the packet information of a datagram into that of its reply: from the address it was sent to, over the
/// interface that the routing table says, or for an IPv6 link-local address over the one it came in on (RFC 3542
/// section 6.2). Returns false if there is none or no reply can leave from there.
fn turn_round(header: &libc::msghdr, control: &mut Control) -> bool {
    // SAFETY: `msg_control` is `control` and `msg_controllen` what the kernel wrote of it, so the macro reads inside.
    let first = unsafe { libc::CMSG_FIRSTHDR(header) };
    if first.is_null() || header.msg_flags & libc::MSG_CTRUNC != 0 {
        return false;
    }
    debug_assert!(std::ptr::eq(first.cast::<u8>(), control.0.as_ptr()));
    // SAFETY: not null, so a whole `cmsghdr` is there, aligned as `Control` is.
    let (level, kind, length) =
        unsafe { ((*first).cmsg_level, (*first).cmsg_type, (*first).cmsg_len as usize) };
    // SAFETY: the macro only adds the size of the header to the pointer.
    let data = unsafe { libc::CMSG_DATA(first) };
    if (level, kind) == (libc::IPPROTO_IP, libc::IP_PKTINFO) && length >= message_length::<libc::in_pktinfo>()
    {
        // SAFETY: the kernel said that the data is as long as an `in_pktinfo`, and `read_unaligned` and
        // `write_unaligned` ask for no alignment. Every bit pattern is one.
        let mut info = unsafe { data.cast::<libc::in_pktinfo>().read_unaligned() };
        // They differ for a broadcast or multicast destination.
        let unicast = info.ipi_spec_dst.s_addr == info.ipi_addr.s_addr;
        info.ipi_ifindex = 0;
        // SAFETY: as above.
        unsafe { data.cast::<libc::in_pktinfo>().write_unaligned(info) };
        return unicast;
    }
    if (level, kind) == (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO)
        && length >= message_length::<libc::in6_pktinfo>()
    {
        // SAFETY: as above, for an `in6_pktinfo`.
        let mut info = unsafe { data.cast::<libc::in6_pktinfo>().read_unaligned() };
        let destination = Ipv6Addr::from(info.ipi6_addr.s6_addr);
        if !destination.is_unicast_link_local() {
            info.ipi6_ifindex = 0;
        }
        // SAFETY: as above.
        unsafe { data.cast::<libc::in6_pktinfo>().write_unaligned(info) };
        return is_peer(destination.to_canonical());
    }
    false
}

/// The `cmsg_len` of a control message that carries a `T`.
const fn message_length<T>() -> usize {
    // SAFETY: the macro only adds sizes.
    unsafe { libc::CMSG_LEN(size_of::<T>() as libc::c_uint) as usize }
}

/// Whether an error of a socket call says that the socket is gone, rather than that one datagram had bad luck.
pub fn is_lost(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBADF | libc::ENOTSOCK | libc::EFAULT | libc::EOPNOTSUPP))
}

/// Waits for several sockets at once; allocated once.
#[derive(Debug)]
pub struct Waiter {
    polled: Vec<libc::pollfd>,
}

impl Waiter {
    /// Waits for these sockets, which the caller keeps open as long as it waits.
    pub fn new<'a>(sockets: impl IntoIterator<Item = BorrowedFd<'a>>) -> Self {
        let polled = sockets.into_iter().map(|socket| libc::pollfd {
            fd: socket.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        });
        Self { polled: polled.collect() }
    }

    /// Waits until a socket can be read or has an error, or this much time has gone (rounded down to milliseconds).
    /// An interrupted wait is over.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the pointer and the length are of one vector of `pollfd`, borrowed mutably. A descriptor that was
        // closed meanwhile is reported in `revents`.
        let result =
            unsafe { libc::poll(self.polled.as_mut_ptr(), self.polled.len() as libc::nfds_t, milliseconds) };
        if result >= 0 {
            return Ok(());
        }
        self.polled.iter_mut().for_each(|polled| polled.revents = 0);
        let error = io::Error::last_os_error();
        if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
    }

    /// Whether the last wait found something at the socket with this index: data, an error or its loss.
    pub fn is_ready(&self, index: usize) -> bool {
        self.polled.get(index).is_some_and(|polled| polled.revents != 0)
    }

    /// Waits for this socket no more.
    pub fn forget(&mut self, index: usize) {
        if let Some(polled) = self.polled.get_mut(index) {
            // poll(2) skips negative descriptors.
            polled.fd = -1;
            polled.revents = 0;
        }
    }
}
