//! BIND 9.

use std::fmt::Write;
use std::path::Path;

use crate::certificates::{ANYNS_NAME, file};
use crate::support::lab::{Lab, Space};
use crate::support::process::Process;
use crate::zones::{ALGORITHMS, SECRET, ZONES, key_of};
use crate::{ANYNS, PEER, XOT};

use super::{Role, write};

pub fn start(lab: &Lab, space: &Space, role: Role, (home, files): (&Path, &Path)) -> Process {
    let (directory, files) = (home.display(), files.display());
    let mut text = format!(
        "options {{ directory \"{directory}\"; pid-file none; session-keyfile none; listen-on {{ {PEER}; }}; listen-on port 853 tls own {{ {PEER}; }}; listen-on-v6 {{ none; }};\n\
         recursion no; allow-query {{ any; }}; empty-zones-enable no; dnssec-validation no; check-names primary ignore;\n\
         check-names secondary ignore; check-integrity no; masterfile-format text; managed-keys-directory \"{directory}\";\n\
         notify explicit; notify-delay 0; serial-query-rate 1000; ixfr-from-differences yes; min-refresh-time 3600; }};\n\
         controls {{ }};\n"
    );
    for algorithm in ALGORITHMS {
        let _ = writeln!(text, "key \"{algorithm}.key\" {{ algorithm {algorithm}; secret \"{SECRET}\"; }};");
    }
    let tls = |name: &str| file(lab, name).display().to_string();
    let (certificate, key, authority) = (tls("certificate.pem"), tls("key.pem"), tls("ca.pem"));
    let _ = write!(
        text,
        "tls own {{ cert-file \"{certificate}\"; key-file \"{key}\"; }};\n\
         tls to-anyns {{ ca-file \"{authority}\"; remote-hostname \"{ANYNS_NAME}\"; }};\n"
    );
    for (zone, _) in ZONES {
        let is_tls = zone == XOT;
        let key = key_of(zone);
        let with = key.as_ref().map_or_else(String::new, |key| format!(" key \"{key}\""));
        let who = key.as_ref().map_or_else(|| "127.0.0.0/8".into(), |key| format!("key \"{key}\""));
        let over = if is_tls { "port 853 transport tls" } else { "" };
        let from = if is_tls { " port 853 tls to-anyns" } else { "" };
        let _ = match role {
            Role::Primary => writeln!(
                text,
                "zone \"{zone}\" {{ type primary; file \"{files}/{zone}.zone\"; allow-transfer {over} {{ {who}; }};\n\
                 also-notify {{ {ANYNS}{with}; }}; }};"
            ),
            Role::Secondary => writeln!(
                text,
                "zone \"{zone}\" {{ type secondary; file \"{files}/{zone}.zone\"; primaries {{ {ANYNS}{from}{with}; }};\n\
                 allow-transfer {{ {who}; }}; allow-notify {{ 127.0.0.0/8; }}; }};"
            ),
        };
    }
    let config = write(&home.join("named.conf"), &text);
    lab.start(space, "bind", "named", &["-g", "-n", "1", "-c", &config])
}
