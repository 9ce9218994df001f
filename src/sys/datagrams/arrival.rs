//! What the kernel said about one datagram, read and turned round for its reply. No system calls.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets taken of one datagram; a query is a name of at most 255 octets and options. A longer one is
/// [`DatagramFault::Truncated`].
pub const DATAGRAM: usize = 4096;

/// Octets of control messages: one `in6_pktinfo` with its header takes 40, and nothing else is asked for.
pub(super) const CONTROL: usize = 64;

/// Control messages, aligned as `cmsghdr` is.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Control(pub(super) [u8; CONTROL]);

/// How a reply comes to leave from the address that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The socket is bound to one unicast address, which every reply leaves from.
    Bound,
    /// The socket is bound to a wildcard, and the kernel tells with each datagram where it was sent
    /// ([`crate::sys::sockets::receive_destination`]); the reply says so to the kernel again.
    Told,
}

/// One datagram of a batch.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// Its octets.
    pub octets: &'a [u8],
    /// The address it says it comes from; IPv4 as IPv4, also on a dual-stack socket.
    pub source: IpAddr,
    /// The port it says it comes from.
    pub port: u16,
    /// What is wrong with it; such a datagram gets no reply.
    pub fault: Option<DatagramFault>,
    pub(super) header: &'a libc::mmsghdr,
}

/// Why a datagram gets no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatagramFault {
    /// Longer than [`DATAGRAM`] octets; the rest is lost.
    Truncated,
    /// From port 0, from an unspecified, broadcast or multicast address: no reply can be sent there.
    Source,
    /// Sent to a broadcast or multicast address, or the destination is not known: no reply can leave from there.
    Destination,
}

/// A datagram's facts, as [`Arrival`] has them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    length: usize,
    source: IpAddr,
    port: u16,
    fault: Option<DatagramFault>,
}

impl Default for Seen {
    fn default() -> Self {
        Self { length: 0, source: Ipv4Addr::UNSPECIFIED.into(), port: 0, fault: None }
    }
}

impl Seen {
    /// Reads the facts, and makes the control message, if there is one, fit for the reply.
    pub(super) fn read(
        header: &libc::mmsghdr,
        name: &libc::sockaddr_storage,
        control: &mut Control,
        origin: Origin,
    ) -> Self {
        let (source, port) = source_of(name);
        let fault = if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            Some(DatagramFault::Truncated)
        } else if port == 0 || !is_peer(source) {
            Some(DatagramFault::Source)
        } else if origin == Origin::Told && !turn_round(&header.msg_hdr, control) {
            Some(DatagramFault::Destination)
        } else {
            None
        };
        Self { length: header.msg_len as usize, source, port, fault }
    }

    pub(super) fn arrival<'a>(&self, header: &'a libc::mmsghdr, octets: &'a [u8; DATAGRAM]) -> Arrival<'a> {
        let octets = octets.get(..self.length).unwrap_or_default();
        Arrival { octets, source: self.source, port: self.port, fault: self.fault, header }
    }
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

/// Whether this is an IPv6 address; an IPv4 one of a dual-stack socket is v4-mapped.
pub(super) fn is_ipv6(name: &libc::sockaddr_storage) -> bool {
    source_of(name).0.is_ipv6()
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
