//! sys

pub mod md5;
pub mod min_ttl;
//! System calls without a safe wrapper: batches of datagrams, socket options, the CPU a thread runs on.
//!
//! Values in, values out; alone holds `unsafe`, each block with the reason why it is sound. Never decides anything.

#[cfg(target_os = "linux")]
pub mod cpu;
#[cfg(target_os = "linux")]
pub mod datagrams;
#[cfg(target_os = "linux")]
pub mod sockets;
pub(crate) mod lease;
