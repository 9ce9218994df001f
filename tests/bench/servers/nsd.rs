//! NSD: no response rate limiting (Debian's build limits by default), minimal responses as the others give.

use std::fmt::Write as _;

use super::{Setup, write};

pub(super) fn command(setup: &Setup<'_>) -> Vec<String> {
    let (home, port) = (setup.home.display(), setup.port);
    let mut text = format!(
        "server:\n  ip-address: 127.0.0.1@{port}\n  username: \"\"\n  zonesdir: \"{home}\"\n  database: \"\"\n  \
         pidfile: \"{home}/pid\"\n  xfrdfile: \"{home}/xfrd\"\n  zonelistfile: \"{home}/zones\"\n  xfrdir: \"{home}\"\n  \
         server-count: 1\n  tcp-count: 1000\n  rrl-ratelimit: 0\n  minimal-responses: yes\n\
         remote-control:\n  control-enable: no\n"
    );
    for zone in &setup.world.zones {
        let (name, file) = (&zone.origin, zone.path.display());
        let _ = writeln!(text, "zone:\n  name: \"{name}\"\n  zonefile: \"{file}\"");
    }
    let config = write(setup, "nsd.conf", &text);
    ["nsd", "-d", "-c", &config].map(str::to_owned).to_vec()
}
