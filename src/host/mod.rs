//! What the host's kernel knows: its addresses, its routes, and who else listens where we do.
//!
//! ```text
//!   AddressWatcher   1x task, beat "addresses"   service addresses that are not on the host       rtnetlink
//!   Observer         1x task, beat "host"        answers without a route, sockets that share      counts, rtnetlink, /proc
//! ```
//!
//! Elsewhere than on Linux, an address is on the host if a socket can be bound to it, and nothing else is known.
//!
//! Questions go to the kernel; facts come back, each with a count of checks. Puts service addresses on loopback where it is told
//! to, and takes away only what it put there; changes nothing else. Never decides what a fact means.

mod address;
#[cfg(native)]
mod linux;
mod observer;
#[cfg(not(native))]
mod portable;
mod presence;
mod route_back;
mod sharing;

pub use address::{AddressError, AddressWatcher, LostAddresses, ServiceAddresses, missing_addresses};
#[cfg(native)]
pub use linux::without_discard_route;
pub use observer::{Facts, HostFacts, Observed, Observer};
#[cfg(not(native))]
pub use portable::without_discard_route;
pub use sharing::{OwnSocket, SharingSocket};
