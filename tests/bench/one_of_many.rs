//! What one change costs beside many other zones: anyns with `zones` zones, and anyns with one of them alone.
//!
//! - one changed file: from its renaming to the first answer with its serial, asked of a server that runs as it is shipped, and the
//!   CPU time of all its threads meanwhile, without what they use when nothing changes
//! - one difference at the seam of incremental transfers: a publisher in this process, from the call to its return, and the CPU time of
//!   this process
//!
//! Both servers and both publishers run through all rounds, so that a machine that drifts drifts for both.

use std::net::UdpSocket;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyns::publish::{Deploy, Difference, Publisher, PublisherHandle, Settings};
use anyns::wire::{Name, RecordType};
use anyns::zone::{Place, Published, RecordBatch, Zone};
use tokio::runtime::Runtime;

use crate::ask::serial;
use crate::difference::{spread, with_serial};
use crate::figures::{Metric, Table};
use crate::queries::Query;
use crate::run::Bench;
use crate::servers::{Kind, Server};
use crate::support::wait::{holds_for, wait_for};
use crate::usage;
use crate::zones::World;

/// What is measured, each the median of a round's changes.
pub(crate) const METRICS: &[Metric] = &[
    Metric { name: "file to served ms", digits: 2, cost: true },
    Metric { name: "CPU ms a file", digits: 3, cost: true },
    Metric { name: "difference ms", digits: 3, cost: true },
    Metric { name: "CPU ms a difference", digits: 3, cost: true },
];

/// Changes of each kind in a round.
const CHANGES: u32 = 40;
/// How long it is looked what a server uses when nothing changes.
const IDLE: Duration = Duration::from_secs(2);
/// For a change to be served.
const SERVED: Duration = Duration::from_secs(60);

/// One of the two sides: a server, a publisher, and the zone that changes.
struct Side {
    server: Server,
    publisher: PublisherHandle,
    published: Arc<Published>,
    world: World,
    serial: u32,
}

/// Measures both, round by round.
pub(crate) fn measure(bench: &Bench, title: &str, many: World, one: World) -> Table {
    let kinds = [Kind::Anyns, Kind::AnynsOneZone];
    let mut table = Table::new(title, METRICS, &kinds);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime starts");
    let mut sides = kinds.into_iter().zip([many, one]).collect::<Vec<_>>();
    let mut sides: Vec<Side> =
        sides.drain(..).map(|(kind, world)| Side::start(bench, &runtime, kind, world)).collect();
    sides.iter().for_each(|side| side.server.wait_idle());
    for round in 1..=bench.options.rounds {
        println!("{title}: round {round} of {}", bench.options.rounds);
        for (row, side) in table.rows.iter_mut().zip(&mut sides) {
            let files = side.files();
            let differences = side.differences(&runtime);
            row.rounds.push([files, differences].concat());
        }
    }
    for side in sides {
        runtime.block_on(side.publisher.shutdown());
    }
    table
}

impl Side {
    fn start(bench: &Bench, runtime: &Runtime, kind: Kind, world: World) -> Self {
        let mut server = Server::start(kind, &bench.home, &world, None);
        server.wait_answers(&[soa(&world)]);
        let state = bench.home.join(format!("{kind:?}-publisher"));
        let published = Arc::<Published>::default();
        let publisher = runtime.block_on(start(&world, &state, &published));
        Self { server, publisher, published, world, serial: 1 }
    }

    /// The median of milliseconds from a renaming to the answer, and the CPU time of one.
    fn files(&mut self) -> Vec<f64> {
        let pid = self.server.pid();
        let before = (Instant::now(), usage::precise_cpu(pid));
        holds_for("the server runs", IDLE, || true);
        let idle = (usage::precise_cpu(pid) - before.1).as_secs_f64() / before.0.elapsed().as_secs_f64();
        let (begun, used) = (Instant::now(), usage::precise_cpu(pid));
        for _ in 0..CHANGES {
            self.file(|look| {
                wait_for("the changed zone is served", SERVED, look);
            });
        }
        let used = (usage::precise_cpu(pid) - used).as_secs_f64() - idle * begun.elapsed().as_secs_f64();
        // Asked without a pause: the answers would cost more CPU time than the change.
        let mut times: Vec<f64> = (0..CHANGES).map(|_| self.file(|look| while look().is_none() {})).collect();
        vec![spread(&mut times).0, used * 1e3 / f64::from(CHANGES)]
    }

