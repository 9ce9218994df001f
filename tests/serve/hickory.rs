//! The hickory engine answers what the native one answers.

use std::time::Duration;

use anyns::serve::{Engine, Facts, ServeError};
use anyns::telemetry::Counters;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_give_the_same_answer_over_udp_and_tcp() {
    let engines = [Engine::Native, Engine::Hickory];
    let [native, hickory] = engines.map(|engine| start(&settings(engine, &["127.0.0.1:0", "[::1]:0"])));
    for index in [0, 1] {
        let over_udp = [&native, &hickory].map(|server| {
            let (response, from) = ask(server.address(index), &query(77));
            assert_eq!(from, server.address(index));
            response
        });
        assert_eq!(over_udp[0], over_udp[1]);
        let over_tcp = [&native, &hickory].map(|server| {
            let mut stream = tcp_client(server.address(index));
            [78, 79].map(|id| ask_over(&mut stream, &query(id)).unwrap())
        });
        assert_eq!(over_tcp[0], over_tcp[1]);
    }
    assert_eq!(hickory.sum(|it| &it.responses), 6);
    assert_eq!(hickory.serving.watch().observe(Duration::ZERO), Facts::default());
    hickory.serving.shutdown(Duration::from_secs(5)).await;
}

#[test]
fn what_hickory_cannot_parse_it_answers_formerr_itself_and_the_rest_comes_to_us() {
    let server = start(&settings(Engine::Hickory, &["127.0.0.1:0"]));
    let mut cut = query(1);
    cut.truncate(16);
    let (response, _) = ask(server.address(0), &cut);
    assert_eq!(
        (response_id(&response), response[3] & 15, response.len()),
        (1, 1, 12),
        "FORMERR, no question"
    );
    assert_eq!(server.sum(|it| &it.udp_queries), 0);
    // An opcode that nobody knows, and no question at all.
    let mut opcode = query(2);
    opcode[2] = 15 << 3;
    let mut empty = query(3);
    empty.truncate(12);
    empty[5] = 0;
    for (came, query) in [opcode, empty].iter().enumerate() {
        response_id(&ask(server.address(0), query).0);
        assert_eq!(server.sum(|it| &it.udp_queries), came as u64 + 1);
    }
}

#[test]
fn hickory_refuses_a_wildcard_and_a_port_in_use() {
    let counters = Counters::new(3);
    let error = try_start(&settings(Engine::Hickory, &["0.0.0.0:0"]), None, &counters).unwrap_err();
    assert!(matches!(error, ServeError::Wildcard(_)), "{error}");
    let first = start(&settings(Engine::Hickory, &["127.0.0.1:0"]));
    let again = settings(Engine::Hickory, &[&first.address(0).to_string()]);
    let error = try_start(&again, None, &counters).unwrap_err();
    assert!(error.to_string().contains("another process has this port"), "{error}");
}

#[test]
fn auto_is_native_on_linux() {
    let wildcard = start(&settings(Engine::Auto, &["0.0.0.0:0"]));
    assert_eq!(wildcard.serving.local_addresses().len(), 1);
}
