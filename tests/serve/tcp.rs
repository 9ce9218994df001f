//! The native engine over TCP (RFC 7766).

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use anyns::serve::{Engine, Settings, TcpSettings};

use crate::support::*;

fn native(tcp: TcpSettings) -> Settings {
    Settings { tcp, ..settings(Engine::Native, &["127.0.0.1:0", "[::1]:0"]) }
}

/// Whether the server closed or reset the connection.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 16]) {
        Ok(octets) => octets == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn a_connection_takes_one_query_after_another_on_both_families() {
    let server = start(&native(TcpSettings::default()));
    for index in [0, 1] {
        let mut stream = tcp_client(server.address(index));
        for id in 0..5 {
            assert_eq!(response_id(&ask_over(&mut stream, &query(id)).unwrap()), id);
        }
    }
    assert_eq!(server.sum(|it| &it.tcp_queries), 10);
    assert_eq!(server.sum(|it| &it.responses), 10);
    assert_eq!(server.sum(|it| &it.tcp_connections), 2);
}

#[test]
fn pipelined_queries_are_all_answered_in_order() {
    let server = start(&native(TcpSettings::default()));
    let mut stream = tcp_client(server.address(0));
    let all: Vec<u8> = (0..2000).flat_map(|id| framed(&query(id))).collect();
    let mut writer = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || writer.write_all(&all).unwrap());
    for id in 0..2000 {
        assert_eq!(response_id(&read_message(&mut stream).unwrap()), id);
    }
    sender.join().unwrap();
}

/// Sends queries without reading, until the server takes no more for a while. Returns how many octets went.
fn fill(stream: &mut TcpStream, queries: &[u8]) -> usize {
    // Less room here, and the server has to wait for us sooner.
    socket2::SockRef::from(&*stream).set_recv_buffer_size(4096).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut sent = 0;
    while sent < queries.len() {
        match stream.write(&queries[sent..]) {
            Ok(octets) => sent += octets,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted),
        }
    }
    assert!(sent < queries.len(), "the server took all queries of a client that does not read");
    sent
}

/// More queries than the buffers of both kernels hold.
fn many_queries() -> Vec<u8> {
    (0..=u16::MAX).cycle().take(1 << 20).flat_map(|id| framed(&query(id))).collect()
}

#[test]
fn a_client_that_reads_late_is_read_no_more_until_then_and_gets_all_it_asked() {
    let server = start(&native(TcpSettings::default()));
    // Made before it connects: that takes a while, and the first query may not.
    let queries = many_queries();
    let mut stream = tcp_client(server.address(0));
    let sent = fill(&mut stream, &queries);
    // Others are served meanwhile, whichever worker they come to.
    for _ in 0..8 {
        let mut other = tcp_client(server.address(0));
        assert_eq!(response_id(&ask_over(&mut other, &query(3)).unwrap()), 3);
    }
    let whole = sent / framed(&query(0)).len();
    for id in (0..=u16::MAX).cycle().take(whole) {
        assert_eq!(response_id(&read_message(&mut stream).unwrap()), id);
    }
}

