//! `anyns fleet`: all POPs at once; `wait`: until they serve a version; `catchment` and `plan drain`: which clients reach which POP.

mod catchment;
mod pops;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::fleet::{WaitOutcome, Waiting, render, survey, wait};
use crate::wire::Name;

use super::exit::Exit;
use super::limits::{answer_limit, wait_limit};
use super::outcome::{CommandError, Outcome};
use super::output::{print_document, print_line};
use super::serial::serial;
use pops::{LIMIT, pops, run};

/// How long `wait` waits, unless it says otherwise: a deploy that takes longer needs a person.
const WAIT_LIMIT: &str = "60s";

/// Every POP, asked over its management address.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct FleetOptions {
    #[command(subcommand)]
    command: Option<FleetCommand>,
    /// A TOML file with [[fleet.pop]], such as the configuration of any POP; by default the one that --config names
    #[arg(long, value_name = "FILE")]
    fleet: Option<PathBuf>,
    /// How long a POP may take for its answer
    #[arg(long, value_name = "TIME", default_value = LIMIT, value_parser = answer_limit)]
    timeout: Duration,
}

#[derive(Debug, clap::Subcommand)]
enum FleetCommand {
    /// Wait until every announced POP serves this serial of a zone, or a newer one: for CI and ACME hooks
    Wait(WaitOptions),
    /// Which client prefixes reach which POP: shares, and the prefixes that several POPs see
    Catchment(catchment::CompareOptions),
    /// Estimate what a step would do, without taking it
    #[command(subcommand)]
    Plan(PlanCommand),
}

#[derive(Debug, clap::Subcommand)]
enum PlanCommand {
    /// Estimate the load that the other POPs would receive if this one were drained
    Drain(catchment::PlanOptions),
}

#[derive(Debug, clap::Args)]
struct WaitOptions {
    /// The zone
    #[arg(value_parser = one_zone)]
    zone: String,
    /// The serial
    #[arg(value_parser = serial)]
    serial: u32,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = WAIT_LIMIT, value_parser = wait_limit)]
    timeout: Duration,
    /// Do not wait for POPs that give no answer; otherwise one counts as announced, because nobody can tell
    #[arg(long)]
    skip_unreachable: bool,
    /// Wait for last-resort POPs, too, which serve each version with a delay; by default they are left out
    #[arg(long)]
    with_last_resort: bool,
    /// A TOML file with [[fleet.pop]], such as the configuration of any POP; by default the one that --config names
    #[arg(long, value_name = "FILE")]
    fleet: Option<PathBuf>,
}

/// The name of one zone as it was typed: a POP would take a pattern for several of them.
fn one_zone(text: &str) -> Result<String, CommandError> {
    if text.contains(['*', '?']) {
        return Err("it is a pattern; one zone is waited for".into());
    }
    text.parse::<Name>()?;
    Ok(text.to_owned())
}

/// Exit codes: 0 all is well or done, 1 something is not, or not in time, 2 no POP is announced, 3 no POP answers.
pub(super) fn fleet(config: Option<&Path>, options: FleetOptions, json: bool) -> Outcome {
    match options.command {
        Some(FleetCommand::Wait(options)) => wait_for(config, options, json),
        Some(FleetCommand::Catchment(options)) => catchment::catchment(config, &options, json),
        Some(FleetCommand::Plan(PlanCommand::Drain(options))) => catchment::plan(config, &options, json),
        None => {
            let clients = pops(options.fleet.as_deref().or(config))?;
            let report = run(survey(&clients, options.timeout))?;
            match json {
                true => print_document(&report)?,
                false => print_line(&render(&report)),
            }
            Ok(Exit::of_fleet(&report))
        }
    }
}

fn wait_for(config: Option<&Path>, options: WaitOptions, json: bool) -> Outcome {
    let WaitOptions { zone, serial, timeout, skip_unreachable, with_last_resort, fleet } = options;
    let clients = pops(fleet.as_deref().or(config))?;
    let waiting = Waiting { zone, serial, limit: timeout, with_last_resort, skip_unreachable };
    let outcome = run(wait(&clients, &waiting))?;
    match json {
        true => print_document(&outcome)?,
        false => print_line(&told(&outcome, &waiting)),
    }
    Ok(match outcome.answered {
        true => Exit::of(outcome.done),
        false => Exit::NO_ANSWER,
    })
}

/// The outcome as lines: those that are waited for first.
fn told(outcome: &WaitOutcome, waiting: &Waiting) -> String {
    let Waiting { zone, serial, limit, .. } = waiting;
    let took = outcome.took_ms as f64 / 1000.0;
    let mut text = match outcome.done {
        true => format!("every announced POP serves {zone} {serial} ({took:.1} s)\n"),
        false => {
            let limit = humantime::format_duration(*limit);
            match outcome.pops.iter().all(|pop| pop.ready) {
                true => format!(
                    "no POP that is waited for is announced, so nobody has {zone} {serial} after {limit}\n"
                ),
                false => format!("not every announced POP serves {zone} {serial} after {limit}\n"),
            }
        }
    };
    let waits = outcome.pops.iter().filter(|pop| !pop.ready).map(|pop| ("!", pop));
    let ready = outcome.pops.iter().filter(|pop| pop.ready).map(|pop| (" ", pop));
    for (mark, pop) in waits.chain(ready) {
        text.push_str(&crate::control::aligned(&[vec![format!("{mark} {}: {}", pop.name, pop.state)]]));
    }
    text
}
