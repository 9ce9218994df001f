//! `anyns fleet catchment` and `anyns fleet plan drain`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::fleet::{CatchmentReport, DrainPlan, catchments, catchments_csv, render_catchments, render_plan};

use super::super::exit::Exit;
use super::super::limits::answer_limit;
use super::super::outcome::{CommandError, NobodyAsked, Outcome};
use super::super::output::{print_document, print_line};
use super::super::output_file::write_file;
use super::pops::{LIMIT, pops, run};

#[derive(Debug, clap::Args)]
pub(super) struct CompareOptions {
    /// Also write every POP and prefix into this file, for mapping: as JSON if its name ends in .json, otherwise as CSV
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Debug, clap::Args)]
pub(super) struct PlanOptions {
    /// The POP that would be drained
    pop: String,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Debug, clap::Args)]
struct Asked {
    /// A TOML file with [[fleet.pop]], such as the configuration of any POP; by default the one that --config names
    #[arg(long, value_name = "FILE")]
    fleet: Option<PathBuf>,
    /// How long a POP may take for its answer
    #[arg(long, value_name = "TIME", default_value = LIMIT, value_parser = answer_limit)]
    timeout: Duration,
}

/// Exit codes: 0 every POP told its client prefixes, 1 one did not, 3 no POP answers.
pub(super) fn catchment(config: Option<&Path>, options: &CompareOptions, json: bool) -> Outcome {
    let report = ask(config, &options.asked)?;
    if let Some(output) = &options.output {
        let is_json = output.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let text = match is_json {
            true => serde_json::to_string_pretty(&report)? + "\n",
            false => catchments_csv(&report),
        };
        write_file(output, &text)?;
    }
    match json {
        true => print_document(&report)?,
        false => print_line(&render_catchments(&report)),
    }
    Ok(exit(&report))
}

/// The same exit codes; without an estimate 1.
pub(super) fn plan(config: Option<&Path>, options: &PlanOptions, json: bool) -> Outcome {
    let report = ask(config, &options.asked)?;
    let plan = match DrainPlan::new(&report, &options.pop) {
        Ok(plan) => plan,
        // Where nobody told anything there is nothing to estimate from: that is the cause.
        Err(error) if exit(&report) == Exit::NO_ANSWER => return Err(NobodyAsked(error.into()).into()),
        Err(error) => return Err(error.into()),
    };
    match json {
        true => print_document(&plan)?,
        false => print_line(&render_plan(&plan)),
    }
    Ok(exit(&report))
}

fn ask(config: Option<&Path>, Asked { fleet, timeout }: &Asked) -> Result<CatchmentReport, CommandError> {
    let clients = pops(fleet.as_deref().or(config))?;
    Ok(run(catchments(&clients, *timeout))?)
}

fn exit(report: &CatchmentReport) -> Exit {
    match report.pops.iter().all(|pop| pop.error.is_some()) {
        true => Exit::NO_ANSWER,
        false => Exit::of(report.pops.iter().all(crate::fleet::PopCatchment::is_known)),
    }
}
