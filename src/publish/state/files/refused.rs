//! Versions that were refused and are in no file, kept for inspection: the last of each zone.
//!
//! A zone flows in, a zone file `refused/ZONE.zone` in the state directory flows out, whole or not at all. It is read for an operator alone, who
//! inspects it, or accepts it: then it is served if its octets are those that were written. What cannot be kept is told and changes
//! nothing.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use crate::publish::accept::Digest;
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

/// Keeps a version in place of the last one; its path, and SHA-256 over the octets of the file.
pub(in crate::publish) fn keep(state: &Path, zone: &Zone) -> io::Result<(PathBuf, Digest)> {
    let path = path_of(state, zone.origin());
    fs::create_dir_all(state.join(DIRECTORY))?;
    make_room(&state.join(DIRECTORY), &path)?;
    let mut octets = Digest::default();
    replace(&path, Durability::NotSynced, |file| {
        octets = write(zone, file)?;
        Ok(())
    })?;
    Ok((path, octets))
}

fn write(zone: &Zone, file: &mut File) -> io::Result<Digest> {
    let mut writer = BufWriter::new(BoundedFile { file, left: MOST_OCTETS, written: Sha256::new() });
    writeln!(writer, "; refused")?;
    write_zone(zone, &mut writer)?;
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(file.written.finalize().into())
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
    written: Sha256,
}

impl Write for BoundedFile<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(octets.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        self.file.write_all(octets)?;
        self.written.update(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
