//! Knot DNS.

use std::fmt::Write;
use std::path::Path;

use crate::support::lab::{Lab, Space};
use crate::support::process::Process;
use crate::zones::{ALGORITHMS, SECRET, ZONES, key_of};
use crate::{ANYNS, PEER};

use super::{Role, write};

pub fn start(lab: &Lab, space: &Space, role: Role, (home, files): (&Path, &Path)) -> Process {
    let (directory, files) = (home.display(), files.display());
    let mut text = format!(
        "server:\n  listen: {PEER}@53\n  rundir: \"{directory}\"\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
         database:\n  storage: \"{directory}\"\nlog:\n  - target: stderr\n    any: info\nkey:\n"
    );
    for algorithm in ALGORITHMS {
        let _ = write!(text, "  - id: {algorithm}.key\n    algorithm: {algorithm}\n    secret: {SECRET}\n");
    }
    let (mut remotes, mut lists, mut zones) = (String::new(), String::new(), String::new());
    for (zone, _) in ZONES {
        let key = key_of(zone).map_or_else(String::new, |key| format!("    key: {key}\n"));
        let _ = write!(remotes, "  - id: r-{zone}\n    address: {ANYNS}@53\n{key}");
        let _ = write!(
            lists,
            "  - id: a-{zone}\n    address: 127.0.0.0/8\n{key}    action: [transfer, notify]\n"
        );
        let _ = write!(zones, "  - domain: {zone}\n    file: {zone}.zone\n    acl: a-{zone}\n");
        let _ = match role {
            Role::Primary => writeln!(zones, "    notify: r-{zone}"),
            Role::Secondary => writeln!(zones, "    master: r-{zone}"),
        };
    }
    let load = match role {
        Role::Primary => "zonefile-load: difference\n    zonefile-sync: -1\n    journal-content: all",
        Role::Secondary => "zonefile-load: none\n    zonefile-sync: -1\n    journal-content: all",
    };
    let _ = write!(
        text,
        "remote:\n{remotes}acl:\n{lists}template:\n  - id: default\n    storage: \"{files}\"\n    semantic-checks: off\n    {load}\n\
         zone:\n{zones}"
    );
    let config = write(&home.join("knot.conf"), &text);
    lab.start(space, "knot", "knotd", &["-c", &config])
}
