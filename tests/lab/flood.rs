//! More than the server can take: overload is not ill health, not one withdrawal may follow. A fault of one family under a
//! flood of the other is ill health.
//!
//! Blasters in the client's namespace send without waiting for answers. They share the cores with the server; blasters are
//! added until four times as many queries reach the POP as it answers. Per row it is printed what the status showed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::anyns::Anyns;
use crate::support::blaster::{Blaster, SPOOFED};
use crate::support::dns::TXT;
use crate::support::faults::Fault;
use crate::support::lab::Space;
use crate::support::load::TcpLoad;
use crate::support::pop::{self, ZONE};
use crate::support::skip::is_full_run;
use crate::support::table::tell;
use crate::support::wait::{holds_for, wait_until};
use crate::support::world::{PREFIXES, Route, World, service};
use crate::timed;

/// The flood of the quick run and of the full one.
const QUICK: Duration = Duration::from_secs(4);
const FULL: Duration = Duration::from_secs(60);
/// How long the ratio is measured before another blaster is added.
const LOOK: Duration = Duration::from_secs(1);
/// More blasters than this on a small machine change nothing any more.
const MOST_BLASTERS: usize = 24;
/// How many times what the server answers must be offered.
const RATIO: f64 = 4.0;
/// Within this a fault must show, whatever floods the other family.
const FAULT_SEEN: Duration = Duration::from_secs(10);
/// Settings of the rate limiter.
const OFF: &str = "[rate-limit]\nmode = \"off\"\n";
const ON: &str = "[rate-limit]\nmode = \"enforce\"\nqueries-per-second = 1000\nburst = 2000\nslip = 2\n";

#[test]
fn flood_without_the_limiter() {
    let flooded = Flooded::new(OFF);
    for families in [&[0][..], &[1], &[0, 1]] {
        flooded.of_queries("limiter off", families);
    }
}

#[test]
fn flood_with_the_limiter() {
    let flooded = Flooded::new(ON);
    for families in [&[0][..], &[1]] {
        flooded.of_queries("limiter on", families);
    }
}

#[test]
fn flood_of_connection_requests() {
    let flooded = Flooded::new(OFF);
    // What the POP sends to the spoofed sources has a way, and ends in the client's namespace.
    for (family, gateway) in [("-4", "198.18.9.2"), ("-6", "2001:db8:9::2")] {
        let prefix = SPOOFED[usize::from(family == "-6")];
        flooded.world.router.ip(&[family, "route", "add", prefix, "via", gateway]);
    }
    let before = cookies(&flooded.world.a.space);
    let blasters = [0, 1, 0, 1].map(|family| Blaster::syns(&flooded.world.client, service(family)));
    let (offered, _) = flooded.stays(span());
    flooded.tell("SYN flood", blasters.len(), offered, 0);
    drop(blasters);
    let sent = cookies(&flooded.world.a.space) - before;
    tell(&format!("flood: {sent} SYN cookies sent"));
    assert!(sent > 0, "the flood did not fill a queue of the listeners");
    flooded.ends_well();
}

/// An attacker who can spoof must not be able to withdraw a POP by asking from addresses without a route.
#[test]
fn flood_from_sources_without_a_route() {
    let flooded = Flooded::new(OFF);
    let site = &flooded.world.a;
    site.space.ip(&["route", "add", "198.18.9.0/24", "via", site.gateway[0]]);
    site.space.ip(&["-6", "route", "add", "2001:db8:9::/64", "via", site.gateway[1]]);
    let fault = Fault::NoDefaultRoute.make(site);
    let question = (format!("version.{ZONE}"), TXT);
    let _clients = TcpLoad::start(&flooded.world.client, service(0), Duration::from_millis(100), question);
    let blasters =
        [0, 1].map(|family| Blaster::spoofed_queries(&flooded.world.client, service(family), ZONE));
    let (offered, answered) = flooded.stays(span());
    flooded.tell("unrouted sources", blasters.len(), offered, answered);
    drop(blasters);
    flooded.ends_well();
    drop(fault);
}

#[test]
fn fault_of_one_family_under_a_flood_of_the_other() {
    for (flooding, dead) in [(1, 0), (0, 1)] {
        let flooded = Flooded::new(OFF);
        let blasters = flooded.grown(&[flooding]);
        let families = [dead == 0, dead == 1];
        let fault = Fault::Dropped { families, transports: [true, true] }.make(&flooded.world.a);
        let begun = Instant::now();
        let gone = || !flooded.world.led_to(PREFIXES[dead], &flooded.world.a);
        let what = format!("{} is withdrawn under a flood of the other family", PREFIXES[dead]);
        wait_until(&what, FAULT_SEEN, gone);
        let took = begun.elapsed();
        flooded.tell(&format!("IPv{} dead under a flood", [4, 6][dead]), blasters.len(), 0, 0);
        tell(&format!("flood: {} gone after {took:.1?}", PREFIXES[dead]));
        assert!(flooded.world.led_to(PREFIXES[flooding], &flooded.world.a), "the flooded prefix stays");
        drop(blasters);
        drop(fault);
        flooded.world.wait_leads_to(&flooded.world.a);
    }
}

/// A world with a server in POP a whose routes must stay.
struct Flooded {
    world: World,
    anyns: Anyns,
    changes: usize,
    withdrawals: u64,
    counters: BTreeMap<String, u64>,
    _turn: std::sync::RwLockWriteGuard<'static, ()>,
}

