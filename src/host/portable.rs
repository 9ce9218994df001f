//! What any platform tells about the host: whether an address can be bound. Routes and the sockets of other processes are not
//! known here, and what is not known proves nothing. Never changes the host. `linux` has the same functions.

use std::io;
use std::net::{IpAddr, UdpSocket};

use ipnet::IpNet;

use super::presence::Presence;
use super::route_back::Way;
use super::sharing::HostSocket;

/// The loopback interface; named in messages only.
pub(super) const LOOPBACK: &str = "lo";

/// Asks about addresses. Holds nothing open.
pub(super) struct Link;

impl Link {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self)
    }

    /// Never returns: nothing reports changes here, so the watcher looks again after its interval.
    pub(super) async fn changed(&mut self) -> Option<()> {
        std::future::pending().await
    }

    /// Which of these are not on the host: a socket cannot be bound to them. Any other error of bind proves nothing.
    pub(super) async fn missing(&self, addresses: &[IpAddr], _: Presence) -> io::Result<Vec<IpAddr>> {
        let is_missing = |address: &&IpAddr| {
            UdpSocket::bind((**address, 0))
                .is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
        };
        Ok(addresses.iter().filter(is_missing).copied().collect())
    }

    pub(super) async fn loopback(&self) -> io::Result<u32> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) async fn add(&self, _: u32, _: IpAddr) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) async fn remove(&self, _: u32, _: IpAddr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Nothing lists the sockets of other processes.
pub(super) fn udp_sockets() -> io::Result<Vec<HostSocket>> {
    Ok(Vec::new())
}

/// Nothing lists the sockets of other processes.
pub(super) fn tcp_listeners() -> io::Result<Vec<HostSocket>> {
    Ok(Vec::new())
}

/// No route can be asked about.
pub(super) async fn ask_all(references: &[IpAddr], _: Option<IpAddr>) -> Vec<(IpAddr, Way)> {
    references.iter().map(|address| (*address, Way::Unknown)).collect()
}

/// No discard route is known, so none is reported as missing.
pub async fn without_discard_route(_: &[IpNet]) -> io::Result<Vec<IpNet>> {
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_an_address_that_cannot_be_bound_is_missing() {
        let addresses = ["127.0.0.1", "192.0.2.77"].map(|text| text.parse().unwrap());
        assert_eq!(
            Link::open().unwrap().missing(&addresses, Presence::Listed).await.unwrap(),
            addresses[1..]
        );
    }
}
