//! A file that a command writes: whole, or what was there stays.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::output::write_out;

/// The symbolic links that are followed, as many as Linux follows.
const MOST_LINKS: usize = 40;

/// Writes a text into a file: whole, or what was there stays. What is no regular file, such as a device or a pipe, is written in place.
pub(super) fn write_file(path: &Path, text: &str) -> Result<(), String> {
    write(path, text.as_bytes()).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn write(path: &Path, octets: &[u8]) -> io::Result<()> {
    // Through symbolic links.
    let there = fs::metadata(path);
    match there {
        // Also where that is a file: one that replaces it would not be standard output.
        Ok(there) if is_standard_output(&there) => {
            write_out(octets);
            Ok(())
        }
        Ok(there) if there.is_file() => replace(&behind_links(path), Some(&there), octets),
        Ok(_) => File::options().write(true).open(path)?.write_all(octets),
        Err(error) if error.kind() == io::ErrorKind::NotFound => replace(&behind_links(path), None, octets),
        Err(error) => Err(error),
    }
}

fn is_standard_output(there: &Metadata) -> bool {
    let own = fs::metadata("/dev/stdout");
    own.is_ok_and(|own| (own.dev(), own.ino()) == (there.dev(), there.ino()))
}

/// Where the file is, or would be, that symbolic links lead to: a link stays a link.
fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().map_or_else(|| target.clone(), |folder| folder.join(&target));
    }
    path
}

/// Writes a new file and gives it the name when it is on the disk; the owner and the mode of the old one stay.
fn replace(path: &Path, old: Option<&Metadata>, octets: &[u8]) -> io::Result<()> {
    let new = path.with_file_name(format!(".anyns-{:016x}.new", fastrand::u64(..)));
    // Who could not read the old one cannot read the new one before it has the mode of the old one.
    let mode = if old.is_some() { 0o600 } else { 0o666 };
    let mut file = File::options().write(true).create_new(true).mode(mode).open(&new)?;
    let written = file
        .write_all(octets)
        .and_then(|()| old.map_or(Ok(()), |old| take_over(&file, old)))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
        return written;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // The new name is there; some file systems do not sync a directory.
    let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Who is not root cannot give a file away; then it has the mode alone.
fn take_over(file: &File, old: &Metadata) -> io::Result<()> {
    let _ = fchown(file, Some(old.uid()), Some(old.gid()));
    file.set_permissions(Permissions::from_mode(old.mode() & 0o777))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_a_link_to_it_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(&at("file"), b"one").unwrap();
        fs::set_permissions(at("file"), Permissions::from_mode(0o640)).unwrap();
        symlink("file", at("link")).unwrap();
        symlink(at("absent"), at("dangling")).unwrap();
        write(&at("link"), b"two").unwrap();
        write(&at("dangling"), b"three").unwrap();
        assert_eq!(fs::read(at("file")).unwrap(), b"two");
        assert_eq!(fs::metadata(at("file")).unwrap().mode() & 0o777, 0o640);
        assert_eq!(fs::read(at("absent")).unwrap(), b"three");
        assert_eq!(fs::read_link(at("link")).unwrap(), Path::new("file"));
        assert_eq!(names(folder.path()), ["absent", "dangling", "file", "link"]);
    }

    #[test]
    fn a_device_is_written_in_place_and_what_fails_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("/dev/full", at("full")).unwrap();
        let full = write_file(&at("full"), "text").unwrap_err();
        assert!(full.contains("No space left"), "{full}");
        assert!(!fs::metadata("/dev/full").unwrap().is_file());
        fs::create_dir(at("folder")).unwrap();
        assert!(write(&at("folder"), b"text").is_err());
        assert!(write(&at("absent/file"), b"text").is_err());
        assert_eq!(names(folder.path()), ["folder", "full"]);
    }
}
