//! Two POPs that have a zone from each other beside their hub, and the hub is gone (RFC 7314): each serves it for EXPIRE since the hub was heard
//! last, and no longer, also when one is started again meanwhile.

use std::time::Duration;

use crate::support::anyns::{Anyns, BOUND};
use crate::support::lab::{Lab, Space};
use crate::support::pop::{HUB_KEY, HUB_SECRET, ZONE, base_config, replace};
use crate::support::skip::has_programs;
use crate::support::wait::{holds_for, wait_until};

const HUB: &str = "198.18.1.1";
const POPS: [&str; 2] = ["198.18.1.2", "198.18.1.3"];
/// Where each POP answers queries.
const PORTS: [u16; 2] = [5301, 5302];
/// SOA EXPIRE, in seconds; REFRESH is 2 s.
const EXPIRE: u64 = 12;

/// All of them in one namespace, on ports of their own.
struct Ring {
    hub: Anyns,
    pops: [Anyns; 2],
    space: Space,
    lab: Lab,
}

fn config(lab: &Lab, name: &str, address: &str, port: u16) -> String {
    let base =
        base_config(lab, name, [address, "2001:db8:1::1"], "dry-run", &format!("[serve]\nport = {port}\n"));
    format!(
        "{base}[transfer]\nlisten = [\"{address}:5353\"]\nallow = [{{ from = \"198.18.1.0/24\", keys = [\"hub.\"] }}]\n{HUB_KEY}"
    )
}

impl Ring {
    /// All run, and the zone has come to both POPs.
    fn started() -> Self {
        let mut lab = Lab::new();
        let space = lab.space("ring");
        for address in ["192.0.2.53/32", "2001:db8:53::53/128", "2001:db8:1::1/128"] {
            space.ip(&["address", "add", address, "dev", "lo"]);
        }
        for address in [HUB, POPS[0], POPS[1]] {
            space.ip(&["address", "add", &format!("{address}/32"), "dev", "lo"]);
        }
        let text = format!(
            "$ORIGIN {ZONE}.\n$TTL 60\n@ IN SOA ns1 hostmaster 7 2 1 {EXPIRE} 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\n"
        );
        replace(&lab.subdirectory("zones-hub").join(format!("{ZONE}.zone")), &text);
        let hub = Anyns::new(&lab, &space, "hub", &config(&lab, "hub", HUB, 53));
        let pop = |number: usize| {
            let (name, other) = (["one", "other"][number], POPS[1 - number]);
            let primary = |address: &str| format!("{{ address = \"{address}:5353\", key = \"hub.\" }}");
            let zone =
                format!("[[zone]]\nname = \"{ZONE}\"\nprimaries = [{}, {}]\n", primary(HUB), primary(other));
            Anyns::new(&lab, &space, name, &(config(&lab, name, POPS[number], PORTS[number]) + &zone))
        };
        let pops = [pop(0), pop(1)];
        let mut ring = Self { hub, pops, space, lab };
        ring.hub.start(&ring.lab);
        ring.hub.wait_zone(ZONE, "served", Some(7));
        ring.pops.iter_mut().for_each(|pop| pop.start(&ring.lab));
        ring.pops.iter().for_each(|pop| drop(pop.wait_zone(ZONE, "served", Some(7))));
        ring
    }

    fn dig(&self, arguments: &[&str]) -> String {
        let output = self.space.command("dig").args(["+time=2", "+tries=1"]).args(arguments).output();
        String::from_utf8_lossy(&output.expect("dig runs").stdout).into_owned()
    }

    /// Whether a POP answers queries so.
    fn answers(&self, pop: usize, status: &str) -> bool {
        self.dig(&["@192.0.2.53", "-p", &PORTS[pop].to_string(), ZONE, "SOA"]).contains(status)
    }

    /// What the EXPIRE option says in the answer of one of them to an SOA query.
    fn says(&self, address: &str) -> Option<u64> {
        let (server, key) = (format!("@{address}"), format!("hmac-sha256:hub:{HUB_SECRET}"));
        let text = self.dig(&[&server, "-p", "5353", "-y", &key, "+expire", ZONE, "SOA"]);
        let said = text.lines().find_map(|line| line.strip_prefix("; EXPIRE: "))?;
        said.split(' ').next()?.parse().ok()
    }
}

#[test]
fn pops_that_have_a_zone_from_each_other_do_not_serve_that_of_a_hub_that_is_gone_for_ever() {
    if !has_programs("the EXPIRE option", &["dig"]) {
        return;
    }
    let mut ring = Ring::started();
    assert_eq!(ring.says(HUB), Some(EXPIRE), "the hub is the origin");
    for pop in POPS {
        let said = ring.says(pop).expect("an EXPIRE option");
        assert!((1..EXPIRE).contains(&said), "{pop}: {said}");
    }
    ring.hub.kill();
    // Each confirms the zone to the other, so nothing fails there; what is left becomes less at both.
    let less = |ring: &Ring, than: u64| POPS.iter().all(|pop| ring.says(pop).is_some_and(|left| left < than));
    wait_until("less is left at both", BOUND, || less(&ring, EXPIRE - 4));
    assert!((0..2).all(|pop| ring.answers(pop, "NOERROR")));
    ring.pops[0].kill();
    ring.pops[0].start(&ring.lab);
    wait_until("it serves the zone after the restart", BOUND, || ring.answers(0, "NOERROR"));
    assert!(less(&ring, EXPIRE - 4), "a restart gives no more time");
    let long = Duration::from_secs(EXPIRE) + BOUND;
    for pop in 0..2 {
        wait_until("the zone has expired", long, || ring.answers(pop, "SERVFAIL"));
        ring.pops[pop].wait_zone(ZONE, "expired", Some(7));
    }
    assert_eq!(POPS.map(|pop| ring.says(pop)), [None, None], "of what has expired nothing is said");
    holds_for("neither confirms it to the other again", Duration::from_secs(5), || {
        (0..2).all(|pop| ring.answers(pop, "SERVFAIL"))
    });
    ring.hub.start(&ring.lab);
    for pop in 0..2 {
        wait_until("the hub is back", BOUND, || ring.answers(pop, "NOERROR"));
    }
}