impl Flooded {
    fn new(limiter: &str) -> Self {
        let turn = timed();
        let world = World::new(Route::Direct, 9);
        let extra = format!("{limiter}\n[serve]\nworkers = 1\n");
        let mut anyns = pop::at_site(&world, &world.a, Route::Direct, &extra);
        anyns.start(&world.lab);
        world.wait_leads_to(&world.a);
        anyns.wait_announces();
        let (changes, withdrawals) = (world.route_changes().len(), world.upstream.withdrawals("a"));
        let counters = counters(&anyns.status().unwrap_or_default());
        Self { world, anyns, changes, withdrawals, counters, _turn: turn }
    }

    /// Queries at four times what the server answers, over these families in turn.
    fn of_queries(&self, name: &str, families: &[usize]) {
        let mut blasters = self.grown(families);
        // On a busy machine what was a flood may cease to be one; then it is made stronger, and lasts its time again.
        let (answered, ratio) = loop {
            let (offered, answered) = self.stays(span());
            let ratio = offered as f64 / answered.max(1) as f64;
            let names: Vec<&str> = families.iter().map(|family| ["IPv4", "IPv6"][*family]).collect();
            self.tell(&format!("{name}, {}", names.join(" and ")), blasters.len(), offered, answered);
            if ratio >= RATIO * 0.9 || blasters.len() >= MOST_BLASTERS {
                break (answered, ratio);
            }
            blasters.push(self.blaster(families[blasters.len() % families.len()]));
        };
        drop(blasters);
        assert!(answered > 0, "it went on answering");
        assert!(ratio >= RATIO * 0.9, "the flood was none: {ratio:.1} times what was answered");
        self.ends_well();
    }

    fn blaster(&self, family: usize) -> Blaster {
        Blaster::queries(&self.world.client, service(family), ZONE)
    }

    /// Blasters that send, together, four times what the server answers.
    fn grown(&self, families: &[usize]) -> Vec<Blaster> {
        let one = |number: usize| self.blaster(families[number % families.len()]);
        let mut blasters = vec![one(0), one(1)];
        loop {
            let (offered, answered) = self.stays(LOOK);
            if offered as f64 >= RATIO * answered as f64 || blasters.len() >= MOST_BLASTERS {
                return blasters;
            }
            blasters.push(one(blasters.len()));
        }
    }

    /// Watches that the routes stay for this long; how many packets came in and went out meanwhile.
    fn stays(&self, span: Duration) -> (u64, u64) {
        let before = packets(&self.world.a.space);
        let what = "the upstream lost a route in the flood";
        holds_for(what, span, || PREFIXES.iter().all(|prefix| self.world.led_to(prefix, &self.world.a)));
        let after = packets(&self.world.a.space);
        (after.0 - before.0, after.1 - before.1)
    }

    /// Prints a row of the table: what was offered, and the evidence that the status shows.
    fn tell(&self, name: &str, blasters: usize, offered: u64, answered: u64) {
        let seconds = span().as_secs_f64();
        let per_second = |count: u64| count as f64 / seconds;
        let status = self.anyns.status_soon().unwrap_or_default();
        let standings = status["probes"].as_array().into_iter().flatten().map(|probe| {
            let text = |key: &str| probe[key].as_str().unwrap_or("none").to_owned();
            format!("{} {} {}", text("address"), text("transport"), text("standing"))
        });
        let standings: Vec<String> = standings.collect();
        let grown = counters(&status).into_iter().filter_map(|(name, count)| {
            let more = count - self.counters.get(&name).copied().unwrap_or_default();
            (more > 0).then(|| format!("{name} +{more}"))
        });
        let grown: Vec<String> = grown.collect();
        tell(&format!(
            "flood: {name}: {blasters} blasters, {:.0} offered/s, {:.0} answered/s, ratio {:.1}\n\
             flood:   status {}: {}\nflood:   probes: {}\nflood:   counters: {}",
            per_second(offered),
            per_second(answered),
            offered as f64 / answered.max(1) as f64,
            status["overall"]["verdict"],
            status["overall"]["reasons"],
            standings.join(", "),
            grown.join(", ")
        ));
    }

    fn ends_well(&self) {
        assert_eq!(
            self.world.upstream.withdrawals("a"),
            self.withdrawals,
            "the upstream received a withdrawal"
        );
        assert_eq!(self.world.route_changes().len(), self.changes, "{:?}", self.world.route_changes());
        self.anyns.wait_announces();
    }
}

fn span() -> Duration {
    if is_full_run() { FULL } else { QUICK }
}

/// The counters of the serving threads.
fn counters(status: &Value) -> BTreeMap<String, u64> {
    serde_json::from_value(status["serve"]["counters"].clone()).unwrap_or_default()
}

/// Packets received and sent by the POP so far: queries and answers, but for a handful.
fn packets(space: &Space) -> (u64, u64) {
    let text = space.ip(&["-j", "-s", "link", "show", "dev", "wan0"]);
    let links: Value = serde_json::from_str(&text).expect("ip prints JSON");
    let count = |way: &str| links[0]["stats64"][way]["packets"].as_u64().expect("a count");
    (count("rx"), count("tx"))
}

/// SYN cookies that the kernel of this namespace has sent so far: it does when the queue of a listener is full.
fn cookies(space: &Space) -> u64 {
    let text =
        space.inside(|| std::fs::read_to_string("/proc/thread-self/net/netstat")).expect("the counters");
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, counts) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let found = names.split(' ').zip(counts.split(' ')).find(|(name, _)| *name == "SyncookiesSent");
    found.and_then(|(_, count)| count.parse().ok()).expect("the kernel counts SYN cookies")
}
