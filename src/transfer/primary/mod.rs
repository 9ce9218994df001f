//! Zones out to secondaries: SOA queries, AXFR, IXFR and NOTIFY on the management addresses.
//!
//! ```text
//! UDP socket (1x each address) ----\                      /--> one message: SOA record, error, response to NOTIFY
//!                                   +--> request: judge --+
//! TCP listener (1x each address) --/    (list, key)        \--> writer: messages of a zone or of differences (TCP)
//!      connection (Nx tasks, capped)
//!
//! NOTIFY --> secondary, UPDATE --> Updates (Nx tasks, capped)
//! a new version --> notifying (1x, owns every Notifier) --> NOTIFY (Nx tasks)
//! ```
//!
//! Sources that no list names may be clients whose key counts, or anybody: a fourth of the connections is kept from them (`listed`), they
//! count by network, and are waited for less long. Transfers go on in turns (`turns`) and end where the secondary is too slow (`pace`).
//!
//! Requests flow in, messages flow out. A zone comes from a [`Source`] as the snapshot that the secondary may have, so a transfer holds it
//! while it lasts. Runs on threads of its own, which let every other thread go first: no query waits for a transfer. Never changes a
//! zone.

mod connection;
mod counts;
mod handle;
mod limits;
mod listed;
mod notifying;
mod pace;
mod receivers;
mod request;
mod seen;
mod settings;
mod source;
mod targets;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/primary.rs"]
mod tests;
mod turns;

pub use counts::SendCounts;
pub use handle::{Primary, PrimaryError, SettingsChange};
pub use receivers::{Receivers, Updates};
pub use seen::{AskedFor, KnownBy, Seen, SeenTable, Sent};
pub use settings::PrimarySettings;
pub use source::{NoVersion, Source, soa_expire};
pub use targets::{AllTargets, MOST_TOLD_APART, NotTaken, NotifyCounts, TargetFacts, TargetTable};
