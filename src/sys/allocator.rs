//! How the allocator of the C library keeps memory (mallopt(3), the GNU C library alone).
//!
//! Without this, that library gives threads up to eight arenas for each core, an arena beyond the first grows by one page at a
//! time, with a system call for each, and the first gives back what is free at once. A start that loads many zones pays for
//! that. What a query needs is allocated before, so queries do not notice.

/// How much more than is wanted is taken from the system at a time, and left there when it is free, in octets.
#[cfg(target_env = "gnu")]
const PAD: libc::c_int = 4 << 20;

/// The variables by which an operator sets the same; what they say stays.
#[cfg(target_env = "gnu")]
const VARIABLES: [&str; 3] = ["MALLOC_ARENA_MAX", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES"];

/// As many arenas as threads can run at once, and large steps. To be called before the first thread is started.
#[cfg(target_env = "gnu")]
pub fn prepare() {
    if VARIABLES.iter().any(|variable| std::env::var_os(variable).is_some()) {
        return;
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let arenas = libc::c_int::try_from(cores).unwrap_or(libc::c_int::MAX);
    // SAFETY: plain integers; what the library does not take it leaves as it was.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, arenas);
        libc::mallopt(libc::M_TOP_PAD, PAD);
    }
}

/// Another allocator stays as it is.
#[cfg(not(target_env = "gnu"))]
pub fn prepare() {}
