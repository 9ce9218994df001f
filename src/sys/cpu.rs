//! The CPU that a thread runs on (Linux). Never changes another thread than the caller's.

use std::io;

/// The CPUs that this thread may run on, in ascending order, as numbers for [`pin`].
pub fn allowed() -> io::Result<Vec<usize>> {
    // SAFETY: `cpu_set_t` is an array of integers, for which all bits zero is a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a `cpu_set_t` of the size that is passed; 0 is the calling thread.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `CPU_ISSET` reads inside the set for every number below `CPU_SETSIZE`.
    Ok((0..libc::CPU_SETSIZE as usize).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) }).collect())
}

/// Lets the calling thread run on this CPU only. Fails with `InvalidInput` if the number is out of range, and with
/// the system's error if the process may not use that CPU.
pub fn pin(cpu: usize) -> io::Result<()> {
    if cpu >= libc::CPU_SETSIZE as usize {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: as in `allowed`.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `cpu` is below `CPU_SETSIZE`, so the bit is inside the set.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the pointer is to a `cpu_set_t` of the size that is passed; 0 is the calling thread.
    let result = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::{allowed, pin};

    #[test]
    fn a_pinned_thread_may_run_on_that_cpu_only() {
        let cpus = allowed().unwrap();
        let first = cpus[0];
        let after = std::thread::spawn(move || {
            pin(first).unwrap();
            allowed().unwrap()
        });
        assert_eq!(after.join().unwrap(), [first]);
        assert_eq!(allowed().unwrap(), cpus);
    }

    #[test]
    fn a_cpu_out_of_range_is_refused() {
        assert!(pin(usize::MAX).is_err());
    }
}
