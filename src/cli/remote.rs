//! Commands that ask the running anyns.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::config;
use crate::control::{self, Request, Response};

use super::{CommandError, Outcome, say};

/// Longer than any order takes but a reload of very many zones.
const LIMIT: Duration = Duration::from_secs(70);

/// `anyns status` got no answer: the exit code that is neither ok, degraded nor down.
const NO_ANSWER: u8 = 3;

pub(super) fn status(config: Option<&Path>, socket: Option<&Path>, json: bool) -> Outcome {
    let path = socket_path(config, socket)?;
    let response = match control::call(&path, &Request::Status {}, LIMIT) {
        Ok(response) => response,
        Err(error) => {
            super::say_error(&error.into());
            return Ok(ExitCode::from(NO_ANSWER));
        }
    };
    let Response::Status { status } = response else { return told(response) };
    if json {
        say(&serde_json::to_string_pretty(&status)?);
    } else {
        say(&control::render(&status));
    }
    Ok(ExitCode::from(status.overall.verdict.exit_code()))
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

pub(super) fn zone_remove(config: Option<&Path>, socket: Option<&Path>, zone: String) -> Outcome {
    ask(config, socket, &Request::ZoneRemove { zone })
}

pub(super) fn zone_accept(
    config: Option<&Path>,
    socket: Option<&Path>,
    zone: String,
    serial: u32,
) -> Outcome {
    ask(config, socket, &Request::ZoneAccept { zone, serial })
}

fn ask(config: Option<&Path>, socket: Option<&Path>, request: &Request) -> Outcome {
    let path = socket_path(config, socket)?;
    told(control::call(&path, request, LIMIT)?)
}

fn told(response: Response) -> Outcome {
    match response {
        Response::Done { message } => {
            say(&message);
            Ok(ExitCode::SUCCESS)
        }
        Response::Failed { message } => Err(message.into()),
        Response::Status { .. } => {
            Err("the running anyns answered with a status that was not asked for".into())
        }
    }
}

/// The socket that was named, or the configuration's.
fn socket_path(config: Option<&Path>, socket: Option<&Path>) -> Result<PathBuf, CommandError> {
    match socket {
        Some(socket) => Ok(socket.to_owned()),
        None => Ok(config::load(config)?.config.control_socket),
    }
}
