//! The world of the anycast labs: a client, an upstream router, and two POPs that share the service prefixes.
//!
//! ```text
//!   client ---- upstream (BIRD, AS 65000, kernel routes) ---- POP a (AS 65001), preferred
//!                                                      `----- POP b (AS 65001)
//! ```
//!
//! The upstream prefers a by LOCAL_PREF, honours GRACEFUL_SHUTDOWN (RFC 8326) and uses one best path, never several.
//! In a POP either the speaker under test talks to the upstream itself, or, over loopback as an iBGP peer, to a BIRD
//! that the POP runs. A speaker is anything that takes the session: anyns, or a stand-in for a test of the lab.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::bird::Bird;
use super::lab::{Lab, Space};
use super::process::{Process, read};
use super::wait::wait_for;

/// The service prefixes.
pub const PREFIXES: [&str; 2] = ["192.0.2.0/24", "2001:db8:53::/48"];
/// The service addresses.
pub const SERVICE: [&str; 2] = ["192.0.2.53", "2001:db8:53::53"];
/// How long a session may take to come up, and a route to move: the longest pause of a router before it connects again.
pub const BOUND: Duration = Duration::from_secs(30);

/// The world; fields are dropped in this order, the namespaces last.
pub struct World {
    /// The upstream router.
    pub upstream: Bird,
    monitor: Process,
    /// POP a, which the upstream prefers.
    pub a: Site,
    /// POP b.
    pub b: Site,
    /// Where the client is.
    pub client: Space,
    /// The upstream's namespace.
    pub router: Space,
    /// All of it.
    pub lab: Lab,
}

/// A POP without its server.
pub struct Site {
    /// `a` or `b`.
    pub name: &'static str,
    /// Its namespace.
    pub space: Space,
    /// Its management addresses.
    pub management: [&'static str; 2],
    /// The upstream's addresses on the link to it.
    pub gateway: [&'static str; 2],
    /// Its own BIRD, where it runs one.
    pub bird: Option<Bird>,
}

/// How a POP's speaker reaches the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// iBGP over loopback to the POP's BIRD, which speaks eBGP with the upstream.
    ThroughBird,
    /// eBGP with the upstream itself.
    Direct,
}

impl World {
    /// Builds it; the service addresses are on the POPs' loopback, nobody serves or announces yet.
    pub fn new(route: Route, hold: u32) -> Self {
        let mut lab = Lab::new();
        let (client, router) = (lab.space("client"), lab.space("up"));
        lab.link(
            (&client, "eth0", &["198.18.9.2/24", "2001:db8:9::2/64"]),
            (&router, "client", &["198.18.9.1/24", "2001:db8:9::1/64"]),
        );
        client.ip(&["route", "add", "default", "via", "198.18.9.1"]);
        client.ip(&["-6", "route", "add", "default", "via", "2001:db8:9::1"]);
        for setting in ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"] {
            router.sysctl(setting);
        }
        let a =
            site(&mut lab, &router, "a", ["198.18.1.2", "2001:db8:1::2"], ["198.18.1.1", "2001:db8:1::1"]);
        let b =
            site(&mut lab, &router, "b", ["198.18.2.2", "2001:db8:2::2"], ["198.18.2.1", "2001:db8:2::1"]);
        let monitor = lab.start(&router, "routes", "ip", &["-ts", "monitor", "route"]);
        let upstream = Bird::start(&lab, &router, "upstream", &upstream_config(hold));
        let mut world = Self { upstream, monitor, a, b, client, router, lab };
        if route == Route::ThroughBird {
            world.a.bird =
                Some(Bird::start(&world.lab, &world.a.space, "bird-a", &site_config(&world.a, hold)));
            world.b.bird =
                Some(Bird::start(&world.lab, &world.b.space, "bird-b", &site_config(&world.b, hold)));
            world.upstream.wait_established("a", BOUND);
            world.upstream.wait_established("b", BOUND);
        }
        world
    }

    /// Whether the upstream's kernel sends the prefix to this site.
    pub fn leads_to(&self, prefix: &str, site: &Site) -> bool {
        self.router.route(prefix).is_some_and(|route| route.contains(&format!("dev pop-{}", site.name)))
    }

    /// The same by what `ip monitor` saw last: a look costs no process, for labs that look often.
    pub fn led_to(&self, prefix: &str, site: &Site) -> bool {
        let text = self.monitor.output();
        let last = text.lines().rfind(|line| line.contains(prefix));
        last.is_some_and(|line| !line.contains("Deleted") && line.contains(&format!("dev pop-{}", site.name)))
    }

    /// Waits until both prefixes lead to this site; the time until the last did.
    pub fn wait_leads_to(&self, site: &Site) -> Duration {
        let what = format!("the upstream's routes lead to {}", site.name);
        wait_for(&what, BOUND, || PREFIXES.iter().all(|prefix| self.leads_to(prefix, site)).then_some(())).1
    }

    /// Waits until the upstream has both prefixes from this site, best or not.
    pub fn wait_offered(&self, site: &Site) {
        let what = format!("the upstream has the routes of {}", site.name);
        wait_for(&what, BOUND, || self.offers(site).then_some(()));
    }

    /// Whether the upstream has both prefixes from this site.
    pub fn offers(&self, site: &Site) -> bool {
        PREFIXES.iter().all(|prefix| self.upstream.has_route(prefix, site.name))
    }

