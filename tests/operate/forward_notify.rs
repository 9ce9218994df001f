//! A NOTIFY that comes to a service address reaches one POP, which tells the others at their management addresses: signed, once in an
//! interval, and never again from there.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::anyns::{Anyns, BOUND};
use crate::support::lab::{Lab, Space};
use crate::support::pop::{HUB_KEY, HUB_SECRET, ZONE, base_config, deploy};
use crate::support::skip::has_programs;
use crate::support::wait::{holds_for, wait_until};

const HUB: &str = "198.18.1.1";
const FIRST: &str = "198.18.1.2";
const SECOND: &str = "198.18.1.3";
/// No anyns: it counts what it is told.
const COUNTER: &str = "198.18.1.4";
/// May tell of changes without a key.
const TELLER: &str = "198.18.1.5";
/// One NOTIFY of a zone at most goes out in this time.
const INTERVAL: Duration = Duration::from_secs(5);

/// A hub that tells nobody, and two POPs that list each other, and the counter.
struct Site {
    hub: Anyns,
    first: Anyns,
    second: Anyns,
    zones: PathBuf,
    counter: Counter,
    space: Space,
    lab: Lab,
}

/// Answers to NOTIFYs, and counts them.
struct Counter {
    count: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Counter {
    fn new(space: &Space) -> Self {
        let socket = space.inside(|| UdpSocket::bind((COUNTER, 5353))).expect("an address of this host");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a time");
        let (count, ends) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (count, ends) = (count.clone(), ends.clone());
            move || {
                let mut buffer = [0; 1500];
                while !ends.load(Ordering::Relaxed) {
                    let Ok((octets, peer)) = socket.recv_from(&mut buffer) else { continue };
                    // A NOTIFY is a request with opcode 4 (RFC 1996 section 3.1).
                    assert_eq!(
                        (buffer[2] & 0xf8, peer.ip().to_string()),
                        (0x20, FIRST.to_owned()),
                        "{buffer:?}"
                    );
                    buffer[2] |= 0x80;
                    count.fetch_add(1, Ordering::Relaxed);
                    socket.send_to(&buffer[..octets], peer).expect("sent");
                }
            }
        });
        Self { count, ends, thread: Some(thread) }
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(std::thread::JoinHandle::join);
        assert!(
            std::thread::panicking() || matches!(ended, Some(Ok(()))),
            "something else came to the counter"
        );
    }
}

fn config(lab: &Lab, name: &str, address: &str, port: u16, transfer: &str) -> String {
    let own = format!("[serve]\nport = {port}\n[log]\nlevel = \"info,anyns::transfer=debug\"\n");
    let base = base_config(lab, name, [address, "2001:db8:1::1"], "dry-run", &own);
    format!("{base}[transfer]\nlisten = [\"{address}:5353\"]\n{transfer}{HUB_KEY}")
}

/// A POP that forwards to these, and takes forwarded NOTIFYs of the other one, signed, alone.
fn pop_config(lab: &Lab, name: &str, address: &str, port: u16, forward: &str) -> String {
    let other = if address == FIRST { SECOND } else { FIRST };
    config(lab, name, address, port, &format!("forward-notify = [{forward}]\n"))
        + &format!(
            "[[zone]]\nname = \"{ZONE}\"\nprimaries = [{{ address = \"{HUB}:5353\", key = \"hub.\" }}]\n\
             notify-from = [{{ from = \"{TELLER}\" }}, {{ from = \"{other}\", keys = [\"hub.\"] }}]\n"
        )
}

fn pop(address: &str) -> String {
    format!("{{ address = \"{address}:5353\", key = \"hub.\" }}")
}

impl Site {
    fn new() -> Self {
        let mut lab = Lab::new();
        let space = addresses(&mut lab);
        let allow = "allow = [{ from = \"198.18.1.0/24\", keys = [\"hub.\"] }]\n";
        let hub = Anyns::new(&lab, &space, "hub", &config(&lab, "hub", HUB, 53, allow));
        let of_first = format!("{}, {{ address = \"{COUNTER}:5353\" }}", pop(SECOND));
        let first = Anyns::new(&lab, &space, "first", &pop_config(&lab, "first", FIRST, 5301, &of_first));
        let second = pop_config(&lab, "second", SECOND, 5302, &pop(FIRST));
        let second = Anyns::new(&lab, &space, "second", &second);
        let (zones, counter) = (lab.subdirectory("zones-hub"), Counter::new(&space));
        deploy(&zones, ZONE, 1);
        let mut site = Self { hub, first, second, zones, counter, space, lab };
        site.hub.start(&site.lab);
        site.hub.wait_zone(ZONE, "served", Some(1));
        site.first.start(&site.lab);
        site.second.start(&site.lab);
        site.first.wait_zone(ZONE, "served", Some(1));
        site.second.wait_zone(ZONE, "served", Some(1));
        site
    }

    fn deploy(&self, version: u32) {
        deploy(&self.zones, ZONE, version);
        self.hub.wait_zone(ZONE, "served", Some(version.into()));
    }

