//! Binding: an address in, its UDP sockets and its TCP listener out, or the reason why not.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use super::error::ServeError;
use super::transport::Transport;

/// Octets of the receive buffer of a UDP socket. Some 5,000 queries of usual size with the kernel's overhead: 25 ms
/// of a worker's time. It outlasts a pause of the scheduler; a longer queue would only hold queries whose clients have given up.
#[cfg(native)]
const RECEIVE_BUFFER: i32 = 4 << 20;

/// The longest payload that is sent with DF set: one that crosses nearly every path (RFC 9715 section 3.1, R3). An operator who
/// asks for longer answers wants them in fragments.
#[cfg(native)]
const UNFRAGMENTED: u16 = 1400;

/// Connections that the kernel completes before we accept them; the kernel caps it at `net.core.somaxconn`. When it is
/// full the kernel leaves a SYN unanswered or sends a SYN cookie; that happens only if the thread does not run,
/// because a connection above a cap is accepted and reset at once.
///
/// TCP Fast Open is not used: its cookie is good for the host that made it (RFC 7413 section 4.1.2), which with
/// anycast may not be the next one reached, and a replayed SYN would be answered again.
pub(super) const BACKLOG: i32 = 1024;

/// Octets of a TCP segment: what fits the IPv6 minimum link MTU of 1280. Path-MTU messages to an anycast address may
/// reach another POP, so we do not count on them.
const TCP_SEGMENT: u32 = 1220;

/// Free ports tried until one is free for UDP and TCP both.
const PORT_ATTEMPTS: usize = 32;

/// The sockets of one address.
#[derive(Debug)]
pub(super) struct Bound {
    /// The address, port 0 resolved.
    pub(super) address: SocketAddr,
    /// One socket for each worker.
    pub(super) udp: Vec<UdpSocket>,
    /// As many listeners.
    pub(super) tcp: Vec<TcpListener>,
}

/// Binds a listener to each address, for a transport over TCP.
pub(super) fn listeners(
    transport: Transport,
    addresses: &[SocketAddr],
) -> Result<Vec<(SocketAddr, TcpListener)>, ServeError> {
    let bind = |address: &SocketAddr| {
        let listener = tcp(*address, is_dual_stack(*address, addresses), Shares::Never)?;
        Ok((listener.local_addr()?, listener))
    };
    each(transport, addresses, bind)
}

/// Binds a socket to each address, for a transport over QUIC. Not shared: connections live in one socket's thread.
pub(super) fn quic(
    transport: Transport,
    addresses: &[SocketAddr],
) -> Result<Vec<(SocketAddr, UdpSocket)>, ServeError> {
    let bind = |address: &SocketAddr| {
        let socket = Socket::new(Domain::for_address(*address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(!is_dual_stack(*address, addresses))?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&(*address).into())?;
        let socket = UdpSocket::from(socket);
        Ok((socket.local_addr()?, socket))
    };
    each(transport, addresses, bind)
}

/// Of which of these addresses another process has the port. Each is bound for a moment, without the options that would let it share the
/// port, and nothing is received there; what else keeps it from being bound is not told.
pub fn taken(transport: Transport, addresses: &[SocketAddr]) -> Vec<ServeError> {
    let (kind, protocol) = match transport {
        Transport::Udp | Transport::Doq | Transport::Doh3 => (Type::DGRAM, Protocol::UDP),
        Transport::Tcp | Transport::Dot | Transport::Doh => (Type::STREAM, Protocol::TCP),
    };
    let bind = |address: SocketAddr| {
        let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
        if address.is_ipv6() {
            socket.set_only_v6(!is_dual_stack(address, addresses))?;
        }
        // As the listeners have it: connections in TIME-WAIT have no port.
        #[cfg(unix)]
        if kind == Type::STREAM {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&address.into())
    };
    let addresses = addresses.iter().filter(|address| address.port() != 0);
    let faults = addresses.filter_map(|address| {
        let source = bind(*address).err()?;
        Some(ServeError::Bind { address: *address, transport, source })
    });
    faults.filter(ServeError::is_port_in_use).collect()
}

fn each<T>(
    transport: Transport,
    addresses: &[SocketAddr],
    bind: impl Fn(&SocketAddr) -> io::Result<T>,
) -> Result<Vec<T>, ServeError> {
    let failed = |address: &SocketAddr| {
        let address = *address;
        move |source| ServeError::Bind { address, transport, source }
    };
    addresses.iter().map(|address| bind(address).map_err(failed(address))).collect()
}

/// Binds every address, with this many UDP sockets and listeners each; UDP payloads have at most `payload` octets.
pub(super) fn bind_all(
    addresses: &[SocketAddr],
    sockets: usize,
    payload: u16,
) -> Result<Vec<Bound>, ServeError> {
    let of = |address| Wanted { dual_stack: is_dual_stack(address, addresses), payload };
    addresses.iter().map(|address| bind(*address, sockets, of(*address))).collect()
}

/// What the sockets of an address must be set to.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    dual_stack: bool,
    /// The longest UDP payload that is sent.
    payload: u16,
}

/// The IPv6 wildcard serves IPv4 as well, unless IPv4 addresses of the same port are listened on themselves.
fn is_dual_stack(address: SocketAddr, all: &[SocketAddr]) -> bool {
    let wildcard = address.is_ipv6() && address.ip().is_unspecified();
    wildcard && !all.iter().any(|other| other.is_ipv4() && other.port() == address.port())
}

