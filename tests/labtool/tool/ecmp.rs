//! A server joins and leaves the ECMP group of its POP while TCP connections are open at the other one: with the kernel's plain
//! multipath routes, and with resilient next-hop groups (ip-nexthop(8)), which a helper on the router makes (`node resilient`).

use std::net::{IpAddr, SocketAddr};

use super::catchment::SERVICES;
use super::error::LabError;
use super::faults::{self, Moment, has_paths};
use super::flows::Flows;
use super::nodes::RunningLab;
use super::observe::wait;
use super::stack;
use super::topology::Role;

/// Connections for each family. anyns takes 64 from one source, and a server counts those that were moved away from it until they have
/// been idle for ten seconds.
const FLOWS: usize = 32;
/// Answers of each connection that show that it goes on: two seconds, longer than a retransmission.
const ROUNDS: u32 = 20;

/// What a change of the group did to the connections over one family.
#[derive(Clone, Debug, serde::Serialize)]
pub struct GroupChange {
    /// `joins` or `leaves`.
    pub change: &'static str,
    /// 0 for IPv4, 1 for IPv6.
    pub family: usize,
    /// Connections to the server that stays.
    pub staying: usize,
    /// How many of these broke.
    pub staying_broken: usize,
    /// Connections to the server that leaves.
    pub leaving: usize,
    /// How many of these broke.
    pub leaving_broken: usize,
}

/// Lets the last server of the POP join and leave; the groups of the router are resilient where asked for. The router is plain afterwards,
/// and before: a scenario that was interrupted leaves its groups.
pub fn change_group(
    lab: &RunningLab,
    pop: &str,
    is_resilient: bool,
    moment: &mut Moment,
) -> Result<Vec<GroupChange>, LabError> {
    let router = lab.topology.the(Role::Router, pop)?;
    lab.run(router, &["sh", "/run/lab/node", "plain"])?;
    if is_resilient {
        start_resilient(lab, router)?;
    }
    let changes = join_and_leave(lab, pop, is_resilient, moment);
    let ended = lab.run(router, &["sh", "/run/lab/node", "plain"]);
    let changes = changes?;
    ended.map(|_| changes)
}

/// Starts the helper on a router, which goes on until `node plain` or `node mend`.
pub fn start_resilient(lab: &RunningLab, router: &str) -> Result<(), LabError> {
    let start = "setsid sh /run/lab/node resilient </dev/null >/run/resilient.log 2>&1 &";
    lab.run(router, &["sh", "-c", start]).map(drop)
}

fn join_and_leave(
    lab: &RunningLab,
    pop: &str,
    is_resilient: bool,
    moment: &mut Moment,
) -> Result<Vec<GroupChange>, LabError> {
    let servers = lab.topology.servers(pop)?;
    let [stays, joins] = servers[..] else {
        return Err(super::error::unknown("POP of two servers", pop, ["ap"].into_iter()));
    };
    let paths = |count| wait_paths(lab, pop, count, is_resilient);
    paths(2)?;
    faults::drain(lab, joins)?;
    paths(1)?;
    let before = open(lab, pop)?;
    wait_rounds(&before)?;
    *moment = Moment::now();
    stack::undrain(lab, joins)?;
    paths(2)?;
    wait_rounds(&before)?;
    let mut changes = changes("joins", &before, stays, joins);
    drop(before);

    // New connections go to both, as soon as parts of the group that nobody uses have been handed over.
    let mut both = None;
    wait("new connections reach both servers", || {
        let Ok(flows) = open(lab, pop) else { return false };
        let reached = wait_rounds(&flows).is_ok()
            && flows.iter().all(|flows| flows.of(stays).0 > 0 && flows.of(joins).0 > 0);
        both = reached.then_some(flows);
        reached
    })?;
    let both = both.unwrap_or_default();
    faults::drain(lab, joins)?;
    paths(1)?;
    wait_rounds(&both)?;
    changes.extend(self::changes("leaves", &both, stays, joins));
    Ok(changes)
}

/// Connections from the region's client to the primary service, over both families.
fn open(lab: &RunningLab, pop: &str) -> Result<Vec<Flows>, LabError> {
    let space = lab.space(lab.topology.the(Role::Client, pop)?);
    let services = SERVICES.iter().take(2).filter_map(|address| address.parse::<IpAddr>().ok());
    Ok(services.map(|address| Flows::open(&space, SocketAddr::new(address, 53), FLOWS)).collect())
}

/// Waits until every connection has had [`ROUNDS`] more answers or is broken.
fn wait_rounds(flows: &[Flows]) -> Result<(), LabError> {
    let goals: Vec<u32> = flows.iter().map(|flows| flows.least_answers().unwrap_or(0) + ROUNDS).collect();
    wait("every connection is answered or broken", || {
        flows.iter().zip(&goals).all(|(flows, goal)| flows.least_answers().is_none_or(|least| least >= *goal))
    })
}

/// Waits until the router sends to so many servers, over both families.
fn wait_paths(lab: &RunningLab, pop: &str, count: usize, is_resilient: bool) -> Result<(), LabError> {
    let table = if is_resilient { "153" } else { "main" };
    wait(&format!("the router of {pop} has {count} paths in the table {table}"), || {
        has_paths(lab, pop, table, |paths| paths == count)
    })
}

fn changes(change: &'static str, flows: &[Flows], stays: &str, joins: &str) -> Vec<GroupChange> {
    let of = |(family, flows): (usize, &Flows)| {
        let ((staying, staying_broken), (leaving, leaving_broken)) = (flows.of(stays), flows.of(joins));
        GroupChange { change, family, staying, staying_broken, leaving, leaving_broken }
    };
    flows.iter().enumerate().map(of).collect()
}

/// The heading and a line for each change; nothing without changes.
pub fn table(scenario: &str, pop: &str, changes: &[GroupChange]) -> String {
    let heading =
        "next-hop group   POP  family  a server  TCP connections to the other: broken  to itself: broken\n";
    let row = |one: &GroupChange| {
        let (family, change) = (["IPv4", "IPv6"][one.family], one.change);
        let other = format!("{} of {}", one.staying_broken, one.staying);
        let own = format!("{} of {}", one.leaving_broken, one.leaving);
        format!("{scenario:<16} {pop:<4} {family:<7} {change:<8}  {other:>36}  {own:>17}\n")
    };
    if changes.is_empty() {
        String::new()
    } else {
        heading.to_owned() + &changes.iter().map(row).collect::<String>()
    }
}
