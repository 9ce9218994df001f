//! The native engine over UDP.

use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use anyns::admission::{self, Limits};
use anyns::serve::{Engine, Facts, ServeError, Settings};
use anyns::telemetry::{Beat, Counters};

use crate::support::*;

fn native(listen: &[&str]) -> Settings {
    settings(Engine::Native, listen)
}

#[test]
fn a_reply_leaves_from_the_address_that_was_asked() {
    for (listen, asked) in [
        ("127.0.0.1:0", "127.0.0.1"),
        ("0.0.0.0:0", "127.0.0.1"),
        ("0.0.0.0:0", "127.0.0.2"),
        ("0.0.0.0:0", "127.77.66.55"),
        ("[::1]:0", "::1"),
        ("[::]:0", "::1"),
        ("[::]:0", "127.0.0.2"),
    ] {
        let server = start(&native(&[listen]));
        let asked = SocketAddr::new(asked.parse().unwrap(), server.address(0).port());
        let (response, from) = ask(asked, &query(4711));
        assert_eq!((response_id(&response), from), (4711, asked), "asked {asked} of {listen}");
        assert_eq!(response[12..], query(0)[12..], "the question is copied");
    }
}

#[test]
fn each_of_several_addresses_answers_also_beside_a_wildcard_of_the_other_family() {
    let server = start(&native(&["127.0.0.1:0", "127.0.0.2:0", "[::1]:0", "0.0.0.0:0", "[::]:0"]));
    for (index, asked) in ["127.0.0.1", "127.0.0.2", "::1", "127.0.0.3", "::1"].iter().enumerate() {
        let asked = SocketAddr::new(asked.parse().unwrap(), server.address(index).port());
        assert_eq!(ask(asked, &query(7)).1, asked);
    }
}

#[test]
fn every_query_of_a_burst_from_many_sources_is_answered_by_its_id() {
    let server = start(&native(&["127.0.0.1:0"]));
    let clients: Vec<UdpSocket> = (0..20).map(|_| udp_client(server.address(0))).collect();
    for id in 0..100 {
        for client in &clients {
            client.send_to(&query(id), server.address(0)).unwrap();
        }
    }
    for client in &clients {
        let mut ids: Vec<u16> = (0..100)
            .map(|_| {
                let mut response = [0; 512];
                let length = client.recv(&mut response).unwrap();
                response_id(&response[..length])
            })
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..100).collect::<Vec<u16>>());
    }
    eventually("every response is counted", || server.sum(|it| &it.responses) == 2000);
    assert_eq!(server.sum(|it| &it.udp_queries), 2000);
    assert_eq!(server.sum(|it| &it.send_errors), 0);
    eventually("both workers served", || {
        server.counters.workers()[..2]
            .iter()
            .all(|worker| worker.udp_queries.load(std::sync::atomic::Ordering::Relaxed) > 0)
    });
    eventually("nothing waits", || server.serving.receive_queue() == 0);
}

#[test]
fn what_is_no_query_is_counted_and_gets_no_answer() {
    let server = start(&native(&["127.0.0.1:0"]));
    let client = udp_client(server.address(0));
    let mut response = query(1);
    response[2] |= 0x80;
    let oversized = [query(2), vec![0; 5000]].concat();
    for nothing in [&b""[..], b"short", &response, &oversized] {
        client.send_to(nothing, server.address(0)).unwrap();
    }
    eventually("they are ignored", || server.sum(|it| &it.ignored) == 4);
    client.send_to(&query(3), server.address(0)).unwrap();
    let mut buffer = [0; 512];
    let length = client.recv(&mut buffer).unwrap();
    assert_eq!(response_id(&buffer[..length]), 3);
}

#[test]
fn the_limiter_refuses_slips_and_counts() {
    let limit = admission::Settings {
        queries_per_second: NonZeroU32::MIN,
        burst: NonZeroU32::new(2).unwrap(),
        slip: 2,
        ..admission::Settings::default()
    };
    let limits = Limits::new(&limit, Instant::now()).unwrap();
    let server = start_limited(&Settings { workers: 1, ..native(&["127.0.0.1:0"]) }, Some(limits));
    let client = udp_client(server.address(0));
    for id in 0..4 {
        client.send_to(&query(id), server.address(0)).unwrap();
    }
    let mut answers = Vec::new();
    for _ in 0..3 {
        let mut buffer = [0; 512];
        let length = client.recv(&mut buffer).unwrap();
        answers.push((response_id(&buffer[..length]), buffer[2] & 2 != 0));
    }
    assert_eq!(answers, [(0, false), (1, false), (3, true)]);
    assert_eq!((server.sum(|it| &it.limited), server.sum(|it| &it.slipped)), (1, 1));
}

#[test]
fn a_port_in_use_is_named_with_transport_and_cause_whoever_has_it() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let counters = Counters::new(3);
    let error = try_start(&native(&[&address]), None, &counters).unwrap_err();
    assert!(matches!(&error, ServeError::Bind { address: it, .. } if it.to_string() == address));
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("cannot listen on {address}/udp: another process has this port")),
        "{text}"
    );

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = try_start(&native(&[&address]), None, &counters).unwrap_err().to_string();
    assert!(text.contains("/tcp: another process"), "{text}");

    // A second server of ours, although both share the port among their own sockets.
    let server = start(&native(&["127.0.0.1:0"]));
    let address = server.address(0).to_string();
    let text = try_start(&native(&[&address]), None, &counters).unwrap_err().to_string();
    assert!(text.contains("another process has this port"), "{text}");
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let counters = Counters::new(3);
    for (listen, expected) in [
        (vec![], "0 listen addresses"),
        (vec!["127.0.0.1:5399", "127.0.0.1:5399"], "the listen address 127.0.0.1:5399 is there twice"),
        (vec!["192.0.2.1:0"], "cannot listen on 192.0.2.1:0/udp: the address is not on this host"),
    ] {
        let text = try_start(&native(&listen), None, &counters).unwrap_err().to_string();
        assert!(text.starts_with(expected), "{text}");
    }
    let few = try_start(&native(&["127.0.0.1:0"]), None, &Counters::new(1)).unwrap_err();
    assert_eq!(few.to_string(), "1 sets of counters; these settings need 2");
}

#[tokio::test]
async fn a_stop_answers_what_waits_frees_the_port_and_says_nothing_is_wrong() {
    let server = start(&native(&["127.0.0.1:0", "[::1]:0"]));
    let address = server.address(0);
    let mut watch = server.serving.watch();
    assert_eq!(watch.observe(Duration::ZERO), Facts::default());
    let client = udp_client(address);
    for id in 0..200 {
        client.send_to(&query(id), address).unwrap();
    }
    server.serving.shutdown(Duration::from_secs(5)).await;
    let mut buffer = [0; 512];
    for _ in 0..200 {
        client.recv(&mut buffer).unwrap();
    }
    assert_eq!(watch.observe(Duration::from_secs(9)), Facts::default());
    drop(start(&native(&[&address.to_string()])));
}

#[test]
fn heartbeats_move_without_a_query() {
    let server = start(&native(&["127.0.0.1:0"]));
    let beats = || -> Vec<u64> { server.serving.beats().iter().map(Beat::beats).collect() };
    let before = beats();
    assert_eq!(before.len(), 2, "two workers");
    eventually("all of them move", || beats().iter().zip(&before).all(|(now, before)| now > before));
}
