//! Service addresses on the host.
//!
//! Addresses in; out comes whether each is on the host, now, and as long as the watcher runs. If told to install, those that are
//! missing are put on loopback as /32 or /128, and on a planned stop those, and only those, are taken away again.
//! A process that is killed takes nothing away; the next one finds the addresses there and leaves them there as well.
//! Never touches an address that it did not put there.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::handoff::{Latest, Reader};
use crate::telemetry::Beat;

#[cfg(native)]
use super::linux::{LOOPBACK, Link};
#[cfg(not(native))]
use super::portable::{LOOPBACK, Link};
use super::presence::Presence;

/// How often the addresses are looked at although the kernel reported no change: the report may be lost because the
/// queue was full.
const RECHECK: Duration = Duration::from_secs(1);

/// Why service addresses cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// No connection to the kernel's address tables.
    #[error("cannot open an rtnetlink socket: {0}")]
    Socket(#[source] io::Error),
    /// The addresses of the host cannot be listed.
    #[error("cannot list the addresses of this host: {0}")]
    List(#[source] io::Error),
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
    /// They are missing, and the portable path cannot install them.
    #[error(
        "service addresses are not on this host: {}; add them yourself, because anyns puts addresses on loopback on Linux only",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    InstallElsewhere(Vec<IpAddr>),
    /// There is no loopback interface to put them on.
    #[error("the interface {LOOPBACK} cannot be found: {0}")]
    Loopback(#[source] io::Error),
    /// The kernel refused to add one. It takes root or CAP_NET_ADMIN.
    #[error("cannot put {address} on {LOOPBACK} (needs root or CAP_NET_ADMIN): {source}")]
    Add {
        /// Which.
        address: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused to take one away.
    #[error("cannot take {address} from {LOOPBACK}: {source}")]
    Remove {
        /// Which.
        address: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Which of these addresses are not on this host. One that duplicate detection still looks at is there.
pub async fn missing_addresses(addresses: &[IpAddr]) -> Result<Vec<IpAddr>, AddressError> {
    Link::open()
        .map_err(AddressError::Socket)?
        .missing(addresses, Presence::Listed)
        .await
        .map_err(AddressError::List)
}

/// Service addresses that are on the host.
#[derive(Debug)]
pub struct ServiceAddresses {
    addresses: Vec<IpAddr>,
    installed: Vec<IpAddr>,
}

impl ServiceAddresses {
    /// Ensures that these addresses are on the host: with `install` it puts the missing ones on loopback,
    /// without it fails. What it added before it fails, it takes away.
    pub async fn ensure(addresses: &[IpAddr], install: bool) -> Result<Self, AddressError> {
        let link = Link::open().map_err(AddressError::Socket)?;
        let missing = link.missing(addresses, Presence::Usable).await.map_err(AddressError::List)?;
        let mut installed = Vec::new();
        if missing.is_empty() {
            return Ok(Self { addresses: addresses.to_vec(), installed });
        }
        if !install {
            return Err(AddressError::Missing(missing));
        }
        if !cfg!(native) {
            return Err(AddressError::InstallElsewhere(missing));
        }
        let interface = link.loopback().await.map_err(AddressError::Loopback)?;
        for address in missing {
            match link.add(interface, address).await {
                Ok(true) => installed.push(address),
                Ok(false) => {}
                Err(source) => {
                    // The first error tells more than one of cleaning up.
                    let _ = remove_all(&link, &installed).await;
                    return Err(AddressError::Add { address, source });
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
        remove_all(&Link::open().map_err(AddressError::Socket)?, &self.installed).await
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

    /// Publishes the lost addresses until dropped; may be run again after a panic. Opens a new link when the old one ends. Needs a
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
                Err(error) => Err(AddressError::Socket(error)),
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
            let missing = link.missing(&self.addresses, Presence::Usable).await;
            let missing = missing.map_err(AddressError::List)?;
            self.lost.publish_if_new(missing);
            self.checks.fetch_add(1, Ordering::Relaxed);
            // A change or the time: either way, look.
            if let Ok(None) = tokio::time::timeout(RECHECK, link.changed()).await {
                return Ok(());
            }
        }
    }
}

/// Takes addresses from loopback; tries all, and fails with the first error.
async fn remove_all(link: &Link, addresses: &[IpAddr]) -> Result<(), AddressError> {
    if addresses.is_empty() {
        return Ok(());
    }
    let interface = link.loopback().await.map_err(AddressError::Loopback)?;
    let mut result = Ok(());
    for address in addresses {
        if let Err(source) = link.remove(interface, *address).await {
            result = result.and(Err(AddressError::Remove { address: *address, source }));
        }
    }
    result
}
