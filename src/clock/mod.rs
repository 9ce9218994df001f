//! The time of day: seconds since 1970, and as text. Arithmetic alone, but for [`unix_now`] and [`Moment::now`].
//!
//! A clock may be set to anything, and a file may claim any number: no time makes a function here panic.

mod retention;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use retention::{Due, Moment, Retention};

/// Seconds since 1970 at the begin of the year 10000, which RFC 3339 cannot write.
const YEAR_10000: u64 = 253_402_300_800;

/// Now, in seconds since 1970; 0 while the clock is before.
pub fn unix_now() -> u64 {
    unix_seconds(SystemTime::now())
}

/// A time in seconds since 1970; 0 before.
pub fn unix_seconds(time: SystemTime) -> u64 {
    since_1970(time).as_secs()
}

/// How long a time is after the begin of 1970; zero before.
pub fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

/// The time so many seconds after the begin of 1970; `None` if the system's clock has no such time.
pub fn at_unix(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Seconds since 1970 as RFC 3339 writes them in UTC: `2026-11-29T00:00:00Z`. From the year 10000 on the number of seconds.
pub fn rfc3339(seconds: u64) -> String {
    match at_unix(seconds).filter(|_| seconds < YEAR_10000) {
        Some(time) => humantime::format_rfc3339_seconds(time).to_string(),
        None => format!("second {seconds}"),
    }
}

/// A time as [`rfc3339`] writes it; a time before 1970 as 1970.
pub fn rfc3339_of(time: SystemTime) -> String {
    rfc3339(unix_seconds(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc3339() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (YEAR_10000 - 1, "9999-12-31T23:59:59Z"),
            (YEAR_10000, "second 253402300800"),
            (u64::MAX, "second 18446744073709551615"),
        ];
        for (seconds, text) in table {
            assert_eq!(rfc3339(seconds), text);
        }
    }

    #[test]
    fn a_time_before_1970_counts_as_1970() {
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!((unix_seconds(before), since_1970(before)), (0, Duration::ZERO));
        assert_eq!(rfc3339_of(before), "1970-01-01T00:00:00Z");
        let after = UNIX_EPOCH + Duration::from_millis(2_999);
        assert_eq!((unix_seconds(after), rfc3339_of(after)), (2, "1970-01-01T00:00:02Z".to_owned()));
        assert_eq!((at_unix(2), at_unix(u64::MAX)), (Some(UNIX_EPOCH + Duration::from_secs(2)), None));
    }
}
