//! Zones from primaries, kept in step: one thread with sockets, one state machine a zone.
//!
//! ```text
//! SecondaryHandle --- NOTIFY, orders ---> coordinator (1x) -- SOA queries (paced) --> ask    (Nx tasks)
//!        ^                                  | owns every     -- transfers (capped) --> fetch  (Nx tasks) --> Sink
//!        '------------- status ------------' Refresh <------------- results ------------'
//! ```
//!
//! Changes at primaries flow in, versions flow out to a [`Sink`]. All of it runs on the thread `transfer`, but for the compiling
//! of zones and the sink, which may block and have threads of their own. Every socket binds a management address. Never serves
//! anything and never withdraws anything.

mod ask;
mod coordinator;
mod fetch;
mod handle;
mod jobs;
mod net;
mod pacer;
mod report;
mod settings;
mod sink;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/secondary.rs"]
mod tests;

pub use ask::AskError;
pub use fetch::FetchError;
pub use handle::{Secondary, SecondaryError, SecondaryHandle};
pub use net::NetError;
pub(super) use net::{datagrams, unix_time};
pub use report::{LastTransfer, ZoneReport};
pub use settings::{PrimaryServer, SecondarySettings, SecondaryZone};
pub use sink::{Origin, Sink, SinkError};
