//! `anyns zone export`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::control::{self, Request, Response};
use crate::wire::Name;

use super::exit::Exit;
use super::outcome::Outcome;
use super::output::{print_document, print_line};
use super::output_file::write_file;
use super::remote::{one_zone, outcome_of, socket_path};

/// Longer than a zone of the largest size takes to be written and read.
const LIMIT: Duration = Duration::from_secs(70);

/// A zone as a document.
#[derive(serde::Serialize)]
struct Dump<'a> {
    zone: &'a str,
    /// Each line of its zone file: one record each (RFC 1035 section 5).
    records: Vec<&'a str>,
}

/// Prints a zone that is served, or writes it to a file: whole, or what was there stays.
pub(super) fn export(
    config: Option<&Path>,
    socket: Option<&Path>,
    (zone, output, json): (String, Option<PathBuf>, bool),
) -> Outcome {
    let zone = one_zone(zone)?;
    let path = socket_path(config, socket)?;
    let text = match control::call(&path, &Request::ZoneExport { zone: zone.clone() }, LIMIT)? {
        Response::Zone { text } => text,
        other => return outcome_of(other),
    };
    match output {
        None if json => {
            // As all documents have it: absolute, whatever was typed.
            let name = zone.parse::<Name>().map_or(zone, |name| name.to_string());
            print_document(&Dump { zone: &name, records: text.lines().collect() })?;
        }
        None => print_line(&text),
        Some(output) => write_file(&output, &text)?,
    }
    Ok(Exit::DONE)
}
