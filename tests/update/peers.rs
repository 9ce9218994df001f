//! BIND and Knot with the same zone and the same key.

use std::path::Path;

use crate::client::Server;
use crate::hub::{SECRET, SEED, ZONE};
use crate::support::lab::{Lab, Space};
use crate::support::process::Process;

/// Where BIND listens.
pub const BIND: Server<'static> = ("127.0.2.1", 53);
/// Where Knot listens.
pub const KNOT: Server<'static> = ("127.0.2.2", 53);

pub fn start_bind(lab: &Lab, space: &Space) -> Process {
    let home = lab.subdirectory("bind");
    let directory = home.display();
    write(&home.join("zone"), SEED);
    let config = format!(
        "options {{ directory \"{directory}\"; pid-file none; session-keyfile none; listen-on {{ {}; }}; listen-on-v6 {{ none; }};\n\
         recursion no; allow-query {{ any; }}; empty-zones-enable no; dnssec-validation no; notify no; check-names primary ignore;\n\
         check-integrity no; managed-keys-directory \"{directory}\"; }};\ncontrols {{ }};\n\
         key \"hmac-sha256.\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
         zone \"{ZONE}\" {{ type primary; file \"zone\"; allow-update {{ key \"hmac-sha256.\"; }}; allow-transfer {{ any; }}; }};\n",
        BIND.0
    );
    let config = write(&home.join("named.conf"), &config);
    lab.start(space, "bind", "named", &["-g", "-n", "1", "-c", &config])
}

pub fn start_knot(lab: &Lab, space: &Space) -> Process {
    let home = lab.subdirectory("knot");
    let directory = home.display();
    write(&home.join("zone"), SEED);
    let config = format!(
        "server:\n  listen: {}@53\n  rundir: \"{directory}\"\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
         database:\n  storage: \"{directory}\"\nlog:\n  - target: stderr\n    any: info\n\
         key:\n  - id: hmac-sha256.\n    algorithm: hmac-sha256\n    secret: {SECRET}\n\
         acl:\n  - id: all\n    key: hmac-sha256.\n    action: update\n  - id: out\n    address: 0.0.0.0/0\n    action: transfer\n\
         template:\n  - id: default\n    storage: \"{directory}\"\n    zonefile-sync: -1\n    zonefile-load: whole\n\
         zone:\n  - domain: {ZONE}\n    file: zone\n    acl: [all, out]\n",
        KNOT.0
    );
    let config = write(&home.join("knot.conf"), &config);
    lab.start(space, "knot", "knotd", &["-c", &config])
}

fn write(path: &Path, text: &str) -> String {
    std::fs::write(path, text).expect("written");
    path.display().to_string()
}
