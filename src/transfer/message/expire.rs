//! How long the version of a primary may be served, as it says itself (RFC 7314).

use std::time::{Duration, Instant};

use crate::wire::{option, option_of};

/// What the EXPIRE option of a response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLeft {
    /// How long until the version of the primary expires; at the origin of the zone SOA EXPIRE. At most 2^32 - 1 seconds.
    pub left: Duration,
    /// When the primary was asked: no later than it said so, so that the time under way makes no version younger.
    pub asked: Instant,
}

impl TimeLeft {
    /// Reads the EXPIRE option of a response to a query that was sent then; `None` without one of four octets.
    pub fn read(response: &[u8], asked: Instant) -> Option<Self> {
        let seconds = option_of(response, option::EXPIRE)?;
        let left = Duration::from_secs(u32::from_be_bytes(seconds.try_into().ok()?).into());
        Some(Self { left, asked })
    }
}
