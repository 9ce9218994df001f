//! The peers: each as primary of the zones, and as secondary of anyns.

mod bind;
mod knot;
mod nsd;
mod powerdns;

use std::path::Path;

use super::support::lab::{Lab, Space};
use super::support::process::Process;

/// A server of another make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Nsd,
    Knot,
    Bind,
    PowerDns,
}

/// All of them.
pub const PEERS: [Peer; 4] = [Peer::Nsd, Peer::Knot, Peer::Bind, Peer::PowerDns];

/// What it is for the zones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Primary,
    Secondary,
}

impl Peer {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nsd => "nsd",
            Self::Knot => "knot",
            Self::Bind => "bind",
            Self::PowerDns => "pdns",
        }
    }

    /// Starts it over the zone files in `files`, which it writes itself as a secondary.
    pub fn start(self, lab: &Lab, space: &Space, role: Role, files: &Path) -> Process {
        let home = lab.subdirectory(self.name());
        match self {
            Self::Nsd => nsd::start(lab, space, role, (&home, files)),
            Self::Knot => knot::start(lab, space, role, (&home, files)),
            Self::Bind => bind::start(lab, space, role, (&home, files)),
            Self::PowerDns => powerdns::start(lab, space, role, (&home, files)),
        }
    }

    /// Makes it look at its zone files again.
    pub fn reload(self, process: &Process, lab: &Lab, space: &Space) {
        match self {
            Self::PowerDns => powerdns::reload(lab, space),
            _ => process.signal(nix::sys::signal::Signal::SIGHUP),
        }
    }
}

/// Writes a config file.
fn write(path: &Path, text: &str) -> String {
    std::fs::write(path, text).expect("the config can be written");
    path.display().to_string()
}
