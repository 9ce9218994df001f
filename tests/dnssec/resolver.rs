//! Unbound in a namespace: it trusts the keys of the zones, goes to our servers, and says what it thinks of the answers.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use crate::authority::Family;
use crate::delv::Verdict;
use crate::support::lab::{Lab, Space};
use crate::support::process::Process;
use crate::support::wait::wait_for;
use crate::wire::{Response, query};

/// How long Unbound may take to start, and to answer one question; it is busy with the questions of other threads.
const START: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(20);

const NXDOMAIN: u16 = 3;

/// A running Unbound on port 53 of the namespace's loopback.
pub(crate) struct Unbound {
    process: Process,
}

impl Unbound {
    pub(crate) fn start(lab: &Lab, space: &Space, families: &[Family]) -> Self {
        let file = lab.directory().join("unbound.conf");
        std::fs::write(&file, config(families)).unwrap();
        let process =
            lab.start(space, "unbound", "/usr/sbin/unbound", &["-d", "-c", &file.display().to_string()]);
        let unbound = Self { process };
        let first = format!("ns.{}", families[0].parent.origin);
        space.inside(|| {
            let client = Client::new();
            wait_for("Unbound answers", START, || client.try_ask(&first, 1, Duration::from_millis(200)));
        });
        unbound
    }

    /// Its log, where it says why something is bogus.
    pub(crate) fn log(&self) -> String {
        self.process.output()
    }
}

/// A stub resolver; make it inside the namespace.
pub(crate) struct Client {
    socket: UdpSocket,
}

impl Client {
    pub(crate) fn new() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect((Ipv4Addr::LOCALHOST, 53)).unwrap();
        Self { socket }
    }

    /// What Unbound makes of the question that our servers answer like this.
    pub(crate) fn judge(&self, name: &str, record_type: u16, ours: &Response) -> Result<Verdict, String> {
        let theirs = self.ask(name, record_type);
        // Behind a referral the child says whether the name exists.
        let referral = !ours.message.metadata.authoritative && theirs.rcode() == NXDOMAIN;
        match (theirs.rcode() == ours.rcode() || referral, theirs.ad()) {
            (false, _) => Err(format!("Unbound: {}", theirs.text())),
            (true, true) => Ok(Verdict::Secure),
            (true, false) => Ok(Verdict::Insecure),
        }
    }

    fn ask(&self, name: &str, record_type: u16) -> Response {
        let answer = self.try_ask(name, record_type, PATIENCE);
        answer.unwrap_or_else(|| panic!("{name} {record_type}: no answer"))
    }

    fn try_ask(&self, name: &str, record_type: u16, patience: Duration) -> Option<Response> {
        let id = fastrand::u16(..);
        self.socket.set_read_timeout(Some(patience)).unwrap();
        self.socket.send(&query(id, name, record_type, true)).ok()?;
        let mut buffer = vec![0; 65_535];
        loop {
            let length = self.socket.recv(&mut buffer).ok()?;
            if buffer.get(..2) == Some(&id.to_be_bytes()) {
                return Some(Response::read(&buffer[..length]));
            }
        }
    }
}

fn config(families: &[Family]) -> String {
    // Nothing may be answered from what was learned about other names: every question must reach our servers.
    let mut text = String::from(
        "server:\n  interface: 127.0.0.1\n  port: 53\n  do-daemonize: no\n  do-ip6: no\n  username: \"\"\n  chroot: \"\"\n\
         \x20 pidfile: \"\"\n  use-syslog: no\n  logfile: \"\"\n  verbosity: 1\n  val-log-level: 2\n  ede: yes\n\
         \x20 module-config: \"validator iterator\"\n  qname-minimisation: no\n  aggressive-nsec: no\n\
         \x20 harden-below-nxdomain: no\n  val-bogus-ttl: 0\n  cache-max-ttl: 0\n  cache-max-negative-ttl: 0\n  neg-cache-size: 0\n\
         \x20 trust-anchor-signaling: no\n  root-key-sentinel: no\n  num-queries-per-thread: 4096\n  so-rcvbuf: 0\n\
         \x20 infra-host-ttl: 0\n  target-fetch-policy: \"0 0 0 0 0\"\n  edns-buffer-size: 1232\n  max-udp-size: 65535\n",
    );
    for family in families {
        text.push_str(&format!("  trust-anchor: \"{}\"\n", family.parent.ds.trim().replace('\t', " ")));
    }
    text.push_str("remote-control:\n  control-enable: no\n");
    for family in families {
        let address = crate::authority::PARENTS.replace(':', "@");
        text.push_str(&format!("stub-zone:\n  name: \"{}\"\n  stub-addr: {address}\n", family.parent.origin));
    }
    text
}
