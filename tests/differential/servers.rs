//! The five servers in one network namespace, each on its own loopback address, configured alike: minimal answers, no
//! limits, 1232 octets over UDP, no caches.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ask;
use super::message;
use super::name::Name;
use super::questions::Question;
use super::support::anyns::Anyns;
use super::support::lab::{Lab, Space};
use super::support::process::{Process, must};
use super::support::wait::wait_until;
use super::zone::{Signing, Zone};

/// How long a server may take to load some hundred small zones on a busy machine.
const START: Duration = Duration::from_secs(20);

/// The peers, in the order of their addresses 127.0.1.2 and up.
pub const PEERS: [&str; 4] = ["nsd", "knot", "bind", "pdns"];

/// The running servers; fields are dropped in this order, the namespace last.
pub struct Servers {
    _anyns: Anyns,
    _peers: Vec<Process>,
    /// The namespace that they are in.
    pub space: Space,
    _lab: Lab,
}

/// The address of a server: 0 is anyns, then [`PEERS`].
pub fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 1, 1 + index as u8], 53))
}

/// The name of a server.
pub fn name(index: usize) -> &'static str {
    if index == 0 { "anyns" } else { PEERS[index - 1] }
}

impl Servers {
    /// Starts all five over the zone files in the lab's directory `zones` and waits until each answers for each zone.
    pub fn start(mut lab: Lab, zones: &[Zone]) -> Self {
        let space = lab.space("peers");
        // BIND listens only on addresses that an interface has.
        for address in ["192.0.2.53/32", "198.18.1.2/32", "127.0.1.4/32"] {
            space.ip(&["address", "add", address, "dev", "lo"]);
        }
        let files = lab.directory().join("zones");
        let mut anyns = Anyns::new(&lab, &space, "anyns", &anyns_config(&lab, &files));
        anyns.start(&lab);
        let write = |name: &str, text: String| {
            let path = lab.directory().join(name);
            std::fs::write(&path, text).expect("the config can be written");
            path.display().to_string()
        };
        let home = |name: &str| lab.subdirectory(name);
        let nsd = write("nsd.conf", nsd_config(&home("nsd"), &files, zones));
        let knot = write("knot.conf", knot_config(&home("knot"), &files, zones));
        let bind = write("named.conf", bind_config(&home("bind"), &files, zones));
        let pdns = pdns_directory(&home("pdns"), &files, zones);
        let peers = vec![
            lab.start(&space, "nsd", "nsd", &["-d", "-c", &nsd]),
            lab.start(&space, "knot", "knotd", &["-c", &knot]),
            lab.start(&space, "bind", "named", &["-g", "-n", "1", "-c", &bind]),
            lab.start(&space, "pdns", "pdns_server", &[&format!("--config-dir={pdns}")]),
        ];
        let servers = Self { _anyns: anyns, _peers: peers, space, _lab: lab };
        servers.wait(zones);
        servers
    }

    fn wait(&self, zones: &[Zone]) {
        let soa = |zone: &Zone| Question { name: zone.origin.clone(), record_type: 6, edns: None, flags: 0 };
        let questions: Vec<Question> = zones.iter().map(soa).collect();
        for index in 0..=PEERS.len() {
            let serves = |answer: &Option<Vec<u8>>| {
                let message = answer.as_ref().and_then(|octets| message::parse(octets).ok());
                message.is_some_and(|message| message.flags & message::AA != 0 && message.rcode == 0)
            };
            let mut refused: Vec<Name> = Vec::new();
            let ready = || {
                let answers = self.space.inside(|| ask::over_udp(address(index), &questions));
                let failed = questions.iter().zip(&answers).filter(|(_, answer)| !serves(answer));
                refused = failed.map(|(question, _)| question.name.clone()).collect();
                refused.is_empty()
            };
            let ready = std::panic::AssertUnwindSafe(ready);
            let waited = std::panic::catch_unwind(|| {
                let mut ready = ready;
                wait_until(&format!("{} serves every zone", name(index)), START, || (ready.0)())
            });
            if let Err(panic) = waited {
                let names: Vec<String> = refused.iter().map(Name::to_string).collect();
                eprintln!("{} does not serve {}", name(index), names.join(" "));
                std::panic::resume_unwind(panic);
            }
        }
    }
}

fn anyns_config(lab: &Lab, files: &Path) -> String {
    let state = lab.subdirectory("state");
    format!(
        "[pop]\nname = \"diff\"\ninstance = \"diff\"\nmanagement-addresses = [\"198.18.1.2\"]\n\
         [serve]\nlisten = [\"127.0.1.1:53\", \"192.0.2.53:53\"]\nworkers = 1\nudp-payload-ceiling = 1232\n\
         [rate-limit]\nmode = \"off\"\n[zones]\ndirectory = \"{}\"\nstate-directory = \"{}\"\n\
         [[service]]\nprefix = \"192.0.2.0/24\"\naddresses = [\"192.0.2.53\"]\n[route]\ndriver = \"dry-run\"\n",
        files.display(),
        state.display()
    )
}

/// The apex without the root's dot, in lower case, as configs have it.
fn bare(zone: &Zone) -> String {
    zone.origin.lower().to_string().trim_end_matches('.').to_owned()
}

