//! The server under test: a zone, a certificate, every transport on loopback.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyns::answer::{self, Identity};
use anyns::serve::{self, Engine, Serving, Settings, TcpSettings, TlsSettings, Transport};
use anyns::telemetry::{Counters, WorkerCounters};
use anyns::wire::{Name, RecordType};
use anyns::zone::{Place, Published, Record, Snapshot, ZoneBuilder};
use tempfile::TempDir;

use crate::wait;

pub(crate) use crate::clients::{HOST, framed, write_pair};

/// How long a test waits for what should come at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) serving: Serving,
    pub(crate) counters: Counters,
    pub(crate) directory: TempDir,
}

impl Server {
    /// A server with the usual bounds.
    pub(crate) fn start(engine: Engine) -> Self {
        Self::with(engine, TcpSettings::default())
    }

    /// A server whose connections, plain and encrypted, have these bounds.
    pub(crate) fn with(engine: Engine, bounds: TcpSettings) -> Self {
        Self::with_reset_key(engine, bounds, None)
    }

    /// The same with the file of a key of QUIC's stateless resets.
    pub(crate) fn with_reset_key(engine: Engine, bounds: TcpSettings, key: Option<PathBuf>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, private_key) = write_pair(directory.path());
        let any: Vec<SocketAddr> = vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
        let tls = TlsSettings {
            certificate,
            key: private_key,
            ticket_keys: Vec::new(),
            quic_reset_key: key,
            dot: any.clone(),
            doh: any.clone(),
            doh3: any.clone(),
            doh_path: TlsSettings::DEFAULT_DOH_PATH.into(),
            doq: any.clone(),
            connections: bounds.clone(),
        };
        let settings =
            Settings { engine, listen: any, workers: 1, socket_affinity: false, tcp: bounds, tls: Some(tls) };
        let identity = Identity { instance: "test".into(), version: None };
        let answers = Arc::new(answer::Settings::new(identity));
        let published = Arc::new(Published::default());
        published.store(snapshot());
        let counters = Counters::new(settings.counter_sets()).with_taps(1);
        let serving = serve::start(&settings, &published, &answers, None, &counters).unwrap();
        Self { serving, counters, directory }
    }

    /// Where a transport listens over IPv4.
    pub(crate) fn at(&self, transport: Transport) -> SocketAddr {
        self.all(transport)[0]
    }

    /// Where a transport listens, over IPv4 and IPv6.
    pub(crate) fn all(&self, transport: Transport) -> Vec<SocketAddr> {
        match transport {
            Transport::Udp | Transport::Tcp => self.serving.local_addresses().to_vec(),
            _ => {
                let addresses = self.serving.encrypted_addresses().iter();
                addresses.filter(|(it, _)| *it == transport).map(|(_, address)| *address).collect()
            }
        }
    }

    pub(crate) fn sum(&self, counter: impl Fn(&WorkerCounters) -> &AtomicU64) -> u64 {
        self.counters.sum(counter)
    }

    /// The certificate's file.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }
}

/// `example.`: a name of each kind, and `large` with an RRset of some 60,000 octets.
fn snapshot() -> Snapshot {
    let name = |text: &str| -> Name { text.parse().unwrap() };
    let mut builder = ZoneBuilder::new(name("example."));
    let mut push = |owner: &str, record_type, ttl, rdata: Vec<u8>| {
        let place = Place { file: 0, line: 1, column: 1 };
        builder.push(Record { owner: name(owner), record_type, ttl, rdata: rdata.into() }, place);
    };
    let numbers = [1_u32, 7200, 900, 604_800, 300].into_iter().flat_map(u32::to_be_bytes);
    let host = name("ns.example.").as_wire().to_vec();
    push("example.", RecordType::SOA, 3600, [host.clone(), host.clone(), numbers.collect()].concat());
    push("example.", RecordType::NS, 3600, host);
    push("ns.example.", RecordType::A, 3600, vec![192, 0, 2, 53]);
    push("www.example.", RecordType::A, 120, vec![192, 0, 2, 1]);
    push("alias.example.", RecordType::CNAME, 60, name("www.example.").as_wire().to_vec());
    push("*.wild.example.", RecordType::A, 30, vec![192, 0, 2, 2]);
    for index in 0..250_u8 {
        push("large.example.", RecordType::TXT, 600, [vec![220, index], vec![b'x'; 219]].concat());
    }
    let zone = builder.finish().unwrap();
    Snapshot::default().with_changes([Arc::new(zone)], &[]).completed()
}

/// A query with ID 0, without EDNS.
pub(crate) fn query(name: &str, record_type: RecordType) -> Vec<u8> {
    let mut query = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend(name.parse::<Name>().unwrap().as_wire());
    query.extend(record_type.0.to_be_bytes());
    query.extend([0, 1]);
    query
}

/// The query with an OPT record: DO and NSID.
pub(crate) fn with_edns(mut query: Vec<u8>) -> Vec<u8> {
    query[11] += 1;
    query.extend([0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 4, 0, 3, 0, 0]);
    query
}

/// Waits for something that a thread of the server does soon.
pub(crate) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    wait::eventually(what, PATIENCE, holds).await;
}
