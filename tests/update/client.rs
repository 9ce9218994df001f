//! nsupdate and knsupdate, and the zone as a server gives it.

use std::io::Write;
use std::process::Stdio;

use crate::hub::{SECRET, ZONE};
use crate::support::lab::Space;

/// The program that sends an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Nsupdate,
    Knsupdate,
}

/// A server: its address and its port.
pub type Server<'s> = (&'s str, u16);

impl Client {
    fn program(self) -> &'static str {
        match self {
            Self::Nsupdate => "nsupdate",
            Self::Knsupdate => "knsupdate",
        }
    }

    /// Sends the commands; NOERROR, or the RCODE that the program tells of.
    pub fn send(
        self,
        space: &Space,
        (address, port): Server<'_>,
        key: Option<&str>,
        commands: &str,
    ) -> String {
        let mut command = space.command(self.program());
        if let Some(key) = key {
            let algorithm = if key.starts_with("hmac-") { key } else { "hmac-sha256" };
            command.args(["-y", &format!("{algorithm}:{key}.:{SECRET}")]);
        }
        match self {
            Self::Nsupdate => command.args(["-t", "4", "-u", "1", "-r", "2"]),
            Self::Knsupdate => command.args(["-t", "4", "-r", "1"]),
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the client runs");
        let script = format!("server {address} {port}\nzone {ZONE}\norigin {ZONE}\n{commands}\nsend\n");
        // nsupdate has no origin: names are written in full for it.
        let script =
            if self == Self::Nsupdate { script.replace(&format!("origin {ZONE}\n"), "") } else { script };
        let _ = child.stdin.take().expect("a pipe").write_all(script.as_bytes());
        let output = child.wait_with_output().expect("the client ends");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let rcodes = [
            "FORMERR", "SERVFAIL", "NXDOMAIN", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
            "NOTZONE",
        ];
        match rcodes.into_iter().find(|rcode| text.contains(rcode)) {
            Some(rcode) => rcode.to_owned(),
            None if output.status.success() => "NOERROR".to_owned(),
            None => format!("{}: {text}", output.status),
        }
    }
}

/// The records of a zone by AXFR, sorted, in one form; the serial apart.
pub fn zone(space: &Space, (address, port): Server<'_>) -> (Option<u32>, Vec<String>) {
    let mut command = space.command("dig");
    let (server, port) = (format!("@{address}"), port.to_string());
    command.args(["+onesoa", "+noall", "+answer", "+time=5", "+tries=1", &server, "-p", &port, ZONE, "AXFR"]);
    let output = command.output().expect("dig runs");
    let mut serial = None;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if words.get(2) != Some(&"IN") {
            continue;
        }
        if words.get(3) == Some(&"SOA") {
            serial = words.get(6).and_then(|word| word.parse().ok());
            words[6] = "SERIAL";
        }
        lines.push(words.join(" "));
    }
    lines.sort();
    (serial, lines)
}
