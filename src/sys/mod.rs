//! System calls without a safe wrapper: batches of datagrams, socket options, leases, the CPU a thread
//! runs on and its priority, syncing a filesystem.
//!
//! Values in, values out; alone holds `unsafe`, each block with the reason why it is sound. Never decides anything.

#[cfg(target_os = "linux")]
pub mod cpu;
#[cfg(target_os = "linux")]
pub mod datagrams;
pub mod disk;
pub mod lease;
pub mod md5;
pub mod min_ttl;
pub mod priority;
#[cfg(target_os = "linux")]
pub mod sockets;
pub mod user;
