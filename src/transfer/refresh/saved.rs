//! What of a zone's timers survives a restart.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// A zone's timers on the wall clock: what the state directory keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// When a primary last said that what is served is the newest, in seconds since 1970; `None` if none ever did.
    pub checked: Option<u64>,
    /// When the zone was to ask next, in seconds since 1970.
    pub due: u64,
    /// How many attempts in a row had failed.
    pub failures: u32,
}

/// Seconds since 1970; 0 before.
pub(super) fn to_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The time that is so many seconds after 1970.
pub(super) fn from_seconds(seconds: u64) -> SystemTime {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}
