//! The end of a program that was started, with all that it started.

/// Ends a process group with SIGKILL (kill(2)): a program that was started as the leader of its own. Without effect if none of its
/// processes is left.
pub(crate) fn kill_group(leader: u32) {
    let Ok(group) = libc::pid_t::try_from(leader) else { return };
    // A group of 0 or 1 would be our own, or every process.
    if group > 1 {
        // SAFETY: plain integers. The leader is a child that was not waited for yet, so its number is no other process's.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
}
