//! The lab tool: an anycast DNS service of three POPs on one machine, and everything that can happen to it.
//!
//! An example of the crate, not a program of its own: it is for those who evaluate, rehearse and test, it needs crates that the
//! server does not (namespaces, YAML), and `cargo install` must not put it into a POP. `cargo run --example lab -- help`;
//! deploy/containerlab/README.md shows how it is used.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool that people run in a terminal")]
// The shared support of the tests stops at faults of the machine itself.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "the support of the tests"
)]

#[path = "../support/tool.rs"]
mod support;
mod tool;

use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyns::wire::Name;
use anyns::zonefile::{Limits, read_zone};
use clap::{Parser, Subcommand};

use support::blaster::Blaster;
use support::wait::looked_for;
use tool::catchment::{self, SERVICES, ZONE};
use tool::error::{LabError, file};
use tool::faults::{self, Breakage};
use tool::namespaces;
use tool::nodes::RunningLab;
use tool::result::{HEADING, rows};
use tool::scenario::{SCENARIOS, Scenario};
use tool::stack::{self, status};
use tool::steps;
use tool::topology::{Role, Stack, Topology};

/// An anycast DNS service of three POPs on one machine.
#[derive(Parser)]
#[command(name = "lab")]
struct Arguments {
    /// The topology file, the one that containerlab reads
    #[arg(long, default_value = "deploy/containerlab/anyns.clab.yml", global = true)]
    topology: PathBuf,
    /// The anyns to run; default: the one that was built beside this tool
    #[arg(long, global = true)]
    anyns: Option<PathBuf>,
    /// The lab was deployed by containerlab, not by `up`
    #[arg(long, global = true)]
    containers: bool,
    /// The lab has NSD, BIRD and the health check of ExaBGP in the place of anyns on every server: say it with every command
    #[arg(long, global = true)]
    stitched: bool,
    #[command(subcommand)]
    command: Order,
}