#[test]
fn a_client_that_never_reads_is_cut_off() {
    let server = start(&native(TcpSettings { idle: Duration::from_secs(3600), ..TcpSettings::default() }));
    let queries = many_queries();
    let mut stream = tcp_client(server.address(0));
    let _sent = fill(&mut stream, &queries);
    let begin = Instant::now();
    while server.sum(|it| &it.tcp_timeouts) == 0 {
        // 5 s, and some for what it left.
        assert!(begin.elapsed() < PATIENCE * 4, "never cut off");
        std::thread::yield_now();
    }
    let mut octets = vec![0; 1 << 16];
    let end = std::iter::repeat_with(|| stream.read(&mut octets)).find(|read| !matches!(read, Ok(1..)));
    assert_eq!(end.unwrap().unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_query_that_comes_in_single_octets_is_answered() {
    let server = start(&native(TcpSettings::default()));
    let mut stream = tcp_client(server.address(0));
    stream.set_nodelay(true).unwrap();
    for octet in framed(&query(9)) {
        stream.write_all(&[octet]).unwrap();
    }
    assert_eq!(response_id(&read_message(&mut stream).unwrap()), 9);
}

#[test]
fn a_client_that_closes_its_side_still_gets_what_it_asked() {
    let server = start(&native(TcpSettings::default()));
    let mut stream = tcp_client(server.address(0));
    stream.write_all(&[framed(&query(1)), framed(&query(2))].concat()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(response_id(&read_message(&mut stream).unwrap()), 1);
    assert_eq!(response_id(&read_message(&mut stream).unwrap()), 2);
    assert!(is_closed(&mut stream));
}

#[test]
fn a_silent_connection_is_closed_after_the_idle_timeout() {
    let idle = Duration::from_millis(200);
    let server = start(&native(TcpSettings { idle, ..TcpSettings::default() }));
    let mut fresh = tcp_client(server.address(0));
    let mut used = tcp_client(server.address(0));
    let begin = Instant::now();
    ask_over(&mut used, &query(1)).unwrap();
    assert!(is_closed(&mut fresh) && is_closed(&mut used));
    assert!(begin.elapsed() >= idle && begin.elapsed() < PATIENCE);
    eventually("both are counted", || server.sum(|it| &it.tcp_timeouts) == 2);
}

#[test]
fn a_client_that_asks_on_is_closed_when_its_connection_is_old_and_keeps_its_answers() {
    let lifetime = Duration::from_millis(300);
    let queries: Vec<u8> = (0..=u16::MAX).flat_map(|id| framed(&query(id))).collect();
    for engine in [Engine::Native, Engine::Hickory] {
        let tcp = TcpSettings { lifetime, ..TcpSettings::default() };
        let server = start(&Settings { engine, ..native(tcp) });
        let mut stream = tcp_client(server.address(0));
        // Little room here, so that most answers are still with the server at any time.
        socket2::SockRef::from(&stream).set_recv_buffer_size(4096).unwrap();
        let begin = Instant::now();
        let mut asking = stream.try_clone().unwrap();
        let mut octets = Vec::new();
        std::thread::scope(|scope| {
            // It pipelines queries without end, until the connection takes no more.
            scope.spawn(|| while asking.write_all(&queries).is_ok() {});
            let ended = stream.read_to_end(&mut octets);
            // Now the client goes, too; the other thread sees that.
            let _ = stream.shutdown(Shutdown::Both);
            ended.expect("an end, not a reset");
        });
        let took = begin.elapsed();
        assert!(took >= lifetime && took < PATIENCE, "{engine:?}: {took:?}");
        let mut rest = &octets[..];
        let mut answers = 0_u64;
        while let [high, low, _, _, ..] = *rest {
            let (message, behind) = rest[2..].split_at(usize::from(u16::from_be_bytes([high, low])));
            assert_eq!(response_id(message), answers as u16);
            (answers, rest) = (answers + 1, behind);
        }
        assert!(answers > 0 && rest.is_empty(), "{engine:?}: {answers} answers and {rest:?}");
        // Every query that was read is one of them. The hickory engine cannot see what the client still has to take.
        if engine == Engine::Native {
            assert_eq!(server.sum(|it| &it.tcp_queries), answers);
        }
        assert_eq!(server.sum(|it| &it.tcp_timeouts), 0, "{engine:?}: an age is no fault of the client");
        println!("{engine:?}: {answers} answers in {took:?}");
    }
}

#[test]
fn a_client_that_asks_now_and_then_is_closed_when_its_connection_is_old_and_may_come_again() {
    let lifetime = Duration::from_millis(300);
    let server = start(&native(TcpSettings { lifetime, ..TcpSettings::default() }));
    let mut stream = tcp_client(server.address(0));
    let begin = Instant::now();
    let mut answers = 0;
    while ask_over(&mut stream, &query(answers)).is_ok() {
        answers += 1;
        assert!(begin.elapsed() < PATIENCE, "never closed");
    }
    assert!(begin.elapsed() >= lifetime && answers > 1, "{answers} in {:?}", begin.elapsed());
    assert!(ask_over(&mut tcp_client(server.address(0)), &query(7)).is_ok());
}

#[test]
fn a_client_that_never_ends_its_query_is_closed_though_it_keeps_sending() {
    let server = start(&native(TcpSettings { idle: Duration::from_secs(3600), ..TcpSettings::default() }));
    let mut slow = tcp_client(server.address(0));
    slow.write_all(&[0, 200]).unwrap();
    // An octet each 100 ms is what the read timeout makes; the other client is served all the while.
    slow.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut other = tcp_client(server.address(0));
    let begin = Instant::now();
    loop {
        assert_eq!(response_id(&ask_over(&mut other, &query(3)).unwrap()), 3);
        match slow.read(&mut [0; 16]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            _ => break,
        }
        assert!(begin.elapsed() < PATIENCE, "never closed");
        if slow.write_all(&[0]).is_err() {
            break;
        }
    }
    assert!(begin.elapsed() >= Duration::from_secs(4), "{:?}", begin.elapsed());
}

#[test]
fn caps_reset_the_next_connection_and_let_exempt_sources_in() {
    let tcp = TcpSettings { connections: 1, connections_per_source: 1, ..TcpSettings::default() };
    // Loopback is exempt; the caps of other sources are tested as a table in `caps`. Here: the exempt bound.
    for engine in [Engine::Native, Engine::Hickory] {
        let server = start(&Settings { engine, ..native(tcp.clone()) });
        let mut taken: Vec<TcpStream> =
            (0..TcpSettings::EXEMPT_CONNECTIONS).map(|_| tcp_client(server.address(0))).collect();
        for (id, stream) in taken.iter_mut().enumerate() {
            ask_over(stream, &query(id as u16)).unwrap();
        }
        let mut refused = tcp_client(server.address(0));
        let error = refused.read(&mut [0; 16]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "at once, not a silent hang: {engine:?}");
        assert_eq!(server.sum(|it| &it.tcp_refused), 1);
        drop(taken);
        eventually("there is room again", || {
            TcpStream::connect(server.address(0))
                .is_ok_and(|mut stream| ask_over(&mut stream, &query(1)).is_ok())
        });
    }
}

#[test]
fn what_is_no_query_closes_the_connection() {
    let server = start(&native(TcpSettings::default()));
    for nothing in [&b""[..], b"short"] {
        let mut stream = tcp_client(server.address(0));
        stream.write_all(&framed(nothing)).unwrap();
        assert!(is_closed(&mut stream));
    }
    assert_eq!(server.sum(|it| &it.ignored), 2);
}

#[test]
fn the_segment_size_is_clamped() {
    let server = start(&native(TcpSettings::default()));
    for index in [0, 1] {
        let stream = tcp_client(server.address(index));
        // Timestamps take 12 octets of each segment.
        let mss = socket2::SockRef::from(&stream).tcp_mss().unwrap();
        assert!((1200..=1220).contains(&mss), "{mss}");
    }
}

#[tokio::test]
async fn a_stop_answers_what_was_asked_closes_and_takes_no_more() {
    let server = start(&native(TcpSettings::default()));
    let address = server.address(0);
    let mut idle = tcp_client(address);
    let mut asked = tcp_client(address);
    ask_over(&mut idle, &query(1)).unwrap();
    asked.write_all(&framed(&query(2))).unwrap();
    assert_eq!(response_id(&read_message(&mut asked).unwrap()), 2);
    // A query without its end must not delay the stop past the grace.
    let mut half = tcp_client(address);
    half.write_all(&framed(&query(3))[..9]).unwrap();
    let begin = Instant::now();
    server.serving.shutdown(Duration::from_secs(5)).await;
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(is_closed(&mut idle) && is_closed(&mut asked) && is_closed(&mut half));
    assert!(TcpStream::connect(address).is_err());
}
