//! Which client prefixes reach which POP: counted from queries, compared over the fleet, and the estimate of a drain.

use std::net::{SocketAddr, UdpSocket};

use serde_json::{Value, json};

use crate::fleet::{Fleet, fleet};
use crate::http::get;
use crate::support::anyns::BOUND;
use crate::support::dns::{SOA, query};
use crate::support::pop::ZONE;
use crate::support::wait::wait_until;

/// Clients in three prefixes.
pub(crate) const CLIENTS: [&str; 3] = ["198.51.100.7", "203.0.113.9", "2001:db8:7::1"];

/// Puts the clients' addresses on the host of both POPs.
pub(crate) fn add_clients(fleet: &Fleet) {
    for client in CLIENTS {
        let length = if client.contains(':') { 128 } else { 32 };
        fleet.alone.space.ip(&["address", "add", &format!("{client}/{length}"), "dev", "lo"]);
    }
}

/// Asks a service address from a client's address, this many times.
pub(crate) fn ask(fleet: &Fleet, client: &str, server: &str, times: u16) {
    let client = SocketAddr::new(client.parse().expect("an address"), 0);
    let server: SocketAddr = server.parse().expect("a socket");
    fleet.alone.space.inside(|| {
        let socket = UdpSocket::bind(client).expect("a client of this address");
        socket.set_read_timeout(Some(BOUND)).expect("a timeout");
        for id in 0..times {
            socket.send_to(&query(id, ZONE, SOA), server).expect("sent");
            let length = socket.recv(&mut [0; 512]).expect("a response");
            assert!(length > 12);
        }
    });
}

/// The prefixes of a family with their samples.
fn prefixes(document: &Value, family: &str) -> Vec<(String, u64)> {
    let rows = document[family]["prefixes"].as_array().cloned().unwrap_or_default();
    let row = |row: &Value| {
        (row["prefix"].as_str().unwrap_or_default().to_owned(), row["samples"].as_u64().unwrap_or(0))
    };
    rows.iter().map(row).collect()
}

#[test]
fn client_prefixes_are_counted_compared_and_used_for_an_estimate() {
    let mut fleet = fleet(&[("down", "127.0.0.1:9535")]);
    fleet.restart_with_list();
    add_clients(&fleet);
    ask(&fleet, CLIENTS[0], "192.0.2.53:53", 30);
    ask(&fleet, CLIENTS[1], "192.0.2.53:53", 10);
    ask(&fleet, CLIENTS[2], "[2001:db8:53::53]:53", 5);
    ask(&fleet, CLIENTS[0], "192.0.2.53:5301", 20);
    let told = || -> Value {
        serde_json::from_str(&fleet.alone.anyns.must(&["catchment", "--json"])).expect("a document")
    };
    let count = |text: &str, samples| (text.to_owned(), samples);
    let expected = [count("198.51.100.0/24", 30), count("203.0.113.0/24", 10)];
    // The POP's own probes, which go on all the time, are no clients.
    wait_until("the queries are counted, and nothing else", BOUND, || {
        let document = told();
        prefixes(&document, "ipv4") == expected
            && prefixes(&document, "ipv6") == [count("2001:db8:7::/48", 5)]
            && document["ipv4"]["samples"] == 40
    });
    let text = fleet.alone.anyns.must(&["catchment", "--most", "1"]);
    assert!(
        text.contains("198.51.100.0/24  30       66.7 %") && text.contains("others           15"),
        "{text}"
    );
    let reply = get(&fleet.alone.space, "127.0.0.1:9533", "/api/v1/catchment?most=1", "").json();
    assert_eq!((prefixes(&reply, "ipv4"), &reply["one_in"]), (vec![count("198.51.100.0/24", 30)], &json!(1)));
    told_by_others(&fleet);
    compared(&fleet);
    estimated(&fleet);
    // Without the POP that is down, everything is known.
    let list = std::fs::read_to_string(&fleet.list).expect("the list");
    let (known, _) = list.split_once("[[fleet.pop]]\nname = \"down\"").expect("it is listed");
    std::fs::write(&fleet.list, known).expect("written");
    let (code, text) = fleet.run(&["catchment"]);
    assert_eq!(code, 0, "{text}");
}

/// What the page of a POP shows of another one.
fn told_by_others(fleet: &Fleet) {
    let told = |pop: &str| {
        get(&fleet.alone.space, "127.0.0.1:9533", &format!("/api/v1/catchment?most=5&pop={pop}"), "")
    };
    wait_until("the page asks the other POP", BOUND, || {
        let reply = told("other");
        reply.status == 200 && prefixes(&reply.json(), "ipv4") == [("198.51.100.0/24".to_owned(), 20)]
    });
    assert_eq!(told("other").json()["pop"], "other");
    let (down, unknown) = (told("down"), told("nobody"));
    assert!(down.status == 502 && down.body.contains("no connection"), "{}", down.body);
    assert!(unknown.status == 404 && unknown.body.contains("no POP of this name"), "{}", unknown.body);
}

/// The POPs beside each other, as text and as files.
fn compared(fleet: &Fleet) {
    wait_until("the other POP has counted, too", BOUND, || {
        fleet.run(&["catchment"]).1.contains("198.51.100.0/24: alone ")
    });
    let [csv, document] = ["clients.csv", "clients.json"].map(|name| fleet.alone.lab.directory().join(name));
    let (code, text) = fleet.run(&["catchment", "--output", &csv.display().to_string()]);
    assert!(code == 1 && text.contains("! down: no connection"), "{text}");
    assert!(text.contains("prefixes that several POPs see: 1\n"), "{text}");
    let lines = std::fs::read_to_string(csv).expect("the file");
    for line in [
        "pop,prefix,samples,",
        "alone,198.51.100.0/24,30,0,",
        "alone,2001:db8:7::/48,5,0,",
        "other,198.51.100.0/24,20,0,1.0",
    ] {
        assert!(lines.lines().any(|known| known.starts_with(line)), "{line}: {lines}");
    }
    fleet.run(&["catchment", "--output", &document.display().to_string()]);
    let document: Value =
        serde_json::from_str(&std::fs::read_to_string(document).expect("the file")).expect("JSON");
    assert_eq!(document["shared"][0]["prefix"], "198.51.100.0/24");
}

/// What a drain would move.
fn estimated(fleet: &Fleet) {
    let (code, text) = fleet.run(&["plan", "drain", "alone"]);
    assert_eq!(code, 1, "one POP is down: {text}");
    for words in ["estimate: a drain of alone moves", "67 % of them", "! down is left out", "other  "] {
        assert!(text.contains(words), "{words:?}: {text}");
    }
    let (_, text) = fleet.run(&["plan", "drain", "alone", "--json"]);
    let plan: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let number = |value: &Value| value.as_f64().expect("a number");
    // There is one other POP: it gets everything.
    let (moves, more) = (number(&plan["queries"]), number(&plan["receivers"][0]["more"]));
    assert!(moves > 0.0 && (moves - more).abs() < 1e-6, "{text}");
    let (code, text) = fleet.run(&["plan", "drain", "nobody"]);
    assert!(code == 1 && text.contains("no POP \"nobody\" is listed"), "{text}");
    let (code, text) = fleet.run(&["plan", "drain", "down"]);
    assert!(code == 1 && text.contains("down gives no answer"), "{text}");
}
