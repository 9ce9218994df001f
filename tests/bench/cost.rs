//! Cost of a query: all servers run at once, each is asked in turn, round by round.

use std::time::Duration;

use crate::compare::compare;
use crate::dnsperf::{self, Load, Way};
use crate::figures::{Metric, Table};
use crate::options::Options;
use crate::queries::{Queries, Query};
use crate::run::Bench;
use crate::servers::{Kind, Server};
use crate::zones::World;

/// CPU time by the answers that dnsperf counted.
pub(crate) const METRICS: &[Metric] = &[
    Metric { name: "CPU µs/query", digits: 2, cost: true },
    Metric { name: "user µs/query", digits: 2, cost: true },
    Metric { name: "system µs/query", digits: 2, cost: false },
    Metric { name: "answers/s", digits: 0, cost: false },
    Metric { name: "lost %", digits: 2, cost: false },
];

/// Seconds that a server is asked before the first round: its pages and caches are warm then.
pub(crate) const WARM_UP: u32 = 1;

/// Below this the ticks of /proc, 10 ms, are more than some percent of what is measured.
const LEAST_CPU: Duration = Duration::from_millis(300);

/// Measures one scenario. The reflector speaks UDP alone.
pub(crate) fn measure(bench: &Bench, title: &str, world: &World, queries: &Queries, way: Way) -> Table {
    let kinds: Vec<Kind> =
        bench.kinds.iter().copied().filter(|kind| way == Way::Udp || *kind != Kind::Reflector).collect();
    let mut table = Table::new(title, METRICS, &kinds);
    let mut servers: Vec<Server> =
        kinds.iter().map(|kind| Server::start(*kind, &bench.home, world, bench.cores.server)).collect();
    for server in &mut servers {
        server.wait_answers(&[apex(world)]);
    }
    servers.iter().for_each(Server::wait_idle);
    table.faults = compare(&servers, &queries.sample);
    let load = |options: &Options, seconds| Load {
        file: &queries.file,
        seconds,
        way,
        edns: options.edns,
        cores: &bench.cores.load,
    };
    for server in &servers {
        dnsperf::run(server.address, &load(&bench.options, WARM_UP));
    }
    for round in 1..=bench.options.rounds {
        println!("{title}: round {round} of {}", bench.options.rounds);
        for (server, row) in servers.iter().zip(&mut table.rows) {
            let before = server.cpu();
            let counts = dnsperf::run(server.address, &load(&bench.options, bench.options.seconds));
            let cpu = server.cpu() - before;
            if server.kind != Kind::Reflector
                && ["REFUSED", "SERVFAIL"].iter().any(|one| counts.codes.contains(one))
            {
                table.faults.push(format!("{} under load: {}", server.kind.name(), counts.codes));
            }
            if cpu.total() < LEAST_CPU {
                let (name, used) = (server.kind.name(), cpu.total());
                println!(
                    "WARNING: {name} used only {used:?}, told in ticks of 10 ms: ask longer (--seconds)"
                );
            }
            let each = 1e6 / counts.answers;
            row.rounds.push(vec![
                cpu.total().as_secs_f64() * each,
                cpu.user.as_secs_f64() * each,
                cpu.system.as_secs_f64() * each,
                counts.rate,
                100.0 * counts.lost / (counts.lost + counts.answers),
            ]);
        }
    }
    table
}

/// The query that tells that a zone is served.
pub(crate) fn apex(world: &World) -> Query {
    Query { name: world.origin().into(), record_type: "SOA" }
}