#[derive(Subcommand)]
enum Order {
    /// Builds the lab from network namespaces and waits until every client reaches its POP
    Up,
    /// Removes the lab: no process, namespace or file stays
    Down,
    /// What each anyns says of itself
    Status,
    /// Which client reaches which POP, from the NSID of the answers
    Map,
    /// Runs a command in a node
    Exec {
        /// The node
        node: String,
        /// The command
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
    /// Breaks something in a POP
    Crash {
        /// What
        what: Breakage,
        /// The POP, or for process and server one server of it
        target: String,
    },
    /// Puts everything right again
    Mend,
    /// Drains the servers of a POP, or one server; `mend` undrains
    Drain {
        /// The POP or the server
        target: String,
    },
    /// Sends queries of random names from the clients of a region, as fast as it can
    Flood {
        /// The region
        pop: String,
        /// For how long
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// Deploys a zone file at the hub, and waits until every server serves it
    Deploy {
        /// The file, named ZONE.zone
        zone: PathBuf,
    },
    /// Runs scenarios, each with queries from every region, and prints what happened when
    Scenario {
        /// Which; `all` for all of them
        #[arg(value_parser = scenario_names())]
        name: String,
        /// Another POP than the usual one
        #[arg(long)]
        pop: Option<String>,
        /// Writes NAME-POP.json and NAME-POP.svg here
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

/// The name of the lab in /run/anyns-lab, and the start of its namespaces' names.
const NAME: &str = "anyns";

fn scenario_names() -> Vec<&'static str> {
    SCENARIOS.iter().map(|scenario| scenario.name).chain(["all"]).collect()
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match execute(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn execute(arguments: &Arguments) -> Result<ExitCode, LabError> {
    let mut topology = Topology::read(&arguments.topology)?;
    if arguments.stitched {
        topology.stitch();
    }
    if matches!(arguments.command, Order::Down) && !arguments.containers {
        return namespaces::down(NAME).map(|()| ExitCode::SUCCESS);
    }
    if matches!(arguments.command, Order::Up) && !arguments.containers {
        let lab = RunningLab::up(topology, NAME, &program(arguments)?)?;
        return ready(&lab);
    }
    let lab = if arguments.containers {
        RunningLab::containers(topology)
    } else {
        RunningLab::attach(topology, NAME)?
    };
    match &arguments.command {
        Order::Up => return ready(&lab),
        Order::Down => println!("what containerlab has deployed, `containerlab destroy` removes"),
        Order::Status => print_status(&lab),
        Order::Map => print_all(&catchment::table(&catchment::map(&lab))),
        Order::Exec { node, command } => {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            let start = |source| LabError::Start { program: node.clone(), source };
            let status = lab.command(node, &words)?.status().map_err(start)?;
            return Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)));
        }
        Order::Crash { what, target } => what.make(&lab, target).map(drop)?,
        Order::Mend => faults::mend(&lab)?,
        Order::Drain { target } => faults::drain(&lab, target)?,
        Order::Flood { pop, seconds } => flood(&lab, pop, *seconds)?,
        Order::Deploy { zone } => deploy(&lab, zone)?,
        Order::Scenario { name, pop, out } => scenarios(&lab, name, pop.as_deref(), out.as_deref())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn ready(lab: &RunningLab) -> Result<ExitCode, LabError> {
    if let Some(message) = tool::latency::set(lab) {
        println!("{message}");
    }
    faults::wait_whole(lab)?;
    print_all(&catchment::table(&catchment::map(lab)));
    Ok(ExitCode::SUCCESS)
}

/// The server: `target/PROFILE/anyns` for `target/PROFILE/examples/lab`.
fn program(arguments: &Arguments) -> Result<PathBuf, LabError> {
    if let Some(program) = &arguments.anyns {
        return Ok(program.clone());
    }
    let own = std::env::current_exe().map_err(file("this program"))?;
    let beside = own.parent().and_then(Path::parent).map(|folder| folder.join("anyns"));
    let missing = || LabError::Unknown {
        kind: "server beside this tool",
        name: "anyns".into(),
        known: "none; build it with `cargo build --bins`, or name it with --anyns".into(),
    };
    beside.filter(|program| program.exists()).ok_or_else(missing)
}

fn print_status(lab: &RunningLab) {
    let mut lines = String::new();
    for node in lab.topology.with_role(Role::Server, None).chain(lab.topology.with_role(Role::Hub, None)) {
        // The hub is anyns in any case, and answers nsd-control nothing.
        let is_stitched = lab.topology.stack == Stack::Stitched;
        if let Some(serial) = is_stitched.then(|| stack::serial(lab, node)).flatten() {
            lines.push_str(&format!("{node:<8} {:<9} {ZONE} {serial} served\n", "NSD"));
            continue;
        }
        let Some(status) = status(lab, node) else {
            lines.push_str(&format!("{node:<8} no answer\n"));
            continue;
        };
        let zone = &status["zones"][0];
        let intents: Vec<&str> = status["prefixes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|prefix| prefix["intent"].as_str())
            .collect();
        let overall = status["overall"]["verdict"].as_str().unwrap_or("?");
        let (state, serial) = (zone["state"].as_str().unwrap_or("?"), &zone["serial"]);
        lines.push_str(&format!("{node:<8} {overall:<9} {ZONE} {serial} {state:<8} {}\n", intents.join(" ")));
    }
    print_all(&lines);
}

/// Prints; a reader that has seen enough (`| head`) is no fault.
fn print_all(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn flood(lab: &RunningLab, pop: &str, seconds: u64) -> Result<(), LabError> {
    let client = lab.space(lab.topology.the(Role::Client, pop)?);
    let services = SERVICES.iter().take(2).filter_map(|address| address.parse::<IpAddr>().ok());
    let blasters: Vec<Blaster> = services.map(|service| Blaster::queries(&client, service, ZONE)).collect();
    let _ = looked_for(Duration::from_secs(seconds), || None::<()>);
    drop(blasters);
    print_status(lab);
    Ok(())
}

fn deploy(lab: &RunningLab, path: &Path) -> Result<(), LabError> {
    let zone = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let text = std::fs::read_to_string(path).map_err(file(path))?;
    let wrong = |message: String| LabError::Zone { path: path.to_owned(), message };
    let origin: Name =
        zone.parse().map_err(|error| wrong(format!("its name is that of no zone: {error}")))?;
    let read = read_zone(path, &origin, &Limits::default()).map_err(|error| wrong(error.to_string()))?;
    tool::zone::deploy(lab, &zone, &text)?;
    let serial = read.zone.serial().0;
    match lab.topology.stack {
        Stack::Anyns => print_all(&tool::zone::wait(lab, &zone, serial)?),
        Stack::Stitched => {
            steps::wait_all_serve(lab, serial)?;
            print_all(&format!("every server serves {zone} {serial}\n"));
        }
    }
    Ok(())
}

fn scenarios(lab: &RunningLab, name: &str, pop: Option<&str>, out: Option<&Path>) -> Result<(), LabError> {
    let chosen: Vec<Scenario> = if name == "all" { SCENARIOS.to_vec() } else { vec![Scenario::named(name)?] };
    let mut table = format!("{HEADING}\n");
    for scenario in chosen {
        let result = scenario.run(lab, pop)?;
        println!("{}", result.timeline());
        table.push_str(&rows(&result));
        if let Some(folder) = out {
            tool::result::write(&result, folder)?;
        }
    }
    print!("{table}");
    Ok(())
}
