//! Whether memory grows: anyns alone, under load over UDP and TCP, and while a zone of 20,000 records is deployed again and
//! again. What it holds after the first of each is what it needs; what it holds more at the end is lost.

use std::net::UdpSocket;
use std::time::Duration;

use hickory_proto::rr::RData;

use crate::ask::ask;
use crate::dnsperf::{self, Load, Way};
use crate::figures::{Metric, Table};
use crate::queries::{Queries, Query};
use crate::run::Bench;
use crate::servers::{Kind, Server};
use crate::support::wait::wait_for;
use crate::zones::World;

/// What is measured: PSS in megabytes.
pub(crate) const METRICS: &[Metric] = &[
    Metric { name: "start MB", digits: 1, cost: true },
    Metric { name: "load, first part", digits: 1, cost: true },
    Metric { name: "load, end", digits: 1, cost: true },
    Metric { name: "100 reloads", digits: 1, cost: true },
    Metric { name: "500 reloads", digits: 1, cost: true },
    Metric { name: "1000 reloads", digits: 1, cost: true },
];

/// Parts of the load, each over UDP, kept TCP connections, and a connection for each query.
const PARTS: u32 = 5;
/// How often the zone is deployed until memory is looked at.
const RELOADS: [u32; 3] = [100, 500, 1000];
/// For a deployed zone to be served.
const DEPLOY: Duration = Duration::from_secs(30);

/// Measures it once for each round.
pub(crate) fn measure(bench: &Bench, title: &str, world: &World, queries: &Queries) -> Table {
    let mut table = Table::new(title, METRICS, &[Kind::Anyns]);
    let text = std::fs::read_to_string(&world.zones[0].path).expect("the zone file can be read");
    for round in 1..=bench.options.rounds {
        println!("{title}: round {round} of {}", bench.options.rounds);
        std::fs::write(&world.zones[0].path, &text).expect("the zone file can be written");
        let soa = Query { name: world.origin().to_owned(), record_type: "SOA" };
        let mut server = Server::start(Kind::Anyns, &bench.home, world, bench.cores.server);
        server.wait_answers(std::slice::from_ref(&soa));
        server.wait_idle();
        let mut figures = vec![megabytes(&server)];
        load(bench, &server, queries);
        figures.push(megabytes(&server));
        (1..PARTS).for_each(|_| load(bench, &server, queries));
        figures.push(megabytes(&server));
        let mut serial = 1;
        for reloads in RELOADS {
            while serial <= reloads {
                serial += 1;
                deploy(&server, world, &text, &soa, serial);
            }
            server.wait_idle();
            figures.push(megabytes(&server));
        }
        table.rows.first_mut().expect("the table has a row").rounds.push(figures);
    }
    table
}

fn megabytes(server: &Server) -> f64 {
    server.memory() as f64 / 1e6
}

fn load(bench: &Bench, server: &Server, queries: &Queries) {
    for way in [Way::Udp, Way::Tcp, Way::TcpOnce] {
        let load = Load {
            file: &queries.file,
            seconds: bench.options.seconds,
            way,
            edns: bench.options.edns,
            cores: &bench.cores.load,
        };
        dnsperf::run(server.address, &load);
    }
}

/// Puts the zone with another serial in place, and waits until it is served.
fn deploy(server: &Server, world: &World, text: &str, soa: &Query, serial: u32) {
    let path = &world.zones[0].path;
    let new = text.replacen("hostmaster 1 ", &format!("hostmaster {serial} "), 1);
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, new).expect("the new zone file can be written");
    std::fs::rename(&fresh, path).expect("the new zone file can be moved");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    wait_for("the zone is served", DEPLOY, || {
        let answer = ask(&socket, server.address, soa, 1).ok()?;
        let is_it = |data: &RData| matches!(data, RData::SOA(soa) if soa.serial == serial);
        answer.answers.iter().any(|record| is_it(&record.data)).then_some(())
    });
}
