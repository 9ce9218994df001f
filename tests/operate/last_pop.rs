//! From a changed zone file at the hub to the last POP that serves it.
//!
//! ```text
//!   zone file --> hub --NOTIFY--> POP 1 ... POP n      each asked for the version until it has the new one
//!                  <---IXFR----
//! ```
//!
//! The state directories of the POPs are in memory: on one disk each would wait for the syncs of all others, which separate
//! hosts do not. The hub's is on the disk.

use std::net::UdpSocket;
use std::time::Duration;

use crate::support::anyns::{Anyns, BOUND, zone_status};
use crate::support::dns::{TXT, parse, query};
use crate::support::lab::{Lab, Space};
use crate::support::pop::{HUB_KEY, ZONE, add_service_addresses, base_config, deploy};
use crate::support::skip::is_full_run;
use crate::support::table::tell;
use crate::support::wait::wait_until;
use crate::support::world::SERVICE;
use crate::support::zones::one_version;

/// The hub, behind every wire.
const HUB: &str = "198.18.0.1";
/// How long a POP may take to answer one query.
const SILENCE: Duration = Duration::from_millis(200);

/// POPs and deploys.
fn extent() -> (usize, u32) {
    if is_full_run() { (20, 200) } else { (5, 20) }
}

struct Pop {
    anyns: Anyns,
    /// In the namespace of the POP.
    socket: UdpSocket,
}

impl Pop {
    fn new(lab: &mut Lab, hub: &Space, number: usize, state: &std::path::Path) -> Self {
        let name = format!("pop{number}");
        let space = lab.space(&name);
        let (ours, theirs) = (address(number), format!("198.18.{number}.1"));
        lab.link((hub, &name, &[&format!("{theirs}/30")]), (&space, "wan", &[&format!("{ours}/30")]));
        space.ip(&["route", "add", &format!("{HUB}/32"), "via", &theirs]);
        add_service_addresses(&space);
        let socket = space.inside(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
            socket.connect((SERVICE[0], 53)).expect("an address of this host");
            socket
        });
        socket.set_read_timeout(Some(SILENCE)).expect("a time");
        let zones = format!("[zones]\nstate-directory = \"{}\"\n", state.join(&name).display());
        let base = base_config(lab, &name, [&ours, "::1"], "dry-run", &zones);
        let text = format!(
            "{base}[transfer]\nlisten = [\"{ours}:5353\"]\n{HUB_KEY}[[zone]]\nname = \"{ZONE}\"\n\
             primaries = [{{ address = \"{HUB}:5353\", key = \"hub.\" }}]\n"
        );
        let anyns = Anyns::new(lab, &space, &name, &text);
        Self { anyns, socket }
    }

    /// The version that is answered.
    fn version(&self) -> Option<u32> {
        self.socket.send(&query(7, &format!("version.{ZONE}"), TXT)).ok()?;
        let mut buffer = [0; 1500];
        let octets = self.socket.recv(&mut buffer).ok()?;
        one_version(&parse(&buffer[..octets]).ok()?).ok()
    }
}

fn address(number: usize) -> String {
    format!("198.18.{number}.2")
}

fn hub(lab: &Lab, space: &Space, pops: usize) -> Anyns {
    space.ip(&["address", "add", &format!("{HUB}/32"), "dev", "lo"]);
    let notify: Vec<String> =
        (1..=pops).map(|it| format!("{{ address = \"{}:5353\", key = \"hub.\" }}", address(it))).collect();
    let base = base_config(lab, "hub", [HUB, "::1"], "dry-run", "");
    let text = format!(
        "{base}[transfer]\nlisten = [\"{HUB}:5353\"]\nallow = [{{ from = \"198.18.0.0/16\", keys = [\"hub.\"] }}]\nnotify = [{}]\n{HUB_KEY}",
        notify.join(", ")
    );
    Anyns::new(lab, space, "hub", &text)
}

/// Waits until every POP has this version; how long that took.
fn wait_version(pops: &[Pop], version: u32) -> Duration {
    let mut missing: Vec<&Pop> = pops.iter().collect();
    wait_until(&format!("every POP has version {version}"), BOUND, || {
        missing.retain(|pop| pop.version() != Some(version));
        missing.is_empty()
    })
}

#[test]
fn from_a_changed_file_to_the_last_pop() {
    let (count, deploys) = extent();
    let mut lab = Lab::new();
    let memory = tempfile::tempdir_in("/dev/shm").expect("a directory in memory");
    let space = lab.space("hub");
    add_service_addresses(&space);
    let mut pops: Vec<Pop> =
        (1..=count).map(|number| Pop::new(&mut lab, &space, number, memory.path())).collect();
    let zones = lab.subdirectory("zones-hub");
    deploy(&zones, ZONE, 1);
    let mut hub = hub(&lab, &space, count);
    hub.start(&lab);
    hub.wait_zone(ZONE, "served", Some(1));
    pops.iter_mut().for_each(|pop| pop.anyns.start(&lab));
    wait_version(&pops, 1);
    let mut times: Vec<Duration> = (2..deploys + 2)
        .map(|version| {
            deploy(&zones, ZONE, version);
            wait_version(&pops, version)
        })
        .collect();
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part).round() as usize];
    tell(&format!(
        "serial to the last of {count} POPs, {deploys} deploys: median {:.0?}, p99 {:.0?}, most {:.0?}",
        at(0.5),
        at(0.99),
        at(1.0)
    ));
    // By transfer of the difference, and not by the clock.
    let last = pops[0].anyns.wait_zone(ZONE, "served", Some(u64::from(deploys) + 1));
    let zone = zone_status(&last, ZONE).expect("the zone");
    assert_eq!(zone["transfer"]["last_transfer"]["whole"], false, "{zone:#}");
}
