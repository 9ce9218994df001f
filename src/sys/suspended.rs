//! For how long this host was suspended.

use std::time::Duration;

/// Since its start, in all: CLOCK_BOOTTIME counts that time, and CLOCK_MONOTONIC, the clock of every timer, does not (clock_gettime(2)).
/// `None` where the system does not tell, or this thread was held up between the two clocks. A virtual machine that its host
/// pauses knows nothing of that.
#[cfg(native)]
pub fn suspended() -> Option<Duration> {
    /// The two are read within a microsecond, as a rule.
    const APART: Duration = Duration::from_millis(100);
    let before = read(libc::CLOCK_MONOTONIC)?;
    let since_start = read(libc::CLOCK_BOOTTIME)?;
    let after = read(libc::CLOCK_MONOTONIC)?;
    (after.saturating_sub(before) < APART).then(|| since_start.saturating_sub(before))
}

/// Elsewhere nothing tells.
#[cfg(not(native))]
pub fn suspended() -> Option<Duration> {
    None
}

#[cfg(native)]
fn read(clock: libc::clockid_t) -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local value that outlives the call.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
    (result == 0).then(|| Duration::new(seconds, nanoseconds))
}

#[cfg(native)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_runs_is_not_suspended() {
        let looks: Vec<Duration> = (0..1000).filter_map(|_| suspended()).collect();
        let (first, last) = (looks.first().unwrap(), looks.last().unwrap());
        assert!(first.abs_diff(*last) < Duration::from_secs(1), "{first:?} {last:?}");
        assert!(read(libc::CLOCK_BOOTTIME).unwrap() >= *last);
    }
}
