//! What watching costs: anyns plain; with a scrape each second, dnstap of one message in a hundred and two pages open; and with OTLP and RSSAC002 as
//! well. Interleaved round by round.

use std::path::PathBuf;
use std::process::Command;

use crate::cost;
use crate::dnsperf::{self, Load, Way};
use crate::figures::{Metric, Table};
use crate::observers::{Collectors, Observers};
use crate::queries::Queries;
use crate::run::Bench;
use crate::servers::{Kind, Server};
use crate::support::process::must;
use crate::usage::precise_cpu;
use crate::zones::World;

const METRICS: &[Metric] = &[
    Metric { name: "CPU µs/query", digits: 3, cost: true },
    Metric { name: "answers/s", digits: 0, cost: false },
    Metric { name: "p99 µs by dnsperf", digits: 0, cost: false },
    Metric { name: "p99 µs in the worker", digits: 1, cost: false },
];

const KINDS: [Kind; 3] = [Kind::Anyns, Kind::AnynsObserved, Kind::AnynsReported];

/// Seconds that latency is measured in a round.
const LATENCY: u32 = 1;

/// The family of the histogram.
const HISTOGRAM: &str = "anyns_query_duration_seconds_bucket";

/// Measures; the order of the servers turns with the rounds, so that none is always the first.
pub(crate) fn measure(bench: &Bench, title: &str, world: &World, queries: &Queries) -> Table {
    let mut table = Table::new(title, METRICS, &KINDS);
    let home = |kind: Kind| bench.home.join(format!("{kind:?}").to_lowercase());
    let collectors = Collectors::start(&home(Kind::AnynsObserved), &home(Kind::AnynsReported));
    let mut servers: Vec<Server> =
        KINDS.iter().map(|kind| Server::start_again(*kind, &bench.home, world, bench.cores.server)).collect();
    for server in &mut servers {
        server.wait_answers(&[cost::apex(world)]);
    }
    servers.iter().for_each(Server::wait_idle);
    let load = |seconds| Load {
        file: &queries.file,
        seconds,
        way: Way::Udp,
        edns: bench.options.edns,
        cores: &bench.cores.load,
    };
    for server in &servers {
        dnsperf::run(server.address, &load(cost::WARM_UP));
    }
    for round in 0..bench.options.rounds as usize {
        println!("{title}: round {} of {}", round + 1, bench.options.rounds);
        for turn in 0..servers.len() {
            let index = (turn + round) % servers.len();
            let server = &servers[index];
            let observers = (server.kind != Kind::Anyns).then(|| Observers::start(server.address));
            let before = precise_cpu(server.pid());
            let counts = dnsperf::run(server.address, &load(bench.options.seconds));
            let used = precise_cpu(server.pid()) - before;
            let earlier = Histogram::of(home(server.kind));
            let late = dnsperf::late(server.address, &load(LATENCY));
            let in_worker = Histogram::of(home(server.kind)).since(&earlier).percentile(0.99);
            drop(observers);
            let row = [used.as_secs_f64() * 1e6 / counts.answers, counts.rate, late, in_worker];
            table.rows[index].rounds.push(row.into());
        }
    }
    table.faults = collectors.faults();
    told(&table);
    table
}

/// The ratios to plain anyns, round by round: a machine that drifts does so for both of a round.
fn told(table: &Table) {
    let plain: Vec<f64> = table.rows[0].rounds.iter().map(|round| round[0]).collect();
    for row in &table.rows[1..] {
        let mut ratios: Vec<f64> =
            row.rounds.iter().zip(&plain).map(|(round, plain)| round[0] / plain).collect();
        ratios.sort_by(f64::total_cmp);
        let (low, high) = (ratios[(ratios.len() - 1) / 2], ratios[ratios.len() / 2]);
        let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
        println!(
            "CPU per query of {} by plain anyns, by round: {:.3} ({least:.3} to {most:.3})",
            row.kind.name(),
            (low + high) / 2.0
        );
    }
}

/// The buckets of a running anyns: the limit in microseconds, and how many queries took at most so long.
struct Histogram(Vec<(f64, f64)>);

impl Histogram {
    fn of(home: PathBuf) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_anyns"));
        let text = must(command.args(["metrics", "--socket"]).arg(home.join("control")));
        let bucket = |line: &str| {
            let rest = line.strip_prefix(HISTOGRAM)?;
            let limit = rest.split("le=\"").nth(1)?.split('"').next()?;
            let limit = if limit == "+Inf" { f64::INFINITY } else { limit.parse::<f64>().ok()? * 1e6 };
            Some((limit, rest.rsplit(' ').next()?.parse().ok()?))
        };
        Self(text.lines().filter_map(bucket).collect())
    }

    fn since(&self, earlier: &Self) -> Self {
        Self(self.0.iter().zip(&earlier.0).map(|(now, then)| (now.0, now.1 - then.1)).collect())
    }

    /// Interpolated within a bucket, as Prometheus does.
    fn percentile(&self, share: f64) -> f64 {
        let wanted = share * self.0.last().map_or(0.0, |(_, all)| *all);
        let mut below = (0.0, 0.0);
        for (limit, count) in &self.0 {
            if *count >= wanted && *count > below.1 {
                return below.0 + (limit - below.0) * (wanted - below.1) / (count - below.1);
            }
            below = (*limit, *count);
        }
        f64::NAN
    }
}
