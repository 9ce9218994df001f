//! How long queries take beside sources that do not answer, and beside large zones that compile: anyns alone, with the workers and the threads
//! that load on the same cores. What compiling costs them is held against what the same work costs them in other processes of the same priority.
//!
//! The source that does not answer is a FUSE file system whose daemon is stopped.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::ask::{percentile, serial, times};
use crate::figures::{Metric, Table};
use crate::queries::Query;
use crate::run::Bench;
use crate::servers::{Kind, Server};
use crate::support::fuse::Fuse;
use crate::zones::{self, World};

/// What is measured: microseconds of a query for the SOA record of a small zone.
const METRICS: &[Metric] = &[
    Metric { name: "p50 quiet µs", digits: 0, cost: true },
    Metric { name: "p99 quiet µs", digits: 0, cost: true },
    Metric { name: "p50 hanging µs", digits: 0, cost: true },
    Metric { name: "p99 hanging µs", digits: 0, cost: true },
    Metric { name: "p50 elsewhere µs", digits: 0, cost: true },
    Metric { name: "p99 elsewhere µs", digits: 0, cost: true },
    Metric { name: "longest elsewhere µs", digits: 0, cost: true },
    Metric { name: "p50 compiling µs", digits: 0, cost: true },
    Metric { name: "p99 compiling µs", digits: 0, cost: true },
    Metric { name: "longest compiling µs", digits: 0, cost: true },
    Metric { name: "compiling s", digits: 1, cost: true },
];

/// Zones on the source that does not answer: ten times as many as there are threads that load.
pub(crate) const HANGING: u32 = 40;
/// Large zones, and the records of each.
const LARGE: usize = 4;
const RECORDS: u32 = 1_000_000;
/// The nice value of a server's threads for large zones.
const NICE: &str = "10";
/// For the large zones to be served.
const DEPLOY: Duration = Duration::from_secs(300);
/// How many queries go by between two looks at whether the large zones are served.
const LOOK: u32 = 100;

/// Measures it round by round.
pub(crate) fn measure(bench: &Bench, title: &str, world: &World) -> Table {
    let kind = Kind::AnynsHanging;
    let mut table = Table::new(title, METRICS, &[kind]);
    let home = bench.home.join(format!("{kind:?}").to_lowercase());
    for round in 1..=bench.options.rounds {
        println!("{title}: round {round} of {}", bench.options.rounds);
        let large = large(&bench.home.join("large"), bench.options.seed);
        let _ = std::fs::remove_dir_all(&home);
        let sources = home.join("sources");
        for number in 0..HANGING {
            zones::small(&sources.join(number.to_string()), 1, seed(number));
        }
        let Some(fuse) = Fuse::mount(&sources, &home.join("hung")) else {
            println!("SKIPPED {title}: there is no FUSE (apt-get install bindfs)");
            return table;
        };
        let mut server = Server::start_again(kind, &bench.home, world, None);
        let soa = Query { name: world.origin().to_owned(), record_type: "SOA" };
        server.wait_answers(std::slice::from_ref(&soa));
        server.wait_idle();
        let seconds = Duration::from_secs(bench.options.seconds.into());
        let asked = || {
            let begun = Instant::now();
            times(server.address, &soa, || begun.elapsed() < seconds)
        };
        let quiet = asked();
        fuse.stop();
        look_at_all(&home.join("control"));
        let hanging = asked();
        let mut checks = Checks::start(&large);
        let elsewhere = times(server.address, &soa, || !checks.have_ended());
        let begun = Instant::now();
        let files = deploy(&large, &world.directory);
        let mut looks = Looks::new(&server, &large);
        let compiling = times(server.address, &soa, || !looks.are_served());
        let took = begun.elapsed().as_secs_f64();
        fuse.go_on();
        drop(server);
        files.iter().for_each(|file| std::fs::remove_file(file).expect("the zone file can be removed"));
        let both = |times: &[f64]| vec![percentile(times, 0.5), percentile(times, 0.99)];
        let three = |times: &[f64]| [both(times), vec![percentile(times, 1.0)]].concat();
        let figures =
            [both(&quiet), both(&hanging), three(&elsewhere), three(&compiling), vec![took]].concat();
        table.rows.first_mut().expect("the table has a row").rounds.push(figures);
    }
    table
}

