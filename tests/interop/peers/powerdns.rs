//! PowerDNS, with its BIND backend.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use crate::support::lab::{Lab, Space};
use crate::support::process::{Process, must};
use crate::zones::{ALGORITHMS, SECRET, ZONES, key_of};
use crate::{ANYNS, PEER};

use super::{Role, write};

pub fn start(lab: &Lab, space: &Space, role: Role, (home, files): (&Path, &Path)) -> Process {
    let (directory, files) = (home.display().to_string(), files.display());
    let mut named = String::new();
    for (zone, _) in ZONES {
        let _ = match role {
            Role::Primary => writeln!(
                named,
                "zone \"{zone}\" {{ type master; file \"{files}/{zone}.zone\"; also-notify {{ {ANYNS}; }}; }};"
            ),
            Role::Secondary => {
                writeln!(
                    named,
                    "zone \"{zone}\" {{ type slave; file \"{files}/{zone}.zone\"; masters {{ {ANYNS}; }}; }};"
                )
            }
        };
    }
    write(&home.join("named.conf"), &named);
    let which = if role == Role::Primary { "primary=yes" } else { "secondary=yes" };
    let config = format!(
        "launch=bind\nbind-config={directory}/named.conf\nbind-dnssec-db={directory}/dnssec.db\nlocal-address={PEER}\n\
         local-port=53\nsocket-dir={directory}\nsetuid=\nsetgid=\nguardian=no\ndaemon=no\ncache-ttl=0\nquery-cache-ttl=0\n\
         negquery-cache-ttl=0\nreceiver-threads=1\ndistributor-threads=1\nsecurity-poll-suffix=\nloglevel=5\n\
         zone-cache-refresh-interval=0\nallow-axfr-ips=127.0.0.0/8\nallow-notify-from=127.0.0.0/8\nxfr-cycle-interval=1\n\
         {which}\nonly-notify=127.0.0.0/8\nquery-local-address=0.0.0.0\n"
    );
    write(&home.join("pdns.conf"), &config);
    let util = |arguments: &[&str]| {
        must(Command::new("pdnsutil").arg(format!("--config-dir={directory}")).args(arguments));
    };
    util(&["create-bind-db", &format!("{directory}/dnssec.db")]);
    for algorithm in ALGORITHMS {
        util(&["import-tsig-key", &format!("{algorithm}.key"), algorithm, SECRET]);
    }
    for (zone, _) in ZONES {
        if let Some(key) = key_of(zone) {
            // As a primary too in both roles, because the test transfers what arrived from it.
            util(&["activate-tsig-key", zone, &key, "primary"]);
            if role == Role::Secondary {
                util(&["activate-tsig-key", zone, &key, "secondary"]);
            }
        }
    }
    util(&["set-presigned", "signed.test"]);
    lab.start(space, "pdns", "pdns_server", &[&format!("--config-dir={directory}")])
}

pub fn reload(lab: &Lab, space: &Space) {
    let directory = lab.directory().join("pdns").display().to_string();
    for (zone, _) in ZONES {
        for order in [["bind-reload-now", zone], ["notify", zone]] {
            must(space.command("pdns_control").arg(format!("--socket-dir={directory}")).args(order));
        }
    }
}
