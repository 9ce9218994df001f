//! The load, listener by listener, with real sockets, and threads that go on after a panic.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use anyns::serve::{Engine, LoadReader, Settings};
use anyns::telemetry::{Counters, ListenerLoad, Load, TapTransport};

use crate::support::*;

fn listener(load: &Load, address: SocketAddr, is_tcp: bool) -> ListenerLoad {
    *load.listener(address, is_tcp).expect("it listens there")
}

/// Looks until it fits; the counts are seen some time after the answer.
fn until(reader: &mut LoadReader, what: &str, fits: impl Fn(&Load) -> bool) -> Load {
    let begin = std::time::Instant::now();
    loop {
        let load = reader.observe(true);
        if fits(&load) {
            return load;
        }
        assert!(begin.elapsed() < PATIENCE, "never happened: {what}: {load:?}");
        std::thread::yield_now();
    }
}

#[test]
fn answers_are_counted_where_they_leave() {
    for engine in [Engine::Native, Engine::Hickory] {
        let server = start(&settings(engine, &["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"]));
        let mut reader = server.serving.load();
        let addresses: Vec<SocketAddr> = server.serving.local_addresses().to_vec();
        for (index, address) in addresses.iter().enumerate() {
            (0..=index as u16).for_each(|id| drop(ask(*address, &query(id))));
        }
        let mut stream = tcp_client(addresses[1]);
        for id in 0..5 {
            ask_over(&mut stream, &query(id)).unwrap();
        }
        let answers = |load: &Load, index: usize, is_tcp| listener(load, addresses[index], is_tcp).answers;
        let load = until(&mut reader, "all is counted", |load| {
            answers(load, 2, false)[1] == 3 && answers(load, 1, true)[0] == 5
        });
        assert_eq!(
            [0, 1, 2].map(|index| answers(&load, index, false)),
            [[1, 0], [2, 0], [0, 3]],
            "{engine:?}"
        );
        assert_eq!(
            [0, 1, 2].map(|index| answers(&load, index, true)),
            [[0, 0], [5, 0], [0, 0]],
            "{engine:?}"
        );
        assert_eq!(listener(&load, addresses[1], true).accepted, 1);
        assert!(load.listeners.iter().all(|one| one.drops == 0 && !one.is_queue_full), "{load:?}");
        assert!(load.listeners.iter().all(|one| !one.is_handshake_queue_full), "{load:?}");
    }
}

#[test]
fn a_dual_stack_wildcard_counts_each_family() {
    let server = start(&settings(Engine::Native, &["[::]:0"]));
    let port = server.address(0).port();
    for (asked, id) in [("127.0.0.1", 1), ("127.0.0.1", 2), ("::1", 3)] {
        ask(SocketAddr::new(asked.parse().unwrap(), port), &query(id));
    }
    let address = SocketAddr::new("127.0.0.1".parse().unwrap(), port);
    let load = until(&mut server.serving.load(), "all is counted", |load| {
        listener(load, address, false).answers.iter().sum::<u64>() == 3
    });
    assert_eq!(listener(&load, address, false).answers, [2, 1]);
}

/// On a dual-stack socket the kernel tells an IPv4 client v4-mapped.
#[test]
fn a_dual_stack_wildcard_tells_the_family_of_each_client() {
    let settings = settings(Engine::Native, &["[::]:0"]);
    let counters = Counters::new(settings.counter_sets()).with_taps(1).with_daily_statistics();
    let server = Server { serving: try_start(&settings, None, &counters).unwrap(), counters };
    let port = server.address(0).port();
    let asked =
        ["127.0.0.1", "127.0.0.1", "::1"].map(|address| SocketAddr::new(address.parse().unwrap(), port));
    for address in asked {
        ask(address, &query(1));
        ask_over(&mut tcp_client(address), &query(2)).unwrap();
    }
    eventually("all are counted", || server.sum(|it| &it.responses) == 6);
    let mut clients = Vec::new();
    for tap in server.counters.taps() {
        while tap.read(|sample| clients.push((sample.transport == TapTransport::Tcp, sample.client.ip()))) {}
    }
    clients.sort_unstable();
    let expected = [false, true].map(|is_tcp| asked.map(|address| (is_tcp, address.ip()))).concat();
    assert_eq!(clients, expected);
    let workers = || server.counters.workers().iter();
    let ipv6 = |transport: usize| workers().map(|worker| worker.ipv6_queries.read()[transport]).sum::<u64>();
    assert_eq!([0, 1].map(ipv6), [1, 1]);
    let sent = |slot: usize| workers().map(|worker| worker.plain_responses.read()[slot]).sum::<u64>();
    eventually("all are sent", || [0, 1, 2, 3].map(sent) == [2, 1, 2, 1]);
}

#[test]
fn refused_connections_are_counted_and_a_reader_keeps_no_port() {
    let mut settings = settings(Engine::Native, &["127.0.0.1:0"]);
    // Loopback is exempt, up to its own cap.
    settings.tcp.connections = 1;
    let server = start(&settings);
    let address = server.address(0);
    let mut reader = server.serving.load();
    let kept: Vec<TcpStream> = (0..80).filter_map(|_| TcpStream::connect(address).ok()).collect();
    let load = until(&mut reader, "some are refused", |load| listener(load, address, true).refused >= 16);
    assert_eq!(listener(&load, address, true).accepted, 80);
    drop(kept);
    drop(server);
    assert_eq!(reader.observe(false).listeners, [], "serving has ended");
    eventually("the port is free", || {
        let again = Settings { listen: vec![address], ..settings.clone() };
        let counters = Counters::new(again.counter_sets());
        try_start(&again, None, &counters).is_ok()
    });
}

#[test]
fn own_sockets_have_an_inode_each() {
    let server = start(&settings(Engine::Native, &["127.0.0.1:0", "[::1]:0"]));
    let mut inodes: Vec<u64> = server.serving.own_sockets().iter().map(|socket| socket.inode).collect();
    inodes.sort_unstable();
    inodes.dedup();
    assert_eq!(inodes.len(), 8, "two addresses, two transports, two workers");
}

#[test]
fn every_serving_thread_goes_on_after_a_panic() {
    for engine in [Engine::Native, Engine::Hickory] {
        let server = start(&settings(engine, &["127.0.0.1:0"]));
        let address = server.address(0);
        let mut kept = tcp_client(address);
        ask_over(&mut kept, &query(1)).unwrap();
        for beat in server.serving.beats() {
            beat.ask_panic();
            eventually("it panics", || beat.panics() == 1);
            let beats = beat.beats();
            eventually("it beats again", || beat.beats() > beats);
        }
        for id in 0..50 {
            assert_eq!(response_id(&ask(address, &query(id)).0), id, "{engine:?}");
            assert_eq!(
                response_id(&ask_over(&mut tcp_client(address), &query(id)).unwrap()),
                id,
                "{engine:?}"
            );
        }
        assert_eq!(response_id(&ask_over(&mut kept, &query(9)).unwrap()), 9, "the connection from before");
        kept.flush().unwrap();
    }
}
