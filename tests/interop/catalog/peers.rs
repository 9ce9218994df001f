//! The peers that have catalogs: as maker of one, and as follower.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use super::CATALOG;
use crate::peers::Peer;
use crate::support::lab::{Lab, Space};
use crate::support::process::{Process, must};
use crate::{ANYNS, PEER};

const SCHEMA: &str = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";

/// What a peer needs that is not installed.
pub fn missing(peer: Peer) -> Option<&'static str> {
    (peer == Peer::PowerDns && !Path::new(SCHEMA).exists()).then_some("pdns-backend-sqlite3 is not installed")
}

/// A peer that makes the catalog.
pub struct Maker {
    peer: Peer,
    process: Process,
    home: PathBuf,
    files: PathBuf,
}

impl Maker {
    /// Starts it with these members.
    pub fn start(peer: Peer, (lab, space): (&Lab, &Space), files: &Path, members: [&str; 2]) -> Self {
        let home = lab.subdirectory(peer.name());
        let (program, arguments) = match peer {
            Peer::Knot => {
                write(&home.join("knot.conf"), &knot_maker(&home, files, members));
                ("knotd", vec!["-c".to_owned(), home.join("knot.conf").display().to_string()])
            }
            Peer::Bind => {
                write(&home.join("catalog"), &bind_catalog(1, members));
                write(&home.join("named.conf"), &bind_maker(&home, files));
                ("named", bind_arguments(&home))
            }
            _ => {
                let powerdns = PowerDns { home: &home, space };
                powerdns.set_up();
                powerdns.order(&["create-zone", CATALOG]);
                powerdns.order(&["set-kind", CATALOG, "producer"]);
                members.iter().for_each(|zone| powerdns.add(files, zone));
                ("pdns_server", vec![format!("--config-dir={}", home.display())])
            }
        };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let process = lab.start(space, peer.name(), program, &arguments);
        Self { peer, process, home, files: files.to_owned() }
    }

    /// Has it list these members instead; whether it tells of that by NOTIFY.
    pub fn change(&self, space: &Space, members: [&str; 2]) -> bool {
        match self.peer {
            Peer::Knot => {
                write(&self.home.join("knot.conf"), &knot_maker(&self.home, &self.files, members));
                self.process.signal(Signal::SIGHUP);
                true
            }
            Peer::Bind => {
                write(&self.home.join("catalog"), &bind_catalog(2, members));
                self.process.signal(Signal::SIGHUP);
                true
            }
            _ => {
                let powerdns = PowerDns { home: &self.home, space };
                powerdns.order(&["delete-zone", "z0.test"]);
                powerdns.add(&self.files, "z2.test");
                false
            }
        }
    }
}

