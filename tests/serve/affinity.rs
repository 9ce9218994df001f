//! Socket affinity: on loopback the core that sends is the one that receives, so a client on a core asks that core's worker.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::Ordering::Relaxed;

use anyns::serve::{Engine, Settings};
use anyns::sys::cpu;

use crate::namespace::{ip, is_inside, run_inside};
use crate::skip::skip;
use crate::support::*;

/// Queries from each core, each from a port of its own: that the hash sends all to one of two workers has a chance of 2⁻³¹.
const QUERIES: u16 = 32;

/// Where servers listen, and what is asked of each address: single ones of both families, wildcards, the last for both.
const WORLDS: [&[(&str, &[&str])]; 3] = [
    &[("127.0.0.1:0", &["127.0.0.1"]), ("[::1]:0", &["::1"]), ("127.0.0.2:0", &["127.0.0.2"])],
    &[("0.0.0.0:0", &["127.0.0.3"])],
    &[("[::]:0", &["127.0.0.3", "::1"])],
];

/// The cores; none, and said so, if there is but one.
fn cores(what: &str) -> Option<Vec<usize>> {
    let cores = cpu::allowed().unwrap();
    if cores.len() < 2 {
        skip(what, "the machine has one core");
        return None;
    }
    Some(cores)
}

/// A worker on each core.
fn with_affinity(socket_affinity: bool, listen: &[&str]) -> Settings {
    Settings { workers: 0, socket_affinity, ..settings(Engine::Native, listen) }
}

/// What a client on this core asks over UDP or TCP; what of it each worker answered.
fn ask_from(core: usize, server: &Server, asked: SocketAddr, tcp: bool) -> Vec<u64> {
    let queries = || -> Vec<u64> {
        let of = |worker: &anyns::telemetry::WorkerCounters| {
            if tcp { worker.tcp_queries.load(Relaxed) } else { worker.udp_queries.load(Relaxed) }
        };
        server.counters.workers().iter().map(of).collect()
    };
    let before = queries();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            cpu::pin(core).unwrap();
            for id in 0..QUERIES {
                let response = match tcp {
                    true => ask_over(&mut tcp_client(asked), &query(id)).unwrap(),
                    false => ask(asked, &query(id)).0,
                };
                assert_eq!(response_id(&response), id);
            }
        });
    });
    queries().iter().zip(before).map(|(now, before)| now - before).collect()
}

/// Asks from each core, UDP and TCP, and holds it against what each worker should answer: all from its own core.
fn assert_steered(cores: &[usize], server: &Server, asked: SocketAddr) {
    for (worker, core) in cores.iter().enumerate() {
        let mut expected = vec![0; cores.len()];
        expected[worker] = u64::from(QUERIES);
        for tcp in [false, true] {
            let answered = ask_from(*core, server, asked, tcp);
            assert_eq!(answered, expected, "from core {core} to {asked}, TCP {tcp}");
        }
    }
}

/// A server for each of [`WORLDS`], and the addresses to ask.
fn worlds(socket_affinity: bool) -> impl Iterator<Item = (Server, Vec<SocketAddr>)> {
    WORLDS.into_iter().map(move |world| {
        let listen: Vec<&str> = world.iter().map(|(listen, _)| *listen).collect();
        let server = start(&with_affinity(socket_affinity, &listen));
        let asked = world.iter().enumerate().flat_map(|(index, (_, asked))| {
            let port = server.address(index).port();
            asked.iter().map(move |asked| SocketAddr::new(asked.parse().unwrap(), port))
        });
        let asked = asked.collect();
        (server, asked)
    })
}

#[test]
fn each_worker_answers_what_its_own_core_received() {
    let Some(cores) = cores("socket affinity") else { return };
    for (server, asked) in worlds(true) {
        asked.iter().for_each(|asked| assert_steered(&cores, &server, *asked));
    }
}

#[test]
fn without_it_what_one_core_received_spreads_over_the_workers() {
    let Some(cores) = cores("no socket affinity") else { return };
    for (server, asked) in worlds(false) {
        for (asked, tcp) in asked.iter().flat_map(|asked| [(*asked, false), (*asked, true)]) {
            let answered = ask_from(cores[0], &server, asked, tcp);
            assert_eq!(answered.iter().sum::<u64>(), u64::from(QUERIES));
            let busy = answered.iter().filter(|queries| **queries > 0).count();
            assert!(busy > 1, "{asked}, TCP {tcp}: {answered:?}");
        }
    }
}

#[tokio::test]
async fn a_restart_on_the_same_addresses_is_steered_again() {
    let Some(cores) = cores("socket affinity after a restart") else { return };
    let mut listen = vec!["127.0.0.1:0".to_owned()];
    for _ in 0..3 {
        let names: Vec<&str> = listen.iter().map(String::as_str).collect();
        let server = start(&with_affinity(true, &names));
        let address = server.address(0);
        assert_steered(&cores, &server, address);
        listen = vec![address.to_string()];
        server.serving.shutdown(PATIENCE).await;
    }
}

/// Workers that are on no core of their own: it starts and answers, by the hash.
#[test]
fn where_it_has_no_effect_all_is_served_as_without() {
    let Some(cores) = cores("socket affinity without effect") else { return };
    let more = Settings { workers: cores.len() + 1, ..with_affinity(true, &["127.0.0.1:0"]) };
    let server = start(&more);
    for core in &cores {
        let answered = ask_from(*core, &server, server.address(0), false);
        assert!(answered.iter().filter(|queries| **queries > 0).count() > 1, "{answered:?}");
    }
    for (engine, workers) in [(Engine::Native, 1), (Engine::Hickory, 0)] {
        let server = start(&Settings { engine, workers, ..with_affinity(true, &["127.0.0.1:0"]) });
        assert_eq!(response_id(&ask(server.address(0), &query(7)).0), 7);
    }
}

#[test]
fn an_address_that_leaves_the_host_and_comes_back_is_steered_as_before() {
    run_inside("affinity::inside_the_namespace");
}

#[test]
#[ignore = "runs inside the namespace that an_address_that_leaves_… makes"]
fn inside_the_namespace() {
    if !is_inside() {
        return;
    }
    let Some(cores) = cores("socket affinity of an address that comes back") else { return };
    ip("link set lo up");
    let addresses = ["192.0.2.53", "192.0.2.54", "2001:db8::53"];
    put("add", &addresses);
    let server = start(&with_affinity(true, &["192.0.2.53:0", "192.0.2.54:0", "[2001:db8::53]:0"]));
    put("del", &addresses);
    put("add", &addresses);
    for index in 0..addresses.len() {
        assert_steered(&cores, &server, server.address(index));
    }
}

/// Adds these addresses to loopback ("add") or deletes them ("del"), and waits until that is so: the kernel takes an IPv6
/// address at once, and what is sent to it and from it a little later.
fn put(order: &str, addresses: &[&str]) {
    for address in addresses {
        ip(&format!("address {order} {address} dev lo"));
    }
    let is_used = |address: &str| {
        let family = if address.contains(':') { "-6" } else { "-4" };
        let routed = ip(&format!("{family} route show table local")).contains(&format!("local {address} "));
        routed && UdpSocket::bind((address, 0)).is_ok()
    };
    eventually(order, || addresses.iter().all(|address| is_used(address) == (order == "add")));
}
