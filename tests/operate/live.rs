//! What a reload changes in the sessions and routes of a running POP, seen by two routers that run BIRD, under a stream of
//! queries of which none may be lost.

use std::time::Duration;

use crate::support::anyns::{Anyns, BOUND, Said};
use crate::support::bird::Bird;
use crate::support::lab::{Lab, Space};
use crate::support::pop::{RATE, ZONE, add_service_addresses, base_config, deploy};
use crate::support::process::read;
use crate::support::skip::has_programs;
use crate::support::stream::Stream;
use crate::support::wait::wait_until;
use crate::support::world::{PREFIXES, SERVICE, service};
use crate::support::zones;

/// How long a router may take to connect again: it waits for some seconds after an error.
const SESSION: Duration = Duration::from_secs(30);

/// The POP, and two routers, each on a link of its own.
struct Routed {
    anyns: Anyns,
    routers: [Bird; 2],
    space: Space,
    /// The config without `[bgp]`, and `[bgp]` with the neighbors.
    base: String,
    lab: Lab,
}

const BGP: &str = "\n[bgp]\nlocal-as = 65001\nrouter-id = \"198.18.1.3\"\nhold-time = \"9s\"\n";
const FIRST: &str =
    "\n[[bgp.neighbor]]\naddress = \"198.18.1.1\"\nremote-as = 65000\nnext-hop-ipv6 = \"2001:db8:1::2\"\n";
const SECOND: &str = "\n[[bgp.neighbor]]\naddress = \"198.18.2.1\"\nremote-as = 65002\nlocal-address = \"198.18.2.2\"\n\
                      next-hop-ipv6 = \"2001:db8:2::2\"\npassword = \"right\"\n";

fn router(lab: &Lab, space: &Space, number: usize, more: &str) -> Bird {
    let config = format!(
        "log stderr all;\nrouter id 198.18.{number}.1;\ntimeformat protocol iso long ms;\nprotocol device {{}}\n\
         protocol direct {{ ipv4; ipv6; }}\n\
         protocol bgp pop {{\n  neighbor 198.18.{number}.2 as 65001;\n  hold time 9;\n  connect retry time 1;\n\
         \x20 connect delay time 1;\n  error wait time 1, 2;\n  graceful restart off;\n  {more}\n\
         \x20 ipv4 {{ import all; export none; }};\n  ipv6 {{ import all; export none; }};\n}}\n"
    );
    Bird::start(lab, space, &format!("router{number}"), &config)
}

impl Routed {
    fn new() -> Self {
        let mut lab = Lab::new();
        let space = lab.space("pop");
        let routers = [1, 2].map(|number| {
            let router = lab.space(&format!("router{number}"));
            let at =
                |host: usize| [format!("198.18.{number}.{host}/24"), format!("2001:db8:{number}::{host}/64")];
            let (ours, theirs) = (at(2), at(1));
            lab.link(
                (&space, &format!("wan{number}"), &[&ours[0], &ours[1]]),
                (&router, "pop", &[&theirs[0], &theirs[1]]),
            );
            router
        });
        add_service_addresses(&space);
        deploy(&lab.subdirectory("zones-pop"), ZONE, 1);
        let base = base_config(&lab, "pop", ["198.18.1.2", "2001:db8:1::2"], "bgp", "");
        let anyns = Anyns::new(&lab, &space, "pop", &format!("{base}{BGP}{FIRST}"));
        let ways = ["local 198.18.1.1 as 65000;", "local 198.18.2.1 as 65002; password \"right\";"];
        let routers = [0, 1].map(|index| router(&lab, &routers[index], index + 1, ways[index]));
        Self { anyns, routers, space, base, lab }
    }

    /// Has this config taken over; what `anyns check` says of it before goes the same way.
    fn reload(&self, config: &str) -> Said {
        self.anyns.write_config(config);
        let checked = self.anyns.command(&["check"]);
        // Without a neighbor nothing would be announced.
        let is_wrong = !config.contains("[[bgp.neighbor]]");
        assert_eq!(checked.code, i32::from(is_wrong), "{}", checked.text);
        self.anyns.command(&["reload"])
    }

    /// Has this config taken over, which must need no restart; what the answer says.
    fn changes(&self, config: &str) -> String {
        let said = self.reload(config);
        assert_eq!(said.code, 0, "{}", said.text);
        said.text
    }

