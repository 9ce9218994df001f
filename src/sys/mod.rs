//! System calls without a safe wrapper: batches of datagrams, socket options, programs that choose a socket, leases, the CPU
//! a thread runs on and its priority, how long the host was suspended, syncing a filesystem, files in memory, memory for zones, how the allocator keeps memory; and the one instruction without one, the cache
//! hint. Also files: those of secrets, whose mode is checked, and those that are replaced whole; and work that may wait for a disk without end.
//!
//! Values in, values out; alone holds `unsafe`, each block with the reason why it is sound. Never decides anything.

pub mod allocator;
#[cfg(native)]
pub mod cpu;
#[cfg(native)]
pub mod datagrams;
#[cfg(native)]
pub mod epoll;
pub mod files;
pub mod free_memory;
pub mod lease;
pub mod md5;
pub mod memfd;
pub mod memory;
pub mod min_ttl;
pub mod pending;
pub mod prefetch;
pub mod priority;
#[cfg(native)]
pub mod proc_net;
pub mod process;
#[cfg(native)]
pub mod reuseport;
#[cfg(native)]
pub mod sockets;
#[cfg(native)]
pub mod streams;
pub mod suspended;
pub mod user;
