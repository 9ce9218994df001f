//! The priority of a thread.

/// Lets every other thread of the machine go before the calling one (nice value 10, setpriority(2); on Linux it is
/// the thread's own). Without effect where it is refused: it helps the workers, and nothing depends on it.
#[cfg(native)]
pub(crate) fn yield_to_others() {
    const NICE: libc::c_int = 10;
    // SAFETY: plain integers; process 0 is the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
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
