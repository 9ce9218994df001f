//! The name servers: anyns' own engine at the parents' and the children's address of a namespace.

use std::path::Path;
use std::sync::Arc;

use anyns::answer::{self, Client, Identity, Outcome, TransportKind};
use anyns::serve::{Engine, Serving, Settings, TcpSettings};
use anyns::telemetry::Counters;
use anyns::wire::Name;
use anyns::zone::{Published, Snapshot, Zone};
use anyns::zonefile::{Limits, read_zone};

use crate::names::{CHILD, SIGNED, TEXT, UNSIGNED};
use crate::sign::{Denial, Signed, Signer, sign};
use crate::wire::Response;

/// Where the zones of [`crate::names::ZONES`] are served, and where what they delegate is.
pub(crate) const PARENTS: &str = "192.0.2.53:53";
pub(crate) const CHILDREN: &str = "192.0.2.54:53";

/// One signed zone with everything below it.
pub(crate) struct Family {
    pub(crate) parent: Signed,
    pub(crate) zone: Arc<Zone>,
    children: Vec<Arc<Zone>>,
}

impl Family {
    pub(crate) fn new(directory: &Path, origin: &str, signer: Signer, denial: Denial) -> Self {
        let mut children = Vec::new();
        let mut text = TEXT.to_owned();
        for child in SIGNED {
            let signed = sign(directory, &format!("{child}.{origin}"), CHILD, signer, denial);
            children.push(load(&signed.origin, &signed.file));
            text.push_str(&signed.ds);
        }
        for child in UNSIGNED {
            let (origin, file) = (format!("{child}.{origin}"), directory.join(format!("{child}.{origin}")));
            std::fs::write(&file, format!("$ORIGIN {origin}\n$TTL 3600\n{CHILD}")).unwrap();
            children.push(load(&origin, &file));
        }
        let parent = sign(directory, origin, &text, signer, denial);
        let zone = load(origin, &parent.file);
        Self { parent, zone, children }
    }
}

/// Reads a zone file as the publisher does.
pub(crate) fn load(origin: &str, file: &Path) -> Arc<Zone> {
    let origin: Name = origin.parse().unwrap();
    let read = read_zone(file, &origin, &Limits::default());
    Arc::new(read.unwrap_or_else(|error| panic!("{origin}: {:#?}", error.faults)).zone)
}

/// Starts both servers; call it inside the namespace.
pub(crate) fn serve(families: &[Family]) -> [Serving; 2] {
    let parents = families.iter().map(|family| family.zone.clone()).collect();
    let children = families.iter().flat_map(|family| family.children.clone()).collect();
    [start(PARENTS, parents), start(CHILDREN, children)]
}

fn start(address: &str, zones: Vec<Arc<Zone>>) -> Serving {
    let published = Arc::new(Published::default());
    published.store(Snapshot::default().with_changes(zones, &[]).completed());
    let listen = vec![address.parse().unwrap()];
    let settings = Settings {
        engine: Engine::Native,
        listen,
        workers: 1,
        socket_affinity: false,
        tcp: TcpSettings::default(),
        tls: None,
    };
    let counters = Counters::new(settings.counter_sets());
    anyns::serve::start(&settings, &published, &Arc::new(answers()), None, &counters).unwrap()
}

fn answers() -> answer::Settings {
    let identity = Identity { instance: "test".into(), version: None };
    answer::Settings::new(identity)
}

/// Asks the answer path itself, with room for everything.
pub(crate) fn ask(snapshot: &Snapshot, query: &[u8]) -> Response {
    let mut output = vec![0; 65_535];
    let client = Client { transport: TransportKind::Tcp, address: [127, 0, 0, 1].into(), time: 0 };
    let outcome = answer::answer(query, &client, snapshot, &answers(), &mut output);
    let Outcome::Reply { length, truncated: false, .. } = outcome else { panic!("{outcome:?}") };
    Response::read(&output[..length])
}
