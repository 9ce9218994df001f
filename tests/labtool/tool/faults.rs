//! What the lab breaks, and how it is put right again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::catchment::{PREFIXES, is_whole, map, table};
use super::error::LabError;
use super::interrupt;
use super::nodes::RunningLab;
use super::stack;
use super::topology::Role;
use crate::support::wait::looked_for;

/// How long a lab may take until every client reaches its POP: daemons start, sessions come up one after the other.
pub const WHOLE: Duration = Duration::from_secs(60);

/// When something was made to happen, on both clocks.
#[derive(Clone, Copy)]
pub struct Moment {
    /// For queries.
    pub instant: Instant,
    /// For the kernel's news.
    pub time: SystemTime,
}

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self { instant: Instant::now(), time: SystemTime::now() }
    }
}

/// Something that breaks in a POP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Breakage {
    /// `kill -9` of the name server.
    Process,
    /// The host loses its power: no carrier, no process, no last packet.
    Server,
    /// The switch between router and servers forwards nothing any more, and every carrier stays.
    Switch,
    /// The router loses its power.
    Router,
    /// The link between the POP's router and its transit.
    Link,
}

impl Breakage {
    /// Breaks it: all servers of a POP, or one, by name. Returns when it broke.
    pub fn make(self, lab: &RunningLab, target: &str) -> Result<Moment, LabError> {
        let topology = &lab.topology;
        match self {
            Self::Process => each(lab, target, &["sh", "/run/lab/node", "kill-server"]),
            Self::Server => each(lab, target, &["sh", "/run/lab/node", "die"]),
            Self::Switch => {
                let switch = topology.the(Role::Switch, target)?;
                Ok(told(&lab.run(switch, &["sh", "/run/lab/node", "down", "br0"])?))
            }
            Self::Router => {
                Ok(told(&lab.run(topology.the(Role::Router, target)?, &["sh", "/run/lab/node", "die"])?))
            }
            Self::Link => set_down(lab, topology.the(Role::Router, target)?, Role::Transit),
        }
    }
}

/// Cuts a region off from the others: its POP and its clients see each other only.
pub fn cut_off(lab: &RunningLab, pop: &str) -> Result<Moment, LabError> {
    set_down(lab, lab.topology.the(Role::Transit, pop)?, Role::Transit)
}

/// Drains the servers of a POP, as an operator does.
pub fn drain(lab: &RunningLab, target: &str) -> Result<(), LabError> {
    lab.topology.servers(target)?.into_iter().try_for_each(|server| stack::drain(lab, server))
}

/// Puts everything right that is wrong and waits until every client reaches its own POP again.
pub fn mend(lab: &RunningLab) -> Result<(), LabError> {
    for node in lab.topology.nodes.keys() {
        lab.run(node, &["sh", "/run/lab/node", "mend"])?;
    }
    for server in lab.topology.with_role(Role::Server, None).filter(|server| stack::is_drained(lab, server)) {
        stack::undrain(lab, server)?;
    }
    wait_whole(lab)
}

/// Waits until every client reaches its own POP, and every router has a path to each of its servers.
pub fn wait_whole(lab: &RunningLab) -> Result<(), LabError> {
    let mut last = Vec::new();
    let whole = looked_for(WHOLE, || {
        if let Err(fault) = interrupt::check().and_then(|()| lab.check()) {
            return Some(Err(fault));
        }
        if !lab.topology.pops().all(|pop| has_all_paths(lab, pop)) {
            return None;
        }
        last = map(lab);
        is_whole(lab, &last).then_some(Ok(()))
    });
    let late = || LabError::Late {
        what: format!(
            "every client reaches its own POP, every router its servers; last seen:\n{}",
            table(&last)
        ),
        seconds: WHOLE.as_secs(),
    };
    whole.unwrap_or_else(|| Err(late()))
}

/// Whether the router of a POP has as many next hops for the primary service as there are servers.
fn has_all_paths(lab: &RunningLab, pop: &str) -> bool {
    let servers = lab.topology.with_role(Role::Server, Some(pop)).count();
    has_paths(lab, pop, "main", |paths| paths >= servers)
}

/// Whether the number of different next hops that the router of a POP has for the primary service, in this table, is as wanted for both
/// families.
pub fn has_paths(lab: &RunningLab, pop: &str, table: &str, wanted: impl Fn(usize) -> bool) -> bool {
    let Ok(router) = lab.topology.the(Role::Router, pop) else { return false };
    PREFIXES.iter().zip(["-4", "-6"]).all(|(prefix, family)| {
        let routes = lab.run(router, &["ip", family, "route", "show", "table", table, "exact", prefix]);
        // A router may have static routes for the time without one of BGP.
        routes.is_ok_and(|routes| {
            let hops: BTreeSet<&str> =
                routes.split(" via ").skip(1).filter_map(|rest| rest.split_whitespace().next()).collect();
            !routes.contains("proto static") && wanted(hops.len())
        })
    })
}

/// Does it at each server; when the first did.
fn each(lab: &RunningLab, target: &str, arguments: &[&str]) -> Result<Moment, LabError> {
    let outputs = lab.topology.servers(target)?.into_iter().map(|server| lab.run(server, arguments));
    let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
    Ok(told(outputs.first().map(String::as_str).unwrap_or_default()))
}

fn set_down(lab: &RunningLab, node: &str, to: Role) -> Result<Moment, LabError> {
    let interfaces = lab.topology.interfaces(node, to);
    let interfaces = interfaces.iter().map(|(interface, _)| *interface);
    let order: Vec<&str> = ["sh", "/run/lab/node", "down"].into_iter().chain(interfaces).collect();
    Ok(told(&lab.run(node, &order)?))
}

/// The time that a node has printed before it broke something; now, if it has printed none.
fn told(output: &str) -> Moment {
    let seconds = output.lines().next().and_then(|line| line.trim().parse::<f64>().ok());
    let time = seconds.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?));
    let now = Moment::now();
    let ago = time.and_then(|time| now.time.duration_since(time).ok()).unwrap_or_default();
    let instant = now.instant.checked_sub(ago).unwrap_or(now.instant);
    Moment { instant, time: time.unwrap_or(now.time) }
}