/// Starts a peer that follows the catalog of anyns.
pub fn follow(peer: Peer, (lab, space): (&Lab, &Space)) -> Process {
    let home = lab.subdirectory(peer.name());
    match peer {
        Peer::Knot => {
            write(&home.join("knot.conf"), &knot_follower(&home));
            let config = home.join("knot.conf").display().to_string();
            lab.start(space, "knot", "knotd", &["-c", &config])
        }
        Peer::Bind => {
            write(&home.join("named.conf"), &bind_follower(&home));
            let arguments = bind_arguments(&home);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            lab.start(space, "bind", "named", &arguments)
        }
        _ => {
            let powerdns = PowerDns { home: &home, space };
            powerdns.set_up();
            powerdns.order(&["create-secondary-zone", CATALOG, ANYNS]);
            powerdns.order(&["set-kind", CATALOG, "consumer"]);
            lab.start(space, "pdns", "pdns_server", &[&format!("--config-dir={}", home.display())])
        }
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
}

fn knot_base(home: &Path) -> String {
    let directory = home.display();
    format!(
        "server:\n  listen: {PEER}@53\n  rundir: \"{directory}\"\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
         database:\n  storage: \"{directory}\"\nlog:\n  - target: stderr\n    any: info\n\
         remote:\n  - id: anyns\n    address: {ANYNS}@53\n\
         acl:\n  - id: anyns\n    address: 127.0.0.0/8\n    action: [transfer, notify]\n"
    )
}

fn knot_maker(home: &Path, files: &Path, members: [&str; 2]) -> String {
    let (base, files) = (knot_base(home), files.display());
    let member = |zone: &str| {
        format!(
            "  - domain: {zone}\n    file: {zone}.zone\n    catalog-role: member\n    catalog-zone: {CATALOG}\n"
        )
    };
    let members = members.map(member).concat();
    format!(
        "{base}template:\n  - id: default\n    storage: \"{files}\"\n    zonefile-load: whole\n    zonefile-sync: -1\n    journal-content: all\n\
         \x20   acl: anyns\n    notify: anyns\nzone:\n{members}  - domain: {CATALOG}\n    catalog-role: generate\n"
    )
}

fn knot_follower(home: &Path) -> String {
    let (base, directory) = (knot_base(home), home.display());
    let settings = format!(
        "    storage: \"{directory}\"\n    zonefile-load: none\n    zonefile-sync: -1\n    journal-content: all\n    master: anyns\n    acl: anyns\n"
    );
    format!(
        "{base}template:\n  - id: default\n{settings}  - id: member\n{settings}\
         zone:\n  - domain: {CATALOG}\n    catalog-role: interpret\n    catalog-template: member\n"
    )
}

fn bind_arguments(home: &Path) -> Vec<String> {
    ["-g", "-n", "1", "-c"]
        .iter()
        .map(ToString::to_string)
        .chain([home.join("named.conf").display().to_string()])
        .collect()
}

fn bind_base(home: &Path, more: &str) -> String {
    let directory = home.display();
    format!(
        "options {{ directory \"{directory}\"; pid-file none; session-keyfile none; listen-on {{ {PEER}; }}; listen-on-v6 {{ none; }};\n\
         recursion no; allow-query {{ any; }}; allow-transfer {{ 127.0.0.0/8; }}; dnssec-validation no; empty-zones-enable no;\n\
         managed-keys-directory \"{directory}\"; notify explicit; notify-delay 0; serial-query-rate 1000; {more} }};\ncontrols {{ }};\n"
    )
}

/// BIND has no producer of its own: a catalog is a zone that its operator, or a tool, writes.
fn bind_catalog(serial: u32, members: [&str; 2]) -> String {
    let member = |zone: &str| format!("{}.zones PTR {zone}.\n", zone.replace('.', "-"));
    format!(
        "$ORIGIN {CATALOG}.\n$TTL 0\n@ SOA invalid. invalid. {serial} 3600 600 86400 0\n@ NS invalid.\nversion TXT \"2\"\n{}",
        members.map(member).concat()
    )
}

fn bind_maker(home: &Path, files: &Path) -> String {
    let files = files.display();
    let member = |zone: &str| format!("zone \"{zone}\" {{ type primary; file \"{files}/{zone}.zone\"; }};\n");
    let members = ["z0.test", "z1.test", "z2.test"].map(member).concat();
    format!(
        "{}zone \"{CATALOG}\" {{ type primary; file \"catalog\"; also-notify {{ {ANYNS}; }}; }};\n{members}",
        bind_base(home, "")
    )
}

fn bind_follower(home: &Path) -> String {
    let catalog = format!(
        "catalog-zones {{ zone \"{CATALOG}\" default-primaries {{ {ANYNS}; }} in-memory yes min-update-interval 1; }};"
    );
    format!(
        "{}zone \"{CATALOG}\" {{ type secondary; primaries {{ {ANYNS}; }}; allow-notify {{ 127.0.0.0/8; }}; }};\n",
        bind_base(home, &catalog)
    )
}

/// PowerDNS with its SQLite backend: the BIND backend has no catalogs.
struct PowerDns<'p> {
    home: &'p Path,
    space: &'p Space,
}

impl PowerDns<'_> {
    fn set_up(&self) {
        let directory = self.home.display();
        let schema = std::fs::read_to_string(SCHEMA).expect("the schema");
        must(Command::new("sqlite3").arg(self.home.join("pdns.sqlite3")).arg(schema));
        let text = format!(
            "launch=gsqlite3\ngsqlite3-database={directory}/pdns.sqlite3\nlocal-address={PEER}\nlocal-port=53\n\
             socket-dir={directory}\nsetuid=\nsetgid=\nguardian=no\ndaemon=no\ncache-ttl=0\nquery-cache-ttl=0\n\
             negquery-cache-ttl=0\nreceiver-threads=1\ndistributor-threads=1\nsecurity-poll-suffix=\nloglevel=5\n\
             zone-cache-refresh-interval=0\nallow-axfr-ips=127.0.0.0/8\nallow-notify-from=127.0.0.0/8\nxfr-cycle-interval=1\n\
             primary=yes\nsecondary=yes\nonly-notify=127.0.0.0/8\nquery-local-address={PEER}\n"
        );
        write(&self.home.join("pdns.conf"), &text);
    }

    fn order(&self, arguments: &[&str]) {
        let directory = format!("--config-dir={}", self.home.display());
        must(self.space.command("pdnsutil").arg(directory).args(arguments));
    }

    /// Has it serve a zone and list it in its catalog.
    fn add(&self, files: &Path, zone: &str) {
        self.order(&["load-zone", zone, &files.join(format!("{zone}.zone")).display().to_string()]);
        self.order(&["set-kind", zone, "primary"]);
        self.order(&["set-catalog", zone, CATALOG]);
    }
}
