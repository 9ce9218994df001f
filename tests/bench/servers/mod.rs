//! The servers that are measured: started on a loopback port of their own, asked until they answer, ended by process ID.

mod anyns;
mod bind;
mod knot;
mod nsd;
mod powerdns;
pub(crate) mod reflector;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::ask::{ask, is_served};
use crate::queries::Query;
use crate::support::process::Process;
use crate::support::wait::{wait_for, wait_until};
use crate::usage;
use crate::zones::World;

/// How long a server may take to its first answer: the slowest of the peers needs 13 s for the large zone; a server
/// that makes 100,000 zones durable one by one at its first start takes minutes.
pub(crate) const START: Duration = Duration::from_secs(900);

/// How long a server may be busy after its first answer; what it uses of such a time once it is idle.
const IDLE: Duration = Duration::from_secs(300);
const IDLE_SAMPLE: Duration = Duration::from_millis(500);
const IDLE_USE: Duration = Duration::from_millis(20);

/// How long the kernel may take to free what a killed process held.
const END: Duration = Duration::from_secs(20);

/// A server program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// recvmmsg, set QR, sendmmsg: what the sockets alone cost.
    Reflector,
    /// NSD.
    Nsd,
    /// Knot DNS.
    Knot,
    /// BIND 9.
    Bind,
    /// PowerDNS Authoritative with the bind backend.
    Powerdns,
    /// The server of this project.
    Anyns,
    /// The same with `serve.socket-affinity`, for the scenario that compares both.
    #[value(skip)]
    AnynsAffinity,
    /// The same with `dnssec = "off"`, for the scenario that compares both.
    #[value(skip)]
    AnynsUnverified,
    /// The same with one zone, for the scenario that compares both.
    #[value(skip)]
    AnynsOneZone,
    /// The same with each zone named in the configuration.
    #[value(skip)]
    AnynsListed,
    /// The same with the state directory of a process that had served the zones.
    #[value(skip)]
    AnynsRestart,
    /// The same with zones of a source that can be stopped.
    #[value(skip)]
    AnynsHanging,
    /// The same with the page and dnstap, for the scenario that compares both.
    #[value(skip)]
    AnynsObserved,
    /// That one with OTLP and RSSAC002.
    #[value(skip)]
    AnynsReported,
}

/// What a server is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a> {
    /// A directory of its own, for configuration and state.
    pub(crate) home: &'a Path,
    /// What it serves.
    pub(crate) world: &'a World,
    /// The port of loopback, UDP and TCP.
    pub(crate) port: u16,
    /// The core it may use, with one worker; all cores with its own defaults if there is none.
    pub(crate) core: Option<usize>,
}

impl Kind {
    /// As it is written in a table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reflector => "reflector",
            Self::Nsd => "NSD",
            Self::Knot => "Knot DNS",
            Self::Bind => "BIND 9",
            Self::Powerdns => "PowerDNS",
            Self::Anyns => "anyns",
            Self::AnynsAffinity => "anyns with socket affinity",
            Self::AnynsUnverified => "anyns with dnssec = off",
            Self::AnynsOneZone => "anyns with one zone",
            Self::AnynsListed => "anyns, zones listed",
            Self::AnynsRestart => "anyns, restart",
            Self::AnynsHanging => "anyns beside them",
            Self::AnynsObserved => "anyns observed",
            Self::AnynsReported => "anyns observed, with OTLP and RSSAC002",
        }
    }

    /// The program and the Debian packages that bring it; none for what is built here.
    fn package(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Reflector
            | Self::Anyns
            | Self::AnynsAffinity
            | Self::AnynsUnverified
            | Self::AnynsOneZone
            | Self::AnynsListed
            | Self::AnynsRestart
            | Self::AnynsHanging
            | Self::AnynsObserved
            | Self::AnynsReported => None,
            Self::Nsd => Some(("nsd", "nsd")),
            Self::Knot => Some(("knotd", "knot")),
            Self::Bind => Some(("named", "bind9")),
            Self::Powerdns => Some(("pdns_server", "pdns-server pdns-backend-bind")),
        }
    }

    /// Writes the configuration; the command line that runs the server in the foreground.
    fn command(self, setup: &Setup<'_>) -> Vec<String> {
        match self {
            Self::Reflector => reflector::command(setup),
            Self::Nsd => nsd::command(setup),
            Self::Knot => knot::command(setup),
            Self::Bind => bind::command(setup),
            Self::Powerdns => powerdns::command(setup),
            Self::Anyns | Self::AnynsOneZone | Self::AnynsRestart => anyns::command(setup, false, "warn", ""),
            Self::AnynsListed => anyns::command_with_list(setup),
            Self::AnynsHanging => anyns::command(setup, false, "warn", &anyns::hanging(setup)),
            Self::AnynsObserved => anyns::command(setup, false, "warn", &anyns::observed(setup)),
            Self::AnynsReported => anyns::command(setup, false, "warn", &anyns::reported(setup)),
            Self::AnynsAffinity => anyns::command(setup, true, "warn", ""),
            Self::AnynsUnverified => anyns::command(setup, false, "off", ""),
        }
    }
}

