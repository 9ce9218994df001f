//! NSD.

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
    let tls = |name: &str| file(lab, name).display().to_string();
    let (certificate, key, authority) = (tls("certificate.pem"), tls("key.pem"), tls("ca.pem"));
    let mut text = format!(
        "server:\n  ip-address: {PEER}@53\n  ip-address: {PEER}@853\n  tls-port: 853\n  tls-service-key: \"{key}\"\n\
         \x20 tls-service-pem: \"{certificate}\"\n  tls-cert-bundle: \"{authority}\"\n  server-count: 1\n  username: \"\"\n  chroot: \"\"\n\
         \x20 zonesdir: \"{files}\"\n  database: \"\"\n  pidfile: \"{directory}/nsd.pid\"\n  xfrdfile: \"{directory}/xfrd.state\"\n\
         \x20 xfrdir: \"{directory}\"\n  zonelistfile: \"{directory}/zone.list\"\n  rrl-ratelimit: 0\n  verbosity: 2\n\
         \x20 xfrd-reload-timeout: 0\nremote-control:\n  control-enable: no\n"
    );
    for algorithm in ALGORITHMS {
        let _ = write!(
            text,
            "key:\n  name: \"{algorithm}.key\"\n  algorithm: {algorithm}\n  secret: \"{SECRET}\"\n"
        );
    }
    let _ = write!(text, "tls-auth:\n  name: \"to-anyns\"\n  auth-domain-name: \"{ANYNS_NAME}\"\n");
    for (zone, _) in ZONES {
        let (at, over) = if zone == XOT { ("@853", " to-anyns") } else { ("", "") };
        let key = key_of(zone).unwrap_or_else(|| "NOKEY".into());
        let _ = write!(text, "zone:\n  name: \"{zone}\"\n  zonefile: \"{zone}.zone\"\n");
        let _ = match role {
            Role::Primary => write!(
                text,
                "  store-ixfr: yes\n  create-ixfr: yes\n  notify: {ANYNS} {key}\n  provide-xfr: 127.0.0.0/8 {key}\n"
            ),
            Role::Secondary => write!(
                text,
                "  request-xfr: {ANYNS}{at} {key}{over}\n  allow-notify: 127.0.0.0/8 {key}\n  provide-xfr: 127.0.0.0/8 {key}\n\
                 \x20 min-refresh-time: 3600\n"
            ),
        };
    }
    let config = write(&home.join("nsd.conf"), &text);
    lab.start(space, "nsd", "nsd", &["-d", "-c", &config])
}
