//! A large zone from a hub to one secondary of the same make: anyns to anyns, Knot DNS to Knot DNS.
//!
//! - the whole zone: from the start of an empty secondary to its first answer, and the most memory it had by what it has then
//! - ten records that change by a dynamic update at the hub: from the sending of the update to the answer of the secondary with the new serial,
//!   through NOTIFY and IXFR
//!
//! Knot keeps differences in its journal and writes no zone file (`zonefile-sync: -1`), so that no change costs it a file of the whole
//! zone; what it got by AXFR is then in no file, while anyns has kept it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use crate::ask;
use crate::change::{CHANGED, most_memory};
use crate::difference::spread;
use crate::figures::{Metric, Table};
use crate::queries::Query;
use crate::run::Bench;
use crate::servers::{Kind, START, free_port, program, wait_idle};
use crate::support::process::Process;
use crate::support::wait::wait_for;
use crate::usage;
use crate::zones::{World, label};

/// What is measured.
pub(crate) const METRICS: &[Metric] = &[
    Metric { name: "whole zone s", digits: 2, cost: true },
    Metric { name: "peak / memory", digits: 2, cost: true },
    Metric { name: "memory (PSS) MB", digits: 0, cost: true },
    Metric { name: "ten records ms", digits: 1, cost: true },
    Metric { name: "longest ten records ms", digits: 1, cost: true },
];

/// Changes in a row, each when the one before is served.
const CHANGES: u64 = 20;
/// The key of transfers, NOTIFY and updates.
const SECRET: &str = "YmVuY2ggYmVuY2ggYmVuY2ggYmVuY2ggYmVuY2ggMDA=";

/// Measures both, round by round.
pub(crate) fn measure(bench: &Bench, title: &str, world: &World) -> Table {
    let kinds: Vec<Kind> =
        [Kind::Knot, Kind::Anyns].into_iter().filter(|kind| bench.kinds.contains(kind)).collect();
    let mut table = Table::new(title, METRICS, &kinds);
    if program("nsupdate").is_none() {
        println!("SKIPPED {title}: no nsupdate here; apt-get install bind9-dnsutils");
        return table;
    }
    for round in 1..=bench.options.rounds {
        println!("{title}: round {round} of {}", bench.options.rounds);
        for row in &mut table.rows {
            row.rounds.push(Pair::new(row.kind, &bench.home, world).measure(world));
        }
    }
    table
}

/// Where one server answers queries, and where it takes transfers, NOTIFY and updates.
#[derive(Clone, Copy, Debug)]
struct Ports {
    answers: u16,
    transfers: u16,
}

struct Pair {
    kind: Kind,
    home: PathBuf,
    hub: Ports,
    secondary: Ports,
}

impl Pair {
    fn new(kind: Kind, home: &Path, world: &World) -> Self {
        let home = home.join(format!("{kind:?}-pair").to_lowercase());
        let _ = std::fs::remove_dir_all(&home);
        for side in ["hub", "secondary"] {
            std::fs::create_dir_all(home.join(side)).expect("the server's directory can be made");
        }
        // Knot changes its file, or would: each pair has a copy.
        std::fs::copy(&world.zones[0].path, home.join("hub/zone")).expect("the zone file can be copied");
        let ports = || {
            let answers = free_port();
            Ports { answers, transfers: if kind == Kind::Knot { answers } else { free_port() } }
        };
        Self { kind, home, hub: ports(), secondary: ports() }
    }

    fn measure(&self, world: &World) -> Vec<f64> {
        let hub = self.start("hub", &self.hub_config(world));
        self.wait_serial(self.hub, world, 1);
        wait_idle("the hub", || usage::cpu(hub.pid()).total());
        let begun = Instant::now();
        let secondary = self.start("secondary", &self.secondary_config(world));
        self.wait_serial(self.secondary, world, 1);
        let whole = begun.elapsed().as_secs_f64();
        wait_idle("the secondary", || usage::cpu(secondary.pid()).total());
        let (memory, most) = (usage::memory(secondary.pid()), most_memory(secondary.pid()));
        let mut updates = Updates::start(self.hub.transfers);
        let change = |number: u64| {
            let sent = Instant::now();
            updates.send(&update(world, number));
            self.wait_serial(self.secondary, world, number + 2);
            sent.elapsed().as_secs_f64() * 1e3
        };
        let mut times: Vec<f64> = (0..CHANGES).map(change).collect();
        let (median, longest) = spread(&mut times);
        vec![whole, most as f64 / memory as f64, memory as f64 / 1e6, median, longest]
    }

    fn start(&self, side: &str, config: &str) -> Process {
        let path = self.home.join(side).join("config");
        std::fs::write(&path, config).expect("the configuration can be written");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        match self.kind {
            Kind::Knot => command.args(["knotd", "-c"]),
            _ => command.args([env!("CARGO_BIN_EXE_anyns"), "run", "--config"]),
        };
        command.arg(path).current_dir(&self.home);
        Process::start(side, command, self.home.join(side).join("log"))
    }