/// The seed of a zone of the source that does not answer.
pub(crate) fn seed(number: u32) -> u64 {
    1_000_000 + u64::from(number)
}

/// The large zones, in files outside of the directory that is served.
fn large(directory: &Path, seed: u64) -> Vec<zones::ZoneFile> {
    let _ = std::fs::remove_dir_all(directory);
    let mut world = zones::mixed(directory, RECORDS, seed);
    let first = world.zones.remove(0);
    let copy = |number| {
        let path = directory.join(format!("large{number}.test.zone"));
        let text = std::fs::read_to_string(&first.path).expect("the zone file can be read");
        let origin = format!("large{number}.test");
        std::fs::write(&path, text.replacen(&first.origin, &origin, 1))
            .expect("the zone file can be written");
        zones::ZoneFile { origin, path }
    };
    (0..LARGE).map(copy).collect()
}

/// Moves the files into the directory that is served.
fn deploy(large: &[zones::ZoneFile], directory: &Path) -> Vec<PathBuf> {
    let moved = |zone: &zones::ZoneFile| {
        let path = directory.join(zone.path.file_name().expect("a zone file has a name"));
        std::fs::rename(&zone.path, &path).expect("the zone file can be moved");
        path
    };
    large.iter().map(moved).collect()
}

/// Has the server look at every source. The order may say that a source does not answer.
fn look_at_all(control: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anyns"));
    let output = command.args(["reload", "--socket"]).arg(control).output().expect("anyns can be run");
    println!("reload: {}", String::from_utf8_lossy(&output.stdout).trim());
}

/// `anyns zone check` of each large zone, all at once, at the priority that a server gives its threads for large zones.
struct Checks(Vec<Child>);

impl Checks {
    fn start(large: &[zones::ZoneFile]) -> Self {
        let check = |zone: &zones::ZoneFile| {
            let mut command = Command::new("nice");
            command.args(["-n", NICE, env!("CARGO_BIN_EXE_anyns"), "zone", "check"]).arg(&zone.path);
            command.stdout(Stdio::null()).spawn().expect("anyns can be run")
        };
        Self(large.iter().map(check).collect())
    }

    fn have_ended(&mut self) -> bool {
        self.0.retain_mut(|check| check.try_wait().expect("the process can be asked").is_none());
        self.0.is_empty()
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        for check in &mut self.0 {
            // An error means that it has ended.
            let _ = check.kill();
            let _ = check.wait();
        }
    }
}

/// Whether the large zones are served, asked seldom: the answer costs a query of its own.
struct Looks {
    server: std::net::SocketAddr,
    socket: UdpSocket,
    absent: Vec<Query>,
    until_next: u32,
    begun: Instant,
}

impl Looks {
    fn new(server: &Server, large: &[zones::ZoneFile]) -> Self {
        let soa = |zone: &zones::ZoneFile| Query { name: zone.origin.clone(), record_type: "SOA" };
        Self {
            server: server.address,
            socket: UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port"),
            absent: large.iter().map(soa).collect(),
            until_next: LOOK,
            begun: Instant::now(),
        }
    }

    fn are_served(&mut self) -> bool {
        self.until_next -= 1;
        if self.until_next > 0 {
            return false;
        }
        self.until_next = LOOK;
        assert!(self.begun.elapsed() < DEPLOY, "the large zones are not served after {DEPLOY:?}");
        self.absent.retain(|soa| serial(&self.socket, self.server, soa).is_none());
        self.absent.is_empty()
    }
}