/// Binds UDP and TCP to one address. For port 0 the kernel chooses the UDP port, and if that one is taken in TCP, another.
fn bind(address: SocketAddr, sockets: usize, wanted: Wanted) -> Result<Bound, ServeError> {
    let mut attempt = 1;
    loop {
        match bind_once(address, sockets, wanted) {
            Err(error) if address.port() == 0 && error.is_port_in_use() && attempt < PORT_ATTEMPTS => {
                attempt += 1
            }
            result => return result,
        }
    }
}

fn bind_once(address: SocketAddr, sockets: usize, wanted: Wanted) -> Result<Bound, ServeError> {
    let failed = |transport| move |source| ServeError::Bind { address, transport, source };
    // A group of one would have the kernel hash each datagram's addresses to choose from it.
    let shares = if sockets > 1 { Shares::Later } else { Shares::Never };
    let first = udp(address, wanted, shares).map_err(failed(Transport::Udp))?;
    let address = first.local_addr().map_err(failed(Transport::Udp))?;
    let failed = |transport| move |source| ServeError::Bind { address, transport, source };
    let listener = tcp(address, wanted.dual_stack, shares).map_err(failed(Transport::Tcp))?;
    let (mut udp_sockets, mut listeners) = (vec![first], vec![listener]);
    for _ in 1..sockets {
        udp_sockets.push(udp(address, wanted, Shares::Now).map_err(failed(Transport::Udp))?);
        listeners.push(tcp(address, wanted.dual_stack, Shares::Now).map_err(failed(Transport::Tcp))?);
    }
    Ok(Bound { address, udp: udp_sockets, tcp: listeners })
}

/// Whether a socket shares its port with others of ours (`SO_REUSEPORT`). The first of an address is bound before it
/// does: the kernel then says if another process has the port, where the option would quietly take half of its queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shares {
    /// It is the only one.
    Never,
    /// It is the first.
    Later,
    /// It is not the first.
    Now,
}

/// A UDP socket.
fn udp(address: SocketAddr, wanted: Wanted, shares: Shares) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!wanted.dual_stack)?;
    }
    if shares == Shares::Now {
        share_port(&socket)?;
    }
    socket.set_nonblocking(true)?;
    udp_options(&socket, address, wanted.payload)?;
    socket.bind(&address.into())?;
    if shares == Shares::Later {
        share_port(&socket)?;
    }
    Ok(socket.into())
}

#[cfg(unix)]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(unix))]
fn share_port(_: &Socket) -> io::Result<()> {
    Ok(())
}

/// How replies of a UDP socket bound to this address come to leave from the address that was asked.
#[cfg(native)]
pub(super) fn origin(address: SocketAddr) -> crate::sys::datagrams::Origin {
    use crate::sys::datagrams::Origin;
    // What is sent to a multicast address comes to a socket bound to it, and no reply may leave from there.
    if address.ip().is_unspecified() || address.ip().is_multicast() { Origin::Told } else { Origin::Bound }
}

#[cfg(native)]
fn udp_options(socket: &Socket, address: SocketAddr, payload: u16) -> io::Result<()> {
    use crate::sys::{datagrams::Origin, sockets, sockets::Fragmentation};
    if origin(address) == Origin::Told {
        sockets::receive_destination(socket, address.is_ipv6())?;
    }
    let fragmentation = if payload > UNFRAGMENTED { Fragmentation::Allowed } else { Fragmentation::Never };
    sockets::set_fragmentation(socket, address.is_ipv6(), fragmentation)?;
    sockets::set_receive_buffer(socket, RECEIVE_BUFFER)
}

#[cfg(not(native))]
fn udp_options(_: &Socket, _: SocketAddr, _: u16) -> io::Result<()> {
    Ok(())
}

fn tcp(address: SocketAddr, dual_stack: bool, shares: Shares) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual_stack)?;
    }
    // A restart must not wait for connections of its predecessor in TIME-WAIT. On Windows the option lets another process take the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Accepted connections inherit both: each response leaves at once, in segments of this size.
    socket.set_tcp_nodelay(true)?;
    #[cfg(unix)]
    socket.set_tcp_mss(TCP_SEGMENT)?;
    if shares == Shares::Now {
        share_port(&socket)?;
    }
    socket.bind(&address.into())?;
    if shares == Shares::Later {
        share_port(&socket)?;
    }
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_another_process_is_told_and_a_free_one_is_not() {
        let first = bind_all(&["127.0.0.1:0".parse().unwrap()], 2, 1232).unwrap();
        let addresses: Vec<SocketAddr> = first.iter().map(|bound| bound.address).collect();
        let texts =
            |transport| taken(transport, &addresses).iter().map(ToString::to_string).collect::<String>();
        for transport in [Transport::Udp, Transport::Tcp] {
            assert!(texts(transport).contains(&format!("cannot listen on {}", addresses[0])));
        }
        drop(first);
        assert_eq!(texts(Transport::Udp) + &texts(Transport::Tcp), "");
    }

    #[test]
    fn the_ipv6_wildcard_serves_ipv4_unless_that_is_listened_on() {
        for (address, all, dual_stack) in [
            ("[::]:53", vec!["[::]:53"], true),
            ("[::]:53", vec!["[::]:53", "0.0.0.0:53"], false),
            ("[::]:53", vec!["[::]:53", "192.0.2.1:53"], false),
            ("[::]:53", vec!["[::]:53", "192.0.2.1:54"], true),
            ("[::1]:53", vec!["[::1]:53"], false),
            ("0.0.0.0:53", vec!["0.0.0.0:53"], false),
        ] {
            let all: Vec<SocketAddr> = all.iter().map(|it| it.parse().unwrap()).collect();
            assert_eq!(is_dual_stack(address.parse().unwrap(), &all), dual_stack, "{address} in {all:?}");
        }
    }
}
