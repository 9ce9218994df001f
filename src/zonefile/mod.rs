//! Zone files: master file text in, a checked zone out (RFC 1035 section 5), and back.
//!
//! ```text
//!   path -> open -> octets -> lexer -> entries -> reader -> zone::RecordBatch -> zone::ZoneBuilder -> Zone
//!              |                        (words)    |  ^                                                |
//!            pieces: a large file on all cores    directive, generate                 writer <---------+
//!                                                  |                                    |
//!                                                  +-------------- rdata (one table) ---+
//! ```
//!
//! Reads a large file in pieces and a small one whole, blocks as files do (call it where that is allowed), and stops
//! at named bounds. Never executes, never writes a file, never blocks on a FIFO, never follows `$INCLUDE` out of the
//! directories that it may reach, never panics on any octets. Without state: each call starts from nothing.
//!
//! ## Why not the scanner of the `domain` crate
//!
//! It lacks `$GENERATE`, several types, faults that name line, column and expectation, and it cannot begin in the middle
//! of a file. Nor is it faster (`tests/bench/NOTES.md`).

mod digest;
mod directive;
mod fault;
mod fields;
mod file_progress;
mod generate;
mod handover;
mod include_gate;
mod lexer;
mod limits;
mod number;
mod open;
mod pieces;
mod rdata;
mod reader;
mod value_fault;
mod writer;

#[cfg(test)]
#[path = "../../tests/unit/zonefile/mod.rs"]
mod tests;

use std::fs::{File, Metadata};
use std::io::Seek;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::wire::Name;
use crate::zone::{Place, ServedVersion, Zone, ZoneBuilder, ZoneWarning};

use fault::Flaw;
use reader::{Found, Reader, Scope, located};

pub use digest::digest;
pub use fault::{FileFault, Located, MAX_FAULTS, ReadError, Roots, Snippet};
pub use file_progress::FileProgress;
pub use include_gate::IncludeGate;
pub use limits::Limits;
pub use open::open_regular;
pub use rdata::check as check_rdata;
pub use value_fault::ValueFault;
pub use writer::{record_line, write_zone};

/// Records that the served version has at least if a new one shares with it: below that nothing is gained.
const SHARED_RECORDS: usize = 10_000;

/// A zone that was read.
#[derive(Debug)]
pub struct ReadZone {
    /// The zone.
    pub zone: Zone,
    /// The zone file, then each file it includes, in the order in which they were read first.
    pub files: Vec<PathBuf>,
    /// SHA-256 over the records: the same whatever the order, formatting and comments, and whatever the SOA serial.
    pub digest: [u8; 32],
    /// SHA-256 over the octets of the zone file: where they are the same, so is the zone. `None` if it includes others,
    /// of which they say nothing.
    pub file_digest: Option<[u8; 32]>,
    /// What is allowed but odd, at most [`MAX_FAULTS`].
    pub warnings: Vec<Located>,
}

/// Reads the zone `origin` from the file at `path`; relative names are relative to `origin` until `$ORIGIN` says
/// otherwise. Blocks for as long as the disk does.
pub fn read_zone(path: &Path, origin: &Name, limits: &Limits) -> Result<ReadZone, ReadError> {
    let (mut file, facts) = open::look_and_open(path).map_err(|fault| ReadError::of_file(path, fault))?;
    read_open_zone(&mut file, &facts, path, origin, limits, Beside::default())
}

/// A zone that was accepted before.
#[derive(Debug)]
pub struct KeptZone {
    /// The zone.
    pub zone: Zone,
    /// What it would be refused for if it came today.
    pub tolerated: Option<Located>,
}

/// Reads a zone file that was written here and whose content is known: its zone alone, in the time that takes. It was judged
/// when it was accepted: what a later version of this program refuses is read, because the zone would be lost otherwise.
pub fn read_kept_zone(path: &Path, origin: &Name, limits: &Limits) -> Result<KeptZone, ReadError> {
    let (mut file, facts) = open::look_and_open(path).map_err(|fault| ReadError::of_file(path, fault))?;
    let how = How { size: pieces::PIECE, is_kept: true };
    let read = read_sized(&mut file, &facts, path, origin, limits, (how, Beside::default()));
    read.map(|Compiled { zone, tolerated, .. }| KeptZone { zone, tolerated })
}

/// What a reading has beside the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// The version that is served, to share with.
    pub served: Option<&'a Arc<Zone>>,
    /// Shows how far a large file is.
    pub file_progress: Option<&'a FileProgress>,
    /// Says which files may be included; all, without it.
    pub includes: Option<IncludeGate<'a>>,
}

/// How a file is read.
#[derive(Clone, Copy, Debug)]
struct How {
    /// A file of more octets is read in pieces of about so many.
    size: usize,
    /// What the file holds was accepted before.
    is_kept: bool,
}

