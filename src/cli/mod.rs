//! The command line: what a person types in, text and an exit code out.
//!
//! The exit codes are a table in `exit`. Every command takes `--json`; see `output`.
//!
//! | folder | may name |
//! | --- | --- |
//! | `fleet` | (nothing) |
//! | `top` | (nothing) |
//! | `which` | (nothing) |

mod catchment;
mod check;
mod check_here;
mod check_transfers;
mod exit;
mod fleet;
mod generate;
mod limits;
mod metrics;
mod outcome;
mod output;
mod output_file;
mod questions;
mod remote;
mod run;
mod serial;
mod signatures;
mod status;
mod top;
mod which;
mod zone_check;
mod zone_export;
mod zone_list;
mod zone_orders;

use crate::config;
use crate::telemetry::with_causes;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use exit::Exit;
use outcome::{NobodyAsked, Outcome};
use serial::serial;

/// An anycast authoritative DNS server: serves zones, tests itself, and gates the BGP route for the shared address.
#[derive(Debug, Parser)]
#[command(name = "anyns", version)]
struct Arguments {
    /// The configuration file; by default, but for `run`, /etc/anyns/anyns.toml where it is there. Without one, ./zones is served on port
    /// 5300 of loopback and no route is announced
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The control socket of the running anyns; by default the one that the configuration names
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Print one JSON document in place of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve, check yourself, gate the route
    Run,
    /// Check the configuration and every zone, and print what would be announced, without doing it
    Check {
        /// Leave out what only the host itself can tell: its addresses, routes and groups, the certificate, and a zone
        /// directory that is not here
        #[arg(long)]
        offline: bool,
    },
    /// Zones: check a file, or settle what anyns refuses to decide alone
    #[command(subcommand)]
    Zone(ZoneCommand),
    /// Catalogs of zones (RFC 9432)
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Tell how the running anyns is: what is wrong, since when and why
    Status(status::StatusOptions),
    /// All POPs at once: route, serials that differ, load, version; what is wrong first
    Fleet(fleet::FleetOptions),
    /// Show which client prefixes reach this POP, from samples of the last half hour to an hour
    Catchment(catchment::CatchmentOptions),
    /// Print the metrics of the running anyns in Prometheus's text format, as a scrape gets them
    Metrics {
        /// As OpenMetrics 1.0; not with --json, which has a form of its own
        #[arg(long)]
        openmetrics: bool,
    },
    /// Take this POP out of service in order: prefer less, wait, withdraw; it stays drained until `undrain`
    Drain {
        /// Why, for the log and the status
        #[arg(long, default_value = "no reason given")]
        reason: String,
    },
    /// Let health decide again
    Undrain,
    /// Read the configuration and the zones again
    Reload,
    /// Ask an address who answers there, over every transport: instance, zone version, software, round trip times
    Which(which::WhichOptions),
    /// Show live rates, zones, routes and alarms of the running anyns until q is pressed
    Top(top::TopOptions),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man {
        /// Write it and one page of each command into this directory instead
        #[arg(long, value_name = "DIRECTORY")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum CatalogCommand {
    /// Remove the zones of a catalog whose removal waits because they are many
    Accept {
        /// The catalog
        name: String,
        /// The serial under which they wait, as the alarm names it
        #[arg(value_parser = serial)]
        serial: u32,
    },
}

#[derive(Debug, Subcommand)]
enum ZoneCommand {
    /// Check one zone file without a running anyns, and verify its DNSSEC signatures
    Check {
        /// The zone file
        file: PathBuf,
        /// The zone's name; by default the file's name without ".zone"
        #[arg(long, value_name = "NAME")]
        origin: Option<String>,
        /// A directory whose files $INCLUDE may name, beside the zone file's own; may be given more than once
        #[arg(long, value_name = "DIRECTORY")]
        include_root: Vec<PathBuf>,
        /// Leave the DNSSEC signatures out, which take a while in large zones
        #[arg(long)]
        no_signatures: bool,
    },
    /// Tell all that is known of a zone: what its primaries say, since when it is stale, what its secondaries have
    Status {
        /// The zone
        #[arg(allow_hyphen_values = true)]
        name: String,
    },
    /// List the zones of the running anyns: name, serial, state, records, source, separated by tabs
    List {
        /// Only these: a name, a pattern with * and ?, or "bad" for those that are not well
        pattern: Option<String>,
    },
    /// Ask the primaries of a zone now whether they have a newer version
    Refresh(remote::TransferredZones),
    /// Transfer a zone whole from the freshest primary, whatever its serial: the way back after a serial went backwards
    Retransfer(remote::TransferredZones),
    /// Serve at once what waits at a last-resort POP, whose versions are served with a delay
    CatchUp(remote::TransferredZones),
    /// Stop serving a zone whose file is gone
    Remove {
        /// The zone
        #[arg(allow_hyphen_values = true)]
        name: String,
    },
    /// Print a zone as it is served, as a zone file
    #[command(visible_alias = "dump")]
    Export {
        /// The zone
        #[arg(allow_hyphen_values = true)]
        name: String,
        /// Write it to this file instead, whole or not at all
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Show the steps of a zone that are kept: from which serial to which, when, and why
    History {
        /// The zone
        #[arg(allow_hyphen_values = true)]
        name: String,
    },
    /// Show what differs between two versions of a zone, step by step
    Diff {
        /// The zone
        #[arg(allow_hyphen_values = true)]
        name: String,
        /// The serial of the older version, by default the one before the last; or `refused`: what the version that was refused last
        /// would change
        from: Option<remote::DiffFrom>,
        /// The serial of the newer version; by default the last
        to: Option<u32>,
    },
    /// Hold a zone at the version that is served, also over restarts: new versions are refused until `unhold`
    Hold {
        /// The zone, or a pattern with * and ? for many
        #[arg(allow_hyphen_values = true)]
        name: String,
        /// Why, for the log and the status
        #[arg(long, default_value = "no reason given")]
        reason: String,
    },
    /// Let all secondaries have the newest version of zones of which canaries have it first; ends a halt
    Release(remote::CanaryZones),
    /// Let no newer version of zones with canaries go to all secondaries, also over restarts, until `release`
    Halt(remote::CanaryZones),
    /// Let new versions of a held zone pass again
    Unhold {
        /// The zone, or a pattern with * and ? for all that are held
        #[arg(allow_hyphen_values = true)]
        name: String,
    },
    /// Serve the content of an earlier version again, under a raised serial; where the zone is made, not where it comes from a primary
    Rollback {
        /// The zone, or a pattern with * and ? for many: each goes back by one version
        #[arg(allow_hyphen_values = true)]
        name: String,
        /// The serial of the version, see `history`; by default the one before the last
        #[arg(value_parser = serial)]
        serial: Option<u32>,
    },
    /// Accept, once, the version of a zone that was refused for its serial, its size or its signatures
    Accept {
        /// The zone, or a pattern with * and ? for all of which a version is refused
        #[arg(allow_hyphen_values = true)]
        name: String,
        /// The serial of the refused version; with a pattern each is accepted that is refused now
        #[arg(value_parser = serial)]
        serial: Option<u32>,
    },
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let parsed = declaration().try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => return no_command(&error).into(),
    };
    if arguments.json {
        output::keep_lines();
    }
    let exit = dispatch(arguments).unwrap_or_else(|error| {
        let text = with_causes(error.as_ref());
        output::keep_error(&text);
        output::print_note(&text);
        if error.is::<NobodyAsked>() { Exit::NO_ANSWER } else { Exit::WRONG }
    });
    output::finish(exit).into()
}

/// The command line, each command with the table of exit codes.
fn declaration() -> clap::Command {
    exit::with_help(Arguments::command())
}

/// A command line that is no command: help or the version on standard output, or what is wrong with it.
fn no_command(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        error.print().unwrap_or_else(output::keep_output_error);
        return output::finish(Exit::DONE);
    }
    let before_values = std::env::args_os().take_while(|argument| argument != "--");
    if before_values.into_iter().any(|argument| argument == "--json") {
        output::keep_lines();
        output::keep_error(&error.to_string());
    }
    let _ = error.print();
    output::finish(Exit::USAGE)
}

