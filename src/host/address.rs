//! Service addresses on the host (Linux, rtnetlink).
//!
//! Addresses in; out comes whether each is on the host, now, and as long as the watcher runs. If told to install, those that are
//! missing are put on loopback as /32 or /128, and on a planned stop those, and only those, are taken away again.
//! A process that is killed takes nothing away; the next one finds the addresses there and leaves them there as well.
//! Never touches an address that it did not put there.

use std::collections::HashSet;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage};
use rtnetlink::{AddressMessageBuilder, Handle, MulticastGroup};
use tokio::task::JoinHandle;

use crate::handoff::{Latest, Reader};
use crate::telemetry::Beat;

/// How often the addresses are looked at although the kernel told of no change: it may have told while its queue to
/// us was full.
const RECHECK: Duration = Duration::from_secs(1);

/// The interface that service addresses are put on: it never goes down with a link.
const LOOPBACK: &str = "lo";

/// Why service addresses cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// No connection to the kernel's address tables.
    #[error("cannot open an rtnetlink socket: {0}")]
    Socket(#[source] std::io::Error),
    /// The addresses of the host cannot be listed.
    #[error("cannot list the addresses of this host: {0}")]
    List(#[source] rtnetlink::Error),
    /// They are missing and may not be installed.
    #[error(
        "service addresses are not on this host: {}; add them, or set install-addresses in [serve]",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    Missing(Vec<IpAddr>),
    /// Addresses that outbound sockets come from are missing.
    #[error(
        "management addresses are not on this host: {}; add them, or name the host's own in pop.management-addresses",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    NoSource(Vec<IpAddr>),
    /// There is no loopback interface to put them on.
    #[error("the interface {LOOPBACK} cannot be found: {0}")]
    Loopback(#[source] rtnetlink::Error),
    /// The kernel refused to add one. It takes root or CAP_NET_ADMIN.
    #[error("cannot put {address} on {LOOPBACK} (needs root or CAP_NET_ADMIN): {source}")]
    Add {
        /// Which.
        address: IpAddr,
        /// What the kernel said.
        source: rtnetlink::Error,
    },
    /// The kernel refused to take one away.
    #[error("cannot take {address} from {LOOPBACK}: {source}")]
    Remove {
        /// Which.
        address: IpAddr,
        /// What the kernel said.
        source: rtnetlink::Error,
    },
}

/// Which of these addresses are not on this host. One that duplicate detection still looks at is there.
pub async fn missing_addresses(addresses: &[IpAddr]) -> Result<Vec<IpAddr>, AddressError> {
    Link::open()?.missing(addresses, listed).await
}

/// Service addresses that are on the host.
#[derive(Debug)]
pub struct ServiceAddresses {
    addresses: Vec<IpAddr>,
    installed: Vec<IpAddr>,
}

impl ServiceAddresses {
    /// Sees to it that these addresses are on the host: with `install` by putting the missing ones on loopback,
    /// without by failing. What it added before it fails, it takes away.
    pub async fn ensure(addresses: &[IpAddr], install: bool) -> Result<Self, AddressError> {
        let link = Link::open()?;
        let missing = link.missing(addresses, usable).await?;
        if !missing.is_empty() && !install {
            return Err(AddressError::Missing(missing));
        }
        let mut installed = Vec::new();
        for address in missing {
            match link.add(address).await {
                Ok(true) => installed.push(address),
                Ok(false) => {}
                Err(error) => {
                    // The first error tells more than one of cleaning up.
                    let _ = link.remove_all(&installed).await;
                    return Err(error);
                }
            }
        }
        Ok(Self { addresses: addresses.to_vec(), installed })
    }

    /// A watcher of these addresses, still to be run, and what it tells.
    #[must_use]
    pub fn watcher(&self) -> (AddressWatcher, LostAddresses) {
        let lost = Latest::new(Vec::new());
        let checks = Arc::new(AtomicU64::new(0));
        let told = LostAddresses { lost: lost.reader(), checks: checks.clone() };
        (
            AddressWatcher { addresses: self.addresses.clone(), lost, checks, beat: Beat::new("addresses") },
            told,
        )
    }

    /// The addresses that were put on loopback.
    pub fn installed(&self) -> &[IpAddr] {
        &self.installed
    }

    /// Takes away what was put on loopback; for a planned stop. One that is gone already is no error.
    pub async fn remove(self) -> Result<(), AddressError> {
        Link::open()?.remove_all(&self.installed).await
    }
}

/// What a watcher tells others.
#[derive(Clone, Debug)]
pub struct LostAddresses {
    /// The addresses that went away; empty when all is well.
    pub lost: Reader<Vec<IpAddr>>,
    checks: Arc<AtomicU64>,
}

impl LostAddresses {
    /// The longest time from one check to the next while the watcher runs: a second, and as much again for a busy host.
    pub const LIMIT: Duration = Duration::from_secs(2);

    /// How often the addresses were looked at: while it grows, the fact is checked.
    #[must_use]
    pub fn checks(&self) -> u64 {
        self.checks.load(Ordering::Relaxed)
    }
}

/// Watches service addresses.
#[derive(Debug)]
pub struct AddressWatcher {
    addresses: Vec<IpAddr>,
    lost: Latest<Vec<IpAddr>>,
    checks: Arc<AtomicU64>,
    beat: Beat,
}

impl AddressWatcher {
    /// The heartbeat of [`AddressWatcher::run`].
    #[must_use]
    pub fn beat(&self) -> Beat {
        self.beat.clone()
    }

    /// Tells of lost addresses until dropped; may be run again after a panic. Opens a new link when the old one ends. Needs a
    /// tokio runtime with time and I/O, in the network namespace of the addresses.
    pub async fn run(&mut self) {
        let beat = self.beat.clone();
        tokio::select! {
            () = self.watch() => {}
            () = beat.keep_beating() => {}
        }
    }

    async fn watch(&self) {
        loop {
            let followed = match Link::open() {
                Ok(link) => self.follow(link).await,
                Err(error) => Err(error),
            };
            if let Err(error) = followed {
                tracing::warn!(%error, "service addresses are not watched at the moment");
            }
            tokio::time::sleep(RECHECK).await;
        }
    }

    /// Looks at the addresses at every change, until the link ends.
    async fn follow(&self, mut link: Link) -> Result<(), AddressError> {
        loop {
            let missing = link.missing(&self.addresses, usable).await?;
            self.lost.publish_if_new(missing);
            self.checks.fetch_add(1, Ordering::Relaxed);
            // A change or the time: either way, look.
            if let Ok(None) = tokio::time::timeout(RECHECK, link.changes.next()).await {
                return Ok(());
            }
        }
    }
}

/// A connection to the kernel's address tables.
struct Link {
    handle: Handle,
    changes: Changes,
    connection: JoinHandle<()>,
}

type Changes = std::pin::Pin<Box<dyn futures_util::Stream<Item = ()> + Send + Sync>>;

impl Link {
    /// Opens a socket that hears of changes, in the network namespace of the calling thread.
    fn open() -> Result<Self, AddressError> {
        let groups = [MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr];
        let (connection, handle, messages) =
            rtnetlink::new_multicast_connection(&groups).map_err(AddressError::Socket)?;
        let changes: Changes = Box::pin(messages.map(|_| ()));
        Ok(Self { handle, changes, connection: tokio::spawn(connection) })
    }

    /// Which of these are not on the host; `address_of` tells which address of a message counts.
    async fn missing(
        &self,
        addresses: &[IpAddr],
        address_of: impl Fn(&AddressMessage) -> Option<IpAddr>,
    ) -> Result<Vec<IpAddr>, AddressError> {
        let mut present = HashSet::new();
        let mut messages = pin!(self.handle.address().get().execute());
        while let Some(message) = messages.try_next().await.map_err(AddressError::List)? {
            present.extend(address_of(&message));
        }
        // All of 127.0.0.0/8 is the host's (RFC 1122 section 3.2.1.3), though one address of it is listed.
        let here =
            |address: &IpAddr| present.contains(address) || (address.is_ipv4() && address.is_loopback());
        Ok(addresses.iter().filter(|address| !here(address)).copied().collect())
    }

    /// Puts an address on loopback. Returns false if it was there by then.
    async fn add(&self, address: IpAddr) -> Result<bool, AddressError> {
        let index = self.loopback().await?;
        let mut request = self.handle.address().add(index, address, host_length(address));
        if address.is_ipv6() {
            // Anycast: every POP has it. Duplicate detection has nothing to say.
            request.message_mut().attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        match request.execute().await {
            Ok(()) => Ok(true),
            Err(error) if code(&error) == -libc::EEXIST => Ok(false),
            Err(source) => Err(AddressError::Add { address, source }),
        }
    }

    /// Takes addresses from loopback; tries all, and fails with the first error.
    async fn remove_all(&self, addresses: &[IpAddr]) -> Result<(), AddressError> {
        if addresses.is_empty() {
            return Ok(());
        }
        let index = self.loopback().await?;
        let mut result = Ok(());
        for address in addresses {
            match self.handle.address().del(message(index, *address)).execute().await {
                Ok(()) => {}
                Err(error) if code(&error) == -libc::EADDRNOTAVAIL => {}
                Err(source) => result = result.and(Err(AddressError::Remove { address: *address, source })),
            }
        }
        result
    }

    async fn loopback(&self) -> Result<u32, AddressError> {
        let mut links = pin!(self.handle.link().get().match_name(LOOPBACK).execute());
        let link = links.try_next().await.map_err(AddressError::Loopback)?;
        link.map(|link| link.header.index).ok_or(AddressError::Loopback(rtnetlink::Error::RequestFailed))
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

/// The prefix length of a single address.
fn host_length(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The kernel's error number, negative; 0 for an error that is not the kernel's.
fn code(error: &rtnetlink::Error) -> i32 {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.raw_code(),
        _ => 0,
    }
}
