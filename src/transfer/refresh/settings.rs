//! Bounds of what SOA records ask for.

use std::time::Duration;

/// Bounds and pauses of one zone's refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// REFRESH counts as at least this.
    pub least_refresh: Duration,
    /// REFRESH counts as at most this.
    pub most_refresh: Duration,
    /// RETRY counts as at least this.
    pub least_retry: Duration,
    /// RETRY, grown by failures, counts as at most this.
    pub most_retry: Duration,
    /// The first pause while there is no version at all; it doubles up to `most_retry`.
    pub first_retry: Duration,
    /// How long other primaries may still answer after one has said that it has a newer version.
    pub grace: Duration,
    /// How long after a NOTIFY that brought nothing newer the primaries are asked once more.
    pub after_notify: Duration,
}

impl Default for Bounds {
    /// Two seconds, so that a zone with REFRESH 0 is no flood; a day, so that a forgotten REFRESH of a year does not hide that
    /// NOTIFY never arrives; an hour, the most that a dead primary is waited for; half a second, several round trips around
    /// the world; half a minute, longer than PowerDNS keeps an answer in its packet cache (20 s).
    fn default() -> Self {
        Self {
            least_refresh: Duration::from_secs(2),
            most_refresh: Duration::from_secs(86_400),
            least_retry: Duration::from_secs(1),
            most_retry: Duration::from_secs(3600),
            first_retry: Duration::from_secs(1),
            grace: Duration::from_millis(500),
            after_notify: Duration::from_secs(30),
        }
    }
}
