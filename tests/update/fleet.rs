//! A hub with a zone that takes updates and a zone from a file, and a POP that has both from it.

use std::path::PathBuf;

use crate::hub::{HUB, PORT, ZONE, hub_with};
use crate::support::anyns::Anyns;
use crate::support::lab::Space;
use crate::support::pop::{Alone, ZONE as OTHER, add_service_addresses, base_config, deploy, replace};

/// Where the POP listens.
pub const POP: &str = "198.19.0.2";
/// The zone from a file.
pub const FILES: &str = "files.test";

pub struct Fleet {
    pub hub: Alone,
    pub pop: Anyns,
    pub pop_space: Space,
}

impl Fleet {
    /// Neither runs yet; the file of [`FILES`] is not there either.
    pub fn new() -> Self {
        let (mut hub, _) = hub_with(&format!("notify = [{{ address = \"{POP}:{PORT}\" }}]"));
        let pop_space = hub.lab.space("pop");
        hub.lab.link(
            (&hub.space, "wan", &["198.19.0.1/24", "2001:db8:2::1/64"]),
            (&pop_space, "wan", &["198.19.0.2/24", "2001:db8:2::2/64"]),
        );
        pop_space.ip(&["route", "add", &format!("{HUB}/32"), "via", "198.19.0.1"]);
        add_service_addresses(&pop_space);
        deploy(&hub.lab.subdirectory("zones-pop"), OTHER, 1);
        let zone = |zone: &str| {
            format!("[[zone]]\nname = \"{zone}\"\nprimaries = [{{ address = \"{HUB}:{PORT}\" }}]\n")
        };
        let config = base_config(&hub.lab, "pop", [POP, "2001:db8:2::2"], "dry-run", "");
        let config = format!(
            "{config}\n[transfer]\nlisten = [\"{POP}:{PORT}\"]\nallow = [{{ from = \"198.19.0.0/24\" }}]\n\n{}{}",
            zone(ZONE),
            zone(FILES)
        );
        let pop = Anyns::new(&hub.lab, &pop_space, "pop", &config);
        Self { hub, pop, pop_space }
    }

    /// The file of [`FILES`].
    pub fn file(&self) -> PathBuf {
        self.hub.zones.join(format!("{FILES}.zone"))
    }

    pub fn deploy(&self, text: &str) {
        replace(&self.file(), text);
    }

    pub fn start_pop(&mut self) {
        self.pop.start(&self.hub.lab);
    }

    pub fn start_hub(&mut self) {
        self.hub.anyns.start(&self.hub.lab);
    }

    /// The process of the hub.
    pub fn hub_process_id(&self) -> nix::unistd::Pid {
        self.hub.anyns.process_id()
    }

    /// The process of the POP.
    pub fn pop_process_id(&self) -> nix::unistd::Pid {
        self.pop.process_id()
    }

    /// The wire between them, cut or not; what each listens on stays.
    pub fn set_wire(&self, state: &str) {
        self.hub.space.ip(&["link", "set", "wan", state]);
    }

    pub fn at_hub(&self) -> Place {
        Place { space: self.hub.space.clone(), address: HUB }
    }

    pub fn at_pop(&self) -> Place {
        Place { space: self.pop_space.clone(), address: POP }
    }
}

/// Where zones are asked for: from the server's own namespace.
#[derive(Clone)]
pub struct Place {
    space: Space,
    address: &'static str,
}

impl Place {
    /// The lines of a dig for this zone and type, in one form; none where the server does not answer.
    fn dig(&self, zone: &str, record_type: &str) -> Vec<String> {
        let mut command = self.space.command("dig");
        let (server, port) = (format!("@{}", self.address), PORT.to_string());
        command.args(["+onesoa", "+noall", "+answer", "+time=5", "+tries=1", "+tcp", &server, "-p", &port]);
        let output = command.args([zone, record_type]).output().expect("dig runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = text.lines().filter(|line| line.split_whitespace().nth(2) == Some("IN"));
        lines.map(one_form).collect()
    }

    /// The serial that is served.
    pub fn serial(&self, zone: &str) -> Option<u32> {
        serial_of(&self.dig(zone, "SOA"))
    }

    /// The zone by AXFR, sorted, with its serial.
    pub fn zone(&self, zone: &str) -> Option<(u32, Vec<String>)> {
        let mut lines = self.dig(zone, "AXFR");
        let serial = serial_of(&lines)?;
        lines.sort();
        Some((serial, lines))
    }
}

/// One line of a zone with single spaces.
pub fn one_form(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn serial_of(lines: &[String]) -> Option<u32> {
    let mut words = lines.iter().map(|line| line.split(' ').collect::<Vec<_>>());
    words.find(|words| words.get(3) == Some(&"SOA"))?.get(6)?.parse().ok()
}
