//! `anyns top`: the running anyns, live. Asks the control socket for the status each second and draws what changed; with `--json` it prints
//! one line for each second in place of a screen. Gives no order.

mod rates;
mod view;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use crate::control::{self, CatchmentStatus, Request, Response, Status};
use crate::telemetry::escape_controls;

use super::exit::Exit;
use super::metrics::zone_queries;
use super::outcome::{CommandError, Outcome};
use super::output::{has_colours, no_lines, write_out};
use super::remote;
use rates::Rates;
use view::View;

/// Longer than a POP takes that answers at all; the screen says so meanwhile.
const LIMIT: Duration = Duration::from_secs(2);
/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// The zones that are listed: those that are not well come first.
const MOST_ZONES: usize = 20;

/// The client prefixes of each family that are listed.
const MOST_CLIENTS: usize = 20;

/// How it is shown.
#[derive(Debug, clap::Args)]
pub(super) struct TopOptions {
    /// End after this many looks, one each second
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
}

/// Shows the state until q, Esc or Ctrl-C is pressed, or the output is closed.
pub(super) fn top(
    config: Option<&Path>,
    socket: Option<&Path>,
    (options, json): (&TopOptions, bool),
) -> Outcome {
    let path = remote::socket_path(config, socket)?;
    if json {
        return lines(&path, options);
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err("top needs a terminal; elsewhere use --json, or anyns status --watch".into());
    }
    // The first look fails before the screen changes.
    let first = ask_status(&path)?;
    let mut terminal = ratatui::try_init()?;
    let outcome = screen(&mut terminal, &path, (first, options));
    ratatui::try_restore()?;
    outcome
}

fn ask_status(path: &Path) -> Result<Status, CommandError> {
    match control::call(path, &Request::Status { zones: None, most: Some(MOST_ZONES) }, LIMIT)? {
        Response::Status { status } => Ok(*status),
        Response::Failed { message } => Err(message.into()),
        _ => Err("the running anyns answered without a status".into()),
    }
}

/// The queries for the busiest zones.
fn zones(path: &Path) -> BTreeMap<String, u64> {
    zone_queries(path, LIMIT).unwrap_or_default()
}

/// The client prefixes; none where they are not counted.
fn clients(path: &Path) -> Option<CatchmentStatus> {
    match control::call(path, &Request::Catchment { most: Some(MOST_CLIENTS) }, LIMIT) {
        Ok(Response::Catchment { catchment }) => Some(*catchment),
        _ => None,
    }
}

fn screen(
    terminal: &mut ratatui::DefaultTerminal,
    path: &Path,
    (first, options): (Status, &TopOptions),
) -> Outcome {
    let mut view = View::new(has_colours());
    let mut rates = Rates::default();
    let mut now = Some(first);
    for round in 1_u64.. {
        let status = now.take().map_or_else(|| ask_status(path), Ok);
        match status {
            Ok(status) => {
                let at = Instant::now();
                rates.take(&status, &zones(path), at);
                view.take(status, clients(path));
            }
            // The last state stays in view.
            Err(error) => view.fault(error.to_string()),
        }
        let next = Instant::now() + INTERVAL;
        loop {
            terminal.draw(|frame| view.draw(frame, &rates))?;
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() || !event::poll(left)? {
                break;
            }
            if ends(&event::read()?) {
                return Ok(Exit::DONE);
            }
        }
        if options.count.is_some_and(|count| round >= count) {
            break;
        }
    }
    Ok(Exit::DONE)
}

fn ends(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let is_interrupt = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
    key.kind == KeyEventKind::Press && (is_interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc))
}

/// One JSON document for each second, on a line of its own: the first rates need two looks.
fn lines(path: &Path, options: &TopOptions) -> Outcome {
    let mut rates = Rates::default();
    let (status, at) = (ask_status(path)?, Instant::now());
    rates.take(&status, &zones(path), at);
    let mut round = 0;
    while options.count.is_none_or(|count| round < count) {
        std::thread::park_timeout(INTERVAL);
        let (status, at) = (ask_status(path)?, Instant::now());
        rates.take(&status, &zones(path), at);
        let line = escape_controls(serde_json::to_string(&rates.document(&status))?);
        no_lines();
        if !write_out((line + "\n").as_bytes()) {
            break;
        }
        round += 1;
    }
    Ok(Exit::DONE)
}
