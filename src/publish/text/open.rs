//! Opening what a path names, without ever blocking on it.

use std::fs::{File, Metadata, OpenOptions, metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::fault::Fault;

/// A file's device and inode: two paths with the same are one file.
pub(super) type FileId = (u64, u64);

/// Reads a regular file of at most `most` octets whole; `limit` is the bound that the fault names.
///
/// The path is looked at first, so that a device is not even opened (opening one can have effects), and once more
/// after opening, for it may have been replaced. A FIFO is opened with O_NONBLOCK: no writer is waited for.
pub(super) fn read_file(path: &Path, most: u64, limit: u64) -> Result<(Vec<u8>, FileId), Fault> {
    let failed = |source: io::Error| Fault::Io { path: path.into(), source };
    expect_regular(path, &metadata(path).map_err(failed)?)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    expect_regular(path, &facts)?;
    if facts.len() > most {
        return Err(Fault::TooLarge { path: path.into(), limit });
    }
    let octets = read_bounded(file, facts.len(), most).map_err(failed)?;
    if octets.len() as u64 > most {
        return Err(Fault::TooLarge { path: path.into(), limit });
    }
    Ok((octets, (facts.dev(), facts.ino())))
}

/// Reads on past the size seen before, for the file may have grown, but never more than one octet beyond `most`.
fn read_bounded(file: File, size: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    octets.try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX))?;
    file.take(most.saturating_add(1)).read_to_end(&mut octets)?;
    Ok(octets)
}

fn expect_regular(path: &Path, facts: &Metadata) -> Result<(), Fault> {
    let kind = facts.file_type();
    let kind = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () if kind.is_block_device() || kind.is_char_device() => "a device",
        () => "no file",
    };
    Err(Fault::NotAFile { path: path.into(), kind })
}
