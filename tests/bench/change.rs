//! What a change costs, and an end: anyns alone, with the zone of `referral`.
//!
//! - a whole file deployed again with ten records changed: until it is served, and the most memory meanwhile
//! - a difference of ten records at the seam of incremental transfers: until it is served and durable ([`difference`])
//! - `kill -9`: until a TCP peer sees the end of its connection

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::ask::serial;
use crate::difference;
use crate::figures::{Metric, Table};
use crate::queries::Query;
use crate::run::Bench;
use crate::servers::{Kind, Server};
use crate::support::wait::wait_for;
use crate::zones::{World, label};

/// What is measured.
pub(crate) const METRICS: &[Metric] = &[
    Metric { name: "start s", digits: 2, cost: true },
    Metric { name: "redeploy s", digits: 2, cost: true },
    Metric { name: "redeploy peak / memory", digits: 2, cost: true },
    Metric { name: "difference ms", digits: 2, cost: true },
    Metric { name: "longest difference ms", digits: 2, cost: true },
    Metric { name: "write and sync alone ms", digits: 2, cost: true },
    Metric { name: "longest write and sync alone ms", digits: 2, cost: true },
    Metric { name: "longest lookup ms", digits: 2, cost: true },
    Metric { name: "longest lookup, no change ms", digits: 2, cost: true },
    Metric { name: "difference memory %", digits: 1, cost: true },
    Metric { name: "kill to EOF ms", digits: 2, cost: true },
];

/// Records that change.
pub(crate) const CHANGED: u64 = 10;
/// For a redeployed zone to be served.
const DEPLOY: Duration = Duration::from_secs(120);

/// Measures the changes, round by round.
pub(crate) fn measure(bench: &Bench, title: &str, world: &World) -> Table {
    let mut table = Table::new(title, METRICS, &[Kind::Anyns]);
    let zone = &world.zones[0];
    let text = std::fs::read_to_string(&zone.path).expect("the zone file can be read");
    for round in 1..=bench.options.rounds {
        println!("{title}: round {round} of {}", bench.options.rounds);
        std::fs::write(&zone.path, &text).expect("the zone file can be written");
        let mut server = Server::start(Kind::Anyns, &bench.home, world, None);
        let soa = Query { name: zone.origin.clone(), record_type: "SOA" };
        let start = server.wait_answers(std::slice::from_ref(&soa)).as_secs_f64();
        let before = server.memory();
        // Resets the most that the process ever had (proc(5)).
        std::fs::write(format!("/proc/{}/clear_refs", server.pid()), "5").expect("the mark can be reset");
        let redeploy = redeploy(&mut server, world, &text, &soa);
        let peak = most_memory(server.pid()) as f64 / before as f64;
        let cost = difference::measure(&zone.path, &zone.origin, world, &bench.home);
        let end = kill(server, &soa);
        let row = table.rows.first_mut().expect("the table has a row");
        row.rounds.push(vec![
            start,
            redeploy,
            peak,
            cost.median,
            cost.most,
            cost.sync,
            cost.sync_most,
            cost.lookup,
            cost.idle_lookup,
            cost.grown,
            end,
        ]);
    }
    table
}

/// Seconds from the renaming of the new file to the first answer with its serial.
fn redeploy(server: &mut Server, world: &World, text: &str, soa: &Query) -> f64 {
    let mut new = text.replacen("hostmaster 1 ", "hostmaster 2 ", 1);
    for number in 0..CHANGED {
        let line = format!("\nns.{} A 10.", label(b'd', world.seed, number * 1000));
        new = new.replacen(&line, &line.replace(" A 10.", " A 11."), 1);
    }
    let path = &world.zones[0].path;
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, new).expect("the new zone file can be written");
    std::fs::rename(&fresh, path).expect("the new zone file can be moved");
    let moved = Instant::now();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    wait_for("the redeployed zone is served", DEPLOY, || {
        (serial(&socket, server.address, soa) == Some(2)).then_some(())
    });
    moved.elapsed().as_secs_f64()
}

/// Milliseconds from SIGKILL to the end of a TCP connection that was in use.
fn kill(server: Server, soa: &Query) -> f64 {
    let mut stream = TcpStream::connect(server.address).expect("the server takes TCP connections");
    stream.set_nodelay(true).expect("the connection takes the option");
    let query = soa.encode(7);
    stream.write_all(&(query.len() as u16).to_be_bytes()).expect("the query can be sent");
    stream.write_all(&query).expect("the query can be sent");
    let mut head = [0; 2];
    stream.read_exact(&mut head).expect("an answer comes");
    stream.read_exact(&mut vec![0; u16::from_be_bytes(head).into()]).expect("an answer comes");
    let killed = Instant::now();
    server.kill();
    // A reset is an end, too.
    let _ = stream.read(&mut [0]);
    killed.elapsed().as_secs_f64() * 1e3
}

/// The most memory that a process had, in octets.
pub(crate) fn most_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it has a mark");
    line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("a number")
        * 1024
}
