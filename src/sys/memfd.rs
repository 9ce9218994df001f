//! Files that are in memory alone.

use std::fs::File;
use std::io;

/// A file without a name in any directory (memfd_create(2)); closed when a program is executed.
#[cfg(native)]
pub(crate) fn memory_file() -> io::Result<File> {
    use std::os::fd::FromRawFd;

    // SAFETY: the name is a string with an end, and is copied by the call.
    let descriptor = unsafe { libc::memfd_create(c"anyns".as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was opened right above and no other value has it.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

/// There is no such call here.
#[cfg(not(native))]
pub(crate) fn memory_file() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}
