//! A hub goes back and reaches, over a restart, the serial that secondaries have which were away meanwhile: with other content. BIND and
//! a POP of anyns end with what the hub serves, and get differences again from there on.

use std::path::PathBuf;
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::metrics::value;
use crate::support::anyns::{Anyns, BOUND, zone_status};
use crate::support::lab::{Lab, Space};
use crate::support::pop::{HUB_KEY, HUB_SECRET, ZONE, base_config, hub_and_pop, replace};
use crate::support::process::Process;
use crate::support::skip::has_programs;
use crate::support::wait::wait_until;

const HUB: &str = "198.18.1.1";
const POP: &str = "198.18.1.2";
/// Where anyns sends zones.
const ANYNS_PORT: &str = "5353";
/// Where BIND does.
const BIND_PORT: &str = "5300";

struct Site {
    hub: Anyns,
    pop: Anyns,
    zones: PathBuf,
    pop_space: Space,
    lab: Lab,
}

impl Site {
    fn new() -> Self {
        let mut lab = Lab::new();
        let (hub_space, pop_space) = hub_and_pop(&mut lab);
        let allow = format!("allow = [{{ from = \"{POP}/32\", keys = [\"hub.\"] }}]\n");
        let target = |port: &str| format!("{{ address = \"{POP}:{port}\", key = \"hub.\" }}");
        let sends = format!(
            "[transfer]\nlisten = [\"{HUB}:{ANYNS_PORT}\"]\n{allow}notify = [{}, {}]\n",
            target(ANYNS_PORT),
            target(BIND_PORT)
        );
        let takes = format!(
            "[transfer]\nlisten = [\"{POP}:{ANYNS_PORT}\"]\n{allow}[[zone]]\nname = \"{ZONE}\"\n\
             primaries = [{{ address = \"{HUB}:{ANYNS_PORT}\", key = \"hub.\" }}]\n"
        );
        let hub = base_config(&lab, "hub", [HUB, "2001:db8:1::1"], "dry-run", "");
        let pop = base_config(&lab, "pop", [POP, "2001:db8:1::2"], "dry-run", "");
        let hub = Anyns::new(&lab, &hub_space, "hub", &format!("{hub}{sends}{HUB_KEY}"));
        let pop = Anyns::new(&lab, &pop_space, "pop", &format!("{pop}{takes}{HUB_KEY}"));
        let zones = lab.subdirectory("zones-hub");
        Self { hub, pop, zones, pop_space, lab }
    }

    fn start_bind(&self) -> Process {
        let home = self.lab.subdirectory("named").display().to_string();
        let text = format!(
            "key \"hub\" {{ algorithm hmac-sha256; secret \"{HUB_SECRET}\"; }};\n\
             options {{ directory \"{home}\"; pid-file none; session-keyfile none; listen-on port {BIND_PORT} {{ {POP}; }};\n\
             listen-on-v6 {{ none; }}; recursion no; allow-transfer {{ any; }}; dnssec-validation no;\n\
             managed-keys-directory \"{home}\"; notify no; min-refresh-time 1; min-retry-time 1; }};\ncontrols {{ }};\n\
             zone \"{ZONE}\" {{ type secondary; file \"{home}/secondary\"; primaries {{ {HUB} port {ANYNS_PORT} key \"hub\"; }}; }};\n"
        );
        let config = format!("{home}/named.conf");
        std::fs::write(&config, text).expect("written");
        self.lab.start(&self.pop_space, "named", "named", &["-g", "-n", "1", "-c", &config])
    }

    /// A version that has these names beside what is the same in all.
    fn deploy(&self, serial: u32, names: &[String]) {
        let same: String = (0..50).map(|host| format!("same{host} 60 IN A 192.0.2.{host}\n")).collect();
        let names: String = names.iter().map(|name| format!("{name} 60 IN A 192.0.2.1\n")).collect();
        let head = format!(
            "@ 60 IN SOA ns hostmaster {serial} 3600 2 86400 60\n@ 60 IN NS ns\nns 60 IN A 192.0.2.53\n"
        );
        replace(&self.zones.join(format!("{ZONE}.zone")), &(head + &same + &names));
    }