    /// The line of BIRD about its session, with the time since when it is as it is.
    fn session(&self, router: usize) -> String {
        let text = self.routers[router].ask("show protocols pop");
        text.lines().find(|line| line.starts_with("pop")).unwrap_or_default().to_owned()
    }

    fn wait_route(&self, router: usize, prefix: &str, words: &[&str]) {
        let what = format!("router {router} has {prefix} with {words:?}");
        wait_until(&what, SESSION, || {
            let route = self.routers[router].ask(&format!("show route {prefix} all"));
            route.contains("BGP.as_path") && words.iter().all(|word| route.contains(word))
        });
    }

    fn wait_no_route(&self, router: usize, prefix: &str) {
        wait_until(&format!("router {router} has no {prefix}"), BOUND, || {
            !self.routers[router].has_route(prefix, "pop")
        });
    }

    /// Waits until the router's log says this.
    fn wait_log(&self, router: usize, words: &str) {
        let file = self.lab.directory().join(format!("router{}.log", router + 1));
        wait_until(&format!("router {router} logs {words:?}"), BOUND, || read(&file).contains(words));
    }

    fn running() -> (Self, Stream) {
        let mut routed = Self::new();
        routed.anyns.start(&routed.lab);
        routed.anyns.wait_announces();
        PREFIXES.iter().for_each(|prefix| routed.wait_route(0, prefix, &[]));
        let stream = Stream::start(&routed.space, service(0), RATE, zones::questions(ZONE));
        stream.wait_answers(50, BOUND);
        (routed, stream)
    }
}

/// One piece of a config replaced.
fn with(config: &str, from: &str, to: &str) -> String {
    assert!(config.contains(from), "{from:?} is in {config}");
    config.replacen(from, to, 1)
}

fn nothing_lost(stream: Stream) {
    stream.wait_answers(50, BOUND);
    let record = stream.stop();
    assert_eq!(record.lost(), 0, "{}", record.summary());
}

/// Every attribute of a service, what a neighbor's keys give its routes, and settings that no OPEN tells: one session all the
/// time. At last a prefix that leaves and comes back, and one that becomes shorter.
#[test]
fn attributes_and_prefixes_change_without_a_reset() {
    if !has_programs("live changes of attributes", &["bird", "birdc"]) {
        return;
    }
    let (routed, stream) = Routed::running();
    let session = routed.session(0);
    assert!(session.contains("Established"), "{session}");
    let first = "prefix = \"192.0.2.0/24\"\n";
    let service = |more: &str| with(&routed.base, first, &format!("{first}{more}\n"));
    let of_service = [
        ("med = 77", "BGP.med: 77"),
        ("communities = [\"65001:7\", \"65001:8\"]", "BGP.community: (65001,7) (65001,8)"),
        ("large-communities = [\"65001:1:2\"]", "BGP.large_community: (65001, 1, 2)"),
        ("prepend = 2", "BGP.as_path: 65001 65001 65001"),
        ("next-hop = \"198.18.1.77\"", "BGP.next_hop: 198.18.1.77"),
    ];
    for (key, seen) in of_service {
        let said = routed.changes(&format!("{}{BGP}{FIRST}", service(key)));
        assert!(said.contains("192.0.2.0/24 is announced with other attributes"), "{key}: {said}");
        routed.wait_route(0, "192.0.2.0/24", &[seen]);
    }
    // The keys of the neighbor and of [bgp], one after the other.
    let neighbor = FIRST.replace("::2\"", "::77\"");
    routed.changes(&format!("{}{BGP}{neighbor}next-hop-ipv4 = \"198.18.1.78\"\n", routed.base));
    routed.wait_route(0, "192.0.2.0/24", &["BGP.next_hop: 198.18.1.78"]);
    routed.wait_route(0, "2001:db8:53::/48", &["BGP.next_hop: 2001:db8:1::77"]);
    for key in
        ["send-hold-time = \"60s\"\n", "listen-port = 1179\n", "deprefer-prepend = 2\ndeprefer-med = 9\n"]
    {
        routed.changes(&format!("{}{BGP}{key}{FIRST}", routed.base));
    }
    for key in ["mode = \"both\"\n", "ttl-security = 1\n", "multihop = 3\n"] {
        routed.changes(&format!("{}{BGP}{FIRST}{key}", routed.base));
    }
    let policy = with(&routed.base, "[policy]\n", "[policy]\nlease = \"5s\"\n");
    routed.changes(&format!("{policy}{BGP}{FIRST}"));
    let health = with(&policy, "timeout = \"500ms\"", "timeout = \"900ms\"");
    routed.changes(&format!("{health}{BGP}{FIRST}"));

    let second = format!("[[service]]\nprefix = \"{}\"\naddresses = [\"{}\"]\n", PREFIXES[1], SERVICE[1]);
    let said = routed.reload(&format!("{}{BGP}{FIRST}", with(&routed.base, &second, "")));
    assert!(said.text.contains("2001:db8:53::/48 is withdrawn"), "{}", said.text);
    assert_eq!(said.code, 4, "its sockets stay until a restart: {}", said.text);
    routed.wait_no_route(0, PREFIXES[1]);
    let said = routed.changes(&format!("{}{BGP}{FIRST}", routed.base));
    assert!(said.contains("2001:db8:53::/48 is announced once"), "{said}");
    routed.wait_route(0, PREFIXES[1], &[]);
    routed.changes(&format!("{}{BGP}{FIRST}", with(&routed.base, "192.0.2.0/24", "192.0.2.0/23")));
    routed.wait_route(0, "192.0.2.0/23", &[]);
    routed.wait_no_route(0, PREFIXES[0]);
    assert_eq!(routed.session(0), session, "the same session all the time");
    nothing_lost(stream);
}

