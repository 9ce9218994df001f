//! The POP in which rows run one after the other: a world with one server, its load, and what it says of itself.

use std::time::Duration;

use serde_json::Value;

use super::INTERVAL;
use super::row::Stream;
use crate::support::anyns::Anyns;
use crate::support::dns::TXT;
use crate::support::faults::StuckPipe;
use crate::support::load::TcpLoad;
use crate::support::pop::{self, ZONE};
use crate::support::process::read;
use crate::support::stream::Stream as UdpLoad;
use crate::support::world::{PREFIXES, Route, World, service};
use crate::support::zones;

/// How much of a line is printed.
const SHOWN: usize = 150;

/// The server in its world.
pub(super) struct Pop {
    pub(super) world: World,
    pub(super) anyns: Anyns,
    /// Standard error of the server, where the row needs it full.
    pub(super) stderr: Option<StuckPipe>,
    /// The version of the zone that was deployed last.
    pub(super) version: u32,
}

/// The load of a row; ends when dropped.
pub(super) struct Load {
    udp: Option<UdpLoad>,
    tcp: Option<TcpLoad>,
}

impl Pop {
    /// A world with a server in POP a that announces; with a standard error of its own if `stuck`.
    pub(super) fn new(stuck: bool) -> Self {
        let world = World::new(Route::Direct, 9);
        let interval = INTERVAL.as_millis();
        let extra = format!(
            "[health]\ninterval = \"{interval}ms\"\ntimeout = \"{interval}ms\"\n[serve]\nworkers = 2\n\
             [log]\nlevel = \"debug\"\n[web]\n"
        );
        let mut anyns = pop::at_site(&world, &world.a, Route::Direct, &extra);
        let stderr = stuck.then(StuckPipe::new);
        anyns.start_with_hooks(&world.lab, stderr.as_ref().map(StuckPipe::writer));
        Self { world, anyns, stderr, version: 1 }
    }

    /// Whether the upstream sends the prefixes of all these families here.
    pub(super) fn announced(&self, families: [bool; 2]) -> bool {
        chosen(families).all(|prefix| self.world.led_to(prefix, &self.world.a))
    }

    /// Whether the upstream sends none of them here.
    pub(super) fn gone(&self, families: [bool; 2]) -> bool {
        !chosen(families).any(|prefix| self.world.led_to(prefix, &self.world.a))
    }

    /// Starts the load.
    pub(super) fn load(&self, stream: Stream) -> Load {
        let client = &self.world.client;
        let udp = |family, rate| Some(UdpLoad::start(client, service(family), rate, zones::questions(ZONE)));
        let tcp = |family, rate: u32| {
            let period = Duration::from_secs(1) / rate;
            Some(TcpLoad::start(client, service(family), period, (format!("version.{ZONE}"), TXT)))
        };
        let (udp, tcp) = match stream {
            Stream::Udp(family, rate) => (udp(family, rate), None),
            Stream::Tcp(family, rate) => (None, tcp(family, rate)),
            Stream::UdpAndTcp(family, often, seldom) => (udp(family, often), tcp(family, seldom)),
        };
        Load { udp, tcp }
    }

    /// Deploys the next version of the zone.
    pub(super) fn deploy(&mut self) {
        self.version += 1;
        pop::deploy(&pop::zone_directory(&self.world, &self.world.a), ZONE, self.version);
    }

    /// How long the log is.
    pub(super) fn log_length(&self) -> usize {
        self.log().len()
    }

    /// The warnings and errors of the log after its first `from` octets.
    pub(super) fn warnings(&self, from: usize) -> Vec<String> {
        let log = self.log();
        let new = log.get(from..).unwrap_or_default();
        let loud = new.lines().filter(|line| line.contains("WARN") || line.contains("ERROR"));
        loud.map(|line| shortened(line.split_once("Z ").map_or(line, |(_, rest)| rest).trim())).collect()
    }

    fn log(&self) -> String {
        read(&self.world.lab.log_file(&self.anyns.name))
    }
}

impl Load {
    /// Waits for `count` answers: a row begins at an instant that no timer of the server chose.
    pub(super) fn wait(&self, count: u32) {
        let bound = crate::support::world::BOUND;
        if let Some(udp) = &self.udp {
            udp.wait_answers(count, bound);
        }
        if let Some(tcp) = &self.tcp {
            tcp.wait_answers(count.div_ceil(20), bound);
        }
    }
}

/// The verdict of a status and its first reasons, in one line.
pub(super) fn told(status: Option<&Value>) -> String {
    let Some(status) = status else { return "no answer".to_owned() };
    let reasons = status["overall"]["reasons"].as_array().map(Vec::as_slice).unwrap_or_default();
    let reasons: Vec<&str> = reasons.iter().filter_map(Value::as_str).collect();
    shortened(&format!("{}: {}", verdict(status), reasons.join(" | ")))
}

/// The one word of a status.
pub(super) fn verdict(status: &Value) -> &str {
    status["overall"]["verdict"].as_str().unwrap_or("none")
}

fn chosen(families: [bool; 2]) -> impl Iterator<Item = &'static str> {
    PREFIXES.into_iter().zip(families).filter_map(|(prefix, wanted)| wanted.then_some(prefix))
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
