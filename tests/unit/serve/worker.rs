//! A worker alone, on the thread of the test or on one of its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;

use super::*;
use crate::answer;
use crate::sys::streams::unacknowledged;
use crate::telemetry::Counters;

/// How long a test waits for an event before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// The root's NS behind its length, with this ID: any answer will do.
fn query(id: u16) -> Vec<u8> {
    [b"\0\x11", &id.to_be_bytes()[..], b"\0\0\0\x01\0\0\0\0\0\0\0\0\x02\0\x01"].concat()
}

fn worker(sockets: WorkerSockets, settings: TcpSettings, shared: &Arc<Shared>) -> Worker {
    let identity = answer::Identity { instance: "test".into(), version: None };
    let answers = Arc::new(answer::Settings::new(identity));
    let responder = Responder::new(&Arc::default(), answers, None, Counters::new(1), 0);
    let clients = Arc::new(Clients::new(Instant::now()));
    Worker::new(sockets, (settings.clone(), Caps::new(settings), clients), responder, shared.clone()).unwrap()
}

/// A listener that nobody accepts from yet.
fn listener() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    (listener.local_addr().unwrap(), listener)
}

/// A connection on which these octets were sent and have arrived.
fn client(address: SocketAddr, octets: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(octets).unwrap();
    let begin = Instant::now();
    while unacknowledged(&client).unwrap() > 0 {
        assert!(begin.elapsed() < PATIENCE, "the other side does not take it");
        std::thread::yield_now();
    }
    client
}

/// The IDs of the responses up to the end of the connection, which is no reset.
fn ids(client: &mut TcpStream) -> Vec<u16> {
    let mut octets = Vec::new();
    client.read_to_end(&mut octets).expect("the connection ends, it is not reset");
    let (mut ids, mut rest) = (Vec::new(), &octets[..]);
    while let [high, low, id_high, id_low, ..] = *rest {
        ids.push(u16::from_be_bytes([id_high, id_low]));
        rest = &rest[2 + usize::from(u16::from_be_bytes([high, low]))..];
    }
    assert!(rest.is_empty(), "half a response");
    ids
}

#[test]
fn what_the_kernel_had_received_when_a_stop_begins_is_answered() {
    let shared = Arc::new(Shared::default());
    let (address, socket) = listener();
    let sockets = WorkerSockets { udp: Vec::new(), tcp: vec![(address, socket, Arc::default())] };
    let worker = worker(sockets, TcpSettings::default(), &shared);
    // None is accepted yet; the last one ends in the middle of a query.
    let all: Vec<u8> = (0..2000).flat_map(query).collect();
    let mut clients: Vec<TcpStream> = (0..20).map(|_| client(address, &all)).collect();
    clients.push(client(address, &all[..all.len() - 5]));
    let expected: Vec<u16> = (0..2000).collect();
    shared.set_phase(Phase::Drain);
    let worker = std::thread::spawn(move || worker.run(&Beat::new("test")));
    let half = clients.pop();
    for mut client in clients {
        assert_eq!(ids(&mut client), expected);
    }
    assert_eq!(ids(&mut half.unwrap()), expected[..1999]);
    let begin = Instant::now();
    while !worker.is_finished() {
        assert!(begin.elapsed() < PATIENCE, "the worker goes on");
        std::thread::yield_now();
    }
    worker.join().unwrap();
}

#[test]
fn a_client_that_asks_on_and_reads_late_gets_what_it_asked_before_the_stop_and_does_not_hold_it() {
    let shared = Arc::new(Shared::default());
    let (address, socket) = listener();
    let sockets = WorkerSockets { udp: Vec::new(), tcp: vec![(address, socket, Arc::default())] };
    let worker = worker(sockets, TcpSettings::default(), &shared);
    let all: Vec<u8> = (0..2000).flat_map(query).collect();
    let mut client = client(address, &all);
    shared.set_phase(Phase::Drain);
    let mut asking = client.try_clone().unwrap();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        // Until the connection is no more.
        scope.spawn(move || while asking.write_all(&query(9)).is_ok() {});
        scope.spawn(|| worker.run(&Beat::new("test"))).join().unwrap();
        let took = begin.elapsed();
        assert!(took < crate::serve::message_stream::FAREWELL * 5, "{took:?}");
        // The worker has gone, and reset what was still sent; but not before its answers had arrived.
        let mut octets = vec![0; 1 << 20];
        let mut arrived = 0;
        while let Ok(more @ 1..) = client.read(&mut octets[arrived..]) {
            arrived += more;
        }
        assert!(arrived >= 2000 * 19, "{arrived} octets of answers");
    });
}

