//! `anyns status`: once, or again and again.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

use crate::control::{self, Request, Response, printable_lines};
use crate::telemetry::with_causes;

use super::exit::Exit;
use super::outcome::{CommandError, NobodyAsked, Outcome};
use super::output::{document_text, no_lines, print_document, print_line, print_text, write_out};
use super::remote;

/// The state is there at once; the list of very many zones takes some seconds.
const LIMIT: Duration = Duration::from_secs(20);

/// The most zones in a text that was not asked for certain zones: with the rest of it one page.
const PAGE: usize = 20;

/// The most zones in a text that was asked for certain zones; `--json` has them all.
const MAX_SHOWN_ZONES: usize = 1000;

/// Between two frames of `--watch`.
const FRAME: Duration = Duration::from_secs(1);

/// Clears a terminal and goes to its first line (ECMA-48: CUP, ED).
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// How the status is wanted.
#[derive(Debug, clap::Args)]
pub(super) struct StatusOptions {
    /// Only these zones: a name, a pattern with * and ?, or "bad" for those that are not well
    #[arg(long, value_name = "PATTERN|bad")]
    zones: Option<String>,
    /// Show it again every second until interrupted
    #[arg(long)]
    watch: bool,
}

impl StatusOptions {
    fn request(&self, json: bool) -> Request {
        let most = match (&self.zones, json) {
            (_, true) => None,
            (None, _) => Some(PAGE),
            (Some(_), _) => Some(MAX_SHOWN_ZONES),
        };
        Request::Status { zones: self.zones.clone(), most }
    }
}

/// Prints the status; the exit code is that of the verdict.
pub(super) fn status(
    config: Option<&Path>,
    socket: Option<&Path>,
    (options, json): (&StatusOptions, bool),
) -> Outcome {
    let path = remote::socket_path(config, socket).map_err(NobodyAsked)?;
    if options.watch {
        no_lines();
        return watch(&path, (options, json));
    }
    let (text, code) = frame(&path, (options, json)).map_err(NobodyAsked)?;
    print_text(&text);
    Ok(code)
}

/// Prints what is known of one zone; the exit code is 0 if it is served as it should be, 1 if not.
pub(super) fn zone_status(config: Option<&Path>, socket: Option<&Path>, zone: String, json: bool) -> Outcome {
    let path = remote::socket_path(config, socket)?;
    let request = Request::Status { zones: Some(zone), most: Some(MAX_SHOWN_ZONES) };
    let status = match control::call(&path, &request, LIMIT)? {
        Response::Status { status } => status,
        Response::Failed { message } => return Err(message.into()),
        _ => return Err("the running anyns answered without a status".into()),
    };
    if json && status.zones.is_empty() {
        return Err("no such zone is known here".into());
    }
    match json {
        true => print_document(&status.zones)?,
        false => print_line(&control::render_zone(&status)),
    }
    let is_well = status.zone_counts.matched > 0 && status.zone_counts.matched_not_well == 0;
    Ok(Exit::of(is_well))
}

/// Shows frame after frame, as JSON a document on each line, also while no anyns answers; ends when the output is closed, or by a signal.
fn watch(path: &Path, (options, json): (&StatusOptions, bool)) -> Outcome {
    let end = if json { "\n" } else { "\n\n" };
    let clear = if io::stdout().is_terminal() && !json { CLEAR } else { "" };
    loop {
        let text = match frame(path, (options, json)) {
            Ok((text, _)) if json => in_one_line(&text),
            Ok((text, _)) => text,
            Err(error) => watched_error(&error, json)?,
        };
        if !write_out(format!("{clear}{}{end}", text.trim_end()).as_bytes()) {
            return Ok(Exit::DONE);
        }
        std::thread::park_timeout(FRAME);
    }
}

/// A document as `top` prints its own: on a line. A string in it has no line break (RFC 8259 section 7).
fn in_one_line(text: &str) -> String {
    text.lines().map(str::trim_start).collect()
}

/// What stands in place of a frame that cannot be had.
fn watched_error(error: &CommandError, json: bool) -> Result<String, CommandError> {
    let text = with_causes(error.as_ref());
    match json {
        true => Ok(in_one_line(&document_text(&serde_json::json!({"errors": [text]}))?)),
        false => Ok(format!("anyns: {}", printable_lines(&text))),
    }
}

/// One text and its exit code.
fn frame(path: &Path, (options, json): (&StatusOptions, bool)) -> Result<(String, Exit), CommandError> {
    let status = match control::call(path, &options.request(json), LIMIT)? {
        Response::Status { status } => status,
        Response::Failed { message } => return Err(message.into()),
        Response::Done { .. }
        | Response::History { .. }
        | Response::Difference { .. }
        | Response::Metrics { .. }
        | Response::Catchment { .. }
        | Response::Zone { .. } => {
            return Err("the running anyns answered without a status".into());
        }
    };
    let code = Exit::of_verdict(status.overall.verdict);
    let text = match json {
        true => document_text(&status)?,
        false => control::render(&status),
    };
    Ok((text, code))
}
