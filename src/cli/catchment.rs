//! `anyns catchment`.

use std::path::Path;
use std::time::Duration;

use crate::control::{self, Request, Response, render_catchment};

use super::exit::Exit;
use super::outcome::Outcome;
use super::output::{print_document, print_line};
use super::remote::{outcome_of, socket_path};

/// The counts are there at once.
const LIMIT: Duration = Duration::from_secs(20);
/// The prefixes of a text that was not asked for more.
const PAGE: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct CatchmentOptions {
    /// At most this many prefixes, the busiest; by default 20, with --json all that are counted
    #[arg(long, value_name = "NUMBER")]
    most: Option<usize>,
}

/// Prints which client prefixes reach this POP.
pub(super) fn catchment(
    config: Option<&Path>,
    socket: Option<&Path>,
    (options, json): (&CatchmentOptions, bool),
) -> Outcome {
    let path = socket_path(config, socket)?;
    let most = options.most.or((!json).then_some(PAGE));
    match control::call(&path, &Request::Catchment { most }, LIMIT)? {
        Response::Catchment { catchment } => {
            match json {
                true => print_document(&catchment)?,
                false => print_line(&render_catchment(&catchment, most.unwrap_or(PAGE))),
            }
            Ok(Exit::DONE)
        }
        other => outcome_of(other),
    }
}
