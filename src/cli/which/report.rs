//! What one transport of one address said, and the whole as a document or a text.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::wire::Name;

use super::message::{Question, Said, query, read};
use super::transport::{Connection, Peer, Transport};

/// Who answers: one document.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// The zone that was asked for.
    pub(super) zone: Option<String>,
    pub(super) addresses: Vec<AddressReport>,
}

/// One address.
#[derive(Clone, Debug, Serialize)]
pub(super) struct AddressReport {
    pub(super) address: IpAddr,
    pub(super) transports: Vec<TransportReport>,
}

/// One transport. Times are microseconds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TransportReport {
    transport: Transport,
    port: u16,
    answered: bool,
    /// Until the connection stood, with its handshakes; `None` over UDP.
    connect_us: Option<u64>,
    /// From the first question until its answer.
    rtt_us: Option<u64>,
    /// Why there is no answer.
    fault: Option<String>,
    rcode: Option<String>,
    nsid: Option<String>,
    zone_version: Option<u32>,
    serial: Option<u32>,
    id_server: Option<String>,
    hostname_bind: Option<String>,
    version_bind: Option<String>,
}

/// Asks everything over one transport; ends within the limit.
pub(super) async fn ask(
    transport: Transport,
    peer: Peer,
    zone: Option<&Name>,
    limit: Duration,
) -> TransportReport {
    let mut report = TransportReport {
        transport,
        port: peer.address.port(),
        answered: false,
        connect_us: None,
        rtt_us: None,
        fault: None,
        rcode: None,
        nsid: None,
        zone_version: None,
        serial: None,
        id_server: None,
        hostname_bind: None,
        version_bind: None,
    };
    // What was learnt before the limit stays.
    let outcome = tokio::time::timeout(limit, converse(&peer, zone, &mut report)).await;
    if !report.answered {
        report.fault = Some(match outcome {
            Ok(Ok(())) => "no answer".to_owned(),
            Ok(Err(error)) => in_words(&error),
            Err(_) => format!("no answer within {}", humantime::format_duration(limit)),
        });
    }
    report
}

/// One line without control characters, of bounded length.
fn in_words(error: &io::Error) -> String {
    error.to_string().escape_debug().take(crate::control::MOST_CHARACTERS).collect()
}

async fn converse(peer: &Peer, zone: Option<&Name>, report: &mut TransportReport) -> io::Result<()> {
    let start = Instant::now();
    let mut connection = Connection::open(report.transport, peer).await?;
    if report.transport != Transport::Udp {
        report.connect_us = Some(micros(start.elapsed()));
    }
    let chaos = ["id.server", "hostname.bind", "version.bind"].map(Question::Chaos);
    for question in zone.cloned().map(Question::Zone).into_iter().chain(chaos) {
        let id = report.transport.id();
        let octets = query(&question, id).ok_or_else(|| io::Error::other("the name cannot be asked for"))?;
        let asked = Instant::now();
        let answer = connection.ask(&octets, id).await?;
        report.rtt_us.get_or_insert(micros(asked.elapsed()));
        let said = read(&answer).map_err(io::Error::other)?;
        report.take(&question, said);
    }
    Ok(())
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl TransportReport {
    fn take(&mut self, question: &Question, said: Said) {
        self.answered = true;
        self.rcode.get_or_insert(said.rcode);
        if self.nsid.is_none() {
            self.nsid = said.nsid;
        }
        match question {
            Question::Zone(_) => (self.zone_version, self.serial) = (said.zone_version, said.serial),
            Question::Chaos("id.server") => self.id_server = said.text,
            Question::Chaos("hostname.bind") => self.hostname_bind = said.text,
            Question::Chaos(_) => self.version_bind = said.text,
        }
    }

    /// The instance, by NSID or else by id.server or hostname.bind.
    fn instance(&self) -> Option<&str> {
        self.nsid.as_deref().or(self.id_server.as_deref()).or(self.hostname_bind.as_deref())
    }

    fn line(&self, zone: Option<&str>) -> String {
        let word = self.transport.word();
        if let Some(fault) = &self.fault {
            return format!("  {word}  -          {fault}");
        }
        let time = |micros: u64| format!("{:.2} ms", micros as f64 / 1000.0);
        let mut line = format!("  {word}  {:<9}", self.rtt_us.map(time).unwrap_or_default());
        line.push_str("  ");
        line.push_str(self.instance().unwrap_or("(no instance)"));
        if zone.is_some() {
            match (self.rcode.as_deref(), self.serial) {
                (Some("NOERROR"), Some(serial)) => line.push_str(&format!("  serial {serial}")),
                (rcode, _) => line.push_str(&format!("  {}", rcode.unwrap_or_default())),
            }
            if let Some(version) = self.zone_version.filter(|version| Some(*version) != self.serial) {
                line.push_str(&format!("  ZONEVERSION {version}"));
            }
        }
        if let Some(connect) = self.connect_us {
            line.push_str(&format!("  (connected in {})", time(connect)));
        }
        line
    }
}

impl AddressReport {
    /// Whether it answered, and for the zone if one was asked for.
    fn is_good(&self, has_zone: bool) -> bool {
        let mut answered = self.transports.iter().filter(|report| report.answered).peekable();
        answered.peek().is_some() && answered.all(|report| !has_zone || report.serial.is_some())
    }

    fn lines(&self, zone: Option<&str>) -> Vec<String> {
        let mut lines = vec![self.address.to_string()];
        lines.extend(self.transports.iter().map(|report| report.line(zone)));
        let first = |of: fn(&TransportReport) -> Option<&str>| self.transports.iter().find_map(of);
        let chaos = [
            ("id.server", first(|report| report.id_server.as_deref())),
            ("hostname.bind", first(|report| report.hostname_bind.as_deref())),
            ("version.bind", first(|report| report.version_bind.as_deref())),
        ];
        let chaos: Vec<_> =
            chaos.into_iter().filter_map(|(name, text)| Some(format!("{name} {:?}", text?))).collect();
        if !chaos.is_empty() {
            lines.push(format!("  {}", chaos.join(", ")));
        }
        lines.extend(self.differences());
        lines
    }

    /// What should be the same over every transport.
    fn differences(&self) -> Vec<String> {
        let distinct = |mut values: Vec<String>| {
            values.sort();
            values.dedup();
            values
        };
        let instances = self.transports.iter().filter_map(|report| report.instance().map(str::to_owned));
        let serials =
            self.transports.iter().filter_map(|report| report.serial.map(|serial| serial.to_string()));
        let all = [("instances", distinct(instances.collect())), ("serials", distinct(serials.collect()))];
        let several = all.into_iter().filter(|(_, values)| values.len() > 1);
        several
            .map(|(what, values)| {
                format!("warning: the transports reach different {what}: {}", values.join(", "))
            })
            .collect()
    }
}

impl Report {
    /// Whether every address answered, and for the zone if one was asked for.
    pub(super) fn is_good(&self) -> bool {
        self.addresses.iter().all(|address| address.is_good(self.zone.is_some()))
    }

    /// For people.
    pub(super) fn render(&self) -> String {
        let zone = self.zone.as_deref();
        let lines = self.addresses.iter().flat_map(|address| address.lines(zone));
        lines.collect::<Vec<_>>().join("\n")
    }
}
