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

/// Measures the start with this world.
pub(crate) fn measure(bench: &Bench, title: &str, world: &World) -> Table {
    let kinds: Vec<Kind> = bench.kinds.iter().copied().filter(|kind| *kind != Kind::Reflector).collect();
    let mut table = Table::new(title, METRICS, &kinds);
    let asked = queries(world);
    for round in 1..=bench.options.rounds {
        println!("{title}: round {round} of {}", bench.options.rounds);
        for row in &mut table.rows {
            let mut server = Server::start(row.kind, &bench.home, world, None);
            let wall = server.wait_answers(&asked);
            let (cpu, memory) = (server.cpu(), server.memory());
            row.rounds.push(vec![wall.as_secs_f64(), cpu.total().as_secs_f64(), memory as f64 / 1e6]);
        }
    }
    table
}

/// SOA queries for zones spread evenly, the last one first: it is what most wait for.
fn queries(world: &World) -> Vec<Query> {
    let step = world.zones.len().div_ceil(ASKED).max(1);
    let zones = world.zones.iter().rev().step_by(step);
    zones.map(|zone| Query { name: zone.origin.clone(), record_type: "SOA" }).collect()
}
