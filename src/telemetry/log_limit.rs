//! How many records of the log arbitrary clients can cause: each message of one must not be a line.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use governor::Quota;

use super::source_limits::{SourceLimits, network_of};

/// Records of one source at once: its first ones tell what it does wrong.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
/// Then one in this time.
const PAUSE: Duration = Duration::from_secs(10);
/// Records of all sources together at once: sources can be spoofed.
const BURST_OF_ALL: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);
/// Then one in this time.
const PAUSE_OF_ALL: Duration = Duration::from_millis(100);
/// Cells that the sources share.
const CELLS: usize = 1024;

/// Lets some records of each source pass, and some of all of them; those left out are counted, and the next record that passes tells how
/// many they were.
#[derive(Debug)]
pub struct LogLimit {
    sources: SourceLimits,
    all: SourceLimits,
    left_out: AtomicU64,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self::new(Instant::now())
    }
}

impl LogLimit {
    fn new(start: Instant) -> Self {
        let quota = |pause, burst| Quota::with_period(pause).map(|quota: Quota| quota.allow_burst(burst));
        let limits = |pause, burst, cells| {
            // A pause of no time alone is no quota.
            let quota = quota(pause, burst).unwrap_or(Quota::per_second(burst));
            SourceLimits::new(quota, cells, start)
        };
        Self {
            sources: limits(PAUSE, BURST, CELLS),
            all: limits(PAUSE_OF_ALL, BURST_OF_ALL, 1),
            left_out: AtomicU64::new(0),
        }
    }

    /// Writes a record about this source, unless there were many of late. `write` is told how many were left out before, of whatever
    /// source, if any were.
    pub fn write(&self, source: IpAddr, write: impl FnOnce(Option<u64>)) {
        if self.passes(source, Instant::now()) {
            let left_out = self.left_out.swap(0, Relaxed);
            write((left_out > 0).then_some(left_out));
        }
    }

    fn passes(&self, source: IpAddr, now: Instant) -> bool {
        let all = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let passes =
            self.sources.wait(network_of(source), now).is_none() && self.all.wait(all, now).is_none();
        if !passes {
            self.left_out.fetch_add(1, Relaxed);
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_some_records_and_all_sources_together_too() {
        let start = Instant::now();
        let limit = LogLimit::new(start);
        let passed = |sources: &[IpAddr], at: u64| {
            let now = start + Duration::from_secs(at);
            sources.iter().filter(|source| limit.passes(**source, now)).count()
        };
        let source: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(passed(&[source; 1000], 0), 10);
        // Another address of the same host.
        assert_eq!(passed(&["2001:db8::2".parse().unwrap()], 0), 0);
        assert_eq!(passed(&[IpAddr::from([192, 0, 2, 1])], 0), 1);
        assert_eq!(passed(&[source; 1000], 10), 1);
        // Spoofed ones: no more than a thousandth of them.
        let many: Vec<IpAddr> = (0..100_000_u32).map(|it| Ipv4Addr::from_bits(it).into()).collect();
        let passed = passed(&many, 30);
        assert!((90..=100).contains(&passed), "{passed}");
        let mut told = None;
        limit.write(IpAddr::from([203, 0, 113, 250]), |left_out| told = left_out);
        assert!(told.is_none_or(|left_out| left_out > 99_000), "{told:?}");
    }
}