#[test]
fn neighbors_come_change_and_go_by_themselves() {
    if !has_programs("live changes of neighbors", &["bird", "birdc"]) {
        return;
    }
    let (routed, stream) = Routed::running();
    let session = routed.session(0);
    let config = |second: &str| format!("{}{BGP}{FIRST}{second}", routed.base);
    let said = routed.changes(&config(&with(SECOND, "right", "wrong")));
    assert!(said.contains("neighbor 198.18.2.1:179 is added"), "{said}");
    routed.anyns.wait_status("the neighbor with the wrong password is not reached", |status| {
        status["prefixes"].to_string().contains("198.18.2.1:179 ")
            || status["prefixes"][0]["neighbors"][1]["session"].as_str().is_some_and(|one| one.contains("("))
    });
    let said = routed.changes(&config(SECOND));
    assert!(said.contains("the session with 198.18.2.1:179 is reset (password)"), "{said}");
    PREFIXES.iter().for_each(|prefix| routed.wait_route(1, prefix, &[]));
    let of_second = routed.session(1);

    let said = routed.changes(&config(&with(SECOND, "65002", "64999")));
    assert!(said.contains("the session with 198.18.2.1:179 is reset (remote-as)"), "{said}");
    routed.wait_log(1, "Other configuration change");
    routed.wait_no_route(1, PREFIXES[0]);
    routed.changes(&config(SECOND));
    PREFIXES.iter().for_each(|prefix| routed.wait_route(1, prefix, &[]));
    assert_ne!(routed.session(1), of_second);
    let said = routed.changes(&config(""));
    assert!(said.contains("neighbor 198.18.2.1:179 is removed"), "{said}");
    routed.wait_log(1, "Peer de-configured");
    routed.wait_no_route(1, PREFIXES[0]);
    assert_eq!(routed.session(0), session, "the other neighbor's session did not notice");

    // A local end that this host does not have: nothing changes.
    routed.anyns.write_config(&config(&with(SECOND, "198.18.2.2", "198.18.2.99")));
    let said = routed.anyns.command(&["reload"]);
    assert!(said.code == 1 && said.text.contains("198.18.2.99"), "{}", said.text);
    assert_eq!(routed.session(0), session);

    let said = routed.changes(&with(&config(""), "hold-time = \"9s\"", "hold-time = \"12s\""));
    assert!(said.contains("the session with 198.18.1.1:179 is reset (hold-time)"), "{said}");
    routed.wait_log(0, "Other configuration change");
    PREFIXES.iter().for_each(|prefix| routed.wait_route(0, prefix, &[]));
    assert_ne!(routed.session(0), session);

    let said = routed.changes(&format!("{}{BGP}", routed.base));
    assert!(said.contains("no neighbor is left: nothing is announced"), "{said}");
    routed.wait_log(0, "Peer de-configured");
    let status = routed.anyns.command(&["status"]);
    assert_eq!(status.code, 2, "down: {}", status.text);
    nothing_lost(stream);
}
