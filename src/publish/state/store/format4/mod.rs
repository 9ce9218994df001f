//! What older builds left in the state directory, a file for each zone and a journal beside it: read once and taken over.
//!
//! State files and journals flow in, versions and steps in the database flow out; then the files are deleted. A crash in between
//! leaves files that are taken over again, unless the database has the zone. Damaged files are set aside.

pub(in crate::publish) mod journal;
pub(in crate::publish) mod state_file;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::publish::settings::HistoryBounds;
use crate::publish::state::database::fields::key_of;
use crate::publish::state::database::{Database, DatabaseError};
use crate::publish::state::store::format4::journal::End;
use crate::publish::state::store::format4::state_file::{Kept, StateFileError};
use crate::publish::state::store::reading::{Damaged, KeptError};
use crate::publish::state::store::writing::{Ready, StepChange, Writing};
use crate::publish::state::version::header::Header;
use crate::publish::state::version::record::RecordWriter;
use crate::publish::state::version::step::{self, Written};
use crate::publish::state::version::tail::BeganReason;
use crate::wire::Name;
use crate::zonefile::{KeptZone, Limits, read_kept_zone};

/// The longest part of a file name made from a zone's name; NAME_MAX is 255 and suffixes must fit.
const MAX_FILE_NAME: usize = 200;
/// A larger journal was not written by any build: it would need a state file of twice that, and zone files have 2 GiB at most.
const MOST_JOURNAL: u64 = 2 << 30;
/// Zones of one transaction: few, because their records may be many.
const GROUP: usize = 256;
/// Nothing of a journal is dropped: it is bounded already.
const ALL: HistoryBounds = HistoryBounds { octets: u64::MAX, steps: u64::MAX };

/// A zone that was read.
struct Taken {
    path: PathBuf,
    ready: Ready,
    steps: Vec<Written>,
    damaged: Option<Damaged>,
}

/// Whether there are such files.
pub(in crate::publish) fn is_there(directory: &Path) -> io::Result<bool> {
    Ok(!state_files(directory)?.is_empty())
}

/// Takes everything over; what was damaged. Without `delete` the files stay, also the damaged ones.
pub(in crate::publish) fn take_over(
    directory: &Path,
    database: &Database,
    delete: bool,
) -> Result<Vec<Damaged>, DatabaseError> {
    let paths = state_files(directory)?;
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    tracing::info!(zones = paths.len(), "the state of an older build is taken over");
    let mut damaged = Vec::new();
    for group in paths.chunks(GROUP) {
        let mut taken = Vec::new();
        for path in group {
            match read(path) {
                Ok(read) => taken.push(read),
                Err(error) => {
                    if delete {
                        let _ = fs::rename(path, path.with_extension("damaged"));
                        let _ = fs::rename(
                            path.with_extension("journal"),
                            path.with_extension("journal-damaged"),
                        );
                    }
                    damaged.push((path.clone(), KeptError::Format4(error.to_string())));
                }
            }
        }
        database.write(|transaction| {
            let mut writing = Writing::open(transaction, ALL)?;
            taken.iter().try_for_each(|taken| put(&mut writing, taken))
        })?;
        for taken in taken {
            if delete {
                remove(&taken.path);
            }
            damaged.extend(taken.damaged);
        }
    }
    if delete {
        remove_rests(directory)?;
    }
    Ok(damaged)
}

fn put(writing: &mut Writing<'_>, taken: &Taken) -> Result<(), DatabaseError> {
    if writing.has(&taken.ready.key)? {
        return Ok(());
    }
    writing.keep(&taken.ready)?;
    taken.steps.iter().try_for_each(|step| writing.append(&taken.ready.key, step).map(drop))
}

fn remove(path: &Path) {
    let _ = fs::remove_file(path.with_extension("journal"));
    let _ = fs::remove_file(path);
}

