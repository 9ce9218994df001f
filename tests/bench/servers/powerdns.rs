//! PowerDNS Authoritative with the bind backend; its packet cache is on, as shipped.

use super::{Setup, bind, write};

pub(super) fn command(setup: &Setup<'_>) -> Vec<String> {
    let (home, port) = (setup.home.display(), setup.port);
    let zones = write(setup, "named.conf", &bind::zones(&setup.world.zones));
    let threads = if setup.core.is_some() { "receiver-threads=1\ndistributor-threads=1\n" } else { "" };
    let text = format!(
        "launch=bind\nbind-config={zones}\nlocal-address=127.0.0.1\nlocal-port={port}\nsocket-dir={home}\n\
         daemon=no\nguardian=no\nwrite-pid=no\nloglevel=3\nmax-tcp-connections=1000\nwebserver=no\n\
         security-poll-suffix=\n{threads}"
    );
    write(setup, "pdns.conf", &text);
    vec!["pdns_server".into(), format!("--config-dir={home}")]
}
