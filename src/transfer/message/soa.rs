//! The numbers of an SOA record.

use std::time::Duration;

use crate::wire::octets::u32_at;
use crate::wire::{Serial, soa};

/// What an SOA record says about keeping a copy of its zone (RFC 1035 section 3.3.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Soa {
    /// The version.
    pub serial: Serial,
    /// How long after a successful look the next one is due.
    pub refresh: Duration,
    /// How long after a look that failed.
    pub retry: Duration,
    /// How long after the last successful look the copy is worth nothing.
    pub expire: Duration,
}

impl Soa {
    /// Reads them from uncompressed RDATA.
    pub fn from_rdata(rdata: &[u8]) -> Option<Self> {
        let at = soa::numbers_at(rdata)?;
        let seconds = |index: usize| Some(Duration::from_secs(u32_at(rdata, at + 4 * index)?.into()));
        Some(Self {
            serial: Serial(u32_at(rdata, at)?),
            refresh: seconds(1)?,
            retry: seconds(2)?,
            expire: seconds(3)?,
        })
    }
}
