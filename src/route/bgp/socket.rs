//! Sockets for sessions: bound to the local address, with the TTL, the password and the timeouts that were chosen.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::settings::{BgpSettings, Neighbor, Ttl};
use crate::sys::{md5, min_ttl};

/// Connections waiting to be accepted: as many as there may be neighbors.
const BACKLOG: i32 = 64;

/// What packets leave with under GTSM (RFC 5082): more than any packet from farther away can arrive with. A listener
/// has it for its SYN ACKs as soon as one neighbor wants it.
const GTSM_TTL: u8 = 255;

/// A socket that connects to `neighbor` from its local address.
///
/// # Errors
/// The system call that failed, among them a local address that is not on the host.
pub(super) fn outgoing(settings: &BgpSettings, neighbor: &Neighbor) -> io::Result<TcpSocket> {
    let socket = tcp(neighbor.local_address)?;
    tune(&socket, settings, neighbor)?;
    if let Some(password) = &neighbor.password {
        md5::set_key(&socket, neighbor.address, password.octets())?;
    }
    socket.bind(&SocketAddr::new(neighbor.local_address, 0).into())?;
    Ok(TcpSocket::from_std_stream(socket.into()))
}

/// A listener on `local` for `neighbors`, whose passwords it demands.
///
/// # Errors
/// The system call that failed.
pub(super) fn listener<'a>(
    local: SocketAddr,
    neighbors: impl Iterator<Item = &'a Neighbor>,
) -> io::Result<TcpListener> {
    let socket = tcp(local.ip())?;
    // A restarted process must be able to listen while connections of the old one are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    for neighbor in neighbors {
        if matches!(neighbor.ttl, Ttl::Security(_)) {
            set_ttl(&socket, local.ip(), GTSM_TTL)?;
        }
        if let Some(password) = &neighbor.password {
            md5::set_key(&socket, neighbor.address, password.octets())?;
        }
    }
    socket.bind(&local.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Gives an accepted connection what [`outgoing`] gives its own.
///
/// # Errors
/// The system call that failed.
pub(super) fn accepted(stream: &TcpStream, settings: &BgpSettings, neighbor: &Neighbor) -> io::Result<()> {
    tune(&socket2::SockRef::from(stream), settings, neighbor)
}

/// Gives an open connection what [`outgoing`] would give it under changed settings.
///
/// # Errors
/// The system call that failed.
pub(super) fn retune(stream: &TcpStream, settings: &BgpSettings, neighbor: &Neighbor) -> io::Result<()> {
    let socket = socket2::SockRef::from(stream);
    if !matches!(neighbor.ttl, Ttl::Security(_)) {
        // What an earlier GTSM demanded; where there is no GTSM there is nothing to take back.
        let _ = min_ttl::set(&socket, neighbor.address.is_ipv6(), 0);
    }
    tune(&socket, settings, neighbor)
}

fn tcp(local: IpAddr) -> io::Result<Socket> {
    let domain = if local.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn tune(socket: &Socket, settings: &BgpSettings, neighbor: &Neighbor) -> io::Result<()> {
    // A withdrawal must not wait for the acknowledgement of the message before it.
    socket.set_tcp_nodelay(true)?;
    set_user_timeout(socket, settings.effective_send_hold_time())?;
    let ttl: u8 = match neighbor.ttl {
        Ttl::Direct => 1,
        Ttl::Multihop(hops) => hops,
        Ttl::Security(hops) => {
            // RFC 5082 section 3: what was sent with 255 arrives with 255 less the hops between.
            min_ttl::set(socket, neighbor.address.is_ipv6(), GTSM_TTL - hops.saturating_sub(1))?;
            GTSM_TTL
        }
    };
    set_ttl(socket, neighbor.address, ttl)
}

fn set_ttl(socket: &Socket, family: IpAddr, ttl: u8) -> io::Result<()> {
    match family {
        IpAddr::V4(_) => socket.set_ttl_v4(ttl.into()),
        IpAddr::V6(_) => socket.set_unicast_hops_v6(ttl.into()),
    }
}

/// Data that is sent and not acknowledged for this long breaks the connection. Linux counts a closed window as well, so this
/// is a second more than the send-hold time: our own timer goes first and gives the reason. A neighbor that is gone
/// is noticed much earlier, by the hold timer.
#[cfg(native)]
fn set_user_timeout(socket: &Socket, send_hold_time: Duration) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(send_hold_time + Duration::from_secs(1)))
}

#[cfg(not(native))]
fn set_user_timeout(_: &Socket, _: Duration) -> io::Result<()> {
    Ok(())
}
