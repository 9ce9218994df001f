//! Cost of a start: each server is started, asked until it answers, looked at, and ended, round by round. On all cores,
//! for that is how a server starts.

use crate::figures::{Metric, Table};
use crate::queries::Query;
use crate::run::Bench;
use crate::servers::{Kind, Server};
use crate::zones::World;

/// From start to the answer.
pub(crate) const METRICS: &[Metric] = &[
    Metric { name: "wall s", digits: 2, cost: true },
    Metric { name: "CPU s", digits: 2, cost: true },
    Metric { name: "memory (PSS) MB", digits: 0, cost: true },
];

/// Zones that must answer, spread over all: a server that loads one by one has loaded all of them then.
const ASKED: usize = 100;

/// Measures the start with this world; with anyns among the servers also its start with each zone named in the configuration, if there
/// are several, and its restart.
pub(crate) fn measure(bench: &Bench, title: &str, world: &World) -> Table {
    let mut kinds: Vec<Kind> = bench.kinds.iter().copied().filter(|kind| *kind != Kind::Reflector).collect();
    if kinds.contains(&Kind::Anyns) {
        kinds.extend((world.zones.len() > 1).then_some(Kind::AnynsListed));
        kinds.push(Kind::AnynsRestart);
    }
    let mut table = Table::new(title, METRICS, &kinds);
    let asked = queries(world);
    for round in 1..=bench.options.rounds {
        println!("{title}: round {round} of {}", bench.options.rounds);
        for row in &mut table.rows {
            let mut server = start(row.kind, bench, world);
            let wall = server.wait_answers(&asked);
            let (cpu, memory) = (server.cpu(), server.memory());
            row.rounds.push(vec![wall.as_secs_f64(), cpu.total().as_secs_f64(), memory as f64 / 1e6]);
        }
    }
    table
}

fn start(kind: Kind, bench: &Bench, world: &World) -> Server {
    if kind != Kind::AnynsRestart {
        return Server::start(kind, &bench.home, world, None);
    }
    let mut first = Server::start(kind, &bench.home, world, None);
    first.wait_answers(&queries(world));
    // All zones are kept then.
    first.wait_idle();
    drop(first);
    Server::start_again(kind, &bench.home, world, None)
}

/// SOA queries for zones spread evenly, the last one first: it is what most wait for.
fn queries(world: &World) -> Vec<Query> {
    let step = world.zones.len().div_ceil(ASKED).max(1);
    let zones = world.zones.iter().rev().step_by(step);
    zones.map(|zone| Query { name: zone.origin.clone(), record_type: "SOA" }).collect()
}
