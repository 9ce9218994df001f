//! The priority of a thread.

/// Lets every other thread of the machine go before the calling one (nice value 10, setpriority(2); on Linux it is
/// the thread's own). Without effect where it is refused: it is a courtesy to the workers, not a promise.
#[cfg(target_os = "linux")]
pub(crate) fn yield_to_others() {
    const NICE: libc::c_int = 10;
    // SAFETY: plain integers; process 0 is the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

/// Elsewhere it would change the whole process: nothing is done.
#[cfg(not(target_os = "linux"))]
pub(crate) fn yield_to_others() {}
