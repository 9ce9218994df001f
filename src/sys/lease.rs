//! Asks the kernel whether a process has a file open for writing (fcntl(2), "Leases").
//!
//! A read lease is granted only on a file that no process has open for writing. It is asked for and given back at once,
//! never held: a held lease makes a writer's open(2) wait. Linux alone knows it.

use std::fs::File;
#[cfg(native)]
use std::io;

/// What the kernel says about a file's writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(native), expect(dead_code, reason = "the portable path does not know"))]
pub(crate) enum Writers {
    /// No process has the file open for writing.
    None,
    /// A process has.
    Some,
    /// The kernel does not tell: no lease on this filesystem, or the file is another user's and `CAP_LEASE` is
    /// missing.
    Unknown,
}

/// Whether a process has `file`, which was opened for reading only and is on the device of this number, open for writing.
#[cfg(native)]
pub(crate) fn writers(file: &File, device: u64) -> Writers {
    use std::os::fd::AsRawFd;

    // A disk has a driver, so its major number is not 0; then the filesystem is this host's, and statfs(2), which counts free
    // blocks on all cores, is not asked for each file.
    if hold_sigio().is_err() || (libc::major(device) == 0 && is_remote(file)) {
        return Writers::Unknown;
    }
    // SAFETY: the descriptor is open as long as `file` is borrowed; the argument is a plain integer.
    let taken = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) };
    if taken == 0 {
        // SAFETY: as above. It fails only if there is no lease, which is what is wanted.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) };
        return Writers::None;
    }
    match io::Error::last_os_error().raw_os_error() {
        Some(libc::EAGAIN) => Writers::Some,
        _ => Writers::Unknown,
    }
}

/// Whether a process has `file` open for writing: not known here.
#[cfg(not(native))]
pub(crate) fn writers(_file: &File, _device: u64) -> Writers {
    Writers::Unknown
}

/// NFS, SMB and Ceph answer "try again" to every lease that their server did not delegate: that says nothing.
#[cfg(native)]
fn is_remote(file: &File) -> bool {
    use std::os::fd::AsRawFd;

    /// `f_type` of statfs(2) for nfs, smb, cifs, smb2, ceph.
    const REMOTE: [u32; 5] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x00c3_6400];
    let mut status = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the descriptor is open, and the kernel writes one whole `statfs` to the pointer or fails.
    let result = unsafe { libc::fstatfs(file.as_raw_fd(), status.as_mut_ptr()) };
    if result != 0 {
        return true;
    }
    // SAFETY: fstatfs succeeded, so the structure is filled in.
    let kind = unsafe { status.assume_init() }.f_type;
    REMOTE.contains(&(kind as u32))
}

/// Makes SIGIO harmless, once. A writer that comes between taking and giving back a lease makes the kernel send
/// SIGIO, whose default action ends the process. An existing handler (tokio's) is left alone.
#[cfg(native)]
fn hold_sigio() -> io::Result<()> {
    use std::sync::OnceLock;

    static HELD: OnceLock<bool> = OnceLock::new();
    match HELD.get_or_init(|| replace_default_sigio().is_ok()) {
        true => Ok(()),
        false => Err(io::Error::other("SIGIO cannot be held")),
    }
}

#[cfg(native)]
fn replace_default_sigio() -> io::Result<()> {
    /// Does nothing. A handler, not `SIG_IGN`, because that would be handed on to child processes.
    extern "C" fn nothing(_signal: libc::c_int) {}

    // SAFETY: an all-zero sigaction is a valid value of that plain C structure.
    let mut present: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: a null new action only asks; `present` is a valid place for the answer.
    if unsafe { libc::sigaction(libc::SIGIO, std::ptr::null(), &raw mut present) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if present.sa_sigaction != libc::SIG_DFL {
        return Ok(());
    }
    // SAFETY: as above; zero is the empty signal mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: `action` is filled in and its handler does nothing, so it may run at any time.
    if unsafe { libc::sigaction(libc::SIGIO, &raw const action, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(native)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn told(file: &File) -> Writers {
        writers(file, file.metadata().unwrap().dev())
    }

    #[test]
    fn an_open_writer_is_seen_and_its_end_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let writer = File::create(&path).unwrap();
        let reader = File::open(&path).unwrap();
        if told(&reader) == Writers::Unknown {
            crate::test_support::skip::skip("leases", "there are none on this filesystem");
            return;
        }
        assert_eq!(told(&reader), Writers::Some);
        assert!(sigio_is_held());
        drop(writer);
        assert_eq!(told(&reader), Writers::None);
        let again = File::options().append(true).open(&path).unwrap();
        assert_eq!(told(&reader), Writers::Some);
        drop(again);
        assert_eq!(told(&reader), Writers::None);
        survives_a_broken_lease(&path, &reader);
    }

    fn sigio_is_held() -> bool {
        // SAFETY: an all-zero sigaction is a valid value of that plain C structure.
        let mut present: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: a null new action only asks; `present` is a valid place for the answer.
        let result = unsafe { libc::sigaction(libc::SIGIO, std::ptr::null(), &raw mut present) };
        result == 0 && present.sa_sigaction != libc::SIG_DFL
    }

    /// A writer that comes while the lease is held makes the kernel send SIGIO; its default ends the process.
    fn survives_a_broken_lease(path: &std::path::Path, reader: &File) {
        use std::os::fd::AsRawFd;
        use std::os::unix::fs::OpenOptionsExt;

        // SAFETY: the descriptor is open as long as `reader` is borrowed; the argument is a plain integer.
        let taken = unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) };
        assert_eq!(taken, 0);
        let writer = File::options().write(true).custom_flags(libc::O_NONBLOCK).open(path);
        assert_eq!(writer.unwrap_err().raw_os_error(), Some(libc::EWOULDBLOCK));
        // SAFETY: as above.
        unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) };
    }
}
