//! Files that the configuration names: read whole, up to a bound; those of secrets only if others cannot use them. Files that are
//! replaced whole.
//!
//! Never waits for the other end of a FIFO, and opens no device.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::user;

/// What others may do with the file of a secret (`o+rwx`), and writing by the group: the group may read, so that root can own
/// the file.
const FORBIDDEN_MODE: u32 = 0o027;

/// Why a file is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system refuses it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Something else than a file: what it is, with its article.
    #[error("it is {0}, not a regular file")]
    NotRegular(&'static str),
}

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
    /// Something else than a file.
    #[error("{} is {kind}, not a regular file", path.display())]
    NotRegular {
        /// Its path.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
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

/// Opens a regular file. What is at the path is looked at first, so that a device is not even opened (opening one can have effects).
///
/// # Errors
/// It cannot be opened, or is something else.
pub fn look_and_open(path: &Path) -> Result<(File, Metadata), OpenError> {
    expect_regular(&fs::metadata(path)?)?;
    open_regular(path)
}

/// Opens a file that was a regular one when it was last looked at; refuses it if it is another one now. O_NONBLOCK: no writer of a
/// FIFO is waited for.
///
/// # Errors
/// It cannot be opened, or is something else.
pub fn open_regular(path: &Path) -> Result<(File, Metadata), OpenError> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    // Of the file that is open, not of what has its name a moment later.
    let facts = file.metadata()?;
    expect_regular(&facts)?;
    Ok((file, facts))
}

fn expect_regular(facts: &Metadata) -> Result<(), OpenError> {
    let kind = facts.file_type();
    Err(OpenError::NotRegular(match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () if kind.is_block_device() || kind.is_char_device() => "a device",
        () => "no file",
    }))
}

/// Reads a file of so many octets at most.
///
/// # Errors
/// It cannot be read, is no regular file or longer, or is the file of a secret that others can use.
pub fn read(path: &Path, most: u64, is_secret: bool) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let (file, facts) = look_and_open(path).map_err(|error| match error {
        OpenError::Io(source) => failed(source),
        OpenError::NotRegular(kind) => FileError::NotRegular { path: path.to_owned(), kind },
    })?;
    match mode_fault(path, &facts) {
        Some(fault) if is_secret => return Err(fault),
        _ => {}
    }
    let mut octets = Vec::new();
    file.take(most + 1).read_to_end(&mut octets).map_err(failed)?;
    match octets.len() as u64 > most {
        true => Err(FileError::TooLong { path: path.to_owned(), most }),
        false => Ok(octets),
    }
}

