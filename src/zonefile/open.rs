//! Opening what a path names, without ever blocking on it.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::sys::files::{self, OpenError};
use crate::zonefile::fault::FileFault;

/// A file's device and inode: two paths with the same are one file.
pub(super) type FileId = (u64, u64);

/// Opens a regular file; a device is not even opened.
pub(super) fn look_and_open(path: &Path) -> Result<(File, Metadata), FileFault> {
    files::look_and_open(path).map_err(|error| fault(path, error))
}

/// Opens a file that was a regular one when it was last looked at; refuses it if it is another one now.
pub fn open_regular(path: &Path) -> Result<(File, Metadata), FileFault> {
    files::open_regular(path).map_err(|error| fault(path, error))
}

fn fault(path: &Path, error: OpenError) -> FileFault {
    match error {
        OpenError::Io(source) => FileFault::Io { path: path.into(), source },
        OpenError::NotRegular(kind) => FileFault::NotAFile { path: path.into(), kind },
    }
}

/// Device and inode of a file.
pub(super) fn id(facts: &Metadata) -> FileId {
    (facts.dev(), facts.ino())
}

/// Reads a file of at most `most` octets whole; `limit` is the bound that the fault names.
pub(super) fn read_whole(
    file: &mut File,
    facts: &Metadata,
    path: &Path,
    most: u64,
    limit: u64,
) -> Result<Vec<u8>, FileFault> {
    let too_large = || FileFault::TooLarge { path: path.into(), limit };
    if facts.len() > most {
        return Err(too_large());
    }
    let octets = read_bounded(file, facts.len(), most);
    let octets = octets.map_err(|source| FileFault::Io { path: path.into(), source })?;
    if octets.len() as u64 > most { Err(too_large()) } else { Ok(octets) }
}

/// A file of this many octets is read with one call into memory that is zeroed before.
const SMALL: u64 = 64 << 10;

/// Reads on past the size seen before, because the file may have grown, but never more than one octet beyond `most`.
fn read_bounded(file: &mut File, size: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let room = usize::try_from(size.saturating_add(1)).unwrap_or(usize::MAX);
    octets.try_reserve_exact(room)?;
    if size <= SMALL {
        octets.resize(room, 0);
        let count = match file.read(&mut octets) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            read => read?,
        };
        octets.truncate(count);
        // As many as there were, although one more was asked for: that is its end.
        if count as u64 == size {
            return Ok(octets);
        }
    }
    let left = most.saturating_add(1).saturating_sub(octets.len() as u64);
    file.take(left).read_to_end(&mut octets)?;
    Ok(octets)
}

#[cfg(test)]
#[path = "../../tests/unit/zonefile/open.rs"]
mod tests;
