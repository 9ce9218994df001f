//! Who runs this process, and which groups there are.

use std::ffi::CString;
use std::io;

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
    fn groups_have_ids_and_unknown_ones_none() {
        assert_eq!(group_id("root").unwrap(), Some(0));
        assert_eq!(group_id("no-such-group-here").unwrap(), None);
        assert_eq!(group_id("a\0b").unwrap(), None);
    }
}
