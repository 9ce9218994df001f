//! Commands that ask the running anyns.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config;
use crate::control::{self, Request, Response, ZoneFilter};

use super::exit::Exit;
use super::outcome::{CommandError, Outcome};
use super::output::{print_document, print_line, print_note};

/// Longer than any order takes but a reload of very many zones.
const LIMIT: Duration = Duration::from_secs(70);

pub(super) fn ask(config: Option<&Path>, socket: Option<&Path>, request: &Request) -> Outcome {
    let path = socket_path(config, socket)?;
    let waits = || {
        let limit = humantime::format_duration(LIMIT);
        print_note(&format!("no answer yet on {}; waiting, {limit} at most", path.display()));
    };
    outcome_of(control::call_and_tell(&path, request, LIMIT, waits)?)
}

pub(super) fn drain(config: Option<&Path>, socket: Option<&Path>, reason: String) -> Outcome {
    ask(config, socket, &Request::Drain { reason })
}

pub(super) fn undrain(config: Option<&Path>, socket: Option<&Path>) -> Outcome {
    ask(config, socket, &Request::Undrain {})
}

pub(super) fn reload(config: Option<&Path>, socket: Option<&Path>) -> Outcome {
    ask(config, socket, &Request::Reload {})
}

/// Whether a name is for many zones.
pub(super) fn is_pattern(name: &str) -> bool {
    matches!(ZoneFilter::parse(name), ZoneFilter::All | ZoneFilter::Pattern(_))
}

/// The name of one zone, for orders that take no pattern.
pub(super) fn one_zone(name: String) -> Result<String, CommandError> {
    match is_pattern(&name) {
        true => Err(format!("{name}: this takes the name of one zone, not a pattern").into()),
        false => Ok(name),
    }
}

pub(super) fn zone_remove(config: Option<&Path>, socket: Option<&Path>, zone: String) -> Outcome {
    ask(config, socket, &Request::ZoneRemove { zone: one_zone(zone)? })
}

pub(super) fn catalog_accept(
    config: Option<&Path>,
    socket: Option<&Path>,
    catalog: String,
    serial: u32,
) -> Outcome {
    ask(config, socket, &Request::CatalogAccept { catalog, serial })
}

/// One zone, or all that come from primaries.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct TransferredZones {
    /// The zone
    name: Option<String>,
    /// All zones that come from primaries
    #[arg(long)]
    all: bool,
}

pub(super) fn zone_refresh(config: Option<&Path>, socket: Option<&Path>, zones: TransferredZones) -> Outcome {
    ask(config, socket, &Request::ZoneRefresh { zone: zones.name.map(one_zone).transpose()? })
}

pub(super) fn zone_retransfer(
    config: Option<&Path>,
    socket: Option<&Path>,
    zones: TransferredZones,
) -> Outcome {
    ask(config, socket, &Request::ZoneRetransfer { zone: zones.name.map(one_zone).transpose()? })
}

pub(super) fn zone_history(
    config: Option<&Path>,
    socket: Option<&Path>,
    zone: String,
    json: bool,
) -> Outcome {
    let path = socket_path(config, socket)?;
    match control::call(&path, &Request::ZoneHistory { zone: one_zone(zone)? }, LIMIT)? {
        Response::History { history } => {
            match json {
                true => print_document(&history)?,
                false => print_line(&control::render_history(&history)),
            }
            Ok(Exit::DONE)
        }
        other => outcome_of(other),
    }
}

pub(super) fn zone_diff(
    config: Option<&Path>,
    socket: Option<&Path>,
    (zone, from, to): (String, Option<DiffFrom>, Option<u32>),
    json: bool,
) -> Outcome {
    let path = socket_path(config, socket)?;
    let zone = one_zone(zone)?;
    let request = match from {
        Some(DiffFrom::Refused) => Request::ZoneDiffRefused { zone },
        Some(DiffFrom::Serial(from)) => Request::ZoneDiff { zone, from: Some(from), to },
        None => Request::ZoneDiff { zone, from: None, to },
    };
    match control::call(&path, &request, LIMIT)? {
        Response::Difference { difference } => {
            match json {
                true => print_document(&difference)?,
                false => print_line(&control::render_difference(&difference)),
            }
            Ok(Exit::DONE)
        }
        other => outcome_of(other),
    }
}

pub(super) fn zone_catch_up(
    config: Option<&Path>,
    socket: Option<&Path>,
    zones: TransferredZones,
) -> Outcome {
    ask(config, socket, &Request::ZoneCatchUp { zone: zones.name })
}

/// Zones of which canaries have each version first.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct CanaryZones {
    /// The zones: names, or patterns with * and ?
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// All zones with canaries
    #[arg(long)]
    all: bool,
}

impl CanaryZones {
    fn filters(self) -> Vec<String> {
        if self.all { vec!["*".to_owned()] } else { self.names }
    }
}

pub(super) fn zone_release(config: Option<&Path>, socket: Option<&Path>, zones: CanaryZones) -> Outcome {
    ask(config, socket, &Request::ZoneRelease { zones: zones.filters() })
}

pub(super) fn zone_halt(config: Option<&Path>, socket: Option<&Path>, zones: CanaryZones) -> Outcome {
    ask(config, socket, &Request::ZoneHalt { zones: zones.filters() })
}

/// Where a difference begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum DiffFrom {
    /// At the version with this serial.
    Serial(u32),
    /// At what is served, and it leads to the version that was refused last.
    Refused,
}

impl std::str::FromStr for DiffFrom {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "refused" { Ok(Self::Refused) } else { text.parse().map(Self::Serial) }
    }
}

pub(super) fn outcome_of(response: Response) -> Outcome {
    match response {
        Response::Done { message, restart } => {
            print_line(&message);
            Ok(if restart.is_empty() { Exit::DONE } else { Exit::RESTART })
        }
        Response::Failed { message } => Err(message.into()),
        Response::Status { .. }
        | Response::Metrics { .. }
        | Response::Catchment { .. }
        | Response::History { .. }
        | Response::Difference { .. }
        | Response::Zone { .. } => Err("the running anyns answered with what was not asked for".into()),
    }
}

/// The socket that was named, or the configuration's, of which nothing else is read: it may be half-edited.
pub(super) fn socket_path(config: Option<&Path>, socket: Option<&Path>) -> Result<PathBuf, CommandError> {
    match socket {
        Some(socket) => Ok(socket.to_owned()),
        None => Ok(config::control_socket(config)?),
    }
}
