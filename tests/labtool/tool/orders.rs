//! The orders of the tool: what its command line says, done with a running lab.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyns::wire::Name;
use anyns::zonefile::{Limits, read_zone};
use clap::{Parser, Subcommand};

use super::catchment::{self, SERVICES, ZONE};
use super::error::{LabError, file, unknown};
use super::faults::{self, Breakage};
use super::interrupt;
use super::latency;
use super::namespaces;
use super::nodes::{self, RunningLab};
use super::result::{self, HEADING, rows};
use super::scenario::{SCENARIOS, Scenario};
use super::stack::{self, status};
use super::steps;
use super::topology::{Role, Stack, Topology};
use super::zone as zone_file;
use crate::support::blaster::Blaster;
use crate::support::wait::looked_for;

/// An anycast DNS service of three POPs on one machine.
#[derive(Parser)]
#[command(name = "lab")]
pub struct Arguments {
    /// The topology file, the one that containerlab reads; its name is the lab's
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
    /// Builds the lab from network namespaces and waits until every client reaches its POP; a lab that runs is left alone
    Up,
    /// Removes the lab: no process, namespace or file stays
    Down {
        /// Which; by default the one that the topology file names, or the only one that runs if that file cannot be read
        name: Option<String>,
    },
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

fn scenario_names() -> Vec<&'static str> {
    SCENARIOS.iter().map(|scenario| scenario.name).chain(["all"]).collect()
}

/// Runs the tool with the arguments of a process; its exit status.
pub fn run(arguments: &Arguments) -> u8 {
    match execute(arguments) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("lab: {error}");
            1
        }
    }
}

fn execute(arguments: &Arguments) -> Result<u8, LabError> {
    match &arguments.command {
        // It needs no topology file, which may be elsewhere or broken by now.
        Order::Down { name } if !arguments.containers => return down(arguments, name.as_deref()).map(|()| 0),
        Order::Down { name } => return destroy(arguments, name.as_deref()).map(|()| 0),
        Order::Up if !arguments.containers => return up(arguments).map(|()| 0),
        _ => {}
    }
    let topology = topology(arguments)?;
    let lab =
        if arguments.containers { RunningLab::containers(topology)? } else { RunningLab::attach(topology)? };
    match &arguments.command {
        Order::Up => ready(&lab)?,
        Order::Down { .. } => {}
        Order::Status => print_status(&lab),
        Order::Map => print_all(&catchment::table(&catchment::map(&lab))),
        Order::Exec { node, command } => {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            let start = |source| LabError::Start { program: node.clone(), source };
            let status = lab.command(node, &words)?.status().map_err(start)?;
            return Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1));
        }
        Order::Crash { what, target } => what.make(&lab, target).map(drop)?,
        Order::Mend => faults::mend(&lab)?,
        Order::Drain { target } => faults::drain(&lab, target)?,
        Order::Flood { pop, seconds } => flood(&lab, pop, *seconds)?,
        Order::Deploy { zone } => deploy(&lab, zone)?,
        Order::Scenario { name, pop, out } => scenarios(&lab, name, pop.as_deref(), out.as_deref())?,
    }
    Ok(0)
}

fn topology(arguments: &Arguments) -> Result<Topology, LabError> {
    let mut topology = Topology::read(&arguments.topology)?;
    if arguments.stitched {
        topology.stitch();
    }
    Ok(topology)
}

fn up(arguments: &Arguments) -> Result<(), LabError> {
    let (topology, program) = (topology(arguments)?, program(arguments)?);
    interrupt::listen().map_err(file("a handler of signals"))?;
    let lab = RunningLab::up(topology, &program)?;
    let name = &lab.topology.name;
    ready(&lab).map_err(|error| match error {
        LabError::Interrupted => match namespaces::down(name) {
            Ok(()) => LabError::Interrupted,
            Err(error) => error,
        },
        cause => LabError::NotWhole { cause: Box::new(cause), logs: namespaces::logs(name) },
    })
}

fn ready(lab: &RunningLab) -> Result<(), LabError> {
    if let Some(message) = latency::set(lab) {
        println!("{message}");
    }
    faults::wait_whole(lab)?;
    print_all(&catchment::table(&catchment::map(lab)));
    Ok(())
}

fn down(arguments: &Arguments, name: Option<&str>) -> Result<(), LabError> {
    if let Some(name) = name {
        return namespaces::down(name);
    }
    match Topology::read(&arguments.topology) {
        Ok(topology) => namespaces::down(&topology.name),
        Err(error) => {
            eprintln!("lab: {error}");
            let names = namespaces::names();
            match namespaces::the_only(&names)? {
                Some(name) => {
                    namespaces::down(name)?;
                    println!("the lab {name} is removed");
                }
                None => println!("no lab runs"),
            }
            Ok(())
        }
    }
}

/// What containerlab has deployed, containerlab destroys, by the script beside the topology file.
fn destroy(arguments: &Arguments, name: Option<&str>) -> Result<(), LabError> {
    let topology = Topology::read(&arguments.topology)?;
    if let Some(other) = name.filter(|name| *name != topology.name) {
        let known = [topology.name.as_str()].into_iter();
        return Err(unknown("lab in the topology file", other, known));
    }
    let mut script = Command::new(topology.folder.join("clab"));
    let output = nodes::run(script.args(["destroy", "--cleanup"]).env("CLAB_TOPO", &topology.file), "")?;
    print_all(&output);
    Ok(())
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
        let none = serde_json::Value::Null;
        let zone = stack::zone(&status).unwrap_or(&none);
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
    if lab.topology.stack == Stack::Stitched && zone != ZONE {
        return Err(wrong(format!(
            "NSD 4.6 follows no catalog: with the stitched stack only {ZONE} can be deployed"
        )));
    }
    let read = read_zone(path, &origin, &Limits::default()).map_err(|error| wrong(error.to_string()))?;
    zone_file::deploy(lab, &zone, &text)?;
    let serial = read.zone.serial().0;
    match lab.topology.stack {
        Stack::Anyns => print_all(&zone_file::wait(lab, &zone, serial)?),
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
            result::write(&result, folder)?;
        }
    }
    print!("{table}");
    Ok(())
}
