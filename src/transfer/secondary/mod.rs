//! Zones from primaries, kept in step: one thread with sockets, one state machine a zone.
//!
//! ```text
//! SecondaryHandle --- NOTIFY, orders ---> coordinator (1x) -- SOA queries (paced) --> ask    (Nx tasks)
//!   what is served --- Follower ---------> | owns every     -- transfers (capped) --> fetch  (Nx tasks) --> Sink
//!                                          |                -- comparisons (1x, idle) --> fetch          '--> what is served
//!                                          | Refresh <-------------- results -----------'
//!                                          |--> Forwarder --> NOTIFY to the other POPs, where that is configured
//!                                          '--> Outward --> what has expired, timers to keep (Sink); news for the status
//! ```
//!
//! Changes at primaries flow in, versions flow out to a [`Sink`]. All of it runs on the thread `transfer`, but for the compiling
//! of zones, of large ones while they come, and the sink, which may block and have threads of their own. Every socket binds a management address. Never serves
//! anything and never withdraws anything.
//!
//! | folder | may name |
//! | --- | --- |
//! | `net` | (nothing) |
//! | `fetch` | `net` |
//! | `jobs` | `fetch` `net` |
//! | `coordinator` | `fetch` `jobs` `net` |

mod access;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/anew.rs"]
mod anew;
mod awaited;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/bad_primaries.rs"]
mod bad_primaries;
mod coordinator;
mod expire_times;
mod fetch;
mod handle;
mod jobs;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/large.rs"]
mod large;
mod members;
mod net;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/refused.rs"]
mod refused;
mod report;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/reuse.rs"]
mod reuse;
mod service;
mod settings;
mod sink;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/taken_back.rs"]
mod taken_back;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/secondary.rs"]
mod tests;

pub use awaited::AwaitedZones;
pub use coordinator::SecondaryContext;
pub use expire_times::Remaining;
pub use fetch::fetch_error::FetchError;
pub(super) use fetch::install_gate::InstallGate;
pub use handle::{Secondary, SecondaryError, SecondaryHandle};
pub use jobs::pacer::Pacer;
pub use jobs::turns::PeerQueues;
pub use net::NetError;
pub use net::ask::{AskError, AskOver, ask_once};
pub(super) use net::datagrams;
pub use net::edns::EdnsDoubt;
pub use report::{Diverged, LastTransfer, ZoneNews, ZoneReport};
pub use settings::{MemberZones, OnExpiry, PrimaryServer, SecondarySettings, SecondaryZone};
pub use sink::{Origin, Sink, SinkError};
