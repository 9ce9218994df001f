//! Who runs this process, and which groups there are.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Octets for one entry of the group database: some thousand members fit.
const MOST_OCTETS: usize = 256 * 1024;

/// Whether the effective user is root.
pub fn is_root() -> bool {
    id() == 0
}

/// The id of the effective user.
pub fn id() -> u32 {
    // SAFETY: geteuid takes nothing, touches no memory of ours and cannot fail.
    unsafe { libc::geteuid() }
}

/// Whether this process is a member of the group with this id, so that it may give files to it.
pub fn is_in_group(group: u32) -> bool {
    // SAFETY: getegid takes nothing, touches no memory of ours and cannot fail.
    if unsafe { libc::getegid() } == group {
        return true;
    }
    // SAFETY: with a length of 0 nothing is written.
    let count = unsafe { libc::getgroups(0, std::ptr::null_mut()) };
    let mut groups: Vec<libc::gid_t> = vec![0; usize::try_from(count).unwrap_or_default()];
    // SAFETY: the buffer has room for as many ids as the length says.
    let count = unsafe { libc::getgroups(count.max(0), groups.as_mut_ptr()) };
    groups.iter().take(usize::try_from(count).unwrap_or_default()).any(|one| *one == group)
}

/// Whether the effective user may make files in a directory. Makes none.
///
/// # Errors
/// What the system says where it may not.
pub fn may_write(directory: &Path) -> io::Result<()> {
    let path = CString::new(directory.as_os_str().as_bytes())?;
    // SAFETY: the path is a C string that outlives the call.
    let code =
        unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::W_OK | libc::X_OK, libc::AT_EACCESS) };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The id of the group with this name; `None` if there is none.
///
/// # Errors
/// The group database cannot be read.
pub fn group_id(name: &str) -> io::Result<Option<u32>> {
    let Ok(name) = CString::new(name) else { return Ok(None) };
    let mut buffer: Vec<libc::c_char> = vec![0; MOST_OCTETS];
    // SAFETY: a group of zeros and null pointers is a valid value of this plain C struct.
    let mut group: libc::group = unsafe { std::mem::zeroed() };
    let mut found: *mut libc::group = std::ptr::null_mut();
    // SAFETY: the name is a C string, and every pointer is to a local that outlives the call; the length is that of the
    // buffer.
    let code = unsafe {
        libc::getgrnam_r(name.as_ptr(), &raw mut group, buffer.as_mut_ptr(), buffer.len(), &raw mut found)
    };
    match code {
        0 if found.is_null() => Ok(None),
        0 => Ok(Some(group.gr_gid)),
        // Some databases say so of a name that they do not hold (getgrnam(3)).
        libc::ENOENT | libc::ESRCH => Ok(None),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_in_its_own_group_and_in_no_unknown_one() {
        // SAFETY: as in `is_in_group`.
        assert!(is_in_group(unsafe { libc::getegid() }));
        assert!(!is_in_group(u32::MAX - 7));
    }

    #[test]
    fn groups_have_ids_and_unknown_ones_none() {
        assert_eq!(group_id("root").unwrap(), Some(0));
        assert_eq!(group_id("no-such-group-here").unwrap(), None);
        assert_eq!(group_id("a\0b").unwrap(), None);
    }
}
