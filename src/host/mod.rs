//! What the host's kernel knows: its addresses, its routes.
//!
//! Questions go to the kernel over rtnetlink; facts come back. Puts service addresses on loopback where it is told to, and takes
//! away only what it put there; changes nothing else. Never decides what a fact means.

#[cfg(target_os = "linux")]
mod address;
mod discard;

#[cfg(target_os = "linux")]
pub use address::{AddressError, ServiceAddresses};
pub use discard::without_discard_route;
