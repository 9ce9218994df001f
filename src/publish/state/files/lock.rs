//! One process at a time: the lock of the state directory.
//!
//! A build that knows only state files (format 4 and older) locks a file `lock`. Here `lock` is a directory, so that such a build
//! finds that the directory cannot be used, says so, serves from zone files, and changes nothing.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use crate::publish::error::StoreError;

/// A locked state directory.
#[derive(Debug)]
pub(in crate::publish) struct Lock(File);

impl Lock {
    /// Takes the lock; makes the directory if need be.
    pub(in crate::publish) fn take(directory: &Path) -> Result<Self, StoreError> {
        let unusable = |source| StoreError::Unusable { path: directory.to_path_buf(), source };
        let of_format_4 = directory.join("lock");
        if of_format_4.is_file() {
            // An older build may be running.
            let lock = try_lock(File::open(&of_format_4).map_err(unusable)?, directory)?;
            fs::remove_file(&of_format_4).map_err(unusable)?;
            drop(lock);
        }
        fs::create_dir_all(&of_format_4).map_err(unusable)?;
        let path = of_format_4.join("anyns");
        let file = File::options().create(true).truncate(false).write(true).open(path);
        try_lock(file.map_err(unusable)?, directory).map(Self)
    }

    /// The lock of a directory that cannot be written; `None` if there is no lock file. Fails if another process has it.
    pub(in crate::publish) fn take_to_read(directory: &Path) -> Result<Option<Self>, StoreError> {
        let path = directory.join("lock");
        let path = if path.is_dir() { path.join("anyns") } else { path };
        let Ok(file) = File::open(path) else { return Ok(None) };
        match try_lock(file, directory) {
            Ok(file) => Ok(Some(Self(file))),
            Err(error @ StoreError::InUse { .. }) => Err(error),
            // A file system without locks.
            Err(_) => Ok(None),
        }
    }
}

fn try_lock(file: File, directory: &Path) -> Result<File, StoreError> {
    let path = directory.to_path_buf();
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path }),
        Err(TryLockError::Error(source)) => Err(StoreError::Unusable { path, source }),
    }
}

impl Drop for Lock {
    /// Gives the lock back explicitly: closing alone would leave it with a child process that was forked meanwhile.
    fn drop(&mut self) {
        let _: io::Result<()> = self.0.unlock();
    }
}