    fn hub_config(&self, world: &World) -> String {
        let (origin, home) = (world.origin(), self.home.join("hub"));
        match self.kind {
            Kind::Knot => knot(
                &home,
                self.hub,
                self.secondary,
                "    file: zone\n    zonefile-load: whole\n    notify: other\n",
                origin,
            ),
            _ => anyns(
                &home,
                self.hub,
                &format!(
                    "notify = [{{ address = \"127.0.0.1:{}\", key = \"bench.\" }}]\n",
                    self.secondary.transfers
                ),
                &format!(
                    "[[zone]]\nname = \"{origin}\"\nfile = \"{}\"\nupdate = [{{ key = \"bench.\", types = [\"ANY\"] }}]\n",
                    home.join("zone").display()
                ),
            ),
        }
    }

    fn secondary_config(&self, world: &World) -> String {
        let (origin, home) = (world.origin(), self.home.join("secondary"));
        match self.kind {
            Kind::Knot => {
                knot(&home, self.secondary, self.hub, "    zonefile-load: none\n    master: other\n", origin)
            }
            _ => anyns(
                &home,
                self.secondary,
                "",
                &format!(
                    "[[zone]]\nname = \"{origin}\"\nprimaries = [{{ address = \"127.0.0.1:{}\", key = \"bench.\" }}]\n",
                    self.hub.transfers
                ),
            ),
        }
    }

    fn wait_serial(&self, ports: Ports, world: &World, serial: u64) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let query = Query { name: world.origin().to_owned(), record_type: "SOA" };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.answers));
        wait_for(&format!("{} serves version {serial}", self.kind.name()), START, || {
            (ask::serial(&socket, address, &query).map(u64::from) == Some(serial)).then_some(())
        });
    }
}

fn anyns(home: &Path, ports: Ports, transfer: &str, zone: &str) -> String {
    let (home, Ports { answers, transfers }) = (home.display(), ports);
    format!(
        "[pop]\nname = \"bench\"\nmanagement-addresses = [\"127.0.0.1\"]\n[log]\nlevel = \"warn\"\n\
         [serve]\nengine = \"native\"\nport = {answers}\n[zones]\nstate-directory = \"{home}/state\"\n\
         [[service]]\nprefix = \"127.0.0.1/32\"\naddresses = [\"127.0.0.1\"]\n\
         [route]\ndriver = \"dry-run\"\n[control]\nsocket = \"{home}/control\"\n\
         [transfer]\nlisten = [\"127.0.0.1:{transfers}\"]\nallow = [{{ from = \"127.0.0.1/32\", keys = [\"bench.\"] }}]\n{transfer}\
         [[key]]\nname = \"bench.\"\nalgorithm = \"hmac-sha256\"\nsecret = \"{SECRET}\"\n{zone}"
    )
}

fn knot(home: &Path, ports: Ports, other: Ports, zone: &str, origin: &str) -> String {
    let (home, port, other) = (home.display(), ports.answers, other.transfers);
    format!(
        "server:\n  listen: 127.0.0.1@{port}\n  rundir: \"{home}\"\ndatabase:\n  storage: \"{home}\"\n\
         log:\n  - target: stderr\n    any: warning\n\
         key:\n  - id: bench\n    algorithm: hmac-sha256\n    secret: {SECRET}\n\
         remote:\n  - id: other\n    address: 127.0.0.1@{other}\n    key: bench\n\
         acl:\n  - id: bench\n    key: bench\n    action: [transfer, notify, update]\n\
         zone:\n  - domain: {origin}\n    storage: \"{home}\"\n    zonefile-sync: -1\n    acl: bench\n{zone}"
    )
}

/// The commands of one change: the addresses of ten name servers.
fn update(world: &World, number: u64) -> String {
    let origin = world.origin();
    let mut text = format!("zone {origin}.\n");
    for host in number * CHANGED..(number + 1) * CHANGED {
        let name = format!("ns.{}.{origin}.", label(b'd', world.seed, host * 7919 % world.delegations));
        let _ =
            writeln!(text, "update delete {name} A\nupdate add {name} 3600 A 11.0.{}.{}", number, host % 250);
    }
    text
}

/// An nsupdate that runs, so that its start is not measured.
struct Updates {
    client: Child,
    commands: ChildStdin,
    port: u16,
}

impl Updates {
    fn start(port: u16) -> Self {
        let mut command = Command::new("nsupdate");
        command.args(["-y", &format!("hmac-sha256:bench.:{SECRET}")]);
        let mut client =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("nsupdate starts");
        let commands = client.stdin.take().expect("its input is a pipe");
        Self { client, commands, port }
    }

    fn send(&mut self, changes: &str) {
        let text = format!("server 127.0.0.1 {}\n{changes}send\n", self.port);
        self.commands
            .write_all(text.as_bytes())
            .and_then(|()| self.commands.flush())
            .expect("nsupdate reads");
    }
}

impl Drop for Updates {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}
