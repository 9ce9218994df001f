//! Daily statistics of a running anyns: the files, over a planned stop and a start.

use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use crate::support::anyns::BOUND;
use crate::support::dns::{AAAA, SOA};
use crate::support::pop::{Alone, ZONE};
use crate::support::stream::ask_tcp;
use crate::support::wait::wait_until;
use crate::support::world::Site;

/// Queries that each part of the test asks.
const QUERIES: u64 = 25;

/// The files of a metric, the oldest day first: two if midnight passes meanwhile.
fn files(directory: &Path, metric: &str) -> Vec<PathBuf> {
    let mut open = vec![directory.to_owned()];
    let mut found = Vec::new();
    while let Some(directory) = open.pop() {
        let entries = std::fs::read_dir(&directory).into_iter().flatten();
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            match path.is_dir() {
                true => open.push(path),
                false if name.ends_with(&format!("-{metric}.yaml")) => found.push(path),
                false => assert!(!name.ends_with(".new"), "a file that was not finished: {path:?}"),
            }
        }
    }
    found.sort();
    found
}

/// The sum of a field over the days.
fn count(directory: &Path, metric: &str, field: &str) -> u64 {
    let texts =
        files(directory, metric).into_iter().map(|path| std::fs::read_to_string(path).expect("a file"));
    let field = format!("{field}: ");
    let line = |text: String| text.lines().find_map(|line| line.strip_prefix(&field)?.parse::<u64>().ok());
    texts.filter_map(line).sum()
}

#[test]
fn statistics_of_a_day_are_files_that_a_restart_goes_on_from() {
    let directory = tempfile::tempdir().expect("a directory");
    let section =
        format!("[rssac002]\ndirectory = \"{}\"\nservice = \"as112.example\"\n", directory.path().display());
    let mut alone = Alone::running(&section);
    let at = directory.path();
    wait_until("files are there from the start", BOUND, || {
        !files(at, "traffic-volume").is_empty() && !files(at, "rcode-volume").is_empty()
    });
    let path = files(at, "traffic-volume").remove(0);
    let parts: Vec<&str> =
        path.strip_prefix(at).expect("inside").iter().map(|part| part.to_str().unwrap()).collect();
    let [year, month, "traffic-volume", name] = parts[..] else { panic!("{path:?}") };
    assert!(name.starts_with(&format!("alone-{year}{month}")), "{path:?}");
    let ask = |alone: &Alone| {
        for _ in 0..QUERIES {
            assert!(alone.ask(ZONE, SOA).is_some());
            assert!(alone.ask("nothing.invalid", AAAA).is_some());
            assert!(alone.space.inside(|| ask_tcp(Site::service(0), ZONE, SOA)).is_some());
        }
    };
    ask(&alone);
    let stop = |alone: &mut Alone| {
        alone.anyns.signal(Signal::SIGTERM);
        alone.anyns.process().wait_end(BOUND);
    };
    // What was counted since the last write is written at a planned stop.
    stop(&mut alone);
    let text = std::fs::read_to_string(&path).expect("the file");
    let head = "---\nversion: rssac002v5\nservice: as112.example\nstart-period: ";
    assert!(text.starts_with(head) && text.contains("T00:00:00Z\nmetric: traffic-volume\n"), "{text}");
    let traffic = |field: &str| count(at, "traffic-volume", field);
    let fields = [
        ("dns-udp-queries-received-ipv4", 2 * QUERIES),
        ("dns-udp-responses-sent-ipv4", 2 * QUERIES),
        ("dns-tcp-queries-received-ipv4", QUERIES),
        ("dns-tcp-responses-sent-ipv4", QUERIES),
        // The POP's own probes alone.
        ("dns-udp-queries-received-ipv6", 1),
        ("dns-udp-responses-sent-ipv6", 1),
        ("dns-tcp-queries-received-ipv6", 1),
        ("dns-tcp-responses-sent-ipv6", 1),
    ];
    for (field, least) in fields {
        assert!(traffic(field) >= least, "{field}: {text}");
    }
    let refused = count(at, "rcode-volume", "5");
    assert!(count(at, "rcode-volume", "0") >= 2 * QUERIES && refused >= QUERIES, "{text}");
    // Over UDP, which stands first: the queries for example.org have 44 octets, those for nothing.invalid 48.
    let sizes = std::fs::read_to_string(files(at, "traffic-sizes").remove(0)).expect("the file");
    assert!(sizes.contains("metric: traffic-sizes\nudp-request-sizes:\n"), "{sizes}");
    for (field, least) in [("  32-47", QUERIES), ("  48-63", QUERIES)] {
        assert!(count(at, "traffic-sizes", field) >= least, "{field}: {sizes}");
    }
    // A start goes on from there.
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_announces();
    ask(&alone);
    stop(&mut alone);
    assert!(traffic("dns-udp-queries-received-ipv4") >= 4 * QUERIES);
    assert_eq!(count(at, "rcode-volume", "5"), refused + QUERIES);
}

#[test]
fn statistics_that_cannot_be_written_are_an_alarm_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "no directory").expect("written");
    let section = format!("[rssac002]\ndirectory = \"{}\"\nservice = \"as112.example\"\n", file.display());
    let alone = Alone::running(&section);
    alone.anyns.wait_status("the alarm", |status| {
        let alarms = status["alarms"].as_array().into_iter().flatten();
        let mut messages = alarms.filter_map(|alarm| alarm["message"].as_str());
        messages.any(|message| message.contains("the statistics of this day are not written: cannot "))
    });
    assert!(alone.ask(ZONE, SOA).is_some());
}
