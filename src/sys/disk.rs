//! Getting written files onto the disk, many at once.

use std::fs::File;
use std::io;

/// Returns when everything that was written to the filesystem of `directory` before the call is on the disk
/// (syncfs(2)), whichever files it went to. One call costs about what the sync of one file does.
#[cfg(native)]
pub(crate) fn sync_filesystem(directory: &File) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    // SAFETY: the descriptor is open as long as `directory` is borrowed; nothing else is passed.
    if unsafe { libc::syncfs(directory.as_raw_fd()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// There is no such call here: the caller syncs file by file.
#[cfg(not(native))]
pub(crate) fn sync_filesystem(_directory: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