/// Reads the zone `origin` from a file that is open, `facts` being what it says of itself.
pub fn read_open_zone(
    file: &mut File,
    facts: &Metadata,
    path: &Path,
    origin: &Name,
    limits: &Limits,
    beside: Beside<'_>,
) -> Result<ReadZone, ReadError> {
    let served = beside.served.filter(|served| served.record_count() >= SHARED_RECORDS);
    let how = How { size: pieces::PIECE, is_kept: false };
    let read = read_sized(file, facts, path, origin, limits, (how, Beside { served, ..beside }));
    let read = read.map(ReadZone::from);
    if facts.len() > pieces::PIECE as u64 {
        beside.file_progress.into_iter().for_each(FileProgress::end);
    }
    read
}

/// Reads a file that is open.
fn read_sized(
    file: &mut File,
    facts: &Metadata,
    path: &Path,
    origin: &Name,
    limits: &Limits,
    (how, beside): (How, Beside<'_>),
) -> Result<Compiled, ReadError> {
    let Beside { served, file_progress, includes } = beside;
    let own = path.parent().unwrap_or(Path::new(""));
    let allowed = limits.include_roots.iter().map(PathBuf::as_path);
    let roots = [own].into_iter().chain(allowed).map(directive::normalized).collect();
    let mut reader = Reader::new(origin, roots, limits);
    reader.gate = includes;
    let number = reader.file_number(path);
    reader.is_kept = how.is_kept;
    reader.standing = served.and_then(ServedVersion::new);
    let io = |source| FileFault::Io { path: path.into(), source };
    let outcome = match pieces::read(&mut reader, file, facts, origin, (how.size, file_progress)).map_err(io)
    {
        Ok(true) => Ok(()),
        Ok(false) => {
            // What the pieces met may be wrong.
            reader.standing = served.and_then(ServedVersion::new);
            reader.open_file(file, facts, number, &mut Scope::new(origin))
        }
        Err(fault) => Err(fault),
    };
    if let Err(fault) = outcome {
        reader.fault(Flaw { place: Place::default(), fault });
    }
    match compiled(origin, reader.finish(), how.is_kept) {
        Err(error) if served.is_some() && error.lacks_lines() => {
            // What is shared was not kept, nor where it stands, and a person needs that.
            file.rewind().map_err(|source| ReadError::of_file(path, io(source)))?;
            read_sized(file, facts, path, origin, limits, (how, Beside { served: None, ..beside }))
        }
        read => read,
    }
}

/// A zone that was read and compiled.
struct Compiled {
    zone: Zone,
    files: Vec<PathBuf>,
    file_digest: Option<[u8; 32]>,
    warnings: Vec<Located>,
    tolerated: Option<Located>,
}

impl From<Compiled> for ReadZone {
    fn from(Compiled { zone, files, file_digest, warnings, tolerated: _ }: Compiled) -> Self {
        Self { digest: digest(&zone), zone, files, file_digest, warnings }
    }
}

fn compiled(origin: &Name, found: Found, is_kept: bool) -> Result<Compiled, ReadError> {
    let Found { batches, standing, files, file_digest, faults, mut warnings, mut tolerated } = found;
    if !faults.is_empty() {
        return Err(ReadError { faults, more: 0, files });
    }
    let mut builder = match standing {
        Some(standing) => ZoneBuilder::resuming(standing),
        None if is_kept => ZoneBuilder::of_kept(origin.clone()),
        None => ZoneBuilder::new(origin.clone()),
    };
    batches.into_iter().for_each(|batch| builder.add(batch));
    match builder.finish() {
        Ok(zone) => {
            let flaw = |warning: &ZoneWarning| Flaw {
                place: warning.place(),
                fault: FileFault::ZoneWarning(warning.clone()),
            };
            let of_zone = located(zone.warnings().iter().map(flaw).collect(), &files);
            // A missing dot was told with the text of the name, if the reader saw one.
            let is_told = |warning: &Located| {
                matches!(&warning.fault, FileFault::ZoneWarning(ZoneWarning::RepeatedOrigin { .. }))
                    && warnings.iter().any(|told| (&told.file, told.line) == (&warning.file, warning.line))
            };
            let of_zone: Vec<Located> = of_zone.into_iter().filter(|warning| !is_told(warning)).collect();
            warnings.extend(of_zone);
            warnings.truncate(MAX_FAULTS);
            if tolerated.is_none() {
                let is_tolerated =
                    |warning: &&ZoneWarning| matches!(warning, ZoneWarning::RefusedToday { .. });
                let flaws = zone.warnings().iter().filter(is_tolerated).take(1).map(flaw).collect();
                tolerated = located(flaws, &files).into_iter().next();
            }
            Ok(Compiled { zone, files, file_digest, warnings, tolerated })
        }
        Err(faults) => {
            let flaws = faults.into_iter().take(MAX_FAULTS).map(|fault| Flaw {
                place: fault.place().unwrap_or_default(),
                fault: FileFault::Zone(fault),
            });
            let faults = located(flaws.collect(), &files);
            Err(ReadError { faults, more: 0, files })
        }
    }
}