    /// A NOTIFY to the service address of the first POP.
    fn notify(&self, from: &str, more: &[&str]) -> String {
        let mut dig = self.space.command("dig");
        dig.args(["+time=2", "+tries=1", "@192.0.2.53", "-p", "5301", "-b", from]);
        dig.args(["+opcode=NOTIFY", "+norecurse", "+noedns", ZONE, "SOA"]).args(more);
        String::from_utf8_lossy(&dig.output().expect("dig runs").stdout).into_owned()
    }

    fn forwarded(&self, name: &str) -> usize {
        let log = std::fs::read_to_string(self.lab.log_file(name)).unwrap_or_default();
        log.lines().filter(|line| line.contains("a NOTIFY was forwarded")).count()
    }
}

/// A namespace with all addresses.
fn addresses(lab: &mut Lab) -> Space {
    let space = lab.space("site");
    for address in ["192.0.2.53/32", "2001:db8:53::53/128", "2001:db8:1::1/128"] {
        space.ip(&["address", "add", address, "dev", "lo"]);
    }
    for address in [HUB, FIRST, SECOND, COUNTER, TELLER] {
        space.ip(&["address", "add", &format!("{address}/32"), "dev", "lo"]);
    }
    space
}

#[test]
fn a_notify_at_a_service_address_goes_on_to_the_other_pops_and_no_further() {
    if !has_programs("NOTIFYs that are forwarded", &["dig"]) {
        return;
    }
    let site = Site::new();
    // Of who is not listed, and of the primary without its key: refused, and nothing goes on.
    site.deploy(2);
    for answer in [site.notify("192.0.2.53", &[]), site.notify(HUB, &[])] {
        assert!(answer.contains("REFUSED"), "{answer}");
    }
    // Of the primary with its key: both POPs look, long before their own timers. Five more within the interval, without a serial: one goes
    // on when it is over.
    let key = format!("hmac-sha256:hub.:{HUB_SECRET}");
    let answer = site.notify(HUB, &["-y", &key]);
    assert!(answer.contains("NOERROR") && answer.contains("opcode: NOTIFY"), "{answer}");
    for _ in 0..5 {
        let answer = site.notify(TELLER, &[]);
        assert!(answer.contains("NOERROR"), "{answer}");
    }
    site.first.wait_zone(ZONE, "served", Some(2));
    site.second.wait_zone(ZONE, "served", Some(2));
    wait_until("the counter was told twice", BOUND, || site.counter.count() == 2);
    // Nothing more, and nothing from the POP that was told.
    holds_for("no NOTIFY goes round", INTERVAL + Duration::from_secs(1), || {
        site.counter.count() == 2 && site.forwarded("second") == 0
    });
    // The next version, told of without a key by who may.
    site.deploy(3);
    let answer = site.notify(TELLER, &[]);
    assert!(answer.contains("NOERROR"), "{answer}");
    site.second.wait_zone(ZONE, "served", Some(3));
    wait_until("all were told", BOUND, || site.counter.count() == 3 && site.forwarded("first") == 6);
    // A NOTIFY to the management address of the first POP goes no further.
    site.deploy(4);
    let mut dig = site.space.command("dig");
    dig.args(["+time=2", "+tries=1", &format!("@{FIRST}"), "-p", "5353", "-b", HUB, "-y", &key]);
    dig.args(["+opcode=NOTIFY", "+norecurse", "+noedns", ZONE, "SOA"]);
    dig.output().expect("dig runs");
    site.first.wait_zone(ZONE, "served", Some(4));
    holds_for("it is not forwarded", INTERVAL + Duration::from_secs(1), || site.counter.count() == 3);
    let status = site.second.status().unwrap();
    assert_eq!(crate::support::anyns::zone_status(&status, ZONE).unwrap()["serial"], 3);
}

#[test]
fn targets_that_a_notify_must_not_be_forwarded_to_are_refused_by_name() {
    let mut lab = Lab::new();
    let space = addresses(&mut lab);
    let check = |forward: &str| {
        let first = Anyns::new(&lab, &space, "first", &pop_config(&lab, "first", FIRST, 5301, forward));
        let said = first.command(&["check", "--offline"]);
        (said.code, said.text)
    };
    let (code, text) = check(&pop(SECOND));
    assert_eq!(code, 0, "{text}");
    let many = vec![pop(SECOND); 257].join(", ");
    let table = [
        (pop(FIRST), "transfer.forward-notify: 198.18.1.2:5353 is an address of this POP"),
        (
            pop("192.0.2.53"),
            "192.0.2.53:5353 is in the prefix of a [[service]]: name the management addresses",
        ),
        (pop("192.0.2.99"), "192.0.2.99:5353 is in the prefix of a [[service]]"),
        (pop("second"), "transfer.forward-notify: \"second:5353\" is not an address"),
        (pop(SECOND).replace("hub.", "other."), "transfer.forward-notify: no [[key]] defines the key other."),
        (many, "transfer.forward-notify: 257 servers; allowed is at most 256"),
    ];
    for (forward, wanted) in table {
        let (code, text) = check(&forward);
        assert!(code == 1 && text.contains(wanted), "{wanted} in {text}");
    }
}
