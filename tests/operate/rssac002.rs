//! Daily statistics of a running anyns: the files, over a planned stop and a start.

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use crate::support::anyns::{Anyns, BOUND};
use crate::support::dns::{AAAA, SOA, query};
use crate::support::lab::Lab;
use crate::support::pop::{Alone, HUB_KEY, ZONE, base_config, hub_and_pop, replace};
use crate::support::stream::ask_tcp;
use crate::support::wait::{wait_for, wait_until};
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
    let mut clients = Clients::default();
    let mut ask = |alone: &Alone| {
        clients.ask(alone);
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
    // Beside the clients there are the POP itself and its probes: some addresses.
    let sources = |field: &str| count(at, "unique-sources", field);
    let before = SOURCES.map(sources);
    let few = |count: u64, least: u64| (least..least + 12).contains(&count);
    assert!(few(before[0], CLIENTS - 1) && few(before[1], CLIENTS - 1) && few(before[2], 2), "{before:?}");
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
    // Half of the clients had asked before the restart; two of them may share a register.
    let more = SOURCES.map(sources);
    let added = |index: usize| more[index] as i64 - before[index] as i64;
    let half = (CLIENTS / 2) as i64;
    assert!(
        (half - 2..=half + 3).contains(&added(0)) && (half - 2..=half + 3).contains(&added(1)),
        "{before:?} {more:?}"
    );
    assert_eq!(added(2), 1, "one more /64: {before:?} {more:?}");
    // Without a zone of the service nothing is told of one.
    assert!(files(at, "zone-size").is_empty() && files(at, "load-time").is_empty());
}

#[test]
fn load_times_and_sizes_of_the_versions_of_a_zone() {
    const SERVED: &str = "size.test";
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    let mut lab = Lab::new();
    let (hub_space, pop_space) = hub_and_pop(&mut lab);
    let hub_zones = lab.subdirectory("zones-hub");
    let deploy = |serial: u32| {
        let text = format!(
            "@ 60 IN SOA ns1 hostmaster {serial} 3600 600 86400 60\n@ 60 IN NS ns1\nns1 60 IN A 192.0.2.53\n"
        );
        replace(&hub_zones.join(format!("{SERVED}.zone")), &text);
    };
    deploy(7);
    let base = base_config(&lab, "hub", ["198.18.1.1", "2001:db8:1::1"], "dry-run", "");
    let hub = format!(
        "{base}[transfer]\nlisten = [\"198.18.1.1:5353\"]\nallow = [{{ from = \"198.18.1.2/32\", keys = [\"hub.\"] }}]\n\
         notify = [{{ address = \"198.18.1.2:5353\", key = \"hub.\" }}]\n{HUB_KEY}"
    );
    let extra = format!(
        "[rssac002]\ndirectory = \"{}\"\nservice = \"size.example\"\nzone = \"{SERVED}\"\n",
        at.display()
    );
    let base = base_config(&lab, "pop", ["198.18.1.2", "2001:db8:1::2"], "dry-run", &extra);
    let pop = format!(
        "{base}[transfer]\nlisten = [\"198.18.1.2:5353\"]\n{HUB_KEY}[[zone]]\nname = \"{SERVED}\"\n\
         primaries = [{{ address = \"198.18.1.1:5353\", key = \"hub.\" }}]\n"
    );
    crate::support::pop::deploy(&hub_zones, ZONE, 1);
    crate::support::pop::deploy(&lab.subdirectory("zones-pop"), ZONE, 1);
    let mut hub = Anyns::new(&lab, &hub_space, "hub", &hub);
    let mut pop = Anyns::new(&lab, &pop_space, "pop", &pop);
    hub.start(&lab);
    hub.wait_zone(SERVED, "served", Some(7));
    pop.start(&lab);
    pop.wait_zone(SERVED, "served", Some(7));
    deploy(9);
    pop.wait_zone(SERVED, "served", Some(9));
    pop.signal(Signal::SIGTERM);
    pop.process().wait_end(BOUND);
    let text = |metric: &str| {
        let texts = files(at, metric).into_iter().map(|path| std::fs::read_to_string(path).expect("a file"));
        texts.collect::<String>()
    };
    // SOA: owner 11, 10 octets beside the RDATA, names 15 and 22, numbers 20. NS: 11, 10, 15. A: 15, 10, 4.
    let octets = (11 + 10 + 15 + 22 + 20) + (11 + 10 + 15) + (15 + 10 + 4);
    assert_eq!(count(at, "zone-size", "  9"), octets, "{}", text("zone-size"));
    assert!(text("zone-size").contains("\nmetric: zone-size\nsize:\n"), "{}", text("zone-size"));
    let times = text("load-time");
    assert!(times.contains("\nmetric: load-time\ntime:\n"), "{times}");
    for serial in [7, 9] {
        assert!(times.contains(&format!("\n  {serial}: ")), "{times}");
        assert!(count(at, "load-time", &format!("  {serial}")) < 10, "{times}");
    }
}

/// The fields of `unique-sources`.
const SOURCES: [&str; 3] = ["num-sources-ipv4", "num-sources-ipv6", "num-sources-ipv6-aggregate"];
/// Clients of each family in one turn.
const CLIENTS: u64 = 20;

/// Clients with addresses of their own: in each turn [`CLIENTS`] of each family, those of IPv6 in two /64, half of them known from the turn
/// before.
#[derive(Default)]
struct Clients {
    turns: u64,
}

impl Clients {
    fn ask(&mut self, alone: &Alone) {
        let first = self.turns * CLIENTS / 2;
        self.turns += 1;
        for number in first..first + CLIENTS {
            let (network, host) = (number / (CLIENTS / 2), number + 1);
            for (client, length, server) in [
                (format!("198.51.100.{host}"), 32, "192.0.2.53:53"),
                (format!("2001:db8:7:{network}::{host:x}"), 128, "[2001:db8:53::53]:53"),
            ] {
                // Half of them are there from the turn before.
                if first == 0 || number >= first + CLIENTS / 2 {
                    alone.space.ip(&["address", "add", &format!("{client}/{length}"), "dev", "lo"]);
                }
                let client = SocketAddr::new(client.parse().expect("an address"), 0);
                alone.space.inside(|| {
                    // An IPv6 address may be used a moment after it was added.
                    let (socket, _) = wait_for("a client's address", BOUND, || UdpSocket::bind(client).ok());
                    socket.set_read_timeout(Some(BOUND)).expect("a timeout");
                    let server: SocketAddr = server.parse().expect("a socket");
                    socket.send_to(&query(1, ZONE, SOA), server).expect("sent");
                    assert!(socket.recv(&mut [0; 512]).expect("a response") > 12);
                });
            }
        }
    }
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
