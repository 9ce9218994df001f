//! The ways to ask: a call of the answer path for each transport, and the sockets of both engines. A transport that
//! gets sockets of its own is added to [`WAYS`] and [`World::ask`].

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyns::answer::{Client, CookieSecret, CookieSettings, Identity, Outcome, Settings, Transport, answer};
use anyns::publish::text::{Limits, read_zone};
use anyns::serve::{self, Engine, Serving, TcpSettings};
use anyns::telemetry::Counters;
use anyns::wire::Name;
use anyns::zone::{Published, Snapshot};

use crate::response::Response;
use crate::scenario::Scenario;

/// How long a client waits for what comes at once when the machine is idle.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is sent behind a query that gets no response: no zone holds its name.
const FENCE: &[u8] = b"\xfe\xce\0\0\0\x01\0\0\0\0\0\0\x05fence\x07invalid\0\0\x01\0\x01";

/// Who moves the octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum By {
    Call,
    Native,
    Hickory,
}

/// One way to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way(pub(crate) By, pub(crate) Transport);

/// All of them.
pub(crate) const WAYS: &[Way] = &[
    Way(By::Call, Transport::Udp),
    Way(By::Call, Transport::Tcp),
    Way(By::Call, Transport::Dot),
    Way(By::Call, Transport::Doh),
    Way(By::Call, Transport::Doq),
    Way(By::Native, Transport::Udp),
    Way(By::Native, Transport::Tcp),
    Way(By::Hickory, Transport::Udp),
    Way(By::Hickory, Transport::Tcp),
];

impl Way {
    /// The names that a scenario may use for it, the most special last.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let transport = match self.1 {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Dot => "dot",
            Transport::Doh => "doh",
            Transport::Doq => "doq",
        };
        let mut names = Vec::new();
        names.extend((self.1 != Transport::Udp).then_some("streams"));
        names.extend(self.1.is_encrypted().then_some("encrypted"));
        names.push(transport);
        if self.0 == By::Hickory {
            names.extend(["hickory", if self.1 == Transport::Udp { "hickory-udp" } else { "hickory-tcp" }]);
        }
        names
    }
}

/// Whether any way has this name.
pub(crate) fn is_name(name: &str) -> bool {
    WAYS.iter().any(|way| way.names().contains(&name))
}

/// The zones of one scenario, and both engines over them.
pub(crate) struct World {
    snapshot: Snapshot,
    settings: Settings,
    /// Native, hickory.
    servers: [Serving; 2],
    /// The COOKIE of the last response, by way.
    cookies: HashMap<String, Vec<u8>>,
}

impl World {
    pub(crate) fn of(scenario: &Scenario, path: &Path) -> Self {
        let folder = path.parent().unwrap();
        let zones = scenario.zones.iter().map(|(origin, file)| {
            let read = read_zone(&folder.join(file), &origin.parse().unwrap(), &Limits::default());
            Arc::new(read.unwrap_or_else(|error| panic!("{}: {error:?}", path.display())).zone)
        });
        let mut snapshot = Snapshot::default().with_changes(zones, &[]);
        if !scenario.settings.loading {
            snapshot = snapshot.completed();
        }
        let settings = settings(scenario);
        let servers = [Engine::Native, Engine::Hickory].map(|engine| start(engine, &snapshot, &settings));
        Self { snapshot, settings, servers, cookies: HashMap::new() }
    }

    /// Asks; `None` if there is no response. If none is expected, a query behind it shows that none came.
    pub(crate) fn ask(&self, way: &Way, query: &[u8], silence: bool) -> Option<Vec<u8>> {
        let address = match way.0 {
            By::Call => return self.call(way.1, query),
            By::Native => self.servers[0].local_addresses()[0],
            By::Hickory => self.servers[1].local_addresses()[0],
        };
        let ask = if way.1 == Transport::Udp { ask_udp } else { ask_tcp };
        let response = ask(address, query, silence)?;
        (!silence || response[..2] != FENCE[..2]).then_some(response)
    }

    fn call(&self, transport: Transport, query: &[u8]) -> Option<Vec<u8>> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let client = Client { transport, address: [127, 0, 0, 1].into(), time: now.as_secs() as u32 };
        let mut output = vec![0xee; 65_535];
        match answer(query, &client, &self.snapshot, &self.settings, &mut output) {
            Outcome::Reply { length, .. } => Some(output[..length].to_vec()),
            Outcome::Ignore => None,
        }
    }

    /// What the client takes, and the server's ceiling (RFC 6891 section 6.2.3).
    pub(crate) fn limit(&self, way: &Way, query: &[u8]) -> usize {
        if way.1 != Transport::Udp {
            return 65_535;
        }
        let payload =
            anyns::wire::Query::parse(query).and_then(|query| query.edns).map_or(512, |edns| edns.payload);
        payload.clamp(512, self.settings.udp_payload_ceiling).into()
    }

    pub(crate) fn cookie(&self, way: &Way) -> &[u8] {
        self.cookies.get(&format!("{way:?}")).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn keep_cookie(&mut self, way: &Way, response: &Response) {
        if let Some((_, cookie)) = response.raw_options().into_iter().find(|(code, _)| *code == 10) {
            self.cookies.insert(format!("{way:?}"), cookie);
        }
    }
}

fn settings(scenario: &Scenario) -> Settings {
    let spec = &scenario.settings;
    let version = (!spec.no_version).then(|| "anyns test".to_owned());
    let secrets: Vec<_> =
        spec.cookie_secrets.iter().map(|text| CookieSecret::from_hex(text).unwrap()).collect();
    Settings {
        udp_payload_ceiling: spec.udp_payload_ceiling.unwrap_or(Settings::DEFAULT_UDP_PAYLOAD_CEILING),
        report_channel: spec.report_channel.as_ref().map(|name| name.parse::<Name>().unwrap()),
        cookies: (!secrets.is_empty()).then_some(CookieSettings { secrets, required: spec.cookie_required }),
        ..Settings::new(Identity { instance: "pop1.test".into(), version })
    }
}

fn start(engine: Engine, snapshot: &Snapshot, answers: &Settings) -> Serving {
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let settings = serve::Settings { engine, listen, workers: 1, tcp: TcpSettings::default(), tls: None };
    let published = Arc::new(Published::default());
    published.store(snapshot.clone());
    let counters = Counters::new(settings.counter_sets());
    serve::start(&settings, &published, &Arc::new(answers.clone()), None, &counters).unwrap()
}

fn ask_udp(server: SocketAddr, query: &[u8], silence: bool) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send(query).unwrap();
    if silence {
        socket.send(FENCE).unwrap();
    }
    let mut response = vec![0; 65_535];
    let length = socket.recv(&mut response).ok()?;
    response.truncate(length);
    Some(response)
}

fn ask_tcp(server: SocketAddr, query: &[u8], silence: bool) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let framed = |message: &[u8]| [&(message.len() as u16).to_be_bytes(), message].concat();
    let behind = if silence { framed(FENCE) } else { Vec::new() };
    stream.write_all(&[framed(query), behind].concat()).unwrap();
    let mut length = [0; 2];
    // Where no response is right, the connection may be closed instead.
    stream.read_exact(&mut length).ok()?;
    let mut response = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut response).ok()?;
    Some(response)
}