#[test]
fn a_descriptor_that_is_no_socket_is_lost_with_a_reason() {
    let (reader, writer) = io::pipe().unwrap();
    drop(writer);
    let socket = UdpSocket::from(OwnedFd::from(reader));
    let shared = Arc::new(Shared::default());
    let address = "192.0.2.1:53".parse().unwrap();
    let sockets = WorkerSockets { udp: vec![(address, socket, Arc::default())], tcp: Vec::new() };
    let mut worker = worker(sockets, TcpSettings::default(), &shared);
    assert!(!worker.turn());
    assert!(!worker.turn(), "tried only once");
    let lost = shared.lost().unwrap();
    assert_eq!(lost.len(), 1);
    assert!(lost[0].to_string().starts_with("192.0.2.1:53/udp: "), "{}", lost[0]);
}

#[test]
fn a_panic_costs_what_is_at_work_and_the_worker_goes_on_with_the_same_sockets() {
    let shared = Arc::new(Shared::default());
    let (address, socket) = listener();
    let udp = UdpSocket::bind(address).unwrap();
    udp.set_nonblocking(true).unwrap();
    let sockets = WorkerSockets {
        udp: vec![(address, udp, Arc::default())],
        tcp: vec![(address, socket, Arc::default())],
    };
    let worker = worker(sockets, TcpSettings::default(), &shared);
    let beat = Beat::new("test");
    let serving = {
        let beat = beat.clone();
        std::thread::spawn(move || worker.run(&beat))
    };
    let mut kept = client(address, &query(1));
    let mut answer = [0; 19];
    kept.read_exact(&mut answer).unwrap();
    for panics in 1..=3 {
        beat.ask_panic();
        let begin = Instant::now();
        while beat.panics() < panics {
            assert!(begin.elapsed() < PATIENCE, "it did not panic");
            std::thread::yield_now();
        }
        // The connection from before, a new one, and UDP.
        for mut connection in [kept.try_clone().unwrap(), client(address, b"")] {
            connection.write_all(&query(7)).unwrap();
            connection.read_exact(&mut answer).unwrap();
            assert_eq!(answer[2..4], [0, 7]);
        }
        let asking = UdpSocket::bind("127.0.0.1:0").unwrap();
        asking.set_read_timeout(Some(PATIENCE)).unwrap();
        asking.send_to(&query(8)[2..], address).unwrap();
        assert_eq!(asking.recv(&mut answer).unwrap(), 17);
    }
    shared.set_phase(Phase::Quit);
    serving.join().unwrap();
}

#[test]
fn a_connection_that_was_at_work_in_a_panic_is_reset_and_the_others_are_served() {
    let shared = Arc::new(Shared::default());
    let (address, socket) = listener();
    let sockets = WorkerSockets { udp: Vec::new(), tcp: vec![(address, socket, Arc::default())] };
    let mut worker = worker(sockets, TcpSettings::default(), &shared);
    let mut clients = [client(address, &query(1)), client(address, &query(2))];
    let mut answer = [0; 19];
    let begin = Instant::now();
    for client in &mut clients {
        client.set_nonblocking(true).unwrap();
        while client.read(&mut answer).is_err() {
            assert!(begin.elapsed() < PATIENCE, "no answer");
            worker.wait(Duration::from_millis(1));
        }
        client.set_nonblocking(false).unwrap();
    }
    // As a panic in the middle of a turn leaves it.
    worker.tcp.interrupt(0);
    worker.mend(Duration::ZERO);
    assert_eq!(clients[0].read(&mut answer).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    clients[1].write_all(&query(3)).unwrap();
    clients[1].set_nonblocking(true).unwrap();
    while clients[1].read(&mut answer).is_err() {
        assert!(begin.elapsed() < PATIENCE, "the other connection is not served");
        worker.wait(Duration::from_millis(1));
    }
    assert_eq!(answer[2..4], [0, 3]);
}