fn nsd_config(home: &Path, files: &Path, zones: &[Zone]) -> String {
    let home = home.display();
    let zone = |zone: &Zone| {
        format!("zone:\n  name: \"{}\"\n  zonefile: \"{}/{}\"\n", bare(zone), files.display(), zone.file())
    };
    let zones: String = zones.iter().map(zone).collect();
    format!(
        "server:\n  ip-address: 127.0.1.2\n  port: 53\n  server-count: 1\n  username: \"\"\n  chroot: \"\"\n\
         \x20 zonesdir: \"{home}\"\n  database: \"\"\n  pidfile: \"{home}/nsd.pid\"\n  xfrdfile: \"{home}/xfrd.state\"\n\
         \x20 xfrdir: \"{home}\"\n  zonelistfile: \"{home}/zone.list\"\n  rrl-ratelimit: 0\n  rrl-whitelist-ratelimit: 0\n\
         \x20 minimal-responses: yes\n  refuse-any: no\n  ipv4-edns-size: 1232\n  tcp-count: 100\n  round-robin: no\n\
         remote-control:\n  control-enable: no\n{zones}"
    )
}

fn knot_config(home: &Path, files: &Path, zones: &[Zone]) -> String {
    let home = home.display();
    let zone = |zone: &Zone| {
        format!("  - domain: \"{}\"\n    file: \"{}/{}\"\n", bare(zone), files.display(), zone.file())
    };
    let zones: String = zones.iter().map(zone).collect();
    format!(
        "server:\n  listen: 127.0.1.3@53\n  rundir: \"{home}\"\n  udp-max-payload: 1232\n  udp-workers: 1\n  tcp-workers: 1\n\
         \x20 background-workers: 1\ndatabase:\n  storage: \"{home}\"\nlog:\n  - target: stderr\n    any: warning\n\
         template:\n  - id: default\n    storage: \"{home}\"\n    semantic-checks: off\n    zonefile-sync: -1\n\
         \x20   journal-content: none\nzone:\n{zones}"
    )
}

fn bind_config(home: &Path, files: &Path, zones: &[Zone]) -> String {
    let home = home.display();
    let zone = |zone: &Zone| {
        format!(
            "zone \"{}\" {{ type primary; file \"{}/{}\"; }};\n",
            bare(zone),
            files.display(),
            zone.file()
        )
    };
    let zones: String = zones.iter().map(zone).collect();
    format!(
        "options {{ directory \"{home}\"; pid-file none; session-keyfile none; listen-on {{ 127.0.1.4; }}; listen-on-v6 {{ none; }};\n\
         recursion no; allow-query {{ any; }}; notify no; minimal-responses no-auth; minimal-any no; answer-cookie no;\n\
         empty-zones-enable no; dnssec-validation no; check-names primary ignore; check-integrity no; check-sibling no;\n\
         check-mx ignore; check-mx-cname ignore; check-srv-cname ignore; check-wildcard no; check-dup-records ignore;\n\
         max-udp-size 1232; edns-udp-size 1232; tcp-clients 1000; masterfile-format text; rrset-order {{ order none; }};\n\
         allow-transfer {{ none; }}; managed-keys-directory \"{home}\"; max-query-restarts 16; zero-no-soa-ttl no; }};\n\
         controls {{ }};\n{zones}"
    )
}

/// PowerDNS reads a BIND config for the zones, and keeps in a database which of them are signed.
fn pdns_directory(home: &Path, files: &Path, zones: &[Zone]) -> String {
    let directory = home.display().to_string();
    let zone = |zone: &Zone| {
        format!("zone \"{}\" {{ type master; file \"{}/{}\"; }};\n", bare(zone), files.display(), zone.file())
    };
    let named: String = zones.iter().map(zone).collect();
    let config = format!(
        "launch=bind\nbind-config={directory}/named.conf\nbind-dnssec-db={directory}/dnssec.db\nlocal-address=127.0.1.5\n\
         local-port=53\nsocket-dir={directory}\nsetuid=\nsetgid=\nguardian=no\ndaemon=no\ncache-ttl=0\nquery-cache-ttl=0\n\
         negquery-cache-ttl=0\ndname-processing=yes\nreceiver-threads=1\ndistributor-threads=1\nsecurity-poll-suffix=\n\
         any-to-tcp=no\nudp-truncation-threshold=1232\nlog-dns-details=no\nloglevel=3\nzone-cache-refresh-interval=0\n"
    );
    let write = |path: PathBuf, text: &str| std::fs::write(path, text).expect("the config can be written");
    write(home.join("pdns.conf"), &config);
    write(home.join("named.conf"), &named);
    let util = |arguments: &[&str]| {
        must(std::process::Command::new("pdnsutil").arg(format!("--config-dir={directory}")).args(arguments));
    };
    util(&["create-bind-db", &format!("{directory}/dnssec.db")]);
    for zone in zones.iter().filter(|zone| zone.signing != Signing::Unsigned) {
        // It reads neither from the zone file.
        util(&["set-presigned", &bare(zone)]);
        if let Some(parameters) = zone.signing.nsec3_parameters() {
            util(&["set-nsec3", &bare(zone), parameters]);
        }
    }
    directory
}