/// Where a program is; the directories for daemons are looked at as well.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(usual).map(|directory| directory.join(name)).find(|file| file.exists())
}

/// Of these servers those that are installed; says which are not, and how to get them.
pub(crate) fn installed(wanted: &[Kind]) -> Vec<Kind> {
    let mut found = Vec::new();
    let all = Kind::value_variants().iter().copied();
    for kind in all.filter(|kind| wanted.is_empty() || wanted.contains(kind)) {
        match kind.package() {
            Some((name, packages)) if program(name).is_none() => {
                println!("SKIPPED {}: no {name} here; apt-get install {packages}", kind.name());
            }
            _ => found.push(kind),
        }
    }
    found
}

/// A running server; ended with everything below it when dropped.
pub(crate) struct Server {
    /// Which.
    pub(crate) kind: Kind,
    /// Where it answers.
    pub(crate) address: SocketAddr,
    process: Process,
    started: Instant,
}

impl Server {
    /// Starts it in `home/NAME`, which is made new.
    pub(crate) fn start(kind: Kind, home: &Path, world: &World, core: Option<usize>) -> Self {
        let _ = std::fs::remove_dir_all(home.join(format!("{kind:?}").to_lowercase()));
        Self::start_again(kind, home, world, core)
    }

    /// The same, with what the directory holds already.
    pub(crate) fn start_again(kind: Kind, home: &Path, world: &World, core: Option<usize>) -> Self {
        let home = home.join(format!("{kind:?}").to_lowercase());
        std::fs::create_dir_all(&home).expect("the server's directory can be made");
        let port = free_port();
        let words = kind.command(&Setup { home: &home, world, port, core });
        // The kernel ends it when this process ends, however that happens.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if let Some(core) = core {
            command.args(["taskset", "-c", &core.to_string()]);
        }
        command.args(words).current_dir(&home);
        let started = Instant::now();
        let process = Process::start(kind.name(), command, home.join("log"));
        Self { kind, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), process, started }
    }

    /// Waits until it has given an authoritative answer without an error to each of these; the time since its start.
    pub(crate) fn wait_answers(&mut self, queries: &[Query]) -> Duration {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        for query in queries {
            let what = format!("{} answers {}", self.kind.name(), query.name);
            let reflects = self.kind == Kind::Reflector;
            wait_for(&what, START, || {
                assert!(self.process.ended().is_none(), "{} has ended", self.kind.name());
                let answer = ask(&socket, self.address, query, 1).ok()?;
                (reflects || is_served(&answer)).then_some(())
            });
        }
        self.started.elapsed()
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Ends it as `kill -9` does, and comes back at once.
    pub(crate) fn kill(&self) {
        // An error means that it has ended already.
        let _ = kill(Pid::from_raw(i32::try_from(self.process.pid()).unwrap_or(i32::MAX)), Signal::SIGKILL);
    }

    /// Waits until what a start leaves to be done behind it is done (anyns keeps its zones then), so that it is not counted as
    /// the cost of queries.
    pub(crate) fn wait_idle(&self) {
        wait_idle(self.kind.name(), || self.cpu().total());
    }

    /// The CPU time used so far.
    pub(crate) fn cpu(&self) -> usage::Cpu {
        usage::cpu(self.process.pid())
    }

    /// Its memory in octets.
    pub(crate) fn memory(&self) -> u64 {
        usage::memory(self.process.pid())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let below = usage::tree(self.process.pid());
        self.process.kill();
        let children: Vec<u32> = below.into_iter().filter(|process| *process != self.process.pid()).collect();
        for process in &children {
            // An error means that it has ended with its parent.
            let _ = kill(Pid::from_raw(i32::try_from(*process).unwrap_or(i32::MAX)), Signal::SIGKILL);
        }
        if !std::thread::panicking() {
            wait_until("the server's children end", END, || children.iter().all(|one| usage::is_gone(*one)));
        }
    }
}

/// Waits until a server uses next to no CPU time any more; `cpu` tells what it has used so far.
pub(crate) fn wait_idle(name: &str, cpu: impl Fn() -> Duration) {
    let mut last = (Instant::now(), cpu());
    wait_until(&format!("{name} is idle"), IDLE, || {
        if last.0.elapsed() < IDLE_SAMPLE {
            return false;
        }
        let now = cpu();
        let used = now - std::mem::replace(&mut last, (Instant::now(), now)).1;
        used <= IDLE_USE
    });
}

/// A port that is free on loopback for UDP and TCP.
pub(crate) fn free_port() -> u16 {
    // Few ports are taken for TCP alone; a hundred tries never meet that each time.
    (0..100)
        .find_map(|_| {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
            let port = udp.local_addr().ok()?.port();
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok().map(|_| port)
        })
        .expect("loopback has a free port")
}

/// Writes a file into a server's home; its path as text.
fn write(setup: &Setup<'_>, name: &str, text: &str) -> String {
    let path = setup.home.join(name);
    std::fs::write(&path, text).expect("the configuration can be written");
    path.display().to_string()
}
