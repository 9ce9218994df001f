//! The kernel's address tables over rtnetlink: which addresses the host has, and changes of them. Adds and removes only the
//! addresses it is given.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::pin::pin;

use futures_util::{StreamExt, TryStreamExt};
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage};
use rtnetlink::{AddressMessageBuilder, Handle, MulticastGroup};
use tokio::task::JoinHandle;

use crate::host::presence::Presence;

use super::host_length;

/// The interface that service addresses are put on: it never goes down with a physical link.
pub(in crate::host) const LOOPBACK: &str = "lo";

/// A connection to the kernel's address tables.
pub(in crate::host) struct Link {
    handle: Handle,
    changes: Changes,
    connection: JoinHandle<()>,
}

type Changes = std::pin::Pin<Box<dyn futures_util::Stream<Item = ()> + Send + Sync>>;

impl Link {
    /// Opens a socket that hears of changes, in the network namespace of the calling thread.
    pub(in crate::host) fn open() -> io::Result<Self> {
        let groups = [MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr];
        let (connection, handle, messages) = rtnetlink::new_multicast_connection(&groups)?;
        let changes: Changes = Box::pin(messages.map(|_| ()));
        Ok(Self { handle, changes, connection: tokio::spawn(connection) })
    }

    /// Waits for a change of the host's addresses. `None` when the link has ended.
    pub(in crate::host) async fn changed(&mut self) -> Option<()> {
        self.changes.next().await
    }

    /// Which of these are not on the host.
    pub(in crate::host) async fn missing(
        &self,
        addresses: &[IpAddr],
        presence: Presence,
    ) -> io::Result<Vec<IpAddr>> {
        let mut present = HashSet::new();
        let mut messages = pin!(self.handle.address().get().execute());
        while let Some(message) = messages.try_next().await.map_err(io::Error::other)? {
            present.extend(match presence {
                Presence::Listed => listed(&message),
                Presence::Usable => usable(&message),
            });
        }
        // All of 127.0.0.0/8 is the host's (RFC 1122 section 3.2.1.3), though one address of it is listed.
        let here =
            |address: &IpAddr| present.contains(address) || (address.is_ipv4() && address.is_loopback());
        Ok(addresses.iter().filter(|address| !here(address)).copied().collect())
    }

    /// The index of the loopback interface.
    pub(in crate::host) async fn loopback(&self) -> io::Result<u32> {
        let mut links = pin!(self.handle.link().get().match_name(LOOPBACK).execute());
        let link = links.try_next().await.map_err(io::Error::other)?;
        link.map(|link| link.header.index).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Puts an address on an interface. Returns false if it was there by then.
    pub(in crate::host) async fn add(&self, interface: u32, address: IpAddr) -> io::Result<bool> {
        let mut request = self.handle.address().add(interface, address, host_length(address));
        if address.is_ipv6() {
            // Every POP has an anycast address, so duplicate detection must not run.
            request.message_mut().attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        match request.execute().await {
            Ok(()) => Ok(true),
            Err(error) if code(&error) == -libc::EEXIST => Ok(false),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    /// Takes an address from an interface. One that is gone already is no error.
    pub(in crate::host) async fn remove(&self, interface: u32, address: IpAddr) -> io::Result<()> {
        match self.handle.address().del(message(interface, address)).execute().await {
            Ok(()) => Ok(()),
            Err(error) if code(&error) == -libc::EADDRNOTAVAIL => Ok(()),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// The address of a message, unless duplicate detection has not passed it.
fn usable(message: &AddressMessage) -> Option<IpAddr> {
    let unusable = AddressHeaderFlags::Dadfailed | AddressHeaderFlags::Tentative;
    if message.header.flags.intersects(unusable) { None } else { listed(message) }
}

/// The address of a message.
fn listed(message: &AddressMessage) -> Option<IpAddr> {
    // `Local` is ours and `Address` the peer's on a point-to-point link; elsewhere `Address` may stand alone.
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    local.or_else(|| {
        message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })
}

fn message(index: u32, address: IpAddr) -> AddressMessage {
    let length = host_length(address);
    match address {
        IpAddr::V4(address) => {
            AddressMessageBuilder::<std::net::Ipv4Addr>::new().index(index).address(address, length).build()
        }
        IpAddr::V6(address) => {
            AddressMessageBuilder::<std::net::Ipv6Addr>::new().index(index).address(address, length).build()
        }
    }
}

/// The kernel's error number, negative; 0 for an error that is not the kernel's.
fn code(error: &rtnetlink::Error) -> i32 {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.raw_code(),
        _ => 0,
    }
}
