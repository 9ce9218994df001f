//! The zone snapshot: what the query path reads.
//!
//! ```text
//! Record --> ZoneBuilder --> Zone --> Snapshot --> Published --> workers
//!            fault: what no zone may hold
//!            compile: canonical order, ready RDATA, cuts and wildcards marked
//!            link: NSEC and NSEC3 chains, checked whole
//! ```
//!
//! Records flow in through [`ZoneBuilder`], which refuses what no zone may hold and compiles the rest into an
//! immutable [`Zone`]; zones make up an immutable [`Snapshot`]; [`Published`] is the one place where a new snapshot
//! replaces the old one, at once and whole. Never does I/O, never locks a reader, never changes what was published.

mod batch;
mod builder;
mod check;
mod compile;
mod compiled;
mod denial;
mod fault;
mod key;
mod link;
mod lookup;
mod nsec;
mod nsec3;
mod record;
mod snapshot;
mod warning;

pub use batch::RecordBatch;
pub use builder::ZoneBuilder;
pub use compiled::{NodeRef, RrSet, Zone};
pub use denial::{Collision, Denies};
pub use fault::ZoneFault;
pub use lookup::Lookup;
pub use record::{Place, Record};
pub use snapshot::{Published, PublishedRef, Snapshot};
pub use warning::ZoneWarning;
