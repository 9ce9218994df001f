//! Times as the state directory keeps them.

use std::time::{Duration, SystemTime};

/// Seconds since 1970; 0 before.
pub(super) fn to_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The time that is so many seconds after 1970.
pub(super) fn from_seconds(seconds: u64) -> SystemTime {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}