    /// The same, once the hub serves and has kept it.
    fn publish(&self, serial: u32, names: &[String]) {
        self.deploy(serial, names);
        self.hub.wait_zone(ZONE, "served", Some(u64::from(serial)));
        self.hub.wait_status("it is kept", |status| status["zones_not_kept"] == 0);
    }

    /// The records that a server gives.
    fn zone(&self, server: &str, port: &str) -> Vec<String> {
        let (server, key) = (format!("@{server}"), format!("hmac-sha256:hub:{HUB_SECRET}"));
        let mut dig = self.pop_space.command("dig");
        dig.args(["+time=2", "+tries=1", "+onesoa", "+nocomments", "+nostats", "+nocmd", "-y", &key]);
        let said =
            dig.args([&server, "-p", port, ZONE, "AXFR"]).stdin(Stdio::null()).output().expect("it runs");
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        // BIND keeps the case and the TTL, so that the text is the same; dig signs with TSIG, which is no record of the zone.
        let mut lines: Vec<String> =
            text.lines().filter(|line| line.contains("\tIN\t")).map(ToOwned::to_owned).collect();
        lines.sort();
        lines
    }

    /// Waits until BIND and the POP have the serial, and compares everything with what the hub has.
    fn both_have(&self, serial: u32) {
        let wanted = format!(" {serial} 3600 ");
        let at = [(POP, BIND_PORT), (POP, ANYNS_PORT)];
        wait_until(&format!("both have {serial}"), BOUND, || {
            at.iter().all(|(server, port)| self.zone(server, port).iter().any(|line| line.contains(&wanted)))
        });
        let hub = self.zone(HUB, ANYNS_PORT);
        assert!(hub.iter().any(|line| line.contains(&wanted)), "{hub:?}");
        let [bind, pop] = at.map(|(server, port)| self.zone(server, port));
        assert_eq!(bind, hub, "BIND, and the hub");
        assert_eq!(pop, hub, "the POP, and the hub");
    }

    /// How many transfers of this kind the hub has sent.
    fn sent(&self, kind: &str) -> f64 {
        let (text, kind) = (self.hub.must(&["metrics"]), format!("kind=\"{kind}\""));
        value(&text, "anyns_transfers_sent_total", &[&kind, "result=\"sent\""]).expect("a sample")
    }
}

fn names(line: &str, serials: std::ops::RangeInclusive<u32>) -> Vec<String> {
    serials.map(|serial| format!("{line}{serial}")).collect()
}

#[test]
fn secondaries_that_were_away_while_the_hub_came_to_their_serial_again_have_no_mixture() {
    if !has_programs("a serial that is reached again", &["dig", "named"]) {
        return;
    }
    let mut site = Site::new();
    site.deploy(5, &names("old", 5..=5));
    site.hub.start(&site.lab);
    site.hub.wait_zone(ZONE, "served", Some(5));
    let mut bind = site.start_bind();
    site.pop.start(&site.lab);
    site.both_have(5);
    for serial in 6..=8 {
        site.publish(serial, &names("old", 5..=serial));
        site.both_have(serial);
    }
    assert!(site.sent("ixfr") >= 6.0, "differences");
    // Both are away, and know serial 8.
    site.pop.kill();
    bind.signal(Signal::SIGTERM);
    bind.wait_end(BOUND);
    site.deploy(6, &names("new", 6..=6));
    site.hub.wait_status("refused", |status| {
        zone_status(status, ZONE).is_some_and(|zone| zone["refused_serial"] == 6)
    });
    site.hub.must(&["zone", "accept", ZONE, "6"]);
    site.publish(7, &names("new", 6..=7));
    site.hub.kill();
    site.hub.start(&site.lab);
    site.hub.wait_zone(ZONE, "served", Some(7));
    site.publish(8, &names("new", 6..=8));
    // The next one adds a name and deletes none: nothing that a secondary would miss.
    site.publish(9, &names("new", 6..=9));
    let _bind = site.start_bind();
    site.pop.start(&site.lab);
    site.both_have(9);
    // Above all serials that were there, as always.
    let before = site.sent("ixfr");
    site.publish(10, &names("new", 6..=10));
    site.both_have(10);
    assert_eq!(site.sent("ixfr"), before + 2.0, "differences again");
}
