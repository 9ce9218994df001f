//! Faults around the server, made in a POP's namespace: packets dropped, addresses and routes deleted. Each is undone when its
//! handle is dropped.

use std::fs::File;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::thread::JoinHandle;

use super::lab::Space;
use super::process::must;
use super::world::{SERVICE, Site};

/// Something that breaks in a POP while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Packets to port 53 are dropped, for these families and transports.
    Dropped {
        /// `[IPv4, IPv6]`.
        families: [bool; 2],
        /// `[UDP, TCP]`.
        transports: [bool; 2],
    },
    /// The service address of this family is deleted from the host: 0 for IPv4, 1 for IPv6.
    AddressDeleted(usize),
    /// The default routes of both families are deleted.
    NoDefaultRoute,
}

/// A fault in force.
pub struct InForce {
    fault: Fault,
    space: Space,
    gateway: [&'static str; 2],
}

impl Fault {
    /// Port 53 over UDP and TCP, IPv4 and IPv6.
    pub const ALL_DROPPED: Self = Self::Dropped { families: [true, true], transports: [true, true] };

    /// Makes the fault at this site.
    pub fn make(self, site: &Site) -> InForce {
        let in_force = InForce { fault: self, space: site.space.clone(), gateway: site.gateway };
        match self {
            Self::Dropped { families, transports } => drop_port(&site.space, families, transports),
            Self::AddressDeleted(family) => {
                site.space.ip(&["address", "delete", &with_length(family), "dev", "lo"]);
            }
            Self::NoDefaultRoute => {
                site.space.ip(&["route", "delete", "default"]);
                site.space.ip(&["-6", "route", "delete", "default"]);
            }
        }
        in_force
    }

    /// The families whose service prefix it makes unreachable.
    pub fn families(self) -> [bool; 2] {
        match self {
            Self::Dropped { families, .. } => families,
            Self::AddressDeleted(family) => [family == 0, family == 1],
            // Without IPv6 traffic nobody can tell that IPv6 answers cannot leave.
            Self::NoDefaultRoute => [true, false],
        }
    }
}

impl Drop for InForce {
    fn drop(&mut self) {
        let space = &self.space;
        match self.fault {
            Fault::Dropped { .. } => {
                must(space.command("nft").args(["delete", "table", "inet", "faults"]));
            }
            Fault::AddressDeleted(family) => {
                let nodad: &[&str] = if family == 1 { &["nodad"] } else { &[] };
                let address = with_length(family);
                space.ip(&[&["address", "replace", address.as_str(), "dev", "lo"], nodad].concat());
            }
            Fault::NoDefaultRoute => {
                space.ip(&["route", "replace", "default", "via", self.gateway[0]]);
                space.ip(&["-6", "route", "replace", "default", "via", self.gateway[1]]);
            }
        }
    }
}

fn with_length(family: usize) -> String {
    format!("{}/{}", SERVICE[family], [32, 128][family])
}

/// Drops what arrives for port 53, from any sender: clients and the POP's own probes.
fn drop_port(space: &Space, families: [bool; 2], transports: [bool; 2]) {
    let mut rules = "add table inet faults; \
        add chain inet faults input { type filter hook input priority 0; }; "
        .to_owned();
    for (family, address) in ["ip", "ip6"].into_iter().zip(SERVICE).zip(families).filter_map(chosen) {
        for transport in ["udp", "tcp"].into_iter().zip(transports).filter_map(chosen) {
            rules.push_str(&format!(
                "add rule inet faults input {family} daddr {address} {transport} dport 53 drop; "
            ));
        }
    }
    must(space.command("nft").arg(rules));
}

fn chosen<T>((value, wanted): (T, bool)) -> Option<T> {
    wanted.then_some(value)
}

/// A pipe for a program's standard error that nobody reads until [`StuckPipe::drain`].
pub struct StuckPipe {
    reader: PipeReader,
    writer: Option<PipeWriter>,
}

impl StuckPipe {
    /// An empty pipe.
    pub fn new() -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        Self { reader, writer: Some(writer) }
    }

    /// The end for the program.
    pub fn writer(&self) -> PipeWriter {
        self.writer.as_ref().and_then(|writer| writer.try_clone().ok()).expect("not yet drained")
    }

    /// Writes into the pipe until not one octet more fits: a writer then blocks.
    pub fn fill(&self) {
        // Opened again, so that only this end does not block: the flag belongs to the open file, not to the pipe.
        let path = format!("/proc/self/fd/{}", self.reader.as_raw_fd());
        let mut own = File::options()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .expect("the pipe can be opened again");
        for size in [4096, 1] {
            loop {
                match own.write(&vec![b'\n'; size]) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("the pipe cannot be filled: {error}"),
                }
            }
        }
    }

    /// Reads from now on, until the program ends; what was written comes from the thread.
    pub fn drain(mut self) -> JoinHandle<String> {
        drop(self.writer.take());
        std::thread::spawn(move || {
            let mut text = Vec::new();
            // An error ends the reading as the end of the program does.
            let _ = self.reader.read_to_end(&mut text);
            String::from_utf8_lossy(&text).trim_start_matches('\n').to_owned()
        })
    }
}
