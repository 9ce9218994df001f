//! The process: its start without a config, its end, its only instance, its logs.

use std::io::{Read, Write};
use std::net::TcpStream;

use nix::sys::signal::Signal;

use crate::support::anyns::{BOUND, PROGRAM, run_here};
use crate::support::dns;
use crate::support::lab::Lab;
use crate::support::pop::{Alone, ZONE};
use crate::support::wait::wait_for;
use crate::support::world::SERVICE;

/// The README's first command, in a namespace of its own, where nobody else has port 5300.
#[test]
fn without_a_config_it_serves_the_zones_of_the_repository() {
    let mut lab = Lab::new();
    let space = lab.space("default");
    // Its admin socket is in /run, which other checkouts share: this one gets a /run of its own.
    let root = env!("CARGO_MANIFEST_DIR");
    let script = format!("mount -t tmpfs none /run && cd '{root}' && exec {PROGRAM} run");
    let _running = lab.start(&space, "anyns", "unshare", &["--mount", "sh", "-c", &script]);
    for server in ["127.0.0.1", "::1"] {
        let dig = || {
            let mut command = space.command("dig");
            let at = format!("@{server}");
            command.args([&at, "-p", "5300", "+short", "+tries=1", "+timeout=1", "www.example.org", "A"]);
            let text = String::from_utf8_lossy(&command.output().expect("dig runs").stdout).into_owned();
            text.lines().any(|line| line.parse::<std::net::Ipv4Addr>().is_ok()).then_some(())
        };
        wait_for(&format!("an answer from {server}"), BOUND, dig);
    }
}

#[test]
fn sigterm_ends_it_in_order() {
    let mut alone = Alone::running("");
    let stream = alone.stream();
    stream.wait_answers(50, BOUND);
    let record = stream.stop();
    assert_eq!(record.lost(), 0, "{}", record.summary());
    alone.anyns.signal(Signal::SIGTERM);
    let status = alone.anyns.process().wait_end(BOUND);
    assert!(status.success(), "{status}");
    let socket = alone.lab.directory().join("alone.sock");
    assert!(!socket.exists(), "the admin socket is removed");
    assert_eq!(alone.anyns.command(&["status"]).code, 3, "nobody answers");
}

#[test]
fn queries_that_were_pipelined_before_sigterm_are_all_answered() {
    // 35,000 octets: within the window of the connection, so that all of them are in the server's socket before it goes on.
    const QUERIES: u16 = 1000;
    let mut alone = Alone::running("[drain]\ndeprefer = \"0s\"\nquiet = \"10ms\"\n");
    let mut stream = alone.space.inside(|| TcpStream::connect((SERVICE[0], 53)).expect("it is served"));
    stream.set_read_timeout(Some(BOUND)).expect("a bound");
    // Stopped, it has read none of them when it is told to end.
    alone.anyns.signal(Signal::SIGSTOP);
    let framed = |id| {
        let query = dns::query(id, "www.example.org", 1);
        [&(query.len() as u16).to_be_bytes(), &query[..]].concat()
    };
    let queries: Vec<u8> = (0..QUERIES).flat_map(framed).collect();
    stream.write_all(&queries).expect("the kernel has room for them");
    alone.anyns.signal(Signal::SIGTERM);
    alone.anyns.signal(Signal::SIGCONT);
    for id in 0..QUERIES {
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap_or_else(|error| panic!("answer {id}: {error}"));
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer).unwrap_or_else(|error| panic!("answer {id}: {error}"));
        assert_eq!(answer.get(..2), Some(&id.to_be_bytes()[..]));
    }
    assert_eq!(stream.read(&mut [0; 1]).expect("an end, not a reset"), 0);
    assert!(alone.anyns.process().wait_end(BOUND).success());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut alone = Alone::running("[drain]\ndeprefer = \"10m\"\nquiet = \"10m\"\nlimit = \"20m\"\n");
    alone.anyns.signal(Signal::SIGTERM);
    wait_for("it begins to stop", BOUND, || {
        alone.anyns.process().output().contains("stopping in order").then_some(())
    });
    alone.anyns.signal(Signal::SIGTERM);
    assert!(alone.anyns.process().wait_end(BOUND).success());
}

#[test]
fn a_second_process_is_refused_and_the_first_goes_on() {
    let alone = Alone::running("");
    let said = alone.anyns.command(&["run"]);
    assert_eq!(said.code, 1, "{}", said.text);
    assert!(said.text.contains("another anyns answers on"), "{}", said.text);
    assert_eq!(alone.served_version(ZONE), Some(1));
}

/// Whether it can be depends on the machine and on other keys, so the log says it.
#[test]
fn the_log_says_once_whether_socket_affinity_is_in_force() {
    let cores = cores();
    let on_each =
        if cores > 1 { "each worker takes what its own core received" } else { "there is one worker" };
    let table = [
        (format!("workers = {cores}"), on_each),
        ("workers = 1".to_owned(), "there is one worker"),
        (format!("workers = {}", cores + 1), "workers are not pinned to cores"),
        ("engine = \"hickory\"".to_owned(), "has one thread"),
    ];
    for (keys, expected) in table {
        let mut alone = Alone::running(&format!("[serve]\nsocket-affinity = true\n{keys}\n"));
        let output = alone.anyns.process().output();
        assert_eq!(output.matches(expected).count(), 1, "{keys}: {output}");
        let warnings = output.matches("serve.socket-affinity is not in force").count();
        assert_eq!(warnings, usize::from(!expected.starts_with("each")), "{keys}: {output}");
    }
}

/// The cores that this process, and what it starts, may run on.
fn cores() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").expect("it can be read");
    let mask = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed:")).expect("the line is there");
    mask.chars().filter_map(|digit| digit.to_digit(16)).map(u32::count_ones).sum()
}

#[test]
fn every_line_of_a_json_log_names_the_pop() {
    let mut alone = Alone::running("[log]\nformat = \"json\"\n");
    let output = alone.anyns.process().output();
    assert!(output.lines().count() > 3, "{output}");
    for line in output.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a JSON object");
        assert_eq!(line["pop"], "alone", "{line}");
        assert_eq!(line["instance"], "alone", "{line}");
    }
}

#[test]
fn the_answers_say_which_instance_it_was() {
    let alone = Alone::running("");
    let dig = |arguments: &[&str]| {
        let mut command = alone.space.command("dig");
        command.args(["@192.0.2.53", "+tries=2", "+timeout=2"]).args(arguments);
        String::from_utf8_lossy(&command.output().expect("dig runs").stdout).into_owned()
    };
    assert_eq!(dig(&["+short", "id.server", "CH", "TXT"]).trim(), "\"alone\"");
    assert_eq!(dig(&["+short", "+tcp", "hostname.bind", "CH", "TXT"]).trim(), "\"alone\"");
    assert!(dig(&["+nsid", ZONE, "SOA"]).contains("(\"alone\")"));
    assert!(alone.ask(&format!("version.{ZONE}"), dns::TXT).is_some());
}

#[test]
fn the_command_line_says_what_is_wrong_with_it() {
    let directory = tempfile::tempdir().expect("a directory");
    assert_eq!(run_here(directory.path(), &["fly"]).code, 2);
    let said = run_here(directory.path(), &["check", "--config", "absent.toml"]);
    assert_eq!(said.code, 1);
    assert!(said.text.contains("absent.toml"), "{}", said.text);
    let said = run_here(directory.path(), &["zone", "check", "absent.zone"]);
    assert_eq!(said.code, 1);
    assert!(said.text.contains("absent.zone"), "{}", said.text);
}
