//! What verifying signatures costs: anyns alone, with a zone of a million signatures, with `dnssec` as shipped (`warn`) and `off`.
//!
//! - `anyns zone check` with and without verification, on all cores
//! - until the zone is served: at the first load, at a restart without a change, deployed with a tenth of the hosts changed
//! - until all signatures are verified behind the serving, and those of a changed tenth
//! - how late answers are while that goes on, and afterwards

use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hickory_proto::rr::RData;

use crate::ask::{ask, percentile, times};
use crate::figures::{Metric, Table};
use crate::queries::Query;
use crate::run::Bench;
use crate::servers::{Kind, Server};
use crate::signed::Signer;
use crate::support::wait::wait_for;

/// What is measured.
pub(crate) const METRICS: &[Metric] = &[
    Metric { name: "zone check s", digits: 2, cost: true },
    Metric { name: "first load s", digits: 2, cost: true },
    Metric { name: "p99 after it ms", digits: 3, cost: true },
    Metric { name: "verified s", digits: 2, cost: true },
    Metric { name: "p99 idle ms", digits: 3, cost: true },
    Metric { name: "10 % changed s", digits: 2, cost: true },
    Metric { name: "changes verified s", digits: 2, cost: true },
    Metric { name: "restart s", digits: 2, cost: true },
];

/// For a version to be served.
const DEPLOY: Duration = Duration::from_secs(300);
/// For all signatures to be verified, at the lowest priority.
const VERIFY: Duration = Duration::from_secs(1800);

/// Measures it round by round, with and without verification.
pub(crate) fn measure(bench: &Bench, directory: &Path) -> Table {
    let (options, kinds) = (&bench.options, [Kind::Anyns, Kind::AnynsUnverified]);
    println!("signing a zone of {} signatures", options.signatures);
    let signer = Signer::new(options.signatures, options.seed);
    let first = signer.text(1, None);
    let second = signer.text(2, Some(&first));
    let world = signer.world(directory, options.seed);
    let title = format!("signatures, {} of them", signer.signatures());
    let mut table = Table::new(&title, METRICS, &kinds);
    let file = &world.zones[0].path;
    let soa = Query { name: world.origin().to_owned(), record_type: "SOA" };
    for round in 1..=options.rounds {
        for (index, kind) in kinds.into_iter().enumerate() {
            println!("{title}: {}, round {round} of {}", kind.name(), options.rounds);
            std::fs::write(file, &first).expect("the zone file can be written");
            let verifies = kind == Kind::Anyns;
            let check = zone_check(file, verifies);
            let mut server = Server::start(kind, &bench.home, &world, None);
            let load = server.wait_answers(std::slice::from_ref(&soa)).as_secs_f64();
            let served = Instant::now();
            let busy = late(&server, &soa, options.seconds);
            let socket = bench.home.join(format!("{kind:?}").to_lowercase()).join("control");
            wait_verified(&socket, world.origin(), 1, verifies);
            let verified = served.elapsed().as_secs_f64();
            server.wait_idle();
            let idle = late(&server, &soa, options.seconds);
            let changed = deploy(&server, file, &second, &soa);
            let deployed = Instant::now();
            wait_verified(&socket, world.origin(), 2, verifies);
            let again = deployed.elapsed().as_secs_f64();
            server.wait_idle();
            let restart = restart(server, bench, &world, &soa);
            let figures = vec![check, load, busy, verified, idle, changed, again, restart];
            table.rows.get_mut(index).expect("the table has a row").rounds.push(figures);
        }
    }
    table
}

/// Seconds that `anyns zone check` takes.
fn zone_check(file: &Path, verifies: bool) -> f64 {
    let begun = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_anyns"));
    command.args(["zone", "check"]).arg(file);
    if !verifies {
        command.arg("--no-signatures");
    }
    let output = command.output().expect("anyns can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    begun.elapsed().as_secs_f64()
}

/// The 99th percentile of the milliseconds that answers take, asked one by one.
fn late(server: &Server, query: &Query, seconds: u32) -> f64 {
    let (begun, end) = (Instant::now(), Duration::from_secs(seconds.into()));
    percentile(&times(server.address, query, || begun.elapsed() < end), 0.99) / 1e3
}

/// Waits until the status says that the version with this serial is verified, or at least looked at.
fn wait_verified(socket: &Path, zone: &str, serial: u64, verifies: bool) {
    wait_for("the signatures are verified", VERIFY, || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_anyns"));
        command.args(["status", "--json", "--socket"]).arg(socket).args(["--zones", zone]);
        let output = command.output().expect("anyns can be run");
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        let zone = &status["zones"][0];
        let signatures = &zone["signatures"];
        assert!(signatures["wrong"].as_u64().unwrap_or(0) == 0, "{signatures}");
        let is_verified = !verifies || signatures["verified_percent"] == 100;
        let is_known = signatures["expires"].is_u64() && signatures["verifying"] == false;
        (zone["serial"] == serial && is_known && is_verified).then_some(())
    });
}

/// Seconds from the renaming of the new file to the first answer with its serial.
fn deploy(server: &Server, file: &Path, text: &str, soa: &Query) -> f64 {
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, text).expect("the new zone file can be written");
    std::fs::rename(&fresh, file).expect("the new zone file can be moved");
    let moved = Instant::now();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    wait_for("the changed zone is served", DEPLOY, || {
        let answer = ask(&socket, server.address, soa, 1).ok()?;
        let is_it = |data: &RData| matches!(data, RData::SOA(soa) if soa.serial == 2);
        answer.answers.iter().any(|record| is_it(&record.data)).then_some(())
    });
    moved.elapsed().as_secs_f64()
}

/// Seconds from the start to the first answer, the zone being in the state directory and unchanged.
fn restart(server: Server, bench: &Bench, world: &crate::zones::World, soa: &Query) -> f64 {
    let kind = server.kind;
    drop(server);
    let mut server = Server::start_again(kind, &bench.home, world, None);
    server.wait_answers(std::slice::from_ref(soa)).as_secs_f64()
}