/// Whether this user may make files in a directory, or make the directory itself where it is missing. Makes nothing.
///
/// # Errors
/// What a creation would meet, as far as that can be told.
pub fn check_directory(directory: &Path) -> io::Result<()> {
    for place in directory.ancestors() {
        let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
        match fs::metadata(place) {
            Ok(facts) if facts.is_dir() => return user::may_write(place),
            Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Whether root alone can read a file: it is root's, and neither a group nor others may.
pub fn is_for_root_alone(path: &Path) -> bool {
    let is_closed = |facts: Metadata| {
        let (owner, mode) = (facts.uid(), facts.mode());
        owner == 0 && (facts.gid() == 0 || mode & 0o040 == 0) && mode & 0o004 == 0
    };
    fs::metadata(path).is_ok_and(is_closed)
}

/// Whether others can use a file, which is not refused for that; the fault says its mode and what is right.
pub fn exposure(path: &Path) -> Option<FileError> {
    mode_fault(path, &fs::metadata(path).ok()?)
}

fn mode_fault(path: &Path, facts: &Metadata) -> Option<FileError> {
    let mode = facts.mode() & 0o777;
    (mode & FORBIDDEN_MODE != 0).then(|| FileError::Mode { path: path.to_owned(), mode })
}

/// Whether a change of a file must outlast a power failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It does when the function returns: the file and its directory are synced.
    Synced,
    /// The system writes it to the disk when it wants.
    NotSynced,
}

/// Puts a whole file in the place of another, or of none: `write` writes its content. If that fails, what was there stays. The new
/// file has the name with `.new` behind it until it is whole, so two writers of one file must take turns.
///
/// # Errors
/// What `write` says, or the file cannot be made, synced or renamed.
pub fn replace(
    path: &Path,
    durability: Durability,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let fresh = path.with_added_extension("new");
    // What a link leads to is not written, and no reader of a FIFO is waited for.
    if let Ok(Err(error)) = fs::symlink_metadata(&fresh).map(|facts| expect_regular(&facts)) {
        return Err(io::Error::other(format!("{}: {error}", fresh.display())));
    }
    let mut options = OpenOptions::new();
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let mut file = options.write(true).create(true).truncate(true).custom_flags(flags).open(&fresh)?;
    expect_regular(&file.metadata()?).map_err(io::Error::other)?;
    let written = write(&mut file).and_then(|()| match durability {
        Durability::Synced => file.sync_all(),
        Durability::NotSynced => Ok(()),
    });
    if let Err(error) = written.and_then(|()| fs::rename(&fresh, path)) {
        // It is overwritten the next time.
        let _ = fs::remove_file(&fresh);
        return Err(error);
    }
    sync_directory_of(path, durability)
}

/// Removes a file, if there is one.
///
/// # Errors
/// It cannot be removed, or its directory not be synced.
pub fn remove(path: &Path, durability: Durability) -> io::Result<()> {
    let removed = fs::remove_file(path);
    match &removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return removed,
        // Also where it is gone already: the one who removed it may not have come as far as to sync.
        _ => {}
    }
    match sync_directory_of(path, durability) {
        // Where there is no directory there is no file.
        Err(error) if removed.is_err() && error.kind() == io::ErrorKind::NotFound => Ok(()),
        synced => synced,
    }
}

fn sync_directory_of(path: &Path, durability: Durability) -> io::Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    match durability {
        Durability::Synced => match File::open(directory.unwrap_or(Path::new(".")))?.sync_all() {
            // A file system that syncs no directories.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        },
        Durability::NotSynced => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;

    #[test]
    fn only_regular_files_are_read_and_nothing_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let (fifo, socket) = (directory.path().join("fifo"), directory.path().join("socket"));
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let _listener = UnixListener::bind(&socket).unwrap();
        for (path, what) in [
            (fifo.as_path(), "is a FIFO, not a regular file"),
            (&socket, "is a socket, not a regular file"),
            (directory.path(), "is a directory, not a regular file"),
            (Path::new("/dev/zero"), "is a device, not a regular file"),
        ] {
            let error = read(path, 100, false).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
        // A FIFO that took the place of a file after it was looked at.
        assert!(matches!(open_regular(&fifo), Err(OpenError::NotRegular("a FIFO"))));
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.b");
        let content = || fs::read_to_string(&path).unwrap();
        let names = || {
            let entries = fs::read_dir(directory.path()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        // What a write that was interrupted has left is written over.
        fs::write(directory.path().join("a.b.new"), "of an earlier time, and longer").unwrap();
        for durability in [Durability::Synced, Durability::NotSynced] {
            replace(&path, durability, |file| write!(file, "{durability:?}")).unwrap();
            assert_eq!(content(), format!("{durability:?}"));
        }
        let failed = replace(&path, Durability::Synced, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!((content().as_str(), names()), ("NotSynced", vec!["a.b".into()]));
        // A file beside it has a new file of its own.
        let mut both = false;
        replace(&path, Durability::NotSynced, |_| {
            replace(&directory.path().join("a.c"), Durability::NotSynced, |_| Ok(()))?;
            both = directory.path().join("a.b.new").exists();
            Ok(())
        })
        .unwrap();
        assert!(both && names() == ["a.b", "a.c"], "{:?}", names());
        for _ in 0..2 {
            remove(&path, Durability::Synced).unwrap();
        }
        assert_eq!(names(), ["a.c"]);
    }

    #[test]
    fn what_is_no_file_is_not_written_and_no_reader_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let (path, fresh) = (directory.path().join("file"), directory.path().join("file.new"));
        fs::write(&path, "mine").unwrap();
        assert!(Command::new("mkfifo").arg(&fresh).status().unwrap().success());
        let write = || replace(&path, Durability::NotSynced, |file| file.write_all(b"theirs"));
        let error = write().unwrap_err().to_string();
        assert!(error.contains("file.new: it is a FIFO, not a regular file"), "{error}");
        // Also where somebody reads it.
        let reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&fresh).unwrap();
        assert!(write().is_err());
        drop(reader);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_directory_is_fit_if_it_or_the_way_to_it_can_be_made() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(check_directory(directory.path()).is_ok());
        assert!(check_directory(&directory.path().join("a/b")).is_ok());
        assert!(!directory.path().join("a").exists());
        for below in [file.clone(), file.join("a")] {
            assert_eq!(
                check_directory(&below).unwrap_err().kind(),
                io::ErrorKind::NotADirectory,
                "{}",
                below.display()
            );
        }
    }

    #[test]
    fn a_file_of_root_is_for_root_alone_without_a_group_that_may_read_it() {
        use std::os::unix::fs::{PermissionsExt as _, chown};
        if !user::is_root() {
            // Only root can make files of root.
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        fs::write(&file, "").unwrap();
        for (owner, group, mode, expected) in [
            (0, 0, 0o600, true),
            (0, 0, 0o640, true),
            (0, 7, 0o600, true),
            (0, 7, 0o640, false),
            (0, 0, 0o644, false),
            (7, 7, 0o600, false),
        ] {
            chown(&file, Some(owner), Some(group)).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_for_root_alone(&file), expected, "{owner}:{group} {mode:o}");
        }
        assert!(!is_for_root_alone(&directory.path().join("absent")));
    }

    #[test]
    fn a_link_is_not_written_through() {
        let directory = tempfile::tempdir().unwrap();
        let (path, target) = (directory.path().join("file"), directory.path().join("target"));
        fs::write(&target, "mine").unwrap();
        std::os::unix::fs::symlink(&target, directory.path().join("file.new")).unwrap();
        let outcome = replace(&path, Durability::NotSynced, |file| file.write_all(b"theirs"));
        assert!(outcome.is_err() && !path.exists());
        assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
    }
}
