//! What is known about one secondary zone.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::transfer::refresh::Status;
use crate::wire::{Name, Serial};
use crate::zone::Expiry;

/// What is new of one zone; `None`: it comes from primaries no more.
pub type ZoneNews = (Name, Option<Box<ZoneReport>>);

/// One zone, for `status` and for policy: facts alone.
#[derive(Clone, Debug)]
pub struct ZoneReport {
    /// The zone.
    pub zone: Name,
    /// Its primaries, in the order of [`Status::seen`].
    pub primaries: Vec<SocketAddr>,
    /// Serials, times, failures.
    pub status: Status,
    /// Whether no primary has confirmed the version for as long as its SOA record allows.
    pub is_expired: bool,
    /// What the query path was told of that.
    pub expiry: Expiry,
    /// What went wrong last, and when; it stays when all is well again.
    pub last_error: Option<(SystemTime, String)>,
    /// The last time that a primary had other content under a serial than there was here; until differences fit again, or an operator has
    /// ordered the whole zone.
    pub diverged: Option<Diverged>,
    /// The last transfer that put a version into service.
    pub last_transfer: Option<LastTransfer>,
}

/// A primary that had other content under a serial than there was here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diverged {
    /// The primary.
    pub primary: SocketAddr,
    /// The serial.
    pub serial: Serial,
    /// When it was noticed.
    pub at: SystemTime,
}

/// A transfer that put a version into service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastTransfer {
    /// From whom.
    pub primary: SocketAddr,
    /// Whether it was the whole zone that was asked for.
    pub whole: bool,
    /// The serial that it led to.
    pub serial: Serial,
    /// Octets that came.
    pub octets: u64,
    /// Records that came.
    pub records: u64,
    /// From the query until the version was in service.
    pub took: Duration,
    /// From the NOTIFY or the SOA response that told of this version first until it was in service.
    pub since_told: Duration,
    /// When it was in service.
    pub at: SystemTime,
}
