//! What the host's kernel knows: its addresses, its routes, and who else listens where we do.
//!
//! ```text
//!   AddressWatcher   1x task, beat "addresses"   service addresses that are not on the host       rtnetlink
//!   Observer         1x task, beat "host"        answers without a route, sockets that share      counts, rtnetlink, /proc
//! ```
//!
//! Questions go to the kernel; facts come back, each with a count of checks. Puts service addresses on loopback where it is told
//! to, and takes away only what it put there; changes nothing else. Never decides what a fact means.

#[cfg(target_os = "linux")]
mod address;
mod discard;
#[cfg(target_os = "linux")]
mod observer;
#[cfg(target_os = "linux")]
mod route_back;
#[cfg(target_os = "linux")]
mod sharing;

#[cfg(target_os = "linux")]
pub use address::{AddressError, AddressWatcher, LostAddresses, ServiceAddresses, missing_addresses};
pub use discard::without_discard_route;
#[cfg(target_os = "linux")]
pub use observer::{Facts, HostFacts, Observed, Observer};
#[cfg(target_os = "linux")]
pub use sharing::{OwnSocket, SharingSocket};
