//! Files that the configuration names: read whole, up to a bound; those of secrets only if others cannot use them.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What others may do with the file of a secret (`o+rwx`), and writing by the group: the group may read, so that root can own
/// the file.
const FORBIDDEN_MODE: u32 = 0o027;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others can read the file of a secret, or more than its owner can write it.
    #[error("{} has mode {mode:o}; its group may read it at most, and others nothing: chmod 640 or 600", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is longer than any such file.
    #[error("{} has more than {most} octets", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// How many it may have.
        most: u64,
    },
}

/// Reads a file of so many octets at most.
///
/// # Errors
/// It cannot be read, is longer, or is the file of a secret that others can use.
pub fn read(path: &Path, most: u64, is_secret: bool) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    // Of the file that is open, not of what has its name a moment later.
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if is_secret && mode & FORBIDDEN_MODE != 0 {
        return Err(FileError::Mode { path: path.to_owned(), mode });
    }
    let mut octets = Vec::new();
    file.take(most + 1).read_to_end(&mut octets).map_err(failed)?;
    match octets.len() as u64 > most {
        true => Err(FileError::TooLong { path: path.to_owned(), most }),
        false => Ok(octets),
    }
}