fn dispatch(arguments: Arguments) -> Outcome {
    // `run` does what it is told: the service names its file.
    let usual = match arguments.command {
        Command::Run => None,
        _ => config::usual_file(),
    };
    let config = arguments.config.as_deref().or(usual.as_deref());
    let socket = arguments.socket.as_deref();
    let json = arguments.json;
    if matches!(arguments.command, Command::Run | Command::Completions { .. } | Command::Man { .. }) {
        output::no_lines();
    }
    match arguments.command {
        Command::Run => run::run(config),
        Command::Check { offline } => {
            if arguments.config.is_none()
                && let Some(usual) = &usual
            {
                output::print_line(&format!("configuration: {}", usual.display()));
            }
            check::check(config, offline)
        }
        Command::Zone(command) => zone(config, socket, (command, json)),
        Command::Catalog(CatalogCommand::Accept { name, serial }) => {
            remote::catalog_accept(config, socket, name, serial)
        }
        Command::Status(options) => status::status(config, socket, (&options, json)),
        Command::Fleet(options) => fleet::fleet(config, options, json),
        Command::Catchment(options) => catchment::catchment(config, socket, (&options, json)),
        Command::Metrics { openmetrics } => metrics::metrics(config, socket, (openmetrics, json)),
        Command::Drain { reason } => remote::drain(config, socket, reason),
        Command::Undrain => remote::undrain(config, socket),
        Command::Reload => remote::reload(config, socket),
        Command::Which(options) => which::which(&options, json),
        Command::Top(options) => top::top(config, socket, (&options, json)),
        Command::Completions { shell } => generate::completions(declaration(), shell),
        Command::Man { output } => generate::man(declaration(), output.as_deref()),
    }
}