    /// Whether the upstream has any prefix from this site.
    pub fn offers_any(&self, site: &Site) -> bool {
        PREFIXES.iter().any(|prefix| self.upstream.has_route(prefix, site.name))
    }

    /// The changes of the upstream's kernel routes to the service prefixes so far, as `ip monitor` tells them.
    pub fn route_changes(&self) -> Vec<String> {
        let text = self.monitor.output();
        let ours = |line: &&str| PREFIXES.iter().any(|prefix| line.contains(prefix));
        text.lines().filter(ours).map(str::to_owned).collect()
    }

    /// The end of a log in the lab's directory.
    pub fn log(&self, name: &str) -> String {
        read(&self.lab.directory().join(format!("{name}.log")))
    }
}

impl Site {
    /// The speaker's BGP Identifier: its own, because an iBGP peer of the same one is refused (RFC 6286 section 2.2).
    pub fn router_id(&self) -> String {
        let [four, _] = self.management;
        format!("{}3", four.trim_end_matches('2'))
    }

    /// The socket address of a service address, by family: 0 for IPv4, 1 for IPv6.
    pub fn service(family: usize) -> SocketAddr {
        SocketAddr::new(service(family), 53)
    }
}

/// A service address by family: 0 for IPv4, 1 for IPv6.
pub fn service(family: usize) -> IpAddr {
    SERVICE[family].parse().expect("an address")
}

fn site(
    lab: &mut Lab,
    router: &Space,
    name: &'static str,
    management: [&'static str; 2],
    gateway: [&'static str; 2],
) -> Site {
    let space = lab.space(name);
    let with = |addresses: [&str; 2]| [format!("{}/24", addresses[0]), format!("{}/64", addresses[1])];
    let (ours, theirs) = (with(management), with(gateway));
    lab.link(
        (&space, "wan0", &[&ours[0], &ours[1]]),
        (router, &format!("pop-{name}"), &[&theirs[0], &theirs[1]]),
    );
    space.ip(&["route", "add", "default", "via", gateway[0]]);
    space.ip(&["-6", "route", "add", "default", "via", gateway[1]]);
    space.ip(&["address", "add", &format!("{}/32", SERVICE[0]), "dev", "lo"]);
    space.ip(&["address", "add", &format!("{}/128", SERVICE[1]), "dev", "lo", "nodad"]);
    Site { name, space, management, gateway, bird: None }
}

fn upstream_config(hold: u32) -> String {
    let neighbor = |name: &str, link: &str, preference: u32| {
        format!(
            "protocol bgp {name} {{\n  local 198.18.{link}.1 as 65000;\n  neighbor 198.18.{link}.2 as 65001;\n\
             \x20 hold time {hold};\n  connect retry time 1;\n  connect delay time 1;\n  error wait time 1, 2;\n  graceful restart off;\n\
             \x20 ipv4 {{ import filter {{ take_with({preference}); }}; export none; }};\n\
             \x20 ipv6 {{ import filter {{ take_with({preference}); }}; export none; }};\n}}\n"
        )
    };
    format!(
        "log stderr all;\nrouter id 198.18.0.1;\n\
         function take_with(int wanted) {{\n  bgp_local_pref = wanted;\n  if (65535, 0) ~ bgp_community then bgp_local_pref = 0;\n  accept;\n}}\n\
         protocol device {{}}\n\
         protocol direct {{ ipv4; ipv6; }}\n\
         protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}\n\
         protocol kernel {{ ipv6 {{ import none; export where source = RTS_BGP; }}; }}\n{}{}",
        neighbor("a", "1", 200),
        neighbor("b", "2", 100)
    )
}

/// The POP's BIRD: takes the service prefixes from the speaker on loopback and hands them on, nothing else. The device
/// scan wakes it every second: BIRD 2.0.12 acts on an expired hold timer only when something else wakes its loop.
fn site_config(site: &Site, hold: u32) -> String {
    let [management, _] = site.management;
    let [_, six] = site.management;
    let [gateway, _] = site.gateway;
    let session = "hold time 3;\n  keepalive time 1;\n  error wait time 1, 2;\n  graceful restart off;";
    format!(
        "log stderr all;\nrouter id {management};\nprotocol device {{ scan time 1; }}\nprotocol direct {{ ipv4; ipv6; }}\n\
         protocol bgp anyns {{\n  local 127.0.0.1 as 65001;\n  neighbor 127.0.0.2 as 65001;\n  passive on;\n  multihop;\n  {session}\n\
         \x20 ipv4 {{ import filter {{ if net = 192.0.2.0/24 then accept; reject; }}; export none; }};\n\
         \x20 ipv6 {{ import filter {{ if net = 2001:db8:53::/48 then accept; reject; }}; export none; }};\n}}\n\
         protocol bgp upstream {{\n  local {management} as 65001;\n  neighbor {gateway} as 65000;\n  hold time {hold};\n\
         \x20 connect retry time 1;\n  connect delay time 1;\n  error wait time 1, 2;\n  graceful restart off;\n\
         \x20 ipv4 {{ import none; next hop self; export where proto = \"anyns\"; }};\n\
         \x20 ipv6 {{ import none; next hop address {six}; export where proto = \"anyns\"; }};\n}}\n"
    )
}
