//! What Linux tells about the host over rtnetlink and `/proc`. Questions in, answers out; never decides what an answer means.
//! `portable` has the same functions for every other platform.

mod discard;
mod link;
mod sockets;
mod ways;

use std::net::IpAddr;

pub use discard::without_discard_route;
pub(super) use link::{LOOPBACK, Link};
pub(super) use sockets::{tcp_listeners, udp_sockets};
pub(super) use ways::ask_all;

/// The prefix length of a single address.
fn host_length(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}
