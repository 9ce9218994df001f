//! The real routers: how each is started, asked, and what it shows.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::SOON;
use crate::netns_route::{POP, POP6, Pair, ROUTER, ROUTER6};
use crate::skip::has_programs;
use crate::speaker::{LOCAL_AS, PASSWORD, PREFIX, PREFIX6, REMOTE_AS};

/// Which routing daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bird,
    Frr,
    Gobgp,
}

/// How its end of the session is set up.
#[derive(Clone, Copy, Default)]
pub(crate) struct Side {
    /// It waits for us.
    pub(crate) passive: bool,
    pub(crate) password: bool,
    pub(crate) gtsm: bool,
    pub(crate) internal: bool,
    /// The session is over IPv6.
    pub(crate) ipv6: bool,
}

/// A running router; killed when dropped.
pub(crate) struct Router<'a> {
    kind: Kind,
    pair: &'a Pair,
    side: Side,
    directory: TempDir,
    child: Child,
}

impl Kind {
    fn program(self) -> &'static str {
        match self {
            Self::Bird => "/usr/sbin/bird",
            Self::Frr => "/usr/lib/frr/bgpd",
            Self::Gobgp => "/usr/bin/gobgpd",
        }
    }

    /// What asks it.
    fn client(self) -> &'static str {
        match self {
            Self::Bird => "birdc",
            Self::Frr => "vtysh",
            Self::Gobgp => "gobgp",
        }
    }
}

impl<'a> Router<'a> {
    /// Starts it; `None`, a skip that is counted, if its package is not installed.
    pub(crate) fn start(kind: Kind, pair: &'a Pair, side: Side) -> Option<Self> {
        if !has_programs(&format!("the speaker against {kind:?}"), &[kind.program(), kind.client()]) {
            return None;
        }
        let directory = tempfile::Builder::new().prefix("anyr").tempdir().unwrap();
        let child = launch(kind, pair, side, directory.path());
        Some(Self { kind, pair, side, directory, child })
    }

    /// Ends BIRD's session and lets it begin again once the routes are seen to be gone.
    pub(crate) fn drop_session(&self) {
        self.ask("birdc", &["-s", "ctl", "disable anyns"]);
        self.wait("gone with the session", SOON, |text| text.contains("BIRD") && Self::has_none(text));
        self.ask("birdc", &["-s", "ctl", "enable anyns"]);
    }

