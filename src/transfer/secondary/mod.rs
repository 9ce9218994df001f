//! Zones from primaries, kept in step: one thread with sockets, one state machine a zone.
//!
//! ```text
//! SecondaryHandle --- NOTIFY, orders ---> coordinator (1x) -- SOA queries (paced) --> ask    (Nx tasks)
//!   what is served --- Follower ---------> | owns every     -- transfers (capped) --> fetch  (Nx tasks) --> Sink
//!                                          | Refresh <-------------- results -----------'
//!                                          |--> Forwarder --> NOTIFY to the other POPs, where that is configured
//!                                          '--> Outward --> what has expired, timers to keep (Sink); news for the status
//! ```
//!
//! Changes at primaries flow in, versions flow out to a [`Sink`]. All of it runs on the thread `transfer`, but for the compiling
//! of zones, of large ones while they come, and the sink, which may block and have threads of their own. Every socket binds a management address. Never serves
//! anything and never withdraws anything.

mod access;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/anew.rs"]
mod anew;
mod ask;
mod awaited;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/bad_primaries.rs"]
mod bad_primaries;
mod changes;
mod clock_watch;
mod coordinator;
mod entry;
mod fetch;
mod fetch_error;
mod follower;
mod forwarder;
mod handle;
mod idle;
mod install;
mod install_gate;
mod jobs;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/large.rs"]
mod large;
mod late;
mod members;
mod memory;
mod net;
mod outward;
mod pacer;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/refused.rs"]
mod refused;
mod report;
mod results;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/reuse.rs"]
mod reuse;
mod service;
mod settings;
mod sink;
mod slots;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/secondary.rs"]
mod tests;
mod turns;

pub use ask::{AskError, ask_once};
pub use awaited::AwaitedZones;
pub use coordinator::SecondaryContext;
pub use fetch_error::FetchError;
pub use handle::{Secondary, SecondaryError, SecondaryHandle};
pub(super) use install_gate::InstallGate;
pub use net::NetError;
pub(super) use net::datagrams;
pub use pacer::Pacer;
pub use report::{Diverged, LastTransfer, ZoneNews, ZoneReport};
pub use settings::{MemberZones, OnExpiry, PrimaryServer, SecondarySettings, SecondaryZone};
pub use sink::{Origin, Sink, SinkError};
pub use turns::PeerQueues;