fn zone(config: Option<&Path>, socket: Option<&Path>, (command, json): (ZoneCommand, bool)) -> Outcome {
    match command {
        ZoneCommand::Check { file, origin, include_root, no_signatures } => {
            zone_check::check(&file, origin.as_deref(), &include_root, !no_signatures)
        }
        ZoneCommand::Status { name } => status::zone_status(config, socket, name, json),
        ZoneCommand::List { pattern } => zone_list::list(config, socket, pattern, json),
        ZoneCommand::Refresh(zones) => remote::zone_refresh(config, socket, zones),
        ZoneCommand::Retransfer(zones) => remote::zone_retransfer(config, socket, zones),
        ZoneCommand::CatchUp(zones) => remote::zone_catch_up(config, socket, zones),
        ZoneCommand::Export { name, output } => zone_export::export(config, socket, (name, output, json)),
        ZoneCommand::Remove { name } => remote::zone_remove(config, socket, name),
        ZoneCommand::Hold { name, reason } => zone_orders::hold(config, socket, (&name, &reason)),
        ZoneCommand::Release(zones) => remote::zone_release(config, socket, zones),
        ZoneCommand::Halt(zones) => remote::zone_halt(config, socket, zones),
        ZoneCommand::Unhold { name } => zone_orders::unhold(config, socket, &name),
        ZoneCommand::Rollback { name, serial } => zone_orders::rollback(config, socket, (&name, serial)),
        ZoneCommand::Accept { name, serial } => zone_orders::accept(config, socket, (&name, serial)),
        ZoneCommand::History { name } => remote::zone_history(config, socket, name, json),
        ZoneCommand::Diff { name, from, to } => remote::zone_diff(config, socket, (name, from, to), json),
    }
}
