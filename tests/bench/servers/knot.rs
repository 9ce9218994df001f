//! Knot DNS: no journal, because nothing changes.

use std::fmt::Write as _;

use super::{Setup, write};

pub(super) fn command(setup: &Setup<'_>) -> Vec<String> {
    let (home, port) = (setup.home.display(), setup.port);
    let workers = if setup.core.is_some() { "  udp-workers: 1\n  tcp-workers: 1\n" } else { "" };
    let mut text = format!(
        "server:\n  rundir: \"{home}\"\n  listen: 127.0.0.1@{port}\n{workers}\
         database:\n  storage: \"{home}\"\n\
         log:\n  - target: stderr\n    any: warning\n\
         template:\n  - id: default\n    journal-content: none\n    zonefile-sync: -1\nzone:\n"
    );
    for zone in &setup.world.zones {
        let _ = writeln!(text, "  - domain: {}\n    file: \"{}\"", zone.origin, zone.path.display());
    }
    let config = write(setup, "knot.conf", &text);
    ["knotd", "-c", &config].map(str::to_owned).to_vec()
}
