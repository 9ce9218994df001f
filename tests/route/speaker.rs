//! The library's speaker in a process of its own, steered over its standard input.

use std::io::{BufRead, Write};
use std::net::IpAddr;
use std::pin::Pin;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyns::handoff::Latest;
use anyns::policy::{Decision, Intent, PrefixDecision};
use anyns::route::{
    self, BgpDriver, BgpSettings, Deprefer, GateSettings, Mode, Neighbor, Password, SelfTest, Service, Ttl,
};
use anyns::telemetry::Beat;
use tokio_util::sync::CancellationToken;

use crate::netns_route::{POP, POP6, Pair, ROUTER, ROUTER6};

/// What the process is told in its environment, so that an ordinary run of the helper does nothing.
const ORDER: &str = "ANYNS_TEST_SPEAKER";

/// Our AS and the router's.
pub(crate) const LOCAL_AS: u32 = 65_000;
pub(crate) const REMOTE_AS: u32 = 65_001;
/// What is announced.
pub(crate) const PREFIX: &str = "192.0.2.0/24";
pub(crate) const PREFIX6: &str = "2001:db8:53::/48";

/// How a speaker is set up.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    pub(crate) mode: Mode,
    pub(crate) password: bool,
    pub(crate) gtsm: bool,
    pub(crate) internal: bool,
    pub(crate) ipv6: bool,
}

impl Default for Order {
    fn default() -> Self {
        Self { mode: Mode::Active, password: false, gtsm: false, internal: false, ipv6: false }
    }
}

/// The password that both ends have when they have one.
pub(crate) const PASSWORD: &str = "a secret";

/// A running speaker; killed when dropped.
pub(crate) struct Speaker {
    child: Child,
    input: ChildStdin,
}

impl Speaker {
    pub(crate) fn start(pair: &Pair, order: Order) -> Self {
        let exe = std::env::current_exe().unwrap();
        let mode = match order.mode {
            Mode::Active => "active",
            Mode::Passive => "passive",
            Mode::Both => "both",
        };
        let text = format!("{mode} {} {} {} {}", order.password, order.gtsm, order.internal, order.ipv6);
        let mut child = pair
            .in_pop(exe.to_str().unwrap())
            .args(["--ignored", "--exact", "speaker::helper", "--nocapture"])
            .env(ORDER, text)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        Self { child, input }
    }

    pub(crate) fn say(&mut self, intent: &str) {
        writeln!(self.input, "{intent}").unwrap();
    }

    /// Sends a signal to this process alone.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits until it has stopped by itself, after it was told to.
    pub(crate) fn wait(&mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process: not a test, hence ignored. Announces what the last line of its input says: `announce`, `deprefer`,
/// `withdraw`; stops in order at `stop` and at the end of input.
#[test]
#[ignore = "a helper process of the other tests"]
fn helper() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let words: Vec<&str> = order.split(' ').collect();
    let flags: Vec<bool> = words.iter().skip(1).map(|word| *word == "true").collect();
    let (settings, services) = settings(words[0], flags.try_into().unwrap());
    let driver = BgpDriver::new(settings, services.clone()).unwrap();
    let decisions = Latest::new(Decision::default());
    let (reader, decider) = (decisions.reader(), Beat::new("decide"));
    let gate = GateSettings {
        lease: GateSettings::DEFAULT_LEASE,
        services: services.iter().map(|service| (service.prefix, Vec::new())).collect(),
        self_test: Arc::new(NotAsked),
    };
    let speaker = route::start(driver, gate, reader, decider.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stop = CancellationToken::new();
    let stopper = stop.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let intent = match line.as_str() {
                "announce" => Intent::Announce,
                "deprefer" => Intent::Deprefer,
                "withdraw" => Intent::Withdraw,
                _ => break,
            };
            decisions.publish(decision(&services, intent));
        }
        stopper.cancel();
    });
    runtime.block_on(async {
        // The lease is renewed as long as there is an order.
        stop.run_until_cancelled(decider.keep_beating()).await;
        let status = speaker.status.clone();
        assert!(speaker.shut_down(Duration::from_secs(10)).await);
        assert!(status.load().all_withdrawn());
    });
}

/// The lease never expires here.
struct NotAsked;

impl SelfTest for NotAsked {
    fn ask(&self, _: IpAddr) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
        Box::pin(async { Ok(()) })
    }
}

fn decision(services: &[Service], intent: Intent) -> Decision {
    let since = Instant::now();
    let one = |service: &Service| PrefixDecision {
        prefix: service.prefix,
        intent,
        since,
        reasons: Vec::new(),
        withdrawals: 0,
    };
    Decision { prefixes: services.iter().map(one).collect() }
}

fn settings(mode: &str, [password, gtsm, internal, ipv6]: [bool; 4]) -> (BgpSettings, Vec<Service>) {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let remote_as = if internal { LOCAL_AS } else { REMOTE_AS };
    let (local, remote) = if ipv6 { (POP6, ROUTER6) } else { (POP, ROUTER) };
    let mut neighbor = Neighbor::new(LOCAL_AS, address(local), address(remote), remote_as);
    neighbor.next_hop_ipv6 = Some(POP6.parse().unwrap());
    neighbor.password = password.then(|| Password::new(PASSWORD.to_owned()));
    neighbor.mode = match mode {
        "active" => Mode::Active,
        "passive" => Mode::Passive,
        _ => Mode::Both,
    };
    if gtsm {
        neighbor.ttl = Ttl::Security(1);
    }
    let service = |prefix: &str| Service {
        communities: vec!["65000:77".parse().unwrap()],
        large_communities: vec!["65000:1:2".parse().unwrap()],
        med: Some(42),
        prepend: 1,
        ..Service::new(prefix.parse().unwrap())
    };
    let settings = BgpSettings {
        local_as: LOCAL_AS,
        router_id: POP.parse().unwrap(),
        hold_time: Duration::from_secs(3),
        send_hold_time: None,
        listen_port: 179,
        deprefer: Deprefer { med: Some(4242), prepend: 2 },
        shutdown_text: "the test is over".to_owned(),
        neighbors: vec![neighbor],
    };
    (settings, vec![service(PREFIX), service(PREFIX6)])
}
