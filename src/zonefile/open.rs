//! Opening what a path names, without ever blocking on it.

use std::fs::{File, Metadata, OpenOptions, metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::zonefile::fault::FileFault;

/// A file's device and inode: two paths with the same are one file.
pub(super) type FileId = (u64, u64);

/// Opens a regular file.
///
/// The path is looked at first, so that a device is not even opened (opening one can have effects), and once more
/// after opening, because it may have been replaced. A FIFO is opened with O_NONBLOCK: no writer is waited for.
pub(super) fn look_and_open(path: &Path) -> Result<(File, Metadata), FileFault> {
    let facts = metadata(path).map_err(|source| FileFault::Io { path: path.into(), source })?;
    expect_regular(path, &facts)?;
    open_regular(path)
}

/// Opens a file that was a regular one when it was last looked at; refuses it if it is another one now.
pub fn open_regular(path: &Path) -> Result<(File, Metadata), FileFault> {
    let failed = |source: io::Error| FileFault::Io { path: path.into(), source };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    expect_regular(path, &facts)?;
    Ok((file, facts))
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

/// Reads on past the size seen before, because the file may have grown, but never more than one octet beyond `most`.
fn read_bounded(file: &mut File, size: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    octets.try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX))?;
    file.take(most.saturating_add(1)).read_to_end(&mut octets)?;
    Ok(octets)
}

fn expect_regular(path: &Path, facts: &Metadata) -> Result<(), FileFault> {
    let kind = facts.file_type();
    let kind = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () if kind.is_block_device() || kind.is_char_device() => "a device",
        () => "no file",
    };
    Err(FileFault::NotAFile { path: path.into(), kind })
}
