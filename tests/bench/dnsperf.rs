//! The load over UDP and kept TCP connections: dnsperf, on cores of the load's own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::once;
use crate::support::process::must;

/// Clients over UDP, and queries that wait for an answer at once: the figures that the goals come from were measured so.
const CLIENTS: &str = "64";
const OUTSTANDING: &str = "200";
/// Connections over TCP: below the 64 that anyns takes from one prefix, so that its shipped limit is not what is measured.
const CONNECTIONS: &str = "32";

/// Queries a second at which latency is measured: far below what a core answers, so that no queue is measured.
const LATENCY_RATE: &str = "20000";

/// What the queries go over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// UDP.
    Udp,
    /// TCP connections that are kept.
    Tcp,
    /// A TCP connection for each query ([`crate::once`]).
    TcpOnce,
}

/// How it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load<'a> {
    /// The queries.
    pub(crate) file: &'a Path,
    /// For so many seconds.
    pub(crate) seconds: u32,
    /// Over what.
    pub(crate) way: Way,
    /// With EDNS and DO.
    pub(crate) edns: bool,
    /// From each of these cores as much; once and anywhere if there is none.
    pub(crate) cores: &'a [usize],
}

/// What it counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// Answers.
    pub(crate) answers: f64,
    /// Queries without an answer.
    pub(crate) lost: f64,
    /// Answers a second.
    pub(crate) rate: f64,
    /// The answers by RCODE, as dnsperf writes it.
    pub(crate) codes: String,
}

impl Counts {
    /// What both counted at the same time.
    fn and(self, other: Self) -> Self {
        Self {
            answers: self.answers + other.answers,
            lost: self.lost + other.lost,
            rate: self.rate + other.rate,
            codes: format!("{} {}", self.codes, other.codes),
        }
    }
}

/// Asks, and waits until that is over.
pub(crate) fn run(server: SocketAddr, load: &Load<'_>) -> Counts {
    let cores = match load.cores {
        [] => vec![None],
        cores => cores.iter().copied().map(Some).collect(),
    };
    std::thread::scope(|scope| {
        let asking: Vec<_> =
            cores.into_iter().map(|core| scope.spawn(move || run_on(core, server, load))).collect();
        let counts = asking.into_iter().map(|asking| asking.join().expect("the load does not panic"));
        counts.reduce(Counts::and).unwrap_or_default()
    })
}

fn run_on(core: Option<usize>, server: SocketAddr, load: &Load<'_>) -> Counts {
    if load.way == Way::TcpOnce {
        return once::run(core, server, load);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some(core) = core {
        command.args(["taskset", "-c", &core.to_string()]);
    }
    command.args(["dnsperf", "-s", &server.ip().to_string(), "-p", &server.port().to_string()]);
    command.args(["-T", "1", "-q", OUTSTANDING, "-l", &load.seconds.to_string()]).arg("-d").arg(load.file);
    command.args(if load.way == Way::Tcp {
        ["-m", "tcp", "-c", CONNECTIONS]
    } else {
        ["-m", "udp", "-c", CLIENTS]
    });
    if load.edns {
        command.args(["-e", "-D"]);
    }
    let counts = read(&must(&mut command));
    assert!(counts.answers > 0.0, "no answer came back from {server}");
    counts
}

/// The 99th percentile in microseconds of what dnsperf sees of each query, at [`LATENCY_RATE`].
pub(crate) fn late(server: SocketAddr, load: &Load<'_>) -> f64 {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some(core) = load.cores.first() {
        command.args(["taskset", "-c", &core.to_string()]);
    }
    command.args(["dnsperf", "-s", &server.ip().to_string(), "-p", &server.port().to_string()]);
    command.args(["-T", "1", "-c", CLIENTS, "-q", OUTSTANDING, "-Q", LATENCY_RATE, "-v"]);
    command.args(["-l", &load.seconds.to_string()]).arg("-d").arg(load.file);
    let text = must(&mut command);
    let lines = text.lines().filter_map(|line| line.strip_prefix("> "));
    let mut times: Vec<f64> = lines.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
    assert!(!times.is_empty(), "dnsperf tells each query: {text}");
    times.sort_by(f64::total_cmp);
    times[times.len() * 99 / 100] * 1e6
}

fn read(text: &str) -> Counts {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key));
        line.unwrap_or_default().trim().to_owned()
    };
    let number =
        |key: &str| value(key).split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
    Counts {
        answers: number("Queries completed:"),
        lost: number("Queries lost:"),
        rate: number("Queries per second:"),
        codes: value("Response codes:"),
    }
}
