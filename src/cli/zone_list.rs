//! `anyns zone list`.

use std::path::Path;
use std::time::Duration;

use crate::control::{self, Request, Response, ZoneFilter, ZoneStatus, printable};

use super::exit::Exit;
use super::outcome::Outcome;
use super::output::{print_document, print_line};
use super::remote::{outcome_of, socket_path};

/// The list of very many zones takes some seconds.
const LIMIT: Duration = Duration::from_secs(70);

/// One line for each zone: its name, serial, state, records and source; or the same as a JSON list. Fails if a pattern takes none, but for
/// `bad`: that no zone is bad is good.
pub(super) fn list(
    config: Option<&Path>,
    socket: Option<&Path>,
    pattern: Option<String>,
    json: bool,
) -> Outcome {
    let path = socket_path(config, socket)?;
    let asks_for_some =
        pattern.as_deref().is_some_and(|pattern| ZoneFilter::parse(pattern) != ZoneFilter::Bad);
    let request = Request::Status { zones: Some(pattern.unwrap_or_else(|| "*".to_owned())), most: None };
    let mut zones = match control::call(&path, &request, LIMIT)? {
        Response::Status { status } => status.zones,
        other => return outcome_of(other),
    };
    zones.sort_by(|one, other| one.name.cmp(&other.name));
    if zones.is_empty() && asks_for_some {
        return Err("no zone has such a name".into());
    }
    match json {
        true => print_document(&zones)?,
        false => zones.iter().for_each(|zone| print_line(&line(zone))),
    }
    Ok(Exit::DONE)
}

/// Separated by tabs, for `cut` and `awk`.
fn line(zone: &ZoneStatus) -> String {
    let serial = zone.serial.map_or_else(|| "-".to_owned(), |serial| serial.to_string());
    let state = zone.state.word();
    // What a file name may hold must not reach the terminal.
    let source = printable(&zone.source);
    format!("{}\t{serial}\t{state}\t{}\t{source}", zone.name, zone.records)
}
