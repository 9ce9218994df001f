//! Versions that were refused and are in no file, kept for inspection: the last of each zone.
//!
//! A zone flows in, a zone file `refused/ZONE.zone` in the state directory flows out, whole or not at all. Nobody reads it but an operator:
//! it is never served, and what cannot be kept is told and changes nothing.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::sys::files::{Durability, replace};
use crate::wire::Name;
use crate::zone::Zone;
use crate::zonefile::write_zone;

/// The directory in the state directory.
const DIRECTORY: &str = "refused";
/// The most files: more than a person inspects; the oldest goes.
const MOST_FILES: usize = 100;
/// The most octets of a file: a million records. Of a larger version only the reason is told.
const MOST_OCTETS: usize = 64 << 20;

/// Where the refused version of a zone is kept, if one is.
pub fn path_of(state: &Path, zone: &Name) -> PathBuf {
    let name = if *zone == Name::root() { "@".to_owned() } else { zone.to_string().to_ascii_lowercase() };
    let name = name.trim_end_matches('.').replace('/', "\\047");
    state.join(DIRECTORY).join(format!("{name}.zone"))
}

/// Keeps a version in place of the last one; its path.
pub(in crate::publish) fn keep(state: &Path, zone: &Zone) -> io::Result<PathBuf> {
    let path = path_of(state, zone.origin());
    fs::create_dir_all(state.join(DIRECTORY))?;
    make_room(&state.join(DIRECTORY), &path)?;
    replace(&path, Durability::NotSynced, |file| write(zone, file))?;
    Ok(path)
}

fn write(zone: &Zone, file: &mut File) -> io::Result<()> {
    let mut writer = BufWriter::new(BoundedFile { file, left: MOST_OCTETS });
    writeln!(writer, "; refused")?;
    write_zone(zone, &mut writer)?;
    writer.flush()
}

/// Deletes the oldest files until there is room for one more.
fn make_room(directory: &Path, path: &Path) -> io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.path() != *path {
            files.push((entry.metadata()?.modified().unwrap_or(SystemTime::UNIX_EPOCH), entry.path()));
        }
    }
    files.sort();
    for (_, oldest) in files.iter().take((files.len() + 1).saturating_sub(MOST_FILES)) {
        fs::remove_file(oldest)?;
    }
    Ok(())
}

/// A file that does not grow without a bound.
struct BoundedFile<'a> {
    file: &'a mut File,
    left: usize,
}

impl Write for BoundedFile<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(octets.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        self.file.write_all(octets).map(|()| octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