    /// Milliseconds from a renaming to the answer, which is looked for again and again by `wait`.
    fn file(&mut self, wait: impl FnOnce(&mut dyn FnMut() -> Option<()>)) -> f64 {
        let path = &self.world.zones[0].path;
        let text = std::fs::read_to_string(path).expect("the zone file can be read");
        let (old, new) = (format!("hostmaster {} ", self.serial), format!("hostmaster {} ", self.serial + 1));
        self.serial += 1;
        // Beside the directory, so that one file alone changes in it.
        let fresh = self.world.directory.with_extension("new");
        std::fs::write(&fresh, text.replacen(&old, &new, 1)).expect("the new zone file can be written");
        std::fs::rename(&fresh, path).expect("the new zone file can be moved");
        let moved = Instant::now();
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        let query = soa(&self.world);
        wait(&mut || (serial(&socket, self.server.address, &query) == Some(self.serial)).then_some(()));
        moved.elapsed().as_secs_f64() * 1e3
    }

    /// Milliseconds from the call to its return, and of CPU time of this process.
    fn differences(&self, runtime: &Runtime) -> Vec<f64> {
        let origin: Name = self.world.origin().parse().expect("the origin is a name");
        let used = usage::precise_cpu(std::process::id());
        let mut times: Vec<f64> = (0..CHANGES).map(|_| self.difference(runtime, &origin)).collect();
        let used = (usage::precise_cpu(std::process::id()) - used).as_secs_f64();
        vec![spread(&mut times).0, used * 1e3 / f64::from(CHANGES)]
    }

    fn difference(&self, runtime: &Runtime, origin: &Name) -> f64 {
        let zone = self.published.load().zone(origin).expect("the zone is served").clone();
        let difference = next(&zone);
        let to = difference.to;
        let begun = Instant::now();
        let applied =
            runtime.block_on(self.publisher.apply(origin, vec![difference])).expect("the difference fits");
        let took = begun.elapsed().as_secs_f64() * 1e3;
        let served = self.published.load().zone(origin).map(|zone| zone.serial());
        assert!(applied.durable && served == Some(to), "{applied:?}, served {served:?}");
        took
    }
}

/// A publisher that serves all zones of the world and has kept them; their files, which change for the server, are not read again.
async fn start(world: &World, state: &Path, published: &Arc<Published>) -> PublisherHandle {
    let settings = Settings {
        directories: vec![world.directory.clone()],
        state_directory: Some(state.to_path_buf()),
        deploy: Deploy::Reload,
        ..Settings::default()
    };
    let publisher = Publisher::start(settings, published.clone()).expect("the publisher starts");
    let mut report = publisher.report();
    let zones = world.zones.len();
    report.wait_for(|it| it.settled && it.served() == zones && it.unkept == 0).await;
    publisher
}

/// A difference that changes the address of a name server.
fn next(zone: &Zone) -> Difference {
    let origin = zone.origin();
    let (mut deleted, mut added) = (RecordBatch::new(origin), RecordBatch::new(origin));
    let to = with_serial(zone, (&mut deleted, &mut added));
    let owner: Name = format!("ns1.{origin}").parse().expect("the owner is a name");
    let node = zone.find(&(&owner).into()).expect("the name server is there");
    let set = node.set(RecordType::A).expect("it has an address");
    let old = set.rdata().next().expect("it has an address");
    deleted.push(owner.as_wire(), RecordType::A, set.ttl, old, Place::default());
    let new = old.iter().map(|octet| octet ^ 1).collect::<Vec<_>>();
    added.push(owner.as_wire(), RecordType::A, set.ttl, &new, Place::default());
    Difference { from: zone.serial(), to, deleted, added }
}

fn soa(world: &World) -> Query {
    Query { name: world.origin().to_owned(), record_type: "SOA" }
}
