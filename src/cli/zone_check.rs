//! `anyns zone check`: one zone file, without a running anyns.

use std::path::{Path, PathBuf};

use crate::telemetry::counted;
use crate::wire::Name;
use crate::zonefile;

use super::exit::Exit;
use super::outcome::{CommandError, Outcome};
use super::output::print_line;
use super::signatures;

/// Reads the file as the publisher would and says what is in it, or what is wrong and where.
pub(super) fn check(file: &Path, origin: Option<&str>, include_roots: &[PathBuf], verifies: bool) -> Outcome {
    let origin = match origin {
        Some(text) => text.parse::<Name>().map_err(|error| format!("{text}: not a zone name: {error}"))?,
        None => origin_of(file)?,
    };
    let read = match include_roots {
        [] => zonefile::read_zone(file, &origin, &zonefile::Limits::default()),
        roots => {
            // Paths are compared, so all of them are absolute.
            let include_roots = roots.iter().map(std::path::absolute).collect::<Result<_, _>>()?;
            let limits = zonefile::Limits { include_roots, ..zonefile::Limits::default() };
            zonefile::read_zone(&std::path::absolute(file)?, &origin, &limits)
        }
    };
    let read = match read {
        Ok(read) => read,
        // All in one place and in the order of the file.
        Err(error) if !error.faults.is_empty() => {
            error.faults.iter().for_each(|fault| print_line(&format!("error: {fault}")));
            return Ok(Exit::WRONG);
        }
        Err(error) => return Err(error.into()),
    };
    for warning in &read.warnings {
        print_line(&format!("warning: {warning}"));
    }
    let zone = &read.zone;
    print_line(&format!(
        "{origin} serial {}: {}, no fault",
        zone.serial(),
        counted(zone.record_count(), "record")
    ));
    Ok(Exit::of(!verifies || signatures::check(zone)))
}

/// The origin that the directory source would take from the file's name.
fn origin_of(file: &Path) -> Result<Name, CommandError> {
    let stem = file.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".zone"));
    let stem = stem.ok_or_else(|| {
        format!("{}: say which zone this is with --origin NAME, or name the file NAME.zone", file.display())
    })?;
    Ok(stem.parse().map_err(|error| format!("{}: {stem} is not a zone name: {error}", file.display()))?)
}