fn state_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "state") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Journals without a state file, and what a crash left while a file was written.
fn remove_rests(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| ["journal", "new", "journal-new"].iter().any(|rest| it == *rest))
        {
            let _ = fs::remove_file(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Taken, StateFileError> {
    let kept = Kept::look(path)?;
    if path.file_stem().is_none_or(|stem| stem != &*file_name(&kept.zone)) {
        return Err(StateFileError::OtherZone);
    }
    kept.verify(path)?;
    let Kept { zone: origin, header, .. } = kept;
    let KeptZone { zone, tolerated: _ } = read_kept_zone(path, &origin, &Limits::default())
        .map_err(|error| StateFileError::Zone(error.to_string()))?;
    if zone.serial() != header.standing.serial {
        return Err(StateFileError::OtherSerial);
    }
    let (chain, serial) = (header.chain, header.standing.serial);
    let (steps, damaged) = read_steps(&path.with_extension("journal"), &origin, &header);
    let changes = vec![StepChange::Begin { chain, serial, reason: BeganReason::First }];
    let record = RecordWriter { header: Arc::new(header), seen: None, zone: Arc::new(zone) };
    Ok(Taken {
        path: path.to_path_buf(),
        ready: Ready { key: key_of(&origin), changes, record, chain, serials: None },
        steps,
        damaged,
    })
}

/// The steps in a journal, as far as it is sound.
fn read_steps(path: &Path, zone: &Name, header: &Header) -> (Vec<Written>, Option<Damaged>) {
    let octets = match read_bounded(path) {
        Ok(octets) => octets,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (Vec::new(), None),
        Err(error) => return (Vec::new(), Some((path.to_path_buf(), KeptError::Format4(error.to_string())))),
    };
    let read = journal::read(&octets, zone);
    let mut before = header.chain;
    let mut steps = Vec::new();
    for entry in read.after(&header.chain).unwrap_or_default() {
        steps.push(step::of_records((before, entry.chain), entry.step, entry.records));
        before = entry.chain;
    }
    let damaged = (read.end == End::Damaged).then(|| {
        let aside = path.with_extension("journal-damaged");
        let _ = fs::copy(path, &aside);
        let sound = read.sound;
        let text =
            format!("octet {sound} and what follows do not match their hash, and more was durable behind it");
        (aside, KeptError::Format4(text))
    });
    (steps, damaged)
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let (mut file, mut octets) = (File::open(path)?, Vec::new());
    if file.metadata()?.len() > MOST_JOURNAL {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {MOST_JOURNAL} octets")));
    }
    Read::by_ref(&mut file).take(MOST_JOURNAL).read_to_end(&mut octets)?;
    Ok(octets)
}

/// The name of a zone's file without its suffix.
pub(in crate::publish) fn file_name(zone: &Name) -> String {
    if zone.is_root() {
        return "@".to_owned();
    }
    let labels: Vec<String> = zone.to_lowercase().labels().map(label_text).collect();
    let name = labels.join(".");
    if name.len() <= MAX_FILE_NAME {
        return name;
    }
    format!("%{}", data_encoding::HEXLOWER.encode(&Sha256::digest(zone.to_lowercase().as_wire())))
}

fn label_text(label: &[u8]) -> String {
    let text = |octet: &u8| match octet {
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => char::from(*octet).to_string(),
        other => format!("%{other:02x}"),
    };
    label.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_safe_and_one_to_one() {
        let name = |text: &str| file_name(&text.parse().unwrap());
        assert_eq!(name("."), "@");
        assert_eq!(name("Example.ORG."), "example.org");
        assert_eq!(name("0/25.2.0.192.in-addr.arpa."), "0%2f25.2.0.192.in-addr.arpa");
        assert_eq!(name("a\\.b.example."), "a%2eb.example");
        let long = format!("{0}.{0}.{0}.{1}.", "\\000".repeat(62), "\\000".repeat(60));
        assert_eq!(name(&long).len(), 65);
    }
}
