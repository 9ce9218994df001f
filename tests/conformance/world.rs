//! A scenario's zones and settings, served by each engine on every transport, and a client for each way to ask.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyns::answer::{CookieSecret, CookieSettings, Identity, Settings};
use anyns::serve::{self, Engine, Serving, TcpSettings, TlsSettings, Transport};
use anyns::telemetry::Counters;
use anyns::wire::Name;
use anyns::zone::{Absence, Published, Snapshot};
use anyns::zonefile::{Limits, read_zone};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::client::{Client, Reply};
use crate::clients::write_pair;
use crate::response::Response;
use crate::scenario::{Absent, Scenario};
use crate::ways::{Way, engines};

/// How long a client waits for what comes at once when the machine is idle.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every scenario uses: the clients' runtime, and the pair that the servers show and the clients trust.
pub(crate) struct Ground {
    runtime: Runtime,
    _directory: TempDir,
    certificate: PathBuf,
    key: PathBuf,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = write_pair(directory.path());
        Self { runtime, _directory: directory, certificate, key }
    }
}

/// One scenario's servers.
pub(crate) struct World<'g> {
    ground: &'g Ground,
    settings: Settings,
    servers: HashMap<Engine, Serving>,
    /// The connections that earlier queries have left.
    clients: HashMap<Way, Client>,
    /// The last COOKIE that came in each way.
    cookies: HashMap<Way, Vec<u8>>,
}

impl<'g> World<'g> {
    pub(crate) fn of(scenario: &Scenario, path: &Path, ground: &'g Ground) -> Self {
        let (snapshot, settings) = (snapshot(scenario, path), settings(scenario));
        let start = |engine| (engine, start(engine, &snapshot, &settings, ground));
        let servers = engines().map(start).collect();
        Self { ground, settings, servers, clients: HashMap::new(), cookies: HashMap::new() }
    }

    /// Asks over the connection that the last query in the same way has left, or a new one. `silence`: no response
    /// is expected.
    pub(crate) fn ask(&mut self, way: Way, query: &[u8], silence: bool) -> Result<Reply, String> {
        let (ground, server) = (self.ground, self.address(way));
        let kept = self.clients.remove(&way);
        let (reply, client) = ground.runtime.block_on(async {
            if let Some(mut client) = kept
                && let Ok(Ok(reply)) = timeout(PATIENCE, client.ask(query, silence)).await
            {
                return (Ok(reply), client);
            }
            // The server may have closed the one that was kept.
            let mut client = Client::connect(way.transport, server, &ground.certificate).await;
            let reply = timeout(PATIENCE, client.ask(query, silence)).await;
            (reply.unwrap_or_else(|_| Err("no response".to_owned())), client)
        });
        if matches!(reply, Ok(Reply::Response(_))) {
            self.clients.insert(way, client);
        }
        reply
    }

    fn address(&self, way: Way) -> SocketAddr {
        let server = &self.servers[&way.engine];
        match way.transport {
            Transport::Udp | Transport::Tcp => server.local_addresses()[0],
            transport => {
                let mut all = server.encrypted_addresses().iter();
                all.find(|(it, _)| *it == transport).map(|(_, address)| *address).unwrap()
            }
        }
    }

    /// What the client takes, and the server's ceiling (RFC 6891 section 6.2.3).
    pub(crate) fn limit(&self, way: Way, query: &[u8]) -> usize {
        if way.transport != Transport::Udp {
            return 65_535;
        }
        let payload =
            anyns::wire::Query::parse(query).and_then(|query| query.edns).map_or(512, |edns| edns.payload);
        payload.clamp(512, self.settings.udp_payload_ceiling).into()
    }

    pub(crate) fn cookie(&self, way: Way) -> &[u8] {
        self.cookies.get(&way).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn keep_cookie(&mut self, way: Way, response: &Response) {
        if let Some((_, cookie)) = response.raw_options().into_iter().find(|(code, _)| *code == 10) {
            self.cookies.insert(way, cookie);
        }
    }
}

fn snapshot(scenario: &Scenario, path: &Path) -> Snapshot {
    let folder = path.parent().unwrap();
    let zones = scenario.zones.iter().map(|(origin, file)| {
        let read = read_zone(&folder.join(file), &origin.parse().unwrap(), &Limits::default());
        Arc::new(read.unwrap_or_else(|error| panic!("{}: {error:?}", path.display())).zone)
    });
    let absent: Vec<(Name, Absence)> = scenario
        .settings
        .absent
        .iter()
        .map(|(name, absent)| {
            let absence = match absent {
                Absent::Loading => Absence::Loading,
                Absent::NoData => Absence::NoData,
            };
            (name.parse().unwrap(), absence)
        })
        .collect();
    let snapshot = Snapshot::default().with_changes(zones, &[]);
    let absent = snapshot.with_absent(absent.iter().map(|(name, absence)| (name, *absence)));
    let snapshot = absent.unwrap_or(snapshot);
    if scenario.settings.loading { snapshot } else { snapshot.completed() }
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

fn start(engine: Engine, snapshot: &Snapshot, answers: &Settings, ground: &Ground) -> Serving {
    let listen: Vec<SocketAddr> = vec!["127.0.0.1:0".parse().unwrap()];
    let tls = TlsSettings {
        certificate: ground.certificate.clone(),
        key: ground.key.clone(),
        ticket_keys: Vec::new(),
        quic_reset_key: None,
        dot: listen.clone(),
        doh: listen.clone(),
        doh3: listen.clone(),
        doh_path: TlsSettings::DEFAULT_DOH_PATH.into(),
        doq: listen.clone(),
        connections: TcpSettings::default(),
    };
    let settings = serve::Settings {
        engine,
        listen,
        workers: 1,
        socket_affinity: false,
        tcp: TcpSettings::default(),
        tls: Some(tls),
    };
    let published = Arc::new(Published::default());
    published.store(snapshot.clone());
    let counters = Counters::new(settings.counter_sets());
    serve::start(&settings, &published, &Arc::new(answers.clone()), None, &counters).unwrap()
}
