//! dnstap and the query log of a running anyns: read by the collector and the reader of others.

use std::path::Path;

use nix::sys::signal::Signal;

use crate::encrypted::serial;
use crate::support::anyns::BOUND;
use crate::support::dns::SOA;
use crate::support::encrypted::write_pair;
use crate::support::pop::{Alone, ZONE};
use crate::support::process::{Process, must};
use crate::support::skip::has_programs;
use crate::support::wait::wait_until;

/// Queries that each part of the test asks.
const QUERIES: usize = 20;

fn count(alone: &Alone, metric: &str) -> u64 {
    let text = alone.anyns.must(&["metrics"]);
    let line = text.lines().find(|line| line.split('{').next() == Some(metric)).expect("a sample");
    line.rsplit(' ').next().expect("a value").parse().expect("a number")
}

fn log(alone: &Alone) -> String {
    std::fs::read_to_string(alone.lab.log_file("alone")).unwrap_or_default()
}

/// How often the file has a query for the zone, and a response to one.
fn assert_read(file: &Path, least: usize) -> String {
    let text = must(std::process::Command::new("dnstap-read").arg(file));
    for kind in [" AQ ", " AR "] {
        let lines = text.lines().filter(|line| {
            line.contains(kind) && line.contains("UDP") && line.contains(&format!("{ZONE}/IN/SOA"))
        });
        assert!(lines.count() >= least, "{kind}: {text}");
    }
    text
}

/// Asks, and waits until the messages of that were written.
fn ask_and_wait(alone: &Alone) {
    let before = count(alone, "anyns_dnstap_messages_total");
    for _ in 0..QUERIES {
        assert!(alone.ask(ZONE, SOA).is_some());
    }
    wait_until("they were written", BOUND, || {
        count(alone, "anyns_dnstap_messages_total") >= before + 2 * QUERIES as u64
    });
}

/// Starts a collector at this socket that writes into the file.
fn start_collector(alone: &Alone, socket: &Path, file: &Path) -> Process {
    let [at, to] = [socket, file].map(|path| path.display().to_string());
    let arguments = ["-t", "protobuf:dnstap.Dnstap", "-u", &at, "-w", &to];
    alone.lab.start(&alone.space, "collector", "fstrm_capture", &arguments)
}

/// Starts a collector, then the server; both have begun when this returns.
fn start_collected(alone: &mut Alone, socket: &Path, file: &Path) -> Process {
    let collector = start_collector(alone, socket, file);
    wait_until("the collector listens", BOUND, || socket.exists());
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_announces();
    wait_until("the collector takes messages", BOUND, || count(alone, "anyns_dnstap_messages_total") > 0);
    collector
}

#[test]
fn messages_reach_a_collector_over_tcp_from_a_management_address() {
    if !has_programs("dnstap over TCP", &["fstrm_capture", "dnstap-read", "ss"]) {
        return;
    }
    const COLLECTOR: &str = "198.18.1.9";
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("messages.fstrm");
    let mut alone = Alone::new(&format!("[samples]\none-in = 1\ndnstap = \"tcp:{COLLECTOR}:6000\"\n"));
    alone.space.ip(&["address", "add", &format!("{COLLECTOR}/32"), "dev", "lo"]);
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_announces();
    // The collector comes later than the server.
    let to = file.display().to_string();
    let arguments = ["-t", "protobuf:dnstap.Dnstap", "-a", COLLECTOR, "-p", "6000", "-w", &to];
    let mut collector = alone.lab.start(&alone.space, "collector", "fstrm_capture", &arguments);
    wait_until("the collector takes messages", BOUND, || count(&alone, "anyns_dnstap_messages_total") > 0);
    let connections =
        must(alone.space.command("ss").args(["-tnH", "state", "established", "dport", "=", "6000"]));
    assert!(connections.contains("198.18.1.2:"), "not from the management address: {connections}");
    ask_and_wait(&alone);
    collector.signal(Signal::SIGTERM);
    collector.wait_end(BOUND);
    assert_read(&file, QUERIES);
    wait_until("without it the loss is counted, and queries are answered", BOUND, || {
        assert!(alone.ask(ZONE, SOA).is_some());
        count(&alone, "anyns_dnstap_dropped_total") > 0
    });
}

