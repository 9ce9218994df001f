//! anyns beside its peers, measured in one run; `README.md` beside this file says how and what.
//!
//! ```text
//!   options -> run -> zones, queries       made from a seed
//!                  -> cost | startup       rounds over servers, dnsperf, /proc; compare: are the answers right?
//!                  -> figures -> report, plot
//! ```
//!
//! Every server listens on a loopback port of its own choosing; nothing is asked beyond loopback. Ends with 1 if
//! an answer was wrong.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a benchmark stops at the first fault and prints what it measures"
)]

mod ask;
mod beside;
mod change;
mod compare;
mod cost;
mod difference;
mod dnsperf;
mod figures;
mod memory;
mod observed;
mod observers;
mod once;
mod one_of_many;
mod options;
mod plot;
mod queries;
mod report;
mod run;
mod secure;
mod servers;
mod signatures;
mod signed;
mod startup;
#[path = "../support/mod.rs"]
mod support;
mod transfer;
mod usage;
mod zones;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser as _, ValueEnum as _};

use options::{Options, Scenario};
use plot::{Plot, Point, Series};
use run::{Bench, Cores, Measured};
use servers::{Kind, installed, program, reflector};

/// What the name of a run's directory begins with; the process ID follows.
const PREFIX: &str = "peers-";

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(port) = options.reflector {
        reflector::run(port);
        return ExitCode::SUCCESS;
    }
    for (tool, package) in [("dnsperf", "dnsperf"), ("taskset", "util-linux"), ("setpriv", "util-linux")] {
        if program(tool).is_none() {
            println!("no {tool} here, nothing can be measured; apt-get install {package}");
            return ExitCode::FAILURE;
        }
    }
    sweep();
    let prefix = format!("{PREFIX}{}-", std::process::id());
    let home = tempfile::Builder::new().prefix(&prefix).tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    let home = home.expect("a temporary directory can be made");
    let kinds = installed(&options.servers);
    let bench = Bench { cores: cores(), home: home.path().into(), kinds, options };
    let mut measured = Vec::new();
    for scenario in bench.options.wanted() {
        let first = measured.len();
        measured.extend(bench.run(scenario));
        measured.iter().skip(first).for_each(|one| println!("\n{}", report::markdown(&one.table)));
        // Each time, so that what was measured is there also if a later scenario fails.
        write(&measured);
    }
    let faults: usize = measured.iter().map(|one: &Measured| one.table.faults.len()).sum();
    if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Removes the directories of runs that were interrupted: their process is gone.
fn sweep() {
    let entries = std::fs::read_dir(env!("CARGO_TARGET_TMPDIR")).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new("/proc").join(process.to_string()).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The server's core and the load's: the first two that this process may use.
fn cores() -> Cores {
    let allowed = anyns::sys::cpu::allowed().expect("the system tells the cores");
    if let [server, load, ..] = allowed[..] {
        println!("servers on core {server}, dnsperf on core {load}; starts on all cores");
        return Cores { server: Some(server), load: vec![load] };
    }
    println!("WARNING: one core for server and load: answers a second mean nothing, CPU per query little");
    Cores { server: allowed.first().copied(), load: allowed.into_iter().take(1).collect() }
}

/// Writes the report and the plots.
fn write(measured: &[Measured]) {
    let directory: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    std::fs::create_dir_all(&directory).expect("the directory of the report can be made");
    let tables: Vec<String> = measured.iter().map(|one| report::markdown(&one.table)).collect();
    let mut files = vec![("report.md", tables.join("\n"))];
    let is_cost = |one: &&Measured| {
        !matches!(
            one.scenario,
            Scenario::Size
                | Scenario::Load
                | Scenario::Zones
                | Scenario::Change
                | Scenario::Transfer
                | Scenario::OneOfMany
                | Scenario::Beside
                | Scenario::Memory
                | Scenario::Affinity
                | Scenario::Observed
                | Scenario::Signatures
        )
    };
    let costs: Vec<&Measured> = measured.iter().filter(is_cost).collect();
    if !costs.is_empty() {
        let groups = costs.iter().map(|one| format!("{:?}", one.scenario).to_lowercase()).collect();
        files.push(("cost.svg", plot("CPU µs per query", groups, &costs, 0).bars()));
    }
    let sizes: Vec<&Measured> = measured.iter().filter(|one| one.scenario == Scenario::Size).collect();
    if !sizes.is_empty() {
        let groups: Vec<String> = sizes.iter().map(|one| one.records.to_string()).collect();
        let title = "by records of the zone";
        files.push((
            "size.svg",
            plot(&format!("CPU µs per query {title}"), groups.clone(), &sizes, 0).lines(),
        ));
        files.push(("size-user.svg", plot(&format!("user µs per query {title}"), groups, &sizes, 1).lines()));
    }
    for (name, text) in files {
        let path = directory.join(name);
        std::fs::write(&path, text).expect("the report can be written");
    }
    println!("report and plots: {}", directory.display());
}

/// One metric of several scenarios, a series for each server.
fn plot(title: &str, groups: Vec<String>, measured: &[&Measured], metric: usize) -> Plot {
    let point = |one: &&Measured, kind: Kind| {
        let spread = one.table.row(kind)?.spread(metric);
        Some(Point { value: spread.median, span: (spread.least, spread.most) })
    };
    let series = Kind::value_variants().iter().enumerate().map(|(colour, kind)| {
        let points = measured.iter().map(|one| point(one, *kind)).collect();
        Series { name: kind.name(), colour, points }
    });
    let present = |series: &Series| series.points.iter().any(Option::is_some);
    Plot { title: title.into(), groups, series: series.filter(present).collect() }
}