    /// Kills it, sees that nobody answers for it any more, and starts it anew.
    pub(crate) fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.wait("gone with the router", SOON, Self::has_none);
        self.child = launch(self.kind, self.pair, self.side, self.directory.path());
    }

    /// Everything it knows of the routes of both families.
    pub(crate) fn routes(&self) -> String {
        match self.kind {
            Kind::Bird => self.ask("birdc", &["-s", "ctl", "show route all"]),
            Kind::Frr => {
                let show = |family: &str, prefix: &str| {
                    let command = format!("show bgp {family} unicast {prefix} json");
                    self.ask("vtysh", &["--vty_socket", &self.path(""), "-c", &command])
                };
                show("ipv4", PREFIX) + &show("ipv6", PREFIX6)
            }
            Kind::Gobgp => {
                let show = |family: &str| self.ask("gobgp", &["global", "rib", "-a", family, "-j"]);
                show("ipv4") + &show("ipv6")
            }
        }
    }

    /// How many routes BIRD has been told over the session, of both families, again and again included.
    pub(crate) fn updates_received(&self) -> u64 {
        let text = self.ask("birdc", &["-s", "ctl", "show protocols all anyns"]);
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix("Import updates:"));
        lines.filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok()).sum()
    }

    /// Waits until BIRD has been told at least so many.
    pub(crate) fn wait_for_updates(&self, what: &str, least: u64, within: Duration) {
        let start = Instant::now();
        while self.updates_received() < least {
            assert!(start.elapsed() < within, "{what}: {} of {least} routes", self.updates_received());
        }
        println!("{:?}: {what} after {:?}", self.kind, start.elapsed());
    }

    /// Runs a client of it where it is, in its directory.
    pub(crate) fn ask(&self, client: &str, arguments: &[&str]) -> String {
        let mut command = self.pair.in_router(client);
        command.args(arguments).current_dir(self.directory.path());
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until what it knows of the routes is as `good` says; how long that took.
    pub(crate) fn wait(&self, what: &str, within: Duration, good: impl Fn(&str) -> bool) -> Duration {
        let start = Instant::now();
        loop {
            let routes = self.routes();
            if good(&routes) {
                let took = start.elapsed();
                println!("{:?}: {what} after {took:?}", self.kind);
                return took;
            }
            assert!(
                start.elapsed() < within,
                "{:?}: {what}: not within {within:?}; it knows {routes}",
                self.kind
            );
        }
    }

    /// Sees for so long that what it knows of the routes is as `good` says.
    pub(crate) fn holds(&self, what: &str, time: Duration, good: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while start.elapsed() < time {
            let routes = self.routes();
            assert!(good(&routes), "{:?}: {what}: after {:?} it knows {routes}", self.kind, start.elapsed());
        }
    }

    /// What FRR and GoBGP count of the session with us: another value tells of a session that was established anew.
    pub(crate) fn sessions_established(&self) -> String {
        let (text, key) = match self.kind {
            Kind::Frr => {
                let socket = self.path("");
                let arguments = ["--vty_socket", &socket, "-c", "show bgp neighbors json"];
                (self.ask("vtysh", &arguments), "\"connectionsEstablished\":")
            }
            Kind::Gobgp => (self.ask("gobgp", &["neighbor", POP, "-j"]), "\"uptime\":"),
            Kind::Bird => (self.ask("birdc", &["-s", "ctl", "show protocols anyns"]), "up "),
        };
        let (_, value) =
            text.split_once(key).unwrap_or_else(|| panic!("{:?}: no {key} in {text}", self.kind));
        value.split([',', '}']).next().unwrap_or_default().to_owned()
    }

    /// Waits until its kernel has refused segments for want of a signature (RFC 2385): somebody tried without.
    pub(crate) fn wait_for_unsigned_segments(&self, within: Duration) {
        let start = Instant::now();
        loop {
            let counters = self.ask("nstat", &["-asz", "TcpExtTCPMD5NotFound"]);
            let line = counters.lines().find(|line| line.starts_with("TcpExtTCPMD5NotFound"));
            let count =
                line.and_then(|line| line.split_whitespace().nth(1)).and_then(|n| n.parse::<u64>().ok());
            if count.is_some_and(|count| count > 0) {
                return;
            }
            assert!(start.elapsed() < within, "nobody tried without a signature: {counters}");
        }
    }

    /// Whether `text` of [`Router::routes`] has both prefixes.
    pub(crate) fn has_both(text: &str) -> bool {
        text.contains(PREFIX) && text.contains(PREFIX6)
    }

    /// Whether it has neither.
    pub(crate) fn has_none(text: &str) -> bool {
        !text.contains(PREFIX) && !text.contains(PREFIX6)
    }

    /// What `text` must contain when the routes carry what was configured, and when they are depreferred.
    pub(crate) fn marks(&self) -> (&'static [&'static str], &'static [&'static str]) {
        match (self.kind, self.side.internal) {
            (Kind::Bird, true) => (
                &["BGP.as_path: \n", "BGP.local_pref: 100", "BGP.med: 42\n", "(65000,77)"],
                &["BGP.local_pref: 0", "(65535,0)", "BGP.med: 4242\n"],
            ),
            (Kind::Bird, false) => (
                &[
                    "BGP.as_path: 65000 65000\n",
                    "BGP.med: 42\n",
                    "BGP.community: (65000,77)\n",
                    "BGP.large_community: (65000, 1, 2)",
                    "BGP.next_hop: 10.99.0.1",
                    "BGP.next_hop: fd00:99::1",
                    "BGP.origin: IGP",
                ],
                &["BGP.as_path: 65000 65000 65000 65000\n", "(65000,77) (65535,0)", "BGP.med: 4242\n"],
            ),
            (Kind::Frr, _) => (
                &["\"65000 65000\"", "\"metric\":42", "65000:77", "65000:1:2", "fd00:99::1"],
                &["\"65000 65000 65000 65000\"", "gracefulShutdown", "\"metric\":4242"],
            ),
            (Kind::Gobgp, _) => (
                &["[65000,65000]", "\"metric\":42", "4259840077", "fd00:99::1"],
                &["[65000,65000,65000,65000]", "4294901760", "\"metric\":4242"],
            ),
        }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Router<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(kind: Kind, pair: &Pair, side: Side, directory: &Path) -> Child {
    let config = match kind {
        Kind::Bird => bird(side),
        Kind::Frr => frr(),
        Kind::Gobgp => gobgp(),
    };
    fs::write(directory.join("conf"), config).unwrap();
    let text = directory.to_str().unwrap();
    let mut command = pair.in_router(kind.program());
    match kind {
        Kind::Bird => command.args(["-f", "-c", "conf", "-s", "ctl", "-P", "pid"]),
        Kind::Frr => command
            .args([
                "-f",
                &format!("{text}/conf"),
                "-i",
                &format!("{text}/pid"),
                "-z",
                &format!("{text}/zserv"),
            ])
            .args(["--vty_socket", text, "-n", "-Z", "-S", "-P", "0", "--log", "stdout"]),
        Kind::Gobgp => command.args(["-f", "conf", "-t", "toml", "--api-hosts", "127.0.0.1:50051"]),
    };
    command.current_dir(directory).stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    command.spawn().unwrap()
}

fn bird(side: Side) -> String {
    let passive = if side.passive { "passive;" } else { "" };
    let password = if side.password { format!("password \"{PASSWORD}\";") } else { String::new() };
    let gtsm = if side.gtsm { "ttl security on;" } else { "" };
    let remote = if side.internal { LOCAL_AS } else { REMOTE_AS };
    let (local, neighbor) = if side.ipv6 { (ROUTER6, POP6) } else { (ROUTER, POP) };
    let extended = if side.ipv6 { "extended next hop on;" } else { "" };
    format!(
        "router id {ROUTER};
protocol device {{}}
protocol bgp anyns {{
  local {local} as {remote};
  neighbor {neighbor} as {LOCAL_AS};
  direct;
  {passive} {password} {gtsm}
  hold time 3; connect retry time 1; connect delay time 1; error wait time 1, 2;
  ipv4 {{ import all; export none; {extended} }};
  ipv6 {{ import all; export none; }};
}}
"
    )
}

fn frr() -> String {
    format!(
        "router bgp {REMOTE_AS}
 bgp router-id {ROUTER}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor {POP} remote-as {LOCAL_AS}
 neighbor {POP} timers 1 3
 neighbor {POP} timers connect 1
 address-family ipv4 unicast
  neighbor {POP} activate
 exit-address-family
 address-family ipv6 unicast
  neighbor {POP} activate
 exit-address-family
"
    )
}

fn gobgp() -> String {
    let family = |name: &str| {
        format!(
            "  [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n      afi-safi-name = \"{name}\"\n"
        )
    };
    format!(
        "[global.config]
  as = {REMOTE_AS}
  router-id = \"{ROUTER}\"
[[neighbors]]
  [neighbors.config]
    neighbor-address = \"{POP}\"
    peer-as = {LOCAL_AS}
  [neighbors.timers.config]
    hold-time = 3
    keepalive-interval = 1
    connect-retry = 1
{}{}",
        family("ipv4-unicast"),
        family("ipv6-unicast")
    )
}