#[test]
fn a_message_of_any_transport_tells_the_address_that_was_asked() {
    if !has_programs("dnstap of all transports", &["fstrm_capture", "dnstap-read", "kdig"]) {
        return;
    }
    let mut alone = Alone::new("");
    let directory = alone.lab.subdirectory("tls");
    write_pair(&directory);
    let (socket, file) = (directory.join("dnstap.sock"), directory.join("messages.fstrm"));
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| directory.join(name));
    let config = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    let more = format!(
        "\n[samples]\none-in = 1\ndnstap = \"unix:{}\"\n[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n\
         dot = 853\ndoq = 853\ndoh = 443\ndoh3 = 443\n",
        socket.display(),
        certificate.display(),
        key.display()
    );
    std::fs::write(alone.anyns.config(), config + &more).expect("written");
    let mut collector = start_collected(&mut alone, &socket, &file);
    for transport in ["+tcp", "+tls", "+https", "+quic"] {
        assert_eq!(serial(&alone, transport, &certificate), "1", "{transport}");
    }
    ask_and_wait(&alone);
    collector.signal(Signal::SIGTERM);
    collector.wait_end(BOUND);
    let text = must(std::process::Command::new("dnstap-read").arg(&file));
    let lines = || text.lines().filter(|line| line.contains(" AQ ") || line.contains(" AR "));
    // dnstap-read calls every transport but TCP "UDP": 853 is DoT and DoQ.
    for (asked, least) in [("53 TCP ", 1), ("53 UDP ", QUERIES), ("853 UDP ", 2), ("443 UDP ", 1)] {
        let asked = format!(" -> 192.0.2.53:{asked}");
        assert!(lines().filter(|line| line.contains(&asked)).count() >= least, "{asked} in {text}");
    }
    let unknown: Vec<&str> =
        lines().filter(|line| line.contains(" -> ?") || line.contains(" <- ?")).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn messages_reach_a_collector_and_one_that_is_gone_costs_nothing_else() {
    if !has_programs("dnstap", &["fstrm_capture", "dnstap-read"]) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let (socket, file) = (directory.path().join("dnstap.sock"), directory.path().join("messages.fstrm"));
    let mut alone = Alone::new(&format!(
        "[samples]\none-in = 1\nquery-log = true\ndnstap = \"unix:{}\"\n",
        socket.display()
    ));
    let mut collector = start_collected(&mut alone, &socket, &file);
    ask_and_wait(&alone);
    // The collector writes what it has when it ends.
    collector.signal(Signal::SIGTERM);
    collector.wait_end(BOUND);
    let text = assert_read(&file, QUERIES);
    assert!(text.contains(":53 ") || text.contains(":53\t"), "the address that was asked is missing: {text}");
    // Without the collector queries are answered, and what is lost is counted. The query log goes on.
    wait_until("the loss is counted", BOUND, || {
        assert!(alone.ask(ZONE, SOA).is_some());
        let log = log(&alone);
        log.contains("dnstap messages are dropped") && log.contains("client=192.0.2.0/24")
    });
    wait_until("the loss is counted while the query log writes", BOUND, || {
        assert!(alone.ask(ZONE, SOA).is_some());
        count(&alone, "anyns_dnstap_dropped_total") > 0
    });
    // Another version of EDNS: BADVERS has its upper bits in the OPT record.
    let badvers = b"\0\x07\0\0\0\x01\0\0\0\0\0\x01\0\0\x06\0\x01\0\0\x29\x04\xd0\0\x01\0\0\0\0";
    let client = alone.space.inside(|| std::net::UdpSocket::bind("192.0.2.53:0")).expect("bound");
    client.send_to(badvers, "192.0.2.53:53").expect("sent");
    wait_until("the record tells the extended RCODE", BOUND, || log(&alone).contains("rcode=16"));
    // It is tried again.
    let _ = std::fs::remove_file(&socket);
    let mut collector = start_collector(&alone, &socket, &file);
    let before = count(&alone, "anyns_dnstap_messages_total");
    wait_until("the new collector takes messages", BOUND, || {
        count(&alone, "anyns_dnstap_messages_total") > before
    });
    collector.signal(Signal::SIGTERM);
    collector.wait_end(BOUND);
}
