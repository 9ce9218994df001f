//! The priority of a thread, and what it has used.

use std::time::{Duration, Instant};

/// Lets every other thread of the machine go before the calling one (nice value 10, setpriority(2); on Linux it is
/// the thread's own). Without effect where it is refused: it helps the workers, and nothing depends on it.
#[cfg(native)]
pub(crate) fn yield_to_others() {
    set_nice(10);
}

/// Lets every thread go before the calling one that lets nobody go first (nice value 5): it comes before those that
/// [yield to all others](yield_to_others), and gets three times as much of a core that both want.
#[cfg(native)]
pub(crate) fn yield_a_little() {
    set_nice(5);
}

#[cfg(native)]
fn set_nice(value: libc::c_int) {
    // SAFETY: plain integers; process 0 is the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, value) };
}

/// Lets the calling thread run only when no other thread of the machine wants the core (`SCHED_IDLE`, sched(7)); where that is
/// refused, as [`yield_to_others`].
#[cfg(native)]
pub(crate) fn yield_to_all() {
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a local value that outlives the call; process 0 is the calling thread.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameter) } != 0 {
        yield_to_others();
    }
}

/// Elsewhere nothing is done, as for [`yield_to_others`].
#[cfg(not(native))]
pub(crate) fn yield_to_all() {}

/// Elsewhere it would change the whole process: nothing is done.
#[cfg(not(native))]
pub(crate) fn yield_to_others() {}

/// Elsewhere nothing is done, as for [`yield_to_others`].
#[cfg(not(native))]
pub(crate) fn yield_a_little() {}

/// A span of a thread's CPU time (`CLOCK_THREAD_CPUTIME_ID`, clock_gettime(2)): what other threads use meanwhile does not count. Where the
/// system does not tell, of the time that passes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuSpan {
    cpu: Option<Duration>,
    start: Instant,
}

impl CpuSpan {
    /// From now on, of the calling thread.
    pub(crate) fn begin() -> Self {
        Self { cpu: used(), start: Instant::now() }
    }

    /// So long until now; to be asked on the same thread.
    pub(crate) fn elapsed(&self) -> Duration {
        match (self.cpu, used()) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            _ => self.start.elapsed(),
        }
    }
}

#[cfg(native)]
fn used() -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local value that outlives the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
    (result == 0).then(|| Duration::new(seconds, nanoseconds))
}

#[cfg(not(native))]
fn used() -> Option<Duration> {
    None
}

#[cfg(native)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_not_counted_and_work_is() {
        let span = CpuSpan::begin();
        let (start, (sender, receiver)) = (Instant::now(), std::sync::mpsc::channel::<()>());
        let waited = receiver.recv_timeout(Duration::from_millis(200));
        drop(sender);
        assert!(waited.is_err() && span.elapsed() < start.elapsed() / 2, "{:?}", span.elapsed());
        let span = CpuSpan::begin();
        while span.elapsed() < Duration::from_millis(5) {}
    }
}
