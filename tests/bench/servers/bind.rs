//! BIND 9: authoritative only, minimal responses as the others give.

use std::fmt::Write as _;

use super::{Setup, write};
use crate::zones::ZoneFile;

pub(super) fn command(setup: &Setup<'_>) -> Vec<String> {
    let (home, port) = (setup.home.display(), setup.port);
    let mut text = format!(
        "options {{ directory \"{home}\"; pid-file none; session-keyfile none; listen-on port {port} {{ 127.0.0.1; }}; \
         listen-on-v6 {{ none; }}; recursion no; notify no; allow-transfer {{ none; }}; empty-zones-enable no; \
         minimal-responses yes; dnssec-validation no; tcp-clients 1000; }};\ncontrols {{ }};\n\
         logging {{ channel quiet {{ stderr; severity warning; }}; category default {{ quiet; }}; }};\n"
    );
    text.push_str(&zones(&setup.world.zones));
    let config = write(setup, "named.conf", &text);
    let mut words = ["named", "-f", "-c", &config].map(str::to_owned).to_vec();
    if setup.core.is_some() {
        words.extend(["-n", "1"].map(str::to_owned));
    }
    words
}

/// The zone statements, which PowerDNS' bind backend reads as well.
pub(super) fn zones(zones: &[ZoneFile]) -> String {
    let mut text = String::new();
    for zone in zones {
        let (name, file) = (&zone.origin, zone.path.display());
        let _ = writeln!(text, "zone \"{name}\" {{ type master; file \"{file}\"; }};");
    }
    text
}
